/* Carries out decisions: blocks the address, terminates the session, counts.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ENFORCER_H
#define SMTPBLOCK_ENFORCER_H

#include "blocklist/blocklist.h"
#include "engine/engine.h"
#include "engine/lookup_queue.h"
#include "policy/decision.h"
#include "status/dnsbl_stats.h"

/* Part of struct engine, for the files of this folder. Workers decide, signal where that
 * comes first, and queue a request; the background thread does the rest. */
struct watch;

/* dryRun: limits the messages of one kind. All 0 at first. */
struct report_limit {
	int64_t until;
	unsigned int count;
};

struct enforcer {
	/* Of the engine and its environment. */
	const struct settings *settings;
	struct counters *counters;
	struct alerts *alerts;
	const struct engine_environment *environment;
	struct background *background;
	/* Its own. Any thread may use these.. */
	struct policy policy;
	struct lookup_queue *requests;
	atomic_int_least64_t unknown_at;	/* no sample of a line's text before (ms) */
	/* ..and the background thread these. */
	struct blocklist *blocklist;	/* of the background */
	bool keeps_blocklist;		/* checks it, and reports what it loses at the end */
	struct limits limits;
	struct dnsbl_stats dnsbl_stats;
	struct watch *watch;		/* NULL: logins are not looked for */
	uint64_t unknown_logged;
	struct report_limit reports;	/* blocks */
	bool has_named_prefix;		/* the default of ipv6Prefix */
};

/* Everything passed must outlive the enforcer. Returns 0; -ENOMEM; -errno after logging
 * what is wrong with allowFile. Call enforcer_close() in any case. */
int enforcer_open(struct enforcer *enforcer, const struct settings *settings,
		  struct counters *counters, struct alerts *alerts,
		  const struct engine_environment *environment);

/* Does nothing to an enforcer that is all 0. */
void enforcer_close(struct enforcer *enforcer);

/* The functions for any thread; they do not wait. */

/* Queue a request for the background thread. If the queue is full or memory is lacking the
 * request is dropped and counted as refused, except that the next line takes the place of a
 * dropped LOOKUP_UNKNOWN. */
void enforcer_ask(struct enforcer *enforcer, enum lookup_kind kind,
		  const struct session_query *query, const struct courierlog_line *line);

/* Queue the block of a verified session, for which decide() has returned VERDICT_BLOCK.
 * Takes smtpd over. Signals the session first if nothing else has to be asked and
 * terminate.delay is 0: such a signal waits for nothing, not even for the block, which
 * follows at once. A client that reconnects before it is blocked gets a new session; the
 * first trigger of that one finds the block and terminates it. While the background thread
 * is stalled the signal comes first, too. If the queue is full the trigger is counted as
 * refused, and the session is only signalled. */
void enforcer_hand_over(struct enforcer *enforcer, const struct smtpd_rules *rules,
			const struct courierlog_line *line, const struct smtpd_facts *facts,
			struct smtpd *smtpd);

/* Count a line of courier's with an unknown form, and have it logged, once an hour. */
void enforcer_note_unknown(struct enforcer *enforcer, const char *text, size_t len);

/* Count a decision other than to block, and raise an alert if the admin can fix the cause. */
void enforcer_count(const struct enforcer *enforcer, struct decision decision);

/* Count a session that could not be verified, and raise an alert if the admin can fix the
 * cause. err is what session.h returned: -ESRCH, -EPERM, -EACCES ... */
void enforcer_refuse(const struct enforcer *enforcer, int err);

/* May another message be logged at now, in ms? Counts it. The background thread only. */
bool enforcer_may_report(struct report_limit *limit, int64_t now);

/* Raise an alert if err keeps us from reading processes; ignore other errors. */
void enforcer_note_look(const struct enforcer *enforcer, int err);

/* For the background thread only. A block may wait for other programs' nftables
 * transactions. */

/* Block the address of a trigger for which decide() has returned VERDICT_BLOCK, unless a
 * limit prevents it. With dryRun it is only counted and reported; a client behind a proxy is
 * only reported, unless blockBehindProxy is set. Returns the decision; counts it unless it is a
 * block. */
struct decision enforcer_block(struct enforcer *enforcer, const struct courierlog_line *line,
			       bool behind_proxy);

/* The same for a line of a verified session. Takes smtpd over. With trigger="connect" the
 * client is sent a reply first. The session is terminated if its address is blocked, or if
 * only maxBlocks prevented the block; the signal follows the block, unless so many sessions are
 * being terminated that this one cannot be watched (TERMINATOR_MAX): then it comes at once, and
 * the block with the next blocklist_flush(). If the line has no port, all sessions of the address
 * are terminated. If the session is already being terminated, the trigger is only counted as
 * repeated: within terminate.delay a client may cause a thousand rejects. Nothing is blocked while
 * somebody is logged in from the entry that would be written; the block is delayed while that is
 * unknown. */
struct decision enforcer_block_session(struct enforcer *enforcer,
				       const struct smtpd_rules *rules,
				       const struct courierlog_line *line,
				       const struct smtpd_facts *facts, struct smtpd *smtpd);

/* The same for a request of enforcer_hand_over(). */
void enforcer_take_over(struct enforcer *enforcer, struct lookup_request *request);

/* Terminate a verified listed session by a rule that needs no line. Takes smtpd over. line has
 * the peer and the BLOCK as a reject. Writes the reply where that is possible, blocks the address
 * if blocks is set and nothing prevents it, and signals next. With dryRun it is only counted and
 * reported. */
void enforcer_end_early(struct enforcer *enforcer, const struct smtpd_rules *rules,
			const struct courierlog_line *line, const struct smtpd_facts *facts,
			struct smtpd *smtpd, enum rule rule, bool blocks);

/* Write a block of watch_delay_block(), or report that it is left to the proxy. */
void enforcer_block_delayed(struct enforcer *enforcer, struct event *event);

/* Terminate a verified session. Takes smtpd over. The signal comes after terminate.delay,
 * or at once if that is 0 or trigger="connect" has sent the reply. With terminate="off" or
 * dryRun the smtpd is only released. */
void enforcer_end(struct enforcer *enforcer, const struct smtpd_rules *rules,
		  const struct smtpd_facts *facts, struct smtpd *smtpd);

/* Take all requests out of the queue, for which there is no time any more, and signal the sessions
 * that enforcer_hand_over() would signal with a full queue. Returns how many triggers are lost:
 * lines with an unknown form are none, and LOOKUP_END is of clients that were blocked. */
size_t enforcer_drop_requests(struct enforcer *enforcer);

/* Log the request's text, of a line with an unknown form. */
void enforcer_log_unknown(struct enforcer *enforcer, const struct lookup_request *request);

/* Log a line for the admin. */
void enforcer_log(const struct enforcer *enforcer, int severity, const char *text);

#endif
