/* Addresses on their way to lists that the backend creates itself and that take many at once:
 * with the test's own backend. The tests set the time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/blocklist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"
#include "tests/unit/want_alert.h"

/* ms: the lists are looked at, and full ones tried again, every.. */
#define LOOK 5000
/* The calls of the backend: "192.0.2.1/600 " for one address, "[...]" around those of one
 * call. */
static char call_log[2 << 20];
static size_t call_log_used;

/* Its results: of each addition, and of checks by family. */
static int add_result, check_results[2];
/* Additions that succeed before the list is full; -1: no limit. */
static int room;
static struct backend_entry held[8];
static size_t held_count;
static unsigned int checks, known;
static const struct backend_ops fake_ops;

const struct backend_ops *__wrap_backend_ops(int kind);
const struct backend_ops *__wrap_backend_ops(int kind)
{
	(void)kind;
	return &fake_ops;
}

static void tell(const char *text)
{
	size_t len = strlen(text);

	assert_true(call_log_used + len < sizeof(call_log));
	memcpy(call_log + call_log_used, text, len + 1);
	call_log_used += len;
}

static int fake_open(const struct backend_config *config,
		     struct backend **ret_backend)
{
	(void)config;
	*ret_backend = calloc(1, sizeof(**ret_backend));
	if (!*ret_backend)
		return -ENOMEM;
	(*ret_backend)->ops = &fake_ops;
	return 0;
}

static int take(const struct backend_block *block)
{
	char text[ADDR_TEXT_SIZE], line[ADDR_TEXT_SIZE + 24];

	known += block->known;
	if (add_result < 0)
		return add_result;
	if (room == 0)
		return -ENFILE;
	room -= room > 0;
	snprintf(line, sizeof(line), "%s/%d ", addr_format(&block->addr, text),
		 (int)(block->stay / 1000));
	tell(line);
	return add_result;
}

static void fake_add_many(struct backend *backend,
			  const struct backend_block *blocks, size_t count,
			  int *ret_results)
{
	size_t i;

	(void)backend;
	assert_true(count <= BACKEND_MANY);
	tell("[");
	for (i = 0; i < count; i++)
		ret_results[i] = take(&blocks[i]);
	tell("] ");
}

static int fake_check(struct backend *backend, int family)
{
	int *result = &check_results[family == ADDR_IPV4 ? 0 : 1], r = *result;

	(void)backend;
	checks++;
	if (r == BACKEND_WRITTEN_ANEW)
		*result = BACKEND_WRITTEN;
	return r;
}

static int fake_each(struct backend *backend, int family, backend_entry_fn *fn,
		     void *ctx)
{
	size_t i;
	int r;

	(void)backend;
	for (i = 0; i < held_count; i++) {
		if (held[i].addr.family != family)
			continue;
		r = fn(ctx, &held[i]);
		if (r != 0)
			return r;
	}
	return 0;
}

static size_t fake_capacity(struct backend *backend)
{
	(void)backend;
	return 1000;
}

static char *fake_advice(const struct backend *backend, int family, int err,
			 char *buf, size_t size)
{
	(void)backend;
	snprintf(buf, size, "%d %d", family, err);
	return buf;
}

static void fake_free(struct backend *backend)
{
	free(backend);
}

static const struct backend_ops fake_ops = {
	.name = "fake",
	.manages_list = true,
	.open = fake_open,
	.add_many = fake_add_many,
	.check = fake_check,
	.foreach = fake_each,
	.capacity = fake_capacity,
	.advice = fake_advice,
	.free = fake_free,
};

struct fixture {
	struct settings settings;
	struct counters counters;
	struct alerts alerts;
	struct blocklist *blocklist;
};

static void setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	call_log[0] = '\0';
	call_log_used = 0;
	add_result = check_results[0] = check_results[1] = BACKEND_WRITTEN;
	room = -1;
	held_count = 0;
	checks = known = 0;
	want_int(settings_init(&f->settings), 0);
	want_int(blocklist_new(&f->settings, "", "", &f->counters, &f->alerts, &f->blocklist),
		 0);
}

static void teardown(struct fixture *f)
{
	blocklist_free(f->blocklist);
	settings_done(&f->settings);
}

static struct addr parse(const char *text)
{
	struct addr addr;

	want_int(addr_parse(text, strlen(text), &addr), 0);
	return addr;
}

