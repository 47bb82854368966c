/* Which child serves which peer, for lines that come without the sender's
 * credentials: every child of the listeners is read once after its exec. Those that are
 * listed are held, so that the proof is short when a line is about one.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SMTPD_INDEX_H
#define SMTPBLOCK_SMTPD_INDEX_H

#include "courier/smtpd.h"

/* A hint where to look, never proof: what it names has to be opened and proven
 * with smtpd_open(). A PID stands for the process that takes the slot
 * (courieresmtpd; couriertls on port 465).
 * smtpd_index_find*() and smtpd_index_withdraw() may be called by any thread; the others
 * by one. */
struct smtpd_index;

/* rules must outlive the index. Returns 0 or -ENOMEM. The caller owns. */
int smtpd_index_new(const struct smtpd_rules *rules, struct smtpd_index **ret_index);
void smtpd_index_free(struct smtpd_index *index);

/* Bring it up to date: forget the children that are gone, read those that are
 * new. One read of each listener's children (40 us at 300) and about 5 us for
 * each new child. A child that did not exec yet is left for the next time: it
 * still looks like its parent, and keeps its PID. A PID that was used again
 * between two refreshes is taken for the old child; smtpd_index_forget() first
 * if that matters. Returns the number of children; -EACCES if some may not be
 * looked at; -ENOMEM; -errno. Not in a worker. */
int smtpd_index_refresh(struct smtpd_index *index);

/* Read one child that may be new, without a look at the others: some 30 us. Nothing
 * comes of a PID that is no child of a listener's; one of a listener that was not
 * known makes it known. What the index had for the PID is replaced. Returns 0;
 * -EAGAIN: it did not exec yet, ask again; -EPERM, -ESRCH, -ENODATA: no child;
 * -EACCES; -ENOMEM; -errno. Not in a worker. */
int smtpd_index_learn(struct smtpd_index *index, pid_t pid);

/* Forget all, so that the next refresh reads every child anew. */
void smtpd_index_forget(struct smtpd_index *index);

/* Hold those that carry a BLOCK (smtpd_pin(), some 40 us each, once) and, with
 * submits, the submit of each that is held and has one by now. Two descriptors a
 * child at most; so many that a sixteenth of the process' descriptors are children held,
 * SMTPD_INDEX_HELD_MAX at most. Who is forgotten is let go of. Not in a worker. */
#define SMTPD_INDEX_HELD_MAX 512
void smtpd_index_hold(struct smtpd_index *index, bool submits);

/* Let go of all that are held, until the next smtpd_index_hold(). Not in a worker. */
void smtpd_index_let_go(struct smtpd_index *index);

/* The child of that PID, if it serves that address and port (0: any port) and is held,
 * with_submit: and its submit, too. The caller owns it, and has to prove it again. It is
 * not held another time. No system call. */
bool smtpd_index_withdraw(struct smtpd_index *index, pid_t pid, const struct addr *addr,
			  uint16_t port, bool with_submit, struct smtpd *ret_child);

/* The relay clients' children that serve the address, max at most. Returns their number.
 * No system call. */
size_t smtpd_index_find_relay_clients(struct smtpd_index *index, const struct addr *addr,
				      pid_t *ret_pids, size_t max);

/* Has it no child at all? Any thread; takes no lock. */
bool smtpd_index_is_empty(const struct smtpd_index *index);

/* The children that serve addr and port; port 0: any port. Writes up to max
 * PIDs, returns how many there are. No system call. */
size_t smtpd_index_find(struct smtpd_index *index, const struct addr *addr, uint16_t port,
			pid_t *ret_pids, size_t max);

#endif
