/* Addresses on their way to the kernel's lists, which files imitate. The tests set the
 * time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/blocklist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/support.h"
#include "tests/unit/want_alert.h"

#define LIST4 "xt_recent/spammer"
#define LIST6 "xt_recent/spammer6"

/* ms: a missing list is tried again after.., the lists are looked at every.. */
#define RETRY 50
#define LOOK 5000

struct fixture {
	struct fakelists lists;
	struct settings settings;
	struct counters counters;
	struct alerts alerts;
	struct blocklist *blocklist;
};

/* limit: the size of the kernel's lists. Neither list exists yet. */
static void setup(struct fixture *f, const char *ban_time, const char *limit)
{
	char wrong[256];

	memset(f, 0, sizeof(*f));
	fakelists_open(&f->lists);
	fakelists_limit(&f->lists, "xt_recent", limit);
	want_int(settings_init(&f->settings), 0);
	want_int(settings_set(&f->settings, "banTime", ban_time, wrong,
			      sizeof(wrong)), 0);
	want_int(blocklist_new(&f->settings, f->lists.net_root, f->lists.module_root,
			       &f->counters, &f->alerts, &f->blocklist),
		 0);
}

/* The common case: 600 s, 100 addresses, both lists exist. */
static void setup_with_lists(struct fixture *f)
{
	setup(f, "600", "100");
	fakelists_make(&f->lists, LIST4);
	fakelists_make(&f->lists, LIST6);
}

static void teardown(struct fixture *f)
{
	blocklist_free(f->blocklist);
	settings_done(&f->settings);
	fakelists_close(&f->lists);
}

static enum block_state add(struct fixture *f, const char *text, int64_t now)
{
	struct addr addr;

	want_int(addr_parse(text, strlen(text), &addr), 0);
	return blocklist_add(f->blocklist, &addr, now, false);
}

static struct addr numbered(unsigned int n)
{
	return (struct addr){ .family = ADDR_IPV4,
			      .bytes = { 198, 51, (uint8_t)(n >> 8), (uint8_t)n } };
}

/* Block the first count numbered addresses. */
static void add_many(struct fixture *f, unsigned int count, int64_t now)
{
	struct addr addr;
	unsigned int i;

	for (i = 0; i < count; i++) {
		addr = numbered(i);
		blocklist_add(f->blocklist, &addr, now, false);
	}
}

/* The counters that are not 0, except errors of the backend: the number of tries of a
 * missing list is not specified. */
static void want_counted(struct fixture *f, const char *want)
{
	char got[512];

	atomic_store(&f->counters.values[COUNTER_BACKEND_ERRORS], 0);
	want_str(counters_format(&f->counters, got, sizeof(got)), want);
}

static unsigned int lines(const struct fixture *f, const char *path)
{
	char *text = fakelists_text(&f->lists, path), *at;
	unsigned int n = 0;

	for (at = text; at && *at; at++)
		n += *at == '\n';
	free(text);
	return n;
}

/* A reload of the firewall. */
static void make_anew(struct fixture *f, const char *path)
{
	fakelists_remove(&f->lists, path);
	fakelists_make(&f->lists, path);
}

TEST(written_and_renewed)
{
	struct fixture f;

	setup_with_lists(&f);
	add(&f, "192.0.2.7", 0);
	add(&f, "2001:db8::7", 1);
	want_counted(&f, "blocks=2");
	add(&f, "192.0.2.7", 2);
	want_counted(&f, "blocks=2 renewals=1");
	want_list(&f.lists, LIST4, "+192.0.2.7\n+192.0.2.7\n");
	want_list(&f.lists, LIST6, "+2001:db8::7\n");
	want_no_alert(&f.alerts);
	teardown(&f);
}

static bool has(struct fixture *f, const char *text, int64_t now)
{
	struct addr addr;

	want_int(addr_parse(text, strlen(text), &addr), 0);
	return blocklist_has(f->blocklist, &addr, now);
}

