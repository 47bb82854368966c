/* So many blocks in an interval and no more.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/budget.h"

void budget_init(struct budget *budget, unsigned int max, unsigned int interval)
{
	budget->max = max;
	budget->interval = (int64_t)interval * 1000;
	atomic_init(&budget->ends, 0);
	atomic_init(&budget->used, 0);
	budget->closed = budget->opened = false;
	pthread_mutex_init(&budget->lock, NULL);
}

void budget_done(struct budget *budget)
{
	pthread_mutex_destroy(&budget->lock);
}

/* With the lock held: is the interval in which it closed over? */
static void reopen(struct budget *b, int64_t now)
{
	if (!b->closed || now < b->ends)
		return;
	b->closed = false;
	b->opened = true;
}

/* Is there one left? Of those that find the last one at the same time one gets it.
 * Who is late and takes one of the next interval has it counted there. */
static bool take_one(struct budget *b)
{
	return atomic_load_explicit(&b->used, memory_order_relaxed) < b->max &&
	       atomic_fetch_add_explicit(&b->used, 1, memory_order_relaxed) < b->max;
}

/* With the lock held. */
static enum budget_answer take(struct budget *b, int64_t now)
{
	reopen(b, now);
	if (now >= b->ends) {
		/* In this order: no one is taken before it counts. */
		b->used = 0;
		b->ends = now + b->interval;
	}
	if (take_one(b))
		return BUDGET_GRANTED;
	if (b->closed)
		return BUDGET_CLOSED;
	b->closed = true;
	return BUDGET_CLOSES;
}

enum budget_answer budget_take(struct budget *budget, int64_t now)
{
	enum budget_answer answer;

	if (now < atomic_load_explicit(&budget->ends, memory_order_acquire) &&
	    take_one(budget))
		return BUDGET_GRANTED;
	pthread_mutex_lock(&budget->lock);
	answer = take(budget, now);
	pthread_mutex_unlock(&budget->lock);
	return answer;
}

bool budget_opens(struct budget *budget, int64_t now, int64_t *ret_due)
{
	bool opens;

	pthread_mutex_lock(&budget->lock);
	reopen(budget, now);
	opens = budget->opened;
	budget->opened = false;
	*ret_due = budget->closed ? budget->ends : INT64_MAX;
	pthread_mutex_unlock(&budget->lock);
	return opens;
}
