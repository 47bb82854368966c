/* Looks at processes that may keep whoever looks at them waiting.
 *
 * A process in the middle of execve(2) holds its exec_update_lock. Reading its exe,
 * environ or ns/net, and pidfd_getfd(2) on it, then wait until execve(2) is over, which
 * the process can put off for as long as it likes (a FUSE file system of its own that
 * never answers the FLUSH of a close-on-exec descriptor; Linux fs/exec.c, begin_new_exec()
 * and fs/proc/base.c, proc_pid_get_link(), since 6.18 and its backports also for exe).
 * So a thread of its own makes these calls. Whoever asks waits for a bounded time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_LOOKER_H
#define SMTPBLOCK_LOOKER_H

#include "lib/procfs.h"

struct looker;

/* An answer comes within this time, or the process is left alone until it comes. */
#define LOOKER_WAIT_MS 250

/* Threads that wait for a process at once. While there are so many nothing is looked at. */
#define LOOKER_WAITING_MAX 16

/* No thread yet. Returns 0 or -ENOMEM. The caller owns. */
int looker_new(const struct procfs *procfs, struct looker **ret_looker);

/* Wait so many ms instead of LOOKER_WAIT_MS. Before the first look. */
void looker_set_wait(struct looker *looker, unsigned int ms);

/* NULL is allowed. Returns false if a thread still waits for a process: it frees what
 * it uses when it is done, and its code has to stay mapped until then. */
bool looker_free(struct looker *looker);

/* The kernel would end us for pidfd_getfd(2), by a filter of system calls:
 * looker_get_fd() does not call it. */
void looker_forbid_fd(struct looker *looker);

/* procfs_look() with a bound. pid must be of a process whose uid and parent were found
 * good before: what anybody can start must not get here. ret_look is written with 0 only.
 * One thread at a time; not for workers.
 * Returns 0; -ESRCH: it is gone; -EACCES: we may not look; -E2BIG: see
 * procfs_read_environ(); -ETIMEDOUT: it keeps us waiting; -EBUSY: it has done so before
 * and still does, or LOOKER_WAITING_MAX others do; -errno. */
int looker_look(struct looker *looker, pid_t pid, bool environment,
		struct procfs_look *ret_look);

/* Anything else about a process that may wait. The thread makes the call; data is a copy
 * of the asker's, of sizeof(struct procfs_look) at most, and must not point to what is
 * the asker's. */
typedef int looker_call_fn(const struct procfs *procfs, pid_t pid, void *data);

/* Have call(pid, data) made with a bound. data, of size bytes, is written with what the
 * call left there when it returns 0. Returns what the call returns, or as looker_look(). */
int looker_call(struct looker *looker, pid_t pid, looker_call_fn *call, void *data,
		size_t size);

/* pidfd_getfd(2): a copy of descriptor fd of the process that pidfd refers to, which the
 * caller owns. pid is the same process. Returns it; -EPERM: CAP_SYS_PTRACE is missing;
 * -ENOSYS: see looker_forbid_fd(); otherwise as looker_look(). */
int looker_get_fd(struct looker *looker, pid_t pid, int pidfd, int fd);

#endif
