/* The sets of nftables as a backend: on the kernel's own, in a namespace, and
 * with a netlink that fails.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/nftspace.h"

#define ops (&backend_nftables_ops)

/* Of each point: a backend that has its table. */
static struct backend *b;

static void open_with(const struct backend_config *c)
{
	ops->free(b);
	b = NULL;
	want_int(ops->open(c, &b), 0);
}

static struct backend *open_other(const struct backend_config *c)
{
	struct backend *other = NULL;

	want_int(ops->open(c, &other), 0);
	return other;
}

/* The same in an empty ruleset. */
static void start_with(const struct backend_config *c)
{
	nftspace_clean();
	open_with(c);
	if (nftspace_enter() == NULL) {
		want_int(ops->check(b, ADDR_IPV4), BACKEND_WRITTEN);
		want_int(ops->check(b, ADDR_IPV6), BACKEND_WRITTEN);
	}
	nftspace_sent = 0;
}

static void before(void)
{
	start_with(&nftspace_config);
}

static void after(void)
{
	ops->free(b);
	b = NULL;
	nftspace_reset();
}

TEST_EACH(before, after)

static struct addr parse(const char *text)
{
	struct addr addr;

	want_int(addr_parse(text, strlen(text), &addr), 0);
	return addr;
}

static int add_for(const char *text, int64_t stay)
{
	const struct backend_block block = { .addr = parse(text), .stay = stay };

	return ops->add(b, &block);
}

static int add(const char *text)
{
	return add_for(text, 600000);
}

/* The addresses of a set: "192.0.2.7/600", with the seconds left, rounded. */
static int write_entry(void *ctx, const struct backend_entry *entry)
{
	char *text = ctx, addr[ADDR_TEXT_SIZE];

	want_int(entry->age >= 0, true);
	sprintf(text + strlen(text), "%s%s/%d", *text ? " " : "",
		addr_format(&entry->addr, addr), (int)((entry->left + 500) / 1000));
	return 0;
}

static void want_set(int family, const char *want)
{
	char got[1024] = "";

	want_int(ops->foreach(b, family, write_entry, got), 0);
	want_str(got, want);
}

TEST_NFT(added_with_the_sets_time)
{
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	want_int(add("2001:db8::7"), BACKEND_WRITTEN);
	want_set(ADDR_IPV4, "192.0.2.7/600");
	want_set(ADDR_IPV6, "2001:db8::7/600");
}

TEST_NFT(added_for_less)
{
	want_int(add_for("192.0.2.7", 90000), BACKEND_WRITTEN);
	want_set(ADDR_IPV4, "192.0.2.7/90");
}

/* To a later end and to an earlier one. */
TEST_NFT(renewed)
{
	want_int(add_for("192.0.2.7", 90000), BACKEND_WRITTEN);
	want_int(add("192.0.2.7"), BACKEND_WRITTEN);
	want_set(ADDR_IPV4, "192.0.2.7/600");
	want_int(add_for("192.0.2.7", 90000), BACKEND_WRITTEN);
	want_set(ADDR_IPV4, "192.0.2.7/90");
}

static void many(struct backend_block *blocks, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		blocks[i] = (struct backend_block){
			.addr = { .family = ADDR_IPV4,
				  .bytes = { 10, 0, 0, (uint8_t)i } },
			.stay = 600000,
		};
}

/* "12 0" for twelve results 0. */
static void want_results(const int *results, unsigned int count, const char *want)
{
	unsigned int i, same = 0;
	char got[256] = "";

	for (i = 0; i < count; i++) {
		same++;
		if (i + 1 < count && results[i + 1] == results[i])
			continue;
		sprintf(got + strlen(got), "%s%u x %d", *got ? ", " : "", same, results[i]);
		same = 0;
	}
	want_str(got, want);
}

static size_t count_of(void)
{
	char text[65536] = "";
	size_t n = 0;
	char *at;

	want_int(ops->foreach(b, ADDR_IPV4, write_entry, text), 0);
	for (at = text; *at; at++)
		n += *at == '/';
	return n;
}

