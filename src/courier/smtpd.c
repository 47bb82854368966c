/* A courieresmtpd process that is pinned and verified to be courier's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtpd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum role {
	ROLE_SMTPD,
	ROLE_TLS,
	ROLE_TCPD,
	ROLE_SUBMIT,
	ROLE_OTHER,
};

static const char *const role_names[] = {
	[ROLE_SMTPD] = "courieresmtpd",
	[ROLE_TLS] = "couriertls",
	[ROLE_TCPD] = "couriertcpd",
	[ROLE_SUBMIT] = "submit",
};

/* init, which adopts orphans. */
#define INIT_PID 1

/* Call this only after the uid and the parent were checked: another process could keep the
 * looker waiting. */
static int look(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
		enum role *ret_role)
{
	unsigned int i;
	int r;

	r = looker_look(rules->looker, pid, true, &scratch->look);
	if (r < 0)
		return r;
	*ret_role = ROLE_OTHER;
	for (i = 0; i < ROLE_OTHER; i++)
		if (strcmp(scratch->look.name, role_names[i]) == 0)
			*ret_role = (enum role)i;
	return 0;
}

/* A port number: digits and nothing else. */
static int parse_port(const char *text, uint16_t *ret_port)
{
	const char *p = text;
	unsigned int n = 0;

	while (p && p < text + 5 && *p >= '0' && *p <= '9')
		n = n * 10 + (unsigned int)(*p++ - '0');
	if (!p || *p != '\0' || n == 0 || n > UINT16_MAX)
		return -ENODATA;
	*ret_port = (uint16_t)n;
	return 0;
}

/* The variables of the peer first, then those of the facts. */
enum variable {
	TCPREMOTEIP, TCPREMOTEPORT, TCPLOCALPORT, TCPLOCALIP,
	ESMTP_TLS, RELAYCLIENT, BLOCK, BLOCK_IP, BLOCK_ZONE, ESMTPAUTH, ESMTPAUTH_TLS, ACCESSFILE,
	TCPREMOTEINFO,
	VARIABLES
};

_Static_assert(VARIABLES <= PROCFS_GETENV_MAX, "procfs_getenv_all() finds all at once");

static const char *const variables[VARIABLES] = {
	"TCPREMOTEIP", "TCPREMOTEPORT", "TCPLOCALPORT", "TCPLOCALIP",
	"ESMTP_TLS", "RELAYCLIENT", "BLOCK", "BLOCK_IP", "BLOCK_ZONE", "ESMTPAUTH",
	"ESMTPAUTH_TLS", "ACCESSFILE", "TCPREMOTEINFO",
};

static int parse_peer_of(const char *const values[static VARIABLES],
			 struct smtpd_peer *ret_peer)
{
	const char *ip = values[TCPREMOTEIP];
	struct smtpd_peer peer;

	if (!ip || addr_parse(ip, strlen(ip), &peer.addr) < 0)
		return -ENODATA;
	if (parse_port(values[TCPREMOTEPORT], &peer.port) < 0 ||
	    parse_port(values[TCPLOCALPORT], &peer.local_port) < 0)
		return -ENODATA;
	ip = values[TCPLOCALIP];
	if (!ip || addr_parse(ip, strlen(ip), &peer.local) < 0)
		peer.local = (struct addr){ .family = 0 };
	*ret_peer = peer;
	return 0;
}

static const char *unless_empty(const char *text)
{
	return text && *text ? text : NULL;
}

bool smtpd_same_peer(const struct smtpd_peer *a, const struct smtpd_peer *b)
{
	return a->port == b->port && a->local_port == b->local_port &&
	       addr_compare(&a->addr, &b->addr) == 0;
}

static void parse_facts(const char *const values[static VARIABLES], struct smtpd_facts *facts)
{
	const char *tls = values[ESMTP_TLS];

	facts->relay_client = values[RELAYCLIENT] != NULL;
	facts->tls = tls && strtol(tls, NULL, 10) != 0;
	facts->block = unless_empty(values[BLOCK]);
	facts->block_ip = unless_empty(values[BLOCK_IP]);
	facts->block_zone = unless_empty(values[BLOCK_ZONE]);
	facts->offers_login = unless_empty(values[ESMTPAUTH]) ||
			      unless_empty(values[ESMTPAUTH_TLS]);
	facts->access_file = unless_empty(values[ACCESSFILE]);
}

