/* A set of prefixes, such as the allow list or the host's own addresses.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_PREFIX_SET_H
#define SMTPBLOCK_PREFIX_SET_H

#include "lib/cidr.h"

struct prefix_set;

/* Make an empty set. Returns 0 and the caller owns *ret_set; -ENOMEM. */
int prefix_set_new(struct prefix_set **ret_set);

/* set may be NULL. */
void prefix_set_free(struct prefix_set *set);

/* Add one prefix. Returns 0; -ENOMEM with the set unchanged. No other thread may use the set.
 * Call prefix_set_seal() before the next lookup. */
int prefix_set_add(struct prefix_set *set, const struct cidr *cidr);

/* Sort and merge the prefixes. Then any thread may look up. An empty set is sealed from the
 * start. */
void prefix_set_seal(struct prefix_set *set);

/* Is the set empty or NULL? */
bool prefix_set_is_empty(const struct prefix_set *set);

/* Is addr in one of the prefixes? A NULL set has none. The cost grows with the logarithm of
 * the number of prefixes. */
bool prefix_set_contains(const struct prefix_set *set, const struct addr *addr);

/* Does any prefix of the set have an address in common with this one? set may be NULL. */
bool prefix_set_overlaps(const struct prefix_set *set, const struct cidr *cidr);

#endif
