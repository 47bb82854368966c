/* One IP address: parsed, printed, compared.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

#define V4(...) { .family = ADDR_IPV4, .bytes = { __VA_ARGS__ } }
#define V6(...) { .family = ADDR_IPV6, .bytes = { __VA_ARGS__ } }

static const struct good_row {
	const char *label, *text;
	struct addr want;
	const char *format;	/* NULL: text itself */
} good_rows[] = {
	{ "IPv4", "192.0.2.7", V4(192, 0, 2, 7), NULL },
	{ "lowest IPv4", "0.0.0.0", V4(0), NULL },
	{ "highest IPv4, longest text", "255.255.255.255", V4(255, 255, 255, 255), NULL },
	{ "IPv6", "2001:db8::2", V6(0x20, 0x01, 0x0d, 0xb8, [15] = 2), NULL },
	{ "unspecified IPv6", "::", V6(0), NULL },
	{ "loopback IPv6", "::1", V6([15] = 1), NULL },
	{ "IPv6 in full", "2001:db8:1:2:3:4:5:6",
	  V6(0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6), NULL },
	{ "leading zeros of a hextet", "2001:0db8:0000::0002",
	  V6(0x20, 0x01, 0x0d, 0xb8, [15] = 2), "2001:db8::2" },
	{ "capitals", "2001:DB8::ABCD",
	  V6(0x20, 0x01, 0x0d, 0xb8, [14] = 0xab, 0xcd), "2001:db8::abcd" },
	{ "longest IPv6 with hextets", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	  V6(255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255),
	  NULL },
	{ "longest IPv6 of all, 45 characters", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
	  V6(255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255),
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "mapped", "::ffff:192.0.2.7", V4(192, 0, 2, 7), "192.0.2.7" },
	{ "mapped, capitals", "::FFFF:192.0.2.7", V4(192, 0, 2, 7), "192.0.2.7" },
	{ "mapped, as hextets", "::ffff:c000:207", V4(192, 0, 2, 7), "192.0.2.7" },
	{ "mapped, in full", "0:0:0:0:0:ffff:192.0.2.7", V4(192, 0, 2, 7), "192.0.2.7" },
	{ "mapped unspecified", "::ffff:0.0.0.0", V4(0), "0.0.0.0" },
	{ "mapped loopback as hextets", "::ffff:7f00:1", V4(127, 0, 0, 1), "127.0.0.1" },
	{ "not mapped: IPv4-compatible", "::192.0.2.7", V6([12] = 192, 0, 2, 7), NULL },
	{ "not mapped: fffe", "::fffe:c000:207", V6([10] = 0xff, 0xfe, 192, 0, 2, 7), NULL },
	{ "not mapped: a bit before ffff", "1::ffff:c000:207",
	  V6([1] = 1, [10] = 0xff, 0xff, 192, 0, 2, 7), NULL },
	{ "not mapped: the bit next to ffff", "::1:ffff:c000:207",
	  V6([9] = 1, [10] = 0xff, 0xff, 192, 0, 2, 7), NULL },
	{ "translated (64:ff9b::/96)", "64:ff9b::192.0.2.7",
	  V6(0, 0x64, 0xff, 0x9b, [12] = 192, 0, 2, 7), "64:ff9b::c000:207" },
};

TEST_ROWS(parse_good, good_rows)
{
	char buf[ADDR_TEXT_SIZE], *text;
	struct addr got;

	/* Bytes outside the text must not matter. */
	memset(&got, 0xa5, sizeof(got));
	text = support_exact_copy(row->text, strlen(row->text));
	want_int(addr_parse(text, strlen(row->text), &got), 0);
	free(text);
	want_int(got.family, row->want.family);
	want_mem(got.bytes, row->want.bytes, sizeof(got.bytes));
	want_str(addr_format(&got, buf), row->format ? row->format : row->text);
}

/* A printed address is read as the same address again. */
TEST_ROWS(format_reads_back, good_rows)
{
	char buf[ADDR_TEXT_SIZE];
	struct addr again;

	memset(buf, 'x', sizeof(buf));
	want_int(addr_format(&row->want, buf) == buf, true);
	want_int(addr_parse(buf, strlen(buf), &again), 0);
	want_int(addr_compare(&again, &row->want), 0);
}

#define T(text) { text, sizeof(text) - 1 }

/* No addresses: blanks, NULs, numbers in other forms, too many or too few of them, other
 * characters, zones, ports and prefixes, and texts that are too long. */
