/* Which child serves which peer, for lines that come without the sender's
 * credentials: every child of the listeners is read once after its exec. Those that are
 * listed are held, so that the proof is short when a line is about one.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_CHILDINDEX_H
#define SMTPBLOCK_CHILDINDEX_H

#include "courier/child.h"

/* A hint where to look, never proof: what it names has to be opened and proven
 * with child_open(). A PID stands for the process that takes the slot
 * (courieresmtpd; couriertls on port 465).
 * childindex_find*() and childindex_withdraw() may be called by any thread; the others
 * by one. */
struct childindex;

/* rules must outlive the index. Returns 0 or -ENOMEM. The caller owns. */
int childindex_new(const struct child_rules *rules,
		   struct childindex **ret_index);
void childindex_free(struct childindex *index);

/* Bring it up to date: forget the children that are gone, read those that are
 * new. One read of each listener's children (40 us at 300) and about 5 us for
 * each new child. A child that did not exec yet is left for the next time: it
 * still looks like its parent, and keeps its PID. A PID that was used again
 * between two refreshes is taken for the old child; childindex_forget() first
 * if that matters. Returns the number of children; -EACCES if some may not be
 * looked at; -ENOMEM; -errno. Not in a worker. */
int childindex_refresh(struct childindex *index);

/* Read one child that may be new, without a look at the others: some 30 us. Nothing
 * comes of a PID that is no child of a listener's; one of a listener that was not
 * known makes it known. What the index had for the PID is replaced. Returns 0;
 * -EAGAIN: it did not exec yet, ask again; -EPERM, -ESRCH, -ENODATA: no child;
 * -EACCES; -ENOMEM; -errno. Not in a worker. */
int childindex_learn(struct childindex *index, pid_t pid);

/* Forget all, so that the next refresh reads every child anew. */
void childindex_forget(struct childindex *index);

/* Hold those that carry a BLOCK (child_hold(), some 40 us each, once) and, with
 * submits, the submit of each that is held and has one by now. Two descriptors a
 * child at most; so many that a sixteenth of the process' descriptors are children held,
 * CHILDINDEX_HELD_MAX at most. Who is forgotten is let go of. Not in a worker. */
#define CHILDINDEX_HELD_MAX 512
void childindex_hold(struct childindex *index, bool submits);

/* Let go of all that are held, until the next childindex_hold(). Not in a worker. */
void childindex_let_go(struct childindex *index);

/* The child of that PID, if it serves that address and port (0: any port) and is held,
 * with_submit: and its submit, too. The caller owns it, and has to prove it again. It is
 * not held another time. No system call. */
bool childindex_withdraw(struct childindex *index, pid_t pid,
			 const struct addr *addr, uint16_t port, bool with_submit,
			 struct child *ret_child);

/* The relay clients' children that serve the address, max at most. Returns their number.
 * No system call. */
size_t childindex_find_relay_clients(struct childindex *index, const struct addr *addr,
				     pid_t *ret_pids, size_t max);

/* Has it no child at all? Any thread; takes no lock. */
bool childindex_is_empty(const struct childindex *index);

/* The children that serve addr and port; port 0: any port. Writes up to max
 * PIDs, returns how many there are. No system call. */
size_t childindex_find(struct childindex *index, const struct addr *addr,
		       uint16_t port, pid_t *ret_pids, size_t max);

#endif
