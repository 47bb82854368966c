/* Tests of the slots in use in each second.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/replay/timeline.h"

#include "tests/unit/support.h"

#define START 1700000000

TEST(nothing_has_no_peak)
{
	struct timeline *timeline;

	want_int(timeline_new(&timeline), 0);
	timeline_finish(timeline);
	want_int(timeline_peak(timeline, COURSE_WITHOUT), 0);
	want_int(timeline_peak(timeline, COURSE_WITH), 0);
	want_int(timeline_seconds(timeline, COURSE_WITH, 0), 0);
	want_int(timeline_time(timeline, COURSE_WITH, TIMELINE_MAX), 0);
	timeline_free(timeline);
}

/* Two slots in use for 10 s in one course, and a third for 2 s of these. */
TEST(courses_are_told_apart)
{
	struct timeline *timeline;

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