static const struct bad {
	const char *text;
	size_t len;
} bad[] = {
	T(""), T(" "), T(" 192.0.2.7"), T("192.0.2.7 "), T("192.0.2.7\n"), T("192.0.2.7\0"),
	T("192.0.2.7\0.1"), T("2001:db8::1\0::"), T("192.0.02.7"), T("010.0.0.1"), T("00.0.0.0"),
	T("0xc0.0.2.7"), T("3221225991"), T("192.519"), T("192.0.519"), T("192.0.2.7.1"),
	T("192.0.2.256"), T("192.0.2.1000"), T("192.0.2.4294967296"), T("192.0.2.-7"),
	T("192.0.2.+7"), T("192..2.7"), T("192.0.2.7."), T(".192.0.2.7"), T("192,0,2,7"),
	T("192.0.2.0/24"), T("192.0.2.7:25"), T("[2001:db8::1]"), T("fe80::1%eth0"), T("fe80::1%2"),
	T("fe80::1%"), T("192.0.2.7%lo"), T("::ffff:192.0.02.7"), T("::ffff:192.0.2.256"),
	T("::ffff:192.0.2"), T("::ffff:192.0.2.7:"), T("2001::db8::1"), T("2001:::1"),
	T("1:2:3:4:5:6:7:8:9"), T("1:2:3:4:5:6:7"), T("2001:0db80::1"), T(":2001:db8::1"),
	T("2001:db8::1:"), T("2001:db8::g"), T(":"), T("mx.example"), T("192.0.2.7x"),
	T("192.0.2.\xd9\xa7"), T("\xff\xff\xff\xff"),
	T("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555"),
	T("0ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555"),
	T("0000000000000000000000000000000000000192.0.2.7"),
};

TEST_ROWS_AS(parse_bad, bad, "%zu", row - bad)
{
	char *text = support_exact_copy(row->text, row->len);
	struct addr got, untouched;

	memset(&untouched, 0xa5, sizeof(untouched));
	got = untouched;
	if (addr_parse(text, row->len, &got) != -EINVAL)
		fail_msg("not refused: %s", row->text);
	free(text);
	want_mem(&got, &untouched, sizeof(got));
}

/* Only the first len characters count. */
TEST(parse_stops_at_len)
{
	struct addr got;
	char buf[ADDR_TEXT_SIZE];

	want_int(addr_parse("192.0.2.77", 9, &got), 0);
	want_str(addr_format(&got, buf), "192.0.2.7");
	want_int(addr_parse("192.0.2.7,port=25", 9, &got), 0);
	want_str(addr_format(&got, buf), "192.0.2.7");
}

/* No byte but those of a neighbouring address makes another address. */
TEST(parse_any_byte)
{
	static const char text[] = "::ffff:192.0.2.7", good[] = "0123456789abcdefABCDEF.:";
	char *copy = support_exact_copy(text, strlen(text));
	char buf[ADDR_TEXT_SIZE];
	struct addr got;
	size_t at;
	int ch;

	for (at = 0; at < strlen(text); at++) {
		for (ch = 0; ch < 256; ch++) {
			copy[at] = (char)ch;
			if (addr_parse(copy, strlen(text), &got) < 0)
				continue;
			assert_non_null(memchr(good, ch, strlen(good)));
			addr_format(&got, buf);
			want_int(addr_parse(buf, strlen(buf), &got), 0);
		}
		copy[at] = text[at];
	}
	free(copy);
}

static const struct addr ordered[] = {
	V4(0), V4(0, 0, 0, 1), V4(127, 255, 255, 255), V4(128), V4(192, 0, 2, 7),
	V4(192, 0, 2, 8), V4(255, 255, 255, 255), V6(0), V6([15] = 1),
	V6([10] = 0xff, 0xff, 192, 0, 2, 7), V6(0x7f), V6(0x80), V6(0x80, [15] = 1),
};

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static size_t put_piece(char *to, uint64_t *seed)
{
	static const char *const pieces[] = {
		"0", "1", "9", "00", "01", "25", "255", "256", "99", "192", "1234", "",
		"x", "::ffff:", ":", "-1",
	};

	return (size_t)sprintf(to, "%s", pieces[support_random(seed) % COUNT_OF(pieces)]);
}

/* Nearly an IPv4 address: numbers and worse, with dots between most of them. */
static size_t make_quad(char *text, uint64_t *seed)
{
	unsigned int parts = support_random(seed) % 8 == 0 ? 5 : 4, i;
	size_t n = 0;

	text[0] = '\0';
	if (support_random(seed) % 2)
		n = (size_t)sprintf(text, "::ffff:");
	for (i = 0; i < parts; i++) {
		if (i > 0 && support_random(seed) % 16 != 0)
			text[n++] = '.';
		n += put_piece(text + n, seed);
	}
	return n;
}

