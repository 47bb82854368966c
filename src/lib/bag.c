/* Things of one size on their way from many threads to one.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/bag.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct half {
	unsigned char *items;	/* room for max */
	size_t count;
};

/* One half is filled while the other one is emptied. */
struct bag {
	size_t item_size, max;
	pthread_mutex_t lock;	/* filling, closed */
	struct half filling;
	struct half emptying;
	bool closed;
};

int bag_new(size_t item_size, size_t max, struct bag **ret_bag)
{
	struct bag *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->item_size = item_size;
	b->max = max;
	pthread_mutex_init(&b->lock, NULL);
	/* All of it now: later there is no way to do without. Pages that are never
	 * written cost nothing. */
	b->filling.items = reallocarray(NULL, max, item_size);
	b->emptying.items = reallocarray(NULL, max, item_size);
	if (!b->filling.items || !b->emptying.items) {
		bag_free(b);
		return -ENOMEM;
	}
	*ret_bag = b;
	return 0;
}

void bag_free(struct bag *bag)
{
	if (!bag)
		return;
	pthread_mutex_destroy(&bag->lock);
	free(bag->filling.items);
	free(bag->emptying.items);
	free(bag);
}

int bag_put(struct bag *bag, const void *item, bool *ret_first)
{
	struct half *half = &bag->filling;
	int r;

	pthread_mutex_lock(&bag->lock);
	r = bag->closed ? -ESHUTDOWN : half->count == bag->max ? -ENOSPC : 0;
	if (r == 0) {
		if (ret_first)
			*ret_first = half->count == 0;
		memcpy(half->items + half->count++ * bag->item_size, item,
		       bag->item_size);
	}
	pthread_mutex_unlock(&bag->lock);
	return r;
}

size_t bag_take(struct bag *bag, const void **ret_items)
{
	struct half full;

	pthread_mutex_lock(&bag->lock);
	full = bag->filling;
	bag->filling = bag->emptying;
	bag->filling.count = 0;
	bag->emptying = full;
	pthread_mutex_unlock(&bag->lock);
	*ret_items = full.items;
	return full.count;
}

void bag_close(struct bag *bag)
{
	pthread_mutex_lock(&bag->lock);
	bag->closed = true;
	pthread_mutex_unlock(&bag->lock);
}
