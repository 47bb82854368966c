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

/* Of each point. */
static struct settings s;

static void before(void)
{
	want_int(settings_init(&s), 0);
}

static void after(void)
{
	settings_done(&s);
}

TEST_EACH(before, after)

static void prepare(const char *text)
{
	char wrong[256] = "";

	support_set(&s, text);
	want_int(settings_check(&s, wrong, sizeof(wrong)), 0);
	want_str(wrong, "");
}

static struct courierlog_line scan(const char *text, int severity)
{
	struct courierlog_line line;

	courierlog_scan(text, strlen(text), severity, &line);
	return line;
}

static void want_decision(struct decision got, enum verdict verdict, enum reason reason)
{
	want_str(policy_reason_text(got.reason), policy_reason_text(reason));
	want_int(got.verdict, verdict);
}

/* What becomes of a line. */
#define BLOCKED VERDICT_BLOCK, REASON_TRIGGERED
#define IGNORED(reason) VERDICT_NOT_A_TRIGGER, REASON_##reason
#define EXEMPT(reason) VERDICT_EXEMPT, REASON_##reason

/* A line alone. */
static const struct line_row {
	const char *label, *set, *text;
	int severity;
	int64_t age;
	enum verdict verdict;
	enum reason reason;
} line_rows[] = {
	{ "dnsbl, 511", "", REJECT("511 Listed"), ERR, 0, BLOCKED },
	{ "dnsbl, 550", "", REJECT("550 User unknown"), ERR, 0, BLOCKED },
	{ "dnsbl, 500", "", REJECT("500 x"), ERR, 0, BLOCKED },
	{ "dnsbl, 599", "", REJECT("599 x"), ERR, 0, BLOCKED },
	{ "dnsbl, 600", "", REJECT("600 x"), ERR, 0, IGNORED(NO_TRIGGER) },
	{ "dnsbl, 499", "", REJECT("499 x"), ERR, 0, IGNORED(TEMPORARY) },
	{ "dnsbl, 400", "", REJECT("400 x"), ERR, 0, IGNORED(TEMPORARY) },
	{ "dnsbl, 399", "", REJECT("399 x"), ERR, 0, IGNORED(NO_TRIGGER) },
	{ "dnsbl, 451", "", REJECT("451 Listed, come again"), ERR, 0, IGNORED(TEMPORARY) },
	{ "dnsbl, line of a file", "", REJECT("511 Listed"), ANY, 0, BLOCKED },
	{ "dnsbl, without port", "", "error,relay=198.51.100.7" CLIENT "511 Listed", ERR, 0,
	  BLOCKED },
	{ "dnsbl, IPv6", "", FROM("2001:db8::7"), ERR, 0, BLOCKED },
	{ "dnsbl, severity crit", "", REJECT("511 Listed"), 2, 0, IGNORED(SEVERITY) },
	{ "dnsbl, severity info", "", REJECT("511 Listed"), INFO, 0, IGNORED(NO_TRIGGER) },
	{ "dnsbl, dropped", "", DROPPED, WARNING, 0, BLOCKED },
	{ "dnsbl, dropped, line of a file", "", DROPPED, ANY, 0, BLOCKED },
	{ "dnsbl, dropped, severity err", "", DROPPED, ERR, 0, IGNORED(SEVERITY) },
	{ "dnsbl, started", "", STARTED, INFO, 0, IGNORED(NO_TRIGGER) },
	{ "dnsbl, error form", "", ERROR("511 Listed"), INFO, 0, IGNORED(NO_TRIGGER) },
	{ "dnsbl, pressure", "", "300 maximum active connections.", 1, 0, IGNORED(NO_TRIGGER) },
	{ "dnsbl, another line", "", "submitclient: EOF", ERR, 0, IGNORED(NO_TRIGGER) },
	{ "dnsbl, unknown form", "", "error,relay=x: 511 Listed", ERR, 0, IGNORED(NO_TRIGGER) },

	{ "reject, 550", "trigger=reject", REJECT("550 User unknown"), ERR, 0, BLOCKED },
	{ "reject, 450", "trigger=reject", REJECT("450 Greylisted"), ERR, 0, IGNORED(TEMPORARY) },
	{ "reject, dropped", "trigger=reject", DROPPED, WARNING, 0, IGNORED(NO_TRIGGER) },
	{ "reject, severity emerg", "trigger=reject", REJECT("550 x"), 0, 0, IGNORED(SEVERITY) },

	{ "connect, started", "trigger=connect", STARTED, INFO, 0, BLOCKED },
	{ "connect, started of old", "trigger=connect", "started,ip=[::ffff:198.51.100.7]", INFO, 0,
	  BLOCKED },
	{ "connect, severity err", "trigger=connect", STARTED, ERR, 0, IGNORED(SEVERITY) },
	{ "connect, reject", "trigger=connect", REJECT("511 Listed"), ERR, 0, IGNORED(NO_TRIGGER) },

	{ "auth, 535", "trigger=auth", ERROR("535 Authentication failed."), INFO, 0, BLOCKED },
	{ "auth, 534", "trigger=auth", ERROR("534 x"), INFO, 0, IGNORED(NO_TRIGGER) },
	{ "auth, 536", "trigger=auth", ERROR("536 x"), INFO, 0, IGNORED(NO_TRIGGER) },
	{ "auth, 454", "trigger=auth", ERROR("454 TLS first"), INFO, 0, IGNORED(TEMPORARY) },
	{ "auth, severity notice", "trigger=auth", ERROR("535 x"), 5, 0, IGNORED(SEVERITY) },
	{ "auth, 535 in a reject", "trigger=auth", REJECT("535 x"), ERR, 0, IGNORED(NO_TRIGGER) },

	{ "relay, 513", "trigger=relay", REJECT("513 Relaying denied."), ERR, 0, BLOCKED },
	{ "relay, 511", "trigger=relay", REJECT("511 Listed"), ERR, 0, IGNORED(NO_TRIGGER) },
	{ "relay, 514", "trigger=relay", REJECT("514 x"), ERR, 0, IGNORED(NO_TRIGGER) },
	{ "relay, 513 in the error form", "trigger=relay", ERROR("513 x"), INFO,
	  0, IGNORED(NO_TRIGGER) },

	{ "protocol, 502", "trigger=protocol", ERROR("502 ESMTP command error"), INFO, 0, BLOCKED },
	{ "protocol, 501", "trigger=protocol", ERROR("501 x"), INFO, 0, IGNORED(NO_TRIGGER) },
	{ "protocol, 503", "trigger=protocol", ERROR("503 x"), INFO, 0, IGNORED(NO_TRIGGER) },
	{ "protocol, 502 in a reject", "trigger=protocol", REJECT("502 x"), ERR,
	  0, IGNORED(NO_TRIGGER) },

	{ "as old as banTime", "", REJECT("511 Listed"), ERR, 600, BLOCKED },
	{ "older than banTime", "", REJECT("511 Listed"), ERR, 601, IGNORED(OLD) },
	{ "older than a short banTime", "banTime=1", REJECT("511 Listed"), ERR, 2, IGNORED(OLD) },
	{ "from the future", "", REJECT("511 Listed"), ERR, -3600, BLOCKED },
	{ "old and temporary", "", REJECT("451 x"), ERR, 9999, IGNORED(TEMPORARY) },
	{ "old and allowed", "allow=198.51.100.7", REJECT("511 x"), ERR, 9999, IGNORED(OLD) },

	{ "loopback", "", FROM("::ffff:127.0.0.1"), ERR, 0, EXEMPT(NOT_A_PEER) },
	{ "loopback, IPv6", "", FROM("::1"), ERR, 0, EXEMPT(NOT_A_PEER) },
	{ "unspecified", "", FROM("::ffff:0.0.0.0"), ERR, 0, EXEMPT(NOT_A_PEER) },
	{ "multicast", "", FROM("224.0.0.1"), ERR, 0, EXEMPT(NOT_A_PEER) },
	{ "multicast, IPv6", "", FROM("ff02::1"), ERR, 0, EXEMPT(NOT_A_PEER) },
	{ "broadcast", "", FROM("255.255.255.255"), ERR, 0, EXEMPT(NOT_A_PEER) },
	{ "allowed", "allow=198.51.100.0/24", REJECT("511 Listed"), ERR, 0, EXEMPT(ALLOW_LIST) },
	{ "allowed, first of the prefix", "allow=198.51.100.7/32",
	  REJECT("511 Listed"), ERR, 0, EXEMPT(ALLOW_LIST) },
	{ "allowed, IPv6", "allow=2001:db8::/32", FROM("2001:db8::7"), ERR, 0, EXEMPT(ALLOW_LIST) },
	{ "beside what is allowed", "allow=198.51.101.0/24",
	  REJECT("511 Listed"), ERR, 0, BLOCKED },
	{ "allowed, other trigger", "allow=198.51.100.7 trigger=connect",
	  STARTED, INFO, 0, EXEMPT(ALLOW_LIST) },
};

