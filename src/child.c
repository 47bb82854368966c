/* A courieresmtpd child that is held fast and proven to be courier's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

/* init, which takes in whatever has lost its parent. */
#define INIT_PID 1

static int read_role(const struct child_rules *rules, pid_t pid,
		     enum role *ret_role)
{
	char name[PROCFS_NAME_SIZE];
	unsigned int i;
	int r;

	*ret_role = ROLE_OTHER;
	r = procfs_read_exe(rules->procfs, pid, name);
	if (r == -ENAMETOOLONG)
		return 0;
	if (r < 0)
		return r;
	for (i = 0; i < ROLE_OTHER; i++)
		if (strcmp(name, role_names[i]) == 0)
			*ret_role = (enum role)i;
	return 0;
}

/* A port that fills a variable's value: digits and nothing else. */
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

/* The peer's first, then the facts. */
enum variable {
	TCPREMOTEIP, TCPREMOTEPORT, TCPLOCALPORT, TCPLOCALIP,
	ESMTP_TLS, RELAYCLIENT, BLOCK, BLOCK_IP, BLOCK_ZONE, VARIABLES
};

_Static_assert(VARIABLES <= PROCFS_GETENV_MAX, "all are looked for at once");

static const char *const variables[VARIABLES] = {
	"TCPREMOTEIP", "TCPREMOTEPORT", "TCPLOCALPORT", "TCPLOCALIP",
	"ESMTP_TLS", "RELAYCLIENT", "BLOCK", "BLOCK_IP", "BLOCK_ZONE",
};

static int parse_peer_of(const char *const values[static VARIABLES],
			 struct child_peer *ret_peer)
{
	const char *ip = values[TCPREMOTEIP];
	struct child_peer peer;

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

static int parse_peer(const char *env, size_t len, struct child_peer *ret_peer)
{
	const char *values[VARIABLES];

	procfs_getenv_all(env, len, variables, TCPLOCALIP + 1, values);
	return parse_peer_of(values, ret_peer);
}

bool child_same_peer(const struct child_peer *a, const struct child_peer *b)
{
	return a->port == b->port && a->local_port == b->local_port &&
	       addr_compare(&a->addr, &b->addr) == 0;
}

static void parse_facts(const char *const values[static VARIABLES],
			struct child_facts *facts)
{
	const char *tls = values[ESMTP_TLS];

	facts->relay_client = values[RELAYCLIENT] != NULL;
	facts->tls = tls && strtol(tls, NULL, 10) != 0;
	facts->block = unless_empty(values[BLOCK]);
	facts->block_ip = unless_empty(values[BLOCK_IP]);
	facts->block_zone = unless_empty(values[BLOCK_ZONE]);
}

/* Does the process' environment name this peer? */
static int check_peer(const struct child_rules *rules, pid_t pid,
		      const struct child_peer *peer,
		      struct child_scratch *scratch)
{
	struct child_peer found;
	ssize_t n;

	n = procfs_read_environ(rules->procfs, pid, scratch->env);
	if (n < 0)
		return (int)n;
	if (parse_peer(scratch->env, (size_t)n, &found) < 0)
		return -EPERM;
	return child_same_peer(&found, peer) ? 0 : -EPERM;
}

/* Hold a couriertls for that peer. Its parent comes out; whose child it has to
 * be is the caller's to say. */
static int open_tls(const struct child_rules *rules, pid_t pid,
		    const struct child_peer *peer,
		    struct child_scratch *scratch, struct procref *ret_ref,
		    pid_t *ret_ppid)
{
	struct procref ref = PROCREF_NONE;
	struct procfs_status status;
	enum role role;
	int r;

	r = procref_open(pid, &ref);
	if (r < 0)
		return r;
	r = read_role(rules, pid, &role);
	if (r == 0 && role != ROLE_TLS)
		r = -EPERM;
	if (r == 0)
		r = procfs_read_status_held(rules->procfs, ref.fd, pid, &status);
	if (r == 0 && status.uid != rules->uid)
		r = -EPERM;
	if (r == 0)
		r = check_peer(rules, pid, peer, scratch);
	if (r == 0 && !procref_alive(&ref))
		r = -ESRCH;
	if (r < 0) {
		procref_done(&ref);
		return r;
	}
	*ret_ref = procref_take(&ref);
	*ret_ppid = status.ppid;
	return 0;
}

/* The parent is a listener, or the couriertls of port 465 below one. Uses the
 * scratch only in the second case, before the child's own texts are in it. */
static int check_parent(const struct child_rules *rules, pid_t ppid,
			struct child_scratch *scratch, struct child *child)
{
	enum role role;
	pid_t grandparent;
	int r;