/* The variables of the process that look() read last. */
static int read_values(const struct smtpd_scratch *scratch,
		       const char *ret_values[static VARIABLES])
{
	if (scratch->look.env_len < 0)
		return (int)scratch->look.env_len;
	procfs_getenv_all(scratch->look.env, (size_t)scratch->look.env_len, variables,
			  VARIABLES, ret_values);
	return 0;
}

/* Pin the process and check its uid. Neither can be delayed by the process. */
static int pin(const struct smtpd_rules *rules, pid_t pid, struct pidref *ret_ref,
	       struct procfs_status *ret_status)
{
	int r = pidref_open(pid, ret_ref);

	/* A thread's ID is not that of a process. */
	if (r < 0)
		return r == -EINVAL ? -EPERM : r;
	if (rules->fd_end && ret_ref->fd >= rules->fd_end)
		r = -EMFILE;
	if (r == 0)
		r = procfs_read_status_held(rules->procfs, ret_ref->fd, pid, ret_status);
	if (r == 0 && ret_status->uid != rules->uid)
		r = -EPERM;
	if (r < 0)
		pidref_done(ret_ref);
	return r;
}

/* A look takes two descriptors, on port 465 three. */
#define LOOK_FDS 4

bool smtpd_may_stay(const struct smtpd_rules *rules, const struct smtpd *smtpd)
{
	int end = rules->fd_end - LOOK_FDS;

	return !rules->fd_end || (smtpd->process.fd < end && smtpd->tls.fd < end &&
				  smtpd->submit.fd < end);
}

bool smtpd_call_failed(int r)
{
	switch (-r) {
	case ESRCH:
	case EPERM:
	case EACCES:
	case EAGAIN:	/* it has not exec'd yet */
	case ENXIO:	/* it serves another client */
	case ENODATA:
	case ENOSYS:
	case E2BIG:
		return false;
	default:
		return r < 0;
	}
}

int smtpd_may_be(const struct smtpd_rules *rules, pid_t pid)
{
	struct pidref ref = PIDREF_NONE;
	struct procfs_status status;
	int r;

	r = pin(rules, pid, &ref, &status);
	pidref_done(&ref);
	return r;
}

/* The place of a process among courier's. */
enum place {
	PLACE_BELOW_TCPD,
	PLACE_BELOW_TLS,	/* its parent's parent is a couriertcpd */
};

/* A parent that has exited is not a couriertcpd. */
static int check_tcpd(const struct smtpd_rules *rules, pid_t pid)
{
	int r = tcpd_check(rules->tcpds, pid);

	return r == -ESRCH ? -EPERM : r;
}

/* Compares with known couriertcpds first: any other process has to be read. */
static int find_place(const struct smtpd_rules *rules, pid_t ppid, enum place *ret_place,
		      pid_t *ret_tcpd)
{
	struct procfs_status parent;
	int r;

	*ret_place = PLACE_BELOW_TCPD;
	*ret_tcpd = ppid;
	if (tcpd_knows(rules->tcpds, ppid) == 0)
		return 0;
	r = procfs_read_status(rules->procfs, ppid, &parent);
	if (r == -ESRCH || (r == 0 && parent.uid != rules->uid))
		return -EPERM;
	if (r < 0)
		return r;
	r = check_tcpd(rules, ppid);
	if (r != -EPERM)
		return r;
	*ret_place = PLACE_BELOW_TLS;
	*ret_tcpd = parent.ppid;
	return check_tcpd(rules, parent.ppid);
}

/* Pin and verify a couriertls. The caller checks its parent. */
static int open_tls(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
		    struct pidref *ret_ref, struct smtpd_peer *ret_peer)
{
	const char *values[VARIABLES];
	struct procfs_status status;
	enum role role;
	int r;

	r = pin(rules, pid, ret_ref, &status);
	if (r < 0)
		return r;
	r = look(rules, pid, scratch, &role);
	if (r == 0 && role != ROLE_TLS)
		r = -EPERM;
	if (r == 0)
		r = read_values(scratch, values);
	if (r == 0 && parse_peer_of(values, ret_peer) < 0)
		r = -EPERM;
	if (r == 0)
		r = pidref_check(ret_ref);
	if (r < 0)
		pidref_done(ret_ref);
	return r;
}

