/* An IP address: parse, format, compare.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* The usual form of the prefix of a mapped address, which courier writes too. */
static const char mapped_text[] = "::ffff:";

static const uint8_t mapped_prefix[12] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
};

/* Turn ::ffff:a.b.c.d into the IPv4 address: see addr_parse(). */
static void addr_unmap(struct addr *addr)
{
	uint8_t v4[4];

	if (memcmp(addr->bytes, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	memcpy(v4, addr->bytes + sizeof(mapped_prefix), sizeof(v4));
	memset(addr->bytes, 0, sizeof(addr->bytes));
	memcpy(addr->bytes, v4, sizeof(v4));
	addr->family = ADDR_IPV4;
}

static bool is_digit(const char *at, const char *end)
{
	return at < end && (unsigned char)(*at - '0') <= 9;
}

/* One number of an IPv4 address: 0 to 255, without leading zeros. Returns the position after
 * it; NULL: not a number. */
static const char *take_byte(const char *at, const char *end, uint8_t *ret_byte)
{
	unsigned int n;

	if (!is_digit(at, end))
		return NULL;
	n = (unsigned int)(*at++ - '0');
	if (is_digit(at, end) && n > 0) {
		n = n * 10 + (unsigned int)(*at++ - '0');
		if (is_digit(at, end))
			n = n * 10 + (unsigned int)(*at++ - '0');
	}
	if (n > 255)
		return NULL;
	*ret_byte = (uint8_t)n;
	return at;
}

/* Equivalent to inet_pton(3), which the test compares it with. inet_pton() would have to
 * parse a mapped address as IPv6, which takes 700 instructions. Returns the position after
 * the address; NULL: not an address. */
static const char *take_ipv4(const char *at, const char *end,
			     uint8_t ret_bytes[static 4])
{
	int i;

	for (i = 0; i < 4; i++) {
		if (i > 0 && (at == end || *at++ != '.'))
			return NULL;
		at = take_byte(at, end, &ret_bytes[i]);
		if (!at)
			return NULL;
	}
	return at;
}

/* The IPv4 address at the start of the text, mapped or not. */
static const char *take_mapped(const char *at, const char *end, struct addr *ret_addr)
{
	const size_t skip = sizeof(mapped_text) - 1;

	if ((size_t)(end - at) > skip && memcmp(at, mapped_text, skip) == 0)
		at += skip;
	*ret_addr = (struct addr){ .family = ADDR_IPV4 };
	return take_ipv4(at, end, ret_addr->bytes);
}

static bool parse_ipv6(const char *text, size_t len, struct addr *ret_addr)
{
	struct addr addr = { .family = ADDR_IPV6 };
	char copy[ADDR_TEXT_SIZE];

	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET6, copy, addr.bytes) != 1)
		return false;
	addr_unmap(&addr);
	*ret_addr = addr;
	return true;
}

int addr_parse(const char *text, size_t len, struct addr *ret_addr)
{
	struct addr addr;

	if (take_mapped(text, text + len, &addr) == text + len) {
		*ret_addr = addr;
		return 0;
	}
	return len > 0 && parse_ipv6(text, len, ret_addr) ? 0 : -EINVAL;
}

/* Could an address, or a word that looks like one, continue with this character? */
static bool is_more(char ch)
{
	return (unsigned char)(ch - '0') <= ':' - '0' || ch == '.' ||
	       (unsigned char)((ch | 0x20) - 'a') <= 'z' - 'a';
}

size_t addr_scan(const char *text, size_t len, struct addr *ret_addr)
{
	const char *end = text + len, *after;
	struct addr addr;

	after = take_mapped(text, end, &addr);
	if (!after || (after < end && is_more(*after)))
		return 0;
	*ret_addr = addr;
	return (size_t)(after - text);
}

static char *put_byte(char *to, unsigned int byte)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	unsigned int hundreds = byte / 100, rest = byte - hundreds * 100;

	if (byte < 10) {
		*to++ = (char)('0' + byte);
		return to;
	}
	if (hundreds > 0)
		*to++ = (char)('0' + hundreds);
	memcpy(to, pairs + rest * 2, 2);
	return to + 2;
}

/* inet_ntop(3) uses sprintf(3): 1,700 instructions, a third of those of a block. */
static char *format_ipv4(const uint8_t bytes[static 4], char *buf)
{
	char *to = buf;
	int i;

	for (i = 0; i < 4; i++) {
		to = put_byte(to, bytes[i]);
		*to++ = '.';
	}
	to[-1] = '\0';
	return buf;
}

int addr_of_sockaddr(const struct sockaddr *sa, struct addr *ret_addr)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct addr addr = { .family = 0 };

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		addr.family = ADDR_IPV4;
		memcpy(addr.bytes, &in.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		addr.family = ADDR_IPV6;
		memcpy(addr.bytes, &in6.sin6_addr, 16);
		addr_unmap(&addr);
	} else {
		return -EAFNOSUPPORT;
	}
	*ret_addr = addr;
	return 0;
}

char *addr_format(const struct addr *addr, char buf[static ADDR_TEXT_SIZE])
{
	if (addr->family == ADDR_IPV4)
		return format_ipv4(addr->bytes, buf);
	/* Cannot fail: the family is known and the buffer is large enough. */
	if (!inet_ntop(AF_INET6, addr->bytes, buf, ADDR_TEXT_SIZE))
		buf[0] = '\0';
	return buf;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static bool ipv4_is_peer(const uint8_t *b)
{
	return b[0] != 0 && b[0] != 127 && b[0] < 224;
}

static bool ipv6_is_peer(const uint8_t *b)
{
	static const uint8_t zeros[15];

	/* Multicast and link-local: those are the neighbours on a link, routers above all, and
	 * the list does not know the link. */
	if (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80))
		return false;
	/* :: and ::1 */
	return memcmp(b, zeros, sizeof(zeros)) != 0 || b[15] > 1;
}

bool addr_is_peer(const struct addr *addr)
{
	return addr->family == ADDR_IPV4 ? ipv4_is_peer(addr->bytes) :
					   ipv6_is_peer(addr->bytes);
}

/* One round of a 64-bit mix (the finalizer of MurmurHash3). */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

uint64_t addr_hash(const struct addr *addr, uint64_t seed)
{
	uint64_t half[2];

	memcpy(half, addr->bytes, sizeof(half));
	return mix(mix(half[0] ^ seed ^ addr->family) + half[1]);
}
