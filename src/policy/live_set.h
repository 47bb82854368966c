/* A set of prefixes that one thread replaces while others look up: what is read at start
 * and changes at run time, such as allowFile.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_LIVE_SET_H
#define SMTPBLOCK_LIVE_SET_H

#include <pthread.h>
#include <stdatomic.h>

#include "lib/prefix_set.h"

struct live_set {
	pthread_mutex_t lock;	/* of what follows; private */
	atomic_bool empty;	/* read without the lock: saves most lookups the lock */
	struct prefix_set *set;
};

/* The set is empty. */
void live_set_init(struct live_set *live_set);
void live_set_done(struct live_set *live_set);

/* Takes set over, which must be sealed, and frees the one before. One thread at a time. */
void live_set_replace(struct live_set *live_set, struct prefix_set *set);

/* As prefix_set_contains() and prefix_set_overlaps(). Any thread. */
bool live_set_contains(struct live_set *live_set, const struct addr *addr);
bool live_set_overlaps(struct live_set *live_set, const struct cidr *cidr);

#endif
