/* How many slots are taken at each second, in two courses of events side by side.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/replay/slots.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* A power of 2. */
#define RING 8192U
_Static_assert(SLOTS_BACK + SLOTS_AHEAD < RING, "the ring holds what can change");

/* Of each second that can still change the ring has by how much more or less is
 * taken than in the one before. What leaves the ring is counted. */
struct slots {
	bool started;
	int64_t now;
	int64_t first;		/* second of the ring */
	int32_t changes[COURSE_COUNT][RING];
	int64_t ends;		/* behind the last change in the ring */
	int64_t taken[COURSE_COUNT]; /* before first */
	int64_t seconds[COURSE_COUNT][SLOTS_MAX + 1]; /* by slots taken */
	int64_t curve_start, point_seconds;
	unsigned int points;
	uint32_t curve[COURSE_COUNT][SLOTS_POINTS];
};

int slots_new(struct slots **ret_slots)
{
	struct slots *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->point_seconds = 1;
	*ret_slots = s;
	return 0;
}

void slots_free(struct slots *slots)
{
	free(slots);
}

static size_t slot_of(int64_t second)
{
	return (uint64_t)second & (RING - 1);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Half as many points of twice as many seconds. */
static void coarsen(struct slots *s)
{
	unsigned int course, i;

	for (course = 0; course < COURSE_COUNT; course++) {
		uint32_t *curve = s->curve[course];

		for (i = 0; i < SLOTS_POINTS / 2; i++)
			curve[i] = larger(curve[2 * i], curve[2 * i + 1]);
		for (; i < SLOTS_POINTS; i++)
			curve[i] = 0;
	}
	s->points = (s->points + 1) / 2;
	s->point_seconds *= 2;
}

/* Make the curve reach this second. Returns its point. */
static unsigned int point_of(struct slots *s, int64_t second)
{
	int64_t point;

	while ((point = (second - s->curve_start) / s->point_seconds) >= SLOTS_POINTS)
		coarsen(s);
	if (point >= s->points)
		s->points = (unsigned int)point + 1;
	return (unsigned int)point;
}

static void count_second(struct slots *s, int64_t second)
{
	unsigned int point = point_of(s, second), course;
	int64_t taken;

	for (course = 0; course < COURSE_COUNT; course++) {
		taken = s->taken[course];
		taken = taken < 0 ? 0 : taken > SLOTS_MAX ? SLOTS_MAX : taken;
		s->seconds[course][taken]++;
		s->curve[course][point] = larger(s->curve[course][point], (uint32_t)taken);
	}
}

/* The first second of the ring leaves it. */
static void leave_second(struct slots *s)
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

/* Nothing is taken, and nothing will be before second. */
static void skip_to(struct slots *s, int64_t second)
{
	if (second <= s->first)
		return;
	point_of(s, second - 1);
	s->first = second;
}

static void start(struct slots *s, int64_t now)
{
	s->started = true;
	s->first = s->ends = s->curve_start = now;
}

void slots_advance(struct slots *slots, int64_t now)
{
	if (!slots->started)
		start(slots, now);
	while (slots->first < now - SLOTS_BACK && slots->first < slots->ends)
		leave_second(slots);
	if (slots->first >= slots->ends)
		skip_to(slots, now - SLOTS_BACK);
	slots->now = now;
}

static int64_t within(const struct slots *s, int64_t second)
{
	if (second < s->first)
		return s->first;
	return second > s->now + SLOTS_AHEAD ? s->now + SLOTS_AHEAD : second;
}

void slots_take(struct slots *slots, enum course course, int64_t from, int64_t to)
{
	from = within(slots, from);
	to = within(slots, to);
	if (from == to)
		return;
	slots->changes[course][slot_of(from)]++;
	slots->changes[course][slot_of(to)]--;
	if (from >= slots->ends)
		slots->ends = from + 1;
	if (to >= slots->ends)
		slots->ends = to + 1;
}

/* The log ends at now: what may be taken later is none of its seconds. */
void slots_finish(struct slots *slots)
{
	if (!slots->started)
		return;
	while (slots->first <= slots->now && slots->first < slots->ends)
		leave_second(slots);
	skip_to(slots, slots->now + 1);
}

uint32_t slots_peak(const struct slots *slots, enum course course)
{
	uint32_t n = SLOTS_MAX;

	while (n > 0 && slots->seconds[course][n] == 0)
		n--;
	return n;
}

int64_t slots_seconds(const struct slots *slots, enum course course, uint32_t at_least)
{
	int64_t seconds = 0;
	uint32_t n;

	for (n = at_least; n <= SLOTS_MAX; n++)
		seconds += slots->seconds[course][n];
	return seconds;
}

uint64_t slots_time(const struct slots *slots, enum course course, uint32_t most)
{
	uint64_t time = 0;
	uint32_t n;

	for (n = 1; n <= SLOTS_MAX; n++)
		time += (n < most ? n : most) * (uint64_t)slots->seconds[course][n];
	return time;
}

struct slots_curve slots_curve(const struct slots *slots)
{
	return (struct slots_curve){
		.start = slots->curve_start,
		.seconds = slots->point_seconds,
		.points = slots->points,
		.taken = { slots->curve[COURSE_WITHOUT], slots->curve[COURSE_WITH] },
	};
}
