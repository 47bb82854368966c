/* An IP address: parse, format, compare.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ADDR_H
#define SMTPBLOCK_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sockaddr;

enum addr_family {
	ADDR_IPV4 = 4,
	ADDR_IPV6 = 6,
};

/* An address in network byte order. An IPv4 address uses the first 4 bytes and the others
 * are 0, so equal addresses are equal byte by byte. */
struct addr {
	uint8_t family;		/* enum addr_family */
	uint8_t bytes[16];
};

/* Size of the longest text of an address with its NUL (INET6_ADDRSTRLEN). */
#define ADDR_TEXT_SIZE 46

/* Parse text[0..len), which must be exactly one address.
 * ::ffff:a.b.c.d, which courier writes on a dual-stack socket, becomes the IPv4 address:
 * the kernel's list would store the mapped form as IPv6, and it would never match a packet.
 * Only addr_of_sockaddr() unmaps addresses as well.
 * Zones (%eth0), leading zeros and short IPv4 forms are rejected.
 * Returns 0; -EINVAL with *ret_addr untouched. Any thread. */
int addr_parse(const char *text, size_t len, struct addr *ret_addr);

/* Parse the address at the start of text[0..len), if it is IPv4 or mapped IPv4 and no digit,
 * letter, '.' or ':' follows it. Nearly all addresses that courier logs have this form.
 * Returns its length; 0: another form, use addr_parse(). Any thread. */
size_t addr_scan(const char *text, size_t len, struct addr *ret_addr);

/* The address in a socket's address, unmapped. Returns 0; -EAFNOSUPPORT with *ret_addr
 * untouched: it is not one of IP. Any thread. */
int addr_of_sockaddr(const struct sockaddr *sa, struct addr *ret_addr);

/* Write the address as text with a NUL into buf. Returns buf. Any thread. */
char *addr_format(const struct addr *addr, char buf[static ADDR_TEXT_SIZE]);

/* Total order by family, then by bytes: <0, 0, >0. Any thread. */
int addr_compare(const struct addr *a, const struct addr *b);

/* Like addr_compare(...) == 0, but inline. Any thread. */
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

/* Can this be the address of another host on the network? False for unspecified, loopback,
 * multicast, broadcast and reserved addresses (RFC 1122 3.2.1.3, RFC 1112 4, RFC 4291 2.5),
 * and for link-local ones of IPv6.
 * These are never blocked, whatever a line says. Any thread. */
bool addr_is_peer(const struct addr *addr);

/* A hash for tables. A secret seed prevents a sender from choosing colliding addresses. Any
 * thread. */
uint64_t addr_hash(const struct addr *addr, uint64_t seed);

#endif
