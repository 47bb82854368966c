/* A file, or standard input, line by line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_LINE_READER_H
#define SMTPBLOCKCTL_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

/* Longest part of a line that is kept: rsyslog cuts at 8 KiB by default, courier at 1 KiB. */
#define LINE_READER_MAX 65536

struct line_reader;

/* Open path; "-" is standard input. Returns 0 and the caller owns *ret_lines; -ENOMEM;
 * -errno. */
int line_reader_open(const char *path, struct line_reader **ret_lines);
/* NULL is allowed. */
void line_reader_close(struct line_reader *log);

/* Read the next line with its newline, if it has one; of a longer line only the first
 * LINE_READER_MAX bytes. It may contain any bytes. Valid until the next call. Returns 1; 0
 * at the end; -errno. */
int line_reader_next(struct line_reader *log, const char **ret_line, size_t *ret_len);

/* The bytes that are buffered, starting with the next line; the first call returns as much
 * as one read gets. Valid until the next call. Returns 1; 0 at the end; -errno. */
int line_reader_peek(struct line_reader *log, const char **ret_text, size_t *ret_len);

/* The number of the last line returned, from 1. */
unsigned long line_reader_number(const struct line_reader *log);

/* The number of lines that were cut. */
unsigned long line_reader_cut(const struct line_reader *log);

/* Are the first bytes those of a file compressed by gzip, xz, bzip2 or zstd? After the first
 * line_reader_next(). */
bool line_reader_compressed(const struct line_reader *log);

#endif
