/* Text of others, copied to where it is shown.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/text.h"

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
