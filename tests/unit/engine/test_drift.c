/* Remembers one line in an unknown form.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/drift.h"

#include <string.h>

#include "tests/unit/support.h"

#define HOUR 3600000

static void first_line_is_shown(void **state)
{
	char sample[DRIFT_SAMPLE_SIZE];
	unsigned long lines = 0;
	struct drift d;

	(void)state;
	drift_init(&d);
	want_int(drift_take(&d, &lines, sample), false);
	want_int(drift_note(&d, 5, "error,relais=x", 14), true);
	want_int(drift_take(&d, &lines, sample), true);
	want_int(lines, 1);
	want_str(sample, "error,relais=x");
	want_int(drift_take(&d, &lines, sample), false);
	drift_done(&d);
}

static void once_an_hour(void **state)
{
	char sample[DRIFT_SAMPLE_SIZE];
	unsigned long lines = 0;
	struct drift d;

	(void)state;
	drift_init(&d);
	drift_note(&d, 0, "a", 1);
	drift_take(&d, &lines, sample);
	want_int(drift_note(&d, HOUR - 1, "b", 1), false);
	want_int(drift_take(&d, &lines, sample), false);
	want_int(drift_note(&d, HOUR, "c", 1), true);
	want_int(drift_take(&d, &lines, sample), true);
	want_int(lines, 2);
	want_str(sample, "c");
	drift_done(&d);
}

static void sample_is_short_and_clean(void **state)
{
	char sample[DRIFT_SAMPLE_SIZE], text[300], want[DRIFT_SAMPLE_SIZE];
	unsigned long lines;
	struct drift d;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "\x1b[31m\"\\\n\xff\0", 10);
	memset(want, 'x', sizeof(want) - 1);
	memcpy(want, "?[31m?????", 10);
	want[sizeof(want) - 1] = '\0';
	drift_init(&d);
	drift_note(&d, 0, text, sizeof(text));
	drift_take(&d, &lines, sample);
	want_str(sample, want);
	drift_done(&d);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, first_line_is_shown);
	SUITE_TEST(suite, once_an_hour);
	SUITE_TEST(suite, sample_is_short_and_clean);
	return suite_run(suite, "drift");
}
