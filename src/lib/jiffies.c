/* The kernel's tick counter.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/jiffies.h"

#include <errno.h>
#include <time.h>

/* From the slowest embedded kernel to more than any architecture has. */
#define HZ_MIN 10
#define HZ_MAX 10000

#define NS_PER_S 1000000000L

static uint64_t initial(unsigned int hz)
{
	return (uint64_t)UINT32_MAX + 1 - 300 * (uint64_t)hz;
}

static int read_hz(unsigned int *ret_hz)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0)
		return -errno;
	if (tick.tv_sec != 0 || tick.tv_nsec < NS_PER_S / HZ_MAX ||
	    tick.tv_nsec > NS_PER_S / HZ_MIN)
		return -EOPNOTSUPP;
	*ret_hz = (unsigned int)((NS_PER_S + tick.tv_nsec / 2) / tick.tv_nsec);
	return 0;
}

int jiffies_clock_read(struct jiffies_clock *ret_clock)
{
	struct timespec up;
	unsigned int hz = 0;
	int r;

	r = read_hz(&hz);
	if (r < 0)
		return r;
	if (clock_gettime(CLOCK_MONOTONIC, &up) < 0)
		return -errno;
	ret_clock->hz = hz;
	ret_clock->now = initial(hz) + (uint64_t)up.tv_sec * hz +
			 (uint64_t)up.tv_nsec * hz / NS_PER_S;
	return 0;
}

int64_t jiffies_age(const struct jiffies_clock *clock, uint64_t stamp)
{
	uint64_t ticks = clock->now - stamp, future = UINT64_MAX / 2;

	if (stamp < initial(clock->hz)) {
		ticks &= UINT32_MAX;
		future = UINT32_MAX / 2;
	}
	if (ticks > future)
		return 0;
	return (int64_t)(ticks / clock->hz * 1000 + ticks % clock->hz * 1000 / clock->hz);
}
