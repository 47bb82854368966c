/* Reads /proc.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_PROCFS_H
#define SMTPBLOCK_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The mount point of a proc file system. Tests use their own tree of files. */
struct procfs {
	char root[128];
};

#define PROCFS_DEFAULT_ROOT "/proc"

/* Size of the longest name of an executable that matters, with its NUL. */
#define PROCFS_NAME_SIZE 32

/* Size of the largest environment. couriertcpd is started with env -i and the variables of
 * /etc/courier/esmtpd, so its children have some KB. A larger environment is an error and not
 * cut, as the missing part could matter. */
#define PROCFS_ENVIRON_SIZE 32768

struct procfs_status {
	pid_t ppid;
	uid_t uid;	/* effective */
	/* The name that the process sets itself (PR_SET_NAME of prctl(2)), cut: only a hint.
	 * "": unknown. */
	char comm[16];
};

/* Returns 0; -ENAMETOOLONG. */
int procfs_init(struct procfs *procfs, const char *root);

/* The parent, uid and name, from /proc/PID/status. The owner of /proc/PID is no substitute:
 * it is root if the process has changed its uid and not exec'd since.
 * Returns 0; -ESRCH: no such process; -EIO: the file has an unknown form; -errno. All
 * functions of this header may be called by any thread. */
int procfs_read_status(const struct procfs *procfs, pid_t pid,
		       struct procfs_status *ret_status);

/* The same for a pinned process. Uses PIDFD_GET_INFO if the kernel has it (Linux 6.13), at a
 * tenth of the cost; comm is "" then. Otherwise reads the file. pidfd and pid must name the
 * same process. */
int procfs_read_status_held(const struct procfs *procfs, int pidfd, pid_t pid,
			    struct procfs_status *ret_status);

/* The value of the first variable called name in an environment of procfs_read_environ(),
 * which is the one that getenv(3) finds. NULL: not set. */
const char *procfs_getenv(const char *env, size_t len, const char *name);

/* Most names for procfs_getenv_all(). */
#define PROCFS_GETENV_MAX 16

/* The same for count names of two characters or more, in one pass. The pass over the variables
 * is the most expensive part of reading a process. */
void procfs_getenv_all(const char *env, size_t len, const char *const *names,
		       size_t count, const char **ret_values);

/* The children of a process' main thread, which are all children of a single-threaded
 * program (CONFIG_PROC_CHILDREN). Returns their number, with *ret_pids an array that the
 * caller frees (NULL for none); -ESRCH; -ENOMEM; -errno. */
ssize_t procfs_read_children(const struct procfs *procfs, pid_t pid,
			     pid_t **ret_pids);

/* The PID that the kernel assigned last in our PID namespace, from loadavg. It may be that of a
 * thread or of a process that has exited. Needs no permission. Returns 0; -EIO: the file has
 * an unknown form; -errno. */
int procfs_read_last_pid(const struct procfs *procfs, pid_t *ret_pid);

/* All processes. Returns as procfs_read_children(). */
ssize_t procfs_list(const struct procfs *procfs, pid_t **ret_pids);

/* The inode number of a descriptor's file, from /proc/PID/fdinfo/FD (Linux 5.14). For a
 * socket this is the number that sock_diag(7) reports. Returns 0; -ESRCH: no such process or
 * descriptor; -EIO: the kernel does not report it; -EACCES; -errno. */
int procfs_read_fd_inode(const struct procfs *procfs, pid_t pid, int fd,
			 ino_t *ret_inode);

/* The time that the process has run on a CPU, in ns, from schedstat. If it is the same as before,
 * the process has done nothing in between. Returns 0; -ESRCH; -ENOENT: the kernel has no such
 * file; -EIO: the file has an unknown form; -errno. */
int procfs_read_cpu_time(const struct procfs *procfs, pid_t pid, uint64_t *ret_ns);

/* The text behind an option such as "-haproxy=" in the command line, which the process may have
 * changed since its exec; of several the last one's. Returns 0; -ENODATA: there is none; -E2BIG:
 * it is longer than size - 1 bytes; -ESRCH; -errno. */
int procfs_read_option_text(const struct procfs *procfs, pid_t pid, const char *option, char *buf,
			    size_t size);

/* The number behind an option such as "-maxprocs=". Returns as above; -ENODATA: there is none, or
 * no number. */
int procfs_read_option(const struct procfs *procfs, pid_t pid, const char *option,
		       unsigned int *ret_number);

/* No process can delay the functions above. The functions below wait while the process is in
 * the middle of execve(2), which it can prolong without limit: see looker.h. */

/* The last component of the executable's path, without the " (deleted)" that the kernel
 * appends after a package update has replaced the file. Needs CAP_SYS_PTRACE for another
 * user's process (proc(5)).
 * Returns 0; -ESRCH: no such process, or a kernel thread; -EACCES; -ENAMETOOLONG: longer than
 * any name that matters; -errno. */
int procfs_read_exe(const struct procfs *procfs, pid_t pid,
		    char ret_name[static PROCFS_NAME_SIZE]);

/* The environment that the process got at its last exec, without later changes by putenv(3).
 * Each entry ends with a NUL, and one more NUL follows the last one. Returns the number of
 * bytes without that one; -ESRCH; -EACCES; -E2BIG; -errno. */
ssize_t procfs_read_environ(const struct procfs *procfs, pid_t pid,
			    char ret_environ[static PROCFS_ENVIRON_SIZE]);

/* The inode number of the process' network namespace. Returns 0; -ESRCH;
 * -EACCES; -errno. */
int procfs_read_netns(const struct procfs *procfs, pid_t pid, ino_t *ret_netns);

enum procfs_wait {
	PROCFS_WAIT_SLEEP,	/* in nanosleep(2) or clock_nanosleep(2) */
	PROCFS_WAIT_INPUT,	/* in select(2), poll(2) or a relative of theirs */
	PROCFS_WAIT_OTHER,	/* in another call, or it runs */
};

/* What does the process wait for? From wchan and syscall. Both need CAP_SYS_PTRACE for another
 * user's process. Returns an enum procfs_wait; -EACCES: hidden; -ESRCH; -errno. */
int procfs_read_wait(const struct procfs *procfs, pid_t pid);

/* Most names for procfs_find_files(). */
#define PROCFS_FILES_MAX 4

/* Which of these files does the process have open? Compares the last component of the paths;
 * bit i of *ret_found is set if names[i] is open. Returns 0; -ESRCH; -EACCES; -errno. */
int procfs_find_files(const struct procfs *procfs, pid_t pid, const char *const *names,
		      size_t count, unsigned int *ret_found);

/* Executable, network namespace and environment. */
struct procfs_look {
	char name[PROCFS_NAME_SIZE];	/* as procfs_read_exe(); "": too long */
	ino_t netns;
	ssize_t env_len;	/* as procfs_read_environ() returns, -E2BIG included */
	char env[PROCFS_ENVIRON_SIZE];
};

/* Read all of these, or all but the environment. Name and environment are of one program
 * image: environ is opened before the name is read, and read after it. The descriptor refers
 * to the current image; after an exec or exit a read returns nothing (Linux environ_read() of
 * fs/proc/base.c). That would fail only if another process shared its memory, but courier's
 * have no threads and use only fork(2). Returns 0; -ESRCH; -EACCES; -EMFILE; -errno. */
int procfs_look(const struct procfs *procfs, pid_t pid, bool environment,
		struct procfs_look *ret_look);

/* Copy the used part of from. */
void procfs_look_copy(const struct procfs_look *from, struct procfs_look *to);

#endif
