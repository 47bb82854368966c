/* The texts of alerts: what is wrong and what to type.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/alert_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "lib/text.h"
#include "policy/capabilities.h"
#include "status/events.h"

/* Longest remedy, NUL included. */
#define REMEDY_SIZE 256

static char *list_missing(struct blocklist *blocklist, int family, int err, char *buf)
{
	char what[ALERT_TEXT_SIZE - 120];

	blocklist_advice(blocklist, family, err, what, sizeof(what));
	snprintf(buf, ALERT_TEXT_SIZE, "%s . Blocks are kept until the list can be written.",
		 what);
	return buf;
}

static char *list_back(const char *list, int count, char *buf)
{
	if (count == 0)
		snprintf(buf, ALERT_TEXT_SIZE,
			 "the list %s is available again (no addresses were waiting)", list);
	else
		snprintf(buf, ALERT_TEXT_SIZE,
			 "the list %s is available again (addresses written: %d)", list,
			 count);
	return buf;
}

/* How to give rsyslogd the capability, depending on what takes it away. names: this
 * capability and others that are usually missing with it. */
static const char *remedy(int capability, const char *names, char buf[static REMEDY_SIZE])
{
	enum capabilities_cause cause = capabilities_cause(capability);

	if (cause == CAPABILITIES_CAUSE_UNIT)
		snprintf(buf, REMEDY_SIZE,
			 "add  CapabilityBoundingSet=%s  to rsyslogd's unit "
			 "(systemctl edit rsyslog)", names);
	else if (cause == CAPABILITIES_CAUSE_DROP)
		snprintf(buf, REMEDY_SIZE,
			 "run rsyslogd as root, or let it keep %s: write  "
			 "module(load=\"omsmtpblock\" keepCapabilities=\"on\")", names);
	else
		snprintf(buf, REMEDY_SIZE,
			 "rsyslogd has %s, so AppArmor or SELinux is in the way: "
			 "see  journalctl -k -g 'apparmor|avc'", names);
	return buf;
}

/* With verify="none" the line alone is enough to block. Only termination needs /proc then. */
static const char only_blocks[] = "no session is terminated, but addresses are still blocked";

static char *no_right_to_look(const struct settings *settings, int err, char *buf)
{
	char how[REMEDY_SIZE];

	snprintf(buf, ALERT_TEXT_SIZE,
		 "no permission to read courier's processes (%s), so %s: %s",
		 strerrordesc_np(err),
		 settings->verify == VERIFY_NONE
			 ? only_blocks
			 : "no session can be verified and nothing is blocked",
		 remedy(CAP_SYS_PTRACE, "CAP_SYS_PTRACE CAP_KILL", how));
	return buf;
}

static char *cannot_look(const struct settings *settings, int err, char *buf)
{
	if (err == EMFILE || err == ENFILE)
		snprintf(buf, ALERT_TEXT_SIZE,
			 "rsyslogd has no descriptors left to pin courier's processes: "
			 "raise LimitNOFILE= of its unit (systemctl edit rsyslog)");
	else if (err == ENOMEM)
		snprintf(buf, ALERT_TEXT_SIZE,
			 "rsyslogd has no memory left to read courier's processes: check "
			 "MemoryMax= of its unit, then type  systemctl restart rsyslog");
	else if (err == ENOSYS)
		snprintf(buf, ALERT_TEXT_SIZE,
			 "pidfd_open(2) is not available, so no session is terminated: "
			 "it needs Linux 5.3 or later, and SystemCallFilter= of "
			 "rsyslogd's unit must allow it");
	else if (err == ESRCH)
		snprintf(buf, ALERT_TEXT_SIZE,
			 "/proc is not mounted where rsyslogd runs, so courier's "
			 "processes cannot be read: type  mount -t proc proc /proc  "
			 "there, then  systemctl restart rsyslog");
	else
		return no_right_to_look(settings, err, buf);
	return buf;
}

static char *cannot_signal(int err, char *buf)
{
	char how[REMEDY_SIZE];

	snprintf(buf, ALERT_TEXT_SIZE,
		 "the kernel refuses to signal courier's processes (%s), so "
		 "sessions keep their slots: %s",
		 strerrordesc_np(err), remedy(CAP_KILL, "CAP_KILL", how));
	return buf;
}

