/* Our nftables table as the kernel reports it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nftstate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/nftspace.h"

static const struct settings_ports smtp = { 1, { 25 } };

static const struct backend_config config = {
	.list = "a",
	.list6 = "b",
	.ban_time = 600,
	.ipv4_prefix = 32,
	.ipv6_prefix = 128,
	.list_size = 1000,
	.ports = &smtp,
};

struct fixture {
	struct nfttable table;
	struct nftlink *link;
	struct nftstate state;
};

static void setup(struct fixture *f)
{
	nftspace_reset();
	nftspace_do("flush ruleset");
	want_int(nfttable_init(&f->table, &config), 0);
	want_int(nftlink_new(&f->link), 0);
}

static void teardown(struct fixture *f)
{
	nftlink_free(f->link);
	nftspace_do("flush ruleset");
}

/* The table as it should be, through nft. */
static void make_table(const struct fixture *f)
{
	char *dir = temp_dir_new(), path[256], text[4096];

	nfttable_text(&f->table, text, sizeof(text));
	snprintf(path, sizeof(path), "%s/table.nft", dir);
	temp_file_write(path, text);
	nftspace_do("-f '%s'", path);
	temp_dir_remove(dir);
}

/* "WORKS AS-WANTED" of both lists, as 0 and 1. */
static void want_state(struct fixture *f, const char *want)
{
	char got[16];

	want_int(nftstate_read(f->link, &f->table, &f->state), 0);
	snprintf(got, sizeof(got), "%d%d %d%d", nftstate_works(&f->state, 0),
		 nftstate_is_as_wanted(&f->state, 0), nftstate_works(&f->state, 1),
		 nftstate_is_as_wanted(&f->state, 1));
	want_str(got, want);
}

TEST_NFT(nothing_is_there)
{
	struct fixture f;

	setup(&f);
	want_state(&f, "00 00");
	want_int(f.state.table, false);
	nftspace_do("add table inet omsmtpblock");
	want_state(&f, "00 00");
	want_int(f.state.table, true);
	want_int(f.state.chain, false);
	teardown(&f);
}

TEST_NFT(all_is_there)
{
	struct fixture f;

	setup(&f);
	make_table(&f);
	want_state(&f, "11 11");
	want_int(f.state.lists[0].rules, 1);
	want_int(f.state.table_handle > 0, true);
	want_int(f.state.lists[0].set_handle != f.state.lists[1].set_handle, true);
	teardown(&f);
}

/* Without *do: a change to a correct table. */
static const struct damage_row {
	const char *label, *nft, *want;
} damage_rows[] = {
	{ "a rule more of others",
	  "add rule inet omsmtpblock input tcp dport 26 drop comment "
	  "'\"omsmtpblock c 12345678\"'", "11 11" },
	{ "a set more", "add set inet omsmtpblock c '{ type ipv4_addr; }'", "11 11" },
	{ "rules flushed", "flush chain inet omsmtpblock input", "00 00" },
	{ "a rule twice",
	  "add rule inet omsmtpblock input ip saddr @a drop comment "
	  "'\"omsmtpblock a 00000000\"'", "10 11" },
	{ "a set flushed", "flush set inet omsmtpblock a", "11 11" },
	{ "other tables gone", "add table ip other\\; delete table ip other",
	  "11 11" },
};

TEST_NFT_ROWS(damage_is_seen, damage_rows)
{
	struct fixture f;

	setup(&f);
	make_table(&f);
	nftspace_do("%s", row->nft);
	want_state(&f, row->want);
	teardown(&f);
}

/* The object in place of the IPv4 list. */
static const struct other_row {
	const char *label, *set, *comment, *want;
} other_rows[] = {
	{ "another time", "type ipv4_addr; flags dynamic,timeout; size 1000; "
			  "timeout 601s;", "omsmtpblock a 00000000", "10" },
	{ "another size", "type ipv4_addr; flags dynamic,timeout; size 999; "
			  "timeout 600s;", "omsmtpblock a 00000000", "10" },
	{ "no timeouts", "type ipv4_addr; flags dynamic; size 1000;",
	  "omsmtpblock a 00000000", "00" },
	{ "not for rules", "type ipv4_addr; flags timeout; size 1000; "
			   "timeout 600s;", "omsmtpblock a 00000000", "00" },
	{ "another family", "type ipv6_addr; flags dynamic,timeout; size 1000; "
			    "timeout 600s;", "omsmtpblock a 00000000", "00" },
	{ "no addresses", "type inet_service; flags dynamic,timeout; size 1000; "
			  "timeout 600s;", "omsmtpblock a 00000000", "00" },
	{ "no comment", "type ipv4_addr; flags dynamic,timeout; size 1000; "
			"timeout 600s;", "", "00" },
	{ "another comment", "type ipv4_addr; flags dynamic,timeout; size 1000; "
			     "timeout 600s;", "omsmtpblock ab 00000000", "00" },
};

