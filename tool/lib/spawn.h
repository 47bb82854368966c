/* Run another program by an argument vector, without a shell.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SPAWN_H
#define SMTPBLOCKCTL_SPAWN_H

#include <stdbool.h>
#include <stddef.h>

/* Search path for programs. The caller's PATH is not used: for users other than root it has
 * no sbin directories, and root must not trust it. */
#define SPAWN_DIRS "/usr/sbin:/usr/bin:/sbin:/bin"

/* Most output of a program that is kept, in bytes; the rest is discarded. */
#define SPAWN_OUTPUT_MAX (64UL << 20)

/* Run argv[0], searched in dirs (separated by colons), with standard input and stderr on
 * /dev/null, and wait for it. Returns its exit status; -ENOENT: no such program; -ECHILD: it
 * was killed by a signal; -errno. If the result is >= 0, *ret_output is its output,
 * terminated by a NUL; the caller frees it. */
int spawn_run(const char *dirs, const char *const argv[], char **ret_output, size_t *ret_len);

/* As spawn_run(), but the output has what the program writes to stderr, too. After ms
 * milliseconds the program is killed: -ETIMEDOUT. */
int spawn_run_for(const char *dirs, const char *const argv[], unsigned int ms,
		  char **ret_output, size_t *ret_len);

/* Is the program in one of dirs? */
bool spawn_is_there(const char *dirs, const char *name);

#endif