/* With verify="none" a missing user is not reported: courier may run on another host. */
static char *no_user(const struct settings *settings, int err, char *buf)
{
	const char *user = settings->courier_user;

	if (err == ENOENT)
		snprintf(buf, ALERT_TEXT_SIZE,
			 "there is no user %.80s, so courier's processes cannot be "
			 "identified and nothing is blocked: install courier, or write "
			 "courierUser=\"USER\" into the action",
			 user);
	else
		snprintf(buf, ALERT_TEXT_SIZE,
			 "the user %.80s cannot be looked up (%s), so courier's processes "
			 "cannot be identified and %s: type  getent passwd %.80s  and fix "
			 "the source that fails, see passwd: in /etc/nsswitch.conf. The "
			 "lookup is repeated every 10 s",
			 user, strerrordesc_np(err),
			 settings->verify == VERIFY_NONE ? only_blocks : "nothing is blocked",
			 user);
	return buf;
}

static char *user_back(const struct settings *settings, char *buf)
{
	snprintf(buf, ALERT_TEXT_SIZE,
		 "the user %.80s was found, courier's processes can be identified now",
		 settings->courier_user);
	return buf;
}

static char *block_limit(const struct settings *settings, bool open, char *buf)
{
	if (open)
		snprintf(buf, ALERT_TEXT_SIZE, "maxBlocks: addresses are blocked again");
	else
		snprintf(buf, ALERT_TEXT_SIZE,
			 "maxBlocks: %u addresses were blocked within %u s, and no more "
			 "will be until that time is over. Sessions are still terminated. "
			 "If this is your normal load, write a higher maxBlocks into the "
			 "action",
			 settings->max_blocks, settings->max_blocks_interval);
	return buf;
}

static char *cannot_reply(int err, char *buf)
{
	char how[REMEDY_SIZE];

	snprintf(buf, ALERT_TEXT_SIZE,
		 "the sockets of courier's processes cannot be copied "
		 "(%s), so clients are rejected without a reply: %s",
		 strerrordesc_np(err),
		 err != ENOSYS ? remedy(CAP_SYS_PTRACE, "CAP_SYS_PTRACE", how)
			       : "add  SystemCallFilter=pidfd_getfd  to rsyslogd's unit "
				 "(systemctl edit rsyslog); Linux 5.6 or later is "
				 "needed");
	return buf;
}

static char *cannot_reset(int err, char *buf)
{
	const char *what;
	char how[REMEDY_SIZE];

	if (err == EOPNOTSUPP || err == EPROTONOSUPPORT)
		what = "this kernel has no CONFIG_INET_DIAG_DESTROY: write "
		       "terminate.reset=\"off\" into the action";
	else if (err == EAFNOSUPPORT)
		what = "add  RestrictAddressFamilies=AF_NETLINK  to rsyslogd's unit "
		       "(systemctl edit rsyslog)";
	else
		what = remedy(CAP_NET_ADMIN, "CAP_NET_ADMIN", how);
	snprintf(buf, ALERT_TEXT_SIZE,
		 "terminate.reset: connections of terminated sessions cannot be reset "
		 "(%s), so the kernel keeps each for a minute or two, which takes no "
		 "slot: %s",
		 strerrordesc_np(err), what);
	return buf;
}

#define BEHIND_PROXY(remedy) \
	"clients come to courier through a proxy (-haproxy), so their packets cannot be dropped " \
	"here: listed sessions are terminated, but their addresses are not written to the " \
	"list" remedy ", see \"Behind a proxy\" in omsmtpblock(5)"

const char *alert_text_proxy(const struct settings *settings)
{
	return settings->event_ruleset[0] ?
		       BEHIND_PROXY("; eventRuleset gets them") :
		       BEHIND_PROXY(": write eventRuleset=\"...\" into the action to tell the "
				    "proxy");
}

static char *behind_proxy(const struct settings *settings, char *buf)
{
	snprintf(buf, ALERT_TEXT_SIZE, "%s", alert_text_proxy(settings));
	return buf;
}

static char *no_room_for_events(char *buf)
{
	snprintf(buf, ALERT_TEXT_SIZE,
		 "some block events were lost, because %d were already waiting to be submitted to "
		 "eventRuleset. If the ruleset is slow, give it a queue of its own that has room "
		 "for a wave: ruleset(name=\"...\" queue.type=\"linkedList\" "
		 "queue.size=\"100000\" queue.timeoutEnqueue=\"300\")",
		 EVENTS_MAX);
	return buf;
}

