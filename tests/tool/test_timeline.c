/* Tests of the slots that are taken at each second.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/replay/timeline.h"

#include "tests/unit/support.h"

#define START 1700000000

static void nothing_has_no_peak(void **state)
{
	struct timeline *timeline;

	(void)state;
	want_int(timeline_new(&timeline), 0);
	timeline_finish(timeline);
	want_int(timeline_peak(timeline, COURSE_WITHOUT), 0);
	want_int(timeline_peak(timeline, COURSE_WITH), 0);
	want_int(timeline_seconds(timeline, COURSE_WITH, 0), 0);
	want_int(timeline_time(timeline, COURSE_WITH, TIMELINE_MAX), 0);
	timeline_free(timeline);
}

/* Two slots for 10 s, in one of the courses, and a third for 2 s of them. */
static void courses_are_told_apart(void **state)
{
	struct timeline *timeline;

	(void)state;
	want_int(timeline_new(&timeline), 0);
	timeline_advance(timeline, START);
	timeline_take(timeline, COURSE_WITHOUT, START, START + 10);
	timeline_take(timeline, COURSE_WITHOUT, START, START + 10);
	timeline_take(timeline, COURSE_WITHOUT, START + 4, START + 6);
	timeline_advance(timeline, START + 19);
	timeline_finish(timeline);
	want_int(timeline_peak(timeline, COURSE_WITHOUT), 3);
	want_int(timeline_peak(timeline, COURSE_WITH), 0);
	want_int(timeline_seconds(timeline, COURSE_WITHOUT, 2), 10);
	want_int(timeline_seconds(timeline, COURSE_WITHOUT, 3), 2);
	want_int(timeline_time(timeline, COURSE_WITHOUT, TIMELINE_MAX), 22);
	want_int(timeline_time(timeline, COURSE_WITHOUT, 2), 20);
	timeline_free(timeline);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, nothing_has_no_peak);
	SUITE_TEST(suite, courses_are_told_apart);
	return suite_run(suite, "slots");
}
