/* How often an address triggered lately.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* Ends a chain or list: nodes are numbered from 1, so that memory which nobody
 * touched is a tally without addresses. */
#define NONE 0

/* Behind each node stand the times of its last triggers, in a ring. */
struct node {
	struct addr addr;
	uint16_t count;		/* of times, up to the threshold */
	uint16_t next;		/* where the next time goes */
	uint32_t chain;
	uint32_t older, newer;
	uint32_t times[];	/* s since the tally was made */
};

/* The chains are a linear hash table: for each address that comes one chain is added,
 * and takes its share of one other. So there are as many as addresses, and no hit
 * pays for all of them. */
struct tally {
	pthread_mutex_t lock;	/* all below */
	char *nodes;		/* behind the chains, in the same piece of memory */
	size_t node_size;
	uint32_t *chains;
	uint32_t chain_count;
	uint32_t mask;		/* 2^n - 1, the least that has chain_count - 1 in it */
	uint32_t count, max;	/* of nodes; there is room for max chains, too */
	uint32_t oldest, newest;
	uint16_t threshold;
	uint32_t window;
	int64_t start;		/* ms; of the first hit */
	uint64_t seed;
};

static struct node *node_at(const struct tally *t, uint32_t i)
{
	return (struct node *)(void *)(t->nodes + (i - 1) * t->node_size);
}

/* A chain that is not there yet is still a part of the one half as far. */
static uint32_t *chain_of(const struct tally *t, const struct addr *addr)
{
	uint32_t i = (uint32_t)addr_hash(addr, t->seed) & t->mask;

	return &t->chains[i < t->chain_count ? i : i & t->mask >> 1];
}

static uint32_t find(const struct tally *t, const struct addr *addr)
{
	uint32_t i = *chain_of(t, addr);

	while (i != NONE && addr_compare(&node_at(t, i)->addr, addr) != 0)
		i = node_at(t, i)->chain;
	return i;
}

static void chain_in(struct tally *t, uint32_t i)
{
	uint32_t *chain = chain_of(t, &node_at(t, i)->addr);

	node_at(t, i)->chain = *chain;
	*chain = i;
}

static void chain_out(struct tally *t, uint32_t i)
{
	uint32_t *link = chain_of(t, &node_at(t, i)->addr);

	while (*link != i)
		link = &node_at(t, *link)->chain;
	*link = node_at(t, i)->chain;
}

/* One more chain, with its share of the one that had it up to now. */
static void add_chain(struct tally *t)
{
	uint32_t *chain, i, next;

	if (t->chain_count > t->mask)
		t->mask = 2 * t->mask + 1;
	chain = &t->chains[t->chain_count++ & t->mask >> 1];
	i = *chain;
	*chain = NONE;
	for (; i != NONE; i = next) {
		next = node_at(t, i)->chain;
		chain_in(t, i);
	}
}

static void append(struct tally *t, uint32_t i)
{
	node_at(t, i)->older = t->newest;
	node_at(t, i)->newer = NONE;
	if (t->newest != NONE)
		node_at(t, t->newest)->newer = i;
	else
		t->oldest = i;
	t->newest = i;
}

static void take_out(struct tally *t, uint32_t i)
{
	struct node *n = node_at(t, i);

	if (n->older != NONE)
		node_at(t, n->older)->newer = n->newer;
	else
		t->oldest = n->newer;
	if (n->newer != NONE)
		node_at(t, n->newer)->older = n->older;
	else
		t->newest = n->older;
}

/* All that it may ever need: what is not touched costs address space only. The
 * kernel is asked for small pages, as in a large one the first address would take
 * 2 MB, and the time to clear them. */
static int reserve(struct tally *t)
{
	size_t chains = t->max * sizeof(*t->chains);
	size_t size = chains + t->max * t->node_size;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first;

	t->chains = calloc(1, size);
	if (!t->chains)
		return -ENOMEM;
	t->nodes = (char *)t->chains + chains;
	t->chain_count = 1;
	first = ((uintptr_t)t->chains + page - 1) & ~(page - 1);
	/* Only a wish. */
	madvise((void *)first, ((uintptr_t)t->nodes + size - chains - first) & ~(page - 1),
		MADV_NOHUGEPAGE);
	return 0;
}

int tally_new(unsigned int threshold, unsigned int window,
	      struct tally **ret_tally)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->threshold = (uint16_t)threshold;
	t->window = window;
	t->node_size = sizeof(struct node) + threshold * sizeof(uint32_t);
	t->max = (uint32_t)(TALLY_BYTES_MAX / (t->node_size + sizeof(uint32_t)));
	/* As in the ledger: without a seed it is slow at worst. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) < 0)
		t->seed = (uint64_t)(uintptr_t)t;
	pthread_mutex_init(&t->lock, NULL);
	if (reserve(t) < 0) {
		tally_free(t);
		return -ENOMEM;
	}
	*ret_tally = t;
	return 0;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	pthread_mutex_destroy(&tally->lock);
	free(tally->chains);
	free(tally);
}

size_t tally_max(const struct tally *tally)
{
	return tally->max;
}

/* Is a time within the window that ends now? Workers read the clock before they
 * get here: a time may be a little later than now. */
static bool is_recent(const struct tally *t, uint32_t time, uint32_t now)
{
	return (int32_t)(now - time) < (int32_t)t->window;
}

/* The last time of a node. */
static uint32_t last_time(const struct tally *t, const struct node *n)
{
	return n->times[(n->next + t->threshold - 1U) % t->threshold];
}

/* A node to use, in no list or chain: a fresh one or the one quiet longest. */
static uint32_t take_node(struct tally *t, uint32_t now, bool *ret_forgot)
{
	uint32_t i = t->oldest;

	if (t->count < t->max) {
		if (t->count++ > 0)
			add_chain(t);
		return t->count;
	}
	*ret_forgot = is_recent(t, last_time(t, node_at(t, i)), now);
	chain_out(t, i);
	take_out(t, i);
	return i;
}

static uint32_t find_or_take(struct tally *t, const struct addr *addr, uint32_t now,
			     bool *ret_forgot)
{
	uint32_t i = find(t, addr);

	if (i != NONE) {
		take_out(t, i);
		return i;
	}
	i = take_node(t, now, ret_forgot);
	memset(node_at(t, i), 0, t->node_size);
	node_at(t, i)->addr = *addr;
	chain_in(t, i);
	return i;
}

/* The time that the ring comes round to is the first of the last threshold
 * triggers. */
static bool reached(const struct tally *t, const struct node *n, uint32_t now)
{
	return n->count == t->threshold && is_recent(t, n->times[n->next], now);
}

static bool hit(struct tally *t, const struct addr *addr, uint32_t now, bool *ret_forgot)
{
	uint32_t i = find_or_take(t, addr, now, ret_forgot);
	struct node *n = node_at(t, i);

	append(t, i);
	n->times[n->next] = now;
	n->next = (uint16_t)((n->next + 1U) % t->threshold);
	if (n->count < t->threshold)
		n->count++;
	return reached(t, n, now);
}

int tally_hit(struct tally *tally, const struct addr *addr, int64_t now,
	      bool *ret_forgot)
{
	bool there;

	*ret_forgot = false;
	pthread_mutex_lock(&tally->lock);
	if (tally->count == 0)
		tally->start = now;
	there = hit(tally, addr, (uint32_t)((now - tally->start) / 1000), ret_forgot);
	pthread_mutex_unlock(&tally->lock);
	return there;
}
