/* Text of others, copied to where it is shown.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/text.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

/* The text of six bytes is cut to a buffer of this size. */
#define TEXT "a\n\x7f~ \xc3"

static const struct row {
	const char *label;
	size_t len, size;
	const char *copied, *cleaned;
} rows[] = {
	{ "whole", 6, 7, TEXT, "a??~ ?" },
	{ "cut by the buffer", 6, 4, "a\n\x7f", "a??" },
	{ "cut by its length", 2, 7, "a\n", "a?" },
	{ "no room", 6, 1, "", "" },
	{ "empty", 0, 7, "", "" },
};

static void want_written(char *(*write)(const char *, size_t, char *, size_t),
			 const struct row *row, const char *want)
{
	char *text = support_exact_copy(TEXT, row->len);
	char *buf = support_exact_copy("zzzzzzz", row->size);

	want_int(write(text, row->len, buf, row->size) == buf, true);
	want_str(buf, want);
	free(buf);
	free(text);
}

static void copies(void **state)
{
	const struct row *row = *state;

	want_written(text_copy, row, row->copied);
}

static void cleans(void **state)
{
	const struct row *row = *state;

	want_written(text_clean, row, row->cleaned);
}

static void cleans_in_place(void **state)
{
	char text[] = TEXT;

	(void)state;
	want_str(text_clean(text, strlen(text), text, sizeof(text)), "a??~ ?");
}

static void copies_no_text(void **state)
{
	char buf[] = "z";

	(void)state;
	want_str(text_copy(NULL, 0, buf, sizeof(buf)), "");
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_ROWS(suite, copies, rows);
	SUITE_ROWS(suite, cleans, rows);
	SUITE_TEST(suite, cleans_in_place);
	SUITE_TEST(suite, copies_no_text);
	return suite_run(suite, "text");
}