/* Until the block is over, written or not. */
TEST(blocked_addresses_are_known)
{
	struct fixture f;

	setup(&f, "600", "100");
	fakelists_make(&f.lists, LIST4);
	want_int(has(&f, "192.0.2.1", 0), false);
	want_int(add(&f, "192.0.2.1", 0), BLOCK_ADDED);
	want_int(add(&f, "2001:db8::1", 2), BLOCK_WAITING);
	want_int(has(&f, "192.0.2.1", 599999), true);
	want_int(has(&f, "192.0.2.1", 600000), false);
	want_int(has(&f, "2001:db8::1", 600001), true);
	want_int(add(&f, "192.0.2.1", 599999), BLOCK_RENEWED);
	want_int(has(&f, "192.0.2.1", 1199998), true);
	teardown(&f);
}

TEST(nothing_to_do_without_blocks)
{
	struct fixture f;

	setup_with_lists(&f);
	want_int(blocklist_run(f.blocklist, 0), INT64_MAX);
	want_int(blocklist_run(f.blocklist, 123456), INT64_MAX);
	want_int(fakelists_opened(), 0);
	teardown(&f);
}

/* blocklist_run() asks for another run while there are live blocks; blocklist_add() asks only
 * if it has not. */
TEST(lists_are_checked_while_blocks_are_live)
{
	struct fixture f;

	setup_with_lists(&f);
	add(&f, "192.0.2.7", 1000);
	want_int(blocklist_run(f.blocklist, 1000), 1000 + LOOK);
	add(&f, "192.0.2.8", 2000);
	want_int(blocklist_run(f.blocklist, 2000), 1000 + LOOK);
	want_int(blocklist_run(f.blocklist, 1000 + LOOK), 1000 + 2 * LOOK);
	want_int(blocklist_run(f.blocklist, 2000 + 599999), 2000 + 599999 + LOOK);
	want_int(blocklist_run(f.blocklist, 2000 + 600000), INT64_MAX);
	add(&f, "192.0.2.7", 700000);
	want_int(blocklist_run(f.blocklist, 700000), 700000 + LOOK);
	teardown(&f);
}

/* Each list is watched by itself. */
TEST(watched_by_family)
{
	struct fixture f;

	setup_with_lists(&f);
	add(&f, "192.0.2.7", 0);
	want_int(blocklist_run(f.blocklist, 0), LOOK);
	add(&f, "2001:db8::7", 100);
	want_int(blocklist_run(f.blocklist, 100), LOOK);
	want_int(blocklist_run(f.blocklist, LOOK), LOOK + 100);
	teardown(&f);
}

TEST(waits_for_missing_list)
{
	struct fixture f;

	setup(&f, "600", "100");
	add(&f, "192.0.2.7", 0);
	want_int(counters_get(&f.counters, COUNTER_BACKEND_ERRORS), 1);
	want_alert(&f.alerts, ALERT_LIST4, ENOENT);
	/* Counted once, reported once. */
	add(&f, "192.0.2.7", 10);
	want_counted(&f, "waited=1");
	want_int(blocklist_run(f.blocklist, 20), 20 + RETRY);
	want_int(blocklist_run(f.blocklist, 70), 70 + RETRY);
	want_no_alert(&f.alerts);
	fakelists_make(&f.lists, LIST4);
	want_int(blocklist_run(f.blocklist, 120), 20 + LOOK);
	want_list(&f.lists, LIST4, "+192.0.2.7\n");
	want_counted(&f, "blocks=1 waited=1");
	want_alert(&f.alerts, ALERT_LIST4_BACK, 1);
	want_no_alert(&f.alerts);
	teardown(&f);
}

/* It is reported again when the list is missing again. */
TEST(each_gap_is_reported)
{
	struct fixture f;

	setup(&f, "600", "100");
	add(&f, "192.0.2.7", 0);
	want_alert(&f.alerts, ALERT_LIST4, ENOENT);
	fakelists_make(&f.lists, LIST4);
	blocklist_run(f.blocklist, 50);
	want_alert(&f.alerts, ALERT_LIST4_BACK, 1);
	fakelists_remove(&f.lists, LIST4);
	add(&f, "192.0.2.8", 100);
	want_alert(&f.alerts, ALERT_LIST4, ENOENT);
	fakelists_make(&f.lists, LIST4);
	blocklist_run(f.blocklist, 150);
	want_alert(&f.alerts, ALERT_LIST4_BACK, 2);
	want_int(lines(&f, LIST4), 2);
	want_no_alert(&f.alerts);
	teardown(&f);
}