/* At once, as before a signal. */
static enum block_state add(struct fixture *f, const char *text, int64_t now)
{
	struct addr addr = parse(text);

	return blocklist_add(f->blocklist, &addr, now, true);
}

static enum block_state add_later(struct fixture *f, const char *text, int64_t now)
{
	struct addr addr = parse(text);

	return blocklist_add(f->blocklist, &addr, now, false);
}

/* 10.0.x.y; none is urgent. */
static void add_many(struct fixture *f, unsigned int count, int64_t now)
{
	struct addr addr;
	unsigned int i;

	for (i = 0; i < count; i++) {
		addr = (struct addr){ .family = ADDR_IPV4,
				      .bytes = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
						 (uint8_t)i } };
		blocklist_add(f->blocklist, &addr, now, false);
	}
}

static void hold(const char *text, int64_t left)
{
	held[held_count++] = (struct backend_entry){ .addr = parse(text),
						     .left = left };
}

static void want_calls(const char *want)
{
	want_str(call_log, want);
	call_log[0] = '\0';
	call_log_used = 0;
}

static void want_counted(struct fixture *f, const char *want)
{
	char got[512];

	want_str(counters_format(&f->counters, got, sizeof(got)), want);
}

static unsigned int brackets(void)
{
	unsigned int n = 0;
	const char *at;

	for (at = call_log; *at; at++)
		n += *at == '[';
	return n;
}

/* A step of a test: an address that is added, or NULL: blocklist_flush(); and the calls of
 * the backend since the step before. */
struct step {
	const char *addr;
	bool at_once;
	enum block_state state;
	const char *calls;
};

#define STEPS_MAX 6

static const struct batch_row {
	const char *label;
	struct step steps[STEPS_MAX];
	const char *counted;
} batch_rows[] = {
	{ "urgent ones go at once",
	  { { "192.0.2.1", true, BLOCK_ADDED, "[192.0.2.1/600 ] " },
	    { "2001:db8::1", true, BLOCK_ADDED, "[2001:db8::1/600 ] " },
	    { "192.0.2.1", true, BLOCK_RENEWED, "[192.0.2.1/600 ] " } },
	  "blocks=2 renewals=1" },
	{ "others go together",
	  { { "192.0.2.1", false, BLOCK_QUEUED, "" },
	    { "192.0.2.2", false, BLOCK_QUEUED, "" },
	    { NULL, false, 0, "[192.0.2.1/600 192.0.2.2/600 ] " },
	    { NULL, false, 0, "" },
	    { "192.0.2.1", false, BLOCK_QUEUED, "" },
	    { NULL, false, 0, "[192.0.2.1/600 ] " } },
	  "blocks=2 renewals=1" },
	{ "an urgent one takes them along",
	  { { "192.0.2.1", false, BLOCK_QUEUED, "" },
	    { "192.0.2.2", true, BLOCK_ADDED, "[192.0.2.1/600 192.0.2.2/600 ] " } },
	  "blocks=2" },
	{ "twice in one call",
	  { { "192.0.2.1", false, BLOCK_QUEUED, "" },
	    { "192.0.2.1", false, BLOCK_QUEUED, "" },
	    { NULL, false, 0, "[192.0.2.1/600 192.0.2.1/600 ] " } },
	  "blocks=1 renewals=1" },
};

TEST_ROWS(addresses_are_collected, batch_rows)
{
	const struct step *step;
	struct fixture f;
	struct addr addr;

	setup(&f);
	for (step = row->steps; step < row->steps + STEPS_MAX && step->calls; step++) {
		if (!step->addr) {
			blocklist_flush(f.blocklist);
		} else {
			addr = parse(step->addr);
			want_int(blocklist_add(f.blocklist, &addr, 1000, step->at_once),
				 step->state);
			want_int(blocklist_has(f.blocklist, &addr, 1000), true);
		}
		want_calls(step->calls);
	}
	want_counted(&f, row->counted);
	teardown(&f);
}

/* The backend is told which ones are renewals. */
TEST(renewals_are_known)
{
	struct fixture f;

	setup(&f);
	add(&f, "192.0.2.1", 1000);
	add(&f, "192.0.2.1", 1001);
	want_int(known, 1);
	teardown(&f);
}

