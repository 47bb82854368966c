/* An index of the smtpds by client address and PID, for lines without the sender's
 * credentials. Each child of a couriertcpd is read once after its exec. Listed ones are
 * pinned, so that verifying one takes little when a line is about it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SMTPD_INDEX_H
#define SMTPBLOCK_SMTPD_INDEX_H

#include "courier/smtpd.h"

/* The index only says where to look. Verify what it returns with smtpd_open() or, if pinned,
 * smtpd_recheck(). An entry's PID is that of the process that takes the slot: courieresmtpd,
 * or couriertls on port 465.
 * Any thread may call smtpd_index_find*(), smtpd_index_withdraw() and
 * smtpd_index_is_empty(). Only one thread, not a worker, may call the others. */
struct smtpd_index;

/* rules must outlive the index. Returns 0 and the caller owns *ret_index; -ENOMEM. */
int smtpd_index_new(const struct smtpd_rules *rules, struct smtpd_index **ret_index);
void smtpd_index_free(struct smtpd_index *index);

/* Update the index: drop smtpds that have exited, add new ones, and pin those that have a BLOCK
 * (smtpd_pin()). Costs one read of each couriertcpd's children (40 us at 300) and some 40 us for
 * each new smtpd. A child that has not exec'd yet still looks like its parent; it is left for the
 * next refresh. If a PID was reused between two refreshes its old entry stays; call
 * smtpd_index_forget() first if that matters. Returns the number of entries; -EACCES: some
 * processes were not readable; -ENOMEM; -errno. */
int smtpd_index_refresh(struct smtpd_index *index);

/* Read one process that may be a new smtpd, and no others, and pin it as above: some 40 us. If its
 * parent is an unknown couriertcpd, that becomes known. Replaces the entry of the PID if it serves
 * another client. Returns 0; -EAGAIN: it has not exec'd yet, try again; -EPERM, -ESRCH, -ENODATA:
 * it is not an smtpd; -EACCES; -ENOMEM; -errno. */
int smtpd_index_learn(struct smtpd_index *index, pid_t pid);

/* Unpin and drop all entries, so that the next refresh reads every smtpd again. */
void smtpd_index_forget(struct smtpd_index *index);

/* Pin the listed smtpds that are not pinned yet: there was no room, or smtpd_index_let_go() has
 * unpinned them. Pins at most RLIMIT_NOFILE / 16 smtpds and never more than SMTPD_INDEX_HELD_MAX.
 * Dropping an entry unpins it. */
#define SMTPD_INDEX_HELD_MAX 512
void smtpd_index_hold(struct smtpd_index *index);

/* Unpin all entries. The next smtpd_index_hold() pins them again. */
void smtpd_index_let_go(struct smtpd_index *index);

/* Take the pinned smtpd of this PID out of the index, if it serves this address and port
 * (0: any port). without_login: only if courier offers it no login. The caller owns
 * *ret_smtpd and must verify it again: smtpd_recheck(). The index does not pin it again. No
 * system call. */
bool smtpd_index_withdraw(struct smtpd_index *index, pid_t pid, const struct addr *addr,
			  uint16_t port, bool without_login, struct smtpd *ret_smtpd);

/* The PIDs of the smtpds that serve a relay client at this address. Returns their number, at
 * most max. No system call. */
size_t smtpd_index_find_relay_clients(struct smtpd_index *index, const struct addr *addr,
				      pid_t *ret_pids, size_t max);

/* Does the index have no entry? Takes no lock. */
bool smtpd_index_is_empty(const struct smtpd_index *index);

/* The PIDs of the smtpds that serve addr and port (0: any port). Writes up to max, returns how
 * many there are. No system call. */
size_t smtpd_index_find(struct smtpd_index *index, const struct addr *addr, uint16_t port,
			pid_t *ret_pids, size_t max);

#endif
