/* The couriertcpd processes that listen for one courier user in our network
 * namespace: the parents that a child must have to be courier's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_TCPD_H
#define SMTPBLOCK_TCPD_H

#include "lib/looker.h"

/* Each listener is pinned, so that what was found out about it once holds until it
 * ends. Any thread may call; no call holds the lock over a system call other than
 * poll(2) with timeout 0. */
struct tcpd_list;

/* More ports than anybody listens on. */
#define TCPD_MAX 64

/* uid is courier's. procfs and looker must outlive the result. Returns 0, -ENOMEM, or
 * -errno if our own network namespace cannot be told. Caller owns. */
int tcpd_new(const struct procfs *procfs, struct looker *looker, uid_t uid,
	     struct tcpd_list **ret_listeners);
void tcpd_free(struct tcpd_list *tcpds);

/* Is pid a listener that is known? Returns at once. 0: it is; -EPERM: it is not known;
 * -ESRCH: it has ended; -errno: a call failed. */
int tcpd_knows(struct tcpd_list *tcpds, pid_t pid);

/* Is pid a listener? One that is not known yet is looked at if it has courier's uid: its
 * executable is couriertcpd, its network namespace ours. Not for workers.
 * Returns 0; -EPERM: it is something else; -ESRCH: it is gone; -EACCES: we may
 * not look; -ETIMEDOUT, -EBUSY: see looker_look(); -errno. */
int tcpd_check(struct tcpd_list *tcpds, pid_t pid);

/* Look through all processes for listeners. Expensive (2 us a process): not in
 * a worker. Returns the number of living listeners; if none is known and a process that
 * may be one could not be looked at, -EACCES: we may not; -errno: a call failed, or as
 * tcpd_check(). */
int tcpd_scan(struct tcpd_list *tcpds);

/* Is what capabilities allow allowed indeed? AppArmor and SELinux may refuse it.
 * Tried on courier's processes, as those of others may be refused with reason: a
 * listener's environment is read, and with signals it gets signal 0, which does
 * nothing (kill(2)). Expensive, as tcpd_scan().
 * Returns 1: it is; 0: no listener is there to try it on; -EACCES: we may not look
 * at it; -EPERM: we may look, but not signal; -errno. */
int tcpd_try(struct tcpd_list *tcpds, bool signals);

/* The living listeners. Returns their number, at most TCPD_MAX. */
size_t tcpd_pids(struct tcpd_list *tcpds, pid_t ret_pids[static TCPD_MAX]);

#endif
