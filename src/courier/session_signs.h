/* Signs of what a session is doing, from /proc, before courier logs anything about it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SESSION_SIGNS_H
#define SMTPBLOCK_SESSION_SIGNS_H

#include "courier/smtpd.h"

/* All of this was seen on courier 1.0.16 and 1.4.1; tests/integration/courier_signs.py checks it.
 * The functions are for the background thread. The caller must have verified the smtpd
 * (smtpd_read_hint(), session_verify()). They wait at most LOOKER_WAIT_MS. */

/* Read the number of slots of a couriertcpd (-maxprocs); 0: it has no such option, or it could
 * not be read. Returns false if the caller should try again later. */
bool session_signs_slots(const struct smtpd_rules *rules, pid_t tcpd, unsigned int *ret_slots);

/* The submit of a session. courieresmtpd starts one at EHLO, and another one after STARTTLS,
 * RSET, a login, a refused MAIL and each mail. */
struct session_submit {
	pid_t pid;	/* 0: there is none */
	bool known;	/* it has exec'd, and the next two are known */
	bool relays;	/* RELAYCLIENT is set: after a login, unless the smtpd has it as well */
	bool blocks;	/* BLOCK is not empty: no recipient will be accepted */
};

/* Read the newest submit of the smtpd. *submit is the result of the last call for this smtpd, or
 * all zero; a submit that is known already is not read again. Returns 0; on failure, as
 * smtpd_read_submit(), *submit is all zero but for a PID that the next call will read. */
int session_signs_submit(const struct smtpd_rules *rules, pid_t smtpd,
			 struct smtpd_scratch *scratch, struct session_submit *submit);

/* Does the smtpd wait for its client or in the tarpit? After a login it sends 235 and waits for
 * the end of the old submit before it starts the new one: while it is not idle, the submit of
 * this moment proves nothing. Returns 1; 0: no; -EACCES; -ESRCH; -ETIMEDOUT, -EBUSY; -errno. */
int session_signs_is_idle(const struct smtpd_rules *rules, pid_t smtpd);

/* Does courier delay its reply to the client (tarpit)? Returns as session_signs_is_idle(). */
int session_signs_in_tarpit(const struct smtpd_rules *rules, pid_t smtpd);

/* How far the client has come, according to the files that submit has open. */
struct session_progress {
	bool sleeps;		/* the smtpd sleeps: courier's tarpit delays a reply */
	bool mail;		/* MAIL was accepted: aliases.dat is open. AUTH gets 502 until
				 * RSET or the end of the mail */
	bool recipient;		/* a recipient was judged: esmtpacceptmailfor.dat is open */
};

/* Read the progress of the smtpd and its submit. Returns 0; -EACCES: CAP_SYS_PTRACE is missing;
 * -ESRCH; -ETIMEDOUT, -EBUSY; -errno. */
int session_signs_progress(const struct smtpd_rules *rules, pid_t smtpd, pid_t submit,
			   struct session_progress *ret_progress);

/* Did submit refuse a recipient, which courier will log after the tarpit? submit has a BLOCK, so
 * it refuses each one. A client that sent MAIL and AUTH is in the tarpit as well, for its 502, but
 * no recipient was judged. Without an esmtpacceptmailfor.dat in the directory of access_file
 * (ACCESSFILE of the smtpd; NULL: unknown) that cannot be told apart, and MAIL is enough. */
bool session_signs_is_refused(const struct smtpd_rules *rules, pid_t smtpd,
			      const struct session_progress *progress, const char *access_file);

/* Was MAIL accepted, so that the client cannot log in now? Also true if courier has neither of
 * the two files (makealiases(8), makeacceptmailfor(8)): then nobody can tell. */
bool session_signs_has_mail(const struct smtpd_rules *rules, pid_t smtpd,
			    const struct session_progress *progress, const char *access_file);

#endif
