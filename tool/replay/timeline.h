/* Slots in use in each second, for two courses of events side by side.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_TIMELINE_H
#define SMTPBLOCKCTL_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

enum course {
	COURSE_WITHOUT,		/* without and with the module */
	COURSE_WITH,
	COURSE_COUNT
};

/* Seconds before and after the latest one that can still change. */
#define TIMELINE_BACK 2000
#define TIMELINE_AHEAD 6000

/* Higher numbers of slots are counted as this one. */
#define TIMELINE_MAX 65535

/* Most points of a curve. */
#define TIMELINE_POINTS 1024

struct timeline;

/* Returns 0 or -ENOMEM. The caller owns *ret_slots. */
int timeline_new(struct timeline **ret_slots);
void timeline_free(struct timeline *timeline);

/* Set the current second, in s since the epoch. It must not decrease. */
void timeline_advance(struct timeline *timeline, int64_t now);

/* Add one slot in this course for from <= t < to; if to < from, remove one for to <= t <
 * from. Seconds that can no longer change are cut off. Call timeline_advance() first. */
void timeline_take(struct timeline *timeline, enum course course, int64_t from, int64_t to);

/* End of the log: seconds after the current one do not count. */
void timeline_finish(struct timeline *timeline);

/* The functions below need timeline_finish() first. */

/* Maximum of slots in use. */
uint32_t timeline_peak(const struct timeline *timeline, enum course course);

/* Number of seconds with at least this many slots in use. */
int64_t timeline_seconds(const struct timeline *timeline, enum course course,
			 uint32_t at_least);

/* Sum over all seconds of the slots in use, counting at most `most` in each. */
uint64_t timeline_time(const struct timeline *timeline, enum course course, uint32_t most);

/* The curves: at most TIMELINE_POINTS points, each for the same number of seconds, a power
 * of 2, starting with the first second. A point is the maximum of its seconds. */
struct timeline_curve {
	int64_t start;
	int64_t seconds;
	unsigned int points;
	const uint32_t *taken[COURSE_COUNT];
};

/* Valid until timeline_free(). */
struct timeline_curve timeline_curve(const struct timeline *timeline);

#endif