/* Few calls, and counted as if added one by one. */
TEST(wave_goes_many_at_a_time)
{
	struct fixture f;

	setup(&f);
	blocklist_run(f.blocklist, 999);
	add_many(&f, 104, 1000);
	add_later(&f, "10.0.0.50", 1000);
	want_int(brackets(), 3);
	blocklist_run(f.blocklist, 1000);
	want_int(brackets(), 4);
	want_counted(&f, "blocks=104 renewals=1");
	want_calls(call_log);
	blocklist_run(f.blocklist, 1001);
	want_calls("");
	teardown(&f);
}

/* Addresses that do not fit into the cache are lost, and counted. */
TEST(block_cache_has_a_limit)
{
	const unsigned int holds = 65536 + 1000;
	struct fixture f;

	setup(&f);
	add_result = -EPERM;
	add_many(&f, holds + 3, 0);
	blocklist_flush(f.blocklist);
	want_int(counters_get(&f.counters, COUNTER_WAITED), holds + 3);
	want_int(counters_get(&f.counters, COUNTER_LOST), 3);
	teardown(&f);
}

/* The list is looked at also while nothing is on it, both in each round. */
TEST(empty_lists_are_looked_at)
{
	struct fixture f;

	setup(&f);
	want_int(blocklist_run(f.blocklist, 10000), 10000 + LOOK);
	want_int(checks, 2);
	want_int(blocklist_run(f.blocklist, 10001), 10000 + LOOK);
	want_int(checks, 2);
	want_int(blocklist_run(f.blocklist, 10000 + LOOK), 10000 + 2 * LOOK);
	want_int(checks, 4);
	teardown(&f);
}

TEST(dry_run_touches_nothing)
{
	char wrong[256];
	struct fixture f;

	setup(&f);
	want_int(settings_set(&f.settings, "dryRun", "on", wrong, sizeof(wrong)), 0);
	want_int(blocklist_run(f.blocklist, 10000), INT64_MAX);
	want_int(checks, 0);
	teardown(&f);
}

/* A recreated list gets all live blocks, for the rest of their time. */
TEST(put_back_for_the_rest)
{
	struct fixture f;

	setup(&f);
	add(&f, "192.0.2.1", 0);
	add(&f, "192.0.2.2", 100000);
	add(&f, "2001:db8::1", 200000);
	want_calls("[192.0.2.1/600 ] [192.0.2.2/600 ] [2001:db8::1/600 ] ");
	check_results[0] = BACKEND_WRITTEN_ANEW;
	blocklist_run(f.blocklist, 300000);
	want_calls("[192.0.2.1/300 192.0.2.2/400 ] ");
	check_results[0] = check_results[1] = BACKEND_WRITTEN_ANEW;
	blocklist_run(f.blocklist, 650000);
	want_calls("[192.0.2.2/50 ] [2001:db8::1/150 ] ");
	want_counted(&f, "blocks=3 replayed=4");
	teardown(&f);
}

/* It was noticed when an address was added. */
TEST(put_back_after_an_addition)
{
	struct fixture f;

	setup(&f);
	add(&f, "192.0.2.1", 0);
	blocklist_run(f.blocklist, 0);
	add_result = BACKEND_WRITTEN_ANEW;
	add(&f, "192.0.2.2", 60000);
	add_result = BACKEND_WRITTEN;
	blocklist_run(f.blocklist, 60000);
	want_calls("[192.0.2.1/600 ] [192.0.2.2/600 ] [192.0.2.1/540 ] ");
	want_counted(&f, "blocks=2 replayed=1");
	teardown(&f);
}

/* Many at a time, and in rounds that leave the background thread to others. */
TEST(many_are_put_back)
{
	struct fixture f;
	int rounds;

	setup(&f);
	add_many(&f, 2004, 0);
	blocklist_run(f.blocklist, 0);
	want_calls(call_log);
	check_results[0] = BACKEND_WRITTEN_ANEW;
	for (rounds = 1; blocklist_run(f.blocklist, LOOK) == LOOK; rounds++)
		assert_true(rounds < 10);
	want_int(rounds, 2);
	want_int(counters_get(&f.counters, COUNTER_REPLAYED), 2004);
	want_int(brackets(), 63);
	teardown(&f);
}

