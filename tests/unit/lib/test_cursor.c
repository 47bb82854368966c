/* Reads text from left to right.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/cursor.h"

#include <stdlib.h>

#include "tests/unit/support.h"

static bool take_x(struct cursor *c, int64_t *ret_number)
{
	(void)ret_number;
	return cursor_take_char(c, 'x');
}

static bool take_from(struct cursor *c, int64_t *ret_number)
{
	(void)ret_number;
	return cursor_take(c, "from ");
}

static bool take_digits(struct cursor *c, int64_t *ret_number)
{
	return cursor_take_digits(c, 2, 4, ret_number);
}

static bool take_18_digits(struct cursor *c, int64_t *ret_number)
{
	return cursor_take_digits(c, 0, 18, ret_number);
}

static bool take_number(struct cursor *c, int64_t *ret_number)
{
	return cursor_take_number(c, 3, ret_number);
}

static const struct row {
	const char *label;
	bool (*take)(struct cursor *c, int64_t *ret_number);
	const char *text, *rest;	/* rest: NULL, not taken */
	int64_t number;
} rows[] = {
	{ "character", take_x, "xx", "x", -1 },
	{ "other character", take_x, "yx", NULL, -1 },
	{ "no character", take_x, "", NULL, -1 },
	{ "text", take_from, "from here", "here", -1 },
	{ "text and no more", take_from, "from ", "", -1 },
	{ "cut text", take_from, "from", NULL, -1 },
	{ "other text", take_from, "frox here", NULL, -1 },
	{ "digits", take_digits, "0123]", "]", 123 },
	{ "digits up to the end", take_digits, "42", "", 42 },
	{ "few digits", take_digits, "1]", NULL, -1 },
	{ "many digits", take_digits, "12345", NULL, -1 },
	{ "a letter among digits", take_digits, "1a23", NULL, -1 },
	{ "the neighbours of digits", take_digits, "12/:", "/:", 12 },
	{ "no digits", take_18_digits, "x", "x", 0 },
	{ "as many as there can be", take_18_digits, "999999999999999999", "",
	  999999999999999999 },
	{ "number", take_number, "511 ", " ", 511 },
	{ "zero", take_number, "0 ", " ", 0 },
	{ "leading zero", take_number, "01 ", NULL, -1 },
	{ "long number", take_number, "5110", NULL, -1 },
	{ "no number", take_number, "", NULL, -1 },
};

TEST_ROWS(takes, rows)
{
	char *text = support_exact_copy(row->text, strlen(row->text));
	struct cursor c = cursor_of(text, strlen(row->text));
	const char *rest = row->rest ? row->rest : row->text;
	int64_t number = -1;

	want_int(row->take(&c, &number), row->rest != NULL);
	want_int(cursor_left(&c), strlen(rest));
	want_mem(c.at, rest, strlen(rest));
	want_int(cursor_at_end(&c), *rest == '\0');
	want_int(number, row->number);
	free(text);
}

/* What it looks for goes on behind the end. */
TEST(looks_not_beyond_the_end)
{
	struct cursor c = cursor_of("from here", 4);
	int64_t number = -1;

	want_int(cursor_take(&c, "from "), false);
	c = cursor_of("xx", 0);
	want_int(cursor_take_char(&c, 'x'), false);
	c = cursor_of("5112", 3);
	want_int(cursor_take_number(&c, 4, &number), true);
	want_int(number, 511);
}
