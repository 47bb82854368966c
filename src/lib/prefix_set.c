/* A set of prefixes.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/prefix_set.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/array.h"

/* A prefix is stored as a range. Sealed ranges are sorted and do not overlap, so bisection
 * finds the only one that can contain an address. */
struct range {
	struct addr first;
	struct addr last;
};

struct prefix_set {
	struct range *ranges;
	size_t count;
};

int prefix_set_new(struct prefix_set **ret_set)
{
	struct prefix_set *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	*ret_set = set;
	return 0;
}

void prefix_set_free(struct prefix_set *set)
{
	if (!set)
		return;
	free(set->ranges);
	free(set);
}

int prefix_set_add(struct prefix_set *set, const struct cidr *cidr)
{
	struct range *range = array_add(&set->ranges, &set->count);

	if (!range)
		return -ENOMEM;
	range->first = cidr->net;
	range->last = cidr_last(cidr);
	return 0;
}

/* Sort by start. Of two ranges with the same start the larger one, which contains the other,
 * comes first. */
static int range_compare(const void *a, const void *b)
{
	const struct range *ra = a, *rb = b;
	int r = addr_compare(&ra->first, &rb->first);

	return r != 0 ? r : addr_compare(&rb->last, &ra->last);
}

void prefix_set_seal(struct prefix_set *set)
{
	size_t i, kept = 0;

	if (set->count == 0)
		return;
	qsort(set->ranges, set->count, sizeof(*set->ranges), range_compare);
	for (i = 1; i < set->count; i++) {
		struct range *last = &set->ranges[kept];

		/* Prefixes nest or are disjoint: one that starts within the range before it
		 * is contained in it. */
		if (addr_compare(&set->ranges[i].first, &last->last) <= 0)
			continue;
		set->ranges[++kept] = set->ranges[i];
	}
	set->count = kept + 1;
}

/* Does any range contain an address of first..last? */
static bool overlaps(const struct prefix_set *set, const struct addr *first,
		     const struct addr *last)
{
	size_t low = 0, high = set ? set->count : 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (addr_compare(last, &set->ranges[mid].first) < 0)
			high = mid;
		else if (addr_compare(first, &set->ranges[mid].last) > 0)
			low = mid + 1;
		else
			return true;
	}
	return false;
}

bool prefix_set_is_empty(const struct prefix_set *set)
{
	return !set || set->count == 0;
}

bool prefix_set_contains(const struct prefix_set *set, const struct addr *addr)
{
	return overlaps(set, addr, addr);
}

bool prefix_set_overlaps(const struct prefix_set *set, const struct cidr *cidr)
{
	const struct addr last = cidr_last(cidr);

	return overlaps(set, &cidr->net, &last);
}
