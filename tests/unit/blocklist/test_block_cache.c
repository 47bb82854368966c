/* The addresses that were blocked last, in the order of their blocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/block_cache.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/support.h"

static struct addr numbered(unsigned int n)
{
	return (struct addr){ .family = ADDR_IPV4,
			      .bytes = { 198, 51, (uint8_t)(n >> 8), (uint8_t)n } };
}

static int put(struct block_cache *l, unsigned int n, int64_t now, bool waiting,
	       struct block_cache_entry *evicted)
{
	const struct addr addr = numbered(n);

	return block_cache_put(l, &addr, now, waiting, evicted);
}

static struct block_cache *new_ledger(size_t max)
{
	struct block_cache *l = NULL;

	want_int(block_cache_new(max, &l), 0);
	return l;
}

/* The one that has waited longest; NULL if none waits. */
static const struct block_cache_entry *next_waiting(struct block_cache *l)
{
	static struct block_cache_entry entry;

	return block_cache_longest_waiting(l, 1, &entry) ? &entry : NULL;
}

TEST(distinguishes_new_from_known)
{
	struct block_cache *l = new_ledger(4);
	struct block_cache_entry evicted;

	want_int(put(l, 1, 10, false, &evicted), BLOCK_CACHE_NEW);
	want_int(put(l, 2, 20, false, &evicted), BLOCK_CACHE_NEW);
	want_int(put(l, 1, 30, false, &evicted), BLOCK_CACHE_KNOWN);
	want_int(block_cache_newest(l)->blocked_at, 30);
	block_cache_free(l);
}

TEST(oldest_makes_room)
{
	struct block_cache *l = new_ledger(2);
	struct block_cache_entry evicted;
	const struct addr second = numbered(2);

	put(l, 1, 10, false, &evicted);
	put(l, 2, 20, false, &evicted);
	put(l, 1, 30, false, &evicted);
	want_int(put(l, 3, 40, false, &evicted), BLOCK_CACHE_NEW_EVICTED);
	want_int(addr_compare(&evicted.addr, &second), 0);
	want_int(evicted.blocked_at, 20);
	block_cache_free(l);
}

TEST(waiting_come_oldest_first)
{
	struct block_cache *l = new_ledger(8);
	struct block_cache_entry evicted;
	const struct addr third = numbered(3), fifth = numbered(5);

	want_int(next_waiting(l) == NULL, true);
	put(l, 1, 1, false, &evicted);
	put(l, 3, 2, true, &evicted);
	put(l, 4, 3, false, &evicted);
	put(l, 5, 4, true, &evicted);
	want_int(block_cache_waiting(l), 2);
	want_int(addr_compare(&next_waiting(l)->addr, &third), 0);
	want_int(next_waiting(l)->written, false);
	block_cache_written(l, &third, 2);
	want_int(addr_compare(&next_waiting(l)->addr, &fifth), 0);
	block_cache_written(l, &fifth, 4);
	want_int(next_waiting(l) == NULL, true);
	want_int(block_cache_waiting(l), 0);
	block_cache_free(l);
}

TEST(several_that_wait_come_in_order)
{
	struct block_cache_entry evicted, got[3];
	struct block_cache *l = new_ledger(8);
	const struct addr want[] = { numbered(2), numbered(4), numbered(5) };
	unsigned int i;

	want_int(block_cache_longest_waiting(l, 3, got), 0);
	for (i = 1; i <= 6; i++)
		put(l, i, i, i % 2 == 0 || i == 5, &evicted);
	want_int(block_cache_longest_waiting(l, 3, got), 3);
	for (i = 0; i < 3; i++)
		want_int(addr_compare(&got[i].addr, &want[i]), 0);
	want_int(block_cache_longest_waiting(l, 1, got), 1);
	block_cache_written(l, &want[0], 2);
	block_cache_written(l, &want[1], 4);
	want_int(block_cache_longest_waiting(l, 3, got), 2);
	want_int(addr_compare(&got[0].addr, &want[2]), 0);
	block_cache_free(l);
}

static bool knows(const struct block_cache *l, const struct addr *addr)
{
	const struct block_cache_place place = block_cache_find(l, addr);

	return block_cache_knows(l, &place);
}

static bool has(const struct block_cache *l, const struct addr *addr, int64_t since)
{
	const struct block_cache_place place = block_cache_find(l, addr);

	return block_cache_has(l, &place, since);
}

TEST(knows_what_was_written)
{
	const struct addr first = numbered(1), second = numbered(2);
	struct block_cache *l = new_ledger(8);
	struct block_cache_entry evicted;

	put(l, 1, 1, false, &evicted);
	put(l, 2, 2, true, &evicted);
	want_int(knows(l, &first), true);
	want_int(knows(l, &second), false);
	block_cache_all_wait(l, 0);
	block_cache_written(l, &second, 2);
	want_int(knows(l, &first), false);
	want_int(knows(l, &second), true);
	block_cache_free(l);
}

TEST(has_what_was_blocked_since)
{
	const struct addr first = numbered(1), second = numbered(2), third = numbered(3);
	struct block_cache *l = new_ledger(8);
	struct block_cache_entry evicted;

	put(l, 1, 10, false, &evicted);
	put(l, 2, 20, true, &evicted);
	want_int(has(l, &first, 9) && has(l, &second, 19), true);
	want_int(has(l, &first, 10) || has(l, &second, 20), false);
	want_int(has(l, &third, 0), false);
	block_cache_lost(l, &second);
	want_int(has(l, &second, 19), false);
	block_cache_free(l);
}