TEST_NFT(many_with_one_message)
{
	struct backend_block blocks[BACKEND_MANY];
	int results[BACKEND_MANY];

	many(blocks, BACKEND_MANY);
	blocks[3].addr = parse("2001:db8::7");
	ops->add_many(b, blocks, BACKEND_MANY, results);
	want_int(nftspace_sent, 1);
	want_results(results, BACKEND_MANY, "32 x 0");
	want_int(count_of(), BACKEND_MANY - 1);
	want_set(ADDR_IPV6, "2001:db8::7/600");
}

/* The same address twice, and one that is there and was not known. */
TEST_NFT(surprises_are_renewed)
{
	struct backend_block blocks[BACKEND_MANY];
	int results[BACKEND_MANY];

	want_int(add_for("10.0.0.9", 90000), BACKEND_WRITTEN);
	many(blocks, BACKEND_MANY);
	blocks[4] = blocks[5];
	nftspace_sent = 0;
	ops->add_many(b, blocks, BACKEND_MANY, results);
	want_int(nftspace_sent, 2);
	want_results(results, BACKEND_MANY, "32 x 0");
	want_int(count_of(), BACKEND_MANY - 1);
	want_int(nftspace_has("timeout 1m30s"), false);
}

/* An address known to be there takes one message, and may already be gone. */
TEST_NFT(known_ones_are_renewed)
{
	struct backend_block block = { .addr = parse("192.0.2.7"), .stay = 600000,
				       .known = true };

	want_int(add_for("192.0.2.7", 90000), BACKEND_WRITTEN);
	nftspace_sent = 0;
	want_int(ops->add(b, &block), BACKEND_WRITTEN);
	want_set(ADDR_IPV4, "192.0.2.7/600");
	want_int(ops->remove(b, &block.addr), 0);
	want_int(ops->add(b, &block), BACKEND_WRITTEN);
	want_set(ADDR_IPV4, "192.0.2.7/600");
	want_int(nftspace_sent < 6, true);
}

TEST_NFT(full_set_takes_no_new_one)
{
	struct backend_config c = nftspace_config;

	c.list_size = 2;
	start_with(&c);
	want_int(ops->capacity(b), 2);
	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
	want_int(add_for("192.0.2.2", 90000), BACKEND_WRITTEN);
	want_int(add("192.0.2.3"), -ENFILE);
	/* Those that are in it are renewed all the same, and the other is not
	 * full. */
	want_int(add("192.0.2.2"), BACKEND_WRITTEN);
	want_int(add("2001:db8::7"), BACKEND_WRITTEN);
	want_int(add("192.0.2.3"), -ENFILE);
	want_int(nftspace_has("192.0.2.2 expires "), true);
	want_int(nftspace_has("192.0.2.3"), false);
}

/* Of many those are written that fit. */
TEST_NFT(nearly_full_set_takes_some)
{
	struct backend_block blocks[BACKEND_MANY];
	struct backend_config c = nftspace_config;
	int results[BACKEND_MANY];

	c.list_size = 10;
	start_with(&c);
	want_int(add("10.0.0.20"), BACKEND_WRITTEN);
	want_int(add("10.0.0.31"), BACKEND_WRITTEN);
	many(blocks, BACKEND_MANY);
	/* The one is known, the other is not. */
	blocks[20].known = true;
	ops->add_many(b, blocks, BACKEND_MANY, results);
	want_results(results, BACKEND_MANY, "8 x 0, 12 x -23, 1 x 0, 10 x -23, 1 x 0");
	want_int(count_of(), 10);
}

static const struct gone_row {
	const char *label, *nft;
	int want, want6;	/* of the next additions */
} gone_rows[] = {
	{ "ruleset", "flush ruleset", BACKEND_WRITTEN_ANEW, BACKEND_WRITTEN_ANEW },
	{ "table", "delete table inet omsmtpblock", BACKEND_WRITTEN_ANEW, BACKEND_WRITTEN_ANEW },
	{ "set", "flush chain inet omsmtpblock input\\; delete set inet "
		 "omsmtpblock a", BACKEND_WRITTEN_ANEW, BACKEND_WRITTEN },
};

