/* What others remove from our nftables sets by hand, as the kernel reports it to the members of a
 * netlink group. Not thread-safe.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NFTNEWS_H
#define SMTPBLOCK_NFTNEWS_H

#include "blocklist/nfttable.h"

struct nftnews;

/* Opens no socket. Returns 0 or -ENOMEM. The caller owns. */
int nftnews_new(struct nftnews **ret_news);
void nftnews_free(struct nftnews *news);	/* NULL is allowed */

typedef void nftnews_fn(void *ctx, const struct addr *addr);

/* Call fn for each address that any program has removed from one of the table's sets since the
 * last call, one by one or with "flush set", and not added again in the next step, as renewals
 * do. The kernel reports neither addresses that expire nor those of a set that is deleted ("flush
 * ruleset"). The first call opens the socket. What does not fit into its buffer is lost, and so
 * is everything where that is not permitted (CAP_NET_ADMIN). Never waits. */
void nftnews_read(struct nftnews *news, const struct nfttable *table, nftnews_fn *fn, void *ctx);

#endif
