/* A set of prefixes that answers whether an address lies in it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/prefix_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Prefixes become ranges; sealed ranges are sorted and do not overlap, so that
 * the only one that can hold an address is found by bisection. */
struct range {
	struct addr first;
	struct addr last;
};

struct prefix_set {
	struct range *ranges;
	size_t count;
	size_t room;
};

int prefix_set_new(struct prefix_set **ret_list)
{
	struct prefix_set *list = calloc(1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	*ret_list = list;
	return 0;
}

void prefix_set_free(struct prefix_set *list)
{
	if (!list)
		return;
	free(list->ranges);
	free(list);
}

static int prefix_set_grow(struct prefix_set *list)
{
	size_t room = list->room ? list->room * 2 : 16;
	struct range *ranges = reallocarray(list->ranges, room, sizeof(*ranges));

	if (!ranges)
		return -ENOMEM;
	list->ranges = ranges;
	list->room = room;
	return 0;
}

int prefix_set_add(struct prefix_set *list, const struct cidr *cidr)
{
	struct range *range;

	if (list->count == list->room && prefix_set_grow(list) < 0)
		return -ENOMEM;
	range = &list->ranges[list->count++];
	range->first = cidr->net;
	range->last = cidr_last(cidr);
	return 0;
}

/* By start; of two that start alike the larger comes first, which holds the
 * other. */
static int range_compare(const void *a, const void *b)
{
	const struct range *ra = a, *rb = b;
	int r = addr_compare(&ra->first, &rb->first);

	return r != 0 ? r : addr_compare(&rb->last, &ra->last);
}

void prefix_set_seal(struct prefix_set *list)
{
	size_t i, kept = 0;

	if (list->count == 0)
		return;
	qsort(list->ranges, list->count, sizeof(*list->ranges), range_compare);
	for (i = 1; i < list->count; i++) {
		struct range *last = &list->ranges[kept];

		/* Prefixes nest or are disjoint: one that starts within the
		 * range before it lies in it whole. */
		if (addr_compare(&list->ranges[i].first, &last->last) <= 0)
			continue;
		list->ranges[++kept] = list->ranges[i];
	}
	list->count = kept + 1;
}

/* Is there a range that has an address within first..last? */
static bool overlaps(const struct prefix_set *list, const struct addr *first,
		     const struct addr *last)
{
	size_t low = 0, high = list ? list->count : 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (addr_compare(last, &list->ranges[mid].first) < 0)
			high = mid;
		else if (addr_compare(first, &list->ranges[mid].last) > 0)
			low = mid + 1;
		else
			return true;
	}
	return false;
}

bool prefix_set_is_empty(const struct prefix_set *list)
{
	return !list || list->count == 0;
}

bool prefix_set_contains(const struct prefix_set *list, const struct addr *addr)
{
	return overlaps(list, addr, addr);
}

bool prefix_set_overlaps(const struct prefix_set *list, const struct cidr *cidr)
{
	const struct addr last = cidr_last(cidr);

	return overlaps(list, &cidr->net, &last);
}
