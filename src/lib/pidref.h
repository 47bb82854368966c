/* A process that is held fast: what is found out about it afterwards, and the
 * signal, are about that process and no later one with its PID.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_PIDREF_H
#define SMTPBLOCK_PIDREF_H

#include <stdbool.h>
#include <sys/types.h>

/* fd is -1 when nothing is held. Owned by whoever holds the struct; hand it on
 * with pidref_take(). */
struct pidref {
	pid_t pid;
	int fd;		/* pidfd, readable once the process has ended */
};

#define PIDREF_NONE { .pid = 0, .fd = -1 }

/* The last descriptors are the rest of the program's: rsyslogd has to open its files
 * again at a HUP, and loses lines if it cannot. */
#define PIDREF_SPARE 4

/* The lowest of them, by RLIMIT_NOFILE; INT_MAX if there is no limit to speak of. The
 * kernel hands out the lowest descriptor that is free: at one below this there is room. */
int pidref_end(void);

/* Hold a process. Returns 0; -ESRCH: no such process; -EINVAL: the PID is a
 * thread's or none; -EMFILE, -ENFILE: no descriptor left; -errno. The
 * descriptor is closed on exec (pidfd_open(2)). */
int pidref_open(pid_t pid, struct pidref *ret_ref);

/* Let go. Does nothing for PIDREF_NONE. */
void pidref_done(struct pidref *ref);

/* Move ownership: *ref holds nothing afterwards. */
struct pidref pidref_take(struct pidref *ref);

/* Is it still alive? Returns 0: yes, so that what was read from /proc/PID since
 * pidref_open() was read of this process; -ESRCH: it has ended, or nothing is pinned;
 * any other -errno: the call failed, which says nothing about the process. */
int pidref_check(const struct pidref *ref);

/* Signal it. Returns 0; -ESRCH: it has ended; -EPERM: CAP_KILL is missing;
 * -errno (pidfd_send_signal(2)). */
int pidref_signal(const struct pidref *ref, int signal);

#endif
