/* The difference of two texts, as diff -u prints it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_DIFF_H
#define SMTPBLOCKCTL_DIFF_H

#include <stdio.h>

/* Print it with three lines of context, for patch -p0. Everything between the first and the
 * last line that differ is one hunk. old is NULL if there is no file. */
void diff_print(FILE *out, const char *path, const char *old, const char *new);

#endif