	r = listeners_check(rules->listeners, ppid);
	if (r != -EPERM)
		return r;
	r = read_role(rules, ppid, &role);
	if (r < 0)
		return r;
	if (role != ROLE_TLS)
		return -EPERM;
	r = open_tls(rules, ppid, &child->peer, scratch, &child->tls,
		     &grandparent);
	return r < 0 ? r : listeners_check(rules->listeners, grandparent);
}

static ssize_t read_environ(const struct child_rules *rules, const struct child *child,
			    struct child_scratch *scratch)
{
	if (child->environ >= 0)
		return procfs_read_open_environ(child->environ, scratch->env);
	return procfs_read_environ(rules->procfs, child->smtpd.pid, scratch->env);
}

static int read_env(const struct child_rules *rules, struct child *child,
		    struct child_scratch *scratch, struct child_facts *facts)
{
	const char *values[VARIABLES];
	ssize_t n;

	n = read_environ(rules, child, scratch);
	if (n < 0)
		return (int)n;
	procfs_getenv_all(scratch->env, (size_t)n, variables, VARIABLES, values);
	if (parse_peer_of(values, &child->peer) < 0)
		return -EPERM;
	parse_facts(values, facts);
	return 0;
}

/* All that is asked of a process which is held and named courieresmtpd. */
static int prove(const struct child_rules *rules, struct child *child,
		 struct child_scratch *scratch, struct child_facts *facts)
{
	struct procfs_status status;
	int r;

	r = procfs_read_status_held(rules->procfs, child->smtpd.fd,
				    child->smtpd.pid, &status);
	if (r < 0)
		return r;
	if (status.uid != rules->uid)
		return -EPERM;
	child->parent = status.ppid;
	r = read_env(rules, child, scratch, facts);
	if (r < 0)
		return r;
	r = check_parent(rules, status.ppid, scratch, child);
	if (r < 0)
		return r;
	/* The parent's environment has overwritten the child's texts. */
	if (child->tls.fd >= 0)
		r = read_env(rules, child, scratch, facts);
	if (r < 0)
		return r;
	return procref_alive(&child->smtpd) ? 0 : -ESRCH;
}

/* The courieresmtpd below a couriertls of port 465. */
static int below_tls(const struct child_rules *rules, pid_t tls, pid_t *ret_pid)
{
	pid_t *pids;
	ssize_t n, i;
	enum role role;
	int r = -EAGAIN;

	n = procfs_read_children(rules->procfs, tls, &pids);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n && r == -EAGAIN; i++) {
		if (read_role(rules, pids[i], &role) == 0 && role == ROLE_SMTPD) {
			*ret_pid = pids[i];
			r = 0;
		}
	}
	free(pids);
	return r;
}

static int check_role(enum role role)
{
	if (role == ROLE_SMTPD)
		return 0;
	return role == ROLE_TCPD ? -EAGAIN : -EPERM;
}

/* r is what came of the proof: the child moves to the caller, or is let go of. */
static int hand_over(const struct child_rules *rules, int r, struct child *child,
		     struct child *ret_child)
{
	if (r < 0) {
		child_done(child);
		return r;
	}
	child->no_borrowing = rules->no_borrowing;
	*ret_child = child_take(child);
	return 0;
}

int child_open(const struct child_rules *rules, pid_t pid,
	       struct child_scratch *scratch, struct child *ret_child,
	       struct child_facts *ret_facts)
{
	struct child child = CHILD_NONE;
	enum role role;
	int r;

	r = procref_open(pid, &child.smtpd);
	/* A thread's ID is no process of courier's. */
	if (r < 0)
		return r == -EINVAL ? -EPERM : r;
	r = read_role(rules, pid, &role);
	if (r == 0 && role == ROLE_TLS) {
		procref_done(&child.smtpd);
		r = below_tls(rules, pid, &pid);
		if (r == 0)
			r = procref_open(pid, &child.smtpd);
		if (r == 0)
			r = read_role(rules, pid, &role);
	}
	if (r == 0)
		r = check_role(role);
	if (r == 0)
		r = prove(rules, &child, scratch, ret_facts);
	return hand_over(rules, r, &child, ret_child);
}

/* What a child's texts take. */
enum { MEMO_BLOCK, MEMO_BLOCK_IP, MEMO_BLOCK_ZONE, MEMO_TEXTS };

struct child_memo {
	struct child_facts facts;	/* without the texts */
	size_t len;			/* of all texts, each with its NUL */
	size_t at[MEMO_TEXTS];		/* where each begins; len: it is not there */
	char texts[];
};

static void append(struct child_memo *memo, size_t i, const char *text, size_t *at)
{
	size_t size = strlen(text) + 1;

	memcpy(memo->texts + *at, text, size);
	memo->at[i] = *at;
	*at += size;
}

