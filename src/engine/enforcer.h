/* Carries out decisions: blocks the address, terminates the session, counts.
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

/* What the enforcer works with; the engine owns all of it. Any thread may call the
 * functions below. They do not wait, except that an urgent block may wait for other
 * programs if the backend does (backend.h, may_block). */
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
	struct events *events;		/* NULL: no events */
	void *listener;			/* the listener of its events */
};

/* Is this one of the host's own addresses, or one in allowFile? */
bool enforcer_is_exempt(const struct enforcer *enforcer, const struct addr *addr,
			enum reason *ret_reason);

/* Block the address of a trigger that policy.h lets pass: count it for the threshold, check
 * that the prefix has no exempt address in it and that maxBlocks is not used up, then
 * block. With dryRun it is only counted and reported. Returns the decision; counts it
 * unless it is a block. */
struct decision enforcer_block(const struct enforcer *enforcer,
			       const struct courierlog_line *line);

/* The same for a line of a verified session. Takes smtpd over. With trigger="connect" the
 * client is sent a reply first. The session is terminated if its address is blocked, or if
 * only maxBlocks prevented the block. With terminate.delay="0" the signal is sent right
 * before the block, otherwise after it. If the line has no port, all sessions of the
 * address are terminated. If the session is already being terminated, the trigger is only
 * counted as repeated: within terminate.delay a client may cause a thousand rejects. */
struct decision enforcer_block_session(const struct enforcer *enforcer,
				       const struct smtpd_rules *rules,
				       const struct courierlog_line *line,
				       const struct smtpd_facts *facts, struct smtpd *smtpd);

/* Terminate a verified session. Takes smtpd over. The signal comes after terminate.delay,
 * or at once if that is 0 or trigger="connect" has sent the reply. With terminate="off" or
 * dryRun the smtpd is only released. */
void enforcer_end(const struct enforcer *enforcer, const struct smtpd_rules *rules,
		  struct smtpd *smtpd);

/* Queue a request for the background thread. If the queue is full the request is dropped,
 * and counted as refused. Returns 0; -ENOSPC; -ENOMEM. */
int enforcer_ask(const struct enforcer *enforcer, enum lookup_kind kind,
		 const struct session_query *query, const struct courierlog_line *line);

/* Count a decision other than to block, and raise an alert if the admin can fix the cause. */
void enforcer_count(const struct enforcer *enforcer, struct decision decision);

/* Count a session that could not be verified, and raise an alert if the admin can fix the
 * cause. err is what session.h returned: -ESRCH, -EPERM, -EACCES ... */
void enforcer_refuse(const struct enforcer *enforcer, int err);

/* Raise an alert if err keeps us from reading processes; ignore other errors. */
void enforcer_note_look(const struct enforcer *enforcer, int err);

#endif