/* The gap was not reported, so its end is not reported either. */
TEST(short_gap_is_not_reported)
{
	struct fixture f;

	setup(&f, "600", "100");
	add(&f, "192.0.2.7", 0);
	fakelists_make(&f.lists, LIST4);
	blocklist_run(f.blocklist, 50);
	want_list(&f.lists, LIST4, "+192.0.2.7\n");
	want_no_alert(&f.alerts);
	teardown(&f);
}

TEST(queued_blocks_are_reported_when_all_are_back)
{
	struct fixture f;

	setup(&f, "600", "100");
	add(&f, "192.0.2.7", 0);
	add(&f, "192.0.2.8", 1);
	want_alert(&f.alerts, ALERT_LIST4, ENOENT);
	fakelists_make(&f.lists, LIST4);
	add(&f, "192.0.2.9", 2);
	want_no_alert(&f.alerts);
	blocklist_run(f.blocklist, 3);
	want_list(&f.lists, LIST4, "+192.0.2.9\n+192.0.2.7\n+192.0.2.8\n");
	want_alert(&f.alerts, ALERT_LIST4_BACK, 2);
	want_counted(&f, "blocks=3 waited=2");
	teardown(&f);
}

/* All queued blocks have expired meanwhile: the next block reports it. */
TEST(return_without_queued_blocks_is_reported)
{
	struct fixture f;

	setup(&f, "1", "100");
	add(&f, "192.0.2.7", 0);
	want_alert(&f.alerts, ALERT_LIST4, ENOENT);
	want_int(blocklist_run(f.blocklist, 1000), INT64_MAX);
	want_no_alert(&f.alerts);
	fakelists_make(&f.lists, LIST4);
	add(&f, "192.0.2.8", 1001);
	want_alert(&f.alerts, ALERT_LIST4_BACK, 0);
	want_counted(&f, "blocks=1 waited=1 lost=1");
	teardown(&f);
}

static const struct family_row {
	const char *label, *there, *missing, *addr, *other;
	enum alert raised, back;
} family_rows[] = {
	{ "IPv4 missing", LIST6, LIST4, "192.0.2.7", "2001:db8::7",
	  ALERT_LIST4, ALERT_LIST4_BACK },
	{ "IPv6 missing", LIST4, LIST6, "2001:db8::7", "192.0.2.7",
	  ALERT_LIST6, ALERT_LIST6_BACK },
};

TEST_ROWS(one_missing_never_stops_the_other, family_rows)
{
	char want[64], want_other[64];
	struct fixture f;

	snprintf(want, sizeof(want), "+%s\n", row->addr);
	snprintf(want_other, sizeof(want_other), "+%s\n", row->other);
	setup(&f, "600", "100");
	fakelists_make(&f.lists, row->there);
	add(&f, row->addr, 0);
	add(&f, row->other, 1);
	want_list(&f.lists, row->there, want_other);
	want_int(blocklist_run(f.blocklist, 2), 2 + RETRY);
	want_alert(&f.alerts, row->raised, ENOENT);
	want_no_alert(&f.alerts);
	fakelists_make(&f.lists, row->missing);
	blocklist_run(f.blocklist, 2 + RETRY);
	want_list(&f.lists, row->missing, want);
	want_list(&f.lists, row->there, want_other);
	want_alert(&f.alerts, row->back, 1);
	want_counted(&f, "blocks=2 waited=1");
	teardown(&f);
}

TEST(recreated_list_gets_all_oldest_first)
{
	struct fixture f;

	setup_with_lists(&f);
	add(&f, "192.0.2.1", 0);
	add(&f, "192.0.2.2", 1);
	add(&f, "192.0.2.3", 2);
	add(&f, "192.0.2.1", 3);
	add(&f, "2001:db8::7", 4);
	blocklist_run(f.blocklist, 5);
	make_anew(&f, LIST4);
	/* Not before it is looked at again. */
	want_int(blocklist_run(f.blocklist, 4 + LOOK), 5 + LOOK);
	want_list(&f.lists, LIST4, "");
	want_int(blocklist_run(f.blocklist, 5 + LOOK), 5 + 2 * LOOK);
	want_list(&f.lists, LIST4, "+192.0.2.2\n+192.0.2.3\n+192.0.2.1\n");
	want_list(&f.lists, LIST6, "+2001:db8::7\n");
	want_counted(&f, "blocks=4 renewals=1 replayed=3");
	want_no_alert(&f.alerts);
	teardown(&f);
}

