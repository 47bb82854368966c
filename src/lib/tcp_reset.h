/* Finds and resets TCP connections, with sock_diag(7).
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_TCP_RESET_H
#define SMTPBLOCK_TCP_RESET_H

#include <sys/types.h>

#include "lib/addr.h"

/* Both ends of a TCP connection, ports in host order. */
struct tcp_reset_ends {
	struct addr local, remote;	/* of one family */
	uint16_t local_port, remote_port;
	uint64_t cookie;		/* the kernel's ID of the socket; 0: unknown */
};

/* The netlink socket, opened at the first use. */
struct tcp_reset {
	int fd;
};

#define TCP_RESET_NONE { .fd = -1 }

/* Find a connection of our network namespace by its ends. Writes its cookie to *ends and the
 * inode number of its socket to *ret_inode: 0 if no process has it open (idiag_inode of
 * sock_diag(7)). If ends has a cookie, only that connection is found. Two system calls, no
 * permission needed. Not thread-safe; not for workers.
 * Returns 0; -ENOENT, -ESTALE: no such connection, the ends are those that a proxy reported
 * (couriertcpd's -haproxy), or the kernel has no tcp_diag; -EINVAL: the ends have different
 * families or an end is unknown; -errno of socket(2), such as -EAFNOSUPPORT if a unit's
 * RestrictAddressFamilies= lacks AF_NETLINK. */
int tcp_reset_find(struct tcp_reset *reset, struct tcp_reset_ends *ends, ino_t *ret_inode);

/* Does a process have the connection of this cookie open? Returns 1; 0: no, only the kernel
 * still has it, or it does not exist; -errno as above. */
int tcp_reset_is_held(struct tcp_reset *reset, const struct tcp_reset_ends *ends);

/* Destroy the socket of this cookie and send the peer a RST. The packets of a blocked peer are
 * dropped, so otherwise the socket would stay in FIN-WAIT-1 for minutes. Does nothing without
 * a cookie, as a later connection may have the same ends. Two system calls, tens of
 * microseconds.
 * Returns 0; -ENOENT, -ESTALE: no such connection, or no cookie; -EPERM: CAP_NET_ADMIN is
 * missing; -EOPNOTSUPP: the kernel has no CONFIG_INET_DIAG_DESTROY; -EINVAL and -errno as
 * above. (SOCK_DESTROY of sock_diag(7), since Linux 4.5; net/ipv4/inet_diag.c.) */
int tcp_reset_connection(struct tcp_reset *reset, const struct tcp_reset_ends *ends);
void tcp_reset_done(struct tcp_reset *reset);

/* Does the kernel support tcp_reset_connection()? Tries it on a connection that cannot exist.
 * Does not detect that CAP_NET_ADMIN is missing, as the kernel searches first and checks that
 * later (net/ipv4/tcp_diag.c). Returns 0; -EOPNOTSUPP; -errno of socket(2). Not for
 * workers. */
int tcp_reset_try(void);

#endif
