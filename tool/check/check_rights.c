/* What the running rsyslogd may do, and what its unit forbids.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/array.h"
#include "tool/check/checks.h"
#include "tool/check/systemd_unit.h"

/* The capability and sandbox lines of /proc/PID/status (proc(5)). */
struct rights {
	uint64_t effective, bounding;
	unsigned int no_new_privs, seccomp;
};

/* A capability that an action needs. */
struct want {
	int capability;
	const char *name;	/* name in unit files */
	enum check_status lacking;
	const char *why;	/* what fails without it */
};

#define WANTS_MAX 5

static bool read_rights(const struct host *host, struct rights *ret_rights)
{
	char text[8192], *line, *rest = text;
	bool found = false;

	memset(ret_rights, 0, sizeof(*ret_rights));
	if (looks_read(host->looks, host->rsyslogd.pid, "status", text, sizeof(text)) <= 0)
		return false;
	while ((line = strsep(&rest, "\n")) != NULL) {
		found |= sscanf(line, "CapEff: %" SCNx64, &ret_rights->effective) == 1;
		sscanf(line, "CapBnd: %" SCNx64, &ret_rights->bounding);
		sscanf(line, "NoNewPrivs: %u", &ret_rights->no_new_privs);
		sscanf(line, "Seccomp: %u", &ret_rights->seccomp);
	}
	return found;
}

static bool has(uint64_t set, int capability)
{
	return (set >> capability & 1) != 0;
}

/* A list that its file permissions let rsyslogd's user write needs no capability. For root
 * this matters, too: without CAP_DAC_OVERRIDE root is bound by permissions. */
static bool may_write_list(const struct host *host, const char *list)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/xt_recent/%s", host->context->net_root, list);
	if (stat(path, &st) < 0)
		return true;
	if (st.st_uid == host->rsyslogd.uid)
		return (st.st_mode & S_IWUSR) != 0;
	return (st.st_mode & S_IWOTH) != 0;
}

static size_t list_wants(const struct host *host, const struct settings *settings,
			 struct want wants[static WANTS_MAX])
{
	size_t n = 0;
	bool list_is_file = settings->backend == BACKEND_RECENT;

	if (settings->verify != VERIFY_NONE)
		wants[n++] = (struct want){ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", CHECK_BROKEN,
					    "courier's processes prove nothing, so nobody "
					    "is blocked" };
	else if (settings->terminate)
		wants[n++] = (struct want){ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", CHECK_BROKEN,
					    "children are not proven, so none is ended" };
	if (settings->terminate)
		wants[n++] = (struct want){ CAP_KILL, "CAP_KILL", CHECK_BROKEN,
					    "children are not ended, and keep their slots" };
	if (list_is_file &&
	    !(may_write_list(host, settings->list) && may_write_list(host, settings->list6)))
		wants[n++] = (struct want){ CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", CHECK_BROKEN,
					    "the lists cannot be written" };
	if (settings->backend == BACKEND_NFTABLES)
		wants[n++] = (struct want){ CAP_NET_ADMIN, "CAP_NET_ADMIN", CHECK_BROKEN,
					    "no address gets into its set" };
	else if (settings->terminate && settings->terminate_reset)
		wants[n++] = (struct want){ CAP_NET_ADMIN, "CAP_NET_ADMIN", CHECK_WARNING,
					    "connections are not reset" };
	return n;
}

/* --- capabilities -------------------------------------------------------- */

/* Does the module keep the capabilities that the actions need? */
static bool keeps_rights(const struct host *host)
{
	const struct rsyslog_conf_item *module;
	size_t from = 0;

	if (!host->conf)
		return false;
	module = rsyslog_conf_next(host->conf, RSYSLOG_CONF_MODULE, "omsmtpblock", &from);
	return module && rsyslog_conf_is_on(module, "keepCapabilities", false);
}

/* The fix depends on what removes the capability. */
static void format_fix(const struct host *host, const struct rights *rights,
		       const struct want *want, char type[static CHECK_TYPE_SIZE])
{
	const struct rsyslog_conf_item *drop = host_privilege_drop(host);
	char place[600];

	if (!has(rights->bounding, want->capability))
		snprintf(type, CHECK_TYPE_SIZE,
			 "systemctl edit rsyslog, write  [Service] CapabilityBoundingSet=%s  "
			 "and restart it",
			 want->name);
	else if (drop && keeps_rights(host))
		snprintf(type, CHECK_TYPE_SIZE, "systemctl restart rsyslog");
	else if (drop)
		snprintf(type, CHECK_TYPE_SIZE,
			 "write  module(load=\"omsmtpblock\" keepCapabilities=\"on\"), or take "
			 "$PrivDropToUser out (%s)",
			 check_place(drop, place, sizeof(place)));
	else
		snprintf(type, CHECK_TYPE_SIZE, "run rsyslogd as root");
}

