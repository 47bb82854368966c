/* Addresses on their way to lists that the backend creates itself, that take many at once,
 * and that other programs may lock: with the test's own backend. The tests set the time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/blocklist.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/support.h"
#include "tests/unit/want_alert.h"

/* ms: the lists are looked at, and full ones tried again, every.. */
#define LOOK 5000
/* The queue's size for the background thread; further addresses wait in the cache. */
#define QUEUE 4096
/* Written at a time, and put back at a time. */
#define FLUSH 1000

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

/* Other programs and their transactions. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool closed;		/* they are in one: calls of the backend wait */
	unsigned int waiting;	/* this many calls */
	unsigned int delay;	/* ms, that each call takes */
} others = { .lock = PTHREAD_MUTEX_INITIALIZER,
	     .changed = PTHREAD_COND_INITIALIZER };

static void wait_for_others(void)
{
	usleep(others.delay * 1000);
	pthread_mutex_lock(&others.lock);
	others.waiting++;
	pthread_cond_broadcast(&others.changed);
	while (others.closed)
		pthread_cond_wait(&others.changed, &others.lock);
	others.waiting--;
	pthread_mutex_unlock(&others.lock);
}

static void others_begin(void)
{
	pthread_mutex_lock(&others.lock);
	others.closed = true;
	pthread_mutex_unlock(&others.lock);
}

static void others_end(void)
{
	pthread_mutex_lock(&others.lock);
	others.closed = false;
	pthread_cond_broadcast(&others.changed);
	pthread_mutex_unlock(&others.lock);
}

/* Until a call of the backend waits for them. */
static void others_hold_somebody(void)
{
	pthread_mutex_lock(&others.lock);
	while (others.waiting == 0)
		pthread_cond_wait(&others.changed, &others.lock);
	pthread_mutex_unlock(&others.lock);
}

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

static int fake_add(struct backend *backend, const struct backend_block *block)
{
	(void)backend;
	wait_for_others();
	return take(block);
}

static void fake_add_many(struct backend *backend,
			  const struct backend_block *blocks, size_t count,
			  int *ret_results)
{
	size_t i;

	(void)backend;
	assert_true(count <= BACKEND_MANY);
	if (count == 0)
		return;
	wait_for_others();
	tell("[");
	for (i = 0; i < count; i++)
		ret_results[i] = take(&blocks[i]);
	tell("] ");
}

