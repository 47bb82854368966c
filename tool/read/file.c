/* Whole files.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
	FILE *file = fopen(path, "re");
	char *text;
	size_t len;
	int r = 0;

	if (!file)
		return -errno;
	text = malloc(max + 1);
	len = text ? fread(text, 1, max + 1, file) : 0;
	if (!text)
		r = -ENOMEM;
	else if (ferror(file))
		r = -errno;
	else if (len > max)
		r = -EFBIG;
	fclose(file);
	if (r < 0) {
		free(text);
		return r;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return 0;
}
