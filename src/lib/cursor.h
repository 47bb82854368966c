/* Reads text from left to right. A function moves the cursor only if it finds what it looks
 * for, and never beyond the end. All of them are inline: the worker reads every line of the
 * log with them.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_CURSOR_H
#define SMTPBLOCK_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The rest of the text, which may contain any bytes. */
struct cursor {
	const char *at;
	const char *end;
};

static inline struct cursor cursor_of(const char *text, size_t len)
{
	return (struct cursor){ .at = text, .end = text + len };
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

static inline bool cursor_at_end(const struct cursor *c)
{
	return c->at == c->end;
}

/* Is this character next? */
static inline bool cursor_sees(const struct cursor *c, char ch)
{
	return c->at != c->end && *c->at == ch;
}

/* Skip this character, this text. */
static inline bool cursor_take_char(struct cursor *c, char ch)
{
	if (!cursor_sees(c, ch))
		return false;
	c->at++;
	return true;
}

static inline bool cursor_take(struct cursor *c, const char *literal)
{
	size_t len = strlen(literal);

	if (cursor_left(c) < len || memcmp(c->at, literal, len) != 0)
		return false;
	c->at += len;
	return true;
}

/* Read a number of min to max decimal digits; max is at most 18. */
static inline bool cursor_take_digits(struct cursor *c, unsigned int min, unsigned int max,
				      int64_t *ret_number)
{
	unsigned int digit, digits = 0;
	const char *p = c->at;
	int64_t n = 0;

	for (; p < c->end && (digit = (unsigned int)*p - '0') <= 9; p++) {
		if (digits++ == max)
			return false;
		n = n * 10 + digit;
	}
	if (digits < min)
		return false;
	c->at = p;
	*ret_number = n;
	return true;
}

/* The same from one digit on, without leading zeros. */
static inline bool cursor_take_number(struct cursor *c, unsigned int max, int64_t *ret_number)
{
	struct cursor tried = *c;
	int64_t n;

	if (!cursor_take_digits(&tried, 1, max, &n) || (*c->at == '0' && tried.at - c->at > 1))
		return false;
	*c = tried;
	*ret_number = n;
	return true;
}

#endif
