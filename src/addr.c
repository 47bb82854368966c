/* One IP address: parsed, printed, compared.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* How courier, and everybody else, writes what goes before a mapped address. */
static const char mapped_text[] = "::ffff:";

static const uint8_t mapped_prefix[12] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
};

/* ::ffff:a.b.c.d is the IPv4 address, see the header. */
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

/* One number of an IPv4 address: 0 to 255, without leading zeros. Returns what is
 * behind it; NULL: it is none. */
static const char *take_byte(const char *at, const char *end, uint8_t *ret_byte)
{
	const char *start = at;
	unsigned int n = 0;

	while (at < end && at < start + 3 && *at >= '0' && *at <= '9')
		n = n * 10 + (unsigned int)(*at++ - '0');
	if (at == start || n > 255 || (*start == '0' && at > start + 1))
		return NULL;
	*ret_byte = (uint8_t)n;
	return at;
}

/* As inet_pton(3), by which it is tested; but that is asked for IPv6 first and last
 * where an address is mapped, and takes 700 instructions for it. */
static bool parse_ipv4(const char *text, size_t len, uint8_t ret_bytes[static 4])
{
	const char *at = text, *end = text + len;
	uint8_t bytes[4];
	int i;

	for (i = 0; i < 4; i++) {
		if (i > 0 && (at == end || *at++ != '.'))
			return false;
		at = take_byte(at, end, &bytes[i]);
		if (!at)
			return false;
	}
	if (at != end)
		return false;
	memcpy(ret_bytes, bytes, sizeof(bytes));
	return true;
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
	const size_t skip = sizeof(mapped_text) - 1;
	struct addr addr = { .family = ADDR_IPV4 };

	if (parse_ipv4(text, len, addr.bytes) ||
	    (len > skip && memcmp(text, mapped_text, skip) == 0 &&
	     parse_ipv4(text + skip, len - skip, addr.bytes))) {
		*ret_addr = addr;
		return 0;
	}
	return len > 0 && parse_ipv6(text, len, ret_addr) ? 0 : -EINVAL;
}

static char *put_byte(char *to, unsigned int byte)
{
	if (byte >= 100)
		*to++ = (char)('0' + byte / 100);
	if (byte >= 10)
		*to++ = (char)('0' + byte / 10 % 10);
	*to++ = (char)('0' + byte % 10);
	return to;
}

/* inet_ntop(3) goes through sprintf(3): 1,700 instructions, a third of a block's. */
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

unsigned int addr_bits(const struct addr *addr)
{
	return addr->family == ADDR_IPV4 ? 32 : 128;
}

static bool ipv4_is_peer(const uint8_t *b)
{
	return b[0] != 0 && b[0] != 127 && b[0] < 224;
}

static bool ipv6_is_peer(const uint8_t *b)
{
	static const uint8_t zeros[15];

	if (b[0] == 0xff)
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