static struct tcp_reset_ends ends_of(const struct smtpd_peer *peer)
{
	return (struct tcp_reset_ends){ .local = peer->local,
				    .remote = peer->addr,
				    .local_port = peer->local_port,
				    .remote_port = peer->port };
}

uint64_t smtpd_cookie(const struct smtpd_rules *rules, pid_t pid, const struct smtpd_peer *peer)
{
	struct tcp_reset_ends ends = ends_of(peer);
	ino_t on_stdin, found;

	if (!rules->reset ||
	    procfs_read_fd_inode(rules->procfs, pid, STDIN_FILENO, &on_stdin) < 0)
		return 0;
	if (tcp_reset_find(rules->reset, &ends, &found) < 0 || found != on_stdin)
		return 0;
	return ends.cookie;
}

/* The other end of the standard input, if that is a connection of IP. */
static int read_far_end(const struct smtpd_rules *rules, const struct pidref *owner,
			struct addr *ret_addr)
{
	struct sockaddr_storage end;
	socklen_t size = sizeof(end);
	int fd, r;

	fd = looker_get_fd(rules->looker, owner->pid, owner->fd, STDIN_FILENO);
	if (fd < 0)
		return fd;
	r = getpeername(fd, (struct sockaddr *)&end, &size) < 0 ? -errno : 0;
	if (r == 0)
		r = addr_of_sockaddr((const struct sockaddr *)&end, ret_addr);
	close(fd);
	return r;
}

/* couriertcpd sets TCPREMOTEINFO to this if a proxy has named the client, and otherwise not at
 * all (run() of courier's tcpd.c, 1.4.1). In courier before 1.3, which had no -haproxy, it was a
 * text of the client's ident server. */
static bool names_proxy(const char *info)
{
	static const char by_proxy[] = "proxy via ";

	return info && strncmp(info, by_proxy, strlen(by_proxy)) == 0;
}

/* Do the packets of the client come from another host? The kernel knows, unless the socket is
 * closed or must not be copied; then behind_proxy is what the environment says. Nothing that a
 * client sends can make this true. */
static bool is_behind_proxy(const struct smtpd_rules *rules, const struct smtpd *smtpd,
			    const struct pidref *owner)
{
	struct addr end;

	/* The cookie was found by the peer's address. */
	if (smtpd->cookie)
		return false;
	if (read_far_end(rules, owner, &end) == 0)
		return !addr_equal(&end, &smtpd->peer.addr);
	return smtpd->behind_proxy && tcpd_proxy(rules->tcpds, smtpd->tcpd) != TCPD_PROXY_NONE;
}

/* owner is the process whose standard input is the connection. */
static void identify_connection(const struct smtpd_rules *rules, struct smtpd *smtpd,
				const struct pidref *owner)
{
	smtpd->cookie = smtpd_cookie(rules, owner->pid, &smtpd->peer);
	smtpd->behind_proxy = is_behind_proxy(rules, smtpd, owner);
}

/* What the environment that look() read last says. */
static int parse_hint(const struct smtpd_scratch *scratch, struct smtpd_hint *ret_hint)
{
	const char *values[VARIABLES];
	int r = read_values(scratch, values);

	if (r < 0)
		return r;
	parse_facts(values, &ret_hint->facts);
	ret_hint->names_proxy = names_proxy(values[TCPREMOTEINFO]);
	return parse_peer_of(values, &ret_hint->peer);
}

/* The same of a pinned process. */
static int take_facts(const struct smtpd_scratch *scratch, struct smtpd *smtpd,
		      struct smtpd_facts *facts)
{
	struct smtpd_hint hint;
	int r = parse_hint(scratch, &hint);

	if (r < 0)
		return r == -ENODATA ? -EPERM : r;
	smtpd->peer = hint.peer;
	smtpd->behind_proxy = hint.names_proxy;
	*facts = hint.facts;
	return 0;
}

static int check_role(enum role role)
{
	if (role == ROLE_SMTPD)
		return 0;
	return role == ROLE_TCPD ? -EAGAIN : -EPERM;
}

