/* The messages for the admin: the fault and the command to type.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/alert_text.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "policy/capabilities.h"
#include "tests/unit/support.h"

/* What removes the capability; the first, a unit, unless the row names another. */
static enum capabilities_cause cause;
enum capabilities_cause __wrap_capabilities_cause(int capability);

enum capabilities_cause __wrap_capabilities_cause(int capability)
{
	(void)capability;
	return cause;
}

/* Required text in the message: the command to type, or the fault that is over. */
static const struct row {
	const char *label;
	enum alert id;
	int detail, severity;
	const char *want;
} rows[] = {
	{ "no IPv4 list", ALERT_LIST4, ENOENT, LOG_WARNING,
	  "the list bad does not exist because no firewall rule names it: type  iptables "
	  "-I INPUT -p tcp --dport 25 -m recent --name bad --update --seconds 900 "
	  "-j DROP . Blocks are kept until the list can be written." },
	{ "no IPv6 list", ALERT_LIST6, ENOENT, LOG_WARNING,
	  "type  ip6tables -I INPUT -p tcp --dport 25 -m recent --name bad6 --mask "
	  "ffff:ffff:ffff:ffff:: --update --seconds 900 -j DROP ." },
	{ "no right to write", ALERT_LIST4, EACCES, LOG_WARNING,
	  "no permission to write /net/xt_recent/bad: run rsyslogd as root" },
	{ "IPv4 list is back", ALERT_LIST4_BACK, 7, LOG_NOTICE,
	  "the list bad is available again (addresses written: 7)" },
	{ "IPv6 list is back", ALERT_LIST6_BACK, 0, LOG_NOTICE,
	  "the list bad6 is available again (no addresses were waiting)" },
	{ "IPv4 list too small", ALERT_OVERFLOW4, 0, LOG_WARNING,
	  "the list bad is too small, so the kernel drops its oldest addresses: write "
	  " options xt_recent ip_list_tot=5000  into /etc/modprobe.d/xt_recent.conf" },
	{ "IPv6 list too small", ALERT_OVERFLOW6, 0, LOG_WARNING, "the list bad6" },
	{ "no right to look", ALERT_LOOK, EACCES, LOG_WARNING,
	  "no permission to read courier's processes (Permission denied)" },
	{ "no descriptors", ALERT_LOOK, EMFILE, LOG_WARNING, "LimitNOFILE=" },
	{ "no descriptors in the system", ALERT_LOOK, ENFILE, LOG_WARNING,
	  "LimitNOFILE=" },
	{ "no memory to look", ALERT_LOOK, ENOMEM, LOG_WARNING, "MemoryMax=" },
	{ "no /proc", ALERT_LOOK, ESRCH, LOG_WARNING, "mount -t proc proc /proc" },
	{ "no pidfd", ALERT_LOOK, ENOSYS, LOG_WARNING, "pidfd_open(2)" },
	{ "no right to signal", ALERT_SIGNAL, EPERM, LOG_WARNING,
	  "CapabilityBoundingSet=CAP_KILL" },
	{ "no right to reset", ALERT_RESET, EPERM, LOG_WARNING,
	  "CapabilityBoundingSet=CAP_NET_ADMIN" },
	{ "no netlink to reset with", ALERT_RESET, EAFNOSUPPORT, LOG_WARNING,
	  "RestrictAddressFamilies=AF_NETLINK" },
	{ "no reset in the kernel", ALERT_RESET, EOPNOTSUPP, LOG_WARNING,
	  "write terminate.reset=\"off\" into the action" },
	{ "no right to reply", ALERT_REPLY, EPERM, LOG_WARNING,
	  "the sockets of courier's processes cannot be copied "
	  "(Operation not permitted)" },
	{ "a filter against replies", ALERT_REPLY, ENOSYS, LOG_WARNING,
	  "SystemCallFilter=pidfd_getfd" },
	{ "-drop", ALERT_DROP, 0, LOG_WARNING, "verify=\"sender\"" },
	{ "a proxy", ALERT_PROXY, 0, LOG_NOTICE,
	  "not written to the list: write eventRuleset=\"...\" into the action to tell the "
	  "proxy, see \"Behind a proxy\"" },
	{ "DNSBL", ALERT_DNSBL, 0, LOG_WARNING, "BLACKLISTS" },
	{ "maxBlocks closes", ALERT_BUDGET, 0, LOG_WARNING,
	  "maxBlocks: 10000 addresses were blocked within 60 s" },
	{ "maxBlocks opens", ALERT_BUDGET_OPEN, 0, LOG_NOTICE,
	  "addresses are blocked again" },
	{ "no user", ALERT_USER, ENOENT, LOG_WARNING,
	  "there is no user courier, so courier's processes cannot be identified" },
	{ "no answer about the user", ALERT_USER, EIO, LOG_WARNING,
	  "the user courier cannot be looked up (Input/output error), so courier's processes "
	  "cannot be identified and nothing is blocked: type  getent passwd courier " },
	{ "the user is back", ALERT_USER_BACK, 0, LOG_NOTICE,
	  "the user courier was found" },
	{ "busy", ALERT_BUSY, 0, LOG_WARNING,
	  "With  mail.info  in front of the action sessions are known" },
	{ "events are lost", ALERT_EVENTS, 0, LOG_WARNING,
	  "4096 were already waiting to be submitted" },
	{ "a process is held", ALERT_HELD, 0, LOG_WARNING,
	  "type  ps -u courier -o pid,stat,lstart,args" },
	{ "unblocks without a descriptor", ALERT_UNBLOCK, EMFILE, LOG_WARNING,
	  "type  sysctl fs.inotify.max_user_instances=1024" },
	{ "unblocks of others", ALERT_UNBLOCK, EPERM, LOG_WARNING,
	  "/run/omsmtpblock/unblock cannot be watched (Operation not permitted), so when the "
	  "firewall is reloaded, addresses are blocked again that smtpblockctl has unblocked: it "
	  "and the files in it must belong to root" },
	{ "unblocks without a directory", ALERT_UNBLOCK, ENOENT, LOG_WARNING,
	  "type  mkdir -p /run/omsmtpblock/unblock , which rsyslogd could not" },
	{ "unblocks out of reach", ALERT_UNBLOCK, EACCES, LOG_WARNING,
	  "rsyslogd needs read access to it" },
	{ "own addresses", ALERT_HOSTADDRS, 0, LOG_WARNING,
	  "RestrictAddressFamilies=AF_NETLINK" },
};

