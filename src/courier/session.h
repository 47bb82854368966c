/* Finds and verifies the process that serves a client's address and port.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SESSION_H
#define SMTPBLOCK_SESSION_H

#include "courier/smtpd.h"

/* The known processes of one courier user. All actions that name this user share it. */
struct session_finder;

/* What a log line says about its sender. PID 0: none. */
struct session_query {
	pid_t attested;		/* the kernel's: this process wrote the line */
	pid_t hint;		/* where to look first; any sender can forge it */
	struct addr addr;
	uint16_t port;		/* 0: the line has none */
	bool confirms;		/* without an attested PID more has to be looked at if courier
				 * offers a login: -EAGAIN */
	bool defers;		/* leave it to the background thread: -EAGAIN */
	bool was_couriers;	/* the kernel's data show that attested was courier's */
};

/* proc_root is the mount point of the proc file system. looker must outlive the result.
 * Returns 0 and the caller owns *ret_finder; -ENOMEM; -errno if our own network namespace
 * cannot be read. */
int session_new(const char *proc_root, struct looker *looker, uid_t courier_uid,
		struct session_finder **ret_finder);
void session_free(struct session_finder *finder);

/* The rules for smtpd_open() and the other functions of smtpd.h. finder owns them. */
const struct smtpd_rules *session_rules(const struct session_finder *finder);

/* Find the pinned smtpd that serves the client, and verify it again: the process that the
 * line names, or else the one that the index has for the address and port. Makes a few
 * system calls that never wait: for workers.
 * Returns 0 and the caller owns *ret_smtpd; -EAGAIN: session_verify() has to look;
 * -EPERM: the line names a process without courier's uid, so a local user wrote it or a
 * client whose dialogue is logged (ESMTP_LOG_DIALOG); -ESRCH: the attested process has
 * exited. */
int session_find(struct session_finder *finder, const struct session_query *query,
		 struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
		 struct smtpd_facts *ret_facts);

/* Does this process have courier's uid? For workers. */
bool session_may_be_couriers(const struct session_finder *finder, pid_t pid);

/* Does a known smtpd serve a relay client at this address, on any port? An smtpd that is
 * not known yet is missed. For lines for which no process is verified; for workers. */
bool session_knows_relay_client(struct session_finder *finder, const struct addr *addr);

/* Does the submit of smtpd have the same BLOCK? See smtpd_check_submit(). scratch must not
 * be the one that facts points into. For the background thread only. */
int session_check_submit(struct session_finder *finder, struct smtpd *smtpd,
			 const struct smtpd_facts *facts, struct smtpd_scratch *scratch);

/* The same, and has that submit accepted MAIL (session_signs_has_mail())? Returns 0; -EPERM: no;
 * -errno. */
int session_check_mail(struct session_finder *finder, struct smtpd *smtpd,
		       const struct smtpd_facts *facts, struct smtpd_scratch *scratch);

/* Update the index for session_candidates(), and pin the listed smtpds that are new, so that a line
 * about one needs little more verification. thorough: unpin all smtpds, search for new
 * couriertcpds and read every smtpd again. Returns 0; -EACCES; -errno. For the background
 * thread only. */
int session_refresh(struct session_finder *finder, bool thorough);

/* Pin the listed smtpds in the index for which there was no room. Pending lookups do not need this,
 * so answer them first. For the background thread only. */
void session_hold(struct session_finder *finder);

/* Test on a couriertcpd whether we may read its processes and, with signals, signal them:
 * see tcpd_try(). For the background thread only. */
int session_try(struct session_finder *finder, bool signals);

/* Add the smtpds that started since the last call to the index and pin the listed ones.
 * This checks only the newest PIDs, so its cost does not depend on the number of smtpds.
 * session_refresh() finds any process missed here and drops those that have exited. For
 * the background thread only. */
void session_learn(struct session_finder *finder);

/* Unpin the smtpds in the index. Call this when the index is no longer updated, as only an
 * update unpins those that have exited. For the background thread only. */
void session_let_go(struct session_finder *finder);

/* Which clients of the couriertcpds that run come through a proxy? If all do, the client of a
 * session that has ended did, too. Searches for couriertcpds at most once a second. For the
 * background thread only. */
enum tcpd_proxy session_proxy(struct session_finder *finder);

/* Is any couriertcpd known? Any thread. */
bool session_has_tcpds(struct session_finder *finder);

/* The PIDs that the index has for the address and port (0: any port). Writes up to max and
 * returns how many it wrote. They must be verified: session_verify(). Any thread. */
size_t session_candidates(struct session_finder *finder, const struct addr *addr, uint16_t port,
			  pid_t *ret_pids, size_t max);

/* Call smtpd_recheck() for an smtpd that is pinned already, otherwise smtpd_open(). Then
 * check that it serves this address and port (0: any port).
 * Returns as smtpd_open(); -ENXIO: it serves another client. For the background thread
 * only. */
int session_verify(struct session_finder *finder, pid_t pid, const struct addr *addr,
		   uint16_t port, struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
		   struct smtpd_facts *ret_facts);

#endif
