/* The tokens of rsyslog's configuration: blanks, comments, strings, expressions.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RSYSLOG_LEXER_H
#define SMTPBLOCKCTL_RSYSLOG_LEXER_H

#include <stdbool.h>
#include <stddef.h>

/* The unread part of the text. It may contain any bytes, even NUL. */
struct rsyslog_lexer {
	const char *at, *end;
	unsigned int line;	/* line number of at, from 1 */
};

/* The next byte, or -1 at the end. */
int rsyslog_lexer_peek(const struct rsyslog_lexer *text);

/* Skip n bytes, at most to the end, and count lines. */
void rsyslog_lexer_skip(struct rsyslog_lexer *text, size_t n);

/* Skip blanks, line ends and comments: # to the end of the line, and C comments. */
void rsyslog_lexer_blanks(struct rsyslog_lexer *text);

/* The length of the word here: letters, digits, '_', '.', '-' . */
size_t rsyslog_lexer_word(const struct rsyslog_lexer *text);

/* Is this the word here, in upper or lower case? Then skip it. */
bool rsyslog_lexer_take(struct rsyslog_lexer *text, const char *word);

/* Skip the byte if it is the next one. */
bool rsyslog_lexer_take_char(struct rsyslog_lexer *text, char c);

/* Copy the string whose opening quote is next to out, with escapes resolved and a NUL. out
 * has room for the rest of text and a NUL. Returns false if the string does not end; then
 * text is at its end. */
bool rsyslog_lexer_string(struct rsyslog_lexer *text, char *out);

/* Copy up to one of the bytes in stop, or up to the word, ignoring those in strings and
 * comments; either may be NULL. Runs of blanks and comments become one blank, leading and
 * trailing ones are removed. Room as above. Then text is at what stopped it. Returns false
 * if nothing did. */
bool rsyslog_lexer_until(struct rsyslog_lexer *text, const char *stop, const char *word,
			 char *out);

/* Copy the rest of the line: lines that end with a backslash are joined, blanks at both ends
 * and a comment are removed. Room as above. */
void rsyslog_lexer_rest(struct rsyslog_lexer *text, char *out);

/* Copy a selector such as mail.err or *.info;mail.none to out and skip it. Returns false if
 * there is none; text does not move then. Room as above. */
bool rsyslog_lexer_selector(struct rsyslog_lexer *text, char *out);

#endif
