/* A set of prefixes that answers whether an address lies in it: the allow list,
 * the host's own addresses.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ADDRLIST_H
#define SMTPBLOCK_ADDRLIST_H

#include "lib/cidr.h"

struct addrlist;

/* An empty set. Returns 0, or -ENOMEM. The caller owns *ret_list. */
int addrlist_new(struct addrlist **ret_list);

/* NULL is allowed. */
void addrlist_free(struct addrlist *list);

/* Add one prefix. Returns 0, or -ENOMEM with the set unchanged. Not while
 * another thread reads; addrlist_seal() must follow before the next question. */
int addrlist_add(struct addrlist *list, const struct cidr *cidr);

/* Sort and merge what was added: from here on any number of threads may ask.
 * An empty set is sealed from the start. */
void addrlist_seal(struct addrlist *list);

/* Has it no prefix? So has a NULL set. */
bool addrlist_is_empty(const struct addrlist *list);

/* Does addr lie in one of the prefixes? A NULL set holds nothing. The cost
 * grows with the logarithm of the number of prefixes. */
bool addrlist_contains(const struct addrlist *list, const struct addr *addr);

/* Do any of the prefixes and this one have an address in common? */
bool addrlist_overlaps(const struct addrlist *list, const struct cidr *cidr);

#endif
