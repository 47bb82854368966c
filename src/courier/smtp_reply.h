/* Sends the client a reply with the reason why its session ends: connect.reply.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SMTP_REPLY_H
#define SMTPBLOCK_SMTP_REPLY_H

#include "courier/smtpd.h"

/* Send "554 5.7.1 BLOCK" to the client of smtpd, as the reply to its first command. A reply
 * code at the start of BLOCK is omitted; bytes other than printable ASCII become '?'. The
 * reply is written to a copy of the process' client socket (looker_get_fd()), which needs
 * CAP_SYS_PTRACE. Not for workers.
 * Returns 0; -ENOTCONN: not a plain TCP connection (TLS), or no BLOCK; nothing was written;
 * -EPERM: CAP_SYS_PTRACE is missing; -ENOSYS: see looker_forbid_fd(); -ESRCH: the process
 * has exited; -ETIMEDOUT, -EBUSY: see looker_look(); -EAGAIN and other -errno: the send
 * failed. */
int smtp_reply_send(const struct smtpd_rules *rules, const struct smtpd *smtpd,
		    const struct smtpd_facts *facts);

#endif
