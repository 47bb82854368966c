/* Text of others, copied to where it is shown, and text made of pieces.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *text_copy(const char *text, size_t len, char *buf, size_t size)
{
	if (len >= size)
		len = size - 1;
	if (len > 0)
		memmove(buf, text, len);
	buf[len] = '\0';
	return buf;
}

char *text_clean(const char *text, size_t len, char *buf, size_t size)
{
	size_t i;

	for (i = 0; i < len && i + 1 < size; i++)
		buf[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	buf[i] = '\0';
	return buf;
}

struct text_buf text_buf_of(char *buf, size_t size)
{
	buf[0] = '\0';
	return (struct text_buf){ .at = buf, .size = size };
}

bool text_append(struct text_buf *text, const char *format, ...)
{
	size_t left = text->size - text->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->at + text->used, left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= left) {
		text->at[text->used] = '\0';
		return false;
	}
	text->used += (size_t)n;
	return true;
}
