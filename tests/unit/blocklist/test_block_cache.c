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

/* A slow, obviously correct cache: an array, the oldest first. */
struct model {
	struct block_cache_entry entries[64];
	unsigned int count, max;
};

/* NULL: there is none. */
static struct block_cache_entry *model_find(struct model *m, const struct addr *addr)
{
	unsigned int i = 0;

	while (i < m->count && addr_compare(&m->entries[i].addr, addr) != 0)
		i++;
	return i < m->count ? &m->entries[i] : NULL;
}

static struct block_cache_entry model_remove(struct model *m, struct block_cache_entry *e)
{
	const struct block_cache_entry removed = *e;

	m->count--;
	memmove(e, e + 1, (size_t)(&m->entries[m->count] - e) * sizeof(*e));
	return removed;
}

static void want_entry(const struct block_cache_entry *got, const struct block_cache_entry *want)
{
	want_int(addr_compare(&got->addr, &want->addr), 0);
	want_int(got->blocked_at, want->blocked_at);
	want_int(got->waiting, want->waiting);
	want_int(got->written, want->written);
}

static void put(struct block_cache *l, struct model *m, const struct addr *addr, int64_t now,
		bool waiting)
{
	struct block_cache_entry *known = model_find(m, addr), e = { .addr = *addr }, evicted;
	int r = block_cache_put(l, addr, now, waiting, &evicted);

	if (known) {
		e = model_remove(m, known);
		want_int(r, e.written ? BLOCK_CACHE_KNOWN :
			    e.waiting ? BLOCK_CACHE_WAITING : BLOCK_CACHE_NEW);
	} else if (m->count == m->max) {
		want_int(r, BLOCK_CACHE_NEW_EVICTED);
		e = model_remove(m, &m->entries[0]);
		want_entry(&evicted, &e);
		e = (struct block_cache_entry){ .addr = *addr };
	} else {
		want_int(r, BLOCK_CACHE_NEW);
	}
	e.blocked_at = now;
	e.waiting = waiting;
	e.written = e.written || !waiting;
	m->entries[m->count++] = e;
}

static void written(struct block_cache *l, struct model *m, const struct addr *addr, int64_t at)
{
	struct block_cache_entry *e = model_find(m, addr);

	block_cache_written(l, addr, at);
	if (e) {
		e->waiting = e->waiting && e->blocked_at > at;
		e->written = true;
	}
}

static void lost(struct block_cache *l, struct model *m, const struct addr *addr)
{
	struct block_cache_entry *e = model_find(m, addr);

	block_cache_lost(l, addr);
	if (e)
		e->waiting = e->written = false;
}

static void all_wait(struct block_cache *l, struct model *m, int64_t since)
{
	unsigned int i;

	block_cache_all_wait(l, since);
	for (i = 0; i < m->count; i++)
		m->entries[i].waiting = m->entries[i].waiting || m->entries[i].blocked_at >= since;
}

static void count_forgotten(void *ctx, const struct block_cache_entry *entry)
{
	unsigned int *count = ctx;

	want_int(entry->written || entry->waiting, true);
	++*count;
}

/* One address, or a network of 16 of them. */
static void forget(struct block_cache *l, struct model *m, const struct addr *addr, bool one,
		   int64_t until)
{
	const struct cidr net = { cidr_mask(addr, one ? 32 : 28), one ? 32 : 28 };
	struct block_cache_entry before;
	unsigned int i, got = 0, want = 0;

	block_cache_forget(l, &net, until, count_forgotten, &got);
	for (i = 0; i < m->count; i++) {
		before = m->entries[i];
		if (!cidr_contains(&net, &before.addr) || before.blocked_at > until ||
		    (!before.written && !before.waiting))
			continue;
		memmove(&m->entries[1], m->entries, i * sizeof(before));
		m->entries[0] = (struct block_cache_entry){ .addr = before.addr,
							    .blocked_at = INT64_MIN / 2 };
		want++;
	}
	want_int(got, want);
}

/* The first that wait, oldest first, what is known of an address, and the newest entry. */
static void want_same(struct block_cache *l, struct model *m, const struct addr *addr, int64_t now)
{
	const struct block_cache_place place = block_cache_find(l, addr);
	const struct block_cache_entry *e = model_find(m, addr);
	struct block_cache_entry got[3];
	size_t n = block_cache_longest_waiting(l, 3, got), waiting = 0;
	unsigned int i;

	for (i = 0; i < m->count; i++)
		if (m->entries[i].waiting && waiting++ < 3)
			want_entry(&got[waiting - 1], &m->entries[i]);
	want_int(block_cache_waiting(l), waiting);
	want_int(n, waiting < 3 ? waiting : 3);
	want_int(block_cache_knows(l, &place), e && e->written && !e->waiting);
	want_int(block_cache_has(l, &place, now - 15),
		 e && (e->written || e->waiting) && e->blocked_at > now - 15);
	want_int(block_cache_newest(l) == NULL, m->count == 0);
	if (m->count > 0)
		want_entry(block_cache_newest(l), &m->entries[m->count - 1]);
}

static void step(struct block_cache *l, struct model *m, uint64_t random, int64_t now)
{
	const struct addr addr = numbered((unsigned int)(random >> 8) % 90);

	switch (random % 16) {
	case 0:
	case 1:
		all_wait(l, m, now - 20);
		break;
	case 2:
	case 3:
	case 4:
		written(l, m, &addr, now - 10);
		break;
	case 5:
		lost(l, m, &addr);
		break;
	case 6:
		forget(l, m, &addr, random & 64, now - (int64_t)(random % 8));
		break;
	default:
		put(l, m, &addr, now, random & 64);
	}
	want_same(l, m, &addr, now);
}

