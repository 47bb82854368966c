/* The most recently blocked addresses, in the order of their blocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/block_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Ends a chain or list. */
#define NONE UINT32_MAX
/* A /64 is searched for only if so many addresses share its counter that it may have its
 * share. */
#define NET_COUNTERS 1024

struct node {
	struct block_cache_entry entry;
	uint32_t older, newer;
	uint32_t chain;		/* next node of the same hash chain */
	uint32_t hash;
};

struct block_cache {
	struct node *nodes;	/* the first count are in use */
	uint32_t *chains;	/* room of them, too */
	uint32_t count, room, max;
	uint32_t oldest, newest;
	uint32_t waiting;	/* number of waiting entries */
	uint32_t cursor;	/* no older entry waits */
	uint64_t seed;
	uint32_t share;		/* blocks of one /64; 0: any number */
	uint32_t nets[NET_COUNTERS];	/* nodes by the hash of their /64 */
};

/* Scale the 32 bits of the hash to the number of chains, without a division. */
static uint32_t *chain_of(const struct block_cache *l, uint32_t hash)
{
	return &l->chains[(uint64_t)hash * l->room >> 32];
}

struct block_cache_place block_cache_find(const struct block_cache *cache,
					  const struct addr *addr)
{
	uint32_t hash = (uint32_t)addr_hash(addr, cache->seed);
	uint32_t i = *chain_of(cache, hash);

	while (i != NONE && !addr_equal(&cache->nodes[i].entry.addr, addr))
		i = cache->nodes[i].chain;
	return (struct block_cache_place){ .node = i, .hash = hash };
}

static uint32_t find(const struct block_cache *l, const struct addr *addr)
{
	return block_cache_find(l, addr).node;
}

static struct addr net_of(const struct addr *addr)
{
	return cidr_mask(addr, 64);
}

/* The counter of the address's /64; NULL: its blocks are not limited. */
static uint32_t *net_counter(struct block_cache *l, const struct addr *addr)
{
	struct addr net;

	if (l->share == 0 || addr->family != ADDR_IPV6)
		return NULL;
	net = net_of(addr);
	return &l->nets[addr_hash(&net, l->seed) % NET_COUNTERS];
}

static void count_net(struct block_cache *l, const struct addr *addr, bool more)
{
	uint32_t *counter = net_counter(l, addr);

	if (counter)
		*counter += more ? 1U : UINT32_MAX;
}

static void chain_in(struct block_cache *l, uint32_t i)
{
	uint32_t *chain = chain_of(l, l->nodes[i].hash);

	l->nodes[i].chain = *chain;
	*chain = i;
}

static void chain_out(struct block_cache *l, uint32_t i)
{
	uint32_t *link = chain_of(l, l->nodes[i].hash);

	while (*link != i)
		link = &l->nodes[*link].chain;
	*link = l->nodes[i].chain;
}

static void append(struct block_cache *l, uint32_t i)
{
	l->nodes[i].older = l->newest;
	l->nodes[i].newer = NONE;
	if (l->newest != NONE)
		l->nodes[l->newest].newer = i;
	else
		l->oldest = i;
	l->newest = i;
	if (l->cursor == NONE)
		l->cursor = i;
}

/* The next one to be evicted. */
static void prepend(struct block_cache *l, uint32_t i)
{
	l->nodes[i].older = NONE;
	l->nodes[i].newer = l->oldest;
	if (l->oldest != NONE)
		l->nodes[l->oldest].older = i;
	else
		l->newest = i;
	l->oldest = i;
}

static void take_out(struct block_cache *l, uint32_t i)
{
	struct node *n = &l->nodes[i];

	if (l->cursor == i)
		l->cursor = n->newer;
	if (n->older != NONE)
		l->nodes[n->older].newer = n->newer;
	else
		l->oldest = n->newer;
	if (n->newer != NONE)
		l->nodes[n->newer].older = n->older;
	else
		l->newest = n->older;
}

static int grow(struct block_cache *l)
{
	uint32_t room = l->room * 2 < l->max ? l->room * 2 : l->max, i;
	struct node *nodes = reallocarray(l->nodes, room, sizeof(*nodes));
	uint32_t *chains;

	if (!nodes)
		return -ENOMEM;
	l->nodes = nodes;
	chains = reallocarray(l->chains, room, sizeof(*chains));
	if (!chains)
		return -ENOMEM;
	l->chains = chains;
	l->room = room;
	memset(chains, 0xff, room * sizeof(*chains));
	for (i = 0; i < l->count; i++)
		chain_in(l, i);
	return 0;
}

