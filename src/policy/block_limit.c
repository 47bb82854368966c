/* Limits the number of blocks per interval.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/block_limit.h"

void block_limit_init(struct block_limit *limit, unsigned int max, unsigned int interval)
{
	*limit = (struct block_limit){ .max = max, .interval = (int64_t)interval * 1000 };
}

/* Reopen if the interval in which the limit closed is over. */
static void reopen(struct block_limit *b, int64_t now)
{
	if (!b->closed || now < b->ends)
		return;
	b->closed = false;
	b->opened = true;
}

enum block_limit_answer block_limit_take(struct block_limit *limit, int64_t now)
{
	reopen(limit, now);
	if (now >= limit->ends) {
		limit->used = 0;
		limit->ends = now + limit->interval;
	}
	if (limit->used < limit->max) {
		limit->used++;
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
