/* What the kernel has of a connection whose processes end: who holds it, and its end.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_RESET_H
#define SMTPBLOCK_RESET_H

#include "addr.h"

/* Both ends of a TCP connection, ports in host order. */
struct reset_ends {
	struct addr local, remote;	/* of one family */
	uint16_t local_port, remote_port;
	uint64_t cookie;		/* the kernel's own name for it; 0: not asked for */
};

/* The socket by which the kernel is asked; from the first connection on. */
struct reset {
	int fd;
};

#define RESET_NONE { .fd = -1 }

/* Remove the socket that the kernel keeps for them, and send the peer a RST: a
 * blocked peer's packets are dropped, so that without this it stays in FIN-WAIT-1
 * for minutes. Only of our network namespace. Tens of microseconds: not for workers. One
 * thread for a struct reset. Two system calls for one that has its cookie, and no later one of
 * the same ends is meant then; else four.
 * Returns 0; -ENOENT, -ESTALE: there is no such connection (any more); -EPERM: CAP_NET_ADMIN is
 * missing; -EOPNOTSUPP: the kernel has no CONFIG_INET_DIAG_DESTROY; -EINVAL: the
 * ends are of two families or an end is unknown; -errno of socket(2), such as
 * -EAFNOSUPPORT where a unit's RestrictAddressFamilies= has no AF_NETLINK.
 * (SOCK_DESTROY of sock_diag(7), since Linux 4.5; net/ipv4/inet_diag.c.) */
int reset_connection(struct reset *reset, const struct reset_ends *ends);
void reset_done(struct reset *reset);

/* Does a process hold the connection? Wants no right, two system calls, and is as
 * reset_connection() is otherwise. The cookie is noted where it is known.
 * Returns 1; 0: the kernel alone does, to see its end; -ENOENT: it has none of these
 * ends. That is no "nobody": they may be what a proxy said (couriertcpd's -haproxy), or
 * the kernel has no tcp_diag. -EINVAL and -errno as above.
 * (idiag_inode of sock_diag(7) is 0 for a socket without a file.) */
int reset_connection_is_held(struct reset *reset, struct reset_ends *ends);

/* Can it be asked for, and can the kernel do it? Names a connection that cannot be.
 * That the right to it is missing is not seen: the kernel finds first, then looks at
 * CAP_NET_ADMIN (net/ipv4/tcp_diag.c). Returns 0; -EOPNOTSUPP; -errno of socket(2).
 * Not for workers. */
int reset_try(void);

#endif