TEST_NFT_ROWS(missing_set_is_created, gone_rows)
{
	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
	nftspace_do("%s", row->nft);
	want_int(add("192.0.2.2"), row->want);
	want_int(add("192.0.2.3"), BACKEND_WRITTEN);
	want_int(add("2001:db8::1"), row->want6);
	want_int(nftspace_has("ip saddr @a update @a"), true);
	want_int(nftspace_has("ip6 saddr @b update @b"), true);
	want_int(nftspace_has("192.0.2.2 expires"), true);
}

TEST_NFT_ROWS(missing_set_is_noticed, gone_rows)
{
	nftspace_do("%s", row->nft);
	want_int(ops->check(b, ADDR_IPV4), row->want);
	want_int(ops->check(b, ADDR_IPV6), row->want6);
	want_int(ops->check(b, ADDR_IPV4), BACKEND_WRITTEN);
	want_int(nftspace_has("ip saddr @a update @a"), true);
}

/* The same names, but not the sets that had our addresses. */
TEST_NFT(other_set_is_noticed)
{
	struct backend *other = open_other(&nftspace_config);

	nftspace_do("flush ruleset");
	want_int(ops->check(other, ADDR_IPV4), BACKEND_WRITTEN);
	want_int(ops->check(b, ADDR_IPV4), BACKEND_WRITTEN_ANEW);
	want_int(ops->check(b, ADDR_IPV6), BACKEND_WRITTEN_ANEW);
	ops->free(other);
}

/* Only rules were lost: the list's addresses are still there. */
TEST_NFT(missing_rules_are_created)
{
	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
	nftspace_do("flush chain inet omsmtpblock input");
	want_int(ops->check(b, ADDR_IPV4), BACKEND_WRITTEN);
	want_int(nftspace_has("ip saddr @a update @a"), true);
	want_set(ADDR_IPV4, "192.0.2.1/600");
}

/* A single query if no rule was changed. */
TEST_NFT(looking_is_cheap)
{
	want_int(ops->check(b, ADDR_IPV4), BACKEND_WRITTEN);
	want_int(nftspace_sent, 1);
}

/* The first look makes the table exactly, later ones let another action's be. */
TEST_NFT(last_action_has_its_way)
{
	struct backend_config c = nftspace_config;
	struct backend *other;

	c.ban_time = 60;
	other = open_other(&c);
	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
	want_int(ops->check(other, ADDR_IPV4), BACKEND_WRITTEN);
	want_int(nftspace_has("timeout 1m\n"), true);
	want_int(nftspace_has("192.0.2.1 timeout "), true);
	/* It is another set for the first backend, which puts back what it knows. */
	want_int(ops->check(b, ADDR_IPV4), BACKEND_WRITTEN_ANEW);
	want_int(ops->check(b, ADDR_IPV4), BACKEND_WRITTEN);
	want_int(nftspace_has("timeout 1m\n"), true);
	ops->free(other);
}

TEST_NFT(blocks_outlive_the_backend)
{
	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
	open_with(&nftspace_config);
	want_int(ops->check(b, ADDR_IPV4), BACKEND_WRITTEN);
	want_set(ADDR_IPV4, "192.0.2.1/600");
}

TEST_NFT(taken_off)
{
	const struct addr one = parse("192.0.2.1"), other = parse("192.0.2.9");

	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
	want_int(ops->remove(b, &other), -ESRCH);
	want_int(ops->remove(b, &one), 0);
	want_int(ops->remove(b, &one), -ESRCH);
	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
	want_int(ops->drop(b, &other), 0);
	want_set(ADDR_IPV4, "192.0.2.1/600");
	want_int(ops->drop(b, &one), 0);
	want_set(ADDR_IPV4, "");
	nftspace_do("flush ruleset");
	want_int(ops->remove(b, &one), -ENOENT);
	want_int(nftspace_has("table"), false);
}

static void note_removed(void *ctx, const struct addr *addr)
{
	char *text = ctx, one[ADDR_TEXT_SIZE];

	sprintf(text + strlen(text), "%s ", addr_format(addr, one));
}

/* By others, not by a renewal of our own. */
TEST_NFT(removals_are_reported)
{
	const struct backend_block block = { .addr = parse("192.0.2.1"), .stay = 600000,
					     .known = true };
	char got[128] = "";

	ops->removals(b, note_removed, got);
	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
	want_int(ops->add(b, &block), BACKEND_WRITTEN);
	ops->removals(b, note_removed, got);
	want_str(got, "");
	nftspace_do("delete element inet omsmtpblock a { 192.0.2.1 }");
	ops->removals(b, note_removed, got);
	want_str(got, "192.0.2.1 ");
}

