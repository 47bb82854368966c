/* The content of our nftables table, and its form in nft and the kernel.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nfttable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/nftspace.h"

#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const struct settings_ports smtp = { 1, { 25 } };
static const struct settings_ports several = { 3, { 25, 465, 587 } };

static const struct backend_config config = {
	.list = "spammer",
	.list6 = "spammer6",
	.ban_time = 600,
	.ipv4_prefix = 32,
	.ipv6_prefix = 128,
	.list_size = 65536,
	.ports = &smtp,
};

TEST_EACH(nftspace_clean, nftspace_clean)

static struct nfttable make(const struct backend_config *c)
{
	struct nfttable table;

	want_int(nfttable_init(&table, c), 0);
	return table;
}

TEST(names_have_a_bound)
{
	struct backend_config c = config;
	struct nfttable table;

	c.list = X100;
	c.list6 = X100;
	want_int(nfttable_init(&table, &c), 0);
	want_str(table.lists[0].name, X100);
	want_str(table.lists[1].name, X100);
	c.list = X100 "x";
	want_int(nfttable_init(&table, &c), -ENAMETOOLONG);
	c.list = "a";
	c.list6 = X100 "x";
	want_int(nfttable_init(&table, &c), -ENAMETOOLONG);
}

/* A comment longer than that would not be one for nft. */
TEST(comment_fits)
{
	char text[NFTTABLE_COMMENT_SIZE];
	struct backend_config c = config;
	struct nfttable table;

	c.list = X100;
	table = make(&c);
	want_str(nfttable_comment(&table, 0, false, text), "omsmtpblock " X100 " ");
	want_int(strlen(nfttable_comment(&table, 0, true, text)), 121);
	want_str(nfttable_comment(&table, 1, false, text), "omsmtpblock spammer6 ");
}

static const struct changed_row {
	const char *label;
	struct backend_config config;
	bool same[2];		/* the comments of IPv4 and IPv6 */
} changed_rows[] = {
	{ "nothing", { "spammer", "spammer6", 600, 32, 128, 65536, &smtp, false, 0, 0 },
	  { true, true } },
	{ "time", { "spammer", "spammer6", 601, 32, 128, 65536, &smtp, false, 0, 0 },
	  { false, false } },
	{ "IPv4 prefix", { "spammer", "spammer6", 600, 24, 128, 65536, &smtp, false, 0, 0 },
	  { false, true } },
	{ "IPv6 prefix", { "spammer", "spammer6", 600, 32, 64, 65536, &smtp, false, 0, 0 },
	  { true, false } },
	{ "size", { "spammer", "spammer6", 600, 32, 128, 65535, &smtp, false, 0, 0 },
	  { false, false } },
	{ "ports", { "spammer", "spammer6", 600, 32, 128, 65536, &several, false, 0, 0 },
	  { false, false } },
};

/* The comment is another one with whatever the rule or the set depends on. */
TEST_ROWS(comment_shows_changes, changed_rows)
{
	struct nfttable before = make(&config), after = make(&row->config);
	char a[NFTTABLE_COMMENT_SIZE], b[NFTTABLE_COMMENT_SIZE];
	int i;

	for (i = 0; i < 2; i++) {
		nfttable_comment(&before, i, true, a);
		nfttable_comment(&after, i, true, b);
		want_int(strcmp(a, b) == 0, row->same[i]);
	}
}

TEST(text_is_bounded)
{
	struct nfttable table = make(&config);
	char whole[4096], part[100];
	size_t size;

	size = nfttable_text(&table, whole, sizeof(whole));
	want_int(size, strlen(whole));
	want_int(nfttable_text(&table, part, sizeof(part)), size);
	want_int(strlen(part), sizeof(part) - 1);
	want_mem(part, whole, sizeof(part) - 1);
	want_int(nfttable_text(&table, NULL, 0), size);
}

