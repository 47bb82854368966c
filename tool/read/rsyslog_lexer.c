/* Tokens of rsyslog's configuration; the text is read once, from left to right.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/rsyslog_lexer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static size_t left(const struct rsyslog_lexer *text)
{
	return (size_t)(text->end - text->at);
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool starts(const struct rsyslog_lexer *text, const char *with)
{
	return left(text) >= strlen(with) && memcmp(text->at, with, strlen(with)) == 0;
}

int rsyslog_lexer_peek(const struct rsyslog_lexer *text)
{
	return text->at < text->end ? (unsigned char)*text->at : -1;
}

void rsyslog_lexer_skip(struct rsyslog_lexer *text, size_t n)
{
	for (; n > 0 && text->at < text->end; n--)
		if (*text->at++ == '\n')
			text->line++;
}

static void skip_line(struct rsyslog_lexer *text)
{
	while (text->at < text->end && *text->at != '\n')
		text->at++;
}

/* Skip one comment, if there is one. */
static bool skip_comment(struct rsyslog_lexer *text)
{
	if (rsyslog_lexer_peek(text) == '#') {
		skip_line(text);
		return true;
	}
	if (!starts(text, "/*"))
		return false;
	rsyslog_lexer_skip(text, 2);
	while (text->at < text->end && !starts(text, "*/"))
		rsyslog_lexer_skip(text, 1);
	rsyslog_lexer_skip(text, 2);
	return true;
}

void rsyslog_lexer_blanks(struct rsyslog_lexer *text)
{
	do {
		while (is_blank(rsyslog_lexer_peek(text)))
			rsyslog_lexer_skip(text, 1);
	} while (skip_comment(text));
}

size_t rsyslog_lexer_word(const struct rsyslog_lexer *text)
{
	const char *p = text->at;

	while (p < text->end &&
	       (isalnum((unsigned char)*p) || *p == '_' || *p == '.' || *p == '-'))
		p++;
	return (size_t)(p - text->at);
}

bool rsyslog_lexer_take(struct rsyslog_lexer *text, const char *word)
{
	size_t len = rsyslog_lexer_word(text);

	if (len != strlen(word) || strncasecmp(text->at, word, len) != 0)
		return false;
	text->at += len;
	return true;
}

bool rsyslog_lexer_take_char(struct rsyslog_lexer *text, char c)
{
	if (text->at >= text->end || *text->at != c)
		return false;
	rsyslog_lexer_skip(text, 1);
	return true;
}

/* Reads up to max digits of the base. Returns their value. */
static unsigned int read_digits(struct rsyslog_lexer *text, unsigned int base, unsigned int max)
{
	unsigned int value = 0, digit, i;

	for (i = 0; i < max && isxdigit(rsyslog_lexer_peek(text)); i++) {
		digit = isdigit(*text->at) ? (unsigned int)(*text->at - '0') :
					     (unsigned int)(tolower(*text->at) - 'a') + 10;
		if (digit >= base)
			break;
		value = value * base + digit;
		text->at++;
	}
	return value;
}

/* Reads the character after a backslash, as unescapeStr() in rsyslog's
 * grammar/rainerscript.c does. */
static char read_escape(struct rsyslog_lexer *text)
{
	static const char names[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
	const char *name;
	char c = *text->at;

	if (c >= '0' && c <= '7')
		return (char)read_digits(text, 8, 3);
	rsyslog_lexer_skip(text, 1);
	if (c == 'x')
		return (char)read_digits(text, 16, 2);
	name = c ? strchr(names, c) : NULL;
	return name ? values[name - names] : c;
}

bool rsyslog_lexer_string(struct rsyslog_lexer *text, char *out)
{
	char quote = *text->at, c;

	rsyslog_lexer_skip(text, 1);
	while (text->at < text->end && *text->at != quote) {
		c = *text->at;
		rsyslog_lexer_skip(text, 1);
		if (c == '\\' && text->at < text->end)
			c = read_escape(text);
		*out++ = c;
	}
	*out = '\0';
	return rsyslog_lexer_take_char(text, quote);
}

/* Copies a string as written. Returns the end of the copy. */
static char *copy_string(struct rsyslog_lexer *text, char *out)
{
	char quote = *text->at;

	do {
		if (*text->at == '\\' && left(text) > 1) {
			*out++ = *text->at;
			rsyslog_lexer_skip(text, 1);
		}
		*out++ = *text->at;
		rsyslog_lexer_skip(text, 1);
	} while (text->at < text->end && *text->at != quote);
	if (text->at < text->end)
		*out++ = quote;
	rsyslog_lexer_skip(text, 1);
	return out;
}

static bool is_word_here(const struct rsyslog_lexer *text, const char *word)
{
	struct rsyslog_lexer copy = *text;

	return word && rsyslog_lexer_take(&copy, word);
}

/* Copies one token to out: a string, a word, or a byte. */
static char *copy_token(struct rsyslog_lexer *text, char *out)
{
	size_t len = rsyslog_lexer_word(text);

	if (*text->at == '"' || *text->at == '\'' || *text->at == '`')
		return copy_string(text, out);
	if (len == 0)
		len = 1;
	memcpy(out, text->at, len);
	rsyslog_lexer_skip(text, len);
	return out + len;
}

bool rsyslog_lexer_until(struct rsyslog_lexer *text, const char *stop, const char *word,
			 char *out)
{
	const char *before, *begin = out;

	for (;;) {
		before = text->at;
		rsyslog_lexer_blanks(text);
		if (text->at >= text->end)
			break;
		if ((stop && *text->at && strchr(stop, *text->at)) || is_word_here(text, word))
			break;
		if (text->at > before && out > begin)
			*out++ = ' ';
		out = copy_token(text, out);
	}
	*out = '\0';
	return text->at < text->end;
}

static void trim(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && is_blank(text[len - 1]))
		len--;
	text[len] = '\0';
}

void rsyslog_lexer_rest(struct rsyslog_lexer *text, char *out)
{
	char *begin = out;

	while (text->at < text->end && *text->at != '\n') {
		if (starts(text, "\\\n"))
			rsyslog_lexer_skip(text, 2);
		else if (*text->at == '#' && out > begin && is_blank(out[-1]))
			skip_line(text);
		else
			*out++ = *text->at++;
	}
	*out = '\0';
	trim(begin);
}

static bool is_of_selector(int c)
{
	return c >= 0 && c < 128 && (isalnum(c) || (c && strchr("*,;.=!", c)));
}

/* A line that ends with a backslash continues after the blanks of the next one. */
static bool skip_continuation(struct rsyslog_lexer *text)
{
	if (!starts(text, "\\\n"))
		return false;
	rsyslog_lexer_skip(text, 2);
	while (is_blank(rsyslog_lexer_peek(text)))
		rsyslog_lexer_skip(text, 1);
	return true;
}

bool rsyslog_lexer_selector(struct rsyslog_lexer *text, char *out)
{
	struct rsyslog_lexer t = *text;
	const char *begin = out;

	while (is_of_selector(rsyslog_lexer_peek(&t)) || skip_continuation(&t))
		if (is_of_selector(rsyslog_lexer_peek(&t)))
			*out++ = *t.at++;
	*out = '\0';
	if (*begin == '.' || !strchr(begin, '.') || !is_blank(rsyslog_lexer_peek(&t)))
		return false;
	*text = t;
	return true;
}