/* Does it still have the same parent? An orphan's new parent existed while the old one
 * lived, so it has another PID. */
static int check_parent(const struct smtpd_rules *rules, const struct smtpd *smtpd)
{
	struct procfs_status status;
	int r;

	r = procfs_read_status_held(rules->procfs, smtpd->process.fd, smtpd->process.pid,
				    &status);
	if (r < 0)
		return r;
	if (status.uid != rules->uid || status.ppid != smtpd->parent)
		return -EPERM;
	return pidref_check(&smtpd->process);
}

/* Verify a pinned process whose place is known. */
static int verify(const struct smtpd_rules *rules, struct smtpd *smtpd, enum place place,
		  struct smtpd_scratch *scratch, struct smtpd_facts *facts, enum role *ret_role)
{
	struct smtpd_peer above;
	int r = 0;

	if (place == PLACE_BELOW_TLS)
		r = open_tls(rules, smtpd->parent, scratch, &smtpd->tls, &above);
	if (r == 0)
		r = look(rules, smtpd->process.pid, scratch, ret_role);
	if (r == 0)
		r = check_role(*ret_role);
	if (r == 0)
		r = take_facts(scratch, smtpd, facts);
	if (r == 0 && place == PLACE_BELOW_TLS && !smtpd_same_peer(&smtpd->peer, &above))
		r = -EPERM;
	if (r < 0)
		return r;
	identify_connection(rules, smtpd, place == PLACE_BELOW_TLS ? &smtpd->tls : &smtpd->process);
	return check_parent(rules, smtpd);
}

/* Open the courieresmtpd below a couriertls (port 465). */
static int open_below(const struct smtpd_rules *rules, pid_t tls, struct smtpd_scratch *scratch,
		      struct smtpd *ret_smtpd, struct smtpd_facts *ret_facts)
{
	pid_t *pids;
	ssize_t n, i;
	int r = -EAGAIN;

	n = procfs_read_children(rules->procfs, tls, &pids);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n; i++) {
		r = smtpd_open(rules, pids[i], scratch, ret_smtpd, ret_facts);
		if (r != -EPERM && r != -ESRCH)
			break;
		r = -EAGAIN;
	}
	free(pids);
	return r;
}

int smtpd_open(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
	       struct smtpd *ret_smtpd, struct smtpd_facts *ret_facts)
{
	enum role role = ROLE_OTHER;
	struct smtpd smtpd = SMTPD_NONE;
	struct procfs_status status;
	enum place place;
	int r;

	r = pin(rules, pid, &smtpd.process, &status);
	if (r < 0)
		return r;
	smtpd.parent = status.ppid;
	r = find_place(rules, status.ppid, &place, &smtpd.tcpd);
	if (r == 0)
		r = verify(rules, &smtpd, place, scratch, ret_facts, &role);
	if (r == 0)
		*ret_smtpd = smtpd_take(&smtpd);
	smtpd_done(&smtpd);
	if (role == ROLE_TLS && place == PLACE_BELOW_TCPD)
		r = open_below(rules, pid, scratch, ret_smtpd, ret_facts);
	return r;
}

/* Has the process no child? */
static int check_childless(const struct smtpd_rules *rules, pid_t pid)
{
	pid_t *pids;
	ssize_t n = procfs_read_children(rules->procfs, pid, &pids);

	if (n < 0)
		return (int)n;
	free(pids);
	return n == 0 ? 0 : -EAGAIN;
}

/* Read a pinned couriertls whose parent is known. */
static int read_handshake(const struct smtpd_rules *rules, struct smtpd *smtpd,
			  struct smtpd_scratch *scratch, struct smtpd_facts *facts)
{
	enum role role;
	int r;

	r = look(rules, smtpd->process.pid, scratch, &role);
	if (r == 0 && role != ROLE_TLS)
		r = -EPERM;
	if (r == 0)
		r = take_facts(scratch, smtpd, facts);
	if (r == 0)
		r = check_childless(rules, smtpd->process.pid);
	if (r < 0)
		return r;
	identify_connection(rules, smtpd, &smtpd->process);
	return check_parent(rules, smtpd);
}

int smtpd_open_handshake(const struct smtpd_rules *rules, pid_t pid,
			 struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
			 struct smtpd_facts *ret_facts)
{
	struct smtpd smtpd = SMTPD_NONE;
	struct procfs_status status;
	int r;

