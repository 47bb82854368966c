/* A file, or standard input, line by line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/array.h"

/* Keeps at most one buffer of a line; the rest of a longer line is skipped. */
struct line_reader {
	int fd;
	size_t at, end;		/* read but not yet returned */
	unsigned long number, cut;
	bool passing;		/* skipping the rest of a long line */
	bool compressed;
	char buffer[2 * LINE_READER_MAX];
};

int line_reader_open(const char *path, struct line_reader **ret_lines)
{
	struct line_reader *log = calloc(1, sizeof(*log));
	int err;

	if (!log)
		return -ENOMEM;
	if (strcmp(path, "-") == 0)
		log->fd = STDIN_FILENO;
	else
		log->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (log->fd < 0) {
		err = errno;
		free(log);
		return -err;
	}
	*ret_lines = log;
	return 0;
}

void line_reader_close(struct line_reader *log)
{
	if (!log)
		return;
	if (log->fd != STDIN_FILENO)
		close(log->fd);
	free(log);
}

static void check_magic(struct line_reader *log)
{
	static const char *const magics[] = { "\x1f\x8b", "\xfd\x37zXZ", "BZh",
					      "\x28\xb5\x2f\xfd" };
	size_t i;

	for (i = 0; i < COUNT_OF(magics); i++)
		if (log->end >= strlen(magics[i]) &&
		    memcmp(log->buffer, magics[i], strlen(magics[i])) == 0)
			log->compressed = true;
}

/* Read more. Unused bytes move to the front first. Returns the number of bytes read. */
static ssize_t fill(struct line_reader *log)
{
	ssize_t n;

	memmove(log->buffer, log->buffer + log->at, log->end - log->at);
	log->end -= log->at;
	log->at = 0;
	do
		n = read(log->fd, log->buffer + log->end, sizeof(log->buffer) - log->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	log->end += (size_t)n;
	if (log->number == 0 && !log->passing)
		check_magic(log);
	return n;
}

/* The length of the next line with its newline; 0: its end was not read yet. */
static size_t next_length(const struct line_reader *log)
{
	const char *start = log->buffer + log->at;
	size_t have = log->end - log->at;
	const char *newline = memchr(start, '\n', have);

	if (newline)
		return (size_t)(newline - start) + 1;
	return have >= LINE_READER_MAX ? have : 0;
}

/* The next piece: a line, or at least LINE_READER_MAX bytes of one, or the rest of the file. */
static int next_piece(struct line_reader *log, const char **ret_piece, size_t *ret_len)
{
	size_t len;
	ssize_t n;

	while ((len = next_length(log)) == 0) {
		n = fill(log);
		if (n < 0)
			return (int)n;
		if (n == 0) {
			len = log->end - log->at;
			break;
		}
	}
	*ret_piece = log->buffer + log->at;
	*ret_len = len;
	log->at += len;
	return len > 0;
}

int line_reader_next(struct line_reader *log, const char **ret_line, size_t *ret_len)
{
	bool rest;
	int r;

	do {
		r = next_piece(log, ret_line, ret_len);
		if (r <= 0)
			return r;
		rest = log->passing;
		log->passing = (*ret_line)[*ret_len - 1] != '\n';
	} while (rest);
	log->number++;
	if (*ret_len > LINE_READER_MAX) {
		*ret_len = LINE_READER_MAX;
		log->cut++;
	} else if (*ret_len == LINE_READER_MAX && log->passing) {
		log->cut++;
	}
	return 1;
}

int line_reader_peek(struct line_reader *log, const char **ret_text, size_t *ret_len)
{
	ssize_t n = (ssize_t)(log->end - log->at);

	if (n == 0)
		n = fill(log);
	if (n <= 0)
		return (int)n;
	*ret_text = log->buffer + log->at;
	*ret_len = log->end - log->at;
	return 1;
}

unsigned long line_reader_number(const struct line_reader *log)
{
	return log->number;
}

unsigned long line_reader_cut(const struct line_reader *log)
{
	return log->cut;
}

bool line_reader_compressed(const struct line_reader *log)
{
	return log->compressed;
}