int block_cache_new(size_t max, struct block_cache **ret_cache)
{
	struct block_cache *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->max = max < NONE ? (uint32_t)max : NONE - 1;
	l->oldest = l->newest = l->cursor = NONE;
	/* Without a seed a sender could choose addresses that collide. If the kernel has no
	 * random numbers yet, the cache may be slow, nothing worse. */
	if (getrandom(&l->seed, sizeof(l->seed), GRND_NONBLOCK) < 0)
		l->seed = (uint64_t)(uintptr_t)l;
	l->room = l->max < 32 ? l->max : 32;
	l->nodes = calloc(l->room, sizeof(*l->nodes));
	l->chains = calloc(l->room, sizeof(*l->chains));
	if (!l->nodes || !l->chains) {
		block_cache_free(l);
		return -ENOMEM;
	}
	memset(l->chains, 0xff, l->room * sizeof(*l->chains));
	*ret_cache = l;
	return 0;
}

void block_cache_limit_nets(struct block_cache *cache, size_t share)
{
	cache->share = share < NONE ? (uint32_t)share : 0;
}

void block_cache_free(struct block_cache *cache)
{
	if (!cache)
		return;
	free(cache->nodes);
	free(cache->chains);
	free(cache);
}

static void set_waiting(struct block_cache *l, struct node *n, bool waiting)
{
	if (n->entry.waiting != waiting)
		l->waiting += waiting ? 1U : UINT32_MAX;
	n->entry.waiting = waiting;
	n->entry.written = n->entry.written || !waiting;
}

/* An unused node, or the oldest one, which is evicted. */
static int take_node(struct block_cache *l, uint32_t *ret_i,
		     struct block_cache_entry *ret_evicted)
{
	int r;

	if (l->count == l->room && l->room < l->max) {
		r = grow(l);
		if (r < 0)
			return r;
	}
	if (l->count < l->room) {
		*ret_i = l->count++;
		return BLOCK_CACHE_NEW;
	}
	*ret_i = l->oldest;
	*ret_evicted = l->nodes[*ret_i].entry;
	set_waiting(l, &l->nodes[*ret_i], false);
	count_net(l, &ret_evicted->addr, false);
	chain_out(l, *ret_i);
	take_out(l, *ret_i);
	return BLOCK_CACHE_NEW_EVICTED;
}

/* The history of an existing entry, as an enum block_cache_result. */
static int past_of(const struct block_cache_entry *entry)
{
	if (entry->written)
		return BLOCK_CACHE_KNOWN;
	return entry->waiting ? BLOCK_CACHE_WAITING : BLOCK_CACHE_NEW;
}

int block_cache_put_at(struct block_cache *cache, const struct block_cache_place *place,
		       const struct addr *addr, int64_t now, bool waiting,
		       struct block_cache_entry *ret_evicted)
{
	uint32_t i = place->node;
	int r;

	if (i == NONE) {
		r = take_node(cache, &i, ret_evicted);
		if (r < 0)
			return r;
		cache->nodes[i].entry = (struct block_cache_entry){ .addr = *addr };
		cache->nodes[i].hash = place->hash;
		chain_in(cache, i);
		count_net(cache, addr, true);
	} else {
		r = past_of(&cache->nodes[i].entry);
		take_out(cache, i);
	}
	append(cache, i);
	cache->nodes[i].entry.blocked_at = now;
	set_waiting(cache, &cache->nodes[i], waiting);
	return r;
}

int block_cache_put(struct block_cache *cache, const struct addr *addr, int64_t now,
		    bool waiting, struct block_cache_entry *ret_evicted)
{
	const struct block_cache_place place = block_cache_find(cache, addr);

	return block_cache_put_at(cache, &place, addr, now, waiting, ret_evicted);
}

bool block_cache_knows(const struct block_cache *cache, const struct block_cache_place *place)
{
	uint32_t i = place->node;

	return i != NONE && cache->nodes[i].entry.written &&
	       !cache->nodes[i].entry.waiting;
}

bool block_cache_has(const struct block_cache *cache, const struct block_cache_place *place,
		     int64_t since)
{
	uint32_t i = place->node;

	return i != NONE && cache->nodes[i].entry.blocked_at > since &&
	       (cache->nodes[i].entry.written || cache->nodes[i].entry.waiting);
}

static bool is_live(const struct block_cache_entry *entry)
{
	return entry->written || entry->waiting;
}

