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
	/* What it calls itself, cut (PR_SET_NAME of prctl(2)): a hint. "": not known. */
	char comm[16];
};

/* Returns 0, or -ENAMETOOLONG. */
int procfs_init(struct procfs *procfs, const char *root);

/* Parent and uid, from /proc/PID/status. The owner of the directory would not
 * do: it is root for a process that changed its uid and did not exec since.
 * Returns 0; -ESRCH when there is no such process; -EIO when the file is not of
 * the known form; -errno. Any thread, as all of these. */
int procfs_read_status(const struct procfs *procfs, pid_t pid,
		       struct procfs_status *ret_status);

/* The same of a process that pidfd refers to: the kernel's own answer where it has
 * PIDFD_GET_INFO (Linux 6.13), at a tenth of the cost; elsewhere the file is read.
 * pidfd and pid must name the same process. */
int procfs_read_status_held(const struct procfs *procfs, int pidfd, pid_t pid,
			    struct procfs_status *ret_status);

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

/* The PID that was handed out last, in the PID namespace of this process: it may be
 * a thread's, and gone. loadavg has it, which everybody may read. Returns 0; -EIO
 * when the file is not of the known form; -errno. */
int procfs_read_last_pid(const struct procfs *procfs, pid_t *ret_pid);

/* All processes. Returns as procfs_read_children(). */
ssize_t procfs_list(const struct procfs *procfs, pid_t **ret_pids);

/* The inode number of a descriptor's file, from /proc/PID/fdinfo/FD (Linux 5.14). For a
 * socket it is the one that sock_diag(7) reports. Returns 0; -ESRCH: no such process or
 * descriptor; -EIO: the kernel does not say; -EACCES; -errno. */
int procfs_read_fd_inode(const struct procfs *procfs, pid_t pid, int fd,
			 ino_t *ret_inode);

/* All above returns at once, whatever the process does. All below waits while the
 * process is in the middle of execve(2), for as long as it likes: see looker.h. */

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

/* The inode number of the process' network namespace. Returns 0; -ESRCH;
 * -EACCES; -errno. */
int procfs_read_netns(const struct procfs *procfs, pid_t pid, ino_t *ret_netns);

/* Executable, network namespace and environment. */
struct procfs_look {
	char name[PROCFS_NAME_SIZE];	/* as procfs_read_exe(); "": too long */
	ino_t netns;
	ssize_t env_len;	/* as procfs_read_environ() returns, -E2BIG included */
	char env[PROCFS_ENVIRON_SIZE];
};

/* All of them, or all but the environment. Name and environment are of one program: the
 * environment is opened before the name is read, and read after that. Once that program
 * has ended or another was exec'd there is nothing to read (Linux environ_read() of
 * fs/proc/base.c), except where another process shares its memory: courier's have no
 * threads and use only fork(2). Returns 0; -ESRCH; -EACCES; -EMFILE; -errno. */
int procfs_look(const struct procfs *procfs, pid_t pid, bool environment,
		struct procfs_look *ret_look);

/* Copy what is in use of from. */
void procfs_look_copy(const struct procfs_look *from, struct procfs_look *to);

#endif
