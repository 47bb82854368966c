/* Limits the number of blocks per interval: maxBlocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BLOCK_LIMIT_H
#define SMTPBLOCK_BLOCK_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cidr.h"
#include "lib/lru.h"

/* The hosts of IPv6 that are known in an interval, each a /64. */
#define BLOCK_LIMIT_NETS_MAX 65536

/* Not thread-safe. The members are private. */
struct block_limit {
	unsigned int max, used;	/* in each interval, and in the current one */
	int64_t interval;	/* ms */
	int64_t ends;		/* the current interval */
	bool closed;
	bool opened;		/* not yet reported by block_limit_opens() */
	struct lru *nets;	/* each granted /64, with the end of its interval */
};

enum block_limit_answer {
	BLOCK_LIMIT_GRANTED,
	BLOCK_LIMIT_CLOSES,	/* refused, for the first time in this interval */
	BLOCK_LIMIT_CLOSED,	/* refused */
};

/* Allow max blocks in each interval, in seconds. Returns 0 or -ENOMEM. The caller owns what is
 * in *limit. */
int block_limit_init(struct block_limit *limit, unsigned int max, unsigned int interval);
void block_limit_done(struct block_limit *limit);

/* May one more address or prefix be blocked at now (ms)? An interval starts with the first
 * call after the end of the last one. A host of IPv6 has a whole /64: the addresses of one
 * count once in an interval. */
enum block_limit_answer block_limit_take(struct block_limit *limit, const struct cidr *target,
					 int64_t now);

/* Returns true once after the end of an interval in which the limit had closed. *ret_due is
 * when it reopens, INT64_MAX if it is open. */
bool block_limit_opens(struct block_limit *limit, int64_t now, int64_t *ret_due);

#endif
