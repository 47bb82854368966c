/* Our nftables table is created, fixed and replaced, and nothing else.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nftsetup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/nftspace.h"

static const struct settings_ports smtp = { 1, { 25 } };
static const struct settings_ports several = { 3, { 25, 465, 587 } };

TEST_EACH(nftspace_clean, nftspace_clean)

static void apply(const struct backend_config *c)
{
	bool changed;

	want_int(nftsetup_apply(c, &changed), 0);
}

/* The usual parameters, but for the time. */
static struct backend_config for_a_minute(void)
{
	struct backend_config c = nftspace_config;

	c.ban_time = 60;
	return c;
}

static int ensure(const struct backend_config *c, enum nftsetup_demand demand,
		  struct nftstate *ret_state)
{
	struct nftlink *link = NULL;
	struct nfttable table;
	int r;

	want_int(nfttable_init(&table, c), 0);
	want_int(nftlink_new(&link), 0);
	r = nftsetup_ensure(link, &table, demand, ret_state);
	nftlink_free(link);
	return r;
}

static void want_works(const struct backend_config *c)
{
	struct nftstate state;

	want_int(nftsetup_look(c, &state), 0);
	want_int(nftstate_is_as_wanted(&state, 0), true);
	want_int(nftstate_is_as_wanted(&state, 1), true);
}

TEST_NFT(made_once)
{
	bool changed = false;
	char *first, *second;

	want_int(nftsetup_apply(&nftspace_config, &changed), 0);
	want_int(changed, true);
	want_works(&nftspace_config);
	first = nftspace_run("-a list ruleset");
	want_int(nftsetup_apply(&nftspace_config, &changed), 0);
	want_int(changed, false);
	second = nftspace_run("-a list ruleset");
	want_str(second, first);
	free(first);
	free(second);
}

TEST_NFT(looking_changes_nothing)
{
	struct nftstate found;

	want_int(nftsetup_look(&nftspace_config, &found), 0);
	want_int(found.table, false);
	want_int(nftspace_has("table"), false);
}

/* Foreign objects, in our table and elsewhere, and how they are printed before and after. */
TEST_NFT(others_stay)
{
	struct backend_config c = nftspace_config;
	char *before, *after;

	nftspace_do("add table inet filter");
	nftspace_do("add chain inet filter input '{ type filter hook input priority "
		    "0; policy accept; }'");
	nftspace_do("add rule inet filter input tcp dport 25 counter accept");
	nftspace_do("add table ip omsmtpblock");
	c.list = "other";
	c.list6 = "other6";
	apply(&c);
	nftspace_do("add element inet omsmtpblock other '{ 192.0.2.1 }'");
	nftspace_do("add rule inet omsmtpblock input tcp dport 26 drop");
	before = nftspace_run("-s list ruleset");
	apply(&nftspace_config);
	want_works(&nftspace_config);
	want_works(&c);
	want_int(nftspace_has("192.0.2.1"), true);
	after = nftspace_run("-s list table inet filter");
	assert_non_null(strstr(before, after));
	free(before);
	free(after);
}

/* A parameter changed while the list had addresses. */
static const struct changed_row {
	const char *label;
	struct backend_config config;
	const char *want[2];	/* in the ruleset afterwards */
} changed_rows[] = {
	{ "time", { "a", "b", 60, 32, 128, 1000, &smtp, false, 0, 0 },
	  { "192.0.2.7 timeout 1m", "timeout 1m }" } },
	{ "size", { "a", "b", 600, 32, 128, 2000, &smtp, false, 0, 0 },
	  { "size 2000", "192.0.2.7 timeout 1m" } },
	{ "smaller size", { "a", "b", 600, 32, 128, 1, &smtp, false, 0, 0 },
	  { "size 1\n", "192.0.2.7 timeout 1m" } },
	{ "prefix", { "a", "b", 600, 24, 128, 1000, &smtp, false, 0, 0 },
	  { "ip saddr & 255.255.255.0", "192.0.2.0 timeout 1m" } },
	{ "ports", { "a", "b", 600, 32, 128, 1000, &several, false, 0, 0 },
	  { "tcp dport { 25, 465, 587 } ip saddr @a", "192.0.2.7 timeout 1m" } },
};

