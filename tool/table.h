/* What is known about so many connections or addresses, and no more.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_TABLE_H
#define SMTPBLOCKCTL_TABLE_H

#include <sys/types.h>

#include "addr.h"

/* Values of one size by key. When it is full, the one not looked at for longest
 * makes room. The cost of a look does not depend on how many there are. */
struct table;

struct table_key {
	struct addr addr;
	uint16_t port;		/* 0 where it does not count */
	pid_t pid;		/* likewise */
};

/* At most max values. Returns 0 or -ENOMEM. The caller owns *ret_table. */
int table_new(size_t value_size, uint32_t max, struct table **ret_table);
void table_free(struct table *table);

/* The value; NULL: there is none. Valid until the next table_add(). */
void *table_find(struct table *table, const struct table_key *key);

/* A new value, all zero, for a key that is not there. Returns 0 or -ENOMEM. Valid
 * as above. */
int table_add(struct table *table, const struct table_key *key, void **ret_value);

/* How many are in it, and the n-th of them, 0.. in no order. */
uint32_t table_count(const struct table *table);
void *table_at(const struct table *table, uint32_t n, struct table_key *ret_key);

/* How many had to make room. */
unsigned long table_forgotten(const struct table *table);

#endif
