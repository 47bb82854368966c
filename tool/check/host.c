/* The inventory of this host.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/check/host.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/array.h"
#include "tool/read/file.h"

#define SMALL_FILE 4096
#define LARGE_FILE (4UL << 20)

/* Stop reading processes after this many blocked us, which takes 1.5 s. */
#define STUCK_MAX 6

char *host_path(const struct host *host, const char *path, char buf[static PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s%s", host->context->system_root, path);
	return buf;
}

ssize_t host_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n > 0 && len + 1 < size) {
		n = read(fd, buf + len, size - len - 1);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		n = -errno;
	close(fd);
	buf[len] = '\0';
	return n < 0 ? n : (ssize_t)len;
}

int host_mentions(const char *path, const char *text)
{
	char *whole;
	size_t len;
	int r = file_read(path, LARGE_FILE, &whole, &len);

	if (r < 0)
		return r;
	r = strstr(whole, text) != NULL;
	free(whole);
	return r;
}

time_t host_changed(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mtime : 0;
}

struct backend_config host_backend_config(const struct host *host,
					  const struct settings *settings)
{
	return backend_config_of(settings, host->context->net_root, host->context->module_root);
}

const struct rsyslog_conf_item *host_privilege_drop(const struct host *host)
{
	size_t i;

	for (i = 0; host->conf && i < rsyslog_conf_count(host->conf); i++) {
		const struct rsyslog_conf_item *item = rsyslog_conf_at(host->conf, i);

		if (item->disabled)
			continue;
		if (item->kind == RSYSLOG_CONF_DIRECTIVE &&
		    strncasecmp(item->name, "PrivDropToUser", 14) == 0)
			return item;
		if (item->kind == RSYSLOG_CONF_OBJECT &&
		    strcasecmp(item->name, "global") == 0 &&
		    rsyslog_conf_value(item, "privdrop.user.name"))
			return item;
	}
	return NULL;
}

/* --- processes ----------------------------------------------------------- */

/* Boot time, from /proc/stat. */
static time_t boot_time(const struct host *host)
{
	char path[PATH_MAX], *text, *line;
	time_t time = 0;
	size_t len;

	snprintf(path, sizeof(path), "%s/stat", host->procfs.root);
	if (file_read(path, LARGE_FILE, &text, &len) < 0)
		return 0;
	line = strstr(text, "\nbtime ");
	if (line)
		time = strtol(line + 7, NULL, 10);
	free(text);
	return time;
}

/* What reading a process shows. */
struct sight {
	char name[PROCFS_NAME_SIZE];	/* as of procfs_read_exe(); "": no permission */
	ino_t netns;			/* 0: no permission */
	long started;	/* in ticks since boot; 0: unknown */
};

/* Field 22 of /proc/PID/stat (proc(5)). The name in field 2 may contain anything, even
 * parentheses: the last one ends it. */
