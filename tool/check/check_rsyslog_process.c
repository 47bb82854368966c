/* The running rsyslogd: is it there, in the right namespace, and with the current
 * configuration?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/check/checks.h"

/* Start times have a resolution of one second and are computed from two clocks. */
#define CLOCK_SLACK 2

#define RESTART "systemctl restart rsyslog"

/* The file after -f in its command line, or the default. False: the command line cannot be
 * read. */
static bool config_of(const struct host *host, pid_t pid, char path[static PATH_MAX])
{
	char words[LOOKS_TEXT_MAX];
	ssize_t len = looks_read(host->looks, pid, "cmdline", words, sizeof(words)), at = 0;

	snprintf(path, PATH_MAX, "/etc/rsyslog.conf");
	while (at < len) {
		const char *word = words + at;

		at += (ssize_t)strlen(word) + 1;
		if (strncmp(word, "-f", 2) != 0)
			continue;
		if (word[2] == '\0' && at < len)
			snprintf(path, PATH_MAX, "%s", words + at);
		else if (word[2] != '\0')
			snprintf(path, PATH_MAX, "%s", word + 2);
	}
	return len >= 0;
}

/* A process chooses its command line, so a path goes into a command to type only if it
 * contains nothing that a shell interprets. */
static bool is_plain(const char *path)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789/._+-";

	return path[0] == '/' && path[strspn(path, allowed)] == '\0';
}

static void check_config(struct checks *checks)
{
	const struct host *host = checks->host;
	char path[PATH_MAX], type[PATH_MAX + 64] = "";

	if (!config_of(host, host->rsyslogd.pid, path) ||
	    strcmp(path, host->context->config) == 0)
		return;
	if (is_plain(path))
		snprintf(type, sizeof(type), "smtpblockctl --config %s check", path);
	check_warning(checks, "rsyslogd.config", type,
		      "rsyslogd (PID %d) reads %s, the checks are about %s",
		      (int)host->rsyslogd.pid, path, host->context->config);
}

/* The module's line in the process' memory map. */
struct mapping {
	bool found;
	char line[PATH_MAX + 128];
};

static int find_module(const struct procfs *procfs, pid_t pid, void *data)
{
	struct mapping *mapping = data;
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%d/maps", procfs->root, (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!mapping->found && fgets(mapping->line, sizeof(mapping->line), file))
		mapping->found = strstr(mapping->line, "/omsmtpblock.so") != NULL;
	fclose(file);
	return 0;
}

/* Was the file replaced or overwritten since it was loaded? */
static bool is_older(const struct host *host, char *line)
{
	char path[PATH_MAX];
	const char *file = strchr(line, '/');

	if (strstr(line, "(deleted)"))
		return true;
	if (!file || host->rsyslogd.started == 0)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return host_changed(host_path(host, file, path)) > host->rsyslogd.started + CLOCK_SLACK;
}

static void check_loaded(struct checks *checks)
{
	const struct host *host = checks->host;
	struct mapping mapping = { .found = false };
	int r = looks_call(host->looks, host->rsyslogd.pid, find_module, &mapping,
			   sizeof(mapping));

	if (mapping.found && is_older(host, mapping.line))
		check_warning(checks, "rsyslogd.module", RESTART,
			      "rsyslogd runs with an older file of the module");
	else if (mapping.found)
		check_ok(checks, "rsyslogd.module", "rsyslogd has the module loaded");
	else if (r == 0)
		check_broken(checks, "rsyslogd.module", RESTART,
			     "rsyslogd (PID %d) does not have the module loaded",
			     (int)host->rsyslogd.pid);
	else
		check_warning(checks, "rsyslogd.module", "run smtpblockctl check as root",
			      "cannot tell whether rsyslogd has the module loaded: %s",
			      strerrordesc_np(-r));
}

