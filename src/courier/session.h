/* Who serves this address and port?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SESSION_H
#define SMTPBLOCK_SESSION_H

#include "courier/smtpd.h"

/* What is known of the processes of one courier user. Shared by all actions
 * that name that user. */
struct session_finder;

/* What a line says about its sender. A PID of 0 is none. */
struct session_query {
	pid_t attested;		/* from the kernel: this process and no other */
	pid_t hint;		/* where to look first; anybody may have set it */
	struct addr addr;
	uint16_t port;		/* 0: the line has none */
	bool confirms;		/* session_check_submit() is to follow */
	bool defers;		/* what follows may wait: not for the worker */
	bool was_couriers;	/* the kernel said so of the attested process */
};

/* Returns 0; -ENOMEM; or -errno if our own network namespace cannot be told.
 * proc_root is where the proc file system is mounted; looker outlives the result. The
 * caller owns. */
int session_new(const char *proc_root, struct looker *looker, uid_t courier_uid,
		struct session_finder **ret_finder);
void session_free(struct session_finder *finder);

/* What smtpd_open() and the others of smtpd.h go by. Lives as long as it does. */
const struct smtpd_rules *session_rules(const struct session_finder *finder);

/* Find the child that serves the peer among those that are pinned, and prove it again: the
 * process that the line names, or else the one that the index has for address and port.
 * A few system calls that return at once: for the worker.
 * Returns 0 and the caller owns *ret_child; -EAGAIN: it takes a look, see
 * session_verify(); -EPERM: the line names a process that is not of courier's uid, as a
 * client's may whose dialogue is logged (ESMTP_LOG_DIALOG), or a local user's; -ESRCH:
 * the attested process is gone. */
int session_find(struct session_finder *finder, const struct session_query *query,
		 struct smtpd_scratch *scratch, struct smtpd *ret_child,
		 struct smtpd_facts *ret_facts);

/* Can this process be one of courier's at all? For the worker. */
bool session_may_be_couriers(const struct session_finder *finder, pid_t pid);

/* Is a child known that serves the address for a relay client, whatever the port? False
 * may mean that it is not known yet. For lines that no child is asked about; for the
 * worker. */
bool session_knows_relay_client(struct session_finder *finder, const struct addr *addr);

/* What a line without the kernel's word for its sender wants besides: is the
 * child's BLOCK what its submit goes by too? See smtpd_check_submit(); 0 at once
 * for an attested sender, and for a child of session_find(), which has seen to it.
 * scratch is not the one of facts. For the background thread only. */
int session_check_submit(struct session_finder *finder, const struct session_query *query,
			 const struct smtpd *smtpd, const struct smtpd_facts *facts,
			 struct smtpd_scratch *scratch);

/* Bring the index up to date for session_candidates(). thorough: read every child anew
 * and look for new listeners too, which lets go of all that are held. Returns 0;
 * -EACCES; -errno. For the background thread only. */
int session_refresh(struct session_finder *finder, bool thorough);

/* Pin the children in the index that are listed, so that little is left to prove when
 * a line is about one: some 40 us for each, once. With submits also the submit of each
 * that is pinned: some 20 us for each that has none yet, at every call. Lines that wait
 * for an answer need not wait for it. For the background thread only. */
void session_hold(struct session_finder *finder, bool submits);

/* Try on a couriertcpd whether children may be looked at and, with signals, ended:
 * see tcpd_try(). For the background thread only. */
int session_try(struct session_finder *finder, bool signals);

/* Learn who has come since the last call, by the last PIDs that were handed out and
 * not by couriertcpd's children: a few PIDs, however many children there are. A hint
 * like all that the index has; those who are listed are held. Who is missed is found by
 * session_refresh(), which also forgets those who are gone. For the background thread only. */
void session_learn(struct session_finder *finder);

/* Let go of the children that are held beforehand: nobody keeps the index up to date
 * any more, which would let go of those that have ended. For the background thread only. */
void session_let_go(struct session_finder *finder);

/* Is any couriertcpd known? Any thread. */
bool session_has_tcpds(struct session_finder *finder);

/* The PIDs that the index has for the address and port (0: any port). Writes up
 * to max, returns how many there are. They want proof, see session_verify(). */
size_t session_candidates(struct session_finder *finder, const struct addr *addr, uint16_t port,
			  pid_t *ret_pids, size_t max);

/* smtpd_open(), or smtpd_recheck() of one that is held already; and does it serve
 * that address and port (0: any port)?
 * Returns as smtpd_open(); -ENXIO if it serves somebody else. For the background thread
 * only. */
int session_verify(struct session_finder *finder, pid_t pid, const struct addr *addr,
		   uint16_t port, struct smtpd_scratch *scratch, struct smtpd *ret_child,
		   struct smtpd_facts *ret_facts);

#endif
