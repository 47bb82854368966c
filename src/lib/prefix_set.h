/* A set of prefixes that answers whether an address lies in it: the allow list,
 * the host's own addresses.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_PREFIX_SET_H
#define SMTPBLOCK_PREFIX_SET_H

#include "lib/cidr.h"

struct prefix_set;

/* An empty set. Returns 0, or -ENOMEM. The caller owns *ret_list. */
int prefix_set_new(struct prefix_set **ret_list);

/* NULL is allowed. */
void prefix_set_free(struct prefix_set *list);

/* Add one prefix. Returns 0, or -ENOMEM with the set unchanged. Not while
 * another thread reads; prefix_set_seal() must follow before the next question. */
int prefix_set_add(struct prefix_set *list, const struct cidr *cidr);

/* Sort and merge what was added: from here on any number of threads may ask.
 * An empty set is sealed from the start. */
void prefix_set_seal(struct prefix_set *list);

/* Has it no prefix? So has a NULL set. */
bool prefix_set_is_empty(const struct prefix_set *list);

/* Does addr lie in one of the prefixes? A NULL set holds nothing. The cost
 * grows with the logarithm of the number of prefixes. */
bool prefix_set_contains(const struct prefix_set *list, const struct addr *addr);

/* Do any of the prefixes and this one have an address in common? */
bool prefix_set_overlaps(const struct prefix_set *list, const struct cidr *cidr);

#endif