TEST(block_notices_recreated_list)
{
	struct fixture f;

	setup_with_lists(&f);
	add(&f, "192.0.2.1", 0);
	add(&f, "192.0.2.2", 1);
	blocklist_run(f.blocklist, 2);
	make_anew(&f, LIST4);
	add(&f, "192.0.2.3", 3);
	want_list(&f.lists, LIST4, "+192.0.2.3\n");
	blocklist_run(f.blocklist, 3);
	want_list(&f.lists, LIST4, "+192.0.2.3\n+192.0.2.1\n+192.0.2.2\n");
	want_counted(&f, "blocks=3 replayed=2");
	teardown(&f);
}

/* The one that is renewed is on the new list already. */
TEST(renewal_notices_recreated_list)
{
	struct fixture f;

	setup_with_lists(&f);
	add(&f, "192.0.2.1", 0);
	add(&f, "192.0.2.2", 1);
	blocklist_run(f.blocklist, 2);
	make_anew(&f, LIST4);
	add(&f, "192.0.2.1", 3);
	blocklist_run(f.blocklist, 3);
	want_list(&f.lists, LIST4, "+192.0.2.1\n+192.0.2.2\n");
	want_counted(&f, "blocks=2 renewals=1 replayed=1");
	teardown(&f);
}

TEST(list_missing_for_a_while_gets_all)
{
	struct fixture f;

	setup_with_lists(&f);
	add(&f, "192.0.2.1", 0);
	blocklist_run(f.blocklist, 0);
	fakelists_remove(&f.lists, LIST4);
	/* Found by looking: nothing else came. */
	want_int(blocklist_run(f.blocklist, LOOK), LOOK + RETRY);
	want_alert(&f.alerts, ALERT_LIST4, ENOENT);
	add(&f, "192.0.2.2", LOOK + 10);
	fakelists_make(&f.lists, LIST4);
	blocklist_run(f.blocklist, LOOK + RETRY);
	want_list(&f.lists, LIST4, "+192.0.2.1\n+192.0.2.2\n");
	want_alert(&f.alerts, ALERT_LIST4_BACK, 2);
	want_counted(&f, "blocks=2 waited=1 replayed=1");
	teardown(&f);
}

/* The list is recreated again while blocks are being put back. */
TEST(gap_within_a_gap)
{
	struct fixture f;

	setup(&f, "600", "5000");
	fakelists_make(&f.lists, LIST4);
	add_many(&f, 1500, 0);
	make_anew(&f, LIST4);
	want_int(blocklist_run(f.blocklist, 1), 1);
	want_int(lines(&f, LIST4), 1000);
	make_anew(&f, LIST4);
	want_int(blocklist_run(f.blocklist, 2), 2);
	want_int(blocklist_run(f.blocklist, 3), 1 + LOOK);
	want_int(lines(&f, LIST4), 1500);
	teardown(&f);
}

TEST(only_unexpired_blocks_are_put_back)
{
	struct fixture f;

	setup(&f, "10", "100");
	fakelists_make(&f.lists, LIST4);
	add(&f, "192.0.2.1", 0);
	add(&f, "192.0.2.2", 8000);
	blocklist_run(f.blocklist, 8000);
	make_anew(&f, LIST4);
	blocklist_run(f.blocklist, 8000 + LOOK);
	want_list(&f.lists, LIST4, "+192.0.2.2\n");
	want_counted(&f, "blocks=2 replayed=1");
	teardown(&f);
}

static const struct expiry_row {
	const char *label;
	int64_t now;
	const char *list, *counted;
} expiry_rows[] = {
	{ "just before its end", 999, "+192.0.2.7\n", "blocks=1 waited=1" },
	{ "at its end", 1000, "", "waited=1 lost=1" },
	{ "long after", 99999, "", "waited=1 lost=1" },
};

