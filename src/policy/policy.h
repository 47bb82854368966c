/* Decides what is blocked: lines, processes and settings in, a verdict out. Pure: no system
 * call, no state.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_POLICY_H
#define SMTPBLOCK_POLICY_H

#include "courier/courierlog.h"
#include "courier/smtpd.h"
#include "policy/settings.h"

enum verdict {
	VERDICT_BLOCK,		/* nothing prevents it so far */
	VERDICT_NOT_A_TRIGGER,	/* the trigger does not act on this */
	VERDICT_EXEMPT,		/* never blocked */
	VERDICT_UNPROVEN,	/* the session could not be verified */
};

enum reason {
	REASON_TRIGGERED,
	REASON_NO_TRIGGER,	/* another kind of line, or reply code */
	REASON_SEVERITY,	/* not logged with courier's severity */
	REASON_TEMPORARY,	/* a 4xx: the sender may retry */
	REASON_OLD,		/* the line is older than banTime */
	REASON_NOT_A_PEER,	/* loopback, link-local, multicast, reserved */
	REASON_OWN_ADDRESS,	/* of this host or of a gateway */
	REASON_ALLOW_LIST,
	REASON_ALLOWED_NEIGHBOUR, /* the prefix has an exempt address in it */
	REASON_RELAY_CLIENT,
	REASON_NOT_LISTED,	/* the smtpd has no BLOCK */
	REASON_DNSBL_ERROR,	/* BLOCK_IP is not a listing: DNSBL error */
	REASON_OTHER_REPLY,	/* the reply is not about the listing, and may be to a customer */
	REASON_PATTERN,		/* the reply does not match replyPattern */
	REASON_PATTERN_LIMIT,	/* matching hit its limit */
	REASON_BELOW_THRESHOLD,	/* counted; the threshold is not reached */
	REASON_REPEATED,	/* already being terminated */
	REASON_BUDGET,		/* maxBlocks is used up */
	REASON_COUNT
};

/* Why a session is terminated. */
enum rule {
	RULE_LINE,		/* courier logged a line that triggers */
	RULE_NO_LOGIN,		/* it is listed, and courier offers it no login */
	RULE_REFUSED,		/* a recipient was refused; courier will log that later */
	RULE_SIBLING,		/* its address is blocked */
	RULE_PRESSURE,		/* listed sessions take too many slots */
	RULE_COUNT
};

struct decision {
	enum verdict verdict;
	enum reason reason;
};

/* The verdict on a line alone. severity is syslog's, or COURIERLOG_SEVERITY_ANY; age is in
 * seconds. VERDICT_BLOCK means: verify the session as settings->verify demands. Any thread. */
struct decision policy_judge_line(const struct settings *settings,
				  const struct courierlog_line *line,
				  int severity, int64_t age);

/* The verdict on an address alone: may it be blocked, according to the settings? */
struct decision policy_judge_address(const struct settings *settings,
				     const struct addr *addr);

/* The verdict on a line and the smtpd that serves its peer, after policy_judge_line() has
 * returned VERDICT_BLOCK. */
struct decision policy_judge_child(const struct settings *settings,
				   const struct courierlog_line *line,
				   const struct smtpd_facts *facts);

/* The verdict on a session of addr without a line: is it listed, and may it be terminated? */
struct decision policy_judge_session(const struct settings *settings, const struct addr *addr,
				     const struct smtpd_facts *facts);

/* The rule as a word, for events and logs: "line", "no-login", ... */
const char *policy_rule_word(enum rule rule);

/* What has to be seen of the session, besides its BLOCK, before the line counts. With
 * trigger="dnsbl" the BLOCK is no proof: after a login the smtpd still has it in its environment,
 * and anyone could log a line that quotes it. */
enum session_proof {
	SESSION_PROOF_NONE,		/* courier offers no login; or it wrote the line, which
					 * quotes the BLOCK */
	SESSION_PROOF_SUBMIT,		/* submit has the BLOCK, so nobody has logged in */
	SESSION_PROOF_MAIL,		/* and it has accepted MAIL, so nobody can log in now */
};

/* The proof for a line that policy_judge_child() lets pass. attested: the kernel says that this
 * smtpd wrote it. Without that, a line only counts if the client cannot log in any more. */
enum session_proof policy_wanted_proof(const struct settings *settings,
				       const struct courierlog_line *line,
				       const struct smtpd_facts *facts, bool attested);

/* Is the reply in the line the BLOCK of the session? */
bool policy_quotes_block(const struct courierlog_line *line, const struct smtpd_facts *facts);

/* Can policy_wanted_proof() return more than SESSION_PROOF_NONE? */
bool policy_wants_confirmation(const struct settings *settings);

/* The verdict on a line's reply, if no process can be read. scratch is the calling thread's. */
struct decision policy_judge_reply(const struct settings *settings,
				   const struct courierlog_line *line,
				   struct reply_regex_scratch *scratch);

/* The reason as a short phrase, for reports. */
const char *policy_reason_text(enum reason reason);

#endif