	r = pin(rules, pid, &smtpd.process, &status);
	if (r < 0)
		return r;
	smtpd.parent = smtpd.tcpd = status.ppid;
	r = check_tcpd(rules, status.ppid);
	if (r == 0)
		r = read_handshake(rules, &smtpd, scratch, ret_facts);
	if (r == 0)
		*ret_smtpd = smtpd_take(&smtpd);
	smtpd_done(&smtpd);
	return r;
}

/* The texts among the facts. */
enum { ENV_BLOCK, ENV_BLOCK_IP, ENV_BLOCK_ZONE, ENV_ACCESSFILE, ENV_TEXTS };

struct smtpd_env {
	struct smtpd_facts facts;	/* without the texts */
	size_t len;			/* of all texts, each with its NUL */
	size_t at[ENV_TEXTS];		/* where each begins; len: not set */
	char texts[];
};

static void append(struct smtpd_env *env, size_t i, const char *text, size_t *at)
{
	size_t size = strlen(text) + 1;

	memcpy(env->texts + *at, text, size);
	env->at[i] = *at;
	*at += size;
}

/* Returns NULL if there is no memory. */
static struct smtpd_env *store_env(const struct smtpd_facts *facts)
{
	const char *const texts[ENV_TEXTS] = { facts->block, facts->block_ip,
						facts->block_zone, facts->access_file };
	struct smtpd_env *env;
	size_t i, len = 0, at = 0;

	for (i = 0; i < ENV_TEXTS; i++)
		len += texts[i] ? strlen(texts[i]) + 1 : 0;
	env = calloc(1, sizeof(*env) + len);
	if (!env)
		return NULL;
	env->facts.relay_client = facts->relay_client;
	env->facts.tls = facts->tls;
	env->facts.offers_login = facts->offers_login;
	env->len = len;
	for (i = 0; i < ENV_TEXTS; i++) {
		env->at[i] = len;
		if (texts[i])
			append(env, i, texts[i], &at);
	}
	return env;
}

static const char *text_of(const struct smtpd_env *env, const char *texts, size_t i)
{
	return env->at[i] < env->len ? texts + env->at[i] : NULL;
}

static void load_env(const struct smtpd_env *env, struct smtpd_scratch *scratch,
		     struct smtpd_facts *facts)
{
	memcpy(scratch->look.env, env->texts, env->len);
	*facts = env->facts;
	facts->block = text_of(env, scratch->look.env, ENV_BLOCK);
	facts->block_ip = text_of(env, scratch->look.env, ENV_BLOCK_IP);
	facts->block_zone = text_of(env, scratch->look.env, ENV_BLOCK_ZONE);
	facts->access_file = text_of(env, scratch->look.env, ENV_ACCESSFILE);
}

int smtpd_recheck(const struct smtpd_rules *rules, const struct smtpd *smtpd,
		  struct smtpd_scratch *scratch, struct smtpd_facts *ret_facts)
{
	int r = check_parent(rules, smtpd);

	if (r == 0)
		load_env(smtpd->env, scratch, ret_facts);
	return r;
}

/* Checks the uid and that the parent is a couriertcpd, which on port 465 is true for
 * couriertls. */
static int check_place(const struct smtpd_rules *rules, pid_t pid)
{
	struct procfs_status status;
	int r;

	r = procfs_read_status(rules->procfs, pid, &status);
	if (r < 0)
		return r;
	if (status.uid != rules->uid)
		return -EPERM;
	return tcpd_check(rules->tcpds, status.ppid);
}

/* Read a process with courier's uid below a couriertcpd. */
static int read_child(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
		      struct smtpd_hint *ret_hint)
{
	enum role role;
	int r;

	r = look(rules, pid, scratch, &role);
	if (r < 0)
		return r;
	if (role == ROLE_TCPD)
		return -EAGAIN;
	if (role != ROLE_SMTPD && role != ROLE_TLS)
		return -ENODATA;
	ret_hint->is_tls = role == ROLE_TLS;
	return parse_hint(scratch, ret_hint);
}

int smtpd_read_hint(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
		    struct smtpd_hint *ret_hint)
{
	int r = check_place(rules, pid);

