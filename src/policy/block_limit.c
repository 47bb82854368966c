/* Limits the number of blocks per interval.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/block_limit.h"

#include <errno.h>

int block_limit_init(struct block_limit *limit, unsigned int max, unsigned int interval)
{
	*limit = (struct block_limit){ .max = max, .interval = (int64_t)interval * 1000 };
	return lru_new(sizeof(struct addr), sizeof(int64_t), BLOCK_LIMIT_NETS_MAX, &limit->nets);
}

void block_limit_done(struct block_limit *limit)
{
	lru_free(limit->nets);
	limit->nets = NULL;
}

static bool is_part_of_net(const struct cidr *target)
{
	return target->net.family == ADDR_IPV6 && target->prefix > 64;
}

/* Was another address of the /64 granted in this interval? */
static bool is_counted(struct block_limit *b, const struct addr *net)
{
	const int64_t *ends = lru_find(b->nets, net);

	return ends && *ends == b->ends;
}

static void note_net(struct block_limit *b, const struct addr *net)
{
	int64_t *ends = lru_find(b->nets, net);

	if (!ends)
		ends = lru_add(b->nets, net);
	*ends = b->ends;
}

/* Reopen if the interval in which the limit closed is over. */
static void reopen(struct block_limit *b, int64_t now)
{
	if (!b->closed || now < b->ends)
		return;
	b->closed = false;
	b->opened = true;
}

enum block_limit_answer block_limit_take(struct block_limit *limit, const struct cidr *target,
					 int64_t now)
{
	const struct addr net = cidr_mask(&target->net, 64);
	bool part = is_part_of_net(target);

	reopen(limit, now);
	if (now >= limit->ends) {
		limit->used = 0;
		limit->ends = now + limit->interval;
	}
	if (part && is_counted(limit, &net))
		return BLOCK_LIMIT_GRANTED;
	if (limit->used < limit->max) {
		limit->used++;
		if (part)
			note_net(limit, &net);
		return BLOCK_LIMIT_GRANTED;
	}
	if (limit->closed)
		return BLOCK_LIMIT_CLOSED;
	limit->closed = true;
	return BLOCK_LIMIT_CLOSES;
}

bool block_limit_opens(struct block_limit *limit, int64_t now, int64_t *ret_due)
{
	bool opens;

	reopen(limit, now);
	opens = limit->opened;
	limit->opened = false;
	*ret_due = limit->closed ? limit->ends : INT64_MAX;
	return opens;
}
