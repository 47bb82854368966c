/* One prefix (network), as written in an allow list or masked for a block.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_CIDR_H
#define SMTPBLOCK_CIDR_H

#include "lib/addr.h"

struct cidr {
	struct addr net;	/* host bits are 0 */
	uint8_t prefix;		/* 0..32 or 0..128 */
};

/* Longest text of a prefix, terminating NUL included. */
#define CIDR_TEXT_SIZE (ADDR_TEXT_SIZE + 4)

/* Read ADDR or ADDR/PREFIX that fills text[0..len) exactly. An address alone
 * is the prefix of just that host.
 * Returns 0; -EINVAL: no address, or no number behind the slash; -ERANGE: the
 * prefix is longer than the address; -EDOM: host bits are set – *ret_cidr is
 * then the network that was probably meant, so that a message can offer it.
 * On the other errors *ret_cidr is untouched. Any thread. */
int cidr_parse(const char *text, size_t len, struct cidr *ret_cidr);

/* Write the prefix as text into buf, always terminated. Returns buf. */
char *cidr_format(const struct cidr *cidr, char buf[static CIDR_TEXT_SIZE]);

/* The network of this length that addr lies in. prefix is at most
 * addr_bits(addr). */
struct addr cidr_mask(const struct addr *addr, unsigned int prefix);

/* The highest address of the prefix; the lowest is cidr->net. */
struct addr cidr_last(const struct cidr *cidr);

#endif