TEST_ROWS(line, line_rows)
{
	struct courierlog_line l = scan(row->text, row->severity);

	prepare(row->set);
	want_decision(policy_judge_line(&s, &l, row->severity, row->age),
		      row->verdict, row->reason);
}

/* Decisions made elsewhere come without severity, age and reply. */
TEST(address)
{
	const struct addr peer = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } };
	const struct addr allowed = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 8 } };
	const struct addr own = { .family = ADDR_IPV4, .bytes = { 127, 0, 0, 1 } };

	prepare("allow=192.0.2.8 allow=127.0.0.0/8");
	want_decision(policy_judge_address(&s, &peer), BLOCKED);
	want_decision(policy_judge_address(&s, &allowed), EXEMPT(ALLOW_LIST));
	want_decision(policy_judge_address(&s, &own), EXEMPT(NOT_A_PEER));
}

#define B10 "0123456789"
#define B120 B10 B10 B10 B10 B10 B10 B10 B10 B10 B10 B10 B10
/* courier cuts a reply at 128 characters: "511 " and 124 of the message. */
#define B124 B120 "abcd"
#define CUT "511 " B124 "..."

#define LISTED(text, ip) { .block = text, .block_ip = ip }

/* A line and the environment of the smtpd that serves its peer. */
static const struct child_row {
	const char *label, *set, *text;
	int severity;
	struct smtpd_facts facts;
	enum verdict verdict;
	enum reason reason;
} child_rows[] = {
	{ "the same text", "", REJECT("550 Listed"), ERR, { .block = "550 Listed" }, BLOCKED },
	{ "511 in front", "", REJECT("511 Listed"), ERR, LISTED("Listed", "127.0.0.2"), BLOCKED },
	{ "cut", "", REJECT(CUT), ERR, { .block = B124 "efgh" }, BLOCKED },
	{ "just not cut", "", REJECT("511 " B124), ERR, { .block = B124 }, BLOCKED },
	{ "cut, where nothing was to cut", "", REJECT(CUT), ERR,
	  { .block = B124 }, BLOCKED },
	{ "cut, another message", "", REJECT(CUT), ERR,
	  { .block = B120 "abcXefgh" }, BLOCKED },
	{ "another code", "", REJECT("550 Listed"), ERR, { .block = "Listed" },
	  BLOCKED },
	{ "a customer who logged in", "", REJECT("550 User unknown"), ERR,
	  LISTED("Listed", "127.0.0.2"), BLOCKED },
	{ "a relay attempt", "", REJECT("513 Relaying denied."), ERR,
	  LISTED("Listed", "127.0.0.2"), BLOCKED },
	{ "a wrong password", "", REJECT("535 Authentication failed."), ERR,
	  { .block = "Listed" }, IGNORED(OTHER_REPLY) },
	{ "a command out of order", "", REJECT("502 ESMTP command error"), ERR,
	  { .block = "Listed" }, IGNORED(OTHER_REPLY) },
	{ "a listing with that code", "", REJECT("535 Listed"), ERR,
	  { .block = "535 Listed" }, BLOCKED },
	{ "another reply, a temporary listing", "", REJECT("513 Relaying denied."), ERR,
	  { .block = "451 Listed" }, IGNORED(TEMPORARY) },
	{ "another reply, not listed", "", REJECT("513 Relaying denied."), ERR,
	  { .tls = false }, IGNORED(NOT_LISTED) },
	{ "only the beginning", "", REJECT("511 Liste"), ERR,
	  { .block = "Listed" }, BLOCKED },
	{ "more than it", "", REJECT("511 Listed twice"), ERR,
	  { .block = "Listed" }, BLOCKED },
	{ "not listed", "", REJECT("511 Listed"), ERR, { .tls = false }, IGNORED(NOT_LISTED) },
	{ "not listed, with BLOCK_IP", "", REJECT("511 Listed"), ERR,
	  { .block_ip = "127.0.0.2" }, IGNORED(NOT_LISTED) },
	{ "DNSBL error and another reply", "", REJECT("550 User unknown"), ERR,
	  LISTED("L", "1.2.3.4"), IGNORED(DNSBL_ERROR) },
	{ "dropped", "", DROPPED, WARNING, { .block = "L" }, BLOCKED },
	{ "dropped, not listed", "", DROPPED, WARNING, { .tls = false }, IGNORED(NOT_LISTED) },
	{ "dropped, DNSBL error", "", DROPPED, WARNING, LISTED("L", "127.255.255.254"),
	  IGNORED(DNSBL_ERROR) },
	{ "relay client", "", REJECT("511 Listed"), ERR,
	  { .block = "Listed", .relay_client = true }, EXEMPT(RELAY_CLIENT) },

	{ "connect, listed", "trigger=connect", STARTED, INFO, LISTED("Listed", "127.0.0.2"),
	  BLOCKED },
	{ "connect, 511", "trigger=connect", STARTED, INFO, { .block = "511 Listed" }, BLOCKED },
	{ "connect, not listed", "trigger=connect", STARTED, INFO,
	  { .tls = true }, IGNORED(NOT_LISTED) },
	{ "connect, 451", "trigger=connect", STARTED, INFO,
	  { .block = "451 Come again" }, IGNORED(TEMPORARY) },
	{ "connect, 451 alone", "trigger=connect", STARTED, INFO,
	  { .block = "451" }, IGNORED(TEMPORARY) },
	{ "connect, 4 digits", "trigger=connect", STARTED, INFO,
	  { .block = "4510 hosts of this net" }, BLOCKED },
	{ "connect, 2 digits", "trigger=connect", STARTED, INFO,
	  { .block = "45 hosts of this net" }, BLOCKED },
	{ "connect, 351", "trigger=connect", STARTED, INFO, { .block = "351 x" }, BLOCKED },
	{ "connect, DNSBL error", "trigger=connect", STARTED, INFO, LISTED("L", "127.255.255.254"),
	  IGNORED(DNSBL_ERROR) },
	{ "connect, DNSBL error, 451", "trigger=connect", STARTED, INFO, LISTED("451 L", "1.2.3.4"),
	  IGNORED(DNSBL_ERROR) },
	{ "connect, relay client", "trigger=connect", STARTED, INFO,
	  { .block = "L", .relay_client = true }, EXEMPT(RELAY_CLIENT) },

	{ "reject, not listed", "trigger=reject", REJECT("550 x"), ERR, { .tls = false }, BLOCKED },
	{ "reject, relay client", "trigger=reject", REJECT("550 x"), ERR,
	  { .relay_client = true }, EXEMPT(RELAY_CLIENT) },
	{ "auth, DNSBL error", "trigger=auth", ERROR("535 x"), INFO, LISTED("L", "1.2.3.4"),
	  BLOCKED },
	{ "auth, relay client", "trigger=auth", ERROR("535 x"), INFO,
	  { .relay_client = true }, EXEMPT(RELAY_CLIENT) },
	{ "relay, not listed", "trigger=relay", REJECT("513 x"), ERR, { .tls = false }, BLOCKED },
	{ "relay, relay client", "trigger=relay", REJECT("513 x"), ERR,
	  { .relay_client = true }, EXEMPT(RELAY_CLIENT) },
	{ "protocol, not listed", "trigger=protocol", ERROR("502 x"), INFO,
	  { .tls = false }, BLOCKED },
	{ "protocol, relay client", "trigger=protocol", ERROR("502 x"), INFO,
	  { .relay_client = true }, EXEMPT(RELAY_CLIENT) },
};

