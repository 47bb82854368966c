/* Counts recent triggers per address.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/threshold.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/lru.h"

/* The times of an address's last triggers, in a ring. */
struct node {
	uint16_t count;		/* number of times, up to the threshold */
	uint16_t next;		/* index of the next time */
	uint32_t times[];	/* s since start */
};

struct threshold {
	struct lru *nodes;
	uint16_t threshold;
	uint32_t window;
	int64_t start;		/* ms; of the first hit */
};

int threshold_new(unsigned int threshold, unsigned int window, struct threshold **ret_threshold)
{
	struct threshold *t = calloc(1, sizeof(*t));
	size_t size = sizeof(struct node) + threshold * sizeof(uint32_t);

	if (!t)
		return -ENOMEM;
	t->threshold = (uint16_t)threshold;
	t->window = window;
	if (lru_new(sizeof(struct addr), size,
		    THRESHOLD_BYTES_MAX / lru_entry_size(sizeof(struct addr), size),
		    &t->nodes) < 0) {
		free(t);
		return -ENOMEM;
	}
	*ret_threshold = t;
	return 0;
}

void threshold_free(struct threshold *hits)
{
	if (!hits)
		return;
	lru_free(hits->nodes);
	free(hits);
}

size_t threshold_max(const struct threshold *hits)
{
	return lru_max(hits->nodes);
}

/* Is the time within the window that ends now? It may be slightly later than now: there are
 * two clocks. */
static bool is_recent(const struct threshold *t, uint32_t time, uint32_t now)
{
	return (int32_t)(now - time) < (int32_t)t->window;
}

/* The time of the node's last trigger. */
static uint32_t last_time(const struct threshold *t, const struct node *n)
{
	return n->times[(n->next + t->threshold - 1U) % t->threshold];
}

static struct node *find_or_add(struct threshold *t, const struct addr *addr, uint32_t now,
				bool *ret_forgot)
{
	struct node *n = lru_find(t->nodes, addr);
	const struct node *victim;

	if (n)
		return n;
	victim = lru_victim(t->nodes);
	*ret_forgot = victim && is_recent(t, last_time(t, victim), now);
	return lru_add(t->nodes, addr);
}

/* The oldest time in the ring is that of the first of the last threshold triggers. */
static bool reached(const struct threshold *t, const struct node *n, uint32_t now)
{
	return n->count == t->threshold && is_recent(t, n->times[n->next], now);
}

static void note_time(const struct threshold *t, struct node *n, uint32_t now)
{
	n->times[n->next] = now;
	n->next = (uint16_t)((n->next + 1U) % t->threshold);
	if (n->count < t->threshold)
		n->count++;
}

int threshold_hit(struct threshold *hits, const struct addr *addr, unsigned int times,
		  int64_t now_ms, bool *ret_forgot)
{
	unsigned int i;
	uint32_t now;
	struct node *n;

	*ret_forgot = false;
	if (lru_count(hits->nodes) == 0)
		hits->start = now_ms;
	now = (uint32_t)((now_ms - hits->start) / 1000);
	n = find_or_add(hits, addr, now, ret_forgot);
	/* The ring has room for no more than the threshold. */
	for (i = 0; i < times && i < hits->threshold; i++)
		note_time(hits, n, now);
	return reached(hits, n, now);
}
