/* The words of rsyslog's configuration: blanks, comments, strings, expressions.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_CONFTEXT_H
#define SMTPBLOCKCTL_CONFTEXT_H

#include <stdbool.h>
#include <stddef.h>

/* What is still to be read. Any byte may stand there, NUL too. */
struct conftext {
	const char *at, *end;
	unsigned int line;	/* of at, from 1 */
};

/* The next byte, or -1 at the end. */
int conftext_peek(const struct conftext *text);

/* Step over n bytes, at most to the end, and count lines. */
void conftext_skip(struct conftext *text, size_t n);

/* Step over blanks, line ends and comments: # up to the line's end, C's in full. */
void conftext_blanks(struct conftext *text);

/* How many bytes from here on are of a word: letters, digits, '_', '.', '-' . */
size_t conftext_word(const struct conftext *text);

/* Is the word here this one, in any case of letters? Then step over it. */
bool conftext_take(struct conftext *text, const char *word);

/* Step over the byte if it is the next one. */
bool conftext_take_char(struct conftext *text, char c);

/* A string, at whose opening quote text stands: write it, escapes resolved and
 * terminated, to out, which has room for all that is left of text and a NUL.
 * Returns false if it has no end; text is then at the end of all. */
bool conftext_string(struct conftext *text, char *out);

/* Copy from here up to one of the bytes in stop, or up to the word, outside of
 * strings and comments; either may be NULL. Runs of blanks become one, none at
 * the ends; comments are blanks. Room as above. text is then at what stopped it.
 * Returns false if it is not there. */
bool conftext_until(struct conftext *text, const char *stop, const char *word, char *out);

/* The rest of the line, lines that end with a backslash joined, blanks at the ends
 * and a comment taken off. Room as above. */
void conftext_rest(struct conftext *text, char *out);

/* A selector such as mail.err or *.info;mail.none: written to out, and stepped over.
 * False: there is none, and text is where it was. Room as above. */
bool conftext_selector(struct conftext *text, char *out);

#endif
