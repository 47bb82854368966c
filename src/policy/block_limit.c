/* Limits the number of blocks per interval.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/block_limit.h"

void block_limit_init(struct block_limit *limit, unsigned int max, unsigned int interval)
{
	limit->max = max;
	limit->interval = (int64_t)interval * 1000;
	atomic_init(&limit->ends, 0);
	atomic_init(&limit->used, 0);
	limit->closed = limit->opened = false;
	pthread_mutex_init(&limit->lock, NULL);
}

void block_limit_done(struct block_limit *limit)
{
	pthread_mutex_destroy(&limit->lock);
}

/* With the lock held: reopen if the interval in which the limit closed is over. */
static void reopen(struct block_limit *b, int64_t now)
{
	if (!b->closed || now < b->ends)
		return;
	b->closed = false;
	b->opened = true;
}

/* Take a token if one is left. If several threads race for the last token, one wins. A late
 * caller may take a token from the next interval; it is counted there. */
static bool take_one(struct block_limit *b)
{
	return atomic_fetch_add_explicit(&b->used, 1, memory_order_relaxed) < b->max;
}

/* With the lock held. */
static enum block_limit_answer take(struct block_limit *b, int64_t now)
{
	reopen(b, now);
	if (now >= b->ends) {
		/* In this order: a token taken without the lock must not be lost by the reset. */
		b->used = 0;
		b->ends = now + b->interval;
	}
	if (take_one(b))
		return BLOCK_LIMIT_GRANTED;
	if (b->closed)
		return BLOCK_LIMIT_CLOSED;
	b->closed = true;
	return BLOCK_LIMIT_CLOSES;
}

enum block_limit_answer block_limit_take(struct block_limit *limit, int64_t now)
{
	enum block_limit_answer answer;

	if (now < atomic_load_explicit(&limit->ends, memory_order_acquire) && take_one(limit))
		return BLOCK_LIMIT_GRANTED;
	pthread_mutex_lock(&limit->lock);
	answer = take(limit, now);
	pthread_mutex_unlock(&limit->lock);
	return answer;
}

bool block_limit_opens(struct block_limit *limit, int64_t now, int64_t *ret_due)
{
	bool opens;

	pthread_mutex_lock(&limit->lock);
	reopen(limit, now);
	opens = limit->opened;
	limit->opened = false;
	*ret_due = limit->closed ? limit->ends : INT64_MAX;
	pthread_mutex_unlock(&limit->lock);
	return opens;
}