TEST_NFT(flushed)
{
	char text[64] = "";

	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
	want_int(add("192.0.2.2"), BACKEND_WRITTEN);
	want_int(add("2001:db8::1"), BACKEND_WRITTEN);
	want_int(ops->flush(b, ADDR_IPV4), 0);
	want_set(ADDR_IPV4, "");
	want_set(ADDR_IPV6, "2001:db8::1/600");
	want_int(ops->flush(b, ADDR_IPV6), 0);
	want_int(ops->flush(b, ADDR_IPV6), 0);
	want_set(ADDR_IPV6, "");
	nftspace_do("flush ruleset");
	want_int(ops->flush(b, ADDR_IPV4), -ENOENT);
	want_int(ops->foreach(b, ADDR_IPV4, write_entry, text), -ENOENT);
}

static int stop_at_once(void *ctx, const struct backend_entry *entry)
{
	(void)entry;
	return ++*(int *)ctx == 2 ? 42 : 0;
}

TEST_NFT(each_stops_on_request)
{
	int count = 0;

	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
	want_int(add("192.0.2.2"), BACKEND_WRITTEN);
	want_int(add("192.0.2.3"), BACKEND_WRITTEN);
	want_int(ops->foreach(b, ADDR_IPV4, stop_at_once, &count), 42);
	want_int(count, 2);
}

static const struct fault_row {
	const char *label;
	struct nftspace_faults faults;
	int want;
} fault_rows[] = {
	{ "no netlink", { .open_err = EAFNOSUPPORT }, -EAFNOSUPPORT },
	{ "no netlink of that kind", { .open_err = EPROTONOSUPPORT }, -EPROTONOSUPPORT },
	{ "no right", { .send_err = EPERM }, -EPERM },
	{ "lost answers", { .receive_err = ENOBUFS }, -ENOBUFS },
};

/* Any error is reported for both families, and the next call works again. */
TEST_NFT_ROWS(faults_are_reported, fault_rows)
{
	const struct addr one = parse("192.0.2.1");
	struct backend_block blocks[3];
	int results[3];

	nftspace_clean();
	open_with(&nftspace_config);
	nftspace_faults = row->faults;
	many(blocks, 3);
	want_int(ops->check(b, ADDR_IPV4), row->want);
	ops->add_many(b, blocks, 3, results);
	want_int(results[0], row->want);
	want_int(results[2], row->want);
	want_int(ops->remove(b, &one), row->want);
	want_int(ops->flush(b, ADDR_IPV4), row->want);
	nftspace_reset();
	want_int(add("192.0.2.1"), BACKEND_WRITTEN);
}

/* The kernel reports that there is no set, although there is: an address' time may end
 * in the middle of a transaction. */
static size_t vanished(const void *data, size_t size, char *buf, size_t room)
{
	const struct nlmsghdr *nlh = data;

	(void)size;
	(void)room;
	nftspace_faults.answer = NULL;
	return (size_t)(nftspace_error(buf, nlh->nlmsg_seq + 2, ENOENT) - buf);
}

static size_t never_there(const void *data, size_t size, char *buf, size_t room)
{
	const struct nlmsghdr *nlh = data;
	uint32_t first = nlh->nlmsg_type == NLMSG_MIN_TYPE ? nlh->nlmsg_seq + 1 :
							     nlh->nlmsg_seq;

	(void)size;
	(void)room;
	return (size_t)(nftspace_error(buf, first, ENOENT) - buf);
}

TEST_NFT(vanished_address_is_tried_again)
{
	const struct backend_block block = { .addr = parse("192.0.2.1"),
					     .stay = 600000, .known = true };

	nftspace_faults.answer = vanished;
	want_int(ops->add(b, &block), BACKEND_WRITTEN);
	want_set(ADDR_IPV4, "192.0.2.1/600");
}

TEST_NFT(endless_absence_is_given_up)
{
	nftspace_faults.answer = never_there;
	want_int(add("192.0.2.1") < 0, true);
	want_int(nftspace_sent < 100, true);
}

