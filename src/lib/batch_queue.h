/* Things of one size on their way from many threads to one.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BATCH_QUEUE_H
#define SMTPBLOCK_BATCH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

/* Bounded. All memory is taken at the start. */
struct batch_queue;

/* A bag for up to max items of item_size bytes. Returns 0 or -ENOMEM. The caller
 * owns. */
int batch_queue_new(size_t item_size, size_t max, struct batch_queue **ret_bag);
void batch_queue_free(struct batch_queue *queue); /* NULL is allowed */

/* Put a copy of *item into it; *ret_first (may be NULL) tells whether it was empty,
 * so that batch_queue_take() should be called soon. Any thread. Returns 0; -ENOSPC: full;
 * -ESHUTDOWN: closed. */
int batch_queue_put(struct batch_queue *queue, const void *item, bool *ret_first);

/* Take all there are, in order. They are valid until the next call. Returns their
 * number. One thread only. */
size_t batch_queue_take(struct batch_queue *queue, const void **ret_items);

/* When this returns nothing more comes in; what is there can still be taken. */
void batch_queue_close(struct batch_queue *queue);

#endif