static const struct made_row {
	const char *label;
	struct backend_config config;
	const char *rules[2];	/* from the port on, to the counter */
} made_rows[] = {
	{ "as ever", { "spammer", "spammer6", 600, 32, 128, 65536, &smtp, false, 0, 0 },
	  { "tcp dport 25 ip saddr @spammer update @spammer { ip saddr timeout "
	    "10m } counter packets 0 bytes 0 drop comment \"omsmtpblock spammer ",
	    "tcp dport 25 ip6 saddr @spammer6 update @spammer6 { ip6 saddr timeout "
	    "10m } counter packets 0 bytes 0 drop comment \"omsmtpblock spammer6 " } },
	{ "prefixes", { "_a-b.c", "b", 90, 24, 64, 1, &smtp, false, 0, 0 },
	  { "tcp dport 25 ip saddr & 255.255.255.0 == @_a-b.c update @_a-b.c { ip "
	    "saddr & 255.255.255.0 timeout 1m30s } counter packets 0 bytes 0 drop",
	    "tcp dport 25 ip6 saddr & ffff:ffff:ffff:ffff:: == @b update @b { ip6 "
	    "saddr & ffff:ffff:ffff:ffff:: timeout 1m30s } counter" } },
	{ "odd prefixes", { "a", "b", 1, 13, 47, 1, &smtp, false, 0, 0 },
	  { "ip saddr & 255.248.0.0 == @a", "ip6 saddr & ffff:ffff:fffe:: == @b" } },
	{ "ports", { "a", "b", 31536000, 32, 128, 16777216, &several, false, 0, 0 },
	  { "tcp dport { 25, 465, 587 } ip saddr @a update @a { ip saddr timeout "
	    "365d }",
	    "tcp dport { 25, 465, 587 } ip6 saddr @b update @b { ip6 saddr timeout "
	    "365d }" } },
	{ "long names", { X100, X10, 600, 32, 128, 65536, &several, false, 0, 0 },
	  { "update @" X100 " {", "update @" X10 " {" } },
};

static char *make_by_messages(const struct nfttable *table)
{
	struct nftlink *link = NULL;
	int i;

	want_int(nftlink_new(&link), 0);
	nftlink_begin(link, 0);
	want_int(nfttable_put_table(link), 0);
	want_int(nfttable_put_chain(link), 0);
	for (i = 0; i < 2; i++) {
		want_int(nfttable_put_set(link, table, i), 0);
		want_int(nfttable_put_rule(link, table, i), 0);
	}
	want_int(nftlink_commit(link, NULL, NULL), 0);
	nftlink_free(link);
	return nftspace_run("list ruleset");
}

TEST_NFT_ROWS(messages_and_text_make_the_same, made_rows)
{
	struct nfttable table = make(&row->config);
	char *by_messages, *by_text;
	int i;

	by_messages = make_by_messages(&table);
	nftspace_do("flush ruleset");
	nftspace_load(&table);
	by_text = nftspace_run("list ruleset");
	want_str(by_messages, by_text);
	for (i = 0; i < 2; i++)
		if (!strstr(by_messages, row->rules[i]))
			want_str(by_messages, row->rules[i]);
	free(by_messages);
	free(by_text);
}

TEST_NFT(most_ports_fit)
{
	struct settings_ports most = { .count = SETTINGS_PORTS_MAX };
	struct backend_config c = config;
	struct nfttable table;
	char *made;
	uint16_t i;

	for (i = 0; i < SETTINGS_PORTS_MAX; i++)
		most.list[i] = (uint16_t)(65472 + i);
	c.ports = &most;
	table = make(&c);
	made = make_by_messages(&table);
	assert_non_null(strstr(made, "65472"));
	assert_non_null(strstr(made, "65535"));
	free(made);
}

TEST_NFT(addresses_are_added_and_removed)
{
	struct addr a = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } };
	struct nfttable table = make(&config);
	struct nftlink *link = NULL;

	free(make_by_messages(&table));
	want_int(nftlink_new(&link), 0);
	nftlink_begin(link, 0);
	want_int(nfttable_put_address(link, "spammer", &a, 0), 0);
	a.bytes[3] = 8;
	want_int(nfttable_put_address(link, "spammer", &a, 90000), 0);
	want_int(nftlink_commit(link, NULL, NULL), 0);
	want_int(nftspace_has("192.0.2.7 expires "), true);
	want_int(nftspace_has("192.0.2.8 timeout 1m30s expires 1m"), true);
	nftlink_begin(link, 0);
	want_int(nfttable_drop_address(link, "spammer", &a), 0);
	want_int(nftlink_commit(link, NULL, NULL), 0);
	want_int(nftspace_has("192.0.2.8"), false);
	want_int(nftspace_has("192.0.2.7"), true);
	nftlink_begin(link, 0);
	want_int(nfttable_drop_addresses(link, "spammer"), 0);
	want_int(nftlink_commit(link, NULL, NULL), 0);
	want_int(nftspace_has("192.0.2.7"), false);
	nftlink_free(link);
}
