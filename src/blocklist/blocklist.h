/* Puts addresses on the kernel's list and sees that they get there: also when the
 * list is missing for a while, or is a new one after the firewall was reloaded.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BLOCKLIST_H
#define SMTPBLOCK_BLOCKLIST_H

#include "blocklist/backend.h"
#include "blocklist/block_cache.h"
#include "policy/block_limit.h"
#include "status/alerts.h"
#include "status/counters.h"

struct blocklist;

/* What became of an address when it was blocked. */
enum block_state {
	BLOCK_ADDED,	/* it is on the list now */
	BLOCK_RENEWED,	/* it was, and is again */
	BLOCK_WAITING,	/* the list cannot be written, or is full */
	BLOCK_QUEUED,	/* left to blocklist_run() */
	BLOCK_REFUSED,	/* nothing was done: the budget does not let it in */
	BLOCK_CLOSES,	/* nor was this, the first one of its interval */
};

/* Opens the backend of settings. counters and notices outlive the result.
 * Returns 0; -ENOMEM; -ENAMETOOLONG. The caller owns. */
int blocklist_new(const struct settings *settings, const char *net_root,
		  const char *module_root, struct counters *counters, struct alerts *alerts,
		  struct blocklist **ret_blocks);

/* What is left to blocklist_run() is written first, as far as half a second is enough
 * for it. NULL is allowed. */
void blocklist_free(struct blocklist *blocklist);

/* Block addr now (ms of CLOCK_MONOTONIC), or renew its block. A renewal is what was
 * blocked less than a banTime ago, or waits to be; anything else takes one of the budget
 * (NULL: there is none), or is not done. If the list cannot be written the address
 * waits. Counts what came of it. Any thread. Returns true if blocklist_run() has something
 * to do. at_once: it is on the list when this returns, if that can be. Otherwise it
 * never waits for other programs: what may is left to blocklist_run(), which is soon.
 * ret_state may be NULL. */
bool blocklist_add(struct blocklist *blocklist, struct block_limit *limit,
		   const struct addr *addr, int64_t now, bool at_once,
		   enum block_state *ret_state);

/* Put on the lists what waits for them, and look whether they are still the same
 * ones while blocks are due on them. Returns when to be called again, in ms;
 * INT64_MAX: not before the next blocklist_add() that asks for it. For the
 * background thread only. */
int64_t blocklist_run(struct blocklist *blocklist, int64_t now);

/* Are the lists there? A backend that makes them itself does so; what is not is
 * raised as a notice. For the background thread, and before it starts. */
void blocklist_check(struct blocklist *blocklist, int64_t now);

/* What to tell about a list of that family: see backend_ops.advice. */
char *blocklist_advice(struct blocklist *blocklist, int family, int err, char *buf,
		       size_t size);

#endif