TEST(only_unexpired_blocks_wait_again)
{
	struct block_cache *l = new_ledger(8);
	struct block_cache_entry evicted;
	const struct addr second = numbered(2);

	put(l, 1, 10, false, &evicted);
	put(l, 2, 20, false, &evicted);
	put(l, 3, 30, false, &evicted);
	want_int(block_cache_all_wait(l, 20), 2);
	want_int(addr_compare(&next_waiting(l)->addr, &second), 0);
	want_int(next_waiting(l)->written, true);
	block_cache_free(l);
}

TEST(lost_is_new_again)
{
	struct block_cache *l = new_ledger(4);
	struct block_cache_entry evicted;
	const struct addr first = numbered(1);

	want_int(put(l, 1, 10, true, &evicted), BLOCK_CACHE_NEW);
	want_int(put(l, 1, 11, true, &evicted), BLOCK_CACHE_WAITING);
	block_cache_lost(l, &first);
	want_int(block_cache_waiting(l), 0);
	want_int(put(l, 1, 12, true, &evicted), BLOCK_CACHE_NEW);
	want_int(put(l, 1, 13, false, &evicted), BLOCK_CACHE_WAITING);
	want_int(put(l, 1, 14, false, &evicted), BLOCK_CACHE_KNOWN);
	block_cache_free(l);
}

/* It was blocked again while its earlier block was being written. */
TEST(later_block_waits_on)
{
	struct block_cache *l = new_ledger(4);
	struct block_cache_entry evicted;
	const struct addr first = numbered(1);

	put(l, 1, 10, true, &evicted);
	put(l, 1, 11, true, &evicted);
	block_cache_written(l, &first, 10);
	want_int(block_cache_waiting(l), 1);
	want_int(knows(l, &first), false);
	want_int(next_waiting(l)->written, true);
	block_cache_written(l, &first, 11);
	want_int(block_cache_waiting(l), 0);
	want_int(knows(l, &first), true);
	block_cache_free(l);
}

TEST(written_forgets_unknown)
{
	struct block_cache *l = new_ledger(2);
	const struct addr unknown = numbered(9);

	block_cache_written(l, &unknown, 0);
	want_int(block_cache_newest(l) == NULL, true);
	block_cache_free(l);
}

/* A slow, obviously correct cache: an array, the oldest first. */
struct model {
	struct block_cache_entry entries[64];
	unsigned int count, max;
};

static unsigned int model_find(const struct model *m, const struct addr *addr)
{
	unsigned int i = 0;

	while (i < m->count && addr_compare(&m->entries[i].addr, addr) != 0)
		i++;
	return i;
}

static void model_remove(struct model *m, unsigned int i)
{
	memmove(&m->entries[i], &m->entries[i + 1],
		(m->count - i - 1) * sizeof(m->entries[0]));
	m->count--;
}

static int model_put(struct model *m, const struct addr *addr, int64_t now,
		     bool waiting)
{
	unsigned int i = model_find(m, addr);
	struct block_cache_entry e = { .addr = *addr };
	int r = BLOCK_CACHE_NEW;

	if (i < m->count) {
		e = m->entries[i];
		model_remove(m, i);
		r = e.written ? BLOCK_CACHE_KNOWN : BLOCK_CACHE_WAITING;
	} else if (m->count == m->max) {
		model_remove(m, 0);
		r = BLOCK_CACHE_NEW_EVICTED;
	}
	e.blocked_at = now;
	e.waiting = waiting;
	e.written = e.written || !waiting;
	m->entries[m->count++] = e;
	return r;
}

static void same_waiting(struct block_cache *l, const struct model *m)
{
	const struct block_cache_entry *next = next_waiting(l);
	unsigned int i = 0, waiting = 0, j;

	while (i < m->count && !m->entries[i].waiting)
		i++;
	for (j = 0; j < m->count; j++)
		waiting += m->entries[j].waiting;
	want_int(block_cache_waiting(l), waiting);
	want_int(next == NULL, i == m->count);
	if (next)
		want_int(addr_compare(&next->addr, &m->entries[i].addr), 0);
}

static void model_step(struct block_cache *l, struct model *m, uint64_t random, int64_t now)
{
	const struct addr addr = numbered((unsigned int)(random >> 8) % 90);
	struct block_cache_entry evicted;
	unsigned int i;

	switch (random % 8) {
	case 0:
		block_cache_all_wait(l, now - 20);
		for (i = 0; i < m->count; i++)
			if (m->entries[i].blocked_at >= now - 20)
				m->entries[i].waiting = true;
		break;
	case 1:
	case 2:
		block_cache_written(l, &addr, now - 10);
		i = model_find(m, &addr);
		if (i < m->count) {
			m->entries[i].waiting &=
				m->entries[i].blocked_at > now - 10;
			m->entries[i].written = true;
		}
		break;
	default:
		want_int(block_cache_put(l, &addr, now, random & 64, &evicted),
			 model_put(m, &addr, now, random & 64));
	}
}

TEST(agrees_with_model)
{
	uint64_t seed = 7;
	unsigned int max, i;

	for (max = 1; max <= 61; max += 12) {
		struct block_cache *l = new_ledger(max);
		struct model m = { .max = max };

		for (i = 0; i < 20000; i++) {
			model_step(l, &m, support_random(&seed), i);
			same_waiting(l, &m);
		}
		block_cache_free(l);
	}
}

static int fill(void *data)
{
	struct block_cache_entry evicted;
	struct block_cache *l = NULL;
	unsigned int i;
	int r;

	(void)data;
	r = block_cache_new(100, &l);
	for (i = 0; i < 100 && r >= 0; i++)
		r = put(l, i, i, false, &evicted);
	block_cache_free(l);
	return r < 0 ? r : 0;
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(fill, NULL) >= 3, true);
}
