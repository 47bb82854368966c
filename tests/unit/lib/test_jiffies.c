/* The kernel's count of time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/jiffies.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "tests/unit/support.h"

/* The clocks' times; they are simulated only if a resolution is set. */
static struct {
	long tick;	/* ns */
	struct timespec up;
	int getres_err, gettime_err;
} played;

int __real_clock_getres(clockid_t clock, struct timespec *ret_tick);
int __wrap_clock_getres(clockid_t clock, struct timespec *ret_tick);
int __real_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);

int __wrap_clock_getres(clockid_t clock, struct timespec *ret_tick)
{
	if (played.tick == 0 || clock != CLOCK_MONOTONIC_COARSE)
		return __real_clock_getres(clock, ret_tick);
	ret_tick->tv_sec = played.tick / 1000000000;
	ret_tick->tv_nsec = played.tick % 1000000000;
	errno = played.getres_err;
	return errno ? -1 : 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	if (played.tick == 0 || clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, ret_now);
	*ret_now = played.up;
	errno = played.gettime_err;
	return errno ? -1 : 0;
}

/* Ticks as the kernel has them (TICK_NSEC). The first is this machine's kind, its
 * count read in /proc/timer_list at that moment, 53 ticks less. */
static const struct clock_row {
	const char *label;
	long tick;
	struct timespec up;
	int want;
	unsigned int hz;
	uint64_t now;
} clock_rows[] = {
	{ "250", 4000000, { 12913, 381000000 }, 0, 250, 4298120641 },
	{ "100", 10000000, { 0, 0 }, 0, 100, 4294937296 },
	{ "300", 3333333, { 300, 0 }, 0, 300, 4294967296 },
	{ "1000", 1000000, { 1, 999999999 }, 0, 1000, 4294669295 },
	{ "24", 41666666, { 10, 500000000 }, 0, 24, 4294960348 },
	{ "1024", 976562, { 0, 500000000 }, 0, 1024, 4294660608 },
	{ "years", 4000000, { 315360000, 0 }, 0, 250, 83134892296 },
	{ "one ns", 1, { 1, 0 }, -EOPNOTSUPP, 0, 0 },
	{ "too fine", 99999, { 1, 0 }, -EOPNOTSUPP, 0, 0 },
	{ "too coarse", 100000001, { 1, 0 }, -EOPNOTSUPP, 0, 0 },
	{ "seconds", 1004000000, { 1, 0 }, -EOPNOTSUPP, 0, 0 },
};

TEST_ROWS(reckons_from_the_clock, clock_rows)
{
	struct jiffies_clock clock = { 0, 0 };

	played.tick = row->tick;
	played.up = row->up;
	want_int(jiffies_clock_read(&clock), row->want);
	want_int(clock.hz, row->hz);
	want_int(clock.now, row->now);
	played.tick = 0;
}

#define NOW64 4298120641
#define NOW32 (NOW64 - 4294967296)

static const struct age_row {
	const char *label;
	unsigned int hz;
	uint64_t now, stamp;
	int64_t want;
} age_rows[] = {
	{ "this tick", 250, NOW64, NOW64, 0 },
	{ "one tick", 250, NOW64, NOW64 - 1, 4 },
	{ "ten minutes", 250, NOW64, NOW64 - 150000, 600000 },
	{ "thirds", 300, NOW64, NOW64 - 301, 1003 },
	{ "future", 250, NOW64, NOW64 + 5, 0 },
	{ "before 32 bits were full", 250, NOW64, 4294900000, 12882564 },
	{ "32 bits", 250, NOW64, NOW32 - 250, 1000 },
	{ "32 bits, future", 250, NOW64, NOW32 + 3, 0 },
	{ "32 bits, stamp before they were full", 250, NOW64, 4294900000, 12882564 },
	{ "32 bits, full twice", 250, NOW64 + 4294967296, 100, 12612980 },
	{ "years", 1000, 320000000000, 4300000000, 315700000000 },
};

TEST_ROWS(returns_the_age, age_rows)
{
	const struct jiffies_clock clock = { .hz = row->hz, .now = row->now };

	want_int(jiffies_age(&clock, row->stamp), row->want);
}

TEST(failing_clocks_are_reported)
{
	struct jiffies_clock clock = { 1, 2 };

	played.tick = 4000000;
	played.getres_err = EINVAL;
	want_int(jiffies_clock_read(&clock), -EINVAL);
	played.getres_err = 0;
	played.gettime_err = EPERM;
	want_int(jiffies_clock_read(&clock), -EPERM);
	played.gettime_err = 0;
	played.tick = 0;
	want_int(clock.hz, 1);
	want_int(clock.now, 2);
}

/* Of this kernel; the scenarios compare with its lists. */
TEST(real_clock_goes)
{
	struct jiffies_clock first, second;

	want_int(jiffies_clock_read(&first), 0);
	want_int(jiffies_clock_read(&second), 0);
	want_int(second.hz, first.hz);
	want_int(second.now >= first.now, true);
}
