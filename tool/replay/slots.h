/* How many slots are taken at each second, in two courses of events side by side.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SLOTS_H
#define SMTPBLOCKCTL_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

enum course {
	COURSE_WITHOUT,		/* the module */
	COURSE_WITH,
	COURSE_COUNT
};

/* Seconds that can still change: so far back and ahead of the latest. */
#define SLOTS_BACK 2000
#define SLOTS_AHEAD 6000

/* More taken slots than this are not told apart. */
#define SLOTS_MAX 65535

/* Points of the curves. */
#define SLOTS_POINTS 1024

struct slots;

/* Returns 0 or -ENOMEM. The caller owns *ret_slots. */
int slots_new(struct slots **ret_slots);
void slots_free(struct slots *slots);

/* It is now this second, in s since the epoch, not before an earlier now. */
void slots_advance(struct slots *slots, int64_t now);

/* In this course one slot more is taken in from <= t < to; one less with to < from.
 * Cut to the seconds that can change. After a slots_advance(). */
void slots_take(struct slots *slots, enum course course, int64_t from, int64_t to);

/* The log ends with the second that is now: what comes later does not count. */
void slots_finish(struct slots *slots);

/* What follows is for after slots_finish(). */

/* The most that were taken in any second. */
uint32_t slots_peak(const struct slots *slots, enum course course);

/* In how many seconds were at least so many taken? */
int64_t slots_seconds(const struct slots *slots, enum course course, uint32_t at_least);

/* Seconds times slots that were taken, of which no second has more than most. */
uint64_t slots_time(const struct slots *slots, enum course course, uint32_t most);

/* The curves: points (at most SLOTS_POINTS) of so many seconds each, a power of 2,
 * from the first second on. A point is the most that were taken in it. */
struct slots_curve {
	int64_t start;
	int64_t seconds;
	unsigned int points;
	const uint32_t *taken[COURSE_COUNT];
};

/* Valid until slots_free(). */
struct slots_curve slots_curve(const struct slots *slots);

#endif
