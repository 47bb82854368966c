/* The policy: lines, processes and settings in, a verdict out.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support.h"

#define ERR 3
#define WARNING 4
#define INFO 6
#define ANY COURIERLOG_SEVERITY_ANY

#define RELAY "error,relay=::ffff:198.51.100.7,port=41703"
#define CLIENT ",from=<a@b.example>,to=<c@d.example>: "
#define REJECT(reply) RELAY CLIENT reply
#define FROM(addr) "error,relay=" addr ",port=1" CLIENT "511 Listed"
#define ERROR(reply) RELAY ",msg=\"" reply "\",cmd: FOO"
#define STARTED "started,ip=[::ffff:198.51.100.7],port=[41703]"
#define DROPPED "dropped blocked connection from ::ffff:198.51.100.7"

/* Settings with "name=value name=value" set: for values without blanks. */
static void prepare(struct settings *s, const char *text)
{
	char copy[256], wrong[256] = "", *save = NULL, *name, *equals;

	want_int(settings_init(s), 0);
	snprintf(copy, sizeof(copy), "%s", text);
	for (name = strtok_r(copy, " ", &save); name;
	     name = strtok_r(NULL, " ", &save)) {
		equals = strchr(name, '=');
		*equals = '\0';
		want_int(settings_set(s, name, equals + 1, wrong, sizeof(wrong)), 0);
	}
	want_int(settings_check(s, wrong, sizeof(wrong)), 0);
	want_str(wrong, "");
}

static struct courierlog_line scan(const char *text, int severity)
{
	struct courierlog_line line;

	courierlog_scan(text, strlen(text), severity, &line);
	return line;
}

static void want_decision(struct decision got, enum verdict verdict,
			  enum reason reason)
{
	want_str(policy_reason_text(got.reason), policy_reason_text(reason));
	want_int(got.verdict, verdict);
}

