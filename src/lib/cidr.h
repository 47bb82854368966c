/* A prefix (network), as in an allow list, or a block with a mask.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_CIDR_H
#define SMTPBLOCK_CIDR_H

#include "lib/addr.h"

struct cidr {
	struct addr net;	/* host bits are 0 */
	uint8_t prefix;		/* 0..32 or 0..128 */
};

/* Size of the longest text of a prefix with its NUL. */
#define CIDR_TEXT_SIZE (ADDR_TEXT_SIZE + 4)

/* Parse text[0..len), which must be exactly ADDR or ADDR/PREFIX. An address alone is the
 * prefix of that one host.
 * Returns 0; -EINVAL: not an address, or no number after the slash; -ERANGE: the prefix is
 * longer than the address; -EDOM: host bits are set, and *ret_cidr is the network that was
 * probably meant, for use in a message. Other errors leave *ret_cidr untouched. Any
 * thread. */
int cidr_parse(const char *text, size_t len, struct cidr *ret_cidr);

/* Write the prefix as text with a NUL into buf. Returns buf. Any thread. */
char *cidr_format(const struct cidr *cidr, char buf[static CIDR_TEXT_SIZE]);

/* The network with this prefix length that contains addr. prefix is at most
 * addr_bits(addr). Any thread. */
struct addr cidr_mask(const struct addr *addr, unsigned int prefix);

/* Is the address in the network? Any thread. */
bool cidr_contains(const struct cidr *cidr, const struct addr *addr);

/* The highest address of the prefix; the lowest is cidr->net. Any thread. */
struct addr cidr_last(const struct cidr *cidr);

#endif
