/* The addresses that were blocked last, in the order of their blocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Ends a chain or list. */
#define NONE UINT32_MAX

struct node {
	struct ledger_entry entry;
	uint32_t older, newer;
	uint32_t chain;		/* of nodes in the same place of chains */
	uint32_t hash;
};

struct ledger {
	struct node *nodes;	/* the first count are in use */
	uint32_t *chains;	/* as many as there is room for nodes */
	uint32_t count, room, max;
	uint32_t oldest, newest;
	uint32_t waiting;	/* how many wait */
	uint32_t cursor;	/* none that is older waits */
	uint64_t seed;
};

/* All 32 bits of the hash are for as many chains as there are, without a division. */
static uint32_t *chain_of(const struct ledger *l, uint32_t hash)
{
	return &l->chains[(uint64_t)hash * l->room >> 32];
}

struct ledger_place ledger_find(const struct ledger *ledger, const struct addr *addr)
{
	uint32_t hash = (uint32_t)addr_hash(addr, ledger->seed);
	uint32_t i = *chain_of(ledger, hash);

	while (i != NONE && !addr_equal(&ledger->nodes[i].entry.addr, addr))
		i = ledger->nodes[i].chain;
	return (struct ledger_place){ .node = i, .hash = hash };
}

static uint32_t find(const struct ledger *l, const struct addr *addr)
{
	return ledger_find(l, addr).node;
}

static void chain_in(struct ledger *l, uint32_t i)
{
	uint32_t *chain = chain_of(l, l->nodes[i].hash);

	l->nodes[i].chain = *chain;
	*chain = i;
}

static void chain_out(struct ledger *l, uint32_t i)
{
	uint32_t *link = chain_of(l, l->nodes[i].hash);

	while (*link != i)
		link = &l->nodes[*link].chain;
	*link = l->nodes[i].chain;
}

static void append(struct ledger *l, uint32_t i)
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

static void take_out(struct ledger *l, uint32_t i)
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

static int grow(struct ledger *l)
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

int ledger_new(size_t max, struct ledger **ret_ledger)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->max = max < NONE ? (uint32_t)max : NONE - 1;
	l->oldest = l->newest = l->cursor = NONE;
	/* Without a seed a sender could choose addresses that collide; where
	 * the kernel has none yet, that is a slow ledger and nothing worse. */
	if (getrandom(&l->seed, sizeof(l->seed), GRND_NONBLOCK) < 0)
		l->seed = (uint64_t)(uintptr_t)l;
	l->room = l->max < 32 ? l->max : 32;
	l->nodes = calloc(l->room, sizeof(*l->nodes));
	l->chains = calloc(l->room, sizeof(*l->chains));
	if (!l->nodes || !l->chains) {
		ledger_free(l);
		return -ENOMEM;
	}
	memset(l->chains, 0xff, l->room * sizeof(*l->chains));
	*ret_ledger = l;
	return 0;
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	free(ledger->nodes);
	free(ledger->chains);
	free(ledger);
}

static void set_waiting(struct ledger *l, struct node *n, bool waiting)
{
	if (n->entry.waiting != waiting)
		l->waiting += waiting ? 1U : UINT32_MAX;
	n->entry.waiting = waiting;
	n->entry.written = n->entry.written || !waiting;
}

/* A node to use, in no list or chain: a fresh one or the oldest. */
static int take_node(struct ledger *l, uint32_t *ret_i,
		     struct ledger_entry *ret_evicted)
{
	int r;

	if (l->count == l->room && l->room < l->max) {
		r = grow(l);
		if (r < 0)
			return r;
	}
	if (l->count < l->room) {
		*ret_i = l->count++;
		return LEDGER_NEW;
	}
	*ret_i = l->oldest;
	*ret_evicted = l->nodes[*ret_i].entry;
	set_waiting(l, &l->nodes[*ret_i], false);
	chain_out(l, *ret_i);
	take_out(l, *ret_i);
	return LEDGER_NEW_EVICTED;
}

