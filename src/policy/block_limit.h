/* So many blocks in an interval and no more: maxBlocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BLOCK_LIMIT_H
#define SMTPBLOCK_BLOCK_LIMIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct block_limit {
	unsigned int max;
	int64_t interval;	/* ms */
	/* Taken to begin another interval, to close and to open; what follows is
	 * private. */
	pthread_mutex_t lock;
	_Atomic int64_t ends;	/* of the interval that is running */
	atomic_uint used;	/* may be counted without the lock, up to max */
	bool closed;
	bool opened;		/* and block_limit_opens() did not tell yet */
};

enum block_limit_answer {
	BLOCK_LIMIT_GRANTED,
	BLOCK_LIMIT_CLOSES,	/* refused, as the first of this interval */
	BLOCK_LIMIT_CLOSED,	/* refused */
};

/* max blocks in each interval of so many seconds. */
void block_limit_init(struct block_limit *limit, unsigned int max, unsigned int interval);
void block_limit_done(struct block_limit *limit);

/* May one more be blocked at now (ms)? An interval starts with the first question
 * after the last one's end. Any thread. */
enum block_limit_answer block_limit_take(struct block_limit *limit, int64_t now);

/* True once after the end of an interval in which it had closed: it is open
 * again. *ret_due is when that will be, INT64_MAX if it is not closed. */
bool block_limit_opens(struct block_limit *limit, int64_t now, int64_t *ret_due);

#endif
