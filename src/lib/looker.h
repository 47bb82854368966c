/* Reads processes that may delay the reader, within a bounded time.
 *
 * A process in the middle of execve(2) holds its exec_update_lock. Until execve(2) ends,
 * reading its exe, environ or ns/net, and pidfd_getfd(2) on it, wait. The process can delay
 * that without limit: its own FUSE file system never answers the FLUSH of a close-on-exec
 * descriptor. (Linux fs/exec.c, begin_new_exec(), and fs/proc/base.c, proc_pid_get_link();
 * for exe since 6.18 and in its backports.)
 * So a separate thread makes these calls, and the caller waits for a bounded time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_LOOKER_H
#define SMTPBLOCK_LOOKER_H

#include "lib/procfs.h"

struct looker;

/* How long a caller waits, in ms. After that the process is not read again until the call
 * ends. */
#define LOOKER_WAIT_MS 250

/* Most threads that wait for a process. While there are as many, no process is read. */
#define LOOKER_WAITING_MAX 16

/* Starts no thread yet. Returns 0 and the caller owns *ret_looker; -ENOMEM. */
int looker_new(const struct procfs *procfs, struct looker **ret_looker);

/* Wait ms instead of LOOKER_WAIT_MS. Not during a look. */
void looker_set_wait(struct looker *looker, unsigned int ms);

/* looker may be NULL. Returns false if a thread still waits for a process. That thread frees
 * its memory when it ends, and its code must stay mapped until then. */
bool looker_free(struct looker *looker);

/* Its threads call thread_shorten_slice(). Call this before the first look. */
void looker_shorten_slices(struct looker *looker);

/* Disable looker_get_fd(). For a seccomp filter that kills the caller of pidfd_getfd(2). Call
 * this before the first look. */
void looker_forbid_fd(struct looker *looker);

/* procfs_look() with a time limit. The caller must have checked the uid and the parent of
 * pid, so that no local user can make this wait. *ret_look is written only on success.
 * One thread at a time, not a worker; this also applies to the two functions below.
 * Returns 0; -ESRCH: it has exited; -EACCES: no permission; -ETIMEDOUT: the time limit was
 * reached; -EBUSY: an earlier call for this process still waits, or LOOKER_WAITING_MAX
 * others do; -ENOMEM; -errno. */
int looker_look(struct looker *looker, pid_t pid, bool environment,
		struct procfs_look *ret_look);

/* Another call about a process that may wait. The looker's thread makes it. data is a copy of
 * the caller's data, at most sizeof(struct procfs_look) bytes, and must not point to memory
 * of the caller. */
typedef int looker_call_fn(const struct procfs *procfs, pid_t pid, void *data);

/* Make call(procfs, pid, data) with a time limit. If it returns 0, the size bytes of data are
 * copied back. Returns what call returns, or as looker_look(). */
int looker_call(struct looker *looker, pid_t pid, looker_call_fn *call, void *data,
		size_t size);

/* pidfd_getfd(2) with a time limit: copy descriptor fd of the process that pidfd refers to,
 * whose PID is pid. Returns the descriptor, which the caller owns; -EPERM: CAP_SYS_PTRACE is
 * missing; -ENOSYS: see looker_forbid_fd(); otherwise as looker_look(). */
int looker_get_fd(struct looker *looker, pid_t pid, int pidfd, int fd);

#endif
