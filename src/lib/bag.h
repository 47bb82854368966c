/* Things of one size on their way from many threads to one.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BAG_H
#define SMTPBLOCK_BAG_H

#include <stdbool.h>
#include <stddef.h>

/* Bounded. All memory is taken at the start. */
struct bag;

/* A bag for up to max items of item_size bytes. Returns 0 or -ENOMEM. The caller
 * owns. */
int bag_new(size_t item_size, size_t max, struct bag **ret_bag);
void bag_free(struct bag *bag);		/* NULL is allowed */

/* Put a copy of *item into it; *ret_first (may be NULL) tells whether it was empty,
 * so that bag_take() should be called soon. Any thread. Returns 0; -ENOSPC: full;
 * -ESHUTDOWN: closed. */
int bag_put(struct bag *bag, const void *item, bool *ret_first);

/* Take all there are, in order. They are valid until the next call. Returns their
 * number. One thread only. */
size_t bag_take(struct bag *bag, const void **ret_items);

/* When this returns nothing more comes in; what is there can still be taken. */
void bag_close(struct bag *bag);

#endif
