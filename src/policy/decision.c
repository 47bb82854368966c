/* The order of the questions that lead to a verdict.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/decision.h"

#include <string.h>

static const struct decision block = { VERDICT_BLOCK, REASON_TRIGGERED };

static struct decision exempt(enum reason reason)
{
	return (struct decision){ VERDICT_EXEMPT, reason };
}

int limits_init(struct limits *limits, const struct settings *settings)
{
	int r;

	memset(limits, 0, sizeof(*limits));
	r = block_limit_init(&limits->max_blocks, settings->max_blocks,
			     settings->max_blocks_interval);
	if (r < 0 || settings->threshold <= 1)
		return r;
	return threshold_new(settings->threshold, settings->window, &limits->threshold);
}

void limits_done(struct limits *limits)
{
	threshold_free(limits->threshold);
	block_limit_done(&limits->max_blocks);
}

struct cidr decide_prefix(const struct settings *settings, const struct addr *addr)
{
	unsigned int prefix = settings_prefix(settings, addr);

	if (prefix == addr_bits(addr))
		return (struct cidr){ .net = *addr, .prefix = (uint8_t)prefix };
	return (struct cidr){ .net = cidr_mask(addr, prefix), .prefix = (uint8_t)prefix };
}

/* Exemptions that are not in the settings. */
static struct decision judge_exempt(const struct policy *p, const struct addr *addr)
{
	if (local_addrs_contain(p->local_addrs, addr))
		return exempt(REASON_OWN_ADDRESS);
	if (allowfile_contains(p->allow_file, addr))
		return exempt(REASON_ALLOW_LIST);
	return block;
}

static struct decision judge_proof(const struct policy *p, const struct known *k)
{
	switch (k->proof) {
	case PROOF_SESSION:
		return policy_judge_child(p->settings, k->line, k->facts);
	case PROOF_REPLY:
		/* Another program has judged it. */
		if (p->settings->input == INPUT_ADDRESS)
			return block;
		return policy_judge_reply(p->settings, k->line, k->regex);
	case PROOF_JUDGED:
		return block;
	case PROOF_MISSING:
	default:
		return (struct decision){ VERDICT_UNPROVEN, REASON_TRIGGERED };
	}
}

/* A block of a whole prefix would also hit the exempt addresses in it. */
static struct decision judge_prefix(const struct policy *p, const struct cidr *target)
{
	if (target->prefix == addr_bits(&target->net))
		return block;
	if (local_addrs_overlap(p->local_addrs, target) ||
	    prefix_set_overlaps(p->settings->allow, target) ||
	    allowfile_overlaps(p->allow_file, target))
		return exempt(REASON_ALLOWED_NEIGHBOUR);
	return block;
}

struct decision decide_limits(struct limits *limits, const struct cidr *target,
			      unsigned int times, int64_t now, bool is_blocked)
{
	enum block_limit_answer answer = BLOCK_LIMIT_GRANTED;

	limits->forgot = limits->closes = false;
	if (limits->threshold &&
	    threshold_hit(limits->threshold, &target->net, times, now, &limits->forgot) <= 0)
		return (struct decision){ VERDICT_NOT_A_TRIGGER, REASON_BELOW_THRESHOLD };
	if (!is_blocked)
		answer = block_limit_take(&limits->max_blocks, target, now);
	limits->closes = answer == BLOCK_LIMIT_CLOSES;
	return answer == BLOCK_LIMIT_GRANTED ?
		       block :
		       (struct decision){ VERDICT_UNPROVEN, REASON_BUDGET };
}

struct decision decide_trigger(const struct policy *policy, const struct known *known)
{
	const struct addr *addr = &known->line->addr;
	struct decision d = judge_exempt(policy, addr);
	struct cidr target;

	if (d.verdict == VERDICT_BLOCK)
		d = judge_proof(policy, known);
	if (d.verdict == VERDICT_BLOCK && known->is_ending)
		return (struct decision){ VERDICT_NOT_A_TRIGGER, REASON_REPEATED };
	if (d.verdict != VERDICT_BLOCK)
		return d;
	target = decide_prefix(policy->settings, addr);
	d = judge_prefix(policy, &target);
	if (d.verdict == VERDICT_BLOCK && known->limits)
		d = decide_limits(known->limits, &target, known->line->times, known->now,
				  known->is_blocked);
	return d;
}

struct decision decide_address(const struct policy *policy, const struct addr *addr)
{
	const struct cidr target = decide_prefix(policy->settings, addr);
	struct decision d = policy_judge_address(policy->settings, addr);

	if (d.verdict == VERDICT_BLOCK)
		d = judge_exempt(policy, addr);
	if (d.verdict == VERDICT_BLOCK)
		d = judge_prefix(policy, &target);
	return d;
}
