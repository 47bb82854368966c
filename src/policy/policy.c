/* Decides what is blocked: lines, processes and settings in, a verdict out.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <errno.h>
#include <string.h>

static struct decision answer(enum verdict verdict, enum reason reason)
{
	const struct decision d = { .verdict = verdict, .reason = reason };

	return d;
}

/* syslog(3)'s severity of courier's -drop line. */
#define WARNING 4

/* A kind of line that a trigger acts on. */
struct shape {
	enum trigger trigger;
	enum courierlog_kind kind;
	int severity;
	uint16_t low, high;	/* range of reply codes; 0: no code */
};

static const struct shape shapes[] = {
	{ TRIGGER_DNSBL, COURIERLOG_REJECT, COURIERLOG_SEVERITY_ERR, 500, 599 },
	{ TRIGGER_DNSBL, COURIERLOG_DROPPED, WARNING, 0, 0 },
	{ TRIGGER_REJECT, COURIERLOG_REJECT, COURIERLOG_SEVERITY_ERR, 500, 599 },
	{ TRIGGER_CONNECT, COURIERLOG_STARTED, COURIERLOG_SEVERITY_INFO, 0, 0 },
	{ TRIGGER_AUTH, COURIERLOG_ERROR, COURIERLOG_SEVERITY_INFO, 535, 535 },
	{ TRIGGER_RELAY, COURIERLOG_REJECT, COURIERLOG_SEVERITY_ERR, 513, 513 },
	{ TRIGGER_PROTOCOL, COURIERLOG_ERROR, COURIERLOG_SEVERITY_INFO, 502, 502 },
};

static const struct shape *find_shape(const struct settings *settings,
				      enum courierlog_kind kind)
{
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if ((int)shapes[i].trigger == settings->trigger &&
		    shapes[i].kind == kind)
			return &shapes[i];
	return NULL;
}

static struct decision judge_shape(const struct settings *settings,
				   const struct courierlog_line *line,
				   int severity)
{
	const struct shape *s = find_shape(settings, line->kind);

	if (!s)
		return answer(VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER);
	if (severity != COURIERLOG_SEVERITY_ANY && severity != s->severity)
		return answer(VERDICT_NOT_A_TRIGGER, REASON_SEVERITY);
	if (line->code >= 400 && line->code < 500)
		return answer(VERDICT_NOT_A_TRIGGER, REASON_TEMPORARY);
	if (line->code < s->low || line->code > s->high)
		return answer(VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER);
	return answer(VERDICT_BLOCK, REASON_TRIGGERED);
}

struct decision policy_judge_address(const struct settings *settings,
				     const struct addr *addr)
{
	if (!addr_is_peer(addr))
		return answer(VERDICT_EXEMPT, REASON_NOT_A_PEER);
	if (prefix_set_contains(settings->allow, addr))
		return answer(VERDICT_EXEMPT, REASON_ALLOW_LIST);
	return answer(VERDICT_BLOCK, REASON_TRIGGERED);
}

struct decision policy_judge_line(const struct settings *settings,
				  const struct courierlog_line *line,
				  int severity, int64_t age)
{
	struct decision d = judge_shape(settings, line, severity);

	if (d.verdict != VERDICT_BLOCK)
		return d;
	if (age > (int64_t)settings->ban_time)
		return answer(VERDICT_NOT_A_TRIGGER, REASON_OLD);
	return policy_judge_address(settings, &line->addr);
}

/* Large DNSBLs return 127.255.255.x to resolvers that they do not serve, and a captured or
 * expired zone returns any address: neither is a listing. RFC 5782 2.1: listings are in
 * 127.0.0.0/8. */
static bool is_listing(const char *block_ip)
{
	struct addr a;

	if (addr_parse(block_ip, strlen(block_ip), &a) < 0)
		return false;
	return a.family == ADDR_IPV4 && a.bytes[0] == 127 &&
	       !(a.bytes[1] == 255 && a.bytes[2] == 255);
}

/* Is the peer listed, according to courier and to is_listing()? */
static struct decision judge_listing(const struct smtpd_facts *facts)
{
	if (!facts->block)
		return answer(VERDICT_NOT_A_TRIGGER, REASON_NOT_LISTED);
	if (facts->block_ip && !is_listing(facts->block_ip))
		return answer(VERDICT_NOT_A_TRIGGER, REASON_DNSBL_ERROR);
	return answer(VERDICT_BLOCK, REASON_TRIGGERED);
}

/* Does the BLOCK text begin with a 4xx code, which courier then sends instead of 511? */
static bool is_temporary(const char *block)
{
	return block[0] == '4' && strspn(block, "0123456789") == 3;
}

static struct decision judge_connect(const struct smtpd_facts *facts)
{
	struct decision d = judge_listing(facts);

	if (d.verdict == VERDICT_BLOCK && is_temporary(facts->block))
		return answer(VERDICT_NOT_A_TRIGGER, REASON_TEMPORARY);
	return d;
}