TEST_ROWS(child, child_rows)
{
	struct courierlog_line l = scan(row->text, row->severity);

	prepare(row->set);
	want_decision(policy_judge_line(&s, &l, row->severity, 0), BLOCKED);
	want_decision(policy_judge_child(&s, &l, &row->facts), row->verdict, row->reason);
}

/* A session without a line: the client is 192.0.2.7. */
static const struct session_row {
	const char *label;
	struct smtpd_facts facts;
	const char *set;
	enum verdict verdict;
	enum reason reason;
} session_rows[] = {
	{ "listed", LISTED("Listed", "127.0.0.2"), "", BLOCKED },
	{ "the admin's own list", { .block = "550 no" }, "", BLOCKED },
	{ "not listed", { .block = NULL }, "", IGNORED(NOT_LISTED) },
	{ "relay client", { .block = "Listed", .relay_client = true }, "",
	  EXEMPT(RELAY_CLIENT) },
	{ "temporary", { .block = "451 later" }, "", IGNORED(TEMPORARY) },
	{ "DNSBL error", LISTED("L", "127.255.255.254"), "", IGNORED(DNSBL_ERROR) },
	{ "allowed", { .block = "Listed" }, "allow=192.0.2.0/24", EXEMPT(ALLOW_LIST) },
};

