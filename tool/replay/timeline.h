/* How many slots are taken at each second, in two courses of events side by side.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_TIMELINE_H
#define SMTPBLOCKCTL_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

enum course {
	COURSE_WITHOUT,		/* the module */
	COURSE_WITH,
	COURSE_COUNT
};

/* Seconds that can still change: so far back and ahead of the latest. */
#define TIMELINE_BACK 2000
#define TIMELINE_AHEAD 6000

/* More taken slots than this are not told apart. */
#define TIMELINE_MAX 65535

/* Points of the curves. */
#define TIMELINE_POINTS 1024

struct timeline;

/* Returns 0 or -ENOMEM. The caller owns *ret_slots. */
int timeline_new(struct timeline **ret_slots);
void timeline_free(struct timeline *timeline);

/* It is now this second, in s since the epoch, not before an earlier now. */
void timeline_advance(struct timeline *timeline, int64_t now);

/* In this course one slot more is taken in from <= t < to; one less with to < from.
 * Cut to the seconds that can change. After a timeline_advance(). */
void timeline_take(struct timeline *timeline, enum course course, int64_t from, int64_t to);

/* The log ends with the second that is now: what comes later does not count. */
void timeline_finish(struct timeline *timeline);

/* What follows is for after timeline_finish(). */

/* The most that were taken in any second. */
uint32_t timeline_peak(const struct timeline *timeline, enum course course);

/* In how many seconds were at least so many taken? */
int64_t timeline_seconds(const struct timeline *timeline, enum course course,
			 uint32_t at_least);

/* Seconds times slots that were taken, of which no second has more than most. */
uint64_t timeline_time(const struct timeline *timeline, enum course course, uint32_t most);

/* The curves: points (at most TIMELINE_POINTS) of so many seconds each, a power of 2,
 * from the first second on. A point is the most that were taken in it. */
struct timeline_curve {
	int64_t start;
	int64_t seconds;
	unsigned int points;
	const uint32_t *taken[COURSE_COUNT];
};

/* Valid until timeline_free(). */
struct timeline_curve timeline_curve(const struct timeline *timeline);

#endif
