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

TEST_ROWS(copies, rows)
{
	want_written(text_copy, row, row->copied);
}

TEST_ROWS(cleans, rows)
{
	want_written(text_clean, row, row->cleaned);
}

TEST(cleans_in_place)
{
	char text[] = TEXT;

	want_str(text_clean(text, strlen(text), text, sizeof(text)), "a??~ ?");
}

TEST(copies_no_text)
{
	char buf[] = "z";

	want_str(text_copy(NULL, 0, buf, sizeof(buf)), "");
}

static const struct append_row {
	const char *label;
	size_t size;
	const char *pieces[3];
	bool fits;
	const char *want;
} append_rows[] = {
	{ "all", 10, { "one", " 2", " end" }, true, "one 2 end" },
	{ "no room for a piece", 8, { "one", " two2", " end" }, false, "one end" },
	{ "no room for the last piece", 9, { "one", " 2", " end" }, false, "one 2" },
	{ "empty pieces", 1, { "", "", "" }, true, "" },
	{ "no room", 1, { "", "", "e" }, false, "" },
};

TEST_ROWS(appends_whole_pieces, append_rows)
{
	char *buf = support_exact_copy("zzzzzzzzzz", row->size);
	struct text_buf text = text_buf_of(buf, row->size);
	bool fits = true;
	size_t i;

	want_str(buf, "");
	for (i = 0; i < 3; i++)
		fits &= text_append(&text, "%s", row->pieces[i]);
	want_int(fits, row->fits);
	want_str(buf, row->want);
	want_int(text.used, strlen(row->want));
	free(buf);
}
