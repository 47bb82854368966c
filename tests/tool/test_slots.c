/* Tests of the slots that are taken at each second.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/replay/slots.h"

#include "tests/unit/support.h"

#define START 1700000000

static void nothing_has_no_peak(void **state)
{
	struct slots *slots;

	(void)state;
	want_int(slots_new(&slots), 0);
	slots_finish(slots);
	want_int(slots_peak(slots, COURSE_WITHOUT), 0);
	want_int(slots_peak(slots, COURSE_WITH), 0);
	want_int(slots_seconds(slots, COURSE_WITH, 0), 0);
	want_int(slots_time(slots, COURSE_WITH, SLOTS_MAX), 0);
	slots_free(slots);
}

/* Two slots for 10 s, in one of the courses, and a third for 2 s of them. */
static void courses_are_told_apart(void **state)
{
	struct slots *slots;

	(void)state;
	want_int(slots_new(&slots), 0);
	slots_advance(slots, START);
	slots_take(slots, COURSE_WITHOUT, START, START + 10);
	slots_take(slots, COURSE_WITHOUT, START, START + 10);
	slots_take(slots, COURSE_WITHOUT, START + 4, START + 6);
	slots_advance(slots, START + 19);
	slots_finish(slots);
	want_int(slots_peak(slots, COURSE_WITHOUT), 3);
	want_int(slots_peak(slots, COURSE_WITH), 0);
	want_int(slots_seconds(slots, COURSE_WITHOUT, 2), 10);
	want_int(slots_seconds(slots, COURSE_WITHOUT, 3), 2);
	want_int(slots_time(slots, COURSE_WITHOUT, SLOTS_MAX), 22);
	want_int(slots_time(slots, COURSE_WITHOUT, 2), 20);
	slots_free(slots);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, nothing_has_no_peak);
	SUITE_TEST(suite, courses_are_told_apart);
	return suite_run(suite, "slots");
}
