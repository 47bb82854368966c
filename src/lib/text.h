/* Text of others, copied to where it is shown, and text made of pieces.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_TEXT_H
#define SMTPBLOCK_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Copy len bytes of text to buf and terminate them; what does not fit in size, which is at
 * least 1, is cut. text may be NULL if len is 0. Returns buf. Any thread. */
char *text_copy(const char *text, size_t len, char *buf, size_t size);

/* The same, with '?' for every byte that is not printable ASCII. buf may be text. */
char *text_clean(const char *text, size_t len, char *buf, size_t size);

/* A text in a buffer of this size, which is at least 1. */
struct text_buf {
	char *at;
	size_t size, used;	/* used: without the NUL */
};

/* An empty text. */
struct text_buf text_buf_of(char *buf, size_t size);

/* Append a piece. If it does not fit, the text stays as it is. Returns whether it fits. */
bool text_append(struct text_buf *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
