/* A table of values by address, of bounded size. A new value replaces the least recently used.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/lru.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* The end of a chain or list. Nodes are numbered from 1, so zeroed memory is an empty
 * table. */
#define NONE 0

/* The value follows the key. */
struct node {
	uint32_t chain;
	uint32_t older, newer;
	char key[];
};

/* The chains are a linear hash table: each new value adds one chain, which takes its share of
 * one other chain. So there are as many chains as values, and no call rehashes all of
 * them. */
struct lru {
	uint32_t *chains;
	char *nodes;		/* after the chains, in the same allocation */
	size_t node_size, key_size, value_at, value_size;
	uint32_t chain_count;
	uint32_t mask;		/* the lowest 2^n - 1 that is not below chain_count - 1 */
	uint32_t count, max;	/* of nodes; there is room for max chains too */
	uint32_t oldest, newest;
	unsigned long forgotten;
	uint64_t seed;
};

static size_t round_up(size_t size, size_t step)
{
	return (size + step - 1) / step * step;
}

/* Values whose size is a multiple of 8 may contain 64-bit numbers. */
static size_t alignment(size_t value_size)
{
	return value_size % 8 == 0 ? 8 : 4;
}

static size_t value_offset(size_t key_size, size_t value_size)
{
	return round_up(sizeof(struct node) + key_size, alignment(value_size));
}

static size_t size_of_node(size_t key_size, size_t value_size)
{
	return value_offset(key_size, value_size) + round_up(value_size, 4);
}

size_t lru_entry_size(size_t key_size, size_t value_size)
{
	return size_of_node(key_size, value_size) + sizeof(uint32_t);
}

static struct node *node_at(const struct lru *l, uint32_t i)
{
	return (struct node *)(void *)(l->nodes + (i - 1) * l->node_size);
}

static void *value_of(const struct lru *l, uint32_t i)
{
	return (char *)node_at(l, i) + l->value_at;
}

static uint64_t hash_of(const struct lru *l, const void *key)
{
	const unsigned char *bytes = key;
	uint64_t salt = 0;
	struct addr addr;
	size_t i;

	for (i = sizeof(addr); i < l->key_size; i++)
		salt = (salt + bytes[i]) * 0x9e3779b97f4a7c15U;
	memcpy(&addr, key, sizeof(addr));
	return addr_hash(&addr, l->seed ^ salt);
}

/* A chain that does not exist yet is still part of the one without the mask's highest bit. */
static uint32_t *chain_of(const struct lru *l, const void *key)
{
	uint32_t i = (uint32_t)hash_of(l, key) & l->mask;

	return &l->chains[i < l->chain_count ? i : i & l->mask >> 1];
}

static bool is_same(const struct lru *l, const void *a, const void *b)
{
	const size_t size = sizeof(struct addr);

	return addr_compare(a, b) == 0 &&
	       memcmp((const char *)a + size, (const char *)b + size, l->key_size - size) == 0;
}

static void chain_in(struct lru *l, uint32_t i)
{
	uint32_t *chain = chain_of(l, node_at(l, i)->key);

	node_at(l, i)->chain = *chain;
	*chain = i;
}

static void chain_out(struct lru *l, uint32_t i)
{
	uint32_t *link = chain_of(l, node_at(l, i)->key);

	while (*link != i)
		link = &node_at(l, *link)->chain;
	*link = node_at(l, i)->chain;
}

/* Add a chain and move its share of the existing chain to it. */
static void add_chain(struct lru *l)
{
	uint32_t *chain, i, next;

	if (l->chain_count > l->mask)
		l->mask = 2 * l->mask + 1;
	chain = &l->chains[l->chain_count++ & l->mask >> 1];
	i = *chain;
	*chain = NONE;
	for (; i != NONE; i = next) {
		next = node_at(l, i)->chain;
		chain_in(l, i);
	}
}

static void append(struct lru *l, uint32_t i)
{
	node_at(l, i)->older = l->newest;
	node_at(l, i)->newer = NONE;
	if (l->newest != NONE)
		node_at(l, l->newest)->newer = i;
	else
		l->oldest = i;
	l->newest = i;
}

static void take_out(struct lru *l, uint32_t i)
{
	const struct node *n = node_at(l, i);

	if (n->older != NONE)
		node_at(l, n->older)->newer = n->newer;
	else
		l->oldest = n->newer;
	if (n->newer != NONE)
		node_at(l, n->newer)->older = n->older;
	else
		l->newest = n->older;
}

/* Allocate the maximum. Untouched pages take address space only. With huge pages the first
 * value would take 2 MB and the time to clear them, so ask for small ones. */
static int reserve(struct lru *l)
{
	size_t chains = round_up(l->max * sizeof(*l->chains), 8);
	size_t size = chains + l->max * l->node_size;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first;

	l->chains = calloc(1, size);
	if (!l->chains)
		return -ENOMEM;
	l->nodes = (char *)l->chains + chains;
	l->chain_count = 1;
	first = ((uintptr_t)l->chains + page - 1) & ~(page - 1);
	/* A hint: a failure does not matter. */
	madvise((void *)first, ((uintptr_t)l->nodes + size - chains - first) & ~(page - 1),
		MADV_NOHUGEPAGE);
	return 0;
}

int lru_new(size_t key_size, size_t value_size, size_t max, struct lru **ret_lru)
{
	struct lru *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->key_size = key_size;
	l->value_size = value_size;
	l->value_at = value_offset(key_size, value_size);
	l->node_size = size_of_node(key_size, value_size);
	l->max = (uint32_t)max;
	/* Without a secret seed a sender could choose colliding addresses. If the kernel has no
	 * random numbers yet, the worst result is a slow table. */
	if (getrandom(&l->seed, sizeof(l->seed), GRND_NONBLOCK) < 0)
		l->seed = (uint64_t)(uintptr_t)l;
	if (reserve(l) < 0) {
		free(l);
		return -ENOMEM;
	}
	*ret_lru = l;
	return 0;
}

void lru_free(struct lru *lru)
{
	if (!lru)
		return;
	free(lru->chains);
	free(lru);
}

void *lru_find(struct lru *lru, const void *key)
{
	uint32_t i = *chain_of(lru, key);

	while (i != NONE && !is_same(lru, node_at(lru, i)->key, key))
		i = node_at(lru, i)->chain;
	if (i == NONE)
		return NULL;
	take_out(lru, i);
	append(lru, i);
	return value_of(lru, i);
}

const void *lru_victim(const struct lru *lru)
{
	return lru->count < lru->max ? NULL : value_of(lru, lru->oldest);
}

/* A node outside all lists and chains: an unused one, or else the oldest. */
static uint32_t take_node(struct lru *l)
{
	uint32_t i = l->oldest;

	if (l->count < l->max) {
		if (l->count++ > 0)
			add_chain(l);
		return l->count;
	}
	chain_out(l, i);
	take_out(l, i);
	l->forgotten++;
	return i;
}

void *lru_add(struct lru *lru, const void *key)
{
	uint32_t i = take_node(lru);

	memcpy(node_at(lru, i)->key, key, lru->key_size);
	chain_in(lru, i);
	append(lru, i);
	return memset(value_of(lru, i), 0, lru->value_size);
}

uint32_t lru_count(const struct lru *lru)
{
	return lru->count;
}

uint32_t lru_max(const struct lru *lru)
{
	return lru->max;
}

const void *lru_at(const struct lru *lru, uint32_t n, const void **ret_key)
{
	*ret_key = node_at(lru, n + 1)->key;
	return value_of(lru, n + 1);
}

unsigned long lru_forgotten(const struct lru *lru)
{
	return lru->forgotten;
}