TEST_NFT_ROWS(replaced_with_its_addresses, changed_rows)
{
	bool changed = false;
	char *rules;
	int i;

	apply(&nftspace_config);
	nftspace_do("add element inet omsmtpblock a '{ 192.0.2.7 timeout 90s }'");
	nftspace_do("add element inet omsmtpblock b '{ 2001:db8::7 timeout 90s }'");
	want_int(nftsetup_apply(&row->config, &changed), 0);
	want_int(changed, true);
	want_works(&row->config);
	want_int(nftspace_has("2001:db8::7 timeout 1m"), true);
	rules = nftspace_run("list ruleset");
	for (i = 0; i < 2; i++)
		if (!strstr(rules, row->want[i]))
			want_str(rules, row->want[i]);
	free(rules);
}

/* With many addresses, several transactions are needed. */
TEST_NFT(all_addresses_are_kept)
{
	struct backend_config c = nftspace_config;
	struct nftstate_addresses found;
	struct nftlink *link = NULL;
	struct nfttable table;
	char list[150 * 12] = "", *end = list;
	int i;

	apply(&nftspace_config);
	for (i = 0; i < 150; i++)
		end += sprintf(end, "%s10.0.0.%d", i == 0 ? "" : ",", i);
	nftspace_do("add element inet omsmtpblock a '{ %s }'", list);
	c.list_size = 5000;
	apply(&c);
	want_int(nfttable_init(&table, &c), 0);
	want_int(nftlink_new(&link), 0);
	want_int(nftstate_read_addresses(link, &table, 0, &found), 0);
	want_int(found.count, 150);
	free(found.all);
	nftlink_free(link);
}

/* A foreign object with one of our names. */
static const struct foreign_row {
	const char *label, *nft[3];
	int want;
} foreign_rows[] = {
	{ "a chain without hook", { "add chain inet omsmtpblock input", NULL }, -EEXIST },
	{ "a chain on output",
	  { "add chain inet omsmtpblock input '{ type filter hook output priority "
	    "0; }'", NULL }, -EEXIST },
	{ "a set of ports", { "add set inet omsmtpblock a '{ type inet_service; }'", NULL }, 0 },
	{ "a set that another rule uses",
	  { "add set inet omsmtpblock a '{ type ipv4_addr; }'",
	    "add chain inet omsmtpblock x",
	    "add rule inet omsmtpblock x ip saddr @a drop" }, -EBUSY },
};

TEST_NFT_ROWS(foreign_things, foreign_rows)
{
	bool changed;
	int i;

	nftspace_do("add table inet omsmtpblock");
	for (i = 0; i < 3 && row->nft[i]; i++)
		nftspace_do("%s", row->nft[i]);
	want_int(nftsetup_apply(&nftspace_config, &changed), row->want);
	if (row->want == 0)
		want_works(&nftspace_config);
}

/* Our table, loaded from a file a second time. */
TEST_NFT(doubled_rules_become_one)
{
	struct nfttable table;
	struct nftstate found;
	int i;

	want_int(nfttable_init(&table, &nftspace_config), 0);
	for (i = 0; i < 12; i++)
		nftspace_load(&table);
	want_int(nftsetup_look(&nftspace_config, &found), 0);
	want_int(found.lists[0].rules, 12);
	apply(&nftspace_config);
	want_works(&nftspace_config);
}

static const struct broken_row {
	const char *label, *nft;
} broken_rows[] = {
	{ "table", "delete table inet omsmtpblock" },
	{ "ruleset", "flush ruleset" },
	{ "rules", "flush chain inet omsmtpblock input" },
	{ "one rule", "flush chain inet omsmtpblock input\\; add rule inet "
		      "omsmtpblock input tcp dport 25 ip saddr @a drop comment "
		      "'\"omsmtpblock a 00000000\"'" },
	{ "chain", "flush chain inet omsmtpblock input\\; delete chain inet omsmtpblock input" },
	{ "set", "flush chain inet omsmtpblock input\\; delete set inet omsmtpblock a" },
};

