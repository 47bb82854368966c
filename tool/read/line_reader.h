/* A file, or standard input, line by line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_LINE_READER_H
#define SMTPBLOCKCTL_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

/* What is kept of a line: rsyslog itself cuts at 8 KiB unless told otherwise, and
 * courier at 1 KiB. */
#define LINE_READER_MAX 65536

struct line_reader;

/* Open path; "-" is standard input. Returns 0 and the caller owns *ret_lines;
 * -ENOMEM; -errno. */
int line_reader_open(const char *path, struct line_reader **ret_lines);
/* NULL is allowed. */
void line_reader_close(struct line_reader *log);

/* The next line, its newline included if it has one; of a longer one the first
 * LINE_READER_MAX bytes. Any bytes may be in it. Valid until the next call. Returns 1;
 * 0 at the end; -errno. */
int line_reader_next(struct line_reader *log, const char **ret_line, size_t *ret_len);

/* What is there of the next lines, at the beginning of the first; with the first call
 * as much as one read brings. Valid until the next call. Returns 1; 0 at the end;
 * -errno. */
int line_reader_peek(struct line_reader *log, const char **ret_text, size_t *ret_len);

/* The number of the line that was last returned: 1.. */
unsigned long line_reader_number(const struct line_reader *log);

/* How many were cut. */
unsigned long line_reader_cut(const struct line_reader *log);

/* Do the first bytes say that it was compressed by gzip, xz, bzip2 or zstd?
 * After the first line_reader_next(). */
bool line_reader_compressed(const struct line_reader *log);

#endif
