/* Tells the client of a child why his connection ends: connect.reply.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SMTP_REPLY_H
#define SMTPBLOCK_SMTP_REPLY_H

#include "courier/smtpd.h"

/* Write "554 5.7.1 text" to the child's client, as the answer to whatever it says
 * first; a code that text begins with is left out, and what is not printable
 * ASCII becomes '?'. The socket is a copy of the child's (looker_get_fd()), which needs
 * CAP_SYS_PTRACE. Not for workers.
 * Returns 0; -ENOTCONN: not a plain TCP connection (TLS): nothing was written;
 * -EPERM: no right; -ENOSYS: see looker_forbid_fd(); -ESRCH: the child is gone;
 * -ETIMEDOUT, -EBUSY: it keeps whoever looks at it waiting; -EAGAIN and other -errno:
 * the client could not be written to. */
int smtp_reply_send(const struct smtpd_rules *rules, const struct smtpd *smtpd,
		    const struct smtpd_facts *facts);

#endif
