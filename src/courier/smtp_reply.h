/* Sends the client a reply with the reason why its session ends.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SMTP_REPLY_H
#define SMTPBLOCK_SMTP_REPLY_H

#include "courier/smtpd.h"

enum smtp_reply {
	SMTP_REPLY_554,		/* "554 5.7.1 BLOCK", without a code at the start of BLOCK */
	SMTP_REPLY_REFUSED,	/* courier's reply to a recipient: BLOCK, with "511 " in
				 * front unless it begins with a code */
	SMTP_REPLY_421,		/* "421 4.7.0 ": no slot is free, come again */
};

/* Send a reply to the client of smtpd, whatever the client has sent last. Bytes other than
 * printable ASCII become '?'. What the client has sent and courier has not read is dropped, or
 * the kernel would send a reset after the reply. The reply is written to a copy of the process'
 * client socket (looker_get_fd()), which needs CAP_SYS_PTRACE. Not for workers.
 * Returns 0; -ENOTCONN: not a plain TCP connection (TLS), or no BLOCK; nothing was written;
 * -EPERM: CAP_SYS_PTRACE is missing; -ENOSYS: see looker_forbid_fd(); -ESRCH: the process
 * has exited; -ETIMEDOUT, -EBUSY: see looker_look(); -EAGAIN and other -errno: the send
 * failed. */
int smtp_reply_send(const struct smtpd_rules *rules, const struct smtpd *smtpd,
		    const struct smtpd_facts *facts, enum smtp_reply kind);

#endif
