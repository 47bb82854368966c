/* The addresses that were blocked last, in the order of their blocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BLOCK_CACHE_H
#define SMTPBLOCK_BLOCK_CACHE_H

#include "lib/addr.h"

/* With xt_recent as many as the kernel's list holds: that drops the oldest entry
 * without a word when a new one does not fit, and so does the ledger, which thereby
 * knows what got lost. It also keeps what waits for a list that is not there, and what
 * has to be put on one that was made anew. Not for several threads at once. */
struct block_cache;

struct block_cache_entry {
	struct addr addr;
	int64_t blocked_at;	/* ms, of the last block */
	bool waiting;		/* not on the list that is there */
	bool written;		/* was on a list since it was put here */
};

enum block_cache_result {
	BLOCK_CACHE_KNOWN,	/* was written before */
	BLOCK_CACHE_WAITING,	/* has been waiting for its first writing */
	BLOCK_CACHE_NEW,
	BLOCK_CACHE_NEW_EVICTED,	/* new, and the oldest had to go */
};

/* max is the number of addresses it holds, at least 1; room for them is taken
 * as they come. Returns 0 or -ENOMEM. The caller owns *ret_ledger. */
int block_cache_new(size_t max, struct block_cache **ret_ledger);
void block_cache_free(struct block_cache *cache);

/* Note that addr is blocked, at now: it is the newest then. With
 * BLOCK_CACHE_NEW_EVICTED the entry that had to go is in *ret_evicted. Returns an
 * enum block_cache_result, or -ENOMEM. */
int block_cache_put(struct block_cache *cache, const struct addr *addr, int64_t now,
		    bool waiting, struct block_cache_entry *ret_evicted);

/* Where an address is, or would be: for several questions about it. Valid until the
 * next block_cache_put(). */
struct block_cache_place {
	uint32_t node, hash;	/* private */
};

/* What the functions below ask about. */
struct block_cache_place block_cache_find(const struct block_cache *cache,
					  const struct addr *addr);

/* block_cache_put() of the address that was looked for. */
int block_cache_put_at(struct block_cache *cache, const struct block_cache_place *place,
		       const struct addr *addr, int64_t now, bool waiting,
		       struct block_cache_entry *ret_evicted);

/* Was it written to the list, as far as is known? */
bool block_cache_knows(const struct block_cache *cache, const struct block_cache_place *place);

/* Was it blocked after since, whether it was written yet or not? */
bool block_cache_has(const struct block_cache *cache, const struct block_cache_place *place,
		     int64_t since);

/* The one that was blocked last, NULL if there is none. Valid until the next
 * change. */
const struct block_cache_entry *block_cache_newest(const struct block_cache *cache);

/* How many of its addresses wait. */
size_t block_cache_waiting(const struct block_cache *cache);

/* Copies of up to max that have waited longest, in that order. Returns how many. */
size_t block_cache_longest_waiting(struct block_cache *cache, size_t max,
				   struct block_cache_entry *ret_entries);

/* The block that it had at that time is on the list now; a later one waits on. */
void block_cache_written(struct block_cache *cache, const struct addr *addr,
			 int64_t blocked_at);

/* It waited for too long and waits no more; its next block is a new one. */
void block_cache_lost(struct block_cache *cache, const struct addr *addr);

/* The list is gone: all that were blocked at since or later wait again. Returns
 * how many wait. */
size_t block_cache_all_wait(struct block_cache *cache, int64_t since);

#endif
