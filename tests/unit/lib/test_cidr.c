/* One prefix, as written in an allow list or masked for a block.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/cidr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

static const struct parse_row {
	const char *label, *text;
	int want;
	const char *format;	/* of the result; NULL: untouched */
} parse_rows[] = {
	{ "IPv4 prefix", "192.0.2.0/24", 0, "192.0.2.0/24" },
	{ "IPv6 prefix", "2001:db8::/32", 0, "2001:db8::/32" },
	{ "IPv4 host", "192.0.2.7", 0, "192.0.2.7/32" },
	{ "IPv6 host", "2001:db8::7", 0, "2001:db8::7/128" },
	{ "mapped host", "::ffff:192.0.2.7", 0, "192.0.2.7/32" },
	{ "all of IPv4", "0.0.0.0/0", 0, "0.0.0.0/0" },
	{ "all of IPv6", "::/0", 0, "::/0" },
	{ "highest IPv4 prefix", "192.0.2.7/32", 0, "192.0.2.7/32" },
	{ "highest IPv6 prefix", "2001:db8::7/128", 0, "2001:db8::7/128" },
	{ "not on a byte's end", "192.0.2.128/25", 0, "192.0.2.128/25" },
	{ "IPv6, not on a byte's end", "2001:db8:8000::/33", 0, "2001:db8:8000::/33" },
	{ "longest text", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", 0,
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
	{ "host bits", "10.0.0.1/8", -EDOM, "10.0.0.0/8" },
	{ "one host bit, the lowest", "192.0.2.1/31", -EDOM, "192.0.2.0/31" },
	{ "one host bit, the highest", "192.0.2.64/25", -EDOM, "192.0.2.0/25" },
	{ "host bits under 0", "128.0.0.0/0", -EDOM, "0.0.0.0/0" },
	{ "IPv6 host bits", "2001:db8::1/64", -EDOM, "2001:db8::/64" },
	{ "IPv6 host bit next to the prefix", "2001:db8:0:0:8000::/64", -EDOM, "2001:db8::/64" },
	{ "IPv4 too long", "192.0.2.0/33", -ERANGE, NULL },
	{ "IPv4 as long as IPv6", "192.0.2.0/128", -ERANGE, NULL },
	{ "IPv6 too long", "2001:db8::/129", -ERANGE, NULL },
	{ "mapped, with the length of IPv6", "::ffff:192.0.2.0/120", -ERANGE, NULL },
	{ "256, which is 0 in a byte", "192.0.2.0/256", -ERANGE, NULL },
	{ "999", "2001:db8::/999", -ERANGE, NULL },
	{ "host bits and too long", "192.0.2.7/33", -ERANGE, NULL },
};

static void want_parsed(const char *text, int want, const char *format)
{
	char *copy = support_exact_copy(text, strlen(text)), buf[CIDR_TEXT_SIZE];
	struct cidr got, untouched;

	memset(&untouched, 0xa5, sizeof(untouched));
	got = untouched;
	want_int(cidr_parse(copy, strlen(text), &got), want);
	free(copy);
	if (format)
		want_str(cidr_format(&got, buf), format);
	else
		want_mem(&got, &untouched, sizeof(got));
}

TEST_ROWS(parse, parse_rows)
{
	want_parsed(row->text, row->want, row->format);
}

static const char *const no_cidrs[] = {
	"", "/", "/24", "192.0.2.0/", "192.0.2.0//24", "192.0.2.0/24/24", "192.0.2.0/255.255.255.0",
	"192.0.2.0/0024", "192.0.2.0/4294967320", "192.0.2.0/-1", "192.0.2.0/+24", "192.0.2.0/ 24",
	"192.0.2.0/24 ", "192.0.2.0 /24", "192.0.2.0/0x8", "192.0.2.0/2/", "192.0.2.0/2:", "10/8",
	"010.0.0.0/8", "fe80::%eth0/64", "mx.example/24",
	"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555/128",
};

TEST_ROWS_AS(no_cidr, no_cidrs, "%s", *row)
{
	want_parsed(*row, -EINVAL, NULL);
}

TEST(parse_stops_at_len)
{
	char buf[CIDR_TEXT_SIZE];
	struct cidr got;

	want_int(cidr_parse("10.0.0.0/80", 10, &got), 0);
	want_str(cidr_format(&got, buf), "10.0.0.0/8");
	want_int(cidr_parse("10.0.0.0/8", 8, &got), 0);
	want_str(cidr_format(&got, buf), "10.0.0.0/32");
}

TEST(format_returns_its_buffer)
{
	const struct cidr all = { .net = { .family = ADDR_IPV6 } };
	char buf[CIDR_TEXT_SIZE];

	memset(buf, 'x', sizeof(buf));
	want_int(cidr_format(&all, buf) == buf, true);
	want_str(buf, "::/0");
}

static bool bit_of(const struct addr *addr, unsigned int bit)
{
	return (addr->bytes[bit / 8] >> (7 - bit % 8)) & 1;
}

/* Bit by bit: within the prefix as it was, behind it 0 in the network and 1 in
 * its last address. */
static void mask_and_last(const struct addr *addr)
{
	unsigned int prefix, bit;

	for (prefix = 0; prefix <= addr_bits(addr); prefix++) {
		const struct cidr cidr = { .net = cidr_mask(addr, prefix),
					   .prefix = (uint8_t)prefix };
		const struct addr last = cidr_last(&cidr);

		want_int(cidr.net.family, addr->family);
		want_int(last.family, addr->family);
		for (bit = 0; bit < 128; bit++) {
			bool in = bit < prefix, host = bit < addr_bits(addr);

			want_int(bit_of(&cidr.net, bit), in && bit_of(addr, bit));
			want_int(bit_of(&last, bit), in ? bit_of(addr, bit) : host);
		}
	}
}

static const char *const masked[] = {
	"0.0.0.0", "255.255.255.255", "170.85.170.85",
	"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5555:aaaa:5555:aaaa:5555:aaaa:5555:aaaa",
};

TEST_ROWS_AS(mask, masked, "%s", *row)
{
	struct addr addr;

	want_int(addr_parse(*row, strlen(*row), &addr), 0);
	mask_and_last(&addr);
}

static const struct contains_row {
	const char *label, *net, *addr;
	bool want;
} contains_rows[] = {
	{ "the first", "192.0.2.0/24", "192.0.2.0", true },
	{ "the last", "192.0.2.0/24", "192.0.2.255", true },
	{ "the next", "192.0.2.0/24", "192.0.3.0", false },
	{ "one address", "192.0.2.7/32", "192.0.2.7", true },
	{ "another", "192.0.2.7/32", "192.0.2.6", false },
	{ "all of IPv4, but no IPv6", "0.0.0.0/0", "::", false },
	{ "IPv6", "2001:db8::/64", "2001:db8::ffff:1", true },
	{ "IPv6, outside", "2001:db8::/64", "2001:db8:0:1::", false },
};

TEST_ROWS(contains, contains_rows)
{
	struct cidr net;
	struct addr addr;

	want_int(cidr_parse(row->net, strlen(row->net), &net), 0);
	want_int(addr_parse(row->addr, strlen(row->addr), &addr), 0);
	want_int(cidr_contains(&net, &addr), row->want);
}
