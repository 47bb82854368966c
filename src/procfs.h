/* What /proc says of a process.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_PROCFS_H
#define SMTPBLOCK_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where a proc file system is mounted. Tests hand in a tree of their own. */
struct procfs {
	char root[128];
};

#define PROCFS_DEFAULT_ROOT "/proc"

/* Longest name of an executable that is told apart, NUL included. */
#define PROCFS_NAME_SIZE 32

/* Room for an environment. couriertcpd's children are started with env -i and
 * what /etc/courier/esmtpd sets: some KB. A larger one is an error, not cut:
 * what would be missing could matter. */
#define PROCFS_ENVIRON_SIZE 32768

struct procfs_status {
	pid_t ppid;
	uid_t uid;	/* the effective one */
};

/* Returns 0, or -ENAMETOOLONG. */
int procfs_init(struct procfs *procfs, const char *root);

/* Parent and uid, from /proc/PID/status. The owner of the directory would not
 * do: it is root for a process that changed its uid and did not exec since.
 * Returns 0; -ESRCH when there is no such process; -EIO when the file is not of
 * the known form; -errno. Any thread, as all of these. */
int procfs_read_status(const struct procfs *procfs, pid_t pid,
		       struct procfs_status *ret_status);

/* The same of a process that pidfd holds: where the kernel has PIDFD_GET_INFO
 * (Linux 6.13) it tells at a tenth of the price, elsewhere the file is read.
 * pidfd and pid must name the same process. */
int procfs_read_status_held(const struct procfs *procfs, int pidfd, pid_t pid,
			    struct procfs_status *ret_status);

/* The last component of the executable's path. " (deleted)", which the kernel
 * appends once a package update has replaced the file, is taken off.
 * Reading it of another user's process needs CAP_SYS_PTRACE (proc(5)).
 * Returns 0; -ESRCH (no such process, or a kernel thread); -EACCES;
 * -ENAMETOOLONG: longer than any name we look for; -errno. */
int procfs_read_exe(const struct procfs *procfs, pid_t pid,
		    char ret_name[static PROCFS_NAME_SIZE]);

/* The environment the process was started with, NUL after each entry and one
 * more at the end. It is the one of the last exec; putenv(3) does not show.
 * Returns the number of bytes; -ESRCH; -EACCES; -E2BIG; -errno. */
ssize_t procfs_read_environ(const struct procfs *procfs, pid_t pid,
			    char ret_environ[static PROCFS_ENVIRON_SIZE]);

/* The same in two steps. The descriptor is that of the program which the process
 * runs now: once it has exec'd another, or has ended, there is nothing to read any
 * more, whoever has the PID then. That is so for programs that have their memory for
 * themselves: a thread, or a child of vfork(2) before its exec, keeps it readable.
 * Courier's have no threads and only fork(2). The caller owns it. Returns it; -ESRCH; -EACCES;
 * -EMFILE; -errno. */
int procfs_open_environ(const struct procfs *procfs, pid_t pid);

/* Returns as procfs_read_environ(); -ESRCH: that program has ended. */
ssize_t procfs_read_open_environ(int fd,
				 char ret_environ[static PROCFS_ENVIRON_SIZE]);

/* Whether there is anything to read at all: 0; -ESRCH: that program has ended; -errno. */
int procfs_environ_lasts(int fd);

/* The value of name in an environment as read above: the first one, which is
 * also the one that getenv(3) finds. NULL if it is not there. */
const char *procfs_getenv(const char *env, size_t len, const char *name);

/* Names that procfs_getenv_all() looks for at most. */
#define PROCFS_GETENV_MAX 16

/* The same for count names in one pass: what takes most of reading a child is to
 * walk through its variables. */
void procfs_getenv_all(const char *env, size_t len, const char *const *names,
		       size_t count, const char **ret_values);

/* The children of a process' main thread, which is where single-threaded
 * programs have all of theirs (CONFIG_PROC_CHILDREN). Returns their number,
 * with *ret_pids an array that the caller frees (NULL for none); -ESRCH;
 * -ENOMEM; -errno. */
ssize_t procfs_read_children(const struct procfs *procfs, pid_t pid,
			     pid_t **ret_pids);

/* The inode number of the process' network namespace. Returns 0; -ESRCH;
 * -EACCES; -errno. */
int procfs_read_netns(const struct procfs *procfs, pid_t pid, ino_t *ret_netns);

/* The PID that was handed out last, in the PID namespace of this process: it may be
 * a thread's, and gone. loadavg has it, which everybody may read. Returns 0; -EIO
 * when the file is not of the known form; -errno. */
int procfs_read_last_pid(const struct procfs *procfs, pid_t *ret_pid);

/* All processes. Returns as procfs_read_children(). */
ssize_t procfs_list(const struct procfs *procfs, pid_t **ret_pids);

#endif
