/* The routers through which this host sends.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_GATEWAYS_H
#define SMTPBLOCK_GATEWAYS_H

#include <stddef.h>

#include "lib/addr.h"

/* Routes of each family that are read, so that a full table does not hold the thread. The
 * kernel lists default routes first. */
#define GATEWAYS_ROUTES_MAX 16384

/* Called for each next hop; the same one may come several times. A result other than 0 ends
 * the walk. */
typedef int gateways_fn(void *ctx, const struct addr *gateway);

/* Walk the next hops of all routes in our network namespace. Asks the kernel only
 * (rtnetlink(7)). Returns fn's result; -errno. Any thread. */
int gateways_foreach(gateways_fn *fn, void *ctx);

/* The same for the route messages among these rtnetlink messages, aligned as struct nlmsghdr.
 * Returns fn's result. Any thread. */
int gateways_in(const void *messages, size_t len, gateways_fn *fn, void *ctx);

#endif
