/* Writes addresses to the kernel's list, and rewrites them if the list was missing for a
 * while or was recreated by a reload of the firewall. For the background thread only, which
 * may have to wait for another program's nftables transaction.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BLOCKLIST_H
#define SMTPBLOCK_BLOCKLIST_H

#include <stdatomic.h>

#include "blocklist/backend.h"
#include "blocklist/block_cache.h"
#include "blocklist/unblock.h"
#include "status/alerts.h"
#include "status/counters.h"

struct blocklist;

/* What happened to an address that was to be blocked. */
enum block_state {
	BLOCK_ADDED,	/* it is on the list now */
	BLOCK_RENEWED,	/* its block was renewed */
	BLOCK_WAITING,	/* the list is full or cannot be written */
	BLOCK_QUEUED,	/* it will be written with the next ones, or by blocklist_flush() */
};

/* Opens the settings' backend. The settings, counters and alerts must outlive its use. Returns 0;
 * -ENOMEM; -ENAMETOOLONG. The caller owns. */
int blocklist_new(const struct settings *settings, const char *net_root,
		  const char *module_root, struct counters *counters, struct alerts *alerts,
		  struct blocklist **ret_blocklist);

/* NULL is allowed. */
void blocklist_free(struct blocklist *blocklist);

/* Does it write the lists of these settings, too? Actions with the same lists share one blocklist:
 * the room of a list is accounted for once. It has the ban time, the size and the ports of the
 * action that it was opened for, whose counters get what happens later than blocklist_add(). */
bool blocklist_serves(const struct blocklist *blocklist, const struct settings *settings);

/* From the time *ends_at on (ms of CLOCK_MONOTONIC; 0: never) write nothing more, as that may wait
 * for other programs: what comes waits. Another thread may set it; it outlives the blocklist. */
void blocklist_end_at(struct blocklist *blocklist, const atomic_int_least64_t *ends_at);

/* Block addr at now (ms of CLOCK_MONOTONIC), or renew its block. With a backend that writes
 * many addresses for the cost of one they are collected, unless at_once. If the list cannot
 * be written the address waits. Counts the result in the counters of the caller, which must
 * outlive the next blocklist_flush(). */
enum block_state blocklist_add(struct blocklist *blocklist, struct counters *counters,
			       const struct addr *addr, int64_t now, bool at_once);

/* Write what was collected. */
void blocklist_flush(struct blocklist *blocklist);

/* Was addr blocked less than banTime ago, written or not? */
bool blocklist_has(struct blocklist *blocklist, const struct addr *addr, int64_t now);

/* How long a block lasts, in s. */
unsigned int blocklist_ban_time(const struct blocklist *blocklist);

/* The number of addresses that wait for a list of either family. */
size_t blocklist_waiting(const struct blocklist *blocklist);

/* Call blocklist_flush(), write waiting addresses, and check that lists with unexpired blocks
 * still are the same ones. Returns when to be called again, in ms; INT64_MAX: after the next
 * blocklist_add(). */
int64_t blocklist_run(struct blocklist *blocklist, int64_t now);

/* Somebody has taken addresses off a list, which may be another one: forget blocks that are not
 * later. Counts them. Call it while nothing is collected, as after blocklist_run(). */
void blocklist_unblock(struct blocklist *blocklist, const struct unblock *unblock);

/* Check that the lists exist; a backend that manages its lists creates them. Raises an
 * alert for what is wrong; for what is missing only if blocklist_run() finds it missing a second
 * later, too. May also be called before the background thread starts. */
void blocklist_check(struct blocklist *blocklist, int64_t now);

/* What to log about the list of that family: see backend_ops.advice. */
char *blocklist_advice(struct blocklist *blocklist, int family, int err, char *buf,
		       size_t size);

#endif
