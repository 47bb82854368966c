/* A file, or standard input, line by line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_LINES_H
#define SMTPBLOCKCTL_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* What is kept of a line: rsyslog itself cuts at 8 KiB unless told otherwise, and
 * courier at 1 KiB. */
#define LINES_MAX 65536

struct lines;

/* Open path; "-" is standard input. Returns 0 and the caller owns *ret_lines;
 * -ENOMEM; -errno. */
int lines_open(const char *path, struct lines **ret_lines);
/* NULL is allowed. */
void lines_close(struct lines *lines);

/* The next line, its newline included if it has one; of a longer one the first
 * LINES_MAX bytes. Any bytes may be in it. Valid until the next call. Returns 1;
 * 0 at the end; -errno. */
int lines_next(struct lines *lines, const char **ret_line, size_t *ret_len);

/* What is there of the next lines, at the beginning of the first; with the first call
 * as much as one read brings. Valid until the next call. Returns 1; 0 at the end;
 * -errno. */
int lines_peek(struct lines *lines, const char **ret_text, size_t *ret_len);

/* The number of the line that was last returned: 1.. */
unsigned long lines_number(const struct lines *lines);

/* How many were cut. */
unsigned long lines_cut(const struct lines *lines);

/* Do the first bytes say that it was compressed by gzip, xz, bzip2 or zstd?
 * After the first lines_next(). */
bool lines_compressed(const struct lines *lines);

#endif