static char *other(enum alert id, char *buf)
{
	const char *text = "";

	if (id == ALERT_DROP)
		text = "couriertcpd drops listed connections itself (-drop), and their "
		       "processes exit before they can be verified: write "
		       "verify=\"sender\" into the action and load imuxsock with "
		       "SysSock.Annotate=\"on\" SysSock.ParseTrusted=\"on\" (any local "
		       "user can then stop rsyslogd's input, see SECURITY)";
	else if (id == ALERT_DNSBL)
		text = "a DNSBL returned an error code (127.255.255.x, or an address "
		       "outside 127.0.0.0/8), which courier treats as a listing: it "
		       "rejects every client that gets this answer. omsmtpblock ignores "
		       "it. Check BLACKLISTS in courier's esmtpd";
	else if (id == ALERT_BUSY)
		text = "lines came faster than their sessions could be searched for, "
		       "and some were skipped. With  mail.info  in front of the action "
		       "sessions are known from their start; verify=\"none\" always "
		       "needs a search unless terminate=\"off\"";
	else if (id == ALERT_HOSTADDRS)
		text = "this host's own addresses cannot be read, so only the "
		       "allow list protects them: add  "
		       "RestrictAddressFamilies=AF_NETLINK  to rsyslogd's unit "
		       "(systemctl edit rsyslog)";
	snprintf(buf, ALERT_TEXT_SIZE, "%s", text);
	return buf;
}

static const char *watch_remedy(int err)
{
	switch (err) {
	case EPERM:
		return "it and the files in it must belong to root, and nobody else may write to "
		       "them";
	case ENOENT:
		return "type  mkdir -p " UNBLOCK_DIR " , which rsyslogd could not; if it exists, "
		       "rsyslogd's unit hides it";
	case EMFILE:
		return "type  sysctl fs.inotify.max_user_instances=1024";
	default:
		return "rsyslogd needs read access to it";
	}
}

static char *cannot_watch(int err, char *buf)
{
	snprintf(buf, ALERT_TEXT_SIZE,
		 "the directory " UNBLOCK_DIR " cannot be watched (%s), so when the firewall is "
		 "reloaded, addresses are blocked again that smtpblockctl has unblocked: %s",
		 strerrordesc_np(err), watch_remedy(err));
	return buf;
}

/* courier's own programs do not stop in execve(2); this is another program with its uid. */
static char *stuck_in_exec(const struct settings *settings, char *buf)
{
	snprintf(buf, ALERT_TEXT_SIZE,
		 "a process of the user %.80s does not return from execve(2), which blocks "
		 "whatever reads its /proc files. Other sessions are still verified, "
		 "unless there are 16 such processes. courier does not do this: find "
		 "the program and terminate it, type  ps -u %.80s -o "
		 "pid,stat,lstart,args",
		 settings->courier_user, settings->courier_user);
	return buf;
}

char *alert_text_format(enum alert id, int detail, const struct settings *settings,
			struct blocklist *blocklist, int *ret_severity,
			char buf[static ALERT_TEXT_SIZE])
{
	*ret_severity = LOG_WARNING;
	switch (id) {
	case ALERT_LIST4:
		return list_missing(blocklist, ADDR_IPV4, detail, buf);
	case ALERT_LIST6:
		return list_missing(blocklist, ADDR_IPV6, detail, buf);
	case ALERT_LIST4_BACK:
		*ret_severity = LOG_NOTICE;
		return list_back(settings->list, detail, buf);
	case ALERT_LIST6_BACK:
		*ret_severity = LOG_NOTICE;
		return list_back(settings->list6, detail, buf);
	case ALERT_OVERFLOW4:
		return blocklist_advice(blocklist, ADDR_IPV4, ENOSPC, buf, ALERT_TEXT_SIZE);
	case ALERT_OVERFLOW6:
		return blocklist_advice(blocklist, ADDR_IPV6, ENOSPC, buf, ALERT_TEXT_SIZE);
	case ALERT_LOOK:
		return cannot_look(settings, detail, buf);
	case ALERT_HELD:
		return stuck_in_exec(settings, buf);
	case ALERT_SIGNAL:
		return cannot_signal(detail, buf);
	case ALERT_RESET:
		return cannot_reset(detail, buf);
	case ALERT_REPLY:
		return cannot_reply(detail, buf);
	case ALERT_EVENTS:
		return no_room_for_events(buf);
	case ALERT_BUDGET:
		return block_limit(settings, false, buf);
	case ALERT_BUDGET_OPEN:
		*ret_severity = LOG_NOTICE;
		return block_limit(settings, true, buf);
	case ALERT_PROXY:
		*ret_severity = LOG_NOTICE;
		return behind_proxy(settings, buf);
	case ALERT_UNBLOCK:
		return cannot_watch(detail, buf);
	case ALERT_USER:
		return no_user(settings, detail, buf);
	case ALERT_USER_BACK:
		*ret_severity = LOG_NOTICE;
		return user_back(settings, buf);
	default:
		return other(id, buf);
	}
}

char *alert_text_clean(const char *text, size_t len, char *buf, size_t size)
{
	char *p = buf;

	if (size == 0)
		return buf;
	text_clean(text, len, buf, size);
	while (*(p += strcspn(p, "\"\\")))
		*p = '?';
	return buf;
}
