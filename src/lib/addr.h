/* One IP address: parsed, printed, compared.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ADDR_H
#define SMTPBLOCK_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum addr_family {
	ADDR_IPV4 = 4,
	ADDR_IPV6 = 6,
};

/* An address in network byte order. Of an IPv4 address the first 4 bytes
 * count and the others are 0, so two equal addresses are equal byte by byte. */
struct addr {
	uint8_t family;		/* enum addr_family */
	uint8_t bytes[16];
};

/* Longest text of an address, terminating NUL included (INET6_ADDRSTRLEN). */
#define ADDR_TEXT_SIZE 46

/* Read an address that fills text[0..len) exactly.
 * ::ffff:a.b.c.d, which courier writes on a dual-stack socket, becomes the
 * IPv4 address: the kernel's list would take the mapped form for IPv6 and never
 * match a packet. This is the only place that does so.
 * Zones (%eth0), leading zeros and shortened IPv4 forms are refused.
 * Returns 0, or -EINVAL with *ret_addr untouched. Any thread. */
int addr_parse(const char *text, size_t len, struct addr *ret_addr);

/* Read the address that text[0..len) begins with, where that is an IPv4 address or a
 * mapped one and no digit, letter, '.' or ':' follows it: the form of nearly all that
 * courier logs. Returns its length; 0: addr_parse() has to tell. Any thread. */
size_t addr_scan(const char *text, size_t len, struct addr *ret_addr);

/* Write the address as text into buf, always terminated. Returns buf.
 * Any thread. */
char *addr_format(const struct addr *addr, char buf[static ADDR_TEXT_SIZE]);

/* Total order by family, then by bytes: <0, 0, >0. Any thread. */
int addr_compare(const struct addr *a, const struct addr *b);

/* The same, without an order and without a call. Any thread. */
static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Number of bits in an address of this family: 32 or 128. */
static inline unsigned int addr_bits(const struct addr *addr)
{
	return addr->family == ADDR_IPV4 ? 32 : 128;
}

/* Can this be the address of somebody else on the network? False for
 * unspecified, loopback, multicast, broadcast and reserved addresses
 * (RFC 1122 3.2.1.3, RFC 1112 4, RFC 4291 2.5): these are never blocked,
 * whoever names them. Any thread. */
bool addr_is_peer(const struct addr *addr);

/* A hash for tables; seed keeps a sender from choosing collisions. Any thread. */
uint64_t addr_hash(const struct addr *addr, uint64_t seed);

#endif
