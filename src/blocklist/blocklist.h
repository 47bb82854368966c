/* Writes addresses to the kernel's list, and rewrites them if the list was missing for a
 * while or was recreated by a reload of the firewall.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BLOCKLIST_H
#define SMTPBLOCK_BLOCKLIST_H

#include "blocklist/backend.h"
#include "blocklist/block_cache.h"
#include "policy/block_limit.h"
#include "status/alerts.h"
#include "status/counters.h"

struct blocklist;

/* What happened to an address that was to be blocked. */
enum block_state {
	BLOCK_ADDED,	/* it is on the list now */
	BLOCK_RENEWED,	/* its block was renewed */
	BLOCK_WAITING,	/* the list is full or cannot be written */
	BLOCK_QUEUED,	/* left to blocklist_run() */
	BLOCK_REFUSED,	/* not blocked, because of the limit */
	BLOCK_CLOSES,	/* the same, for the first time in this interval */
};

/* Opens the settings' backend. counters and alerts outlive the result. Returns 0; -ENOMEM;
 * -ENAMETOOLONG. The caller owns. */
int blocklist_new(const struct settings *settings, const char *net_root,
		  const char *module_root, struct counters *counters, struct alerts *alerts,
		  struct blocklist **ret_blocklist);

/* First writes what was left to blocklist_run(), for at most half a second. NULL is allowed. */
void blocklist_free(struct blocklist *blocklist);

/* Block addr at now (ms of CLOCK_MONOTONIC), or renew its block. It is a renewal if addr
 * was blocked less than banTime ago, written or not. Anything else takes a token of the
 * limit (NULL: there is no limit), or is not done. If the list cannot be written the
 * address waits. Counts the result. Any thread. Returns true if blocklist_run() has
 * something to do. at_once: try to write the list before this returns. Otherwise never
 * waits for other programs: with a backend that may block the address is left to
 * blocklist_run(). ret_state may be NULL. */
bool blocklist_add(struct blocklist *blocklist, struct block_limit *limit,
		   const struct addr *addr, int64_t now, bool at_once,
		   enum block_state *ret_state);

/* Write waiting addresses, and check that lists with unexpired blocks still are the same
 * ones. Returns when to be called again, in ms; INT64_MAX: after the next blocklist_add()
 * that returns true. For the background thread only. */
int64_t blocklist_run(struct blocklist *blocklist, int64_t now);

/* Check that the lists exist; a backend that manages its lists creates them. Raises an
 * alert for what is missing. Call before the background thread starts, then only in it. */
void blocklist_check(struct blocklist *blocklist, int64_t now);

/* What to log about the list of that family: see backend_ops.advice. */
char *blocklist_advice(struct blocklist *blocklist, int family, int err, char *buf,
		       size_t size);

#endif