TEST(agrees_with_model)
{
	uint64_t seed = 7;
	unsigned int max, i;

	for (max = 1; max <= 61; max += 12) {
		struct model m = { .max = max };
		struct block_cache *l = NULL;

		want_int(block_cache_new(max, &l), 0);
		want_same(l, &m, &(struct addr){ .family = ADDR_IPV4 }, 0);
		for (i = 0; i < 20000; i++)
			step(l, &m, support_random(&seed), i);
		block_cache_free(l);
	}
}

static struct addr in_net(unsigned int net, unsigned int n)
{
	return (struct addr){ .family = ADDR_IPV6,
			      .bytes = { 0x20, 0x01, [7] = (uint8_t)net, [15] = (uint8_t)n } };
}

/* The live blocks of a /64, by the cache's own answers; *ret_oldest is the oldest of them. */
static unsigned int live_in_net(struct block_cache *l, const int64_t times[32],
				unsigned int net, unsigned int *ret_oldest)
{
	unsigned int i, n = 0;

	for (i = 0; i < 32; i++) {
		const struct addr addr = in_net(net, i);
		const struct block_cache_place place = block_cache_find(l, &addr);

		if (!block_cache_has(l, &place, -1))
			continue;
		if (n++ == 0 || times[i] < times[*ret_oldest])
			*ret_oldest = i;
	}
	return n;
}

/* With a share of 3 in a cache with room for 20: whatever comes, no /64 has more, and the one
 * that makes room is the oldest of the same /64. */
TEST(net_has_its_share)
{
	int64_t times[4][32] = { { 0 } };
	struct block_cache_entry dropped;
	struct block_cache *l = NULL;
	unsigned int drops = 0, i;
	uint64_t seed = 9;

	want_int(block_cache_new(20, &l), 0);
	block_cache_limit_nets(l, 3);
	for (i = 1; i < 5000; i++) {
		uint64_t random = support_random(&seed);
		unsigned int net = random % 4, n = (random >> 8) % 32, oldest = 0;
		const struct addr addr = in_net(net, n);
		struct block_cache_place place = block_cache_find(l, &addr);
		unsigned int live = live_in_net(l, times[net], net, &oldest);
		bool known = block_cache_has(l, &place, -1);

		if (block_cache_drop_neighbour(l, &place, &addr, &dropped)) {
			const struct addr want = in_net(net, oldest);

			want_int(!known && live == 3, true);
			want_int(addr_compare(&dropped.addr, &want), 0);
			want_int(dropped.blocked_at, times[net][oldest]);
			drops++;
		} else {
			want_int(known || live < 3, true);
		}
		block_cache_put(l, &addr, i, random & (1 << 20), &dropped);
		times[net][n] = i;
		want_int(live_in_net(l, times[net], net, &oldest) <= 3, true);
	}
	want_int(drops > 1000, true);
	block_cache_free(l);
}

/* A forgotten address has no place in its /64 any more; it counts as new. */
TEST(forgotten_makes_room)
{
	const struct addr first = in_net(7, 1), second = in_net(7, 2);
	const struct cidr all = { .net = { .family = ADDR_IPV6 } }, one = { first, 128 };
	struct block_cache_entry dropped;
	struct block_cache *l = NULL;
	struct block_cache_place place;

	want_int(block_cache_new(20, &l), 0);
	block_cache_limit_nets(l, 1);
	block_cache_put(l, &first, 1000, false, &dropped);
	block_cache_forget(l, &one, 999, NULL, NULL);
	place = block_cache_find(l, &first);
	want_int(block_cache_knows(l, &place), true);
	block_cache_forget(l, &one, 1000, NULL, NULL);
	place = block_cache_find(l, &first);
	want_int(block_cache_knows(l, &place), false);
	place = block_cache_find(l, &second);
	want_int(block_cache_drop_neighbour(l, &place, &second, &dropped), false);
	want_int(block_cache_put(l, &first, 1001, true, &dropped), BLOCK_CACHE_NEW);
	want_int(block_cache_waiting(l), 1);
	block_cache_forget(l, &all, 1001, NULL, NULL);
	want_int(block_cache_waiting(l), 0);
	want_int(block_cache_all_wait(l, 0), 0);
	block_cache_free(l);
}

/* IPv4 has no such nets, and without a share none counts. */
TEST(others_have_no_share)
{
	struct block_cache_entry dropped;
	struct block_cache *l = NULL;
	unsigned int i, share;

	for (share = 0; share < 2; share++) {
		want_int(block_cache_new(100, &l), 0);
		block_cache_limit_nets(l, share);
		for (i = 0; i < 50; i++) {
			const struct addr addr = share ? numbered(i) : in_net(7, i);
			const struct block_cache_place place = block_cache_find(l, &addr);

			want_int(block_cache_drop_neighbour(l, &place, &addr, &dropped), false);
			block_cache_put(l, &addr, i, false, &dropped);
		}
		block_cache_free(l);
	}
}

static int fill(void *data)
{
	struct block_cache_entry evicted;
	struct block_cache *l = NULL;
	struct addr addr;
	unsigned int i;
	int r;

	(void)data;
	r = block_cache_new(100, &l);
	for (i = 0; i < 100 && r >= 0; i++) {
		addr = numbered(i);
		r = block_cache_put(l, &addr, i, false, &evicted);
	}
	block_cache_free(l);
	return r < 0 ? r : 0;
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(fill, NULL) >= 3, true);
}