TEST_ROWS(session, session_rows)
{
	const struct addr addr = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } };

	prepare(row->set);
	want_decision(policy_judge_session(&s, &addr, &row->facts), row->verdict,
		      row->reason);
}

TEST(each_rule_has_a_word)
{
	unsigned int rule;

	for (rule = 0; rule < RULE_COUNT; rule++)
		want_int(policy_rule_word((enum rule)rule) != NULL, true);
}

/* What has to be seen of the session before the line counts. */
static const struct proof_row {
	const char *label, *set, *text;
	bool offers_login, attested;
	enum session_proof want;
} proof_rows[] = {
	{ "courier's own word", "", REJECT("511 Listed"), true, true, SESSION_PROOF_NONE },
	{ "it may be to a customer", "", REJECT("550 User unknown"),
	  true, true, SESSION_PROOF_SUBMIT },
	{ "anybody's word", "", REJECT("511 Listed"), true, false, SESSION_PROOF_MAIL },
	{ "anybody's word, other reply", "", REJECT("513 x"), true, false, SESSION_PROOF_MAIL },
	{ "anybody's word, no login is offered", "", REJECT("511 Listed"),
	  false, false, SESSION_PROOF_NONE },
	{ "no login is offered, other reply", "", REJECT("550 User unknown"),
	  false, true, SESSION_PROOF_NONE },
	{ "another trigger", "trigger=reject", REJECT("550 x"), true, false, SESSION_PROOF_NONE },
};

