/* A process above the test program that ends it when a point takes too long, and ends
 * whatever the program leaves behind.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_GUARD_H
#define TESTS_GUARD_H

#include <sys/types.h>

/* No point takes longer on a busy machine. */
#define GUARD_POINT_SECONDS 30

/* Returns in a new process, which runs the tests. The caller's own process stays as
 * the guard and never returns: it exits with the status of the tests, once no process
 * that a test started is left. No signal is ignored or blocked in the new process,
 * whatever nohup(1) or a shell did. */
void guard_start(void);

/* A point begins. The name was allocated before guard_start(). */
void guard_point(const char *name);

/* fork(2) for tests. The child is killed when the test program ends, however it
 * ends. */
pid_t guard_fork(void);

/* The same, for a child with a PID of the caller's choice. It waits for its end.
 * Returns 0 where the kernel does not allow the choice. */
pid_t guard_fork_as(pid_t pid);

#endif
