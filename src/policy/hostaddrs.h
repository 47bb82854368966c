/* The addresses of this host, which are never blocked.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_HOSTADDRS_H
#define SMTPBLOCK_HOSTADDRS_H

#include "lib/cidr.h"

/* The addresses of all interfaces in our network namespace, kept up to date by
 * whoever calls hostaddrs_refresh() when hostaddrs_fd() is readable. */
struct hostaddrs;

/* Knows no address before the first refresh. Returns 0 or -ENOMEM. The caller
 * owns *ret_hostaddrs. */
int hostaddrs_new(struct hostaddrs **ret_hostaddrs);
void hostaddrs_free(struct hostaddrs *hostaddrs);

/* Descriptor that becomes readable when an address is added or removed
 * (rtnetlink(7)); -1 where the system does not allow such a socket. Opened by
 * the first refresh, closed by hostaddrs_free(). */
int hostaddrs_fd(const struct hostaddrs *hostaddrs);

/* Read the addresses. Returns 0; -ENOMEM or -errno with the old ones kept:
 * getifaddrs(3) asks over netlink, which a unit's RestrictAddressFamilies= may
 * forbid. One thread. */
int hostaddrs_refresh(struct hostaddrs *hostaddrs);

/* Did a refresh ever succeed? Any thread. */
bool hostaddrs_known(struct hostaddrs *hostaddrs);

/* Is this an address of the host? Any thread, also during a refresh. */
bool hostaddrs_contain(struct hostaddrs *hostaddrs, const struct addr *addr);

/* Does the prefix hold an address of the host? Any thread likewise. */
bool hostaddrs_overlap(struct hostaddrs *hostaddrs, const struct cidr *cidr);

#endif
