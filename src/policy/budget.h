/* So many blocks in an interval and no more: maxBlocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BUDGET_H
#define SMTPBLOCK_BUDGET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
	unsigned int max;
	int64_t interval;	/* ms */
	/* Taken to begin another interval, to close and to open; what follows is
	 * private. */
	pthread_mutex_t lock;
	_Atomic int64_t ends;	/* of the interval that is running */
	atomic_uint used;	/* may be counted without the lock, up to max */
	bool closed;
	bool opened;		/* and budget_opens() did not tell yet */
};

enum budget_answer {
	BUDGET_GRANTED,
	BUDGET_CLOSES,		/* refused, as the first of this interval */
	BUDGET_CLOSED,		/* refused */
};

/* max blocks in each interval of so many seconds. */
void budget_init(struct budget *budget, unsigned int max, unsigned int interval);
void budget_done(struct budget *budget);

/* May one more be blocked at now (ms)? An interval starts with the first question
 * after the last one's end. Any thread. */
enum budget_answer budget_take(struct budget *budget, int64_t now);

/* True once after the end of an interval in which it had closed: it is open
 * again. *ret_due is when that will be, INT64_MAX if it is not closed. */
bool budget_opens(struct budget *budget, int64_t now, int64_t *ret_due);

#endif
