/* The allow list that stands in a file.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ALLOWFILE_H
#define SMTPBLOCK_ALLOWFILE_H

#include "lib/prefix_set.h"

/* One address or prefix a line; blanks around it, empty lines and what follows a
 * '#' do not count. A file is taken whole or not at all. */
struct allowfile;

/* Longest message, NUL included. */
#define ALLOWFILE_ERROR_SIZE 512

/* The largest file that is read: no list of addresses is larger. */
#define ALLOWFILE_BYTES_MAX (64L << 20)

/* Read path, which is copied; "" is no file: an empty list. Returns 0 and the
 * caller owns *ret_file; -EINVAL or -errno with a message in errbuf that names
 * the file, the line and the correction; -ENOMEM. */
int allowfile_new(const char *path, struct allowfile **ret_file,
		  char errbuf[static ALLOWFILE_ERROR_SIZE]);
void allowfile_free(struct allowfile *file);

/* Read it again. On failure the list stays as it was, and errors are as above.
 * One thread, while any other may ask. */
int allowfile_reload(struct allowfile *file,
		     char errbuf[static ALLOWFILE_ERROR_SIZE]);

/* Is the address on the list, or in a prefix on it? Any thread. */
bool allowfile_contains(struct allowfile *file, const struct addr *addr);

/* Does the prefix have an address in common with the list? Any thread. */
bool allowfile_overlaps(struct allowfile *file, const struct cidr *cidr);

#endif
