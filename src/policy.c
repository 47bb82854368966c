/* Who is to be blocked: lines, processes and settings in, a verdict out.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <errno.h>
#include <string.h>

static struct decision decide(enum verdict verdict, enum reason reason)
{
	const struct decision d = { .verdict = verdict, .reason = reason };

	return d;
}

/* Both triggers go by the reject form. */
static struct decision judge_reply_code(const struct courierlog_line *line,
					int severity)
{
	if (line->kind != COURIERLOG_REJECT)
		return decide(VERDICT_IGNORE, REASON_NO_TRIGGER);
	if (severity != COURIERLOG_SEVERITY_ANY &&
	    severity != COURIERLOG_SEVERITY_ERR)
		return decide(VERDICT_IGNORE, REASON_SEVERITY);
	if (line->code >= 400 && line->code < 500)
		return decide(VERDICT_IGNORE, REASON_TEMPORARY);
	if (line->code < 500 || line->code > 599)
		return decide(VERDICT_IGNORE, REASON_NO_TRIGGER);
	return decide(VERDICT_BLOCK, REASON_TRIGGERED);
}

static struct decision judge_address(const struct settings *settings,
				     const struct addr *addr, bool own)
{
	if (!addr_is_peer(addr))
		return decide(VERDICT_ALLOWED, REASON_NOT_A_PEER);
	if (own)
		return decide(VERDICT_ALLOWED, REASON_OWN_ADDRESS);
	if (addrlist_contains(settings->allow, addr))
		return decide(VERDICT_ALLOWED, REASON_ALLOW_LIST);
	return decide(VERDICT_BLOCK, REASON_TRIGGERED);
}

struct decision policy_judge_line(const struct settings *settings,
				  const struct courierlog_line *line,
				  int severity, int64_t age, bool own)
{
	struct decision d = judge_reply_code(line, severity);

	if (d.verdict != VERDICT_BLOCK)
		return d;
	if (age > (int64_t)settings->ban_time)
		return decide(VERDICT_IGNORE, REASON_OLD);
	return judge_address(settings, &line->addr, own);
}

/* The large lists answer 127.255.255.0/24 to those they do not serve, and a
 * captured or expired zone answers with any address: neither says that the peer
 * is listed. RFC 5782 2.1: listings are in 127.0.0.0/8. */
static bool is_listing(const char *block_ip)
{
	struct addr a;

	if (addr_parse(block_ip, strlen(block_ip), &a) < 0)
		return false;
	return a.family == ADDR_IPV4 && a.bytes[0] == 127 &&
	       !(a.bytes[1] == 255 && a.bytes[2] == 255);
}

static struct decision judge_listing(const struct courierlog_line *line,
				     const struct child_facts *facts)
{
	if (!facts->block)
		return decide(VERDICT_IGNORE, REASON_NOT_LISTED);
	if (facts->block_ip && !is_listing(facts->block_ip))
		return decide(VERDICT_IGNORE, REASON_DNSBL_ERROR);
	if (!courierlog_reply_is(line->reply, line->reply_len, facts->block))
		return decide(VERDICT_IGNORE, REASON_OTHER_REPLY);
	return decide(VERDICT_BLOCK, REASON_TRIGGERED);
}

struct decision policy_judge_child(const struct settings *settings,
				   const struct courierlog_line *line,
				   const struct child_facts *facts)
{
	if (facts->relay_client)
		return decide(VERDICT_ALLOWED, REASON_RELAY_CLIENT);
	if (settings->trigger == TRIGGER_DNSBL)
		return judge_listing(line, facts);
	return decide(VERDICT_BLOCK, REASON_TRIGGERED);
}

struct decision policy_judge_reply(const struct settings *settings,
				   const struct courierlog_line *line,
				   struct pattern_scratch *scratch)
{
	int r;

	if (settings->trigger != TRIGGER_DNSBL)
		return decide(VERDICT_BLOCK, REASON_TRIGGERED);
	r = pattern_match(settings->reply_pattern, scratch, line->reply,
			  line->reply_len);
	if (r > 0)
		return decide(VERDICT_BLOCK, REASON_TRIGGERED);
	if (r == -EOVERFLOW)
		return decide(VERDICT_IGNORE, REASON_PATTERN_LIMIT);
	return decide(VERDICT_IGNORE, REASON_PATTERN);
}

const char *policy_reason_text(enum reason reason)
{
	static const char *const texts[REASON_COUNT] = {
		[REASON_TRIGGERED] = "trigger",
		[REASON_NO_TRIGGER] = "not a line that the trigger is about",
		[REASON_SEVERITY] = "not logged with severity err",
		[REASON_TEMPORARY] = "a temporary reject",
		[REASON_OLD] = "older than banTime",
		[REASON_NOT_A_PEER] = "an address nobody can connect from",
		[REASON_OWN_ADDRESS] = "an address of this host",
		[REASON_ALLOW_LIST] = "on the allow list",
		[REASON_RELAY_CLIENT] = "a relay client",
		[REASON_NOT_LISTED] = "not listed by a DNSBL",
		[REASON_DNSBL_ERROR] = "the DNSBL's answer is no listing",
		[REASON_OTHER_REPLY] = "rejected for another reason than the DNSBL",
		[REASON_PATTERN] = "the reply does not match replyPattern",
		[REASON_PATTERN_LIMIT] = "replyPattern took too many steps",
	};

	return texts[reason];
}