/* A line alone. */
static const struct line_row {
	const char *label, *set, *text;
	int severity;
	int64_t age;
	enum verdict verdict;
	enum reason reason;
} line_rows[] = {
	{ "dnsbl, 511", "", REJECT("511 Listed"), ERR, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, 550", "", REJECT("550 User unknown"), ERR, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, 500", "", REJECT("500 x"), ERR, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, 599", "", REJECT("599 x"), ERR, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, 600", "", REJECT("600 x"), ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "dnsbl, 499", "", REJECT("499 x"), ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_TEMPORARY },
	{ "dnsbl, 400", "", REJECT("400 x"), ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_TEMPORARY },
	{ "dnsbl, 399", "", REJECT("399 x"), ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "dnsbl, 451", "", REJECT("451 Listed, come again"), ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_TEMPORARY },
	{ "dnsbl, line of a file", "", REJECT("511 Listed"), ANY, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, without port", "",
	  "error,relay=198.51.100.7" CLIENT "511 Listed", ERR, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, IPv6", "", FROM("2001:db8::7"), ERR, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, severity crit", "", REJECT("511 Listed"), 2, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_SEVERITY },
	{ "dnsbl, severity info", "", REJECT("511 Listed"), INFO, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "dnsbl, dropped", "", DROPPED, WARNING, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, dropped, line of a file", "", DROPPED, ANY, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, dropped, severity err", "", DROPPED, ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_SEVERITY },
	{ "dnsbl, started", "", STARTED, INFO, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "dnsbl, error form", "", ERROR("511 Listed"), INFO, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "dnsbl, pressure", "", "300 maximum active connections.", 1, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "dnsbl, another line", "", "submitclient: EOF", ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "dnsbl, unknown form", "", "error,relay=x: 511 Listed", ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },

	{ "reject, 550", "trigger=reject", REJECT("550 User unknown"), ERR, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "reject, 450", "trigger=reject", REJECT("450 Greylisted"), ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_TEMPORARY },
	{ "reject, dropped", "trigger=reject", DROPPED, WARNING, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "reject, severity emerg", "trigger=reject", REJECT("550 x"), 0, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_SEVERITY },

	{ "connect, started", "trigger=connect", STARTED, INFO, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "connect, started of old", "trigger=connect",
	  "started,ip=[::ffff:198.51.100.7]", INFO, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "connect, severity err", "trigger=connect", STARTED, ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_SEVERITY },
	{ "connect, reject", "trigger=connect", REJECT("511 Listed"), ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },

	{ "auth, 535", "trigger=auth", ERROR("535 Authentication failed."), INFO,
	  0, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "auth, 534", "trigger=auth", ERROR("534 x"), INFO, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "auth, 536", "trigger=auth", ERROR("536 x"), INFO, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "auth, 454", "trigger=auth", ERROR("454 TLS first"), INFO, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_TEMPORARY },
	{ "auth, severity notice", "trigger=auth", ERROR("535 x"), 5, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_SEVERITY },
	{ "auth, 535 in a reject", "trigger=auth", REJECT("535 x"), ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },

	{ "relay, 513", "trigger=relay", REJECT("513 Relaying denied."), ERR, 0,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "relay, 511", "trigger=relay", REJECT("511 Listed"), ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "relay, 514", "trigger=relay", REJECT("514 x"), ERR, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "relay, 513 in the error form", "trigger=relay", ERROR("513 x"), INFO,
	  0, VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },

	{ "protocol, 502", "trigger=protocol", ERROR("502 ESMTP command error"),
	  INFO, 0, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "protocol, 501", "trigger=protocol", ERROR("501 x"), INFO, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "protocol, 503", "trigger=protocol", ERROR("503 x"), INFO, 0,
	  VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },
	{ "protocol, 502 in a reject", "trigger=protocol", REJECT("502 x"), ERR,
	  0, VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER },

	{ "as old as banTime", "", REJECT("511 Listed"), ERR, 600,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "older than banTime", "", REJECT("511 Listed"), ERR, 601,
	  VERDICT_NOT_A_TRIGGER, REASON_OLD },
	{ "older than a short banTime", "banTime=1", REJECT("511 Listed"), ERR, 2,
	  VERDICT_NOT_A_TRIGGER, REASON_OLD },
	{ "from the future", "", REJECT("511 Listed"), ERR, -3600,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "old and temporary", "", REJECT("451 x"), ERR, 9999,
	  VERDICT_NOT_A_TRIGGER, REASON_TEMPORARY },
	{ "old and allowed", "allow=198.51.100.7", REJECT("511 x"), ERR, 9999,
	  VERDICT_NOT_A_TRIGGER, REASON_OLD },

	{ "loopback", "", FROM("::ffff:127.0.0.1"), ERR, 0,
	  VERDICT_EXEMPT, REASON_NOT_A_PEER },
	{ "loopback, IPv6", "", FROM("::1"), ERR, 0,
	  VERDICT_EXEMPT, REASON_NOT_A_PEER },
	{ "unspecified", "", FROM("::ffff:0.0.0.0"), ERR, 0,
	  VERDICT_EXEMPT, REASON_NOT_A_PEER },
	{ "multicast", "", FROM("224.0.0.1"), ERR, 0,
	  VERDICT_EXEMPT, REASON_NOT_A_PEER },
	{ "multicast, IPv6", "", FROM("ff02::1"), ERR, 0,
	  VERDICT_EXEMPT, REASON_NOT_A_PEER },
	{ "broadcast", "", FROM("255.255.255.255"), ERR, 0,
	  VERDICT_EXEMPT, REASON_NOT_A_PEER },
	{ "allowed", "allow=198.51.100.0/24", REJECT("511 Listed"), ERR, 0,
	  VERDICT_EXEMPT, REASON_ALLOW_LIST },
	{ "allowed, first of the prefix", "allow=198.51.100.7/32",
	  REJECT("511 Listed"), ERR, 0, VERDICT_EXEMPT, REASON_ALLOW_LIST },
	{ "allowed, IPv6", "allow=2001:db8::/32", FROM("2001:db8::7"), ERR, 0,
	  VERDICT_EXEMPT, REASON_ALLOW_LIST },
	{ "beside what is allowed", "allow=198.51.101.0/24",
	  REJECT("511 Listed"), ERR, 0, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "allowed, other trigger", "allow=198.51.100.7 trigger=connect",
	  STARTED, INFO, 0, VERDICT_EXEMPT, REASON_ALLOW_LIST },
};

TEST_ROWS(line, line_rows)
{
	struct courierlog_line l = scan(row->text, row->severity);
	struct settings s;

	prepare(&s, row->set);
	want_decision(policy_judge_line(&s, &l, row->severity, row->age),
		      row->verdict, row->reason);
	settings_done(&s);
}