/* The configuration file that was changed last. */
static const char *newest(const struct rsyslog_conf *conf, time_t *ret_changed)
{
	const char *file = NULL;
	size_t i;

	*ret_changed = 0;
	for (i = 0; i < rsyslog_conf_count(conf); i++) {
		const struct rsyslog_conf_item *item = rsyslog_conf_at(conf, i);
		time_t changed = host_changed(item->file);

		if (changed <= *ret_changed)
			continue;
		*ret_changed = changed;
		file = item->file;
	}
	return file;
}

static void check_fresh(struct checks *checks)
{
	const struct host *host = checks->host;
	const char *file;
	time_t changed;

	if (!host->conf || host->rsyslogd.started == 0)
		return;
	file = newest(host->conf, &changed);
	if (file && changed > host->rsyslogd.started + CLOCK_SLACK)
		check_warning(checks, "rsyslogd.restart", RESTART,
			      "%s was changed after rsyslogd was started", file);
}

void check_rsyslog_process(struct checks *checks)
{
	const struct host *host = checks->host;

	if (host->rsyslogd.pid == 0) {
		check_broken(checks, "rsyslogd.running", "systemctl start rsyslog",
			     "there is no rsyslogd");
		return;
	}
	check_ok(checks, "rsyslogd.running", "rsyslogd runs, PID %d", (int)host->rsyslogd.pid);
	check_config(checks);
	if (host->actions[0].item)
		check_loaded(checks);
	check_fresh(checks);
}

/* --- processes that block readers ----------------------------------------- */

/* A process stuck in execve(2) cannot be killed; what it waits for must be ended. */
void check_stuck(struct checks *checks)
{
	const struct looks *looks = checks->host->looks;
	char type[128];
	size_t i;

	for (i = 0; i < looks->stuck_count; i++) {
		const struct looks_stuck *stuck = &looks->stuck[i];

		snprintf(type, sizeof(type),
			 "ps -fu %u  and end the FUSE file system that it waits for",
			 (unsigned int)stuck->status.uid);
		check_warning(checks, "held", type,
			      "PID %d (%s, uid %u) keeps whoever looks at it waiting, and is "
			      "left out",
			      (int)stuck->pid, stuck->status.comm, (unsigned int)stuck->status.uid);
	}
}

/* --- network namespaces -------------------------------------------------- */

/* The module acts in its own network namespace, so lists, rules and smtpd processes must be
 * there. */
static void compare_tcpd(struct checks *checks)
{
	const struct host *host = checks->host;
	size_t i;

	for (i = 0; i < host->tcpd_count; i++) {
		const struct host_daemon *tcpd = &host->tcpds[i];

		if (tcpd->netns == 0 || tcpd->netns == host->rsyslogd.netns)
			continue;
		check_broken(
			checks, "netns.courier",
			"run rsyslogd and courier in the same network namespace",
			"couriertcpd (PID %d) is in another network namespace than rsyslogd "
			"(PID %d): its children are not found, its packets not dropped",
			(int)tcpd->pid, (int)host->rsyslogd.pid);
		return;
	}
	if (host->tcpd_count > 0 && host->tcpds[0].netns != 0)
		check_ok(checks, "netns.courier",
			 "courier and rsyslogd are in the same network namespace");
}

void check_namespaces(struct checks *checks)
{
	const struct host *host = checks->host;
	char type[128];

	if (host->rsyslogd.pid == 0)
		return;
	if (host->netns == 0 || host->rsyslogd.netns == 0) {
		check_warning(checks, "netns", "run smtpblockctl check as root",
			      "cannot tell in which network namespace rsyslogd is");
		return;
	}
	compare_tcpd(checks);
	if (host->netns == host->rsyslogd.netns) {
		check_ok(checks, "netns", "rsyslogd is in this network namespace");
		return;
	}
	snprintf(type, sizeof(type), "nsenter -t %d -n smtpblockctl check",
		 (int)host->rsyslogd.pid);
	check_warning(checks, "netns", type,
		      "rsyslogd is in another network namespace: it has other lists and rules than "
		      "those that are checked here");
}
