/* The clocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/clock.h"

#define NS_PER_S 1000000000L

static struct timespec read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now;
}

static int64_t read_ms(clockid_t id)
{
	const struct timespec now = read_clock(id);

	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

static int64_t read_us(clockid_t id)
{
	const struct timespec now = read_clock(id);

	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_cpu_us(void)
{
	return read_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_tick_ms(void)
{
	return read_ms(CLOCK_MONOTONIC_COARSE);
}

int64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

struct timespec clock_deadline(unsigned int ms)
{
	struct timespec at = read_clock(CLOCK_MONOTONIC);

	at.tv_nsec += ms % 1000 * 1000000L;
	at.tv_sec += ms / 1000 + at.tv_nsec / NS_PER_S;
	at.tv_nsec %= NS_PER_S;
	return at;
}
