/* Counters of what was done and not done.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_COUNTERS_H
#define SMTPBLOCK_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Identifier, name in reports, meaning. The only list of counters. */
#define COUNTERS(X)                                                            \
	X(LINES, "lines", "messages handed to the action")                     \
	X(REJECTS, "rejects", "reject lines among them")                       \
	X(UNKNOWN, "unknown", "lines that begin like courier's errors and go " \
			      "on in no known way")                            \
	X(TRIGGERS, "triggers", "lines that the trigger asks to act on")       \
	X(TEMPORARY, "temporary", "rejects and listings that are temporary, "  \
				  "4xx")                                       \
	X(OLD, "old", "triggers older than banTime, not acted on")             \
	X(ALLOWED, "allowed", "triggers from own addresses, the allow list "   \
			      "or a relay client")                             \
	X(NOT_LISTED, "not_listed", "triggers whose child is not listed, or "  \
				    "whose reply is not what it is listed for") \
	X(DNSBL_ERRORS, "dnsbl_errors", "triggers on a DNSBL answer that is "  \
					"no listing")                          \
	X(BELOW_THRESHOLD, "below_threshold", "triggers that did not reach "   \
					      "the threshold")                 \
	X(REPEATED, "repeated", "triggers of children that were being ended "  \
				"already")                                     \
	X(FORGOTTEN, "forgotten", "addresses forgotten below the threshold "   \
				  "for lack of room")                          \
	X(REFUSED_SENDER, "refused.sender", "triggers whose sender is not "    \
					    "the child for that address")      \
	X(REFUSED_GONE, "refused.gone", "triggers whose sender had ended")     \
	X(REFUSED_NO_CHILD, "refused.no_child", "triggers for an address "     \
						"that no child serves")        \
	X(REFUSED_RIGHTS, "refused.rights", "triggers whose proof we may not " \
					    "look at")                         \
	X(REFUSED_FAILED, "refused.failed", "triggers whose process could not " \
					    "be looked at, as system calls "   \
					    "failed for seconds")              \
	X(REFUSED_BUSY, "refused.busy", "triggers that came faster than they " \
					"could be looked into")                \
	X(REFUSED_BUDGET, "refused.budget", "blocks left out as maxBlocks "    \
					    "was used up")                     \
	X(LOOKS_REPEATED, "looks_repeated", "looks at processes that were "    \
					    "repeated, as a system call failed") \
	X(BUDGET_CLOSED, "budget_closed", "intervals in which maxBlocks was "  \
					  "used up")                           \
	X(PATTERN_LIMIT, "pattern_limit", "replies on which replyPattern was " \
					  "given up")                          \
	X(WOULD_BLOCK, "would_block", "blocks left out as dryRun is on")       \
	X(BLOCKS, "blocks", "addresses put on the list")                       \
	X(RENEWALS, "renewals", "addresses put there again")                   \
	X(WAITED, "waited", "addresses that had to wait for the list")         \
	X(LOST, "lost", "addresses dropped while waiting for the list")        \
	X(REPLAYED, "replayed", "addresses put on a list that was made anew")  \
	X(OVERFLOWS, "overflows", "addresses the list was too small to keep")  \
	X(BACKEND_ERRORS, "backend_errors", "failed writes to the list, and "  \
					    "looks at it")                     \
	X(REPLIES, "replies", "clients told why by connect.reply")             \
	X(ENDED, "ended", "children ended by our signal")                      \
	X(GONE, "gone", "children that were gone before it")                   \
	X(KILLED, "killed", "children that needed KILL")                       \
	X(UNWATCHED, "unwatched", "children signalled and not seen to end, as " \
				  "too many were on their way")                \
	X(RESETS, "resets", "connections of ended children that were reset")    \
	X(SPARED, "spared", "relay clients' children left alone after the "    \
			    "line alone had blocked their address")            \
	X(EVENTS, "events", "blocks that eventRuleset was told of")            \
	X(EVENTS_LOST, "events_lost", "blocks it was not told of, as it is too " \
				      "slow or rsyslogd was ending")           \
	X(SIGNAL_ERRORS, "signal_errors", "signals the kernel refused")

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

/* Faster, without a locked instruction: the caller's lock must ensure that no other thread
 * counts this one at the same time. Any thread may read. */
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
