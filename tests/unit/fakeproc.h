/* A tree of files that looks like /proc, with processes of the test's invention.
 * Where the code under test holds a process (pidfd), its PID has to be that of a
 * real one: see waiter_start().
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKEPROC_H
#define TESTS_FAKEPROC_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/unit/processes.h"

/* Where courier lives in these trees, and as whom. */
#define FAKE_TCPD "/usr/sbin/couriertcpd"
#define FAKE_SMTPD "/usr/lib/courier/courier/modules/esmtp/courieresmtpd"
#define FAKE_TLS "/usr/bin/couriertls"
#define FAKE_UID 1234

struct fakeproc {
	char *root;
};

/* One process. What is NULL or 0 is left out. */
struct fake_process {
	pid_t pid;
	const char *exe;
	const char *comm;	/* what it calls itself; NULL: as execve(2) names it */
	pid_t ppid;
	uid_t uid;		/* effective; the real one differs */
	const char *env;	/* NULL: some, as all have; "" with length 0: none */
	size_t env_len;
	bool other_netns;
};

/* A tree with this process in it, in the network namespace that all are in
 * which do not say otherwise. */
void fakeproc_open(struct fakeproc *tree);
void fakeproc_close(struct fakeproc *tree);

/* Add a process or replace it. */
void fakeproc_put(const struct fakeproc *tree, const struct fake_process *process);

/* couriertcpd, courieresmtpd and couriertls of courier's for a peer. */
void fakeproc_put_tcpd(const struct fakeproc *tree, pid_t pid);
void fakeproc_put_smtpd(const struct fakeproc *tree, pid_t pid, pid_t ppid,
			const struct peer *peer);
void fakeproc_put_tls(const struct fakeproc *tree, pid_t pid, pid_t ppid,
		      const struct peer *peer);

/* Take a process out. */
void fakeproc_drop(const struct fakeproc *tree, pid_t pid);

/* The children that it shows for a process. */
void fakeproc_children(const struct fakeproc *tree, pid_t pid,
		       const pid_t *children, size_t count);

/* The PID that was handed out last. */
void fakeproc_last_pid(const struct fakeproc *tree, pid_t pid);

/* The whole of loadavg, which tells it. */
void fakeproc_loadavg(const struct fakeproc *tree, const char *text);

/* Write any file of a process; path is below its directory. */
void fakeproc_write(const struct fakeproc *tree, pid_t pid, const char *path,
		    const void *bytes, size_t len);

/* Remove a file of a process. */
void fakeproc_remove(const struct fakeproc *tree, pid_t pid, const char *path);

/* Point exe somewhere else. */
void fakeproc_exe(const struct fakeproc *tree, pid_t pid, const char *target);

/* Put named pipes in place of what waits for a process in the middle of execve(2): whoever
 * looks at its environment waits, and whoever looks at its executable alone gets -EINVAL.
 * fakeproc_put() removes them. */
void fakeproc_trap(const struct fakeproc *tree, pid_t pid);

/* Whoever waits there goes on, and finds no environment. False: nobody waits. */
bool fakeproc_release(const struct fakeproc *tree, pid_t pid);

/* Threads of this process that look at others (looker.h). */
size_t threads_running(void);

/* Wait until so many are left. False: there are others at the deadline. */
bool threads_ended_soon(size_t left);

/* A moment in the life of a process that is being looked at: once its file is
 * opened for reading, what happens to it is done, and only then the file says
 * what it did before. */
struct fake_moment {
	void (*happen)(void *data);
	void *data;
	char path[256];
	char text[4096];	/* the file's */
	size_t len;
	pthread_t thread;
	bool came, over;
};

/* Prepare the moment for one file of a process. */
void fakeproc_at(const struct fakeproc *tree, pid_t pid, const char *file,
		 void (*happen)(void *data), void *data,
		 struct fake_moment *moment);

/* End it. False: the file was never opened. */
bool fakeproc_came(struct fake_moment *moment);

#endif
