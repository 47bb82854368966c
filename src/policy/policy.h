/* Who is to be blocked: lines, processes and settings in, a verdict out. Pure:
 * no system call, no state.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_POLICY_H
#define SMTPBLOCK_POLICY_H

#include "courier/courierlog.h"
#include "courier/smtpd.h"
#include "policy/settings.h"

enum verdict {
	VERDICT_BLOCK,		/* so far nothing speaks against it */
	VERDICT_NOT_A_TRIGGER,	/* not what the trigger is about */
	VERDICT_EXEMPT,		/* never blocked, whatever it does */
	VERDICT_UNPROVEN,	/* the proof is missing */
};

enum reason {
	REASON_TRIGGERED,
	REASON_NO_TRIGGER,	/* another kind of line, or another reply code */
	REASON_SEVERITY,	/* not logged with the severity courier gives it */
	REASON_TEMPORARY,	/* a 4xx: the sender may come again */
	REASON_OLD,		/* the line is older than banTime */
	REASON_NOT_A_PEER,	/* loopback, multicast, reserved */
	REASON_OWN_ADDRESS,
	REASON_ALLOW_LIST,
	REASON_ALLOWED_NEIGHBOUR, /* the prefix holds an address that is spared */
	REASON_RELAY_CLIENT,
	REASON_NOT_LISTED,	/* the child has no BLOCK */
	REASON_DNSBL_ERROR,	/* BLOCK_IP is no listing: the DNSBL has trouble */
	REASON_OTHER_REPLY,	/* the reply is not what BLOCK says */
	REASON_PATTERN,		/* the reply does not match replyPattern */
	REASON_PATTERN_LIMIT,	/* matching was given up */
	REASON_BELOW_THRESHOLD,	/* counted; not often enough yet */
	REASON_REPEATED,	/* its child is on its way to its end */
	REASON_BUDGET,		/* maxBlocks is used up */
	REASON_COUNT
};

struct decision {
	enum verdict verdict;
	enum reason reason;
};

/* What a line alone tells. severity is syslog's, or COURIERLOG_SEVERITY_ANY; age
 * is in seconds. VERDICT_BLOCK means: look for the proof that settings->verify
 * wants. Any thread. */
struct decision policy_judge_line(const struct settings *settings,
				  const struct courierlog_line *line,
				  int severity, int64_t age);

/* Is it an address that may be blocked at all, as far as the settings tell? */
struct decision policy_judge_address(const struct settings *settings,
				     const struct addr *addr);

/* What the child that serves the peer tells, for a line that was not stopped by
 * policy_judge_line(). */
struct decision policy_judge_child(const struct settings *settings,
				   const struct courierlog_line *line,
				   const struct smtpd_facts *facts);

/* Does the verdict rest on the line being courier's own, so that it wants
 * session_check_submit()? It does for trigger="dnsbl": after a login the child's BLOCK
 * says nothing any more, and a line that anybody wrote could repeat it. */
bool policy_wants_confirmation(const struct settings *settings);

/* What the reply tells where no child can be asked. scratch is the calling
 * thread's. */
struct decision policy_judge_reply(const struct settings *settings,
				   const struct courierlog_line *line,
				   struct reply_regex_scratch *scratch);

/* One short phrase, for reports. */
const char *policy_reason_text(enum reason reason);

#endif