TEST_NFT_ROWS(broken_is_mended, broken_rows)
{
	struct nftstate found;

	apply(&nftspace_config);
	nftspace_do("%s", row->nft);
	want_int(ensure(&nftspace_config, NFTSETUP_WORKING, &found), 0);
	want_int(nftstate_works(&found, 0), true);
	want_int(nftstate_works(&found, 1), true);
}

/* Another action with the same list has its way while it works. */
TEST_NFT(working_is_enough)
{
	struct backend_config c = nftspace_config;
	struct nftstate found;
	char *before, *after;

	c.ban_time = 60;
	c.ipv4_prefix = 24;
	apply(&c);
	before = nftspace_run("-a list ruleset");
	want_int(ensure(&nftspace_config, NFTSETUP_WORKING, &found), 0);
	after = nftspace_run("-a list ruleset");
	want_str(after, before);
	free(before);
	free(after);
}

/* An admin's own priority and policy stay. */
TEST_NFT(chain_of_the_admin_stays)
{
	nftspace_do("add table inet omsmtpblock");
	nftspace_do("add chain inet omsmtpblock input '{ type filter hook input "
		    "priority -150; policy accept; }'");
	apply(&nftspace_config);
	want_works(&nftspace_config);
	want_int(nftspace_has("priority mangle"), true);
}

static void disturb(void)
{
	nftspace_do("add table ip disturbing");
}

/* Rules that change between the check and the transaction cause another check. */
TEST_NFT(others_may_be_at_it)
{
	unsigned int i;

	for (i = 1; i <= 3; i++) {
		nftspace_clean();
		nftspace_faults.before = disturb;
		nftspace_faults.before_nth = i;
		apply(&nftspace_config);
		want_works(&nftspace_config);
	}
}

static void block_meanwhile(void)
{
	nftspace_do("add element inet omsmtpblock a '{ 192.0.2.99 }'");
}

/* Addresses added to the set after it was read, and before it is replaced. */
TEST_NFT(nothing_is_lost_between)
{
	const struct backend_config c = for_a_minute();
	unsigned int i;

	for (i = 1; i <= 9; i++) {
		nftspace_clean();
		apply(&nftspace_config);
		nftspace_do("add element inet omsmtpblock a '{ 192.0.2.1 }'");
		nftspace_faults.before = block_meanwhile;
		nftspace_faults.before_nth = i;
		apply(&c);
		want_int(nftspace_has("192.0.2.1 "), true);
		want_int(nftspace_has("192.0.2.99 "), true);
	}
}

static void set_goes_meanwhile(void)
{
	nftspace_do("flush ruleset");
}

/* The set with the addresses to keep is removed before they are read. */
TEST_NFT(what_goes_meanwhile_is_made)
{
	const struct backend_config c = for_a_minute();

	apply(&nftspace_config);
	nftspace_faults.before = set_goes_meanwhile;
	nftspace_faults.before_nth = 7;
	apply(&c);
	want_works(&c);
}

TEST_NFT(errors_are_reported)
{
	struct backend_config c = nftspace_config;
	struct nftstate found;
	bool changed = false;

	nftspace_faults.open_err = EAFNOSUPPORT;
	want_int(nftsetup_apply(&nftspace_config, &changed), -EAFNOSUPPORT);
	want_int(nftsetup_look(&nftspace_config, &found), -EAFNOSUPPORT);
	nftspace_reset();
	c.list = "0123456789012345678901234567890123456789012345678901234567890123"
		 "4567890123456789012345678901234567890";
	want_int(nftsetup_apply(&c, &changed), -ENAMETOOLONG);
	want_int(nftsetup_look(&c, &found), -ENAMETOOLONG);
	want_int(changed, false);
}

static int apply_new_time(void *data)
{
	unsigned int *ban_time = data;
	struct backend_config c = nftspace_config;
	bool changed;
	int r;

	c.ban_time = ++*ban_time;
	r = nftsetup_apply(&c, &changed);
	return r;
}

TEST_NFT(survives_lack_of_memory)
{
	unsigned int ban_time = 600;

	apply(&nftspace_config);
	nftspace_do("add element inet omsmtpblock a '{ 192.0.2.7 timeout 90s }'");
	want_int(memory_fail_each(apply_new_time, &ban_time) >= 4, true);
	want_int(nftspace_has("192.0.2.7 timeout 1m"), true);
}