struct fixture {
	struct settings settings;
	struct counters counters;
	struct alerts alerts;
	struct blocklist *blocklist;
};

static void set(struct fixture *f, const char *name, const char *value)
{
	char wrong[200] = "";

	want_int(settings_set(&f->settings, name, value, wrong, sizeof(wrong)), 0);
}

static void setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	want_int(settings_init(&f->settings), 0);
	set(f, "list", "bad");
	set(f, "list6", "bad6");
	set(f, "banTime", "900");
	set(f, "ipv6Prefix", "64");
	want_int(blocklist_new(&f->settings, "/net", "/module", &f->counters, &f->alerts,
			       &f->blocklist),
		 0);
}

static void teardown(struct fixture *f)
{
	blocklist_free(f->blocklist);
	settings_done(&f->settings);
}

TEST_ROWS(says, rows)
{
	char text[ALERT_TEXT_SIZE];
	struct fixture f;
	int severity = -1;

	setup(&f);
	alert_text_format(row->id, row->detail, &f.settings, f.blocklist, &severity, text);
	want_int(severity, row->severity);
	if (!strstr(text, row->want))
		want_str(text, row->want);
	teardown(&f);
}

/* The remedy for a capability depends on what removes it. */
static const struct advice_row {
	const char *label;
	enum alert id;
	enum capabilities_cause cause;
	const char *want;
} remedy_rows[] = {
	{ "to look: the unit", ALERT_LOOK, CAPABILITIES_CAUSE_UNIT,
	  "add  CapabilityBoundingSet=CAP_SYS_PTRACE CAP_KILL  to rsyslogd's unit "
	  "(systemctl edit rsyslog)" },
	{ "to look: another user", ALERT_LOOK, CAPABILITIES_CAUSE_DROP,
	  "let it keep CAP_SYS_PTRACE CAP_KILL: write  module(load=\"omsmtpblock\" "
	  "keepCapabilities=\"on\")" },
	{ "to look: a profile", ALERT_LOOK, CAPABILITIES_CAUSE_OTHER,
	  "rsyslogd has CAP_SYS_PTRACE CAP_KILL, so AppArmor or SELinux is in the way" },
	{ "to signal: another user", ALERT_SIGNAL, CAPABILITIES_CAUSE_DROP,
	  "let it keep CAP_KILL: write" },
	{ "to reset: another user", ALERT_RESET, CAPABILITIES_CAUSE_DROP,
	  "let it keep CAP_NET_ADMIN: write" },
	{ "to reply: a profile", ALERT_REPLY, CAPABILITIES_CAUSE_OTHER,
	  "rsyslogd has CAP_SYS_PTRACE, so AppArmor" },
};

