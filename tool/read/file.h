/* Whole files.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_FILE_H
#define SMTPBLOCKCTL_FILE_H

#include <stddef.h>

/* Read a file of up to max bytes. Returns 0 and the caller frees *ret_text, which ends with a
 * NUL that is not counted; -EFBIG: it is longer; -ENOMEM; -errno. */
int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len);

#endif