/* NULL: no memory. */
static struct child_memo *memorize(const struct child_facts *facts)
{
	const char *const texts[MEMO_TEXTS] = { facts->block, facts->block_ip,
						facts->block_zone };
	struct child_memo *memo;
	size_t i, len = 0, at = 0;

	for (i = 0; i < MEMO_TEXTS; i++)
		len += texts[i] ? strlen(texts[i]) + 1 : 0;
	memo = calloc(1, sizeof(*memo) + len);
	if (!memo)
		return NULL;
	memo->facts.relay_client = facts->relay_client;
	memo->facts.tls = facts->tls;
	memo->len = len;
	for (i = 0; i < MEMO_TEXTS; i++) {
		memo->at[i] = len;
		if (texts[i])
			append(memo, i, texts[i], &at);
	}
	return memo;
}

static const char *text_of(const struct child_memo *memo, const char *texts, size_t i)
{
	return memo->at[i] < memo->len ? texts + memo->at[i] : NULL;
}

static void recall(const struct child_memo *memo, struct child_scratch *scratch,
		   struct child_facts *facts)
{
	memcpy(scratch->env, memo->texts, memo->len);
	*facts = memo->facts;
	facts->block = text_of(memo, scratch->env, MEMO_BLOCK);
	facts->block_ip = text_of(memo, scratch->env, MEMO_BLOCK_IP);
	facts->block_zone = text_of(memo, scratch->env, MEMO_BLOCK_ZONE);
}

/* BLOCK of one that is held; NULL: it has none, or is not held. */
static const char *own_block(const struct child *child)
{
	return child->memo ? text_of(child->memo, child->memo->texts, MEMO_BLOCK) : NULL;
}

static bool knows_block(const struct child *child, const char *block)
{
	const char *own = own_block(child);

	return own && strcmp(own, block) == 0;
}

/* The environ is opened before the name of the executable is read, and read after
 * that: all three are of one program. */
int child_hold(const struct child_rules *rules, pid_t pid,
	       struct child_scratch *scratch, struct child *ret_child,
	       struct child_facts *ret_facts)
{
	struct child child = CHILD_NONE;
	enum role role;
	int r;

	r = procref_open(pid, &child.smtpd);
	if (r == 0)
		r = child.environ = procfs_open_environ(rules->procfs, pid);
	if (r >= 0)
		r = read_role(rules, pid, &role);
	if (r == 0)
		r = role == ROLE_TLS ? -EPERM : check_role(role);
	if (r == 0)
		r = prove(rules, &child, scratch, ret_facts);
	if (r == 0 && child.tls.fd >= 0)
		r = -EPERM;
	if (r == 0 && !(child.memo = memorize(ret_facts)))
		r = -ENOMEM;
	return hand_over(rules, r, &child, ret_child);
}

int child_prove_again(const struct child_rules *rules, const struct child *child,
		      struct child_scratch *scratch, struct child_facts *ret_facts)
{
	struct procfs_status status;
	int r;

	r = procfs_read_status_held(rules->procfs, child->smtpd.fd,
				    child->smtpd.pid, &status);
	if (r < 0)
		return r;
	if (status.uid != rules->uid || status.ppid != child->parent)
		return -EPERM;
	/* Last: that there is something to read shows that it was alive until now. */
	r = procfs_environ_lasts(child->environ);
	if (r == 0)
		recall(child->memo, scratch, ret_facts);
	return r;
}

int child_peek(const struct child_rules *rules, pid_t pid,
	       struct child_scratch *scratch, struct child_glimpse *ret_glimpse)
{
	const char *values[VARIABLES];
	enum role role;
	ssize_t n;
	int r;

	r = read_role(rules, pid, &role);
	if (r < 0)
		return r;
	ret_glimpse->exec = role != ROLE_TCPD;
	if (role != ROLE_SMTPD && role != ROLE_TLS)
		return -ENODATA;
	n = procfs_read_environ(rules->procfs, pid, scratch->env);
	if (n < 0)
		return (int)n;
	procfs_getenv_all(scratch->env, (size_t)n, variables, VARIABLES, values);
	ret_glimpse->listed = unless_empty(values[BLOCK]) != NULL;
	return parse_peer_of(values, &ret_glimpse->peer);
}

static int is_submit(const struct child_rules *rules, pid_t pid)
{
	enum role role;
	int r;

	r = read_role(rules, pid, &role);
	if (r < 0)
		return r;
	return role == ROLE_SUBMIT ? 0 : -EPERM;
}

