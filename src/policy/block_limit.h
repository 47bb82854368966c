/* Limits the number of blocks per interval: maxBlocks.
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
	/* Taken to start an interval, to close and to reopen. What follows is private. */
	pthread_mutex_t lock;
	_Atomic int64_t ends;	/* of the current interval */
	_Atomic uint64_t used;	/* counted without the lock, those refused as well */
	bool closed;
	bool opened;		/* not yet reported by block_limit_opens() */
};

enum block_limit_answer {
	BLOCK_LIMIT_GRANTED,
	BLOCK_LIMIT_CLOSES,	/* refused, for the first time in this interval */
	BLOCK_LIMIT_CLOSED,	/* refused */
};

/* Allow max blocks in each interval, in seconds. */
void block_limit_init(struct block_limit *limit, unsigned int max, unsigned int interval);
void block_limit_done(struct block_limit *limit);

/* May one more address be blocked at now (ms)? An interval starts with the first call after
 * the end of the last one. Any thread. */
enum block_limit_answer block_limit_take(struct block_limit *limit, int64_t now);

/* Returns true once after the end of an interval in which the limit had closed. *ret_due is
 * when it reopens, INT64_MAX if it is open. */
bool block_limit_opens(struct block_limit *limit, int64_t now, int64_t *ret_due);

#endif