/* banTime is 1 s, and the list comes at now. */
TEST_ROWS(ban_passes_while_waiting, expiry_rows)
{
	struct fixture f;

	setup(&f, "1", "100");
	add(&f, "192.0.2.7", 0);
	fakelists_make(&f.lists, LIST4);
	blocklist_run(f.blocklist, row->now);
	want_list(&f.lists, LIST4, row->list);
	want_counted(&f, row->counted);
	teardown(&f);
}

/* A block counted as lost was never on a list: the address' next block is a new one. */
TEST(lost_address_comes_again)
{
	struct fixture f;

	setup(&f, "1", "100");
	add(&f, "192.0.2.7", 0);
	blocklist_run(f.blocklist, 1000);
	want_counted(&f, "waited=1 lost=1");
	fakelists_make(&f.lists, LIST4);
	add(&f, "192.0.2.7", 2000);
	want_list(&f.lists, LIST4, "+192.0.2.7\n");
	want_counted(&f, "blocks=1 waited=1 lost=1");
	teardown(&f);
}

TEST(lost_address_waits_again)
{
	struct fixture f;

	setup(&f, "1", "100");
	add(&f, "192.0.2.7", 0);
	blocklist_run(f.blocklist, 1000);
	add(&f, "192.0.2.7", 2000);
	want_counted(&f, "waited=2 lost=1");
	fakelists_make(&f.lists, LIST4);
	blocklist_run(f.blocklist, 2050);
	want_counted(&f, "blocks=1 waited=2 lost=1");
	teardown(&f);
}

/* It waits, and the line that comes next finds the list: that is its first block,
 * no renewal. */
TEST(waiting_address_is_written_by_its_next_line)
{
	struct fixture f;

	setup(&f, "600", "100");
	want_int(add(&f, "192.0.2.7", 0), BLOCK_WAITING);
	fakelists_make(&f.lists, LIST4);
	want_int(add(&f, "192.0.2.7", 10), BLOCK_ADDED);
	want_counted(&f, "blocks=1 waited=1");
	blocklist_run(f.blocklist, 50);
	want_list(&f.lists, LIST4, "+192.0.2.7\n");
	want_counted(&f, "blocks=1 waited=1");
	teardown(&f);
}

TEST(overflow_is_reported_once)
{
	struct fixture f;

	setup(&f, "600", "3");
	fakelists_make(&f.lists, LIST4);
	add_many(&f, 3, 0);
	blocklist_run(f.blocklist, 0);
	want_counted(&f, "blocks=3");
	add(&f, "192.0.2.4", 1);
	want_counted(&f, "blocks=4 overflows=1");
	want_alert(&f.alerts, ALERT_OVERFLOW4, 0);
	add(&f, "192.0.2.5", 2);
	want_counted(&f, "blocks=5 overflows=2");
	want_no_alert(&f.alerts);
	/* A renewal needs no room. */
	add(&f, "192.0.2.5", 3);
	want_counted(&f, "blocks=5 renewals=1 overflows=2");
	teardown(&f);
}

TEST(overflow_of_ipv6_is_reported)
{
	struct fixture f;

	setup(&f, "600", "1");
	fakelists_make(&f.lists, LIST6);
	add(&f, "2001:db8::1", 0);
	add(&f, "2001:db8:0:1::2", 1);
	want_counted(&f, "blocks=2 overflows=1");
	want_alert(&f.alerts, ALERT_OVERFLOW6, 0);
	want_no_alert(&f.alerts);
	teardown(&f);
}