/* What an entry that is there already has been through. */
static int past_of(const struct ledger_entry *entry)
{
	if (entry->written)
		return LEDGER_KNOWN;
	return entry->waiting ? LEDGER_WAITING : LEDGER_NEW;
}

int ledger_put_at(struct ledger *ledger, const struct ledger_place *place,
		  const struct addr *addr, int64_t now, bool waiting,
		  struct ledger_entry *ret_evicted)
{
	uint32_t i = place->node;
	int r;

	if (i == NONE) {
		r = take_node(ledger, &i, ret_evicted);
		if (r < 0)
			return r;
		ledger->nodes[i].entry = (struct ledger_entry){ .addr = *addr };
		ledger->nodes[i].hash = place->hash;
		chain_in(ledger, i);
	} else {
		r = past_of(&ledger->nodes[i].entry);
		take_out(ledger, i);
	}
	append(ledger, i);
	ledger->nodes[i].entry.blocked_at = now;
	set_waiting(ledger, &ledger->nodes[i], waiting);
	return r;
}

int ledger_put(struct ledger *ledger, const struct addr *addr, int64_t now,
	       bool waiting, struct ledger_entry *ret_evicted)
{
	const struct ledger_place place = ledger_find(ledger, addr);

	return ledger_put_at(ledger, &place, addr, now, waiting, ret_evicted);
}

bool ledger_knows(const struct ledger *ledger, const struct ledger_place *place)
{
	uint32_t i = place->node;

	return i != NONE && ledger->nodes[i].entry.written &&
	       !ledger->nodes[i].entry.waiting;
}

bool ledger_has(const struct ledger *ledger, const struct ledger_place *place,
		int64_t since)
{
	uint32_t i = place->node;

	return i != NONE && ledger->nodes[i].entry.blocked_at > since &&
	       (ledger->nodes[i].entry.written || ledger->nodes[i].entry.waiting);
}

const struct ledger_entry *ledger_newest(const struct ledger *ledger)
{
	return ledger->newest == NONE ? NULL : &ledger->nodes[ledger->newest].entry;
}

size_t ledger_waiting(const struct ledger *ledger)
{
	return ledger->waiting;
}

size_t ledger_longest_waiting(struct ledger *ledger, size_t max,
			      struct ledger_entry *ret_entries)
{
	size_t n = 0, all = ledger->waiting < max ? ledger->waiting : max;
	uint32_t i;

	if (all == 0)
		return 0;
	while (!ledger->nodes[ledger->cursor].entry.waiting)
		ledger->cursor = ledger->nodes[ledger->cursor].newer;
	for (i = ledger->cursor; n < all; i = ledger->nodes[i].newer)
		if (ledger->nodes[i].entry.waiting)
			ret_entries[n++] = ledger->nodes[i].entry;
	return n;
}

void ledger_written(struct ledger *ledger, const struct addr *addr,
		    int64_t blocked_at)
{
	uint32_t i = find(ledger, addr);

	if (i == NONE)
		return;
	ledger->nodes[i].entry.written = true;
	if (ledger->nodes[i].entry.blocked_at <= blocked_at)
		set_waiting(ledger, &ledger->nodes[i], false);
}

void ledger_lost(struct ledger *ledger, const struct addr *addr)
{
	uint32_t i = find(ledger, addr);

	if (i == NONE)
		return;
	set_waiting(ledger, &ledger->nodes[i], false);
	ledger->nodes[i].entry.written = false;
}

size_t ledger_all_wait(struct ledger *ledger, int64_t since)
{
	uint32_t i;

	ledger->cursor = ledger->oldest;
	for (i = 0; i < ledger->count; i++)
		if (ledger->nodes[i].entry.blocked_at >= since)
			set_waiting(ledger, &ledger->nodes[i], true);
	return ledger->waiting;
}
