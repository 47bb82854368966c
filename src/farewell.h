/* Tells the client of a child why his connection ends: connect.reply.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_FAREWELL_H
#define SMTPBLOCK_FAREWELL_H

#include "child.h"

/* Write "554 5.7.1 text" to the child's client, as the answer to whatever he says
 * first; a code that text begins with is left out, and what is not printable
 * ASCII becomes '?'. The socket is borrowed with pidfd_getfd(2), which needs
 * CAP_SYS_PTRACE. Does not wait.
 * Returns 0; -ENOTCONN: not a plain TCP connection (TLS): nothing was written;
 * -EPERM: no right; -ENOSYS: pidfd_getfd is not to be called; -ESRCH: the child
 * is gone; -EAGAIN and other -errno: the client could not be written to. */
int farewell_send(const struct child *child, const struct child_facts *facts);

#endif
