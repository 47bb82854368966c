/* How often an address triggered lately.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/tally.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/lru.h"

/* What is known of an address: the times of its last triggers, in a ring. */
struct node {
	uint16_t count;		/* of times, up to the threshold */
	uint16_t next;		/* where the next time goes */
	uint32_t times[];	/* s since the tally was made */
};

struct tally {
	pthread_mutex_t lock;	/* all below */
	struct lru *nodes;
	uint16_t threshold;
	uint32_t window;
	int64_t start;		/* ms; of the first hit */
};

int tally_new(unsigned int threshold, unsigned int window,
	      struct tally **ret_tally)
{
	struct tally *t = calloc(1, sizeof(*t));
	size_t size = sizeof(struct node) + threshold * sizeof(uint32_t);

	if (!t)
		return -ENOMEM;
	t->threshold = (uint16_t)threshold;
	t->window = window;
	if (lru_new(sizeof(struct addr), size,
		    TALLY_BYTES_MAX / lru_entry_size(sizeof(struct addr), size),
		    &t->nodes) < 0) {
		free(t);
		return -ENOMEM;
	}
	pthread_mutex_init(&t->lock, NULL);
	*ret_tally = t;
	return 0;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	pthread_mutex_destroy(&tally->lock);
	lru_free(tally->nodes);
	free(tally);
}

size_t tally_max(const struct tally *tally)
{
	return lru_max(tally->nodes);
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

static struct node *find_or_add(struct tally *t, const struct addr *addr, uint32_t now,
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

/* The time that the ring comes round to is the first of the last threshold
 * triggers. */
static bool reached(const struct tally *t, const struct node *n, uint32_t now)
{
	return n->count == t->threshold && is_recent(t, n->times[n->next], now);
}

static bool hit(struct tally *t, const struct addr *addr, uint32_t now, bool *ret_forgot)
{
	struct node *n = find_or_add(t, addr, now, ret_forgot);

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
	if (lru_count(tally->nodes) == 0)
		tally->start = now;
	there = hit(tally, addr, (uint32_t)((now - tally->start) / 1000), ret_forgot);
	pthread_mutex_unlock(&tally->lock);
	return there;
}
