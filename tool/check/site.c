/* What there is on this host.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/check/site.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_FILE 4096

/* Once so many processes keep us waiting, a second and a half, we look at no other. */
#define HELD_MAX 6

char *site_path(const struct site *site, const char *path, char buf[static PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s%s", site->context->system_root, path);
	return buf;
}

ssize_t site_read(const char *path, char *buf, size_t size)
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

time_t site_changed(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mtime : 0;
}

struct backend_config site_backend_config(const struct site *site,
					  const struct settings *settings)
{
	return backend_config_of(settings, site->context->net_root,
				 site->context->module_root);
}

const struct rsyslog_conf_item *site_privilege_drop(const struct site *site)
{
	size_t i;

	for (i = 0; site->conf && i < rsyslog_conf_count(site->conf); i++) {
		const struct rsyslog_conf_item *item = rsyslog_conf_at(site->conf, i);

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

/* When the host was started, from /proc/stat. */
static time_t boot_time(const struct site *site)
{
	char path[PATH_MAX], *text, *line;
	time_t time = 0;

	text = malloc(1 << 20);
	if (!text)
		return 0;
	snprintf(path, sizeof(path), "%s/stat", site->procfs.root);
	if (site_read(path, text, 1 << 20) > 0) {
		line = strstr(text, "\nbtime ");
		if (line)
			time = strtol(line + 7, NULL, 10);
	}
	free(text);
	return time;
}

/* What a look at a process shows. */
struct sight {
	char name[PROCFS_NAME_SIZE];	/* as procfs_read_exe(); "": it may not be seen */
	ino_t netns;			/* 0: the same */
	long started;	/* in ticks since the host was started; 0: not known */
};

/* Field 22 of /proc/PID/stat (proc(5)). The name in field 2 may hold anything, a
 * parenthesis too: the last one closes it. */
static long start_ticks(const struct procfs *procfs, pid_t pid)
{
	char path[PATH_MAX], text[SMALL_FILE], *at;
	int field;

	snprintf(path, sizeof(path), "%s/%d/stat", procfs->root, (int)pid);
	if (site_read(path, text, sizeof(text)) <= 0)
		return 0;
	at = strrchr(text, ')');
	for (field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtol(at, NULL, 10) : 0;
}

/* All that can wait. */
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

/* A process with the name of one that we look for. */
struct candidate {
	pid_t pid;
	struct procfs_status status;
	bool is_tcpd;	/* or else an rsyslogd */
	unsigned int turn;
};

/* Is it what it calls itself? By its executable, or, where that may not be seen, by its
 * own word: it is for people to read, nobody is signalled. */
static bool look_at(struct site *site, const struct candidate *candidate,
		    struct site_daemon *ret_daemon)
{
	long tick = sysconf(_SC_CLK_TCK);
	struct sight sight = { .netns = 0 };
	time_t boot = boot_time(site);

	if (looks_call(site->looks, candidate->pid, look, &sight, sizeof(sight)) < 0)
		return false;
	if (sight.name[0] && strcmp(sight.name, candidate->status.comm) != 0)
		return false;
	site->hidden |= !sight.name[0];
	*ret_daemon = (struct site_daemon){
		.pid = candidate->pid, .netns = sight.netns, .uid = candidate->status.uid,
	};
	if (boot != 0 && tick > 0 && sight.started > 0)
		ret_daemon->started = boot + sight.started / tick;
	return true;
}

/* The one of our network namespace, if there are several (of containers); root's
 * then: anybody may start one. */
static int rank_of(const struct site *site, const struct site_daemon *rsyslogd)
{
	return (rsyslogd->netns == site->netns ? 2 : 0) + (rsyslogd->uid == 0);
}

static void take_rsyslogd(struct site *site, const struct site_daemon *found)
{
	if (site->rsyslogd.pid == 0 || rank_of(site, found) > rank_of(site, &site->rsyslogd))
		site->rsyslogd = *found;
}

/* Anybody may start a program of that name. */
static bool is_courier_uid(const struct site *site, uid_t wanted)
{
	uid_t uid;
	size_t i;

	for (i = 0; i < site->action_count; i++)
		if (settings_courier_uid(&site->actions[i].settings, &uid) == 0 && uid == wanted)
			return true;
	return false;
}

static bool is_of_courier_user(const struct site *site, const struct site_daemon *tcpd)
{
	return is_courier_uid(site, tcpd->uid);
}

/* For one more. Those of other users do not crowd courier's out. */
static struct site_daemon *make_room(struct site *site)
{
	size_t i;

	if (site->tcpd_count < SITE_DAEMONS_MAX)
		return &site->tcpds[site->tcpd_count++];
	for (i = 0; i < site->tcpd_count; i++)
		if (!is_of_courier_user(site, &site->tcpds[i]))
			return &site->tcpds[i];
	return NULL;
}

static void take_tcpd(struct site *site, const struct site_daemon *found)
{
	struct site_daemon *room = make_room(site);

	if (room)
		*room = *found;
}

typedef bool is_ours_fn(const struct site *site, const struct site_daemon *tcpd);

/* Those of containers are another host's. */
static bool is_of_our_netns(const struct site *site, const struct site_daemon *tcpd)
{
	return tcpd->netns == site->netns;
}

/* If none is ours all stay: something is wrong then, and has to be told. */
static void drop_foreign_tcpds(struct site *site, is_ours_fn *is_ours)
{
	size_t i, own = 0;

	for (i = 0; i < site->tcpd_count; i++)
		own += is_ours(site, &site->tcpds[i]);
	if (own == 0)
		return;
	own = 0;
	for (i = 0; i < site->tcpd_count; i++)
		if (is_ours(site, &site->tcpds[i]))
			site->tcpds[own++] = site->tcpds[i];
	site->tcpd_count = own;
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* Whom rsyslogd becomes, by name or number. */
static bool is_drop_uid(const struct site *site, uid_t uid)
{
	const struct rsyslog_conf_item *drop = site_privilege_drop(site);
	const char *name = drop ? rsyslog_conf_value(drop, "privdrop.user.name") : NULL;
	const struct passwd *user;
	char word[64];

	if (!drop || sscanf(name ? name : drop->text, "%63s", word) != 1)
		return false;
	user = getpwnam(word);
	return user ? user->pw_uid == uid : strtoul(word, NULL, 10) == uid;
}

#define TURNS 4
#define TURN_OTHERS 2U	/* from here on */

/* Those that can be ours come first, so that the others do not use up our time. */
static unsigned int turn_of(const struct site *site, const struct candidate *c)
{
	bool expected = c->status.uid == 0 || (c->is_tcpd ? is_courier_uid(site, c->status.uid)
							   : is_drop_uid(site, c->status.uid));

	return (expected ? 0 : TURN_OTHERS) + (c->is_tcpd ? 1U : 0U);
}

/* Of the others only where there is none in our network namespace yet. */
static bool is_wanted(const struct site *site, const struct candidate *c)
{
	size_t i;

	if (!c->is_tcpd)
		return site->rsyslogd.pid == 0 || site->rsyslogd.netns != site->netns;
	for (i = 0; i < site->tcpd_count; i++)
		if (is_of_our_netns(site, &site->tcpds[i]))
			return false;
	return true;
}

static void consider(struct site *site, const struct candidate *c)
{
	struct site_daemon found;

	if ((c->turn >= TURN_OTHERS && !is_wanted(site, c)) ||
	    site->looks->held_count >= HELD_MAX || !look_at(site, c, &found))
		return;
	if (c->is_tcpd)
		take_tcpd(site, &found);
	else
		take_rsyslogd(site, &found);
}

/* By what can be asked of anybody without waiting. The child of another couriertcpd is
 * one that has not exec'd yet. */
static bool is_candidate(const struct site *site, pid_t pid, struct candidate *ret_candidate)
{
	struct candidate c = { .pid = pid };
	struct procfs_status parent;

	if (procfs_read_status(&site->procfs, pid, &c.status) < 0)
		return false;
	c.is_tcpd = strcmp(c.status.comm, "couriertcpd") == 0;
	if (!c.is_tcpd && strcmp(c.status.comm, "rsyslogd") != 0)
		return false;
	if (c.is_tcpd && procfs_read_status(&site->procfs, c.status.ppid, &parent) == 0 &&
	    strcmp(parent.comm, "couriertcpd") == 0)
		return false;
	c.turn = turn_of(site, &c);
	*ret_candidate = c;
	return true;
}

static int find_processes(struct site *site)
{
	pid_t *pids = NULL;
	ssize_t count = procfs_list(&site->procfs, &pids), i;
	struct candidate *candidates = calloc(count > 0 ? (size_t)count : 1, sizeof(*candidates));
	unsigned int turn;
	size_t n = 0, at;

	if (count > 0)
		qsort(pids, (size_t)count, sizeof(*pids), by_pid);
	for (i = 0; candidates && i < count; i++)
		n += is_candidate(site, pids[i], &candidates[n]);
	for (turn = 0; turn < TURNS; turn++)
		for (at = 0; at < n; at++)
			if (candidates[at].turn == turn)
				consider(site, &candidates[at]);
	drop_foreign_tcpds(site, is_of_our_netns);
	drop_foreign_tcpds(site, is_of_courier_user);
	free(pids);
	free(candidates);
	return candidates ? 0 : -ENOMEM;
}

static void find_own_netns(struct site *site)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/self/ns/net", site->procfs.root);
	if (stat(path, &st) == 0)
		site->netns = st.st_ino;
}

/* --- configuration ------------------------------------------------------- */

static int add_action(struct site *site, const struct rsyslog_conf_item *item)
{
	struct site_action *more = reallocarray(site->actions, site->action_count + 1,
						sizeof(*more));
	int r;

	if (!more)
		return -ENOMEM;
	site->actions = more;
	more += site->action_count;
	memset(more, 0, sizeof(*more));
	more->item = item;
	r = item ? rsyslog_conf_settings(item, &more->settings, more->error) : -EINVAL;
	if (r == -EINVAL)
		r = settings_init(&more->settings);
	if (r < 0)
		return r;
	site->action_count++;
	return 0;
}

static int read_rsyslog(struct site *site)
{
	const struct rsyslog_conf_item *item;
	size_t from = 0;
	int r = rsyslog_conf_read(site->context->config, &site->conf, site->conf_error);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		site->conf = NULL;
	r = 0;
	while (r == 0 && site->conf &&
	       (item = rsyslog_conf_next(site->conf, RSYSLOG_CONF_ACTION, "omsmtpblock",
					 &from)))
		r = add_action(site, item);
	if (r == 0 && site->action_count == 0)
		r = add_action(site, NULL);
	return r;
}

static int read_courier(struct site *site)
{
	int r = courierconf_new(&site->esmtpd);

	if (r < 0)
		return r;
	snprintf(site->esmtpd_path, sizeof(site->esmtpd_path), "%s/esmtpd",
		 site->context->courier_etc);
	r = courierconf_read(site->esmtpd, site->esmtpd_path);
	if (r == 0)
		return 0;
	courierconf_free(site->esmtpd);
	site->esmtpd = NULL;
	site->esmtpd_error = r;
	return r == -ENOMEM ? r : 0;
}

int site_open(struct site *site, const struct context *context)
{
	int r;

	memset(site, 0, sizeof(*site));
	site->context = context;
	r = procfs_init(&site->procfs, context->proc_root);
	if (r == 0)
		r = looks_new(&site->procfs, &site->looks);
	if (r == 0)
		r = read_rsyslog(site);
	if (r == 0)
		r = read_courier(site);
	if (r < 0)
		return r;
	find_own_netns(site);
	return find_processes(site);
}

void site_close(struct site *site)
{
	size_t i;

	for (i = 0; i < site->action_count; i++)
		settings_done(&site->actions[i].settings);
	free(site->actions);
	rsyslog_conf_free(site->conf);
	courierconf_free(site->esmtpd);
	looks_free(site->looks);
}

const struct rsyslog_conf_item *site_module(const struct site *site, const char *name)
{
	size_t from = 0;

	return site->conf ? rsyslog_conf_next(site->conf, RSYSLOG_CONF_MODULE, name, &from)
			  : NULL;
}

bool site_takes_socket(const struct rsyslog_conf_item *imuxsock)
{
	return imuxsock && rsyslog_conf_is_on(imuxsock, "SysSock.Use", true);
}

bool site_knows_pids(const struct site *site)
{
	const struct rsyslog_conf_item *socket = site_module(site, "imuxsock");

	if (!site_takes_socket(socket))
		return site_module(site, "imjournal") != NULL;
	return rsyslog_conf_is_on(socket, "SysSock.UsePIDFromSystem", false) ||
	       (rsyslog_conf_is_on(socket, "SysSock.Annotate", false) &&
		rsyslog_conf_is_on(socket, "SysSock.ParseTrusted", false));
}