	return r == 0 ? read_child(rules, pid, scratch, ret_hint) : r;
}

/* Verify a pinned process that was read, and copy its facts. */
static int keep(const struct smtpd_rules *rules, struct smtpd *smtpd,
		const struct smtpd_hint *hint)
{
	int r;

	smtpd->peer = hint->peer;
	smtpd->behind_proxy = hint->names_proxy;
	identify_connection(rules, smtpd, &smtpd->process);
	r = check_parent(rules, smtpd);
	if (r == 0 && !(smtpd->env = store_env(&hint->facts)))
		r = -ENOMEM;
	return r;
}

int smtpd_pin(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
	      struct smtpd *ret_smtpd, struct smtpd_hint *ret_hint)
{
	struct smtpd smtpd = SMTPD_NONE;
	struct procfs_status status;
	int r;

	r = pin(rules, pid, &smtpd.process, &status);
	if (r < 0)
		return r;
	smtpd.parent = smtpd.tcpd = status.ppid;
	r = tcpd_check(rules->tcpds, status.ppid);
	if (r == 0)
		r = read_child(rules, pid, scratch, ret_hint);
	if (r == 0 && ret_hint->facts.block && !ret_hint->is_tls) {
		r = keep(rules, &smtpd, ret_hint);
		if (r == 0)
			*ret_smtpd = smtpd_take(&smtpd);
	}
	smtpd_done(&smtpd);
	return r;
}

/* Pin a process if it is a submit of smtpd with this BLOCK. Returns 0; -EPERM: it has
 * another BLOCK or none; -ENOEXEC: it is not a submit, or not yet; -errno. */
static int open_submit(const struct smtpd_rules *rules, const struct smtpd *smtpd, pid_t pid,
		       const char *block, struct smtpd_scratch *scratch, struct pidref *ret_ref)
{
	const char *values[VARIABLES];
	struct procfs_status status;
	enum role role;
	int r;

	r = pin(rules, pid, ret_ref, &status);
	if (r < 0)
		return r;
	if (status.ppid != smtpd->process.pid)
		r = -EPERM;
	if (r == 0)
		r = look(rules, pid, scratch, &role);
	if (r == 0)
		r = role == ROLE_SUBMIT ? read_values(scratch, values) : -ENOEXEC;
	if (r == 0 && (!values[BLOCK] || strcmp(values[BLOCK], block) != 0))
		r = -EPERM;
	/* If it is still alive, then the values were its own. */
	if (r == 0)
		r = pidref_check(ret_ref);
	if (r < 0)
		pidref_done(ret_ref);
	return r;
}

int smtpd_check_submit(const struct smtpd_rules *rules, struct smtpd *smtpd,
		       const char *block, struct smtpd_scratch *scratch)
{
	int r = -EPERM, err = -EPERM;
	pid_t *pids;
	ssize_t n, i;

	pidref_done(&smtpd->submit);
	n = procfs_read_children(rules->procfs, smtpd->process.pid, &pids);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n && r != 0; i++) {
		r = open_submit(rules, smtpd, pids[i], block, scratch, &smtpd->submit);
		/* A call failed, and it may be the one. */
		if (r != 0 && r != -EPERM && r != -ENOEXEC && r != -ESRCH)
			err = r;
	}
	free(pids);
	return r == 0 ? pidref_check(&smtpd->process) : err;
}

int smtpd_recheck_submit(const struct smtpd *smtpd)
{
	return pidref_check(&smtpd->submit);
}

/* Is this process a child of the smtpd, with courier's uid? */
static int check_below(const struct smtpd_rules *rules, pid_t smtpd, pid_t pid)
{
	struct procfs_status status;
	int r;

	r = procfs_read_status(rules->procfs, pid, &status);
	if (r == 0 && (status.uid != rules->uid || status.ppid != smtpd))
		r = -EPERM;
	return r;
}

int smtpd_read_submit(const struct smtpd_rules *rules, pid_t smtpd, pid_t pid,
		      struct smtpd_scratch *scratch, struct smtpd_facts *ret_facts)
{
	const char *values[VARIABLES];
	enum role role;
	int r;

