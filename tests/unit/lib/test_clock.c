/* The clocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/clock.h"

#include "tests/unit/support.h"

/* What the clock with this id shows. */
static struct {
	clockid_t id;
	struct timespec now;
} shown;

int __real_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	if (shown.now.tv_sec == 0 || clock != shown.id)
		return __real_clock_gettime(clock, ret_now);
	*ret_now = shown.now;
	return 0;
}

static const struct clock_row {
	const char *label;
	int64_t (*read)(void);
	clockid_t id;
	struct timespec now;
	int64_t want;
} clock_rows[] = {
	{ "ms", clock_ms, CLOCK_MONOTONIC, { 12, 345678901 }, 12345 },
	{ "us", clock_us, CLOCK_MONOTONIC, { 12, 345678901 }, 12345678 },
	{ "CPU", clock_cpu_us, CLOCK_THREAD_CPUTIME_ID, { 12, 345678901 }, 12345678 },
	{ "tick", clock_tick_ms, CLOCK_MONOTONIC_COARSE, { 1, 999999999 }, 1999 },
	{ "wall", clock_wall_ms, CLOCK_REALTIME, { 4294967296, 1000000 }, 4294967296001 },
};

TEST_ROWS(reads_its_clock, clock_rows)
{
	shown.id = row->id;
	shown.now = row->now;
	want_int(row->read(), row->want);
	shown.now.tv_sec = 0;
}

TEST(compares_times)
{
	want_int(clock_earlier(1, INT64_MAX), 1);
	want_int(clock_earlier(INT64_MAX, 1), 1);
	want_int(clock_later(-1, 2), 2);
	want_int(clock_later(2, -1), 2);
}

static const struct deadline_row {
	const char *label;
	struct timespec now;
	unsigned int ms;
	struct timespec want;
} deadline_rows[] = {
	{ "at once", { 5, 7 }, 0, { 5, 7 } },
	{ "below a second", { 5, 7 }, 250, { 5, 250000007 } },
	{ "seconds", { 5, 7 }, 2000, { 7, 7 } },
	{ "carried", { 5, 900000000 }, 1100, { 7, 0 } },
	{ "not carried", { 5, 899999999 }, 1100, { 6, 999999999 } },
	{ "longest", { 5, 0 }, 4294967295, { 4294972, 295000000 } },
};

TEST_ROWS(returns_the_deadline, deadline_rows)
{
	struct timespec at;

	shown.id = CLOCK_MONOTONIC;
	shown.now = row->now;
	at = clock_deadline(row->ms);
	shown.now.tv_sec = 0;
	want_int(at.tv_sec, row->want.tv_sec);
	want_int(at.tv_nsec, row->want.tv_nsec);
}
