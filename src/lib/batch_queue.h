/* A bounded queue of items of one size, from many threads to one.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BATCH_QUEUE_H
#define SMTPBLOCK_BATCH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

/* Allocates all memory at the start. */
struct batch_queue;

/* A queue for up to max items of item_size bytes. Returns 0 and the caller owns *ret_queue;
 * -ENOMEM. */
int batch_queue_new(size_t item_size, size_t max, struct batch_queue **ret_queue);
void batch_queue_free(struct batch_queue *queue); /* NULL is allowed */

/* Append a copy of *item. *ret_first is set to whether the queue was empty, so that the
 * caller can wake the reader; ret_first may be NULL. Any thread. Returns 0; -ENOSPC: full. */
int batch_queue_put(struct batch_queue *queue, const void *item, bool *ret_first);

/* Take all items, in order. They are valid until the next call. Returns their number. One
 * thread only. */
size_t batch_queue_take(struct batch_queue *queue, const void **ret_items);

#endif