/* Where the line alone is proof, addresses are blocked whatever is missing. */
static const struct unproven_row {
	const char *label;
	enum alert id;
	int detail;
	const char *want;
} unproven_rows[] = {
	{ "no right to look", ALERT_LOOK, EACCES,
	  "no permission to read courier's processes (Permission denied), so no "
	  "session is terminated, but addresses are still blocked: add  Capability" },
	{ "no answer about the user", ALERT_USER, ETIMEDOUT,
	  "the user courier cannot be looked up (Connection timed out), so courier's "
	  "processes cannot be identified and no session is terminated, but addresses are "
	  "still blocked: type  getent passwd courier " },
};

TEST_ROWS(says_of_unproven, unproven_rows)
{
	char text[ALERT_TEXT_SIZE];
	struct fixture f;
	int severity;

	setup(&f);
	set(&f, "verify", "none");
	alert_text_format(row->id, row->detail, &f.settings, f.blocklist, &severity, text);
	if (!strstr(text, row->want))
		want_str(text, row->want);
	want_int(strstr(text, "nothing is blocked") == NULL, true);
	teardown(&f);
}

TEST_ROWS(names_the_remedy, remedy_rows)
{
	char text[ALERT_TEXT_SIZE];
	struct fixture f;
	int severity;

	setup(&f);
	cause = row->cause;
	alert_text_format(row->id, EPERM, &f.settings, f.blocklist, &severity, text);
	cause = CAPABILITIES_CAUSE_UNIT;
	if (!strstr(text, row->want))
		want_str(text, row->want);
	teardown(&f);
}

TEST(every_alert_has_a_sentence)
{
	unsigned int i, r;

	for (i = 0; i < ALERT_COUNT; i++) {
		for (r = 0; r < COUNT_OF(rows) && rows[r].id != i; r++)
			;
		want_int(r < COUNT_OF(rows), true);
	}
}

/* With the longest names there are, nothing is cut: a command has to be whole. */
TEST(longest_names_fit)
{
	char name[SETTINGS_LIST_SIZE], text[ALERT_TEXT_SIZE];
	struct fixture f;
	int severity;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	setup(&f);
	blocklist_free(f.blocklist);
	set(&f, "list6", name);
	want_int(blocklist_new(&f.settings, "/proc/net", "/sys/module", &f.counters, &f.alerts,
			       &f.blocklist),
		 0);
	alert_text_format(ALERT_LIST6, ENOENT, &f.settings, f.blocklist, &severity, text);
	want_int(strstr(text, "-j DROP . Blocks are kept") != NULL, true);
	want_int(strstr(text, "can be written.") != NULL, true);
	teardown(&f);
}

static const struct clean_row {
	const char *label, *text, *want;
} clean_rows[] = {
	{ "plain", "511 Listed, 192.0.2.7", "511 Listed, 192.0.2.7" },
	{ "quotes and backslash", "a\"b\\c", "a?b?c" },
	{ "control characters", "\x1b[31m\r\n\t\x7f", "?[31m????" },
	{ "above ASCII", "\xc3\xa9\xff", "???" },
	{ "empty", "", "" },
};

TEST_ROWS(cleans, clean_rows)
{
	char buf[64];

	want_str(alert_text_clean(row->text, strlen(row->text), buf, sizeof(buf)), row->want);
}

TEST(cleans_within_size)
{
	char buf[5] = "----";

	want_str(alert_text_clean("abcdefgh", 8, buf, 4), "abc");
	want_int(buf[4], '\0');
	want_str(alert_text_clean("x\0y", 3, buf, 5), "x?y");
	alert_text_clean("abc", 3, buf, 0);
	want_str(buf, "x?y");
}
