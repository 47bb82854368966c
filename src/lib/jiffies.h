/* The kernel's tick counter, whose values are in /proc/net/xt_recent.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_JIFFIES_H
#define SMTPBLOCK_JIFFIES_H

#include <stdint.h>

/* The counter at one point in time. */
struct jiffies_clock {
	unsigned int hz;	/* ticks a second, CONFIG_HZ */
	uint64_t now;
};

/* Compute the counter, which needs no permission. The resolution of CLOCK_MONOTONIC_COARSE is
 * one tick (clock_getres(2), kernel/time/hrtimer.c). At boot the counter is INITIAL_JIFFIES
 * (include/linux/jiffies.h: 300 s before 32 bits overflow). Then it advances with
 * CLOCK_MONOTONIC, except for the fraction of a second before the first tick. In a time
 * namespace the result is off by the namespace's offset.
 * Returns 0; -EOPNOTSUPP: no kernel has this resolution; -errno. Any thread. */
int jiffies_clock_read(struct jiffies_clock *ret_clock);

/* The age of a stamp in ms; 0 for a stamp in the future. A kernel with 32-bit longs writes
 * the lower half of the counter. Such a stamp is lower than the initial value of a 64-bit
 * counter. Any thread. */
int64_t jiffies_age(const struct jiffies_clock *clock, uint64_t stamp);

#endif
