/* The addresses of this host and of its gateways, which are never blocked.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_LOCAL_ADDRS_H
#define SMTPBLOCK_LOCAL_ADDRS_H

#include "lib/cidr.h"

/* The addresses of all interfaces in our network namespace, and of the gateways of its routes:
 * a gateway may translate addresses, so that many hosts share its own. The caller keeps them
 * up to date: local_addrs_refresh() when local_addrs_fd() is readable. */
struct local_addrs;

/* Empty until the first refresh. Returns 0 or -ENOMEM. The caller owns *ret_local_addrs. */
int local_addrs_new(struct local_addrs **ret_local_addrs);
void local_addrs_free(struct local_addrs *local_addrs);

/* A descriptor that becomes readable when an address or a route changes (rtnetlink(7)); -1
 * if the system does not allow such a socket. Opened by the first refresh, closed by
 * local_addrs_free(). */
int local_addrs_fd(const struct local_addrs *local_addrs);

/* Read the addresses, unless nothing was notified but routes with known gateways. A gateway
 * that is gone stays until the next reading. Returns 0; -ENOMEM or -errno, and keeps the old
 * ones: getifaddrs(3) uses netlink, which a unit's RestrictAddressFamilies= may forbid. One
 * thread at a time. */
int local_addrs_refresh(struct local_addrs *local_addrs);

/* Has a refresh ever succeeded? For the thread that refreshes. */
bool local_addrs_known(const struct local_addrs *local_addrs);

/* Is this an address of the host or of a gateway? Any thread, also during a refresh. */
bool local_addrs_contain(struct local_addrs *local_addrs, const struct addr *addr);

/* Does the prefix contain such an address? Any thread, also during a refresh. */
bool local_addrs_overlap(struct local_addrs *local_addrs, const struct cidr *cidr);

#endif
