/* The kernel's own count of time, which /proc/net/xt_recent writes.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_JIFFIES_H
#define SMTPBLOCK_JIFFIES_H

#include <stdint.h>

/* What the count is now. */
struct jiffies_clock {
	unsigned int hz;	/* ticks a second, CONFIG_HZ */
	uint64_t now;
};

/* Reckon it without any right: the resolution of CLOCK_MONOTONIC_COARSE is one
 * tick (clock_getres(2), kernel/time/hrtimer.c), and since boot, when it was
 * INITIAL_JIFFIES (include/linux/jiffies.h: 300 s before 32 bits are full), the
 * count has gone with CLOCK_MONOTONIC, but for the fraction of a second before
 * the first tick. In a time namespace with an offset it is wrong by that.
 * Returns 0; -EOPNOTSUPP if the resolution is that of no kernel; -errno. */
int jiffies_clock_read(struct jiffies_clock *ret_clock);

/* How long ago a stamp was taken, in ms; 0 for one of the future. A kernel with
 * 32-bit longs writes the lower half of the count: told by being lower than any
 * that a 64-bit kernel starts from. */
int64_t jiffies_age(const struct jiffies_clock *clock, uint64_t stamp);

#endif
