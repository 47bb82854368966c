/* A bounded queue of items of one size, from many threads to one.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/batch_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct half {
	unsigned char *items;	/* room for max */
	size_t count;
};

/* Writers fill one half while the reader empties the other one. */
struct batch_queue {
	size_t item_size, max;
	pthread_mutex_t lock;	/* protects filling */
	struct half filling;
	struct half emptying;
};

int batch_queue_new(size_t item_size, size_t max, struct batch_queue **ret_queue)
{
	struct batch_queue *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->item_size = item_size;
	b->max = max;
	pthread_mutex_init(&b->lock, NULL);
	/* Allocate all of it now, as there is no way to handle a failure later. Pages that
	 * are never written take no memory. */
	b->filling.items = reallocarray(NULL, max, item_size);
	b->emptying.items = reallocarray(NULL, max, item_size);
	if (!b->filling.items || !b->emptying.items) {
		batch_queue_free(b);
		return -ENOMEM;
	}
	*ret_queue = b;
	return 0;
}

void batch_queue_free(struct batch_queue *queue)
{
	if (!queue)
		return;
	pthread_mutex_destroy(&queue->lock);
	free(queue->filling.items);
	free(queue->emptying.items);
	free(queue);
}

int batch_queue_put(struct batch_queue *queue, const void *item, bool *ret_first)
{
	struct half *half = &queue->filling;
	int r;

	pthread_mutex_lock(&queue->lock);
	r = half->count == queue->max ? -ENOSPC : 0;
	if (r == 0) {
		if (ret_first)
			*ret_first = half->count == 0;
		memcpy(half->items + half->count++ * queue->item_size, item, queue->item_size);
	}
	pthread_mutex_unlock(&queue->lock);
	return r;
}

size_t batch_queue_take(struct batch_queue *queue, const void **ret_items)
{
	struct half full;

	pthread_mutex_lock(&queue->lock);
	full = queue->filling;
	queue->filling = queue->emptying;
	queue->filling.count = 0;
	queue->emptying = full;
	pthread_mutex_unlock(&queue->lock);
	*ret_items = full.items;
	return full.count;
}
