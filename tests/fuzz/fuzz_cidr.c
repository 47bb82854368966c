/* Addresses, prefixes and lists of them. Input: one per line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/prefix_set.h"

#define PREFIXES_MAX 64

struct prefixes {
	struct cidr all[PREFIXES_MAX];
	size_t count;
};

static bool bit(const struct addr *addr, unsigned int i)
{
	return addr->bytes[i / 8] & (0x80 >> (i % 8));
}

/* A second implementation, bit by bit: is addr in the prefix? */
static bool lies_in(const struct addr *addr, const struct cidr *cidr)
{
	unsigned int i;

	if (addr->family != cidr->net.family)
		return false;
	for (i = 0; i < cidr->prefix; i++)
		if (bit(addr, i) != bit(&cidr->net, i))
			return false;
	return true;
}

/* Network and last address have the same prefix, followed by zeros and by ones. */
static void check_bounds(const struct cidr *cidr)
{
	struct addr last = cidr_last(cidr), masked;
	unsigned int i;

	FUZZ_CHECK(last.family == cidr->net.family);
	for (i = 0; i < addr_bits(&last); i++) {
		if (i < cidr->prefix)
			FUZZ_CHECK(bit(&last, i) == bit(&cidr->net, i));
		else
			FUZZ_CHECK(bit(&last, i) && !bit(&cidr->net, i));
	}
	for (i = addr_bits(&last) / 8; i < sizeof(last.bytes); i++)
		FUZZ_CHECK(last.bytes[i] == 0 && cidr->net.bytes[i] == 0);
	masked = cidr_mask(&last, cidr->prefix);
	FUZZ_CHECK(addr_compare(&masked, &cidr->net) == 0);
	FUZZ_CHECK(addr_compare(&cidr->net, &last) <= 0);
}

static void check_text(const struct cidr *cidr)
{
	char text[CIDR_TEXT_SIZE];
	struct cidr again;

	cidr_format(cidr, text);
	FUZZ_CHECK(memchr(text, '\0', sizeof(text)));
	FUZZ_CHECK(cidr_parse(text, strlen(text), &again) == 0);
	FUZZ_CHECK(again.prefix == cidr->prefix);
	FUZZ_CHECK(addr_compare(&again.net, &cidr->net) == 0);
}

static void check_addr(const char *text, size_t len)
{
	static const struct addr untouched = { .family = 99 };
	struct addr addr = untouched, again;
	char buf[ADDR_TEXT_SIZE];

	if (addr_parse(text, len, &addr) < 0) {
		FUZZ_CHECK(memcmp(&addr, &untouched, sizeof(addr)) == 0);
		return;
	}
	addr_format(&addr, buf);
	FUZZ_CHECK(addr_parse(buf, strlen(buf), &again) == 0);
	FUZZ_CHECK(addr_compare(&addr, &again) == 0);
	FUZZ_CHECK(addr_hash(&addr, 1) == addr_hash(&again, 1));
	/* Only what the kernel accepts: no zone, no NUL, no blank. */
	FUZZ_CHECK(!memchr(text, '%', len) && !memchr(text, '\0', len));
	FUZZ_CHECK(!memchr(text, ' ', len) && len < ADDR_TEXT_SIZE);
}

static void add(struct prefixes *p, const char *text, size_t len)
{
	struct cidr cidr;
	char *copy = fuzz_copy(text, len);
	int r = cidr_parse(copy, len, &cidr);

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ERANGE || r == -EDOM);
	check_addr(copy, len);
	if (r == 0 || r == -EDOM) {
		FUZZ_CHECK(cidr.prefix <= addr_bits(&cidr.net));
		check_bounds(&cidr);
		check_text(&cidr);
		if (p->count < PREFIXES_MAX)
			p->all[p->count++] = cidr;
	}
	free(copy);
}

static bool any_holds(const struct prefixes *p, const struct addr *addr)
{
	size_t i;

	for (i = 0; i < p->count; i += 2)
		if (lies_in(addr, &p->all[i]))
			return true;
	return false;
}

static bool any_overlaps(const struct prefixes *p, const struct cidr *cidr)
{
	size_t i;

	for (i = 0; i < p->count; i += 2)
		if (lies_in(&p->all[i].net, cidr) ||
		    lies_in(&cidr->net, &p->all[i]))
			return true;
	return false;
}

/* The neighbours of a prefix: the address before it and the one after it. */
static struct addr step(struct addr addr, int by)
{
	unsigned int i = addr_bits(&addr) / 8;

	while (i-- > 0) {
		addr.bytes[i] = (uint8_t)(addr.bytes[i] + by);
		if (addr.bytes[i] != (by > 0 ? 0 : 0xff))
			break;
	}
	return addr;
}

static void ask(const struct prefix_set *list, const struct prefixes *p, struct addr addr)
{
	FUZZ_CHECK(prefix_set_contains(list, &addr) == any_holds(p, &addr));
}

/* Every second prefix is on the list; all of them are looked up. */
static void check_list(const struct prefixes *p)
{
	struct prefix_set *list;
	size_t i;

	FUZZ_CHECK(prefix_set_new(&list) == 0);
	for (i = 0; i < p->count; i += 2)
		FUZZ_CHECK(prefix_set_add(list, &p->all[i]) == 0);
	prefix_set_seal(list);
	for (i = 0; i < p->count; i++) {
		const struct cidr *c = &p->all[i];
		struct addr last = cidr_last(c);

		ask(list, p, c->net);
		ask(list, p, last);
		ask(list, p, step(c->net, -1));
		ask(list, p, step(last, 1));
		FUZZ_CHECK(prefix_set_overlaps(list, c) == any_overlaps(p, c));
	}
	prefix_set_free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct prefixes p = { .count = 0 };
	const char *text;
	size_t len;

	while (fuzz_line(&in, &text, &len))
		add(&p, text, len);
	check_list(&p);
	return 0;
}