	r = check_below(rules, smtpd, pid);
	if (r == 0)
		r = look(rules, pid, scratch, &role);
	if (r == 0 && role != ROLE_SUBMIT)
		r = role == ROLE_SMTPD ? -EAGAIN : -EPERM;
	if (r == 0)
		r = read_values(scratch, values);
	/* If it is still a child, then the values were those of one. */
	if (r == 0)
		r = check_below(rules, smtpd, pid);
	if (r == 0)
		parse_facts(values, ret_facts);
	return r;
}

/* Open the couriertls processes of the peer among the children of parent. */
static int open_orphan_tls(const struct smtpd_rules *rules, pid_t parent,
			   const struct smtpd_peer *peer, struct smtpd_scratch *scratch,
			   struct pidref *refs, size_t max)
{
	struct procfs_status status;
	struct smtpd_peer found_peer;
	size_t found = 0;
	pid_t *pids;
	ssize_t n, i;

	n = procfs_read_children(rules->procfs, parent, &pids);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n && found < max; i++) {
		/* init has many children and few are courier's: check that first. */
		if (procfs_read_status(rules->procfs, pids[i], &status) < 0 ||
		    status.uid != rules->uid ||
		    open_tls(rules, pids[i], scratch, &refs[found], &found_peer) < 0)
			continue;
		if (smtpd_same_peer(&found_peer, peer))
			found++;
		else
			pidref_done(&refs[found]);
	}
	free(pids);
	return (int)found;
}

int smtpd_find_orphan_tls(const struct smtpd_rules *rules, const struct smtpd_peer *peer,
			  struct smtpd_scratch *scratch, struct pidref *ret_refs, size_t max)
{
	pid_t tcpds[TCPD_MAX], parents[TCPD_MAX + 1] = { INIT_PID };
	size_t n = tcpd_pids(rules->tcpds, tcpds), count = 1, i, j;
	struct procfs_status status;
	int r, found = 0;

	for (i = 0; i < n; i++) {
		if (procfs_read_status(rules->procfs, tcpds[i], &status) < 0)
			continue;
		for (j = 0; j < count && parents[j] != status.ppid; j++)
			;
		if (j == count)
			parents[count++] = status.ppid;
	}
	for (i = 0; i < count && (size_t)found < max; i++) {
		r = open_orphan_tls(rules, parents[i], peer, scratch,
				    ret_refs + found, max - (size_t)found);
		if (r > 0)
			found += r;
	}
	return found;
}

/* A child that has not exec'd yet cannot have a couriertls, so it does not count. */
static bool is_served_below(const struct smtpd_rules *rules, pid_t tcpd,
			    const struct smtpd_peer *peer, struct smtpd_scratch *scratch)
{
	struct smtpd_hint seen;
	bool served = false;
	pid_t *pids;
	ssize_t n, i;
	int r;

	n = procfs_read_children(rules->procfs, tcpd, &pids);
	if (n < 0)
		return smtpd_call_failed((int)n);
	for (i = 0; i < n && !served; i++) {
		r = smtpd_read_hint(rules, pids[i], scratch, &seen);
		served = r == 0 ? smtpd_same_peer(&seen.peer, peer) : smtpd_call_failed(r);
	}
	free(pids);
	return served;
}

bool smtpd_is_served(const struct smtpd_rules *rules, const struct smtpd_peer *peer,
		     struct smtpd_scratch *scratch)
{
	pid_t tcpds[TCPD_MAX];
	size_t n = tcpd_pids(rules->tcpds, tcpds), i;

	for (i = 0; i < n; i++)
		if (is_served_below(rules, tcpds[i], peer, scratch))
			return true;
	return false;
}

void smtpd_forget_held(struct smtpd *smtpd)
{
	pidref_done(&smtpd->submit);
	free(smtpd->env);
	smtpd->env = NULL;
}

void smtpd_done(struct smtpd *smtpd)
{
	pidref_done(&smtpd->process);
	pidref_done(&smtpd->tls);
	smtpd_forget_held(smtpd);
}

struct smtpd smtpd_take(struct smtpd *smtpd)
{
	struct smtpd taken = *smtpd;

	taken.process = pidref_take(&smtpd->process);
	taken.tls = pidref_take(&smtpd->tls);
	taken.submit = pidref_take(&smtpd->submit);
	smtpd->env = NULL;
	return taken;
}
