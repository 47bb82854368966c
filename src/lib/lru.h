/* A table of values by address, of bounded size. A new value replaces the least recently used.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_LRU_H
#define SMTPBLOCK_LRU_H

#include "lib/addr.h"

/* All keys have one size, and so have all values. A key begins with a struct addr. The bytes
 * after it are compared with memcmp(), so they must not contain padding. A full table drops
 * the value that was not looked up for the longest time. The cost of a call, even of the most
 * expensive one, does not depend on the number of values. Not thread-safe. */
struct lru;

/* Bytes of memory for one value with its key. */
size_t lru_entry_size(size_t key_size, size_t value_size);

/* A table for up to max values; max is at most UINT32_MAX - 1. Reserves all address space
 * now; memory is used as values are added. Returns 0 and the caller owns *ret_lru;
 * -ENOMEM. */
int lru_new(size_t key_size, size_t value_size, size_t max, struct lru **ret_lru);
void lru_free(struct lru *lru);

/* Find a value and make it the newest. Returns NULL if there is none. The pointer is valid
 * until lru_add(). */
void *lru_find(struct lru *lru, const void *key);

/* The value that the next lru_add() will drop; NULL: there is room. */
const void *lru_victim(const struct lru *lru);

/* Add a value, all zero and the newest, for a key that is not in the table. The pointer is
 * valid until the next lru_add(). */
void *lru_add(struct lru *lru, const void *key);

/* The number of values, and the maximum. */
uint32_t lru_count(const struct lru *lru);
uint32_t lru_max(const struct lru *lru);

/* The n-th value, from 0, in no particular order. *ret_key points to its key. */
const void *lru_at(const struct lru *lru, uint32_t n, const void **ret_key);

/* How many values were dropped so far. */
unsigned long lru_forgotten(const struct lru *lru);

#endif
