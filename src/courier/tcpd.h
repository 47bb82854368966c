/* The couriertcpd processes of one courier user that listen in our network namespace. A
 * courier smtpd must be a child of one of them.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_TCPD_H
#define SMTPBLOCK_TCPD_H

#include "lib/looker.h"

/* Each couriertcpd is pinned, so it is verified once and stays known until it exits. All
 * functions are thread-safe. Under the lock the only system calls are poll(2) with timeout 0
 * and close(2). */
struct tcpd_list;

/* Most couriertcpds; nobody needs as many ports. */
#define TCPD_MAX 64

/* uid is courier's. procfs and looker must outlive the result. Returns 0 and the caller owns
 * *ret_tcpds; -ENOMEM; -errno if our own network namespace cannot be read. */
int tcpd_new(const struct procfs *procfs, struct looker *looker, uid_t uid,
	     struct tcpd_list **ret_tcpds);
void tcpd_free(struct tcpd_list *tcpds);

/* Is pid a known couriertcpd? Does not wait. Returns 0: it is; -EPERM: it is not known;
 * -ESRCH: it has exited; -errno: a call failed. */
int tcpd_knows(struct tcpd_list *tcpds, pid_t pid);

/* Is pid a couriertcpd? An unknown process with courier's uid is verified: its executable
 * must be couriertcpd, its network namespace ours, and its parent must not be a couriertcpd.
 * Not for workers.
 * Returns 0; -EPERM: it is another process; -ESRCH: it has exited; -EACCES: no permission to
 * look; -ETIMEDOUT, -EBUSY: see looker_look(); -errno. */
int tcpd_check(struct tcpd_list *tcpds, pid_t pid);

/* Search all processes for couriertcpds. Expensive (2 us a process): not for workers.
 * Returns the number of running couriertcpds. If there is none but a process that could be
 * one was not readable: -EACCES: no permission; otherwise as tcpd_check(). */
int tcpd_scan(struct tcpd_list *tcpds);

/* Test the permissions that AppArmor or SELinux may deny in spite of our capabilities:
 * read the environment of a couriertcpd and, with signals, send it signal 0, which has no
 * effect (kill(2)). The test uses courier's processes because a policy may rightly deny
 * access to others. Expensive, as tcpd_scan().
 * Returns 1: permitted; 0: no couriertcpd to test it on; -EACCES: no permission to look;
 * -EPERM: permission to look, but not to signal; -errno. */
int tcpd_try(struct tcpd_list *tcpds, bool signals);

/* The PIDs of the running couriertcpds. Returns their number, at most TCPD_MAX. */
size_t tcpd_pids(struct tcpd_list *tcpds, pid_t ret_pids[static TCPD_MAX]);

/* Which clients of a couriertcpd come through a proxy that names them (-haproxy, since courier
 * 1.3)? */
enum tcpd_proxy {
	TCPD_PROXY_NONE,
	TCPD_PROXY_SOME,	/* those of some ports or addresses */
	TCPD_PROXY_ALL,
};

/* By the text behind "-haproxy=". Without one courier 1.4.1 ignores the option: NONE. Any
 * thread. */
enum tcpd_proxy tcpd_parse_proxy(const char *value);

/* Of this couriertcpd, by its command line, which is read once. NONE also if it is not known or
 * cannot be read. Not for workers. */
enum tcpd_proxy tcpd_proxy(struct tcpd_list *tcpds, pid_t pid);

/* Of all that run, taken together. Not for workers. */
enum tcpd_proxy tcpd_proxy_of_all(struct tcpd_list *tcpds);

#endif
