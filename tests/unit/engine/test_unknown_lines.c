/* Remembers one line in an unknown form.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/unknown_lines.h"

#include <string.h>

#include "tests/unit/support.h"

#define HOUR 3600000

static void first_line_is_shown(void **state)
{
	char sample[UNKNOWN_LINES_SAMPLE_SIZE];
	unsigned long lines = 0;
	struct unknown_lines d;

	(void)state;
	unknown_lines_init(&d);
	want_int(unknown_lines_take(&d, &lines, sample), false);
	want_int(unknown_lines_note(&d, 5, "error,relais=x", 14), true);
	want_int(unknown_lines_take(&d, &lines, sample), true);
	want_int(lines, 1);
	want_str(sample, "error,relais=x");
	want_int(unknown_lines_take(&d, &lines, sample), false);
	unknown_lines_done(&d);
}

static void once_an_hour(void **state)
{
	char sample[UNKNOWN_LINES_SAMPLE_SIZE];
	unsigned long lines = 0;
	struct unknown_lines d;

	(void)state;
	unknown_lines_init(&d);
	unknown_lines_note(&d, 0, "a", 1);
	unknown_lines_take(&d, &lines, sample);
	want_int(unknown_lines_note(&d, HOUR - 1, "b", 1), false);
	want_int(unknown_lines_take(&d, &lines, sample), false);
	want_int(unknown_lines_note(&d, HOUR, "c", 1), true);
	want_int(unknown_lines_take(&d, &lines, sample), true);
	want_int(lines, 2);
	want_str(sample, "c");
	unknown_lines_done(&d);
}

static void sample_is_short_and_clean(void **state)
{
	char sample[UNKNOWN_LINES_SAMPLE_SIZE], text[300], want[UNKNOWN_LINES_SAMPLE_SIZE];
	unsigned long lines;
	struct unknown_lines d;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "\x1b[31m\"\\\n\xff\0", 10);
	memset(want, 'x', sizeof(want) - 1);
	memcpy(want, "?[31m?????", 10);
	want[sizeof(want) - 1] = '\0';
	unknown_lines_init(&d);
	unknown_lines_note(&d, 0, text, sizeof(text));
	unknown_lines_take(&d, &lines, sample);
	want_str(sample, want);
	unknown_lines_done(&d);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, first_line_is_shown);
	SUITE_TEST(suite, once_an_hour);
	SUITE_TEST(suite, sample_is_short_and_clean);
	return suite_run(suite, "drift");
}
