/* A tree of files that looks like /proc, with processes invented by the test. If the code
 * under test pins a process (pidfd), its PID has to be that of a real one: see
 * waiter_start().
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKEPROC_H
#define TESTS_FAKEPROC_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/unit/processes.h"

/* courier's files and user in these trees. */
#define FAKE_TCPD "/usr/sbin/couriertcpd"
#define FAKE_SMTPD "/usr/lib/courier/courier/modules/esmtp/courieresmtpd"
#define FAKE_TLS "/usr/bin/couriertls"
#define FAKE_UID 1234

struct fakeproc {
	char *root;
};

/* One process. Members that are NULL or 0 are left out. */
struct fake_process {
	pid_t pid;
	const char *exe;
	const char *comm;	/* its own name; NULL: the name from execve(2) */
	pid_t ppid;
	uid_t uid;		/* effective; the real one differs */
	const char *env;	/* NULL: an ordinary one; "" with length 0: empty */
	size_t env_len;
	bool other_netns;
};

/* A tree with the test's own process in it, in the default network namespace. */
void fakeproc_open(struct fakeproc *tree);
void fakeproc_close(struct fakeproc *tree);

/* Add a process or replace it. */
void fakeproc_put(const struct fakeproc *tree, const struct fake_process *process);

/* courier's couriertcpd, and courieresmtpd for a peer. */
void fakeproc_put_tcpd(const struct fakeproc *tree, pid_t pid);
void fakeproc_put_smtpd(const struct fakeproc *tree, pid_t pid, pid_t ppid,
			const struct peer *peer);

/* Remove a process. */
void fakeproc_drop(const struct fakeproc *tree, pid_t pid);

/* Set the children that the tree shows for a process. */
void fakeproc_children(const struct fakeproc *tree, pid_t pid,
		       const pid_t *children, size_t count);

/* Set the PID that was assigned last. */
void fakeproc_last_pid(const struct fakeproc *tree, pid_t pid);

/* Set the whole text of loadavg, which has that PID. */
void fakeproc_loadavg(const struct fakeproc *tree, const char *text);

/* Write any file of a process; path is below its directory. */
void fakeproc_write(const struct fakeproc *tree, pid_t pid, const char *path,
		    const void *bytes, size_t len);

/* What the process has open: descriptor number fd is the file of this path; NULL: none. */
void fakeproc_link(const struct fakeproc *tree, pid_t pid, int fd, const char *target);

/* What the process sleeps in, and its time on a CPU in ns. */
void fakeproc_sleep(const struct fakeproc *tree, pid_t pid, const char *wchan,
		    unsigned long cpu_time);

/* Remove a file of a process. */
void fakeproc_remove(const struct fakeproc *tree, pid_t pid, const char *path);

/* Point exe somewhere else. */
void fakeproc_exe(const struct fakeproc *tree, pid_t pid, const char *target);

/* Imitate a process in the middle of execve(2) by named pipes: a reader of its environment
 * waits, and a read of its executable alone returns -EINVAL. fakeproc_put() removes them. */
void fakeproc_trap(const struct fakeproc *tree, pid_t pid);

/* Release a waiting reader, which finds no environment. False: there is none. */
bool fakeproc_release(const struct fakeproc *tree, pid_t pid);

/* A change while a process is being read: once its file is opened for reading, the change
 * is made, and only then the reader gets the file's old content. */
struct fake_moment {
	void (*happen)(void *data);
	void *data;
	char path[256];
	char text[4096];	/* the file's */
	size_t len;
	pthread_t thread;
	bool came, over;
};

/* Prepare the change for one file of a process. */
void fakeproc_at(const struct fakeproc *tree, pid_t pid, const char *file,
		 void (*happen)(void *data), void *data,
		 struct fake_moment *moment);

/* Finish it. False: the file was never opened. */
bool fakeproc_came(struct fake_moment *moment);

#endif