TEST_ROWS(wanted_proof, proof_rows)
{
	const struct smtpd_facts facts = { .block = "Listed",
					   .offers_login = row->offers_login };
	struct courierlog_line l = scan(row->text, ERR);

	prepare(row->set);
	want_int(policy_wanted_proof(&s, &l, &facts, row->attested), row->want);
}

/* Addresses in BLOCK_IP: a DNSBL answers with 127.0.0.0/8, but for 127.255.255.0/24. */
static const struct listing_row {
	const char *label;
	bool is_listing;
} listing_rows[] = {
	{ "127.0.0.1", true },
	{ "127.255.254.9", true },
	{ "127.254.255.9", true },
	{ "::ffff:127.0.0.2", true },
	{ "127.255.255.0", false },
	{ "127.255.255.254", false },
	{ "1.2.3.4", false },
	{ "128.0.0.2", false },
	{ "7f00:2::1", false },
	{ "127.0.0.2 x", false },
	{ "", false },
};

TEST_ROWS(block_ip, listing_rows)
{
	const struct smtpd_facts facts = { .block = "L", .block_ip = row->label };
	const struct courierlog_line l = scan(REJECT("511 L"), ERR);
	const struct decision d = policy_judge_child(&s, &l, &facts);

	if (row->is_listing)
		want_decision(d, BLOCKED);
	else
		want_decision(d, IGNORED(DNSBL_ERROR));
}

