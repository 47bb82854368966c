/* The most recently blocked addresses, in the order of their blocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BLOCK_CACHE_H
#define SMTPBLOCK_BLOCK_CACHE_H

#include "lib/cidr.h"

/* With xt_recent the cache has the size of the kernel's list. That list silently drops its
 * oldest entry when full, and so does the cache: it thereby knows which entries were lost.
 * It also keeps addresses that wait for a missing list, and those that must be rewritten to
 * a recreated one. Not thread-safe. */
struct block_cache;

struct block_cache_entry {
	struct addr addr;
	int64_t blocked_at;	/* ms; time of the last block */
	bool waiting;		/* still to be written to the current list */
	bool written;		/* has been on a list since it was cached */
};

enum block_cache_result {
	BLOCK_CACHE_KNOWN,	/* was written before */
	BLOCK_CACHE_WAITING,	/* has been waiting for its first write */
	BLOCK_CACHE_NEW,
	BLOCK_CACHE_NEW_EVICTED,	/* new, and the oldest entry was evicted */
};

/* max is the largest number of addresses, at least 1; memory grows as they come. Returns 0
 * or -ENOMEM. The caller owns *ret_cache. */
int block_cache_new(size_t max, struct block_cache **ret_cache);
void block_cache_free(struct block_cache *cache);

/* Let one /64 of IPv6 have this many blocks at most: one host has a whole /64. Call this while
 * the cache is empty. */
void block_cache_limit_nets(struct block_cache *cache, size_t share);

/* Note that addr is blocked at now: it becomes the newest entry. With
 * BLOCK_CACHE_NEW_EVICTED the evicted entry is in *ret_evicted. Returns an enum
 * block_cache_result, or -ENOMEM. */
int block_cache_put(struct block_cache *cache, const struct addr *addr, int64_t now,
		    bool waiting, struct block_cache_entry *ret_evicted);

/* Where an address is or would be stored, to save repeated lookups. Valid until the next
 * block_cache_put() or block_cache_drop_neighbour(). */
struct block_cache_place {
	uint32_t node, hash;	/* private */
};

/* Look up the place of an address for the functions below. */
struct block_cache_place block_cache_find(const struct block_cache *cache,
					  const struct addr *addr);

/* As block_cache_put(), for an address that was looked up. */
int block_cache_put_at(struct block_cache *cache, const struct block_cache_place *place,
		       const struct addr *addr, int64_t now, bool waiting,
		       struct block_cache_entry *ret_evicted);

/* Would addr, which is not cached, be one more than its /64 may have? Then drop the oldest block
 * of that /64, which is in *ret_dropped. Places are invalid afterwards. */
bool block_cache_drop_neighbour(struct block_cache *cache,
				const struct block_cache_place *place,
				const struct addr *addr,
				struct block_cache_entry *ret_dropped);

/* Is the address probably on the list? */
bool block_cache_knows(const struct block_cache *cache, const struct block_cache_place *place);

/* Was the address blocked after since, whether written yet or not? */
bool block_cache_has(const struct block_cache *cache, const struct block_cache_place *place,
		     int64_t since);

/* The most recent block, NULL if there is none. Valid until the next change. */
const struct block_cache_entry *block_cache_newest(const struct block_cache *cache);

/* The number of addresses that wait. */
size_t block_cache_waiting(const struct block_cache *cache);

/* Copy up to max addresses that have waited longest, in that order. Returns their number. */
size_t block_cache_longest_waiting(struct block_cache *cache, size_t max,
				   struct block_cache_entry *ret_entries);

/* The address's block of that time was written; a later block still waits. */
void block_cache_written(struct block_cache *cache, const struct addr *addr,
			 int64_t blocked_at);

/* Give up on an address that waited too long; its next block counts as new. */
void block_cache_lost(struct block_cache *cache, const struct addr *addr);

/* Called for an entry that is forgotten, as it was before. */
typedef void block_cache_fn(void *ctx, const struct block_cache_entry *entry);

/* Forget the addresses in the network that were blocked at until or before: their next block
 * counts as new. Places are invalid afterwards. fn may be NULL. */
void block_cache_forget(struct block_cache *cache, const struct cidr *net, int64_t until,
			block_cache_fn *fn, void *ctx);

/* The list was lost: all addresses blocked at since or later wait again. Returns how many
 * wait. */
size_t block_cache_all_wait(struct block_cache *cache, int64_t since);

#endif
