/* Slots in use in each second, for two courses of events side by side.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/replay/timeline.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* Size of the ring; a power of 2. */
#define RING 8192U
_Static_assert(TIMELINE_BACK + TIMELINE_AHEAD < RING, "the ring holds what can change");

/* The ring has, for each second that can still change, the difference to the second before.
 * Seconds that leave the ring are counted. */
struct timeline {
	bool started;
	int64_t now;
	int64_t first;		/* first second in the ring */
	int32_t changes[COURSE_COUNT][RING];
	int64_t ends;		/* one after the last change in the ring */
	int64_t taken[COURSE_COUNT]; /* slots in use before first */
	int64_t seconds[COURSE_COUNT][TIMELINE_MAX + 1]; /* number of seconds, by slots in use */
	int64_t curve_start, point_seconds;
	unsigned int points;
	uint32_t curve[COURSE_COUNT][TIMELINE_POINTS];
};

int timeline_new(struct timeline **ret_slots)
{
	struct timeline *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->point_seconds = 1;
	*ret_slots = s;
	return 0;
}

void timeline_free(struct timeline *timeline)
{
	free(timeline);
}

static size_t slot_of(int64_t second)
{
	return (uint64_t)second & (RING - 1);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Halve the number of points and double the seconds of each. */
static void coarsen(struct timeline *s)
{
	unsigned int course, i;

	for (course = 0; course < COURSE_COUNT; course++) {
		uint32_t *curve = s->curve[course];

		for (i = 0; i < TIMELINE_POINTS / 2; i++)
			curve[i] = larger(curve[2 * i], curve[2 * i + 1]);
		for (; i < TIMELINE_POINTS; i++)
			curve[i] = 0;
	}
	s->points = (s->points + 1) / 2;
	s->point_seconds *= 2;
}

/* Extend the curve to this second. Returns its point. */
static unsigned int point_of(struct timeline *s, int64_t second)
{
	int64_t point;

	while ((point = (second - s->curve_start) / s->point_seconds) >= TIMELINE_POINTS)
		coarsen(s);
	if (point >= s->points)
		s->points = (unsigned int)point + 1;
	return (unsigned int)point;
}

static void count_second(struct timeline *s, int64_t second)
{
	unsigned int point = point_of(s, second), course;
	int64_t taken;

	for (course = 0; course < COURSE_COUNT; course++) {
		taken = s->taken[course];
		taken = taken < 0 ? 0 : taken > TIMELINE_MAX ? TIMELINE_MAX : taken;
		s->seconds[course][taken]++;
		s->curve[course][point] = larger(s->curve[course][point], (uint32_t)taken);
	}
}

/* Move the first second out of the ring. */
static void leave_second(struct timeline *s)
{
	unsigned int course;
	int32_t *change;

	for (course = 0; course < COURSE_COUNT; course++) {
		change = &s->changes[course][slot_of(s->first)];
		s->taken[course] += *change;
		*change = 0;
	}
	count_second(s, s->first++);
}

/* Skip to second: no slot is in use before it. */
static void skip_to(struct timeline *s, int64_t second)
{
	if (second <= s->first)
		return;
	point_of(s, second - 1);
	s->first = second;
}

static void start(struct timeline *s, int64_t now)
{
	s->started = true;
	s->first = s->ends = s->curve_start = now;
}

void timeline_advance(struct timeline *timeline, int64_t now)
{
	if (!timeline->started)
		start(timeline, now);
	while (timeline->first < now - TIMELINE_BACK && timeline->first < timeline->ends)
		leave_second(timeline);
	if (timeline->first >= timeline->ends)
		skip_to(timeline, now - TIMELINE_BACK);
	timeline->now = now;
}

static int64_t within(const struct timeline *s, int64_t second)
{
	if (second < s->first)
		return s->first;
	return second > s->now + TIMELINE_AHEAD ? s->now + TIMELINE_AHEAD : second;
}

void timeline_take(struct timeline *timeline, enum course course, int64_t from, int64_t to)
{
	from = within(timeline, from);
	to = within(timeline, to);
	if (from == to)
		return;
	timeline->changes[course][slot_of(from)]++;
	timeline->changes[course][slot_of(to)]--;
	if (from >= timeline->ends)
		timeline->ends = from + 1;
	if (to >= timeline->ends)
		timeline->ends = to + 1;
}

/* Slots in use after now are not counted: the log ends there. */
void timeline_finish(struct timeline *timeline)
{
	if (!timeline->started)
		return;
	while (timeline->first <= timeline->now && timeline->first < timeline->ends)
		leave_second(timeline);
	skip_to(timeline, timeline->now + 1);
}

uint32_t timeline_peak(const struct timeline *timeline, enum course course)
{
	uint32_t n = TIMELINE_MAX;

	while (n > 0 && timeline->seconds[course][n] == 0)
		n--;
	return n;
}

int64_t timeline_seconds(const struct timeline *timeline, enum course course, uint32_t at_least)
{
	int64_t seconds = 0;
	uint32_t n;

	for (n = at_least; n <= TIMELINE_MAX; n++)
		seconds += timeline->seconds[course][n];
	return seconds;
}

uint64_t timeline_time(const struct timeline *timeline, enum course course, uint32_t most)
{
	uint64_t time = 0;
	uint32_t n;

	for (n = 1; n <= TIMELINE_MAX; n++)
		time += (n < most ? n : most) * (uint64_t)timeline->seconds[course][n];
	return time;
}

struct timeline_curve timeline_curve(const struct timeline *timeline)
{
	return (struct timeline_curve){
		.start = timeline->curve_start,
		.seconds = timeline->point_seconds,
		.points = timeline->points,
		.taken = { timeline->curve[COURSE_WITHOUT], timeline->curve[COURSE_WITH] },
	};
}
