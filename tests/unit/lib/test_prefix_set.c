/* A set of prefixes that answers whether an address lies in it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/prefix_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

#define PREFIXES_MAX 8
#define ADDRS_MAX 12

/* What the model below seldom meets. */
static const struct set_row {
	const char *label;
	const char *prefixes[PREFIXES_MAX];
	const char *in[ADDRS_MAX], *out[ADDRS_MAX];
} set_rows[] = {
	{ "empty", { NULL }, { NULL }, { "192.0.2.7", "::", "0.0.0.0" } },
	{ "one host", { "192.0.2.7" }, { "192.0.2.7", "::ffff:192.0.2.7" },
	  { "192.0.2.6", "192.0.2.8", "::c000:207" } },
	{ "both ends of a prefix", { "192.0.2.64/26" },
	  { "192.0.2.64", "192.0.2.100", "192.0.2.127" }, { "192.0.2.63", "192.0.2.128" } },
	{ "all of IPv4 is nothing of IPv6", { "0.0.0.0/0" },
	  { "0.0.0.0", "192.0.2.7", "255.255.255.255" },
	  { "::", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" } },
	{ "all of IPv6 is nothing of IPv4", { "::/0" },
	  { "::", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	  { "0.0.0.0", "192.0.2.7", "255.255.255.255" } },
	{ "nested, then one behind it",
	  { "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "11.0.0.0/24" },
	  { "10.255.0.0", "11.0.0.255" }, { "11.0.1.0" } },
	{ "neighbours", { "10.0.0.0/25", "10.0.0.128/25" },
	  { "10.0.0.0", "10.0.0.127", "10.0.0.128", "10.0.0.255" },
	  { "10.0.1.0", "9.255.255.255" } },
};

static struct addr addr_of(const char *text)
{
	struct addr addr = { 0 };

	want_int(addr_parse(text, strlen(text), &addr), 0);
	return addr;
}

static void add_text(struct prefix_set *list, const char *text)
{
	struct cidr cidr = { 0 };

	want_int(cidr_parse(text, strlen(text), &cidr), 0);
	want_int(prefix_set_add(list, &cidr), 0);
}

static void want_contains(const struct prefix_set *list, const char *text, bool want)
{
	const struct addr addr = addr_of(text);

	if (prefix_set_contains(list, &addr) == want)
		return;
	print_message("# %s: got %s, want %s\n", text, want ? "out" : "in", want ? "in" : "out");
	fail();
}

TEST_ROWS(set, set_rows)
{
	struct prefix_set *list;
	size_t i;

	want_int(prefix_set_new(&list), 0);
	for (i = 0; i < PREFIXES_MAX && row->prefixes[i]; i++)
		add_text(list, row->prefixes[i]);
	prefix_set_seal(list);
	for (i = 0; i < ADDRS_MAX && row->in[i]; i++)
		want_contains(list, row->in[i], true);
	for (i = 0; i < ADDRS_MAX && row->out[i]; i++)
		want_contains(list, row->out[i], false);
	prefix_set_free(list);
}

static const struct overlap_row {
	const char *label, *asked;
	bool want;
} overlap_rows[] = {
	/* Of { 10.1.0.0/16, 192.0.2.7, 2001:db8::/48 } */
	{ "the same", "10.1.0.0/16", true },
	{ "a part of it", "10.1.2.0/24", true },
	{ "its last address", "10.1.255.255", true },
	{ "it is a part", "10.0.0.0/8", true },
	{ "the one behind", "10.2.0.0/16", false },
	{ "a host", "192.0.2.7", true },
	{ "the least around a host", "192.0.2.6/31", true },
	{ "all of IPv4", "0.0.0.0/0", true },
	{ "all of IPv6", "::/0", true },
	{ "the bytes of an IPv4 prefix", "a01::/16", false },
};

static bool overlaps(const struct prefix_set *list, const char *text)
{
	struct cidr cidr = { 0 };
	int r = cidr_parse(text, strlen(text), &cidr);

	want_int(r == 0 || r == -EDOM, true);
	return prefix_set_overlaps(list, &cidr);
}

TEST_ROWS(overlap, overlap_rows)
{
	struct prefix_set *list;

	want_int(prefix_set_new(&list), 0);
	want_int(overlaps(list, row->asked), false);
	add_text(list, "2001:db8::/48");
	add_text(list, "192.0.2.7");
	add_text(list, "10.1.0.0/16");
	prefix_set_seal(list);
	want_int(overlaps(list, row->asked), row->want);
	prefix_set_free(list);
}

TEST(no_set_contains_nothing)
{
	want_contains(NULL, "192.0.2.7", false);
	want_int(overlaps(NULL, "0.0.0.0/0"), false);
	prefix_set_free(NULL);
}

TEST(empty_is_sealed)
{
	struct prefix_set *list;

	want_int(prefix_set_new(&list), 0);
	want_contains(list, "192.0.2.7", false);
	prefix_set_free(list);
}

/* Later additions count once the set is sealed again. */
TEST(sealed_again)
{
	struct prefix_set *list;

	want_int(prefix_set_new(&list), 0);
	add_text(list, "10.0.0.0/8");
	add_text(list, "10.1.0.0/16");
	prefix_set_seal(list);
	prefix_set_seal(list);
	want_contains(list, "10.1.0.1", true);
	add_text(list, "9.0.0.0/8");
	add_text(list, "10.0.0.0/7");
	prefix_set_seal(list);
	want_contains(list, "9.1.1.1", true);
	want_contains(list, "10.1.0.1", true);
	want_contains(list, "11.255.255.255", true);
	want_contains(list, "12.0.0.0", false);
	prefix_set_free(list);
}

/* The set against a plain search through the prefixes. */

#define MODEL_MAX 200

static bool lies_in(const struct cidr *cidr, const struct addr *addr)
{
	struct addr net;

	if (cidr->net.family != addr->family)
		return false;
	net = cidr_mask(addr, cidr->prefix);
	return addr_compare(&net, &cidr->net) == 0;
}

static bool model_contains(const struct cidr *all, size_t count, const struct addr *addr)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (lies_in(&all[i], addr))
			return true;
	return false;
}

static bool model_overlaps(const struct cidr *all, size_t count, const struct cidr *cidr)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (all[i].prefix < cidr->prefix ? lies_in(&all[i], &cidr->net) :
						   lies_in(cidr, &all[i].net))
			return true;
	return false;
}

/* Few different bits, so that prefixes nest and meet often. */
static struct addr random_addr(uint64_t *seed)
{
	struct addr addr = { .family = ADDR_IPV4 };
	unsigned int i;

	if (support_random(seed) % 2)
		addr.family = ADDR_IPV6;
	for (i = 0; i < addr_bits(&addr) / 8; i++)
		addr.bytes[i] = support_random(seed) % 3 ? 0 :
			(uint8_t)(support_random(seed) & 0xc1);
	return addr;
}

static struct cidr random_cidr(uint64_t *seed)
{
	const struct addr addr = random_addr(seed);
	unsigned int prefix;

	prefix = (unsigned int)(support_random(seed) % (addr_bits(&addr) + 1));
	return (struct cidr){ .net = cidr_mask(&addr, prefix),
			      .prefix = (uint8_t)prefix };
}

/* Look up both ends of a prefix and the addresses next to them. */
static void compare_at(const struct prefix_set *list, const struct cidr *all, size_t count,
		       struct addr addr)
{
	unsigned int last = addr_bits(&addr) / 8 - 1;
	int step;

	addr.bytes[last]--;
	for (step = 0; step < 3; step++, addr.bytes[last]++) {
		char buf[ADDR_TEXT_SIZE];

		want_contains(list, addr_format(&addr, buf), model_contains(all, count, &addr));
	}
}

static const uint64_t seeds[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };

TEST_ROWS_AS(model, seeds, "seed %ju", (uintmax_t)*row)
{
	uint64_t seed = *row;
	size_t count = (size_t)(support_random(&seed) % MODEL_MAX), i;
	struct cidr all[MODEL_MAX];
	struct prefix_set *list;

	want_int(prefix_set_new(&list), 0);
	for (i = 0; i < count; i++) {
		all[i] = random_cidr(&seed);
		/* Short ones would contain nearly everything. */
		if (i > 2 && all[i].prefix < 8)
			all[i].prefix = (uint8_t)addr_bits(&all[i].net);
		want_int(prefix_set_add(list, &all[i]), 0);
	}
	prefix_set_seal(list);
	for (i = 0; i < count; i++) {
		compare_at(list, all, count, all[i].net);
		compare_at(list, all, count, cidr_last(&all[i]));
	}
	for (i = 0; i < 500; i++) {
		const struct cidr cidr = random_cidr(&seed);

		compare_at(list, all, count, cidr.net);
		want_int(prefix_set_overlaps(list, &cidr), model_overlaps(all, count, &cidr));
	}
	prefix_set_free(list);
}

/* Memory for the set, and for the next prefix when the room is used up. */
static int grow(void *data)
{
	struct prefix_set *list = NULL;
	struct cidr cidr;
	unsigned int i;
	int r;

	(void)data;
	want_int(cidr_parse("10.0.0.0", 8, &cidr), 0);
	r = prefix_set_new(&list);
	for (i = 0; i < 1000 && r == 0; i++) {
		cidr.net.bytes[2] = (uint8_t)(i / 250);
		cidr.net.bytes[3] = (uint8_t)(i % 250);
		r = prefix_set_add(list, &cidr);
	}
	if (r < 0 && list) {
		/* Contained addresses stay contained. */
		prefix_set_seal(list);
		want_contains(list, "10.0.0.15", i > 16);
		want_contains(list, "10.0.0.16", i > 17);
		/* And there is memory again. */
		want_int(prefix_set_add(list, &cidr), 0);
	}
	prefix_set_free(list);
	return r;
}

TEST(memory)
{
	assert_in_range(memory_fail_each(grow, NULL), 2, 100);
}

/* The cost of a lookup in comparisons of two addresses, as times would be flaky. Bisection
 * makes at most two per step. */
static unsigned int comparisons;

int __real_addr_compare(const struct addr *a, const struct addr *b);
int __wrap_addr_compare(const struct addr *a, const struct addr *b);

int __wrap_addr_compare(const struct addr *a, const struct addr *b)
{
	comparisons++;
	return __real_addr_compare(a, b);
}

static const struct cost_row {
	const char *label;
	uint32_t count;
	unsigned int most;
} cost_rows[] = {
	{ "1 entry", 1, 2 },
	{ "10 entries", 10, 8 },
	{ "1,000 entries", 1000, 20 },
	{ "100,000 entries", 100000, 34 },
};

static struct addr number_addr(uint32_t n)
{
	return (struct addr){ .family = ADDR_IPV4,
			      .bytes = { 10, (uint8_t)(n >> 16),
					 (uint8_t)(n >> 8), (uint8_t)n } };
}

/* Every other address of 10.0.0.0/8, so that none can be merged. */
static struct prefix_set *every_other(uint32_t count)
{
	struct prefix_set *list;
	uint32_t i;

	want_int(prefix_set_new(&list), 0);
	for (i = 0; i < count; i++) {
		const struct cidr host = { .net = number_addr(2 * i),
					   .prefix = 32 };

		want_int(prefix_set_add(list, &host), 0);
	}
	prefix_set_seal(list);
	return list;
}

static unsigned int cost_of(const struct prefix_set *list, uint32_t n)
{
	const struct addr addr = number_addr(n);

	comparisons = 0;
	want_int(prefix_set_contains(list, &addr), n % 2 == 0);
	return comparisons;
}

TEST_ROWS(cost, cost_rows)
{
	struct prefix_set *list = every_other(row->count);
	unsigned int most = 0, n;
	uint32_t i;

	for (i = 0; i < 2 * row->count; i++) {
		n = cost_of(list, i);
		most = n > most ? n : most;
	}
	want_int(most <= row->most, true);
	/* The comparisons do come by here. */
	want_int(most > 0, true);
	prefix_set_free(list);
}
