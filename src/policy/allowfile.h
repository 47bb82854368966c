/* The allow list in a file.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ALLOWFILE_H
#define SMTPBLOCK_ALLOWFILE_H

#include "lib/prefix_set.h"

/* One address or prefix per line. Blanks around it, empty lines and comments from '#' on
 * are ignored. If any line is wrong the whole file is rejected. */
struct allowfile;

/* Longest error message, NUL included. */
#define ALLOWFILE_ERROR_SIZE 512

/* Larger files are rejected: no list of addresses is that large. */
#define ALLOWFILE_BYTES_MAX (64L << 20)

/* Read the file at path, which is copied; "" stands for no file and an empty list. Returns
 * 0 and the caller owns *ret_file; -EINVAL or -errno with a message in errbuf that names
 * the file, the line and the correction; -ENOMEM. */
int allowfile_new(const char *path, struct allowfile **ret_file,
		  char errbuf[static ALLOWFILE_ERROR_SIZE]);
void allowfile_free(struct allowfile *file);

/* Read the file again. On failure the list stays as it was; errors as above. One thread at
 * a time, while others may call the functions below. */
int allowfile_reload(struct allowfile *file,
		     char errbuf[static ALLOWFILE_ERROR_SIZE]);

/* Is the address on the list, or in a prefix on the list? Any thread. */
bool allowfile_contains(struct allowfile *file, const struct addr *addr);

/* Does the prefix have an address in common with the list? Any thread. */
bool allowfile_overlaps(struct allowfile *file, const struct cidr *cidr);

#endif
