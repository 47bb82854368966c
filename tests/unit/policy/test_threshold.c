/* How often an address triggered lately.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/threshold.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/support.h"

static struct addr numbered(unsigned int n)
{
	return (struct addr){ .family = ADDR_IPV6,
			      .bytes = { 0x20, 0x01, 0x0d, 0xb8,
					 [12] = (uint8_t)(n >> 24),
					 (uint8_t)(n >> 16), (uint8_t)(n >> 8),
					 (uint8_t)n } };
}

static int hit(struct threshold *t, unsigned int n, int64_t seconds)
{
	const struct addr addr = numbered(n);
	bool forgot = true;
	int r = threshold_hit(t, &addr, 1, 5000 + seconds * 1000, &forgot);

	want_int(forgot, false);
	return r;
}

/* Every step over an address in a tally takes a hash of it or a comparison. */
static unsigned int steps;

uint64_t __real_addr_hash(const struct addr *addr, uint64_t seed);
uint64_t __wrap_addr_hash(const struct addr *addr, uint64_t seed);
int __real_addr_compare(const struct addr *a, const struct addr *b);
int __wrap_addr_compare(const struct addr *a, const struct addr *b);

uint64_t __wrap_addr_hash(const struct addr *addr, uint64_t seed)
{
	steps++;
	return __real_addr_hash(addr, seed);
}

int __wrap_addr_compare(const struct addr *a, const struct addr *b)
{
	steps++;
	return __real_addr_compare(a, b);
}

static struct threshold *new_tally(unsigned int threshold, unsigned int window)
{
	struct threshold *t = NULL;

	want_int(threshold_new(threshold, window, &t), 0);
	return t;
}

/* Times of one address' triggers, and which of them reaches the threshold. */
static const struct sequence_row {
	const char *label;
	unsigned int threshold, window;
	int64_t times[8];	/* up to -1 */
	int want[8];
} sequence_rows[] = {
	{ "three in time", 3, 60, { 0, 10, 20, -1 }, { 0, 0, 1 } },
	{ "third at the last second", 3, 60, { 0, 10, 59, -1 }, { 0, 0, 1 } },
	{ "third too late", 3, 60, { 0, 10, 60, -1 }, { 0, 0, 0 } },
	{ "window slides", 3, 60, { 0, 50, 70, 100, -1 }, { 0, 0, 0, 1 } },
	{ "stays reached", 2, 60, { 0, 1, 2, 3, -1 }, { 0, 1, 1, 1 } },
	{ "all at once", 3, 1, { 5, 5, 5, -1 }, { 0, 0, 1 } },
	{ "starts over", 2, 10, { 0, 20, 40, 41, -1 }, { 0, 0, 0, 1 } },
	{ "clock a little back", 2, 60, { 10, 9, -1 }, { 0, 1 } },
};

TEST_ROWS(sequence, sequence_rows)
{
	struct threshold *t = new_tally(row->threshold, row->window);
	unsigned int i;

	for (i = 0; row->times[i] >= 0; i++)
		want_int(hit(t, 1, row->times[i]), row->want[i]);
	threshold_free(t);
}

TEST(addresses_count_apart)
{
	struct threshold *t = new_tally(2, 60);

	want_int(hit(t, 1, 0), 0);
	want_int(hit(t, 2, 1), 0);
	want_int(hit(t, 1, 2), 1);
	want_int(hit(t, 2, 3), 1);
	threshold_free(t);
}

/* A summary of equal lines counts as many times as courier logged the line. */
TEST(summaries_count_each_line)
{
	struct threshold *t = new_tally(5, 60);
	const struct addr addr = numbered(1), other = numbered(2);
	bool forgot;

	want_int(hit(t, 1, 0), 0);
	want_int(threshold_hit(t, &addr, 3, 5000, &forgot), 0);
	want_int(hit(t, 1, 59), 1);
	want_int(hit(t, 1, 60), 0);
	want_int(threshold_hit(t, &other, 999999999, 5000, &forgot), 1);
	threshold_free(t);
}

TEST(highest_threshold)
{
	struct threshold *t = new_tally(1000, 86400);
	unsigned int i;

	for (i = 0; i < 999; i++)
		want_int(hit(t, 1, i), 0);
	want_int(hit(t, 1, 999), 1);
	threshold_free(t);
}

/* A million addresses: less than 64 MB, and the one that comes on top costs the
 * one that was quiet longest. */