/* A full list: reported once, counted once per address, retried at long intervals. */
TEST(full_list_is_reported)
{
	struct fixture f;

	setup(&f);
	room = 2;
	add(&f, "192.0.2.1", 0);
	add(&f, "192.0.2.2", 1);
	want_no_alert(&f.alerts);
	add(&f, "192.0.2.3", 2);
	want_alert(&f.alerts, ALERT_OVERFLOW4, 0);
	add(&f, "192.0.2.3", 3);
	want_counted(&f, "blocks=2 overflows=1");
	want_no_alert(&f.alerts);
	want_int(blocklist_run(f.blocklist, 4), 4 + LOOK);
	room = 1;
	/* Not at each wake-up of the background thread. */
	blocklist_run(f.blocklist, 5);
	want_calls("[192.0.2.1/600 ] [192.0.2.2/600 ] [] [] [] ");
	blocklist_run(f.blocklist, 4 + LOOK);
	want_calls("[192.0.2.3/594 ] ");
	want_counted(&f, "blocks=3 overflows=1");
	want_no_alert(&f.alerts);
	teardown(&f);
}

/* In a wave, too; those that fit are on it. */
TEST(wave_on_a_nearly_full_list)
{
	struct fixture f;

	setup(&f);
	room = 10;
	add_many(&f, 40, 0);
	blocklist_run(f.blocklist, 0);
	want_counted(&f, "blocks=10 overflows=30");
	want_alert(&f.alerts, ALERT_OVERFLOW4, 0);
	want_no_alert(&f.alerts);
	room = 5;
	blocklist_run(f.blocklist, LOOK);
	want_counted(&f, "blocks=15 overflows=30");
	/* An expired block waits no longer. */
	blocklist_run(f.blocklist, 700000);
	want_counted(&f, "blocks=15 lost=25 overflows=30");
	teardown(&f);
}

/* An error of one family is one of both: it is reported once. */
TEST(missing_capability_is_reported_once)
{
	struct fixture f;

	setup(&f);
	check_results[0] = check_results[1] = add_result = -EPERM;
	blocklist_check(f.blocklist, 0);
	want_alert(&f.alerts, ALERT_LIST4, EPERM);
	add(&f, "192.0.2.1", 1);
	add(&f, "2001:db8::1", 2);
	want_int(blocklist_run(f.blocklist, 3), 3 + LOOK);
	blocklist_run(f.blocklist, 4);
	want_no_alert(&f.alerts);
	want_int(counters_get(&f.counters, COUNTER_WAITED), 2);
	want_calls("[] [] [] [] ");
	check_results[0] = check_results[1] = add_result = BACKEND_WRITTEN;
	blocklist_run(f.blocklist, 3 + LOOK);
	want_calls("[192.0.2.1/594 ] [2001:db8::1/594 ] ");
	want_alert(&f.alerts, ALERT_LIST4_BACK, 1);
	want_no_alert(&f.alerts);
	teardown(&f);
}

/* Blocks of an earlier rsyslogd are known, and put back if need be. */
TEST(earlier_blocks_are_known)
{
	struct fixture f;

	setup(&f);
	hold("192.0.2.2", 400000);
	hold("192.0.2.1", 100000);
	hold("2001:db8::1", 500000);
	blocklist_check(f.blocklist, 1000000);
	held_count = 0;
	blocklist_check(f.blocklist, 1000000);
	add(&f, "192.0.2.2", 1000000);
	want_counted(&f, "renewals=1");
	want_calls("[192.0.2.2/600 ] ");
	check_results[0] = check_results[1] = BACKEND_WRITTEN_ANEW;
	blocklist_run(f.blocklist, 1050000);
	want_calls("[192.0.2.1/50 192.0.2.2/550 ] [2001:db8::1/450 ] ");
	check_results[0] = BACKEND_WRITTEN_ANEW;
	blocklist_run(f.blocklist, 1100000);
	want_calls("[192.0.2.2/500 ] ");
	teardown(&f);
}

/* Without memory to read them they are not known; there is no other effect. */
TEST(lack_of_memory_only_forgets)
{
	struct fixture f;

	setup(&f);
	hold("192.0.2.1", 100000);
	memory_fail(1);
	blocklist_check(f.blocklist, 0);
	want_int(memory_failed(), true);
	add(&f, "192.0.2.1", 0);
	want_counted(&f, "blocks=1");
	teardown(&f);
}
