/* The order of the questions that lead to a verdict: the line, exempt addresses, the session
 * or the reply, addresses beside it in the prefix, limits. Used by the workers, by the
 * background thread and by smtpblockctl.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_DECISION_H
#define SMTPBLOCK_DECISION_H

#include "policy/allowfile.h"
#include "policy/block_limit.h"
#include "policy/local_addrs.h"
#include "policy/policy.h"
#include "policy/threshold.h"

/* What a decision follows from. The owner of the three keeps them valid. */
struct policy {
	const struct settings *settings;
	struct local_addrs *local_addrs;
	struct allowfile *allow_file;
};

/* The limits of one action. Only the thread that blocks asks them. */
struct limits {
	struct threshold *threshold;	/* NULL: every trigger blocks */
	struct block_limit max_blocks;
	/* What the last decision did, to be counted. */
	bool forgot;			/* see threshold_hit() */
	bool closes;			/* BLOCK_LIMIT_CLOSES */
};

/* Returns 0 or -ENOMEM. The caller owns what is in *limits. */
int limits_init(struct limits *limits, const struct settings *settings);
void limits_done(struct limits *limits);

/* What shows that courier logged the line about this client. */
enum proof {
	PROOF_MISSING,		/* nothing yet: find its session */
	PROOF_SESSION,		/* the facts of its verified session */
	PROOF_REPLY,		/* the reply in the line */
	PROOF_JUDGED,		/* an earlier decision: one of these was judged */
};

/* What is known of a trigger. Whatever is not known is 0. */
struct known {
	const struct courierlog_line *line;
	int severity;		/* syslog's; COURIERLOG_SEVERITY_ANY: unknown */
	int64_t age;		/* of the line, in s */
	enum proof proof;
	const struct smtpd_facts *facts;	/* PROOF_SESSION */
	struct reply_regex_scratch *regex;	/* PROOF_REPLY; the calling thread's */
	bool is_ending;		/* the session is already being terminated */
	/* The limits are asked last. NULL: the decision is final without them. */
	struct limits *limits;
	bool is_blocked;	/* already: maxBlocks does not count it again */
	int64_t now;		/* ms of CLOCK_MONOTONIC */
};

/* The questions about a line that triggers, for decide(). */
struct decision decide_trigger(const struct policy *policy, const struct known *known);

/* Decide as far as is known. VERDICT_UNPROVEN and REASON_TRIGGERED: the line triggers, and
 * the proof is missing. REASON_BUDGET: only maxBlocks prevents the block. Any thread, but
 * see limits. Most lines do not trigger, and the compiler need not make *known for them. */
static inline struct decision decide(const struct policy *policy, const struct known *known)
{
	const struct settings *s = policy->settings;
	struct decision d =
		s->input == INPUT_ADDRESS ?
			policy_judge_address(s, &known->line->addr) :
			policy_judge_line(s, known->line, known->severity, known->age);

	return d.verdict == VERDICT_BLOCK ? decide_trigger(policy, known) : d;
}

/* Is the session terminated? maxBlocks prevents only the block. */
static inline bool decision_terminates(struct decision decision)
{
	return decision.verdict == VERDICT_BLOCK || decision.reason == REASON_BUDGET;
}

/* The part about addresses: may addr be blocked, with its prefix? */
struct decision decide_address(const struct policy *policy, const struct addr *addr);

/* The part about limits, for a simulation. times is the line's. */
struct decision decide_limits(struct limits *limits, const struct cidr *target,
			      unsigned int times, int64_t now, bool is_blocked);

/* The prefix that is blocked for this address. */
struct cidr decide_prefix(const struct settings *settings, const struct addr *addr);

#endif
