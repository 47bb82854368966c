/* A set of prefixes that one thread replaces while others look up.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/live_set.h"

void live_set_init(struct live_set *live_set)
{
	pthread_mutex_init(&live_set->lock, NULL);
	atomic_init(&live_set->empty, true);
	live_set->set = NULL;
}

void live_set_done(struct live_set *live_set)
{
	prefix_set_free(live_set->set);
	pthread_mutex_destroy(&live_set->lock);
}

void live_set_replace(struct live_set *live_set, struct prefix_set *set)
{
	struct prefix_set *old;

	pthread_mutex_lock(&live_set->lock);
	old = live_set->set;
	live_set->set = set;
	atomic_store(&live_set->empty, prefix_set_is_empty(set));
	pthread_mutex_unlock(&live_set->lock);
	prefix_set_free(old);
}

static bool is_empty(const struct live_set *live_set)
{
	return atomic_load_explicit(&live_set->empty, memory_order_acquire);
}

bool live_set_contains(struct live_set *live_set, const struct addr *addr)
{
	bool found;

	if (is_empty(live_set))
		return false;
	pthread_mutex_lock(&live_set->lock);
	found = prefix_set_contains(live_set->set, addr);
	pthread_mutex_unlock(&live_set->lock);
	return found;
}

bool live_set_overlaps(struct live_set *live_set, const struct cidr *cidr)
{
	bool found;

	if (is_empty(live_set))
		return false;
	pthread_mutex_lock(&live_set->lock);
	found = prefix_set_overlaps(live_set->set, cidr);
	pthread_mutex_unlock(&live_set->lock);
	return found;
}
