/* Counters of what was done and not done.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_COUNTERS_H
#define SMTPBLOCK_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Identifier, name in reports, meaning. The only list of counters. */
#define COUNTERS(X)									\
	X(LINES, "lines", "messages passed to the action")				\
	X(REJECTS, "rejects", "reject lines among them")				\
	X(UNKNOWN, "unknown",								\
	  "lines that look like courier's errors but have an unknown form")		\
	X(TRIGGERS, "triggers", "lines that match the trigger")				\
	X(TEMPORARY, "temporary", "rejects and listings that are temporary (4xx)")	\
	X(OLD, "old", "triggers older than banTime, which are ignored")			\
	X(ALLOWED, "allowed",								\
	  "triggers from own addresses, the allow list or relay clients")		\
	X(NOT_LISTED, "not_listed",							\
	  "triggers whose session is not listed, or whose reply is not the "		\
	  "listing's")									\
	X(DNSBL_ERRORS, "dnsbl_errors",							\
	  "triggers with a DNSBL answer that is not a listing")				\
	X(BELOW_THRESHOLD, "below_threshold",						\
	  "triggers that did not reach the threshold")					\
	X(REPEATED, "repeated",								\
	  "triggers of sessions that were already being terminated")			\
	X(FORGOTTEN, "forgotten",							\
	  "addresses below the threshold that were dropped to make room for others")	\
	X(REFUSED_SENDER, "refused.sender",						\
	  "triggers whose sender does not serve that address")				\
	X(REFUSED_GONE, "refused.gone", "triggers whose sender had already exited")	\
	X(REFUSED_NO_CHILD, "refused.no_child",						\
	  "triggers for an address that no process serves")				\
	X(REFUSED_RIGHTS, "refused.rights",						\
	  "triggers that could not be verified: no permission to read the process")	\
	X(REFUSED_FAILED, "refused.failed",						\
	  "triggers that could not be verified: system calls failed for seconds")	\
	X(REFUSED_BUSY, "refused.busy",							\
	  "triggers that came faster than their sessions could be verified or "		\
	  "terminated")									\
	X(REFUSED_BUDGET, "refused.budget", "blocks that maxBlocks prevented")		\
	X(LOOKS_REPEATED, "looks_repeated",						\
	  "lookups of processes that were repeated because a system call failed")	\
	X(BUDGET_CLOSED, "budget_closed", "intervals in which maxBlocks was used up")	\
	X(PATTERN_LIMIT, "pattern_limit",						\
	  "replies that were too complex for replyPattern")				\
	X(WOULD_BLOCK, "would_block", "blocks that dryRun prevented")			\
	X(BLOCKS, "blocks", "addresses written to the list")				\
	X(RENEWALS, "renewals", "addresses written to the list again")			\
	X(WAITED, "waited", "addresses that had to wait for the list")			\
	X(LOST, "lost",									\
	  "addresses dropped while waiting for the list, or when rsyslogd stopped")	\
	X(REPLAYED, "replayed", "addresses written to a recreated list")		\
	X(OVERFLOWS, "overflows",							\
	  "addresses for which the list, or the share of their /64, was too small")	\
	X(UNBLOCKED, "unblocked", "addresses that were unblocked by hand")		\
	X(BACKEND_ERRORS, "backend_errors", "failed writes and checks of the list")	\
	X(REPLIES, "replies", "clients that got a reply from us")		\
	X(EARLY_NO_LOGIN, "early.no_login",						\
	  "listed sessions terminated because courier offers no login")			\
	X(EARLY_REFUSED, "early.refused",						\
	  "listed sessions terminated in the tarpit, before courier logged the refusal") \
	X(EARLY_SIBLING, "early.sibling",						\
	  "listed sessions terminated because their address was blocked")		\
	X(EARLY_PRESSURE, "early.pressure",						\
	  "listed sessions terminated because they took too many slots")		\
	X(KEPT_LOGIN, "kept_login",							\
	  "blocks not written because somebody was logged in from the address, or "	\
	  "because some of courier's processes could not be read")			\
	X(PROXIED, "proxied",								\
	  "blocks left to the proxy that the client came through")			\
	X(ENDED, "ended", "sessions terminated by our signal")				\
	X(GONE, "gone", "sessions that had ended before the signal")			\
	X(KILLED, "killed", "sessions that needed KILL")				\
	X(UNWATCHED, "unwatched",							\
	  "sessions signalled but not watched, because too many were being "		\
	  "terminated")									\
	X(RESETS, "resets", "connections of terminated sessions that were reset")	\
	X(SPARED, "spared",								\
	  "sessions of relay clients, or with a login or maybe one, that were spared "	\
	  "although their address is blocked")						\
	X(EVENTS, "events", "blocks reported to eventRuleset")				\
	X(EVENTS_LOST, "events_lost",							\
	  "blocks not reported: 4096 were waiting for eventRuleset, or rsyslogd was stopping")	\
	X(SIGNAL_ERRORS, "signal_errors", "signals that the kernel refused")

#define COUNTERS_ENUM(id, name, meaning) COUNTER_##id,
enum counter { COUNTERS(COUNTERS_ENUM) COUNTER_COUNT };

/* Any thread may count and read. */
struct counters {
	atomic_uint_least64_t values[COUNTER_COUNT];
};

static inline void counters_add(struct counters *c, enum counter id, uint64_t n)
{
	atomic_fetch_add_explicit(&c->values[id], n, memory_order_relaxed);
}

/* Faster, without a locked instruction, for a counter that only one thread counts. Any thread
 * may read. */
static inline void counters_add_alone(struct counters *c, enum counter id, uint64_t n)
{
	uint64_t value = atomic_load_explicit(&c->values[id], memory_order_relaxed);

	atomic_store_explicit(&c->values[id], value + n, memory_order_relaxed);
}

/* Undo: something that was counted did not happen. */
static inline void counters_take_back(struct counters *c, enum counter id, uint64_t n)
{
	atomic_fetch_sub_explicit(&c->values[id], n, memory_order_relaxed);
}

static inline uint64_t counters_get(const struct counters *c, enum counter id)
{
	return atomic_load_explicit(&c->values[id], memory_order_relaxed);
}

/* The name in the table above. */
const char *counters_name(enum counter id);

/* Room for all counters at their maximum: for each a name, "=", 20 digits and a blank; and
 * a NUL. */
#define COUNTERS_ROOM(id, name, meaning) sizeof(name) + 21 +
#define COUNTERS_FORMAT_SIZE (COUNTERS(COUNTERS_ROOM) 1)

/* Write all counters that are not 0 as "name=value name=value", at most size bytes with the
 * NUL. Returns buf. */
char *counters_format(const struct counters *c, char *buf, size_t size);

#endif