/* n bytes of submit's environment are in the scratch, if that is not negative. */
static int compare_block(const struct child_scratch *scratch, ssize_t n,
			 const char *block)
{
	const char *found;

	if (n < 0)
		return (int)n;
	found = procfs_getenv(scratch->env, (size_t)n, "BLOCK");
	return found && strcmp(found, block) == 0 ? 0 : -EPERM;
}

/* The uid is not asked for: the process is the proven child's own. */
static int check_submit(const struct child_rules *rules, pid_t pid,
			const char *block, struct child_scratch *scratch)
{
	int r = is_submit(rules, pid);

	if (r < 0)
		return r;
	return compare_block(scratch,
			     procfs_read_environ(rules->procfs, pid, scratch->env),
			     block);
}

/* It stays open if the process is a submit and knows that text. */
static int open_submit(const struct child_rules *rules, pid_t pid, const char *block,
		       struct child_scratch *scratch, int *ret_fd)
{
	int fd = procfs_open_environ(rules->procfs, pid), r;

	if (fd < 0)
		return fd;
	r = is_submit(rules, pid);
	/* If there is something to read, the name was that of the same program. */
	if (r == 0)
		r = compare_block(scratch, procfs_read_open_environ(fd, scratch->env),
				  block);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int child_hold_submit(const struct child_rules *rules, struct child *child,
		      struct child_scratch *scratch)
{
	const char *block = own_block(child);
	pid_t *pids;
	ssize_t n, i;
	int r = -EPERM;

	if (!block)
		return r;
	n = procfs_read_children(rules->procfs, child->smtpd.pid, &pids);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n && r != 0; i++)
		r = open_submit(rules, pids[i], block, scratch, &child->submit);
	free(pids);
	/* Else they may have been another process' children. */
	if (r == 0 && !procref_alive(&child->smtpd))
		r = -ESRCH;
	return r;
}

int child_check_submit(const struct child_rules *rules,
		       const struct child *child, const char *block,
		       struct child_scratch *scratch)
{
	pid_t *pids;
	ssize_t n, i;
	int r = -EPERM;

	if (child->submit >= 0 && knows_block(child, block) &&
	    procfs_environ_lasts(child->submit) == 0)
		return 0;
	n = procfs_read_children(rules->procfs, child->smtpd.pid, &pids);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n && r != 0; i++)
		r = check_submit(rules, pids[i], block, scratch);
	free(pids);
	return r == 0 && !procref_alive(&child->smtpd) ? -ESRCH : r;
}

/* Add those among the children of parent that serve the peer. */
static int left_below(const struct child_rules *rules, pid_t parent,
		      const struct child_peer *peer,
		      struct child_scratch *scratch, struct procref *refs,
		      size_t max)
{
	size_t found = 0;
	pid_t *pids, ppid;
	enum role role;
	ssize_t n, i;

	n = procfs_read_children(rules->procfs, parent, &pids);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n && found < max; i++) {
		/* init has many children; few are worth holding. */
		if (read_role(rules, pids[i], &role) < 0 || role != ROLE_TLS)
			continue;
		if (open_tls(rules, pids[i], peer, scratch, &refs[found],
			     &ppid) == 0)
			found++;
	}
	free(pids);
	return (int)found;
}

int child_find_left_tls(const struct child_rules *rules,
			const struct child_peer *peer,
			struct child_scratch *scratch, struct procref *ret_refs,
			size_t max)
{
	pid_t listeners[LISTENERS_MAX], parents[LISTENERS_MAX + 1] = { INIT_PID };
	size_t n = listeners_pids(rules->listeners, listeners), count = 1, i, j;
	struct procfs_status status;
	int r, found = 0;

	for (i = 0; i < n; i++) {
		if (procfs_read_status(rules->procfs, listeners[i], &status) < 0)
			continue;
		for (j = 0; j < count && parents[j] != status.ppid; j++)
			;
		if (j == count)
			parents[count++] = status.ppid;
	}
	for (i = 0; i < count && (size_t)found < max; i++) {
		r = left_below(rules, parents[i], peer, scratch,
			       ret_refs + found, max - (size_t)found);
		if (r > 0)
			found += r;
	}
	return found;
}

static void close_environ(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void child_forget_held(struct child *child)
{
	close_environ(&child->environ);
	close_environ(&child->submit);
	free(child->memo);
	child->memo = NULL;
}

void child_done(struct child *child)
{
	procref_done(&child->smtpd);
	procref_done(&child->tls);
	child_forget_held(child);
}

struct child child_take(struct child *child)
{
	struct child taken = *child;

	taken.smtpd = procref_take(&child->smtpd);
	taken.tls = procref_take(&child->tls);
	child->environ = -1;
	child->submit = -1;
	child->memo = NULL;
	return taken;
}
