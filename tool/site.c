/* What there is on this host.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_FILE 4096

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

ssize_t site_read_proc(const struct site *site, pid_t pid, const char *name, char *buf,
		       size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%d/%s", site->procfs.root, (int)pid, name);
	return site_read(path, buf, size);
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

/* Field 22 of /proc/PID/stat, in ticks since the host was started (proc(5)). The name
 * in field 2 may hold anything, a parenthesis too: the last one closes it. */
static time_t start_time(const struct site *site, pid_t pid)
{
	char text[SMALL_FILE], *at;
	long tick = sysconf(_SC_CLK_TCK);
	time_t boot = boot_time(site);
	int field;

	if (boot == 0 || tick <= 0 || site_read_proc(site, pid, "stat", text, sizeof(text)) <= 0)
		return 0;
	at = strrchr(text, ')');
	for (field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? boot + strtol(at, NULL, 10) / tick : 0;
}

static void look_at(const struct site *site, pid_t pid, struct site_daemon *ret_daemon)
{
	struct procfs_status status;

	memset(ret_daemon, 0, sizeof(*ret_daemon));
	ret_daemon->pid = pid;
	ret_daemon->started = start_time(site, pid);
	if (procfs_read_netns(&site->procfs, pid, &ret_daemon->netns) < 0)
		ret_daemon->netns = 0;
	if (procfs_read_status(&site->procfs, pid, &status) == 0)
		ret_daemon->uid = status.uid;
}

/* Its name, from the executable, or where that may not be seen from comm, which the
 * process could have changed: it is for people to read, nobody is signalled. */
static bool is_named(struct site *site, pid_t pid, const char *name)
{
	char exe[PROCFS_NAME_SIZE], comm[64];
	int r = procfs_read_exe(&site->procfs, pid, exe);

	if (r == 0)
		return strcmp(exe, name) == 0;
	if (r != -EACCES && r != -EPERM)
		return false;
	if (site_read_proc(site, pid, "comm", comm, sizeof(comm)) <= 0)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	if (strcmp(comm, name) != 0)
		return false;
	site->hidden = true;
	return true;
}

/* The one of our network namespace, if there are several (of containers); root's
 * then: anybody may start one. */
static int rank_of(const struct site *site, const struct site_daemon *rsyslogd)
{
	return (rsyslogd->netns == site->netns ? 2 : 0) + (rsyslogd->uid == 0);
}

static void take_rsyslogd(struct site *site, pid_t pid)
{
	struct site_daemon found;

	look_at(site, pid, &found);
	if (site->rsyslogd.pid == 0 || rank_of(site, &found) > rank_of(site, &site->rsyslogd))
		site->rsyslogd = found;
}

/* Anybody may start a program of that name. */
static bool is_of_courier_user(const struct site *site, const struct site_daemon *tcpd)
{
	uid_t uid;
	size_t i;

	for (i = 0; i < site->action_count; i++)
		if (settings_courier_uid(&site->actions[i].settings, &uid) == 0 &&
		    uid == tcpd->uid)
			return true;
	return false;
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

static void take_tcpd(struct site *site, pid_t pid)
{
	struct procfs_status status;
	struct site_daemon *room;

	if (procfs_read_status(&site->procfs, pid, &status) < 0)
		return;
	/* A child that has not exec'd yet. */
	if (is_named(site, status.ppid, "couriertcpd"))
		return;
	room = make_room(site);
	if (room)
		look_at(site, pid, room);
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

static void find_processes(struct site *site)
{
	pid_t *pids = NULL;
	ssize_t count = procfs_list(&site->procfs, &pids), i;

	if (count > 0)
		qsort(pids, (size_t)count, sizeof(*pids), by_pid);
	for (i = 0; i < count; i++) {
		if (is_named(site, pids[i], "rsyslogd"))
			take_rsyslogd(site, pids[i]);
		else if (is_named(site, pids[i], "couriertcpd"))
			take_tcpd(site, pids[i]);
	}
	drop_foreign_tcpds(site, is_of_our_netns);
	drop_foreign_tcpds(site, is_of_courier_user);
	free(pids);
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

static int add_action(struct site *site, const struct rsyslogconf_item *item)
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
	r = item ? rsyslogconf_settings(item, &more->settings, more->error) : -EINVAL;
	if (r == -EINVAL)
		r = settings_init(&more->settings);
	if (r < 0)
		return r;
	site->action_count++;
	return 0;
}

static int read_rsyslog(struct site *site)
{
	const struct rsyslogconf_item *item;
	size_t from = 0;
	int r = rsyslogconf_read(site->context->config, &site->conf, site->conf_error);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		site->conf = NULL;
	r = 0;
	while (r == 0 && site->conf &&
	       (item = rsyslogconf_next(site->conf, RSYSLOGCONF_ACTION, "omsmtpblock", &from)))
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
		r = read_rsyslog(site);
	if (r == 0)
		r = read_courier(site);
	if (r < 0)
		return r;
	find_own_netns(site);
	find_processes(site);
	return 0;
}

void site_close(struct site *site)
{
	size_t i;

	for (i = 0; i < site->action_count; i++)
		settings_done(&site->actions[i].settings);
	free(site->actions);
	rsyslogconf_free(site->conf);
	courierconf_free(site->esmtpd);
}
