/* The addresses that were blocked last, in the order of their blocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_LEDGER_H
#define SMTPBLOCK_LEDGER_H

#include "lib/addr.h"

/* With xt_recent as many as the kernel's list holds: that drops the oldest entry
 * without a word when a new one does not fit, and so does the ledger, which thereby
 * knows what got lost. It also keeps what waits for a list that is not there, and what
 * has to be put on one that was made anew. Not for several threads at once. */
struct ledger;

struct ledger_entry {
	struct addr addr;
	int64_t blocked_at;	/* ms, of the last block */
	bool waiting;		/* not on the list that is there */
	bool written;		/* was on a list since it was put here */
};

enum ledger_result {
	LEDGER_KNOWN,		/* was written before */
	LEDGER_WAITING,		/* has been waiting for its first writing */
	LEDGER_NEW,
	LEDGER_NEW_EVICTED,	/* new, and the oldest had to go */
};

/* max is the number of addresses it holds, at least 1; room for them is taken
 * as they come. Returns 0 or -ENOMEM. The caller owns *ret_ledger. */
int ledger_new(size_t max, struct ledger **ret_ledger);
void ledger_free(struct ledger *ledger);

/* Note that addr is blocked, at now: it is the newest then. With
 * LEDGER_NEW_EVICTED the entry that had to go is in *ret_evicted. Returns an
 * enum ledger_result, or -ENOMEM. */
int ledger_put(struct ledger *ledger, const struct addr *addr, int64_t now,
	       bool waiting, struct ledger_entry *ret_evicted);

/* Where an address is, or would be: for several questions about it. Valid until the
 * next ledger_put(). */
struct ledger_place {
	uint32_t node, hash;	/* private */
};

/* What the functions below ask about. */
struct ledger_place ledger_find(const struct ledger *ledger, const struct addr *addr);

/* ledger_put() of the address that was looked for. */
int ledger_put_at(struct ledger *ledger, const struct ledger_place *place,
		  const struct addr *addr, int64_t now, bool waiting,
		  struct ledger_entry *ret_evicted);

/* Was it written to the list, as far as is known? */
bool ledger_knows(const struct ledger *ledger, const struct ledger_place *place);

/* Was it blocked after since, whether it was written yet or not? */
bool ledger_has(const struct ledger *ledger, const struct ledger_place *place,
		int64_t since);

/* The one that was blocked last, NULL if there is none. Valid until the next
 * change. */
const struct ledger_entry *ledger_newest(const struct ledger *ledger);

/* How many of its addresses wait. */
size_t ledger_waiting(const struct ledger *ledger);

/* Copies of up to max that have waited longest, in that order. Returns how many. */
size_t ledger_longest_waiting(struct ledger *ledger, size_t max,
			      struct ledger_entry *ret_entries);

/* The block that it had at that time is on the list now; a later one waits on. */
void ledger_written(struct ledger *ledger, const struct addr *addr,
		    int64_t blocked_at);

/* It waited for too long and waits no more; its next block is a new one. */
void ledger_lost(struct ledger *ledger, const struct addr *addr);

/* The list is gone: all that were blocked at since or later wait again. Returns
 * how many wait. */
size_t ledger_all_wait(struct ledger *ledger, int64_t since);

#endif
