/* What the fuzz targets share.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

char *fuzz_copy(const void *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);

	FUZZ_CHECK(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

char *fuzz_string(const void *bytes, size_t len)
{
	char *text = malloc(len + 1);
	size_t i;

	FUZZ_CHECK(text);
	if (len > 0)
		memcpy(text, bytes, len);
	for (i = 0; i < len; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	text[len] = '\0';
	return text;
}

uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

bool fuzz_line(struct fuzz_input *in, const char **ret_text, size_t *ret_len)
{
	const uint8_t *end;

	if (in->left == 0)
		return false;
	end = memchr(in->at, '\n', in->left);
	*ret_text = (const char *)in->at;
	*ret_len = end ? (size_t)(end - in->at) : in->left;
	in->at += *ret_len + (end ? 1 : 0);
	in->left -= *ret_len + (end ? 1 : 0);
	return true;
}