static bool is_ipv4(const char *text, uint8_t bytes[static 4])
{
	return inet_pton(AF_INET, text, bytes) == 1;
}

/* Both readings agree on what is an IPv4 address, and which. */
TEST(parse_as_inet_pton)
{
	unsigned int addresses = 0, i;
	uint64_t seed = 1;

	for (i = 0; i < 100000; i++) {
		uint8_t want[16] = { 0 };
		struct addr got;
		char text[64];
		size_t n = make_quad(text, &seed);
		bool found = is_ipv4(text, want) ||
			     (strncmp(text, "::ffff:", 7) == 0 && is_ipv4(text + 7, want));

		if (!found && inet_pton(AF_INET6, text, want) == 1)
			continue;
		want_int(addr_parse(text, n, &got), found ? 0 : -EINVAL);
		if (!found)
			continue;
		addresses++;
		want_int(got.family, ADDR_IPV4);
		want_mem(got.bytes, want, sizeof(got.bytes));
	}
	want_int(addresses > 1000, true);
}

/* The result of addr_scan() at the beginning of a text. */
static const struct scan_row {
	const char *label, *text, *want;
	size_t len;		/* 0: it has none */
} scan_rows[] = {
	{ "alone", "192.0.2.7", "192.0.2.7", 9 },
	{ "mapped", "::ffff:192.0.2.7", "192.0.2.7", 16 },
	{ "a comma behind", "192.0.2.7,port=25", "192.0.2.7", 9 },
	{ "a bracket behind", "::ffff:192.0.2.7]", "192.0.2.7", 16 },
	{ "a letter behind", "192.0.2.7g", NULL, 0 },
	{ "a hexadecimal digit behind", "192.0.2.7a", NULL, 0 },
	{ "a dot behind", "192.0.2.7.", NULL, 0 },
	{ "a colon behind", "192.0.2.7:25", NULL, 0 },
	{ "four digits", "192.0.2.1000", NULL, 0 },
	{ "256", "192.0.2.256", NULL, 0 },
	{ "a zero in front", "192.0.02.7", NULL, 0 },
	{ "IPv6", "2001:db8::1", NULL, 0 },
	{ "mapped, in hexadecimal", "::ffff:c000:207", NULL, 0 },
	{ "three numbers", "192.0.2", NULL, 0 },
	{ "nothing", "", NULL, 0 },
};

TEST_ROWS(scan, scan_rows)
{
	char *text = support_exact_copy(row->text, strlen(row->text));
	struct addr got, want = { .family = 0 };

	memset(&got, 0xa5, sizeof(got));
	want_int(addr_scan(text, strlen(row->text), &got), row->len);
	if (row->want) {
		want_int(addr_parse(row->want, strlen(row->want), &want), 0);
		want_mem(&got, &want, sizeof(got));
		want_int(addr_equal(&got, &want), true);
	}
	free(text);
}

/* Every number that a part of an IPv4 address may be. */
TEST(format_as_inet_ntop)
{
	char got[ADDR_TEXT_SIZE], want[ADDR_TEXT_SIZE];
	struct addr addr = { .family = ADDR_IPV4 };
	unsigned int i, at;

	for (i = 0; i < 256 * 4; i++) {
		for (at = 0; at < 4; at++)
			addr.bytes[at] = (uint8_t)(at == i % 4 ? i / 4 : i / 4 * 7 + at);
		want_str(addr_format(&addr, got),
			 inet_ntop(AF_INET, addr.bytes, want, sizeof(want)));
	}
}

TEST(equal_is_compare)
{
	const struct addr a = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } };
	struct addr b = a;
	unsigned int i;

	want_int(addr_equal(&a, &b), true);
	for (i = 0; i < sizeof(b.bytes); i++) {
		b.bytes[i] ^= 1;
		want_int(addr_equal(&a, &b), false);
		b.bytes[i] ^= 1;
	}
	b.family = ADDR_IPV6;
	want_int(addr_equal(&a, &b), false);
}

TEST(compare_is_total_order)
{
	int a, b, count = (int)COUNT_OF(ordered);

	for (a = 0; a < count; a++)
		for (b = 0; b < count; b++)
			want_int(sign(addr_compare(&ordered[a], &ordered[b])), sign(a - b));
}

TEST(bits_of_family)
{
	const struct addr v4 = V4(192, 0, 2, 7), v6 = V6(0x20);

	want_int(addr_bits(&v4), 32);
	want_int(addr_bits(&v6), 128);
}

