/* Our nftables table as the kernel reports it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nftstate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/nftspace.h"

/* Of each point: an empty ruleset, and what is read of it. */
static struct nfttable table;
static struct nftlink *nft;
static struct nftstate state;

static void before(void)
{
	nftspace_clean();
	want_int(nfttable_init(&table, &nftspace_config), 0);
	want_int(nftlink_new(&nft), 0);
}

static void after(void)
{
	nftlink_free(nft);
	nftspace_clean();
}

TEST_EACH(before, after)

/* "WORKS AS-WANTED" of both lists, as 0 and 1. */
static void want_state(const char *want)
{
	char got[16];

	want_int(nftstate_read(nft, &table, &state), 0);
	snprintf(got, sizeof(got), "%d%d %d%d", nftstate_works(&state, 0),
		 nftstate_is_as_wanted(&state, 0), nftstate_works(&state, 1),
		 nftstate_is_as_wanted(&state, 1));
	want_str(got, want);
}

TEST_NFT(nothing_is_there)
{
	want_state("00 00");
	want_int(state.table, false);
	nftspace_do("add table inet omsmtpblock");
	want_state("00 00");
	want_int(state.table, true);
	want_int(state.chain, false);
}

TEST_NFT(all_is_there)
{
	nftspace_load(&table);
	want_state("11 11");
	want_int(state.lists[0].rules, 1);
	want_int(state.table_handle > 0, true);
	want_int(state.lists[0].set_handle != state.lists[1].set_handle, true);
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
	{ "other tables gone", "add table ip other\\; delete table ip other", "11 11" },
};

TEST_NFT_ROWS(damage_is_seen, damage_rows)
{
	nftspace_load(&table);
	nftspace_do("%s", row->nft);
	want_state(row->want);
}

#define DYNAMIC "dynamic,timeout"
#define OURS "omsmtpblock a 00000000"
#define SET(type, flags, size, rest) "type " type "; flags " flags "; size " #size ";" rest

/* The object in place of the IPv4 list. */
static const struct other_row {
	const char *label, *set, *comment, *want;
} other_rows[] = {
	{ "another time", SET("ipv4_addr", DYNAMIC, 1000, " timeout 601s;"), OURS, "10" },
	{ "another size", SET("ipv4_addr", DYNAMIC, 999, " timeout 600s;"), OURS, "10" },
	{ "no timeouts", SET("ipv4_addr", "dynamic", 1000, ""), OURS, "00" },
	{ "not for rules", SET("ipv4_addr", "timeout", 1000, " timeout 600s;"), OURS, "00" },
	{ "another family", SET("ipv6_addr", DYNAMIC, 1000, " timeout 600s;"), OURS, "00" },
	{ "no addresses", SET("inet_service", DYNAMIC, 1000, " timeout 600s;"), OURS, "00" },
	{ "no comment", SET("ipv4_addr", DYNAMIC, 1000, " timeout 600s;"), "", "00" },
	{ "another comment", SET("ipv4_addr", DYNAMIC, 1000, " timeout 600s;"),
	  "omsmtpblock ab 00000000", "00" },
};

TEST_NFT_ROWS(other_lists_are_judged, other_rows)
{
	char got[8];

	nftspace_do("add table inet omsmtpblock");
	nftspace_do("add set inet omsmtpblock a '{ %s }'", row->set);
	nftspace_do("add chain inet omsmtpblock input '{ type filter hook input "
		    "priority 5; policy drop; }'");
	nftspace_do("add rule inet omsmtpblock input tcp dport 25 drop comment "
		    "'\"%s\"'", row->comment);
	want_int(nftstate_read(nft, &table, &state), 0);
	snprintf(got, sizeof(got), "%d%d", nftstate_works(&state, 0),
		 nftstate_is_as_wanted(&state, 0));
	want_str(got, row->want);
	want_int(state.hooked, true);
	want_int(state.lists[0].set, true);
}

TEST_NFT(chain_without_hook_is_reported)
{
	nftspace_do("add table inet omsmtpblock");
	nftspace_do("add chain inet omsmtpblock input");
	want_state("00 00");
	want_int(state.chain, true);
	want_int(state.hooked, false);
	nftspace_do("flush ruleset");
	nftspace_do("add table inet omsmtpblock");
	nftspace_do("add chain inet omsmtpblock input '{ type filter hook output priority 0; }'");
	want_state("00 00");
	want_int(state.hooked, false);
}

TEST_NFT(addresses_are_read)
{
	struct nftstate_addresses found = { .all = NULL };
	const uint8_t want[] = { 192, 0, 2, 7 };

	want_int(nftstate_read_addresses(nft, &table, 0, &found), -ENOENT);
	nftspace_load(&table);
	want_int(nftstate_read_addresses(nft, &table, 0, &found), 0);
	want_int(found.count, 0);
	nftspace_do("add element inet omsmtpblock a '{ 192.0.2.7 timeout 90s }'");
	nftspace_do("add element inet omsmtpblock b '{ 2001:db8::1, 2001:db8::2 }'");
	want_int(nftstate_read_addresses(nft, &table, 0, &found), 0);
	want_int(found.count, 1);
	want_mem(found.all[0].addr.bytes, want, 4);
	want_int(found.all[0].left > 80000 && found.all[0].left <= 90000, true);
	free(found.all);
	want_int(nftstate_read_addresses(nft, &table, 1, &found), 0);
	want_int(found.count, 2);
	want_int(found.all[1].addr.family, ADDR_IPV6);
	want_int(found.all[1].left > 590000 && found.all[1].left <= 600000, true);
	free(found.all);
}

static void disturb(void)
{
	nftspace_do("add table ip disturbing");
}

/* Rules that change during a dump have it read again. */
TEST_NFT(disturbed_reading_is_repeated)
{
	nftspace_load(&table);
	nftspace_faults.before = disturb;
	nftspace_faults.before_nth = 3;
	want_state("11 11");
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

	nftspace_faults.answer = interrupted_dump;
	want_int(nftstate_read(nft, &table, &state), -EAGAIN);
	want_int(nftspace_sent < 20, true);
	want_int(nftstate_read_addresses(nft, &table, 0, &found), 0);
	want_int(found.count, 0);
}

static int read_all(void *data)
{
	struct nftstate_addresses found;
	int r = nftstate_read_addresses(nft, &table, 0, &found);

	(void)data;
	if (r == 0) {
		want_int(found.count, 300);
		free(found.all);
	}
	return r;
}

TEST_NFT(survives_lack_of_memory)
{
	char list[300 * 16] = "", *end = list;
	int i;

	nftspace_load(&table);
	for (i = 0; i < 300; i++) {
		end += sprintf(end, "%s10.0.%d.%d", i == 0 ? "" : ",", i / 200, i % 200);
		if (i % 100 < 99)
			continue;
		nftspace_do("add element inet omsmtpblock a '{ %s }'",
			    list[0] == ',' ? list + 1 : list);
		end = list;
	}
	want_int(memory_fail_each(read_all, NULL) >= 2, true);
}