TEST(million_addresses)
{
	struct threshold *t = new_tally(3, 600);
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, after;
	unsigned int i, lost = 0;

	for (i = 0; i < 1000000; i++) {
		const struct addr addr = numbered(i);
		bool forgot;

		want_int(threshold_hit(t, &addr, 1, 0, &forgot), 0);
		lost += forgot;
	}
	after = mallinfo2().uordblks + mallinfo2().hblkhd;
	want_int(after - before < 64UL << 20, true);
	want_int(lost, 1000000 > threshold_max(t) ? 1000000 - threshold_max(t) : 0);
	threshold_free(t);
}

TEST(oldest_is_forgotten)
{
	struct threshold *t = new_tally(1000, 60);
	unsigned int max = (unsigned int)threshold_max(t), i;
	const struct addr extra = numbered(max + 1);
	bool forgot;

	for (i = 0; i < max; i++)
		hit(t, i, 0);
	want_int(threshold_hit(t, &extra, 1, 5000 + 59000, &forgot), 0);
	want_int(forgot, true);
	/* Quiet for longer than the window: nothing was lost with it. */
	want_int(hit(t, max + 2, 60), 0);
	threshold_free(t);
}

/* A hit that may cost another address its place. */
static int hit_when_full(struct threshold *t, unsigned int n, bool want_forgot)
{
	const struct addr addr = numbered(n);
	bool forgot;
	int r = threshold_hit(t, &addr, 1, 5000 + 1000, &forgot);

	want_int(forgot, want_forgot);
	return r;
}

/* One that comes again is not the oldest any more. */
TEST(last_trigger_counts)
{
	struct threshold *t = new_tally(3, 60);
	unsigned int max = (unsigned int)threshold_max(t), i;

	for (i = 0; i < max; i++)
		hit(t, i, 0);
	want_int(hit_when_full(t, 0, false), 0);
	/* Costs 1 its place, and that 2 when it comes again. */
	want_int(hit_when_full(t, max, true), 0);
	want_int(hit_when_full(t, 0, false), 1);
	want_int(hit_when_full(t, 1, true), 0);
	want_int(hit_when_full(t, 1, false), 0);
	want_int(hit_when_full(t, 1, false), 1);
	threshold_free(t);
}

/* Rule 1: the most that any one hit costs is little, while the tally grows and when
 * it is full. Where a chain is long by chance 40 steps are far from reached: the
 * chance of a chain of more than 20 is below 1 in 10^12. */
TEST(each_hit_is_cheap)
{
	struct threshold *t = new_tally(2, 60);
	unsigned int count = (unsigned int)threshold_max(t) + 1000, i, most = 0;

	for (i = 0; i < count; i++) {
		const struct addr addr = numbered(i);
		bool forgot;

		steps = 0;
		want_int(threshold_hit(t, &addr, 1, 0, &forgot), 0);
		if (steps > most)
			most = steps;
	}
	want_int(most > 0 && most <= 40, true);
	threshold_free(t);
}

/* All that was counted is found again, however often chains were split since. */
TEST(growth_loses_nobody)
{
	struct threshold *t = new_tally(2, 60);
	unsigned int i;

	for (i = 0; i < 3000; i++)
		want_int(hit(t, i, 0), 0);
	for (i = 0; i < 3000; i++)
		want_int(hit(t, i, 1), 1);
	threshold_free(t);
}

/* Pages of this process that are in memory. */
static long resident_kb(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long size, pages = 0;

	assert_non_null(file);
	want_int(fscanf(file, "%ld %ld", &size, &pages), 2);
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Memory is not used before it is needed. */
TEST(little_memory_for_few)
{
	long before = resident_kb();
	struct threshold *t = new_tally(3, 600);
	unsigned int i;

	for (i = 0; i < 1000; i++)
		hit(t, i, 0);
	want_int(resident_kb() - before < 1024, true);
	threshold_free(t);
}

static int make(void *data)
{
	struct threshold *t = NULL;
	int r = threshold_new(2, 60, &t);

	(void)data;
	threshold_free(t);
	return r;
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(make, NULL), 3);
}

/* Once it is there it takes no more: a hit cannot fail. */
TEST(hits_take_no_memory)
{
	struct threshold *t = new_tally(2, 60);
	unsigned int i;

	memory_fail(1);
	for (i = 0; i < 5000; i++)
		want_int(hit(t, i, 0), 0);
	want_int(memory_failed(), false);
	threshold_free(t);
}
