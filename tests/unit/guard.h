/* A process above the test program that kills it when a point takes too long, and kills
 * all processes that the program leaves behind.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_GUARD_H
#define TESTS_GUARD_H

#include <sys/types.h>

/* The time limit of a point, generous for a busy machine. */
#define GUARD_POINT_SECONDS 30

/* Returns in a new process, which runs the tests. The caller's process becomes the guard
 * and never returns: it exits with the status of the tests, once no process that a test
 * started is left. No signal is ignored or blocked in the new process, whatever nohup(1) or
 * a shell did. */
void guard_start(void);

/* Record that a point begins. The name was allocated before guard_start(). */
void guard_point(const char *name);

/* fork(2) for tests. The child is killed when the test program exits, for any reason. */
pid_t guard_fork(void);

/* The same, for a child with a given PID, which waits to be killed. Returns 0 if the
 * kernel does not allow choosing the PID. */
pid_t guard_fork_as(pid_t pid);

#endif