/* Decisions made elsewhere come without severity, age and reply. */
TEST(address)
{
	const struct addr peer = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } };
	const struct addr allowed = { .family = ADDR_IPV4,
				      .bytes = { 192, 0, 2, 8 } };
	const struct addr own = { .family = ADDR_IPV4, .bytes = { 127, 0, 0, 1 } };
	struct settings s;

	prepare(&s, "allow=192.0.2.8 allow=127.0.0.0/8");
	want_decision(policy_judge_address(&s, &peer), VERDICT_BLOCK,
		      REASON_TRIGGERED);
	want_decision(policy_judge_address(&s, &allowed), VERDICT_EXEMPT, REASON_ALLOW_LIST);
	want_decision(policy_judge_address(&s, &own), VERDICT_EXEMPT, REASON_NOT_A_PEER);
	settings_done(&s);
}

#define B10 "0123456789"
#define B120 B10 B10 B10 B10 B10 B10 B10 B10 B10 B10 B10 B10
/* courier cuts a reply at 128 characters: "511 " and 124 of the message. */
#define B124 B120 "abcd"
#define CUT "511 " B124 "..."

/* A line and the environment of the smtpd that serves its peer. */
static const struct child_row {
	const char *label, *set, *text;
	int severity;
	struct smtpd_facts facts;
	enum verdict verdict;
	enum reason reason;
} child_rows[] = {
	{ "the same text", "", REJECT("550 Listed"), ERR,
	  { .block = "550 Listed" }, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "511 in front", "", REJECT("511 Listed"), ERR,
	  { .block = "Listed", .block_ip = "127.0.0.2" },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "cut", "", REJECT(CUT), ERR, { .block = B124 "efgh" },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "just not cut", "", REJECT("511 " B124), ERR, { .block = B124 },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "cut, where nothing was to cut", "", REJECT(CUT), ERR,
	  { .block = B124 }, VERDICT_NOT_A_TRIGGER, REASON_OTHER_REPLY },
	{ "cut, another message", "", REJECT(CUT), ERR,
	  { .block = B120 "abcXefgh" }, VERDICT_NOT_A_TRIGGER, REASON_OTHER_REPLY },
	{ "another code", "", REJECT("550 Listed"), ERR, { .block = "Listed" },
	  VERDICT_NOT_A_TRIGGER, REASON_OTHER_REPLY },
	{ "a customer who logged in", "", REJECT("550 User unknown"), ERR,
	  { .block = "Listed", .block_ip = "127.0.0.2" },
	  VERDICT_NOT_A_TRIGGER, REASON_OTHER_REPLY },
	{ "only the beginning", "", REJECT("511 Liste"), ERR,
	  { .block = "Listed" }, VERDICT_NOT_A_TRIGGER, REASON_OTHER_REPLY },
	{ "more than it", "", REJECT("511 Listed twice"), ERR,
	  { .block = "Listed" }, VERDICT_NOT_A_TRIGGER, REASON_OTHER_REPLY },
	{ "not listed", "", REJECT("511 Listed"), ERR, { .tls = false },
	  VERDICT_NOT_A_TRIGGER, REASON_NOT_LISTED },
	{ "not listed, with BLOCK_IP", "", REJECT("511 Listed"), ERR,
	  { .block_ip = "127.0.0.2" }, VERDICT_NOT_A_TRIGGER, REASON_NOT_LISTED },
	{ "BLOCK_IP 127.0.0.1", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "127.0.0.1" },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "BLOCK_IP 127.255.254.9", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "127.255.254.9" },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "BLOCK_IP 127.254.255.9", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "127.254.255.9" },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "BLOCK_IP mapped", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "::ffff:127.0.0.2" },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "BLOCK_IP 127.255.255.0", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "127.255.255.0" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "BLOCK_IP 127.255.255.254", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "127.255.255.254" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "BLOCK_IP 1.2.3.4", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "1.2.3.4" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "BLOCK_IP 128.0.0.2", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "128.0.0.2" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "BLOCK_IP IPv6", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "7f00:2::1" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "BLOCK_IP garbage", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "127.0.0.2 x" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "BLOCK_IP empty", "", REJECT("511 L"), ERR,
	  { .block = "L", .block_ip = "" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "DNSBL error and another reply", "", REJECT("550 User unknown"), ERR,
	  { .block = "L", .block_ip = "1.2.3.4" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "dropped", "", DROPPED, WARNING, { .block = "L" },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dropped, not listed", "", DROPPED, WARNING, { .tls = false },
	  VERDICT_NOT_A_TRIGGER, REASON_NOT_LISTED },
	{ "dropped, DNSBL error", "", DROPPED, WARNING,
	  { .block = "L", .block_ip = "127.255.255.254" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "relay client", "", REJECT("511 Listed"), ERR,
	  { .block = "Listed", .relay_client = true },
	  VERDICT_EXEMPT, REASON_RELAY_CLIENT },

	{ "connect, listed", "trigger=connect", STARTED, INFO,
	  { .block = "Listed", .block_ip = "127.0.0.2" },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "connect, 511", "trigger=connect", STARTED, INFO,
	  { .block = "511 Listed" }, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "connect, not listed", "trigger=connect", STARTED, INFO,
	  { .tls = true }, VERDICT_NOT_A_TRIGGER, REASON_NOT_LISTED },
	{ "connect, 451", "trigger=connect", STARTED, INFO,
	  { .block = "451 Come again" }, VERDICT_NOT_A_TRIGGER, REASON_TEMPORARY },
	{ "connect, 451 alone", "trigger=connect", STARTED, INFO,
	  { .block = "451" }, VERDICT_NOT_A_TRIGGER, REASON_TEMPORARY },
	{ "connect, 4 digits", "trigger=connect", STARTED, INFO,
	  { .block = "4510 hosts of this net" },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "connect, 2 digits", "trigger=connect", STARTED, INFO,
	  { .block = "45 hosts of this net" }, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "connect, 351", "trigger=connect", STARTED, INFO,
	  { .block = "351 x" }, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "connect, DNSBL error", "trigger=connect", STARTED, INFO,
	  { .block = "L", .block_ip = "127.255.255.254" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "connect, DNSBL error, 451", "trigger=connect", STARTED, INFO,
	  { .block = "451 L", .block_ip = "1.2.3.4" },
	  VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR },
	{ "connect, relay client", "trigger=connect", STARTED, INFO,
	  { .block = "L", .relay_client = true },
	  VERDICT_EXEMPT, REASON_RELAY_CLIENT },

	{ "reject, not listed", "trigger=reject", REJECT("550 x"), ERR,
	  { .tls = false }, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "reject, relay client", "trigger=reject", REJECT("550 x"), ERR,
	  { .relay_client = true }, VERDICT_EXEMPT, REASON_RELAY_CLIENT },
	{ "auth, DNSBL error", "trigger=auth", ERROR("535 x"), INFO,
	  { .block = "L", .block_ip = "1.2.3.4" },
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "auth, relay client", "trigger=auth", ERROR("535 x"), INFO,
	  { .relay_client = true }, VERDICT_EXEMPT, REASON_RELAY_CLIENT },
	{ "relay, not listed", "trigger=relay", REJECT("513 x"), ERR,
	  { .tls = false }, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "relay, relay client", "trigger=relay", REJECT("513 x"), ERR,
	  { .relay_client = true }, VERDICT_EXEMPT, REASON_RELAY_CLIENT },
	{ "protocol, not listed", "trigger=protocol", ERROR("502 x"), INFO,
	  { .tls = false }, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "protocol, relay client", "trigger=protocol", ERROR("502 x"), INFO,
	  { .relay_client = true }, VERDICT_EXEMPT, REASON_RELAY_CLIENT },
};

TEST_ROWS(child, child_rows)
{
	struct courierlog_line l = scan(row->text, row->severity);
	struct settings s;

	prepare(&s, row->set);
	want_decision(policy_judge_line(&s, &l, row->severity, 0), VERDICT_BLOCK,
		      REASON_TRIGGERED);
	want_decision(policy_judge_child(&s, &l, &row->facts), row->verdict,
		      row->reason);
	settings_done(&s);
}

/* A line without an smtpd as proof. */
static const struct reply_row {
	const char *label, *set, *text;
	int severity;
	enum verdict verdict;
	enum reason reason;
} reply_rows[] = {
	{ "dnsbl, 511", "verify=none", REJECT("511 Listed"), ERR,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, 550", "verify=none", REJECT("550 User unknown"), ERR,
	  VERDICT_NOT_A_TRIGGER, REASON_PATTERN },
	{ "dnsbl, 511 in client text", "verify=none",
	  RELAY ",from=<511 x@y.example>: 550 User unknown", ERR,
	  VERDICT_NOT_A_TRIGGER, REASON_PATTERN },
	{ "dnsbl, own expression", "verify=none replyPattern=^55[04].*list",
	  REJECT("554 See our list"), ERR, VERDICT_BLOCK, REASON_TRIGGERED },
	{ "dnsbl, not the own expression", "verify=none replyPattern=^55[04]",
	  REJECT("511 Listed"), ERR, VERDICT_NOT_A_TRIGGER, REASON_PATTERN },
	{ "dnsbl, only the reply is matched", "verify=none replyPattern=relay",
	  REJECT("511 Listed"), ERR, VERDICT_NOT_A_TRIGGER, REASON_PATTERN },
	{ "dnsbl, catastrophic", "verify=none replyPattern=(x+x+)+[yz]",
	  REJECT("511 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
	  ERR, VERDICT_NOT_A_TRIGGER, REASON_PATTERN_LIMIT },
	{ "dnsbl, dropped", "verify=none", DROPPED, WARNING,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "reject, no 511", "trigger=reject verify=none", REJECT("550 x"), ERR,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "auth", "trigger=auth verify=none", ERROR("535 x"), INFO,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "relay", "trigger=relay verify=none", REJECT("513 x"), ERR,
	  VERDICT_BLOCK, REASON_TRIGGERED },
	{ "protocol", "trigger=protocol verify=none", ERROR("502 x"), INFO,
	  VERDICT_BLOCK, REASON_TRIGGERED },
};

TEST_ROWS(reply, reply_rows)
{
	struct courierlog_line l = scan(row->text, row->severity);
	struct reply_regex_scratch *scratch = NULL;
	struct settings s;

	prepare(&s, row->set);
	want_int(reply_regex_scratch_new(s.reply_pattern, &scratch), 0);
	want_decision(policy_judge_line(&s, &l, row->severity, 0), VERDICT_BLOCK,
		      REASON_TRIGGERED);
	want_decision(policy_judge_reply(&s, &l, scratch), row->verdict,
		      row->reason);
	reply_regex_scratch_free(scratch);
	settings_done(&s);
}

TEST(only_dnsbl_needs_confirmation)
{
	static const char *const others[] = { "reject", "connect", "auth", "relay",
					      "protocol" };
	char wrong[256];
	struct settings s;
	size_t i;

	prepare(&s, "trigger=dnsbl");
	want_int(policy_wants_confirmation(&s), true);
	for (i = 0; i < COUNT_OF(others); i++) {
		want_int(settings_set(&s, "trigger", others[i], wrong,
				      sizeof(wrong)), 0);
		want_int(policy_wants_confirmation(&s), false);
	}
	settings_done(&s);
}

/* Verdicts of other files, with a phrase of this file. */
static bool is_given_elsewhere(int reason)
{
	return reason == REASON_OWN_ADDRESS ||
	       reason == REASON_ALLOWED_NEIGHBOUR ||
	       reason == REASON_BELOW_THRESHOLD ||
	       reason == REASON_REPEATED || reason == REASON_BUDGET;
}

static bool is_in_tables(int reason)
{
	size_t i;

	for (i = 0; i < COUNT_OF(line_rows); i++)
		if ((int)line_rows[i].reason == reason)
			return true;
	for (i = 0; i < COUNT_OF(child_rows); i++)
		if ((int)child_rows[i].reason == reason)
			return true;
	for (i = 0; i < COUNT_OF(reply_rows); i++)
		if ((int)reply_rows[i].reason == reason)
			return true;
	return false;
}

TEST(each_reason_is_tested)
{
	int i;

	for (i = 0; i < REASON_COUNT; i++) {
		if (is_in_tables(i) || is_given_elsewhere(i))
			continue;
		print_message("# no row has reason %d: %s\n", i,
			      policy_reason_text((enum reason)i));
		fail();
	}
}

/* Each is a short phrase, and none is used twice: reports are distinguished by it. */
TEST(each_reason_has_a_text)
{
	int i, j;

	for (i = 0; i < REASON_COUNT; i++) {
		const char *text = policy_reason_text((enum reason)i);

		assert_non_null(text);
		want_int(strlen(text) > 5 && strlen(text) < 60, true);
		for (j = 0; j < i; j++)
			assert_string_not_equal(text,
						policy_reason_text((enum reason)j));
	}
}
