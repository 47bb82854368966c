/* Who serves this address and port?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_EVIDENCE_H
#define SMTPBLOCK_EVIDENCE_H

#include "courier/child.h"

/* What is known of the processes of one courier user. Shared by all actions
 * that name that user. */
struct evidence;

/* What a line says about its sender. A PID of 0 is none. */
struct evidence_query {
	pid_t attested;		/* from the kernel: this process and no other */
	pid_t hint;		/* where to look first; anybody may have set it */
	struct addr addr;
	uint16_t port;		/* 0: the line has none */
	bool confirms;		/* evidence_confirm() is to follow */
	bool defers;		/* what follows may wait: not for the worker */
	bool was_couriers;	/* the kernel said so of the attested process */
};

/* Returns 0; -ENOMEM; or -errno if our own network namespace cannot be told.
 * proc_root is where the proc file system is mounted; looker outlives the result. The
 * caller owns. */
int evidence_new(const char *proc_root, struct looker *looker, uid_t courier_uid,
		 struct evidence **ret_evidence);
void evidence_free(struct evidence *evidence);

/* What child_open() and the others of child.h go by. Lives as long as it does. */
const struct child_rules *evidence_rules(const struct evidence *evidence);

/* Find the child that serves the peer among those that are pinned, and prove it again: the
 * process that the line names, or else the one that the index has for address and port.
 * A few system calls that return at once: for the worker.
 * Returns 0 and the caller owns *ret_child; -EAGAIN: it takes a look, see
 * evidence_prove(); -EPERM: the line names a process that is not of courier's uid, as a
 * client's may whose dialogue is logged (ESMTP_LOG_DIALOG), or a local user's; -ESRCH:
 * the attested process is gone. */
int evidence_find(struct evidence *evidence, const struct evidence_query *query,
		  struct child_scratch *scratch, struct child *ret_child,
		  struct child_facts *ret_facts);

/* Can this process be one of courier's at all? For the worker. */
bool evidence_may_be_couriers(const struct evidence *evidence, pid_t pid);

/* Is a child known that serves the address for a relay client, whatever the port? False
 * may mean that it is not known yet. For lines that no child is asked about; for the
 * worker. */
bool evidence_knows_relay_client(struct evidence *evidence, const struct addr *addr);

/* What a line without the kernel's word for its sender wants besides: is the
 * child's BLOCK what its submit goes by too? See child_check_submit(); 0 at once
 * for an attested sender, and for a child of evidence_find(), which has seen to it.
 * scratch is not the one of facts. For the background thread only. */
int evidence_confirm(struct evidence *evidence,
		     const struct evidence_query *query,
		     const struct child *child,
		     const struct child_facts *facts,
		     struct child_scratch *scratch);

/* Bring the index up to date for evidence_candidates(). thorough: read every child anew
 * and look for new listeners too, which lets go of all that are held. Returns 0;
 * -EACCES; -errno. For the background thread only. */
int evidence_refresh(struct evidence *evidence, bool thorough);

/* Pin the children in the index that are listed, so that little is left to prove when
 * a line is about one: some 40 us for each, once. With submits also the submit of each
 * that is pinned: some 20 us for each that has none yet, at every call. Lines that wait
 * for an answer need not wait for it. For the background thread only. */
void evidence_hold(struct evidence *evidence, bool submits);

/* Try on a couriertcpd whether children may be looked at and, with signals, ended:
 * see listeners_try(). For the background thread only. */
int evidence_try(struct evidence *evidence, bool signals);

/* Learn who has come since the last call, by the last PIDs that were handed out and
 * not by couriertcpd's children: a few PIDs, however many children there are. A hint
 * like all that the index has; those who are listed are held. Who is missed is found by
 * evidence_refresh(), which also forgets those who are gone. For the background thread only. */
void evidence_learn(struct evidence *evidence);

/* Let go of the children that are held beforehand: nobody keeps the index up to date
 * any more, which would let go of those that have ended. For the background thread only. */
void evidence_let_go(struct evidence *evidence);

/* Is any couriertcpd known? Any thread. */
bool evidence_has_listeners(struct evidence *evidence);

/* The PIDs that the index has for the address and port (0: any port). Writes up
 * to max, returns how many there are. They want proof, see evidence_prove(). */
size_t evidence_candidates(struct evidence *evidence, const struct addr *addr,
			   uint16_t port, pid_t *ret_pids, size_t max);

/* child_open(), or child_prove_again() of one that is held already; and does it serve
 * that address and port (0: any port)?
 * Returns as child_open(); -ENXIO if it serves somebody else. For the background thread
 * only. */
int evidence_prove(struct evidence *evidence, pid_t pid,
		   const struct addr *addr, uint16_t port,
		   struct child_scratch *scratch, struct child *ret_child,
		   struct child_facts *ret_facts);

#endif