/* One host of IPv6 has a whole /64, and gets an eighth of the list. */
TEST(net_of_ipv6_gets_an_eighth)
{
	struct fixture f;
	char text[64];
	unsigned int i;

	setup(&f, "600", "20");
	fakelists_make(&f.lists, LIST6);
	add(&f, "2001:db8:0:8::1", 0);
	for (i = 1; i <= 4; i++) {
		snprintf(text, sizeof(text), "2001:db8:0:7::%u", i);
		add(&f, text, i);
	}
	want_list(&f.lists, LIST6, "+2001:db8:0:8::1\n+2001:db8:0:7::1\n+2001:db8:0:7::2\n"
				   "-2001:db8:0:7::1\n+2001:db8:0:7::3\n"
				   "-2001:db8:0:7::2\n+2001:db8:0:7::4\n");
	want_counted(&f, "blocks=5 overflows=2");
	/* A renewal needs no room; an address that was taken off is new again. */
	add(&f, "2001:db8:0:7::3", 10);
	want_counted(&f, "blocks=5 renewals=1 overflows=2");
	add(&f, "2001:db8:0:7::1", 11);
	want_counted(&f, "blocks=6 renewals=1 overflows=3");
	want_int(has(&f, "2001:db8:0:7::4", 12), false);
	want_int(has(&f, "2001:db8:0:7::3", 12), true);
	want_int(has(&f, "2001:db8:0:8::1", 12), true);
	want_no_alert(&f.alerts);
	teardown(&f);
}

/* Where a block is a /64 or more, each one is of another host; IPv4 has no such nets. */
TEST(other_blocks_have_no_neighbours)
{
	struct fixture f;

	setup_with_lists(&f);
	add_many(&f, 100, 0);
	want_counted(&f, "blocks=100");
	teardown(&f);
}

/* Taken off while they wait, too, and never put back. */
TEST(net_of_ipv6_gets_an_eighth_of_a_missing_list)
{
	struct fixture f;
	char text[64];
	unsigned int i;

	setup(&f, "600", "16");
	for (i = 1; i <= 4; i++) {
		snprintf(text, sizeof(text), "2001:db8:0:7::%u", i);
		add(&f, text, i);
	}
	fakelists_make(&f.lists, LIST6);
	blocklist_run(f.blocklist, 100);
	want_list(&f.lists, LIST6, "+2001:db8:0:7::3\n+2001:db8:0:7::4\n");
	make_anew(&f, LIST6);
	blocklist_run(f.blocklist, 100 + LOOK);
	want_list(&f.lists, LIST6, "+2001:db8:0:7::3\n+2001:db8:0:7::4\n");
	teardown(&f);
}

/* An address whose block is over may be forgotten. */
static const struct room_row {
	const char *label;
	int64_t now;
	const char *counted;
} room_rows[] = {
	{ "the oldest is due", 999, "blocks=2 overflows=1" },
	{ "the oldest is over", 1000, "blocks=2" },
};

TEST_ROWS(makes_room, room_rows)
{
	struct fixture f;

	setup(&f, "1", "1");
	fakelists_make(&f.lists, LIST4);
	add(&f, "192.0.2.1", 0);
	add(&f, "192.0.2.2", row->now);
	want_counted(&f, row->counted);
	teardown(&f);
}

/* The queue is limited too, and drops the oldest. */
TEST(too_many_wait)
{
	struct fixture f;

	setup(&f, "600", "2");
	add(&f, "192.0.2.1", 0);
	add(&f, "192.0.2.2", 1);
	add(&f, "192.0.2.3", 2);
	want_counted(&f, "waited=3 lost=1");
	want_alert(&f.alerts, ALERT_LIST4, ENOENT);
	want_no_alert(&f.alerts);
	fakelists_make(&f.lists, LIST4);
	blocklist_run(f.blocklist, 50);
	want_list(&f.lists, LIST4, "+192.0.2.2\n+192.0.2.3\n");
	want_counted(&f, "blocks=2 waited=3 lost=1");
	teardown(&f);
}

TEST(capacity_is_100_by_default)
{
	struct fixture f;
	struct addr addr = numbered(100);

	setup(&f, "600", "");
	fakelists_make(&f.lists, LIST4);
	add_many(&f, 100, 0);
	want_counted(&f, "blocks=100");
	blocklist_add(f.blocklist, &addr, 0, false);
	want_counted(&f, "blocks=101 overflows=1");
	teardown(&f);
}

TEST(old_kernels_lists_serve)
{
	struct fixture f;

	setup(&f, "600", "100");
	add(&f, "192.0.2.7", 0);
	fakelists_make(&f.lists, "ipt_recent/spammer");
	blocklist_run(f.blocklist, 50);
	add(&f, "192.0.2.8", 60);
	want_list(&f.lists, "ipt_recent/spammer", "+192.0.2.7\n+192.0.2.8\n");
	teardown(&f);
}