/* A line without an smtpd as proof. */
static const struct reply_row {
	const char *label, *set, *text;
	int severity;
	enum verdict verdict;
	enum reason reason;
} reply_rows[] = {
	{ "dnsbl, 511", "verify=none", REJECT("511 Listed"), ERR, BLOCKED },
	{ "dnsbl, 550", "verify=none", REJECT("550 User unknown"), ERR, IGNORED(PATTERN) },
	{ "dnsbl, 511 in client text", "verify=none",
	  RELAY ",from=<511 x@y.example>: 550 User unknown", ERR, IGNORED(PATTERN) },
	{ "dnsbl, own expression", "verify=none replyPattern=^55[04].*list",
	  REJECT("554 See our list"), ERR, BLOCKED },
	{ "dnsbl, not the own expression", "verify=none replyPattern=^55[04]",
	  REJECT("511 Listed"), ERR, IGNORED(PATTERN) },
	{ "dnsbl, only the reply is matched", "verify=none replyPattern=relay",
	  REJECT("511 Listed"), ERR, IGNORED(PATTERN) },
	{ "dnsbl, catastrophic", "verify=none replyPattern=(x+x+)+[yz]",
	  REJECT("511 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
	  ERR, IGNORED(PATTERN_LIMIT) },
	{ "dnsbl, dropped", "verify=none", DROPPED, WARNING, BLOCKED },
	{ "reject, no 511", "trigger=reject verify=none", REJECT("550 x"), ERR, BLOCKED },
	{ "auth", "trigger=auth verify=none", ERROR("535 x"), INFO, BLOCKED },
	{ "relay", "trigger=relay verify=none", REJECT("513 x"), ERR, BLOCKED },
	{ "protocol", "trigger=protocol verify=none", ERROR("502 x"), INFO, BLOCKED },
};

TEST_ROWS(reply, reply_rows)
{
	struct courierlog_line l = scan(row->text, row->severity);
	struct reply_regex_scratch *scratch = NULL;

	prepare(row->set);
	want_int(reply_regex_scratch_new(s.reply_pattern, &scratch), 0);
	want_decision(policy_judge_line(&s, &l, row->severity, 0), BLOCKED);
	want_decision(policy_judge_reply(&s, &l, scratch), row->verdict, row->reason);
	reply_regex_scratch_free(scratch);
}

TEST(only_dnsbl_needs_confirmation)
{
	static const char *const others[] = {
		"trigger=reject", "trigger=connect", "trigger=auth", "trigger=relay",
		"trigger=protocol",
	};
	size_t i;

	want_int(policy_wants_confirmation(&s), true);
	for (i = 0; i < COUNT_OF(others); i++) {
		prepare(others[i]);
		want_int(policy_wants_confirmation(&s), false);
	}
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
			assert_string_not_equal(text, policy_reason_text((enum reason)j));
	}
}