/* Both sides of each bound. */
static const char *const peers[] = {
	"1.0.0.0", "10.0.0.1", "126.255.255.255", "128.0.0.0", "169.254.1.1", "192.0.2.7",
	"223.255.255.255", "::2", "2001:db8::1", "2001:db8::", "8000::", "::100", "fd00::1",
	"fe7f:ffff::1", "fec0::1", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};
static const char *const no_peers[] = {
	"0.0.0.0", "::ffff:0.0.0.0", "0.255.255.255", "127.0.0.0", "127.0.0.1", "::ffff:127.0.0.1",
	"127.255.255.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.254",
	"255.255.255.255", "::ffff:255.255.255.255", "::", "::1", "fe80::", "fe80::1",
	"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::", "ff02::1",
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

static bool is_peer(const char *text)
{
	struct addr addr;

	want_int(addr_parse(text, strlen(text), &addr), 0);
	return addr_is_peer(&addr);
}

TEST_ROWS_AS(a_peer, peers, "%s", *row)
{
	want_int(is_peer(*row), true);
}

TEST_ROWS_AS(no_peer, no_peers, "%s", *row)
{
	want_int(is_peer(*row), false);
}

TEST(hash_is_the_same_for_the_same)
{
	struct addr a = V6(0x20, 1, [15] = 9), b;

	memcpy(&b, &a, sizeof(b));
	want_int(addr_hash(&a, 7) == addr_hash(&b, 7), true);
}

/* A table of 64-bit values this small has no collision by chance. */
TEST(hash_sees_every_bit)
{
	const struct addr addr = V6(0x20, 0x01, 0x0d, 0xb8, [15] = 9);
	uint64_t seen[129];
	unsigned int i, j;

	seen[128] = addr_hash(&addr, 1);
	for (i = 0; i < 128; i++) {
		struct addr other = addr;

		other.bytes[i / 8] ^= (uint8_t)(1U << (i % 8));
		seen[i] = addr_hash(&other, 1);
	}
	for (i = 0; i < 129; i++)
		for (j = 0; j < i; j++)
			want_int(seen[i] == seen[j], false);
}

TEST(hash_sees_family_and_seed)
{
	struct addr v4 = V4(192, 0, 2, 7), v6 = V6(192, 0, 2, 7);

	want_int(addr_hash(&v4, 1) == addr_hash(&v6, 1), false);
	want_int(addr_hash(&v4, 1) == addr_hash(&v4, 2), false);
}

static const struct socket_row {
	const char *label;
	sa_family_t family;
	const char *text;
	int want;
	const char *format;
} socket_rows[] = {
	{ "IPv4", AF_INET, "192.0.2.7", 0, "192.0.2.7" },
	{ "IPv6", AF_INET6, "2001:db8::2", 0, "2001:db8::2" },
	{ "IPv4 on a dual-stack socket", AF_INET6, "::ffff:192.0.2.7", 0, "192.0.2.7" },
	{ "no address of IP", AF_UNIX, NULL, -EAFNOSUPPORT, "::1" },
};

TEST_ROWS(of_sockaddr, socket_rows)
{
	struct addr addr = V6([15] = 1);
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} from = { .sa = { .sa_family = row->family } };
	char text[ADDR_TEXT_SIZE];

	if (row->family == AF_INET)
		want_int(inet_pton(AF_INET, row->text, &from.in.sin_addr), 1);
	if (row->family == AF_INET6)
		want_int(inet_pton(AF_INET6, row->text, &from.in6.sin6_addr), 1);
	want_int(addr_of_sockaddr(&from.sa, &addr), row->want);
	want_str(addr_format(&addr, text), row->format);
}

/* Addresses in a row, as a sender has them, fill a small table evenly, and
 * another seed fills it in another way. */
TEST(hash_spreads)
{
	unsigned int filled[2][64] = { { 0 } }, i, seed;
	bool differ = false;

	for (seed = 0; seed < 2; seed++) {
		for (i = 0; i < 6400; i++) {
			const struct addr addr = V4(198, 51, (uint8_t)(i >> 8), (uint8_t)i);

			filled[seed][addr_hash(&addr, seed) % 64]++;
		}
	}
	for (i = 0; i < 64; i++) {
		/* 100 each, give or take five times the standard deviation */
		want_int(filled[0][i] > 50 && filled[0][i] < 150, true);
		differ = differ || filled[0][i] != filled[1][i];
	}
	want_int(differ, true);
}