/* No step of the background thread's is so long that others wait for it. */
TEST(many_are_put_back_in_steps)
{
	struct fixture f;

	setup(&f, "600", "5000");
	add_many(&f, 2500, 0);
	want_alert(&f.alerts, ALERT_LIST4, ENOENT);
	fakelists_make(&f.lists, LIST4);
	want_int(blocklist_run(f.blocklist, 10), 10);
	want_int(lines(&f, LIST4), 1000);
	want_no_alert(&f.alerts);
	want_int(blocklist_run(f.blocklist, 11), 11);
	want_int(lines(&f, LIST4), 2000);
	want_int(blocklist_run(f.blocklist, 12), 10 + LOOK);
	want_int(lines(&f, LIST4), 2500);
	want_alert(&f.alerts, ALERT_LIST4_BACK, 2500);
	want_counted(&f, "blocks=2500 waited=2500");
	teardown(&f);
}

static const struct write_row {
	const char *label;
	int err, raised;
} write_rows[] = {
	{ "removed meanwhile", EIO, ENOENT },
	{ "taken in part", 0, ENOENT },
	{ "no memory", ENOMEM, ENOMEM },
	{ "refused", EINVAL, EINVAL },
};

TEST_ROWS(failed_write_is_repeated, write_rows)
{
	struct fixture f;

	setup_with_lists(&f);
	add(&f, "192.0.2.1", 0);
	fakelists_fail_writes(row->err, 2);
	add(&f, "192.0.2.2", 1);
	want_int(counters_get(&f.counters, COUNTER_BACKEND_ERRORS), 1);
	want_alert(&f.alerts, ALERT_LIST4, row->raised);
	want_int(blocklist_run(f.blocklist, 2), 2 + RETRY);
	blocklist_run(f.blocklist, 2 + RETRY);
	want_list(&f.lists, LIST4, "+192.0.2.1\n+192.0.2.2\n");
	want_alert(&f.alerts, ALERT_LIST4_BACK, 1);
	want_counted(&f, "blocks=2 waited=1");
	teardown(&f);
}

/* root may write anything, so another user tries. */
TEST(missing_capability_is_reported)
{
	bool is_root = geteuid() == 0;
	struct fixture f;
	char path[200];

	setup_with_lists(&f);
	snprintf(path, sizeof(path), "%s/" LIST4, f.lists.net_root);
	want_int(chmod(path, 0400), 0);
	if (is_root)
		want_int(seteuid(65534), 0);
	add(&f, "192.0.2.7", 0);
	blocklist_run(f.blocklist, 1);
	if (is_root)
		want_int(seteuid(0), 0);
	want_alert(&f.alerts, ALERT_LIST4, EACCES);
	want_counted(&f, "waited=1");
	want_int(chmod(path, 0600), 0);
	blocklist_run(f.blocklist, 51);
	want_list(&f.lists, LIST4, "+192.0.2.7\n");
	want_alert(&f.alerts, ALERT_LIST4_BACK, 1);
	teardown(&f);
}

TEST(check_reports_what_is_missing)
{
	struct fixture f;

	setup(&f, "600", "100");
	blocklist_check(f.blocklist, 0);
	want_int(counters_get(&f.counters, COUNTER_BACKEND_ERRORS), 2);
	want_alert(&f.alerts, ALERT_LIST4, ENOENT);
	want_alert(&f.alerts, ALERT_LIST6, ENOENT);
	fakelists_make(&f.lists, LIST4);
	blocklist_check(f.blocklist, 0);
	want_no_alert(&f.alerts);
	teardown(&f);
}

TEST(check_changes_nothing)
{
	struct fixture f;

	setup_with_lists(&f);
	blocklist_check(f.blocklist, 0);
	want_no_alert(&f.alerts);
	want_list(&f.lists, LIST4, "");
	want_list(&f.lists, LIST6, "");
	want_int(counters_get(&f.counters, COUNTER_BACKEND_ERRORS), 0);
	want_counted(&f, "");
	teardown(&f);
}

