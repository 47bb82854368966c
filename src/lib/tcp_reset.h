/* What the kernel has of a connection whose processes end: who holds it, and its end.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_TCP_RESET_H
#define SMTPBLOCK_TCP_RESET_H

#include <sys/types.h>

#include "lib/addr.h"

/* Both ends of a TCP connection, ports in host order. */
struct tcp_reset_ends {
	struct addr local, remote;	/* of one family */
	uint16_t local_port, remote_port;
	uint64_t cookie;		/* the kernel's own name for it; 0: not asked for */
};

/* The socket by which the kernel is asked; from the first connection on. */
struct tcp_reset {
	int fd;
};

#define TCP_RESET_NONE { .fd = -1 }

/* Find the connection by its ends. Its cookie and the inode number of its socket are
 * noted, 0 where no process has it (idiag_inode of sock_diag(7)). Wants no right, two
 * system calls. Only of our network namespace; one thread for a struct tcp_reset; not for
 * workers. Returns 0; -ENOENT: there is none: its ends may be what a proxy said
 * (couriertcpd's -haproxy), or the kernel has no tcp_diag; -EINVAL: the ends are of two
 * families or an end is unknown; -errno of socket(2), such as -EAFNOSUPPORT where a
 * unit's RestrictAddressFamilies= has no AF_NETLINK. */
int tcp_reset_find(struct tcp_reset *reset, struct tcp_reset_ends *ends, ino_t *ret_inode);

/* Does a process have the connection of that cookie? Returns 1; 0: none, the kernel alone
 * sees to its end, or it is gone; -errno as above. */
int tcp_reset_is_held(struct tcp_reset *reset, const struct tcp_reset_ends *ends);

/* Remove the socket of that cookie which the kernel keeps, and send the peer a RST: a
 * blocked peer's packets are dropped, so that without this it stays in FIN-WAIT-1
 * for minutes. Without a cookie nothing is done: a later connection may have the same
 * ends. Two system calls, tens of microseconds.
 * Returns 0; -ENOENT, -ESTALE: there is no such connection (any more), or no cookie;
 * -EPERM: CAP_NET_ADMIN is missing; -EOPNOTSUPP: the kernel has no
 * CONFIG_INET_DIAG_DESTROY; -EINVAL and -errno as above.
 * (SOCK_DESTROY of sock_diag(7), since Linux 4.5; net/ipv4/inet_diag.c.) */
int tcp_reset_connection(struct tcp_reset *reset, const struct tcp_reset_ends *ends);
void tcp_reset_done(struct tcp_reset *reset);

/* Can it be asked for, and can the kernel do it? Names a connection that cannot be.
 * That the right to it is missing is not seen: the kernel finds first, then looks at
 * CAP_NET_ADMIN (net/ipv4/tcp_diag.c). Returns 0; -EOPNOTSUPP; -errno of socket(2).
 * Not for workers. */
int tcp_reset_try(void);

#endif
