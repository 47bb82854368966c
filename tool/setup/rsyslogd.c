/* rsyslogd: verify its configuration, restart it, see what it runs with.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/setup/rsyslogd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool/lib/spawn.h"
#include "tool/lib/systemctl.h"

#define PROFILE "/etc/apparmor.d/usr.sbin.rsyslogd"

/* A restart waits for rsyslogd's end, for which systemd allows 90 s. */
#define LIMIT_MS 120000

/* How often, and how long between. */
#define LOOKS 100
#define PAUSE_MS 100

/* Output of a program that failed, one line each. */
static void report(const struct context *context, char *output)
{
	char *line, *rest = output;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line)
			failed(context, "%s", line);
}

static bool succeeds(const struct context *context, const char *const argv[])
{
	char *output = NULL;
	size_t len;
	int r = spawn_run_for(context->programs, argv, LIMIT_MS, &output, &len);

	if (r > 0)
		report(context, output);
	if (r != 0)
		failed(context, "%s %s %s: %s", argv[0], argv[1], argv[2] ? argv[2] : "",
		       r > 0 ? "failed" : strerrordesc_np(-r));
	if (r >= 0)
		free(output);
	return r == 0;
}

bool rsyslogd_verify(const struct context *context, unsigned int changed)
{
	const char *const rsyslogd[] = { "rsyslogd", "-N1", context->config_given ? "-f" : NULL,
					 context->config, NULL };
	char profile[PATH_MAX];
	const char *const parser[] = { "apparmor_parser", "--skip-kernel-load", "--skip-cache",
				       profile, NULL };

	snprintf(profile, sizeof(profile), "%s" PROFILE, context->system_root);
	return succeeds(context, rsyslogd) &&
	       (!(changed & RSYSLOGD_APPARMOR) || succeeds(context, parser));
}

bool rsyslogd_restart(const struct context *context, unsigned int changed, bool only_running)
{
	static const char *const reload[] = { "systemctl", "daemon-reload", NULL };
	const char *const restart[] = { "systemctl", only_running ? "try-restart" : "restart",
					"rsyslog.service", NULL };
	char profile[PATH_MAX];
	const char *const parser[] = { "apparmor_parser", "-r", profile, NULL };

	snprintf(profile, sizeof(profile), "%s" PROFILE, context->system_root);
	return (!(changed & RSYSLOGD_APPARMOR) || succeeds(context, parser)) &&
	       (!(changed & RSYSLOGD_UNIT) || succeeds(context, reload)) &&
	       succeeds(context, restart);
}

/* --- what runs ------------------------------------------------------------- */

static int has_module(const struct context *context, pid_t pid)
{
	char path[PATH_MAX], line[PATH_MAX + 128];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%d/maps", context->proc_root, (int)pid);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, "/omsmtpblock.so") != NULL;
	fclose(file);
	return found ? 0 : -ENOENT;
}

int rsyslogd_look(const struct context *context, pid_t *ret_pid)
{
	const char *value;
	char *unit;
	size_t len;
	pid_t pid;
	int r = systemctl_show(context, "rsyslog.service", "ActiveState,MainPID", &unit);

	if (r < 0)
		return -EHOSTDOWN;
	value = systemctl_value(unit, "MainPID", &len);
	pid = value && systemctl_is(unit, "ActiveState", "active")
		      ? (pid_t)strtol(value, NULL, 10) : 0;
	free(unit);
	if (pid <= 0)
		return -ESRCH;
	*ret_pid = pid;
	return has_module(context, pid);
}

int rsyslogd_wait(const struct context *context, pid_t *ret_pid)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	int r = rsyslogd_look(context, ret_pid), i;

	for (i = 0; i < LOOKS && (r == -ESRCH || r == -ENOENT); i++) {
		nanosleep(&pause, NULL);
		r = rsyslogd_look(context, ret_pid);
	}
	return r;
}
