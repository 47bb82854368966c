/* How often an address triggered lately.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Ends a chain or list. */
#define NONE UINT32_MAX

/* Behind each node stand the times of its last triggers, in a ring. */
struct node {
	struct addr addr;
	uint16_t count;		/* of times, up to the threshold */
	uint16_t next;		/* where the next time goes */
	uint32_t chain;
	uint32_t older, newer;
	uint32_t times[];	/* s since the tally was made */
};

struct tally {
	pthread_mutex_t lock;	/* all below */
	char *nodes;
	size_t node_size;
	uint32_t *chains;	/* as many as there is room for nodes */
	uint32_t count, room, max;
	uint32_t oldest, newest;
	uint16_t threshold;
	uint32_t window;
	int64_t start;		/* ms; of the first hit */
	uint64_t seed;
};

static struct node *node_at(const struct tally *t, uint32_t i)
{
	return (struct node *)(void *)(t->nodes + i * t->node_size);
}

static uint32_t *chain_of(const struct tally *t, const struct addr *addr)
{
	return &t->chains[addr_hash(addr, t->seed) % t->room];
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

static int resize(struct tally *t, uint32_t room)
{
	char *nodes = reallocarray(t->nodes, room, t->node_size);
	uint32_t *chains, i;

	if (!nodes)
		return -ENOMEM;
	t->nodes = nodes;
	chains = reallocarray(t->chains, room, sizeof(*chains));
	if (!chains)
		return -ENOMEM;
	t->chains = chains;
	t->room = room;
	memset(chains, 0xff, room * sizeof(*chains));
	for (i = 0; i < t->count; i++)
		chain_in(t, i);
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
	t->oldest = t->newest = NONE;
	/* As in the ledger: without a seed it is slow at worst. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) < 0)
		t->seed = (uint64_t)(uintptr_t)t;
	pthread_mutex_init(&t->lock, NULL);
	if (resize(t, 64) < 0) {
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
	free(tally->nodes);
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
static int take_node(struct tally *t, uint32_t now, uint32_t *ret_i,
		     bool *ret_forgot)
{
	uint32_t room = t->room * 2 < t->max ? t->room * 2 : t->max;

	if (t->count == t->room && t->room < t->max && resize(t, room) < 0)
		return -ENOMEM;
	if (t->count < t->room) {
		*ret_i = t->count++;
		return 0;
	}
	*ret_i = t->oldest;
	*ret_forgot = is_recent(t, last_time(t, node_at(t, t->oldest)), now);
	chain_out(t, *ret_i);
	take_out(t, *ret_i);
	return 0;
}

static int find_or_take(struct tally *t, const struct addr *addr, uint32_t now,
			uint32_t *ret_i, bool *ret_forgot)
{
	int r;

	*ret_i = find(t, addr);
	if (*ret_i != NONE) {
		take_out(t, *ret_i);
		return 0;
	}
	r = take_node(t, now, ret_i, ret_forgot);
	if (r < 0)
		return r;
	memset(node_at(t, *ret_i), 0, t->node_size);
	node_at(t, *ret_i)->addr = *addr;
	chain_in(t, *ret_i);
	return 0;
}

/* The time that the ring comes round to is the first of the last threshold
 * triggers. */
static bool reached(const struct tally *t, const struct node *n, uint32_t now)
{
	return n->count == t->threshold && is_recent(t, n->times[n->next], now);
}

static int hit(struct tally *t, const struct addr *addr, uint32_t now,
	       bool *ret_forgot)
{
	struct node *n;
	uint32_t i;
	int r;

	r = find_or_take(t, addr, now, &i, ret_forgot);
	if (r < 0)
		return r;
	append(t, i);
	n = node_at(t, i);
	n->times[n->next] = now;
	n->next = (uint16_t)((n->next + 1U) % t->threshold);
	if (n->count < t->threshold)
		n->count++;
	return reached(t, n, now);
}

int tally_hit(struct tally *tally, const struct addr *addr, int64_t now,
	      bool *ret_forgot)
{
	int r;

	*ret_forgot = false;
	pthread_mutex_lock(&tally->lock);
	if (tally->count == 0)
		tally->start = now;
	r = hit(tally, addr, (uint32_t)((now - tally->start) / 1000), ret_forgot);
	pthread_mutex_unlock(&tally->lock);
	return r;
}
