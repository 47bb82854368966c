/* The words of rsyslog's configuration: blanks, comments, strings, expressions.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RSYSLOG_LEXER_H
#define SMTPBLOCKCTL_RSYSLOG_LEXER_H

#include <stdbool.h>
#include <stddef.h>

/* What is still to be read. Any byte may stand there, NUL too. */
struct rsyslog_lexer {
	const char *at, *end;
	unsigned int line;	/* of at, from 1 */
};

/* The next byte, or -1 at the end. */
int rsyslog_lexer_peek(const struct rsyslog_lexer *text);

/* Step over n bytes, at most to the end, and count lines. */
void rsyslog_lexer_skip(struct rsyslog_lexer *text, size_t n);

/* Step over blanks, line ends and comments: # up to the line's end, C's in full. */
void rsyslog_lexer_blanks(struct rsyslog_lexer *text);

/* How many bytes from here on are of a word: letters, digits, '_', '.', '-' . */
size_t rsyslog_lexer_word(const struct rsyslog_lexer *text);

/* Is the word here this one, in any case of letters? Then step over it. */
bool rsyslog_lexer_take(struct rsyslog_lexer *text, const char *word);

/* Step over the byte if it is the next one. */
bool rsyslog_lexer_take_char(struct rsyslog_lexer *text, char c);

/* A string, at whose opening quote text stands: write it, escapes resolved and
 * terminated, to out, which has room for all that is left of text and a NUL.
 * Returns false if it has no end; text is then at the end of all. */
bool rsyslog_lexer_string(struct rsyslog_lexer *text, char *out);

/* Copy from here up to one of the bytes in stop, or up to the word, outside of
 * strings and comments; either may be NULL. Runs of blanks become one, none at
 * the ends; comments are blanks. Room as above. text is then at what stopped it.
 * Returns false if it is not there. */
bool rsyslog_lexer_until(struct rsyslog_lexer *text, const char *stop, const char *word,
			 char *out);

/* The rest of the line, lines that end with a backslash joined, blanks at the ends
 * and a comment taken off. Room as above. */
void rsyslog_lexer_rest(struct rsyslog_lexer *text, char *out);

/* A selector such as mail.err or *.info;mail.none: written to out, and stepped over.
 * False: there is none, and text is where it was. Room as above. */
bool rsyslog_lexer_selector(struct rsyslog_lexer *text, char *out);

#endif
