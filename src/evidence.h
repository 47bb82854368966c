/* Who serves this address and port?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_EVIDENCE_H
#define SMTPBLOCK_EVIDENCE_H

#include "child.h"

/* What is known of the processes of one courier user. Shared by all actions
 * that name that user. */
struct evidence;

/* What a line says about its sender. A PID of 0 is none. */
struct evidence_query {
	pid_t attested;		/* from the kernel: this process and no other */
	pid_t hint;		/* where to look first; anybody may have set it */
	struct addr addr;
	uint16_t port;		/* 0: the line has none */
};

/* Returns 0; -ENOMEM; or -errno if our own network namespace cannot be told.
 * proc_root is where the proc file system is mounted. The caller owns. */
int evidence_new(const char *proc_root, uid_t courier_uid,
		 struct evidence **ret_evidence);
void evidence_free(struct evidence *evidence);

/* Its children's sockets are not borrowed: see child.h. Before any is found. */
void evidence_forbid_borrowing(struct evidence *evidence);

/* What child_open() and the others of child.h go by. Lives as long as it does. */
const struct child_rules *evidence_rules(const struct evidence *evidence);

/* Find the child that serves the peer and prove it, with what is at hand: the
 * attested process, else the hint, else the index as it is. A few system calls,
 * no search: for the worker. A hint that is a child which serves somebody else
 * tells who wrote the line: a client whose dialogue is logged (ESMTP_LOG_DIALOG)
 * can say in it what he likes, but not under another PID.
 * Returns 0 and the caller owns *ret_child.
 * With an attested PID: -ESRCH: that process is gone; -EPERM: it is not
 * courier's child or serves somebody else. Nothing else is tried then.
 * Without: -EAGAIN: only evidence_search() can tell; -EPERM: see above.
 * Either: -EACCES: we may not look at it; -EMFILE; -errno. */
int evidence_find(struct evidence *evidence, const struct evidence_query *query,
		  struct child_scratch *scratch, struct child *ret_child,
		  struct child_facts *ret_facts);

/* Has the index any child at all? For the worker; takes no lock. */
bool evidence_knows_children(const struct evidence *evidence);

/* Is a child known, and proven, that serves the address for a relay client,
 * whatever the port? Asks the attested process, the hint and the first few that
 * the index has, as it is: false may mean that he is not known yet. For lines that
 * no child is asked about; for the worker. */
bool evidence_knows_relay_client(struct evidence *evidence,
				 const struct evidence_query *query,
				 struct child_scratch *scratch);

/* What a line without the kernel's word for its sender wants besides: is the
 * child's BLOCK what its submit goes by too? See child_check_submit(); 0 at once
 * for an attested sender. scratch is not the one of facts. */
int evidence_confirm(struct evidence *evidence,
		     const struct evidence_query *query,
		     const struct child *child,
		     const struct child_facts *facts,
		     struct child_scratch *scratch);

/* Bring the index up to date for evidence_candidates(). thorough: read every child anew
 * and look for new listeners too, which lets go of all that are held. Returns 0;
 * -EACCES; -errno. For the caretaker only. */
int evidence_refresh(struct evidence *evidence, bool thorough);

/* Hold the children in the index that are listed, so that little is left to prove when
 * a line is about one: some 40 us for each, once. With submits also the submit of each,
 * if lines ask for them (evidence_confirm()): some 5 us for each that has none yet, at
 * every call. Nobody who asks needs to wait for it. For the caretaker only. */
void evidence_hold(struct evidence *evidence, bool submits);

/* Try on a couriertcpd whether children may be looked at and, with signals, ended:
 * see listeners_try(). For the caretaker, and before it starts. */
int evidence_try(struct evidence *evidence, bool signals);

/* Learn who has come since the last call, by the last PIDs that were handed out and
 * not by couriertcpd's children: a few PIDs, however many children there are. A hint
 * like all that the index has; those who are listed are held. Who is missed is found by
 * evidence_refresh(), which also forgets those who are gone. For the caretaker only. */
void evidence_learn(struct evidence *evidence);

/* Let go of the children that are held beforehand: nobody keeps the index up to date
 * any more, which would let go of those that have ended. For the caretaker only. */
void evidence_let_go(struct evidence *evidence);

/* Is any couriertcpd known? Any thread. */
bool evidence_has_listeners(struct evidence *evidence);

/* The PIDs that the index has for the address and port (0: any port). Writes up
 * to max, returns how many there are. They want proof, see evidence_prove(). */
size_t evidence_candidates(struct evidence *evidence, const struct addr *addr,
			   uint16_t port, pid_t *ret_pids, size_t max);

/* child_open(), or child_prove_again() of one that is held already; and does it serve
 * that address and port (0: any port)?
 * Returns as child_open(); -ENXIO if it serves somebody else. */
int evidence_prove(struct evidence *evidence, pid_t pid,
		   const struct addr *addr, uint16_t port,
		   struct child_scratch *scratch, struct child *ret_child,
		   struct child_facts *ret_facts);

#endif