static long start_ticks(const struct procfs *procfs, pid_t pid)
{
	char path[PATH_MAX], text[SMALL_FILE], *at;
	int field;

	snprintf(path, sizeof(path), "%s/%d/stat", procfs->root, (int)pid);
	if (host_read(path, text, sizeof(text)) <= 0)
		return 0;
	at = strrchr(text, ')');
	for (field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtol(at, NULL, 10) : 0;
}

/* Everything that may block is read here. */
static int look(const struct procfs *procfs, pid_t pid, void *data)
{
	struct sight *sight = data;
	int r = procfs_read_exe(procfs, pid, sight->name);

	if (r == -EACCES || r == -EPERM)
		sight->name[0] = '\0';
	else if (r < 0)
		return r;
	if (procfs_read_netns(procfs, pid, &sight->netns) < 0)
		sight->netns = 0;
	sight->started = start_ticks(procfs, pid);
	return 0;
}

/* A process with a name that we look for. */
struct candidate {
	pid_t pid;
	struct procfs_status status;
	bool is_tcpd;	/* false: an rsyslogd */
	unsigned int turn;
};

/* Is the process what its name says? Checked by its executable or, if that cannot be read,
 * by its name alone: the result is only displayed, no process is signalled. */
static bool inspect(struct host *host, const struct candidate *candidate,
		    struct host_daemon *ret_daemon)
{
	long tick = sysconf(_SC_CLK_TCK);
	struct sight sight = { .netns = 0 };
	time_t boot = boot_time(host);

	if (looks_call(host->looks, candidate->pid, look, &sight, sizeof(sight)) < 0)
		return false;
	if (sight.name[0] && strcmp(sight.name, candidate->status.comm) != 0)
		return false;
	host->hidden |= !sight.name[0];
	*ret_daemon = (struct host_daemon){
		.pid = candidate->pid, .netns = sight.netns, .uid = candidate->status.uid,
	};
	if (boot != 0 && tick > 0 && sight.started > 0)
		ret_daemon->started = boot + sight.started / tick;
	return true;
}

/* Prefers the rsyslogd in our network namespace (containers have others), then root's, since
 * any user may start one. */
static int rank_of(const struct host *host, const struct host_daemon *rsyslogd)
{
	return (rsyslogd->netns == host->netns ? 2 : 0) + (rsyslogd->uid == 0);
}

static void take_rsyslogd(struct host *host, const struct host_daemon *found)
{
	if (host->rsyslogd.pid == 0 || rank_of(host, found) > rank_of(host, &host->rsyslogd))
		host->rsyslogd = *found;
}

/* Any user may start a program of that name. */
static bool is_courier_uid(const struct host *host, uid_t wanted)
{
	uid_t uid;
	size_t i;

	for (i = 0; i < host->action_count; i++)
		if (settings_courier_uid(&host->actions[i].settings, &uid) == 0 &&
		    uid == wanted)
			return true;
	return false;
}

static bool is_of_courier_user(const struct host *host, const struct host_daemon *tcpd)
{
	return is_courier_uid(host, tcpd->uid);
}

/* Make room for one more; processes of other users must not crowd out courier's. */
static struct host_daemon *make_room(struct host *host)
{
	size_t i;

	if (host->tcpd_count < HOST_DAEMONS_MAX)
		return &host->tcpds[host->tcpd_count++];
	for (i = 0; i < host->tcpd_count; i++)
		if (!is_of_courier_user(host, &host->tcpds[i]))
			return &host->tcpds[i];
	return NULL;
}

static void take_tcpd(struct host *host, const struct host_daemon *found)
{
	struct host_daemon *room = make_room(host);

	if (room)
		*room = *found;
}

typedef bool is_ours_fn(const struct host *host, const struct host_daemon *tcpd);

/* Processes of containers belong to another host. */
static bool is_of_our_netns(const struct host *host, const struct host_daemon *tcpd)
{
	return tcpd->netns == host->netns;
}

/* If none is ours, keep all: something is wrong then and must be reported. */
static void drop_foreign_tcpds(struct host *host, is_ours_fn *is_ours)
{
	size_t i, own = 0;

	for (i = 0; i < host->tcpd_count; i++)
		own += is_ours(host, &host->tcpds[i]);
	if (own == 0)
		return;
	own = 0;
	for (i = 0; i < host->tcpd_count; i++)
		if (is_ours(host, &host->tcpds[i]))
			host->tcpds[own++] = host->tcpds[i];
	host->tcpd_count = own;
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* Is it the user that rsyslogd switches to, given by name or number? */
static bool is_drop_uid(const struct host *host, uid_t uid)
{
	const struct rsyslog_conf_item *drop = host_privilege_drop(host);
	const char *name = drop ? rsyslog_conf_value(drop, "privdrop.user.name") : NULL;
	const struct passwd *user;
	char word[64];

	if (!drop || sscanf(name ? name : drop->text, "%63s", word) != 1)
		return false;
	user = getpwnam(word);
	return user ? user->pw_uid == uid : strtoul(word, NULL, 10) == uid;
}

#define TURNS 4
#define TURN_OTHERS 2U	/* not likely ours, from here on */

/* Our likely processes come first, so that others do not use up the time. */
static unsigned int turn_of(const struct host *host, const struct candidate *c)
{
	bool expected = c->status.uid == 0 || (c->is_tcpd ? is_courier_uid(host, c->status.uid)
							  : is_drop_uid(host, c->status.uid));

	return (expected ? 0 : TURN_OTHERS) + (c->is_tcpd ? 1U : 0U);
}

/* Other processes are read only until one in our network namespace is found. */
static bool is_wanted(const struct host *host, const struct candidate *c)
{
	size_t i;

	if (!c->is_tcpd)
		return host->rsyslogd.pid == 0 || host->rsyslogd.netns != host->netns;
	for (i = 0; i < host->tcpd_count; i++)
		if (is_of_our_netns(host, &host->tcpds[i]))
			return false;
	return true;
}

static void consider(struct host *host, const struct candidate *c)
{
	struct host_daemon found;

	if ((c->turn >= TURN_OTHERS && !is_wanted(host, c)) ||
	    host->looks->stuck_count >= STUCK_MAX || !inspect(host, c, &found))
		return;
	if (c->is_tcpd)
		take_tcpd(host, &found);
	else
		take_rsyslogd(host, &found);
}

/* Uses only what can be read of any process without blocking. The child of another
 * couriertcpd is an smtpd that has not exec'd yet. */
static bool is_candidate(const struct host *host, pid_t pid, struct candidate *ret_candidate)
{
	struct candidate c = { .pid = pid };
	struct procfs_status parent;

	if (procfs_read_status(&host->procfs, pid, &c.status) < 0)
		return false;
	c.is_tcpd = strcmp(c.status.comm, "couriertcpd") == 0;
	if (!c.is_tcpd && strcmp(c.status.comm, "rsyslogd") != 0)
		return false;
	if (c.is_tcpd && procfs_read_status(&host->procfs, c.status.ppid, &parent) == 0 &&
	    strcmp(parent.comm, "couriertcpd") == 0)
		return false;
	c.turn = turn_of(host, &c);
	*ret_candidate = c;
	return true;
}

static int find_processes(struct host *host)
{
	pid_t *pids = NULL;
	ssize_t count = procfs_list(&host->procfs, &pids), i;
	struct candidate *candidates = calloc(count > 0 ? (size_t)count : 1, sizeof(*candidates));
	unsigned int turn;
	size_t n = 0, at;

	if (count > 0)
		qsort(pids, (size_t)count, sizeof(*pids), by_pid);
	for (i = 0; candidates && i < count; i++)
		n += is_candidate(host, pids[i], &candidates[n]);
	for (turn = 0; turn < TURNS; turn++)
		for (at = 0; at < n; at++)
			if (candidates[at].turn == turn)
				consider(host, &candidates[at]);
	drop_foreign_tcpds(host, is_of_our_netns);
	drop_foreign_tcpds(host, is_of_courier_user);
	free(pids);
	free(candidates);
	return candidates ? 0 : -ENOMEM;
}

static void find_own_netns(struct host *host)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/self/ns/net", host->procfs.root);
	if (stat(path, &st) == 0)
		host->netns = st.st_ino;
}

/* --- configuration ------------------------------------------------------- */

static int add_action(struct host *host, const struct rsyslog_conf_item *item)
{
	struct host_action *added = array_add(&host->actions, &host->action_count);
	int r;

	if (!added)
		return -ENOMEM;
	added->item = item;
	r = item ? rsyslog_conf_settings(item, &added->settings, added->error) : -EINVAL;
	if (r == -EINVAL)
		r = settings_init(&added->settings);
	host->action_count -= r < 0;
	return r;
}

static int read_rsyslog(struct host *host)
{
	const struct rsyslog_conf_item *item;
	size_t from = 0;
	int r = rsyslog_conf_read(host->context->config, &host->conf, host->conf_error);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		host->conf = NULL;
	r = 0;
	while (r == 0 && host->conf &&
	       (item = rsyslog_conf_next(host->conf, RSYSLOG_CONF_ACTION, "omsmtpblock",
					 &from)))
		r = add_action(host, item);
	if (r == 0 && host->action_count == 0)
		r = add_action(host, NULL);
	return r;
}

static int read_courier(struct host *host)
{
	int r = courierconf_new(&host->esmtpd);

	if (r < 0)
		return r;
	snprintf(host->esmtpd_path, sizeof(host->esmtpd_path), "%s/esmtpd",
		 host->context->courier_etc);
	r = courierconf_read(host->esmtpd, host->esmtpd_path);
	if (r == 0)
		return 0;
	courierconf_free(host->esmtpd);
	host->esmtpd = NULL;
	host->esmtpd_error = r;
	return r == -ENOMEM ? r : 0;
}

int host_open(struct host *host, const struct context *context)
{
	int r;

	memset(host, 0, sizeof(*host));
	host->context = context;
	r = procfs_init(&host->procfs, context->proc_root);
	if (r == 0)
		r = looks_new(&host->procfs, &host->looks);
	if (r == 0)
		r = read_rsyslog(host);
	if (r == 0)
		r = read_courier(host);
	if (r < 0)
		return r;
	find_own_netns(host);
	return find_processes(host);
}

void host_close(struct host *host)
{
	size_t i;

	for (i = 0; i < host->action_count; i++)
		settings_done(&host->actions[i].settings);
	free(host->actions);
	rsyslog_conf_free(host->conf);
	courierconf_free(host->esmtpd);
	looks_free(host->looks);
}

const struct rsyslog_conf_item *host_module(const struct host *host, const char *name)
{
	size_t from = 0;

	return host->conf ? rsyslog_conf_next(host->conf, RSYSLOG_CONF_MODULE, name, &from)
			  : NULL;
}

bool host_takes_socket(const struct rsyslog_conf_item *imuxsock)
{
	return imuxsock && rsyslog_conf_is_on(imuxsock, "SysSock.Use", true);
}

bool host_knows_pids(const struct host *host)
{
	const struct rsyslog_conf_item *socket = host_module(host, "imuxsock");

	if (!host_takes_socket(socket))
		return host_module(host, "imjournal") != NULL;
	return rsyslog_conf_is_on(socket, "SysSock.UsePIDFromSystem", false) ||
	       (rsyslog_conf_is_on(socket, "SysSock.Annotate", false) &&
		rsyslog_conf_is_on(socket, "SysSock.ParseTrusted", false));
}
