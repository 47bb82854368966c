/* A file, or standard input, line by line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of a line that is longer than the buffer the rest is passed over. */
struct lines {
	int fd;
	size_t at, end;		/* what was read and not returned yet */
	unsigned long number, cut;
	bool passing;		/* over the rest of a long line */
	bool compressed;
	char buffer[2 * LINES_MAX];
};

int lines_open(const char *path, struct lines **ret_lines)
{
	struct lines *lines = calloc(1, sizeof(*lines));
	int err;

	if (!lines)
		return -ENOMEM;
	if (strcmp(path, "-") == 0)
		lines->fd = STDIN_FILENO;
	else
		lines->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (lines->fd < 0) {
		err = errno;
		free(lines);
		return -err;
	}
	*ret_lines = lines;
	return 0;
}

void lines_close(struct lines *lines)
{
	if (!lines)
		return;
	if (lines->fd != STDIN_FILENO)
		close(lines->fd);
	free(lines);
}

static void look_at_magic(struct lines *lines)
{
	static const char *const magics[] = { "\x1f\x8b", "\xfd\x37zXZ", "BZh",
					      "\x28\xb5\x2f\xfd" };
	size_t i;

	for (i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (lines->end >= strlen(magics[i]) &&
		    memcmp(lines->buffer, magics[i], strlen(magics[i])) == 0)
			lines->compressed = true;
}

/* Read on. What is left moves to the front first. Returns how much came. */
static ssize_t fill(struct lines *lines)
{
	ssize_t n;

	memmove(lines->buffer, lines->buffer + lines->at, lines->end - lines->at);
	lines->end -= lines->at;
	lines->at = 0;
	do
		n = read(lines->fd, lines->buffer + lines->end,
			 sizeof(lines->buffer) - lines->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	lines->end += (size_t)n;
	if (lines->number == 0 && !lines->passing)
		look_at_magic(lines);
	return n;
}

/* How long the next line is, newline included; 0: it has not come to its end, and
 * may still. */
static size_t next_length(const struct lines *lines)
{
	const char *start = lines->buffer + lines->at;
	size_t have = lines->end - lines->at;
	const char *newline = memchr(start, '\n', have);

	if (newline)
		return (size_t)(newline - start) + 1;
	return have >= LINES_MAX ? have : 0;
}

/* The next piece: a line, or LINES_MAX or more bytes of one, or what is left at
 * the end. */
static int next_piece(struct lines *lines, const char **ret_piece, size_t *ret_len)
{
	size_t len;
	ssize_t n;

	while ((len = next_length(lines)) == 0) {
		n = fill(lines);
		if (n < 0)
			return (int)n;
		if (n == 0) {
			len = lines->end - lines->at;
			break;
		}
	}
	*ret_piece = lines->buffer + lines->at;
	*ret_len = len;
	lines->at += len;
	return len > 0;
}

int lines_next(struct lines *lines, const char **ret_line, size_t *ret_len)
{
	bool rest;
	int r;

	do {
		r = next_piece(lines, ret_line, ret_len);
		if (r <= 0)
			return r;
		rest = lines->passing;
		lines->passing = (*ret_line)[*ret_len - 1] != '\n';
	} while (rest);
	lines->number++;
	if (*ret_len > LINES_MAX) {
		*ret_len = LINES_MAX;
		lines->cut++;
	} else if (*ret_len == LINES_MAX && lines->passing) {
		lines->cut++;
	}
	return 1;
}

int lines_peek(struct lines *lines, const char **ret_text, size_t *ret_len)
{
	ssize_t n = (ssize_t)(lines->end - lines->at);

	if (n == 0)
		n = fill(lines);
	if (n <= 0)
		return (int)n;
	*ret_text = lines->buffer + lines->at;
	*ret_len = lines->end - lines->at;
	return 1;
}

unsigned long lines_number(const struct lines *lines)
{
	return lines->number;
}

unsigned long lines_cut(const struct lines *lines)
{
	return lines->cut;
}

bool lines_compressed(const struct lines *lines)
{
	return lines->compressed;
}
