/* What fakeproc.c needs of its program: in the unit tests support.c has it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include <stdbool.h>

/* If a fixture cannot be built, the test fails with the reason and errno. */
void must(bool done, const char *what);

/* Create a temporary directory that any user may enter. The caller frees the path with
 * temp_dir_remove(), which also removes the directory with its content. */
char *temp_dir_new(void);
void temp_dir_remove(char *dir);

#endif
