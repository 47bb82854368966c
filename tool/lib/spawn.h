/* Running another program: an argument vector, never a shell.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SPAWN_H
#define SMTPBLOCKCTL_SPAWN_H

#include <stddef.h>

/* Where programs are looked for: not in the caller's PATH, which for a user other
 * than root has no sbin and for root is nothing to trust. */
#define SPAWN_DIRS "/usr/sbin:/usr/bin:/sbin:/bin"

/* What is beyond this of a program's output is not kept: of that length it may be cut. */
#define SPAWN_OUTPUT_MAX (64UL << 20)

/* Run argv[0], which is looked for in dirs (colons between them), with nothing on
 * its standard input and its messages thrown away, and wait for its end. Returns its
 * exit status; -ENOENT: there is no such program; -ECHILD: a signal ended it;
 * -errno. From 0 on *ret_output is its output with a NUL behind it, which the caller
 * frees. */
int spawn_run(const char *dirs, char *const argv[], char **ret_output, size_t *ret_len);

#endif
