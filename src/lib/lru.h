/* Values by address, and no more than there is room for.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_LRU_H
#define SMTPBLOCK_LRU_H

#include "lib/addr.h"

/* Values of one size by keys of one size. A key begins with a struct addr; the bytes
 * behind it are compared as they are, so no padding. A full table gives away the value
 * that was not looked at for longest. The cost of a call does not depend on how many
 * values there are, that of the dearest call neither. One thread at a time. */
struct lru;

/* Bytes that a value takes with its key. */
size_t lru_entry_size(size_t key_size, size_t value_size);

/* Room for max values, at most UINT32_MAX - 1: address space at once, memory as they
 * come. Returns 0 or -ENOMEM. The caller owns *ret_lru. */
int lru_new(size_t key_size, size_t value_size, size_t max, struct lru **ret_lru);
void lru_free(struct lru *lru);

/* The value, which becomes the newest; NULL: there is none. Valid until lru_add(). */
void *lru_find(struct lru *lru, const void *key);

/* The value that the next lru_add() gives away; NULL: there is still room. */
const void *lru_victim(const struct lru *lru);

/* A new value, all zero and the newest, for a key that is not there. Valid as above. */
void *lru_add(struct lru *lru, const void *key);

/* How many there are, and room for how many. */
uint32_t lru_count(const struct lru *lru);
uint32_t lru_max(const struct lru *lru);

/* The n-th value, 0.. in no order; *ret_key points to its key. */
const void *lru_at(const struct lru *lru, uint32_t n, const void **ret_key);

/* How many values were given away. */
unsigned long lru_forgotten(const struct lru *lru);

#endif