static void check_capabilities(struct checks *checks, const struct rights *rights,
			       const struct settings *settings)
{
	struct want wants[WANTS_MAX];
	size_t i, n = list_wants(checks->host, settings, wants), lacking = 0;
	char type[CHECK_TYPE_SIZE];

	for (i = 0; i < n; i++) {
		if (has(rights->effective, wants[i].capability))
			continue;
		lacking++;
		format_fix(checks->host, rights, &wants[i], type);
		check_add(checks, wants[i].lacking, "rights.capabilities", type,
			  "rsyslogd lacks %s: %s", wants[i].name, wants[i].why);
	}
	if (lacking == 0)
		check_ok(checks, "rights.capabilities", "rsyslogd has what the action needs");
}

static void check_privilege_drop(struct checks *checks)
{
	const struct rsyslog_conf_item *drop = host_privilege_drop(checks->host);
	char place[600];

	if (drop && checks->host->rsyslogd.pid == 0 && !keeps_rights(checks->host))
		check_warning(checks, "rights.privdrop",
			      "write  module(load=\"omsmtpblock\" keepCapabilities=\"on\")",
			      "%s: rsyslogd gives its rights away at the start",
			      check_place(drop, place, sizeof(place)));
}

static void check_filter(struct checks *checks, const struct rights *rights)
{
	if (rights->seccomp == 2)
		check_ok(checks, "rights.seccomp",
			 "a filter of system calls is on: what it forbids the module says itself");
	if (rights->no_new_privs)
		check_ok(checks, "rights.seccomp", "NoNewPrivileges is on, which takes nothing");
}

/* --- security modules ---------------------------------------------------- */

/* Has the profile a file for local additions? */
static bool has_snippet(const struct host *host)
{
	static const char *const files[] = {
		"/etc/apparmor.d/rsyslog.d/omsmtpblock", "/etc/apparmor.d/local/usr.sbin.rsyslogd",
		"/etc/apparmor.d/usr.sbin.rsyslogd",
	};
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < COUNT_OF(files); i++)
		if (host_mentions(host_path(host, files[i], path), "sys_ptrace") == 1)
			return true;
	return false;
}

static bool read_label(const struct host *host, char *label, size_t size)
{
	pid_t pid = host->rsyslogd.pid;

	if (looks_read(host->looks, pid, "attr/apparmor/current", label, size) <= 0 &&
	    looks_read(host->looks, pid, "attr/current", label, size) <= 0)
		return false;
	label[strcspn(label, "\n")] = '\0';
	return true;
}

static bool selinux_enforces(const struct host *host)
{
	char path[PATH_MAX], text[8];

	host_path(host, "/sys/fs/selinux/enforce", path);
	return host_read(path, text, sizeof(text)) > 0 && text[0] == '1';
}

static void check_labels(struct checks *checks)
{
	const struct host *host = checks->host;
	char label[512];

	if (!read_label(host, label, sizeof(label)))
		return;
	if (strstr(label, "(enforce)") && has_snippet(host))
		check_ok(checks, "rights.apparmor", "the profile %s was added to", label);
	else if (strstr(label, "(enforce)"))
		check_warning(checks, "rights.apparmor",
			      "write into /etc/apparmor.d/rsyslog.d/omsmtpblock  capability kill, "
			      "capability sys_ptrace, capability net_admin, signal (send), ptrace "
			      "(read), @{PROC}/@{pid}/net/xt_recent/* rw, "
			      "@{PROC}/[0-9]*/{environ,stat,cmdline,status,comm} r,  and "
			      "apparmor_parser -r /etc/apparmor.d/usr.sbin.rsyslogd",
			      "AppArmor confines rsyslogd: %s", label);
	if (selinux_enforces(host) && strstr(label, ":syslogd_t:"))
		check_warning(checks, "rights.selinux", "ausearch -m avc -c rsyslogd",
			      "SELinux confines rsyslogd: %s", label);
}

void check_rights(struct checks *checks, const struct host_action *action)
{
	struct rights rights;

	check_privilege_drop(checks);
	if (checks->host->rsyslogd.pid == 0)
		return;
	if (!read_rights(checks->host, &rights)) {
		check_warning(checks, "rights.capabilities", "run smtpblockctl check as root",
			      "cannot tell what rsyslogd may do");
		return;
	}
	check_capabilities(checks, &rights, &action->settings);
	check_filter(checks, &rights);
	check_labels(checks);
}