TEST(advice_is_the_backends)
{
	struct fixture f;
	char got[300] = "";

	setup(&f, "77", "100");
	blocklist_advice(f.blocklist, ADDR_IPV6, ENOENT, got, sizeof(got));
	want_str(got,
		 "the list spammer6 does not exist because no firewall rule names it: "
		 "type  ip6tables -I INPUT -p tcp --dport 25 -m recent --name "
		 "spammer6 --update --seconds 77 -j DROP");
	teardown(&f);
}

/* Renewals are distinguished from blocks while the addresses are remembered; forgetting one
 * is not an overflow of a list without a limit. */
TEST(null_backend_takes_all)
{
	struct settings s;
	struct counters counters = { 0 };
	struct alerts alerts = { 0 };
	struct blocklist *blocklist = NULL;
	struct addr addr = numbered(1);
	char wrong[256];
	unsigned int i;

	want_int(settings_init(&s), 0);
	want_int(settings_set(&s, "backend", "null", wrong, sizeof(wrong)), 0);
	want_int(blocklist_new(&s, "nowhere", "nowhere", &counters, &alerts, &blocklist), 0);
	blocklist_add(blocklist, &addr, 0, false);
	blocklist_add(blocklist, &addr, 1, false);
	want_int(counters_get(&counters, COUNTER_BLOCKS), 1);
	want_int(counters_get(&counters, COUNTER_RENEWALS), 1);
	for (i = 0; i < 70000; i++) {
		addr = numbered(i);
		addr.bytes[1] = (uint8_t)(i >> 16);
		blocklist_add(blocklist, &addr, 2, false);
	}
	want_int(counters_get(&counters, COUNTER_BLOCKS), 70001);
	want_int(counters_get(&counters, COUNTER_OVERFLOWS), 0);
	want_int(counters_get(&counters, COUNTER_BACKEND_ERRORS), 0);
	blocklist_free(blocklist);
	settings_done(&s);
}

TEST(overlong_root_is_refused)
{
	struct counters counters = { 0 };
	struct alerts alerts = { 0 };
	struct blocklist *blocklist = NULL;
	struct settings s;
	char root[129];

	memset(root, 'r', sizeof(root));
	root[128] = '\0';
	want_int(settings_init(&s), 0);
	want_int(blocklist_new(&s, root, "m", &counters, &alerts, &blocklist), -ENAMETOOLONG);
	want_int(blocklist == NULL, true);
	blocklist_free(NULL);
	settings_done(&s);
}

static int make_blocks(void *data)
{
	struct fixture *f = data;
	struct blocklist *blocklist = NULL;
	int r;

	r = blocklist_new(&f->settings, f->lists.net_root, f->lists.module_root, &f->counters,
			  &f->alerts, &blocklist);
	if (r == 0)
		blocklist_free(blocklist);
	return r;
}

TEST(survives_lack_of_memory)
{
	struct fixture f;

	setup(&f, "600", "100");
	want_int(memory_fail_each(make_blocks, &f) >= 5, true);
	teardown(&f);
}

/* Add addresses until memory for one more was asked for, which was not there.
 * Returns how many they are. */
static unsigned int add_until_memory_fails(struct fixture *f)
{
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		struct addr addr = numbered(i);

		memory_fail(1);
		blocklist_add(f->blocklist, &addr, 0, false);
		if (memory_failed())
			return i + 1;
	}
	fail();
	return 0;
}

/* Not remembered, and on the list all the same. */
TEST(block_without_memory_is_written)
{
	struct fixture f;
	unsigned int n;

	setup(&f, "600", "500");
	fakelists_make(&f.lists, LIST4);
	n = add_until_memory_fails(&f);
	want_int(lines(&f, LIST4), n);
	want_int(counters_get(&f.counters, COUNTER_BLOCKS), n);
	teardown(&f);
}

/* It cannot wait: then it counts as lost, and the others wait on. */
TEST(block_without_memory_and_list_is_lost)
{
	struct fixture f;
	unsigned int n;

	setup(&f, "600", "500");
	n = add_until_memory_fails(&f);
	fakelists_make(&f.lists, LIST4);
	blocklist_run(f.blocklist, 50);
	want_int(lines(&f, LIST4), n - 1);
	want_int(counters_get(&f.counters, COUNTER_BLOCKS), n - 1);
	want_int(counters_get(&f.counters, COUNTER_LOST), 1);
	teardown(&f);
}