/* The oldest block in the same /64, if that has its share; else NONE. */
static uint32_t find_neighbour(const struct block_cache *l, const struct addr *addr)
{
	const struct addr net = net_of(addr);
	uint32_t i, n = 0, oldest = NONE;

	for (i = l->oldest; i != NONE && n < l->share; i = l->nodes[i].newer) {
		const struct block_cache_entry *entry = &l->nodes[i].entry;
		const struct addr other = net_of(&entry->addr);

		if (!is_live(entry) || !addr_equal(&other, &net))
			continue;
		if (n++ == 0)
			oldest = i;
	}
	return n < l->share ? NONE : oldest;
}

/* The address counts as never blocked, and is the next one to be evicted. Returns its entry before
 * that. */
static struct block_cache_entry bury(struct block_cache *l, uint32_t i)
{
	const struct block_cache_entry before = l->nodes[i].entry;

	set_waiting(l, &l->nodes[i], false);
	l->nodes[i].entry.written = false;
	l->nodes[i].entry.blocked_at = INT64_MIN / 2;
	take_out(l, i);
	prepend(l, i);
	return before;
}

bool block_cache_drop_neighbour(struct block_cache *cache,
				const struct block_cache_place *place,
				const struct addr *addr,
				struct block_cache_entry *ret_dropped)
{
	const uint32_t *counter = net_counter(cache, addr);
	uint32_t i;

	if (!counter || *counter < cache->share)
		return false;
	if (place->node != NONE && is_live(&cache->nodes[place->node].entry))
		return false;
	i = find_neighbour(cache, addr);
	if (i == NONE)
		return false;
	*ret_dropped = bury(cache, i);
	return true;
}

const struct block_cache_entry *block_cache_newest(const struct block_cache *cache)
{
	return cache->newest == NONE ? NULL : &cache->nodes[cache->newest].entry;
}

size_t block_cache_waiting(const struct block_cache *cache)
{
	return cache->waiting;
}

size_t block_cache_longest_waiting(struct block_cache *cache, size_t max,
				   struct block_cache_entry *ret_entries)
{
	size_t n = 0, all = cache->waiting < max ? cache->waiting : max;
	uint32_t i;

	if (all == 0)
		return 0;
	while (!cache->nodes[cache->cursor].entry.waiting)
		cache->cursor = cache->nodes[cache->cursor].newer;
	for (i = cache->cursor; n < all; i = cache->nodes[i].newer)
		if (cache->nodes[i].entry.waiting)
			ret_entries[n++] = cache->nodes[i].entry;
	return n;
}

void block_cache_written(struct block_cache *cache, const struct addr *addr, int64_t blocked_at)
{
	uint32_t i = find(cache, addr);

	if (i == NONE)
		return;
	cache->nodes[i].entry.written = true;
	if (cache->nodes[i].entry.blocked_at <= blocked_at)
		set_waiting(cache, &cache->nodes[i], false);
}

void block_cache_lost(struct block_cache *cache, const struct addr *addr)
{
	uint32_t i = find(cache, addr);

	if (i == NONE)
		return;
	set_waiting(cache, &cache->nodes[i], false);
	cache->nodes[i].entry.written = false;
}

static void forget(struct block_cache *l, uint32_t i, int64_t until, block_cache_fn *fn, void *ctx)
{
	struct block_cache_entry before;

	if (!is_live(&l->nodes[i].entry) || l->nodes[i].entry.blocked_at > until)
		return;
	before = bury(l, i);
	if (fn)
		fn(ctx, &before);
}

void block_cache_forget(struct block_cache *cache, const struct cidr *net, int64_t until,
			block_cache_fn *fn, void *ctx)
{
	uint32_t i, newer;

	if (net->prefix == addr_bits(&net->net)) {
		i = find(cache, &net->net);
		if (i != NONE)
			forget(cache, i, until, fn, ctx);
		return;
	}
	for (i = cache->oldest; i != NONE; i = newer) {
		newer = cache->nodes[i].newer;
		if (cidr_contains(net, &cache->nodes[i].entry.addr))
			forget(cache, i, until, fn, ctx);
	}
}

size_t block_cache_all_wait(struct block_cache *cache, int64_t since)
{
	uint32_t i;

	cache->cursor = cache->oldest;
	for (i = 0; i < cache->count; i++)
		if (cache->nodes[i].entry.blocked_at >= since)
			set_waiting(cache, &cache->nodes[i], true);
	return cache->waiting;
}
