/* The clocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_CLOCK_H
#define SMTPBLOCK_CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC, which all intervals and deadlines use, as the time of day may be changed:
 * in ms, and in us. Any thread, as all functions here. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* The time of the kernel's last tick in ms, at most 10 ms before clock_ms(). Costs a quarter
 * of it; for intervals of seconds. */
int64_t clock_tick_ms(void);

/* The time of day, in ms since 1970. */
int64_t clock_wall_ms(void);

/* The processor time of the calling thread in us: what work costs, however busy the machine is. */
int64_t clock_cpu_us(void);

/* The earlier or later of two times, or the shorter or longer of two intervals. */
static inline int64_t clock_earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t clock_later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The time in ms from now, for calls that wait until a time of CLOCK_MONOTONIC. */
struct timespec clock_deadline(unsigned int ms);

#endif
