/* What restricts rsyslogd: its unit, AppArmor, SELinux.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/array.h"
#include "lib/text.h"
#include "tool/lib/spawn.h"
#include "tool/lib/systemctl.h"
#include "tool/setup/plan.h"
#include "tool/setup/shipped.h"

#define PROPERTIES \
	"LoadState,NeedDaemonReload,CapabilityBoundingSet,RestrictAddressFamilies,SystemCallFilter"

#define LIMIT_MS 60000

/* What the drop-in adds, see packaging/systemd/omsmtpblock.conf. */
static const struct right {
	const char *key, *word;
} rights[] = {
	{ "CapabilityBoundingSet", "CAP_KILL" },
	{ "CapabilityBoundingSet", "CAP_SYS_PTRACE" },
	{ "CapabilityBoundingSet", "CAP_NET_ADMIN" },
	{ "CapabilityBoundingSet", "CAP_DAC_OVERRIDE" },
	{ "RestrictAddressFamilies", "AF_NETLINK" },
	{ "SystemCallFilter", "pidfd_getfd" },
};

/* The rights that the unit lacks, as "CAP_KILL, AF_NETLINK". */
static void list_lacking(const char *unit, char *buf, size_t size)
{
	struct text_buf text = text_buf_of(buf, size);
	size_t i;

	for (i = 0; i < COUNT_OF(rights); i++)
		if (!systemctl_allows(unit, rights[i].key, rights[i].word))
			text_append(&text, "%s%s", text.used ? ", " : "", rights[i].word);
}

static bool has_drop_in(const struct plan *plan)
{
	struct files_content content;
	char path[PATH_MAX];
	bool same;

	if (files_read(host_path(plan->host, PLAN_DROP_IN, path), &content) < 0)
		return false;
	same = content.text && strcmp(content.text, SHIPPED_DROP_IN) == 0;
	files_content_done(&content);
	return same;
}

static void judge(struct plan *plan, const char *unit)
{
	char lacking[256];

	list_lacking(unit, lacking, sizeof(lacking));
	if (!systemctl_is(unit, "LoadState", "loaded"))
		plan_by_hand(plan, "", "systemctl status rsyslog",
			     "systemd has no unit rsyslog.service");
	else if (!*lacking)
		plan_found(plan, "rsyslog.service leaves rsyslogd what the module needs");
	else if (!has_drop_in(plan))
		plan_write(plan, PLAN_DROP_IN, SHIPPED_DROP_IN, "rsyslog.service lacks %s",
			   lacking);
	else if (!plan->restart)
		plan_by_hand(plan, "", "systemctl cat rsyslog",
			     "rsyslog.service lacks %s in spite of %s: another drop-in takes it",
			     lacking, PLAN_DROP_IN);
}

static int ask(struct plan *plan, char **ret_unit)
{
	return systemctl_show(plan->host->context, "rsyslog.service", PROPERTIES, ret_unit);
}

/* systemd's answers are about the files as it read them. */
static int ask_anew(struct plan *plan, char **ret_unit)
{
	static const char *const argv[] = { "systemctl", "daemon-reload", NULL };
	char *output = NULL;
	size_t len;
	int r = ask(plan, ret_unit);

	if (r < 0 || !systemctl_is(*ret_unit, "NeedDaemonReload", "yes"))
		return r;
	plan->restart = true;
	if (!plan->applies) {
		plan_found(plan, "rsyslog.service was changed after systemd had read it: --apply "
				 "has systemd read it first");
		return 0;
	}
	free(*ret_unit);
	spawn_run_for(plan->host->context->programs, argv, LIMIT_MS, &output, &len);
	free(output);
	return ask(plan, ret_unit);
}

void plan_unit(struct plan *plan)
{
	char path[PATH_MAX], *unit;

	/* As sd_booted(3). */
	plan->has_systemd = access(host_path(plan->host, "/run/systemd/system", path), F_OK) == 0;
	if (!plan->has_systemd) {
		plan_found(plan, "systemd does not run here, so no unit restricts rsyslogd");
	} else if (ask_anew(plan, &unit) < 0) {
		plan_unknown(plan, "what rsyslog.service allows: systemctl show rsyslog fails");
	} else {
		judge(plan, unit);
		free(unit);
	}
}

/* --- AppArmor and SELinux -------------------------------------------------- */

#define PROFILE "/etc/apparmor.d/usr.sbin.rsyslogd"
#define PROFILES "/sys/kernel/security/apparmor/profiles"

/* If rsyslogd does not run, the loaded profile shows how it will be confined. */
static bool is_confined(const struct plan *plan)
{
	const struct host *host = plan->host;
	char label[512], path[PATH_MAX];
	pid_t pid = host->rsyslogd.pid;

	if (pid == 0)
		return host_mentions(host_path(host, PROFILES, path), "rsyslogd (enforce)") == 1;
	return (looks_read(host->looks, pid, "attr/apparmor/current", label, sizeof(label)) > 0 ||
		looks_read(host->looks, pid, "attr/current", label, sizeof(label)) > 0) &&
	       strstr(label, "(enforce)");
}

static bool selinux_enforces(const struct host *host)
{
	char path[PATH_MAX], text[8];

	host_path(host, "/sys/fs/selinux/enforce", path);
	return host_read(path, text, sizeof(text)) > 0 && text[0] == '1';
}

void plan_apparmor(struct plan *plan)
{
	char path[PATH_MAX];

	if (selinux_enforces(plan->host))
		plan_by_hand(plan, "", "ausearch -m avc -c rsyslogd",
			     "SELinux may confine rsyslogd. A policy module (untested) is among "
			     "the examples: selinux/omsmtpblock.te");
	if (!is_confined(plan))
		return;
	if (host_mentions(host_path(plan->host, PROFILE, path), "rsyslog.d") == 1)
		plan_write(plan, PLAN_APPARMOR, SHIPPED_APPARMOR,
			   "AppArmor confines rsyslogd, and its profile includes this directory");
	else
		plan_by_hand(plan, PROFILE, "include if exists <rsyslog.d>",
			     "AppArmor confines rsyslogd, but its profile does not include "
			     "/etc/apparmor.d/rsyslog.d");
}