static int fake_check(struct backend *backend, int family)
{
	int *result = &check_results[family == ADDR_IPV4 ? 0 : 1], r = *result;

	(void)backend;
	wait_for_others();
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
	wait_for_others();
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
	.may_block = true,
	.open = fake_open,
	.add = fake_add,
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

static bool add(struct fixture *f, const char *text, int64_t now)
{
	struct addr addr = parse(text);

	return blocklist_add(f->blocklist, NULL, &addr, now, true, NULL);
}

static bool add_later(struct fixture *f, const char *text, int64_t now)
{
	struct addr addr = parse(text);

	return blocklist_add(f->blocklist, NULL, &addr, now, false, NULL);
}

/* 10.0.x.y, numbered first and on; none is urgent. Returns how often blocklist_run() was
 * asked for. */
static unsigned int add_many(struct fixture *f, unsigned int first,
			     unsigned int count, int64_t now)
{
	unsigned int i, wakes = 0;
	struct addr addr;

	for (i = first; i < first + count; i++) {
		addr = (struct addr){ .family = ADDR_IPV4,
				      .bytes = { 10, 0, (uint8_t)(i >> 8),
						 (uint8_t)i } };
		wakes += blocklist_add(f->blocklist, NULL, &addr, now, false, NULL);
	}
	return wakes;
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

static void urgent_ones_go_at_once(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	add(&f, "192.0.2.1", 1000);
	want_calls("192.0.2.1/600 ");
	add(&f, "2001:db8::1", 1001);
	add(&f, "192.0.2.1", 1001);
	want_calls("2001:db8::1/600 192.0.2.1/600 ");
	want_counted(&f, "blocks=2 renewals=1");
	/* The backend gets the renewal. */
	want_int(known, 1);
	teardown(&f);
}

static void others_are_left_to_the_background(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	want_int(blocklist_run(f.blocklist, 1000), 1000 + LOOK);
	want_int(add_later(&f, "192.0.2.1", 1001), true);
	want_calls("");
	want_counted(&f, "");
	want_int(blocklist_run(f.blocklist, 1001), 1000 + LOOK);
	want_calls("[192.0.2.1/600 ] ");
	want_int(add_later(&f, "192.0.2.1", 1002), true);
	blocklist_run(f.blocklist, 1002);
	want_counted(&f, "blocks=1 renewals=1");
	want_int(known, 1);
	teardown(&f);
}

/* One wake-up, few calls, and counted as if added one by one. */
/* Before it is queued, from the cache. */
static void queue_is_within_the_limit(void **state)
{
	const struct addr first = parse("192.0.2.1"), second = parse("192.0.2.2");
	enum block_state got = BLOCK_ADDED;
	struct block_limit limit;
	struct fixture f;

	(void)state;
	setup(&f);
	block_limit_init(&limit, 1, 60);
	want_int(blocklist_add(f.blocklist, &limit, &first, 0, false, &got), true);
	want_int(got, BLOCK_QUEUED);
	blocklist_run(f.blocklist, 1);
	want_calls("[192.0.2.1/600 ] ");
	want_int(blocklist_add(f.blocklist, &limit, &second, 2, false, &got), false);
	want_int(got, BLOCK_CLOSES);
	want_int(blocklist_add(f.blocklist, &limit, &second, 3, false, &got), false);
	want_int(got, BLOCK_REFUSED);
	want_int(blocklist_add(f.blocklist, &limit, &first, 4, false, &got), true);
	want_int(got, BLOCK_QUEUED);
	blocklist_run(f.blocklist, 5);
	want_calls("[192.0.2.1/600 ] ");
	block_limit_done(&limit);
	teardown(&f);
}

static void wave_goes_many_at_a_time(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	blocklist_run(f.blocklist, 999);
	want_int(add_many(&f, 0, 104, 1000), 1);
	add_later(&f, "10.0.0.50", 1000);
	blocklist_run(f.blocklist, 1000);
	want_int(brackets(), 4);
	want_counted(&f, "blocks=104 renewals=1");
	want_calls(call_log);
	blocklist_run(f.blocklist, 1001);
	want_calls("");
	teardown(&f);
}

static void urgent_ones_do_not_queue(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	add_many(&f, 0, 2, 1000);
	add(&f, "192.0.2.1", 1000);
	blocklist_run(f.blocklist, 1000);
	want_calls("192.0.2.1/600 [10.0.0.0/600 10.0.0.1/600 ] ");
	teardown(&f);
}

/* The background thread has other things to do too, and comes back by itself. */
static void queue_is_written_in_rounds(void **state)
{
	struct fixture f;
	int rounds;

	(void)state;
	setup(&f);
	add_many(&f, 0, 2500, 1000);
	for (rounds = 1; blocklist_run(f.blocklist, 1000) == 1000; rounds++)
		want_int(counters_get(&f.counters, COUNTER_BLOCKS) <=
				 (unsigned int)rounds * (FLUSH + BACKEND_MANY),
			 true);
	want_int(rounds, 3);
	want_counted(&f, "blocks=2500");
	teardown(&f);
}

/* A queued address is not on the list yet when its event is sent. */
static void reports_what_was_done(void **state)
{
	struct addr addr = parse("192.0.2.1");
	enum block_state got = BLOCK_WAITING;
	struct fixture f;

	(void)state;
	setup(&f);
	blocklist_add(f.blocklist, NULL, &addr, 1000, true, &got);
	want_int(got, BLOCK_ADDED);
	blocklist_add(f.blocklist, NULL, &addr, 1000, true, &got);
	want_int(got, BLOCK_RENEWED);
	blocklist_add(f.blocklist, NULL, &addr, 1000, false, &got);
	want_int(got, BLOCK_QUEUED);
	add_many(&f, 1, QUEUE - 1, 1000);
	blocklist_add(f.blocklist, NULL, &addr, 1000, false, &got);
	want_int(got, BLOCK_WAITING);
	teardown(&f);
}

/* Addresses that do not fit into the queue wait in the cache, and are put back with the
 * others. */
static void queue_has_a_limit(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	want_int(add_many(&f, 0, QUEUE, 1000), 1);
	want_int(add_many(&f, QUEUE, 100, 1000), 100);
	want_counted(&f, "waited=100");
	while (blocklist_run(f.blocklist, 1000) == 1000)
		;
	want_counted(&f, "blocks=4196 waited=100");
	want_no_alert(&f.alerts);
	teardown(&f);
}

/* The cache is limited, too: addresses that do not fit are lost, and counted. */
static void block_cache_has_a_limit(void **state)
{
	const unsigned int holds = 65536 + 1000;
	struct fixture f;
	unsigned int i;

	(void)state;
	setup(&f);
	for (i = 0; i < QUEUE + holds + 3; i++) {
		struct addr addr = { .family = ADDR_IPV4,
				     .bytes = { 10, (uint8_t)(i >> 16),
						(uint8_t)(i >> 8), (uint8_t)i } };

		blocklist_add(f.blocklist, NULL, &addr, 0, false, NULL);
	}
	want_counted(&f, "waited=66539 lost=3");
	teardown(&f);
}

static void nothing_is_lost_at_stop(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	add_many(&f, 0, 3, 1000);
	teardown(&f);
	want_calls("[10.0.0.0/600 10.0.0.1/600 10.0.0.2/600 ] ");
}

static void queued_blocks_are_written_at_stop(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	add_many(&f, 0, QUEUE + 100, 1000);
	teardown(&f);
	want_int(brackets(), QUEUE / BACKEND_MANY + 4);
	want_int(counters_get(&f.counters, COUNTER_BLOCKS), QUEUE + 100);
}

/* The stop comes without it, if it cannot be written. */
static void stop_does_not_wait_for_a_list(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	add_result = -EPERM;
	add_many(&f, 0, 40, 1000);
	teardown(&f);
	want_int(counters_get(&f.counters, COUNTER_WAITED), 40);
}

/* Other programs unlock the list now and then, and there is much to write: the stop comes in
 * time. */
static void stop_is_not_delayed_for_long(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	add_many(&f, 0, QUEUE, 1000);
	others.delay = 20;
	teardown(&f);
	others.delay = 0;
	want_int(brackets() > 0, true);
	want_int(brackets() < QUEUE / BACKEND_MANY, true);
}

static void *one_worker(void *data)
{
	struct fixture *f = data;
	static _Atomic unsigned int next;
	unsigned int i;

	for (i = 0; i < 50; i++)
		add_many(f, atomic_fetch_add(&next, 100), 100, i);
	return NULL;
}

/* Several workers and the background thread. */
static void workers_share_the_queue(void **state)
{
	pthread_t threads[3];
	struct fixture f;
	unsigned int i;

	(void)state;
	setup(&f);
	for (i = 0; i < 3; i++)
		want_int(pthread_create(&threads[i], NULL, one_worker, &f), 0);
	while (counters_get(&f.counters, COUNTER_BLOCKS) < 10000)
		blocklist_run(f.blocklist, 100);
	for (i = 0; i < 3; i++)
		want_int(pthread_join(threads[i], NULL), 0);
	while (blocklist_run(f.blocklist, 100) == 100)
		;
	want_int(counters_get(&f.counters, COUNTER_BLOCKS), 15000);
	teardown(&f);
}

static void *run_once(void *data)
{
	struct fixture *f = data;

	blocklist_run(f->blocklist, 1000);
	return NULL;
}

static void *check_once(void *data)
{
	struct fixture *f = data;

	blocklist_check(f->blocklist, 1000);
	return NULL;
}

/* The background thread's state when other programs begin. */
static void prepare_nothing(struct fixture *f)
{
	(void)f;
}

static void prepare_queue(struct fixture *f)
{
	blocklist_run(f->blocklist, 999);
	add_later(f, "192.0.2.1", 999);
}

/* It can put it back, but has just looked. */
static void prepare_waiting(struct fixture *f)
{
	blocklist_run(f->blocklist, 998);
	add_result = -EAGAIN;
	add(f, "192.0.2.1", 998);
	add_result = BACKEND_WRITTEN;
}

static const struct hold_row {
	const char *label;
	void (*prepare)(struct fixture *f);
	void *(*call)(void *data);
} hold_rows[] = {
	{ "writing", prepare_queue, run_once },
	{ "putting back", prepare_waiting, run_once },
	{ "looking", prepare_nothing, run_once },
	{ "at the check", prepare_nothing, check_once },
};

/* Others keep the background thread for as long as they like: a worker is not kept, however
 * many lines come, and all is blocked when they are done. */
static void worker_never_waits(void **state)
{
	const struct hold_row *row = *state;
	pthread_t background;
	struct fixture f;

	setup(&f);
	row->prepare(&f);
	others_begin();
	want_int(pthread_create(&background, NULL, row->call, &f), 0);
	others_hold_somebody();
	want_int(add_many(&f, 0, QUEUE + 100, 1000) > 0, true);
	others_end();
	want_int(pthread_join(background, NULL), 0);
	while (blocklist_run(f.blocklist, 1000) == 1000)
		;
	want_int(counters_get(&f.counters, COUNTER_BLOCKS) >= QUEUE + 100, true);
	want_int(counters_get(&f.counters, COUNTER_LOST), 0);
	teardown(&f);
}

/* It was read while other programs locked the list, and lines came meanwhile. */
static void earlier_blocks_are_read_beside_the_workers(void **state)
{
	pthread_t background;
	struct fixture f;

	(void)state;
	setup(&f);
	hold("192.0.2.1", 100000);
	others_begin();
	want_int(pthread_create(&background, NULL, check_once, &f), 0);
	others_hold_somebody();
	add_later(&f, "192.0.2.1", 1000);
	others_end();
	want_int(pthread_join(background, NULL), 0);
	blocklist_run(f.blocklist, 1000);
	want_counted(&f, "renewals=1");
	teardown(&f);
}

/* Its block is being put back, and its next line finds the queue full: that one
 * is not forgotten. */
static void blocked_again_while_it_is_put_back(void **state)
{
	pthread_t background;
	struct fixture f;

	(void)state;
	setup(&f);
	prepare_waiting(&f);
	others_begin();
	want_int(pthread_create(&background, NULL, run_once, &f), 0);
	others_hold_somebody();
	add_many(&f, 0, QUEUE, 2000);
	add_later(&f, "192.0.2.1", 2000);
	others_end();
	want_int(pthread_join(background, NULL), 0);
	want_calls("[192.0.2.1/599 ] [192.0.2.1/600 ] ");
	want_counted(&f, "blocks=1 waited=1 replayed=1 backend_errors=1");
	teardown(&f);
}

/* The list is looked at also while nothing is on it, both in each round. */
static void empty_lists_are_looked_at(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	want_int(blocklist_run(f.blocklist, 10000), 10000 + LOOK);
	want_int(checks, 2);
	want_int(blocklist_run(f.blocklist, 10001), 10000 + LOOK);
	want_int(checks, 2);
	want_int(blocklist_run(f.blocklist, 10000 + LOOK), 10000 + 2 * LOOK);
	want_int(checks, 4);
	teardown(&f);
}

static void dry_run_touches_nothing(void **state)
{
	char wrong[256];
	struct fixture f;

	(void)state;
	setup(&f);
	want_int(settings_set(&f.settings, "dryRun", "on", wrong, sizeof(wrong)), 0);
	want_int(blocklist_run(f.blocklist, 10000), INT64_MAX);
	want_int(checks, 0);
	teardown(&f);
}

/* A recreated list gets all live blocks, for the rest of their time. */
static void put_back_for_the_rest(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	add(&f, "192.0.2.1", 0);
	add(&f, "192.0.2.2", 100000);
	add(&f, "2001:db8::1", 200000);
	want_calls("192.0.2.1/600 192.0.2.2/600 2001:db8::1/600 ");
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
static void put_back_after_an_addition(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	add(&f, "192.0.2.1", 0);
	blocklist_run(f.blocklist, 0);
	add_result = BACKEND_WRITTEN_ANEW;
	want_int(add(&f, "192.0.2.2", 60000), true);
	add_result = BACKEND_WRITTEN;
	blocklist_run(f.blocklist, 60000);
	want_calls("192.0.2.1/600 192.0.2.2/600 [192.0.2.1/540 ] ");
	want_counted(&f, "blocks=2 replayed=1");
	teardown(&f);
}

/* Many at a time, and in rounds that leave the background thread to others. */
static void many_are_put_back(void **state)
{
	struct fixture f;
	int rounds;

	(void)state;
	setup(&f);
	add_many(&f, 0, 2004, 0);
	while (blocklist_run(f.blocklist, 0) == 0)
		;
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
static void full_list_is_reported(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	room = 2;
	add(&f, "192.0.2.1", 0);
	add(&f, "192.0.2.2", 1);
	want_no_alert(&f.alerts);
	want_int(add(&f, "192.0.2.3", 2), true);
	want_alert(&f.alerts, ALERT_OVERFLOW4, 0);
	add(&f, "192.0.2.3", 3);
	want_counted(&f, "blocks=2 overflows=1");
	want_no_alert(&f.alerts);
	want_int(blocklist_run(f.blocklist, 4), 4 + LOOK);
	room = 1;
	/* Not at each wake-up of the background thread. */
	blocklist_run(f.blocklist, 5);
	want_calls("192.0.2.1/600 192.0.2.2/600 [] ");
	blocklist_run(f.blocklist, 4 + LOOK);
	want_calls("[192.0.2.3/594 ] ");
	want_counted(&f, "blocks=3 overflows=1");
	want_no_alert(&f.alerts);
	teardown(&f);
}

/* In a wave, too; those that fit are on it. */
static void wave_on_a_nearly_full_list(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	room = 10;
	add_many(&f, 0, 40, 0);
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
static void missing_capability_is_reported_once(void **state)
{
	struct fixture f;

	(void)state;
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
	want_calls("[] [] ");
	check_results[0] = check_results[1] = add_result = BACKEND_WRITTEN;
	blocklist_run(f.blocklist, 3 + LOOK);
	want_calls("[192.0.2.1/594 ] [2001:db8::1/594 ] ");
	want_alert(&f.alerts, ALERT_LIST4_BACK, 1);
	want_no_alert(&f.alerts);
	teardown(&f);
}

/* Blocks of an earlier rsyslogd are known, and put back if need be. */
static void earlier_blocks_are_known(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	hold("192.0.2.2", 400000);
	hold("192.0.2.1", 100000);
	hold("2001:db8::1", 500000);
	blocklist_check(f.blocklist, 1000000);
	held_count = 0;
	blocklist_check(f.blocklist, 1000000);
	add(&f, "192.0.2.2", 1000000);
	want_counted(&f, "renewals=1");
	want_calls("192.0.2.2/600 ");
	check_results[0] = check_results[1] = BACKEND_WRITTEN_ANEW;
	blocklist_run(f.blocklist, 1050000);
	want_calls("[192.0.2.1/50 192.0.2.2/550 ] [2001:db8::1/450 ] ");
	check_results[0] = BACKEND_WRITTEN_ANEW;
	blocklist_run(f.blocklist, 1100000);
	want_calls("[192.0.2.2/500 ] ");
	teardown(&f);
}

/* Without memory to read them they are not known; there is no other effect. */
static void lack_of_memory_only_forgets(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	hold("192.0.2.1", 100000);
	memory_fail(1);
	blocklist_check(f.blocklist, 0);
	want_int(memory_failed(), true);
	add(&f, "192.0.2.1", 0);
	want_counted(&f, "blocks=1");
	teardown(&f);
}

static void add_queue(struct suite *suite)
{
	SUITE_TEST(suite, urgent_ones_go_at_once);
	SUITE_TEST(suite, others_are_left_to_the_background);
	SUITE_TEST(suite, queue_is_within_the_limit);
	SUITE_TEST(suite, wave_goes_many_at_a_time);
	SUITE_TEST(suite, urgent_ones_do_not_queue);
	SUITE_TEST(suite, reports_what_was_done);
	SUITE_TEST(suite, queue_is_written_in_rounds);
	SUITE_TEST(suite, queue_has_a_limit);
	SUITE_TEST(suite, block_cache_has_a_limit);
	SUITE_TEST(suite, nothing_is_lost_at_stop);
	SUITE_TEST(suite, queued_blocks_are_written_at_stop);
	SUITE_TEST(suite, stop_does_not_wait_for_a_list);
	SUITE_TEST(suite, stop_is_not_delayed_for_long);
}

static void add_others(struct suite *suite)
{
	SUITE_TEST(suite, workers_share_the_queue);
	SUITE_ROWS(suite, worker_never_waits, hold_rows);
	SUITE_TEST(suite, earlier_blocks_are_read_beside_the_workers);
	SUITE_TEST(suite, blocked_again_while_it_is_put_back);
}

int main(void)
{
	struct suite *suite = suite_new();

	add_queue(suite);
	add_others(suite);
	SUITE_TEST(suite, empty_lists_are_looked_at);
	SUITE_TEST(suite, dry_run_touches_nothing);
	SUITE_TEST(suite, put_back_for_the_rest);
	SUITE_TEST(suite, put_back_after_an_addition);
	SUITE_TEST(suite, many_are_put_back);
	SUITE_TEST(suite, full_list_is_reported);
	SUITE_TEST(suite, wave_on_a_nearly_full_list);
	SUITE_TEST(suite, missing_capability_is_reported_once);
	SUITE_TEST(suite, earlier_blocks_are_known);
	SUITE_TEST(suite, lack_of_memory_only_forgets);
	return suite_run(suite, "blocks_own");
}