static const struct advice_row {
	const char *label;
	int err, family;
	const char *want[2];
} advice_rows[] = {
	{ "no right", EPERM, ADDR_IPV4,
	  { "CapabilityBoundingSet=CAP_NET_ADMIN", "systemctl edit rsyslog" } },
	{ "no netlink", EAFNOSUPPORT, ADDR_IPV4,
	  { "RestrictAddressFamilies=AF_NETLINK", "not supported" } },
	{ "no nf_tables", EOPNOTSUPP, ADDR_IPV4, { "modprobe nf_tables", "backend=\"recent\"" } },
	{ "no netfilter", EPROTONOSUPPORT, ADDR_IPV6,
	  { "modprobe nf_tables", "backend=\"recent\"" } },
	{ "full", ENOSPC, ADDR_IPV6, { "the set b is full", "listSize=\"65536\"" } },
	{ "in the way", EEXIST, ADDR_IPV4, { "nft delete table inet omsmtpblock", "in the way" } },
	{ "in use", EBUSY, ADDR_IPV4, { "nft delete table inet omsmtpblock", "in the way" } },
	{ "other", ENOBUFS, ADDR_IPV4, { "cannot be written", "No buffer space" } },
};

TEST_ROWS(advice_names_the_command, advice_rows)
{
	char text[512];
	int i;

	ops->advice(b, row->family, row->err, text, sizeof(text));
	for (i = 0; i < 2; i++)
		if (!strstr(text, row->want[i]))
			want_str(text, row->want[i]);
}

static const struct size_row {
	const char *label;
	unsigned int size;
	const char *want;
} size_rows[] = {
	{ "small", 100, "listSize=\"65536\"" },
	{ "as ever", 65536, "listSize=\"262144\"" },
	{ "large", 10000000, "listSize=\"16777216\"" },
};

TEST_ROWS(advised_size_is_allowed, size_rows)
{
	struct backend_config c = nftspace_config;
	char text[512];

	c.list_size = row->size;
	open_with(&c);
	ops->advice(b, ADDR_IPV4, ENOSPC, text, sizeof(text));
	if (!strstr(text, row->want))
		want_str(text, row->want);
}

/* The module's table stays the module's, whatever options an address is added with, and
 * the address gets the time of those options. */
TEST_NFT(people_find_the_table_as_it_is)
{
	static const struct settings_ports others = { 2, { 25, 587 } };
	const struct backend_block block = { .addr = parse("192.0.2.7"), .stay = 3600000 };
	struct backend_config c = nftspace_config;
	struct backend *people;

	c.keep_foreign_table = true;
	c.ban_time = 3600;
	c.list_size = 7;
	c.ports = &others;
	people = open_other(&c);
	want_int(ops->check(people, ADDR_IPV4) >= 0, true);
	want_int(ops->add(people, &block) >= 0, true);
	want_int(ops->check(b, ADDR_IPV4), BACKEND_WRITTEN);
	want_int(nftspace_has("size 1000"), true);
	want_int(nftspace_has("587"), false);
	want_set(ADDR_IPV4, "192.0.2.7/3600");
	ops->free(people);
}

/* But they need not wait for the module. */
TEST_NFT(people_make_what_is_not_there)
{
	struct backend_config c = nftspace_config;

	c.keep_foreign_table = true;
	start_with(&c);
	want_int(nftspace_has("ip saddr @a update @a"), true);
	want_int(add("192.0.2.7") >= 0, true);
	want_set(ADDR_IPV4, "192.0.2.7/600");
}

static int open_one(void *data)
{
	struct backend *one;
	int r = ops->open(&nftspace_config, &one);

	(void)data;
	if (r == 0)
		ops->free(one);
	return r;
}

TEST(survives_lack_of_memory)
{
	struct backend_config c = nftspace_config;
	struct backend *one = NULL;
	char name[102];

	want_int(memory_fail_each(open_one, NULL), 5);
	ops->free(NULL);
	memset(name, 'x', 101);
	name[101] = '\0';
	c.list6 = name;
	want_int(ops->open(&c, &one), -ENAMETOOLONG);
}