bool policy_quotes_block(const struct courierlog_line *line, const struct smtpd_facts *facts)
{
	return facts->block && courierlog_reply_is(line->reply, line->reply_len, facts->block);
}

/* Replies that a customer on the way to a login may get: a command out of order, a wrong
 * password. */
static bool precedes_login(uint16_t code)
{
	return code == 502 || code == 535;
}

static struct decision judge_dnsbl(const struct courierlog_line *line,
				   const struct smtpd_facts *facts)
{
	struct decision d = judge_connect(facts);

	if (d.verdict == VERDICT_BLOCK && line->kind == COURIERLOG_REJECT &&
	    precedes_login(line->code) && !policy_quotes_block(line, facts))
		return answer(VERDICT_NOT_A_TRIGGER, REASON_OTHER_REPLY);
	return d;
}

struct decision policy_judge_child(const struct settings *settings,
				   const struct courierlog_line *line,
				   const struct smtpd_facts *facts)
{
	if (facts->relay_client)
		return answer(VERDICT_EXEMPT, REASON_RELAY_CLIENT);
	if (settings->trigger == TRIGGER_CONNECT)
		return judge_connect(facts);
	if (settings->trigger == TRIGGER_DNSBL)
		return judge_dnsbl(line, facts);
	return answer(VERDICT_BLOCK, REASON_TRIGGERED);
}

struct decision policy_judge_session(const struct settings *settings, const struct addr *addr,
				     const struct smtpd_facts *facts)
{
	struct decision d;

	if (facts->relay_client)
		return answer(VERDICT_EXEMPT, REASON_RELAY_CLIENT);
	d = judge_connect(facts);
	return d.verdict == VERDICT_BLOCK ? policy_judge_address(settings, addr) : d;
}

const char *policy_rule_word(enum rule rule)
{
	static const char *const words[RULE_COUNT] = {
		[RULE_LINE] = "line",
		[RULE_NO_LOGIN] = "no-login",
		[RULE_REFUSED] = "refused",
		[RULE_SIBLING] = "sibling",
		[RULE_PRESSURE] = "pressure",
	};

	return words[rule];
}

enum session_proof policy_wanted_proof(const struct settings *settings,
				       const struct courierlog_line *line,
				       const struct smtpd_facts *facts, bool attested)
{
	/* Where no login is offered there is none. */
	if (!policy_wants_confirmation(settings) || !facts->offers_login)
		return SESSION_PROOF_NONE;
	if (!attested)
		return SESSION_PROOF_MAIL;
	return policy_quotes_block(line, facts) ? SESSION_PROOF_NONE : SESSION_PROOF_SUBMIT;
}

bool policy_wants_confirmation(const struct settings *settings)
{
	return settings->trigger == TRIGGER_DNSBL;
}

struct decision policy_judge_reply(const struct settings *settings,
				   const struct courierlog_line *line,
				   struct reply_regex_scratch *scratch)
{
	int r;

	/* A -drop line is only logged for a connection that had BLOCK. */
	if (settings->trigger != TRIGGER_DNSBL ||
	    line->kind == COURIERLOG_DROPPED)
		return answer(VERDICT_BLOCK, REASON_TRIGGERED);
	r = reply_regex_match(settings->reply_pattern, scratch, line->reply, line->reply_len);
	if (r > 0)
		return answer(VERDICT_BLOCK, REASON_TRIGGERED);
	if (r == -EOVERFLOW)
		return answer(VERDICT_NOT_A_TRIGGER, REASON_PATTERN_LIMIT);
	return answer(VERDICT_NOT_A_TRIGGER, REASON_PATTERN);
}

const char *policy_reason_text(enum reason reason)
{
	static const char *const texts[REASON_COUNT] = {
		[REASON_TRIGGERED] = "trigger",
		[REASON_NO_TRIGGER] = "not a line that the trigger is about",
		[REASON_SEVERITY] = "not logged with the severity of such a line",
		[REASON_TEMPORARY] = "a temporary reject",
		[REASON_OLD] = "older than banTime",
		[REASON_NOT_A_PEER] = "a loopback, link-local or reserved address",
		[REASON_OWN_ADDRESS] = "an address of this host or its gateway",
		[REASON_ALLOW_LIST] = "on the allow list",
		[REASON_ALLOWED_NEIGHBOUR] = "in a prefix with an allowed address",
		[REASON_RELAY_CLIENT] = "a relay client",
		[REASON_NOT_LISTED] = "not listed by a DNSBL",
		[REASON_DNSBL_ERROR] = "the DNSBL's answer is no listing",
		[REASON_OTHER_REPLY] = "rejected for another reason than the DNSBL",
		[REASON_PATTERN] = "the reply does not match replyPattern",
		[REASON_PATTERN_LIMIT] = "replyPattern took too many steps",
		[REASON_BELOW_THRESHOLD] = "below the threshold",
		[REASON_REPEATED] = "its child is being ended already",
		[REASON_BUDGET] = "more than maxBlocks in this interval",
	};

	return texts[reason];
}