/* --- the unit ------------------------------------------------------------ */

/* A setting of the unit that may get in the way. */
struct obstacle {
	const char *key;
	const char *bad[3];	/* bad values; NULL: any that is not off */
	bool recent_only;
	enum check_status status;
	const char *why, *type;
};

/* ProtectKernelTunables= is not in the table: it makes sys, sysrq-trigger, fs, irq and the
 * like in /proc read-only (systemd.exec(5)), but the lists are in net. */
static const struct obstacle obstacles[] = {
	{ "PrivateNetwork", { NULL }, false, CHECK_BROKEN,
	  "it gives rsyslogd a network namespace without courier",
	  "systemctl edit rsyslog, write  [Service] PrivateNetwork=no" },
	{ "PrivateUsers", { NULL }, false, CHECK_BROKEN,
	  "it gives rsyslogd a user namespace, from which no other user's process is signalled",
	  "systemctl edit rsyslog, write  [Service] PrivateUsers=no" },
	{ "PrivatePIDs", { NULL }, false, CHECK_BROKEN, "it hides courier's processes",
	  "systemctl edit rsyslog, write  [Service] PrivatePIDs=no" },
	{ "ProcSubset", { "pid", NULL }, true, CHECK_BROKEN, "it hides /proc/net, where lists are",
	  "systemctl edit rsyslog, write  [Service] ProcSubset=all" },
	{ "ProtectProc", { "noaccess", "invisible", "ptraceable" }, false, CHECK_OK,
	  "it shows courier's processes to CAP_SYS_PTRACE only", "" },
};

static bool is_bad(const struct obstacle *obstacle, const char *value)
{
	size_t i;

	if (!obstacle->bad[0])
		return !systemd_unit_is_off(value);
	for (i = 0; i < 3 && obstacle->bad[i]; i++)
		if (strcmp(value, obstacle->bad[i]) == 0)
			return true;
	return false;
}

static void check_obstacles(struct checks *checks, const struct systemd_unit *unit,
			    const struct settings *settings)
{
	size_t i;

	for (i = 0; i < COUNT_OF(obstacles); i++) {
		const struct obstacle *obstacle = &obstacles[i];
		const char *value = systemd_unit_last(unit, obstacle->key);

		if (!value || !is_bad(obstacle, value))
			continue;
		if (obstacle->recent_only && settings->backend != BACKEND_RECENT)
			continue;
		check_add(checks, obstacle->status, "unit", obstacle->type,
			  "rsyslog.service has %s=%s: %s", obstacle->key, value, obstacle->why);
	}
}

static void check_families(struct checks *checks, const struct systemd_unit *unit,
			   const struct settings *settings)
{
	bool nftables = settings->backend == BACKEND_NFTABLES;

	if (!systemd_unit_lists(unit, "RestrictAddressFamilies", "AF_NETLINK", true))
		check_add(checks, nftables ? CHECK_BROKEN : CHECK_WARNING, "unit",
			  "systemctl edit rsyslog, write  [Service] "
			  "RestrictAddressFamilies=AF_NETLINK  and restart it",
			  "rsyslog.service lets rsyslogd have no netlink socket: %s",
			  nftables ? "no address gets into its set" :
				     "it does not know this host's own addresses and resets no "
				     "connection");
}

/* What the unit would take away. For a running rsyslogd the capabilities are known, so this
 * is not needed. */
static void check_bounds(struct checks *checks, const struct systemd_unit *unit,
			 const struct settings *settings)
{
	struct want wants[WANTS_MAX];
	size_t i, n = list_wants(checks->host, settings, wants);
	char type[CHECK_TYPE_SIZE];

	for (i = 0; checks->host->rsyslogd.pid == 0 && i < n; i++) {
		if (systemd_unit_lists(unit, "CapabilityBoundingSet", wants[i].name, false))
			continue;
		snprintf(type, sizeof(type),
			 "systemctl edit rsyslog, write  [Service] CapabilityBoundingSet=%s",
			 wants[i].name);
		check_add(checks, wants[i].lacking, "unit", type,
			  "rsyslog.service takes %s from rsyslogd: %s", wants[i].name,
			  wants[i].why);
	}
}

void check_unit(struct checks *checks, const struct host_action *action)
{
	struct systemd_unit *unit;

	if (systemd_unit_read(checks->host, "rsyslog.service", "/system", &unit) < 0) {
		checks->out_of_memory = true;
		return;
	}
	check_obstacles(checks, unit, &action->settings);
	check_families(checks, unit, &action->settings);
	check_bounds(checks, unit, &action->settings);
	systemd_unit_free(unit);
}
