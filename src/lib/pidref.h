/* A pinned process. What is read about it while it is alive, and the signal, concern this
 * process and not a later one with the same PID.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_PIDREF_H
#define SMTPBLOCK_PIDREF_H

#include <stdbool.h>
#include <sys/types.h>

/* fd is -1 if nothing is pinned. The owner of the struct owns fd; pidref_take() moves it. */
struct pidref {
	pid_t pid;
	int fd;		/* pidfd; becomes readable when the process exits */
};

#define PIDREF_NONE { .pid = 0, .fd = -1 }

/* The number of descriptors that are left to the rest of the program: rsyslogd must reopen its
 * files at a HUP, and loses lines if it cannot. */
#define PIDREF_SPARE 4

/* The lowest of these descriptors, by RLIMIT_NOFILE; INT_MAX if there is no relevant limit. The
 * kernel assigns the lowest free descriptor, so a lower one than this leaves enough. */
int pidref_end(void);

/* Pin a process. The descriptor is closed on exec (pidfd_open(2)). Returns 0; -ESRCH: no such
 * process; -EINVAL: the ID of a thread, or not positive; -EMFILE, -ENFILE: no descriptor left;
 * -errno. */
int pidref_open(pid_t pid, struct pidref *ret_ref);

/* Unpin. Does nothing for PIDREF_NONE. */
void pidref_done(struct pidref *ref);

/* Move ownership: *ref is PIDREF_NONE afterwards. */
struct pidref pidref_take(struct pidref *ref);

/* Is the process still alive? Returns 0: yes, so what was read from /proc/PID since
 * pidref_open() is about this process; -ESRCH: it has exited, or nothing is pinned; another
 * -errno: the call failed, which says nothing about the process. */
int pidref_check(const struct pidref *ref);

/* Send a signal. Returns 0; -ESRCH: it has exited; -EPERM: CAP_KILL is missing; -errno
 * (pidfd_send_signal(2)). */
int pidref_signal(const struct pidref *ref, int signal);

#endif
