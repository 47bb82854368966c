/* A prefix (network), as in an allow list, or a block with a mask.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/cidr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The bits of byte i that are within the prefix. */
static uint8_t mask_byte(unsigned int prefix, unsigned int i)
{
	unsigned int first = i * 8;

	if (prefix >= first + 8)
		return 0xff;
	if (prefix <= first)
		return 0;
	return (uint8_t)(0xff00U >> (prefix - first));
}

struct addr cidr_mask(const struct addr *addr, unsigned int prefix)
{
	struct addr net = *addr;
	unsigned int i;

	for (i = prefix / 8; i < addr_bits(addr) / 8; i++)
		net.bytes[i] &= mask_byte(prefix, i);
	return net;
}

bool cidr_contains(const struct cidr *cidr, const struct addr *addr)
{
	struct addr net;

	if (addr->family != cidr->net.family)
		return false;
	net = cidr_mask(addr, cidr->prefix);
	return addr_equal(&net, &cidr->net);
}

struct addr cidr_last(const struct cidr *cidr)
{
	struct addr last = cidr->net;
	unsigned int i;

	for (i = cidr->prefix / 8U; i < addr_bits(&last) / 8; i++)
		last.bytes[i] |= (uint8_t)~mask_byte(cidr->prefix, i);
	return last;
}

/* Parse text[0..len), which must be a decimal number of one to three digits. */
static int parse_prefix(const char *text, size_t len, unsigned int *ret_prefix)
{
	unsigned int n = 0;
	size_t i;

	if (len == 0 || len > 3)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		n = n * 10 + (unsigned int)(text[i] - '0');
	}
	*ret_prefix = n;
	return 0;
}

int cidr_parse(const char *text, size_t len, struct cidr *ret_cidr)
{
	const char *slash = memchr(text, '/', len);
	size_t addr_len = slash ? (size_t)(slash - text) : len;
	struct addr addr;
	unsigned int prefix;
	int r;

	r = addr_parse(text, addr_len, &addr);
	if (r < 0)
		return r;
	prefix = addr_bits(&addr);
	if (slash)
		r = parse_prefix(slash + 1, len - addr_len - 1, &prefix);
	if (r < 0)
		return r;
	if (prefix > addr_bits(&addr))
		return -ERANGE;
	ret_cidr->net = cidr_mask(&addr, prefix);
	ret_cidr->prefix = (uint8_t)prefix;
	return addr_compare(&ret_cidr->net, &addr) == 0 ? 0 : -EDOM;
}

char *cidr_format(const struct cidr *cidr, char buf[static CIDR_TEXT_SIZE])
{
	char text[ADDR_TEXT_SIZE];

	snprintf(buf, CIDR_TEXT_SIZE, "%s/%u", addr_format(&cidr->net, text),
		 (unsigned int)cidr->prefix);
	return buf;
}