TEST_NFT_ROWS(other_lists_are_judged, other_rows)
{
	struct fixture f;
	char got[8];

	setup(&f);
	nftspace_do("add table inet omsmtpblock");
	nftspace_do("add set inet omsmtpblock a '{ %s }'", row->set);
	nftspace_do("add chain inet omsmtpblock input '{ type filter hook input "
		    "priority 5; policy drop; }'");
	nftspace_do("add rule inet omsmtpblock input tcp dport 25 drop comment "
		    "'\"%s\"'", row->comment);
	want_int(nftstate_read(f.link, &f.table, &f.state), 0);
	snprintf(got, sizeof(got), "%d%d", nftstate_works(&f.state, 0),
		 nftstate_is_as_wanted(&f.state, 0));
	want_str(got, row->want);
	want_int(f.state.hooked, true);
	want_int(f.state.lists[0].set, true);
	teardown(&f);
}

TEST_NFT(chain_without_hook_is_reported)
{
	struct fixture f;

	setup(&f);
	nftspace_do("add table inet omsmtpblock");
	nftspace_do("add chain inet omsmtpblock input");
	want_state(&f, "00 00");
	want_int(f.state.chain, true);
	want_int(f.state.hooked, false);
	nftspace_do("flush ruleset");
	nftspace_do("add table inet omsmtpblock");
	nftspace_do("add chain inet omsmtpblock input '{ type filter hook output "
		    "priority 0; }'");
	want_state(&f, "00 00");
	want_int(f.state.hooked, false);
	teardown(&f);
}

TEST_NFT(addresses_are_read)
{
	struct nftstate_addresses found = { .all = NULL };
	const uint8_t want[] = { 192, 0, 2, 7 };
	struct fixture f;

	setup(&f);
	want_int(nftstate_read_addresses(f.link, &f.table, 0, &found), -ENOENT);
	make_table(&f);
	want_int(nftstate_read_addresses(f.link, &f.table, 0, &found), 0);
	want_int(found.count, 0);
	nftspace_do("add element inet omsmtpblock a '{ 192.0.2.7 timeout 90s }'");
	nftspace_do("add element inet omsmtpblock b '{ 2001:db8::1, 2001:db8::2 }'");
	want_int(nftstate_read_addresses(f.link, &f.table, 0, &found), 0);
	want_int(found.count, 1);
	want_mem(found.all[0].addr.bytes, want, 4);
	want_int(found.all[0].left > 80000 && found.all[0].left <= 90000, true);
	free(found.all);
	want_int(nftstate_read_addresses(f.link, &f.table, 1, &found), 0);
	want_int(found.count, 2);
	want_int(found.all[1].addr.family, ADDR_IPV6);
	want_int(found.all[1].left > 590000 && found.all[1].left <= 600000, true);
	free(found.all);
	teardown(&f);
}

static void disturb(void)
{
	nftspace_do("add table ip disturbing");
}

/* Rules that change during a dump have it read again. */
TEST_NFT(disturbed_reading_is_repeated)
{
	struct fixture f;

	setup(&f);
	make_table(&f);
	nftspace_faults.before = disturb;
	nftspace_faults.before_nth = 3;
	want_state(&f, "11 11");
	teardown(&f);
}

static size_t interrupted_dump(const void *data, size_t size, char *buf, size_t room)
{
	const struct nlmsghdr *asked = data;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	(void)size;
	(void)room;
	nlh->nlmsg_type = NLMSG_DONE;
	nlh->nlmsg_seq = asked->nlmsg_seq;
	nlh->nlmsg_flags = NLM_F_DUMP_INTR;
	return nlh->nlmsg_len;
}

/* A program that keeps changing rules: rules cannot be checked, addresses can. */
TEST_NFT(endless_disturbance_is_given_up)
{
	struct nftstate_addresses found = { .all = NULL };
	struct fixture f;

	setup(&f);
	nftspace_faults.answer = interrupted_dump;
	want_int(nftstate_read(f.link, &f.table, &f.state), -EAGAIN);
	want_int(nftspace_sent < 20, true);
	want_int(nftstate_read_addresses(f.link, &f.table, 0, &found), 0);
	want_int(found.count, 0);
	nftspace_reset();
	teardown(&f);
}

static int read_all(void *data)
{
	struct fixture *f = data;
	struct nftstate_addresses found;
	int r = nftstate_read_addresses(f->link, &f->table, 0, &found);

	if (r == 0) {
		want_int(found.count, 300);
		free(found.all);
	}
	return r;
}

TEST_NFT(survives_lack_of_memory)
{
	char list[300 * 16] = "", *end = list;
	struct fixture f;
	int i;

	setup(&f);
	make_table(&f);
	for (i = 0; i < 300; i++) {
		end += sprintf(end, "%s10.0.%d.%d", i == 0 ? "" : ",", i / 200,
			       i % 200);
		if (i % 100 < 99)
			continue;
		nftspace_do("add element inet omsmtpblock a '{ %s }'",
			    list[0] == ',' ? list + 1 : list);
		end = list;
	}
	want_int(memory_fail_each(read_all, &f) >= 2, true);
	teardown(&f);
}
