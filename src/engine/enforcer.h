/* Does what was decided: blocks the address, ends the child, counts.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ENFORCER_H
#define SMTPBLOCK_ENFORCER_H

#include "blocklist/blocklist.h"
#include "engine/background.h"
#include "engine/lookup_queue.h"
#include "policy/allowfile.h"
#include "policy/block_limit.h"
#include "policy/policy.h"
#include "policy/threshold.h"
#include "status/dnsbl_stats.h"
#include "status/events.h"

/* What it works with; all of it belongs to the engine. Any thread may call the
 * functions below, none waits. */
struct enforcer {
	const struct settings *settings;
	struct counters *counters;
	struct alerts *alerts;
	struct blocklist *blocklist;
	struct batch_queue *requests;
	struct allowfile *allow_file;
	struct threshold *hits;		/* NULL: every trigger blocks */
	struct block_limit *limit;
	struct background *background;
	struct dnsbl_stats *dnsbl_stats;
	struct events *events;		/* NULL: nobody is told of blocks */
	void *listener;			/* goes with an event */
};

/* Is the address on the host's or the admin's own list of those that are never
 * blocked, allowFile included? */
bool enforcer_is_exempt(const struct enforcer *enforcer, const struct addr *addr,
			enum reason *ret_reason);

/* A trigger that nothing speaks against: count it for the threshold, see that
 * its prefix holds nobody who is spared and that maxBlocks is not used up, then
 * block. With dryRun it is only counted and reported. Returns the decision;
 * what is not a block is counted. */
struct decision enforcer_block(const struct enforcer *enforcer,
			       const struct courierlog_line *line);

/* The same for the line of a child, which is taken over: with trigger="connect"
 * its client is told first; then, if the address is blocked, or would be were it
 * not for maxBlocks, the child is ended. With terminate.delay="0" the signal comes
 * right before the block, which keeps nothing waiting then; otherwise behind it.
 * Without a port in the line all children of the address are ended. A child that is
 * being ended already has had all that: what else it logs is counted as a repeat and
 * nothing more, for a client may have it log a thousand rejects within
 * terminate.delay. */
struct decision enforcer_block_session(const struct enforcer *enforcer,
				       const struct smtpd_rules *rules,
				       const struct courierlog_line *line,
				       const struct smtpd_facts *facts, struct smtpd *smtpd);

/* End a proven child, which is taken over: after terminate.delay, or at once
 * when that is 0 or it was turned away at its start. With terminate="off" or
 * dryRun it is let go. */
void enforcer_end(const struct enforcer *enforcer, const struct smtpd_rules *rules,
		  struct smtpd *smtpd);

/* Hand a line to the background thread. One too many is counted as refused. Returns 0; -ENOSPC;
 * -ENOMEM. */
int enforcer_ask(const struct enforcer *enforcer, enum lookup_kind kind,
		 const struct session_query *query, const struct courierlog_line *line);

/* Count a decision that is not to block, and raise what the admin can mend. */
void enforcer_count(const struct enforcer *enforcer, struct decision decision);

/* Count that the proof is missing, and raise what the admin can mend. err is
 * what session_finder.h returned: -ESRCH, -EPERM, -EACCES ... */
void enforcer_refuse(const struct enforcer *enforcer, int err);

/* Raise what keeps us from looking at processes; other errors are nothing. */
void enforcer_note_look(const struct enforcer *enforcer, int err);

#endif
