/* Addresses on their way to lists that the backend creates itself and that take many at once:
 * with the test's own backend. The tests set the time. The lists are checked, and full ones
 * tried again, every 5000 ms.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/blocklist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKEND_NAME "fake"
#include "tests/unit/blocklist_steps.h"

/* The calls of the backend, each with its addresses: "[192.0.2.1/600 192.0.2.2/90] []"; and
 * addresses that it drops: "-192.0.2.1". */
static char call_log[2 << 20];
static size_t call_log_used;

/* Its results: of each addition, and of checks by family. */
static int add_result, check_results[2];
/* Additions that succeed before the list is full; -1: no limit. */
static int room;
static struct backend_entry held[8];
static size_t held_count;
static struct addr removed[8];
static size_t removed_count;
static unsigned int checks, known;
static atomic_int_least64_t ends_at;
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
	snprintf(line, sizeof(line), "%s%s/%d", call_log[call_log_used - 1] == '[' ? "" : " ",
		 addr_format(&block->addr, text), (int)(block->stay / 1000));
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
	tell(call_log_used ? " [" : "[");
	for (i = 0; i < count; i++)
		ret_results[i] = take(&blocks[i]);
	tell("]");
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

static int fake_drop(struct backend *backend, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];

	(void)backend;
	tell(call_log_used ? " -" : "-");
	tell(addr_format(addr, text));
	return 0;
}

static void fake_removals(struct backend *backend, backend_removed_fn *fn, void *ctx)
{
	size_t i;

	(void)backend;
	for (i = 0; i < removed_count; i++)
		fn(ctx, &removed[i]);
	removed_count = 0;
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
	.drop = fake_drop,
	.removals = fake_removals,
	.foreach = fake_each,
	.capacity = fake_capacity,
	.advice = fake_advice,
	.free = fake_free,
};

static void skip_calls(void)
{
	call_log[0] = '\0';
	call_log_used = 0;
}

static void before(void)
{
	counters = (struct counters){ 0 };
	alerts = (struct alerts){ 0 };
	skip_calls();
	add_result = check_results[0] = check_results[1] = BACKEND_WRITTEN;
	room = -1;
	held_count = removed_count = 0;
	written_at = 1;	/* not before the end that the verb over sets */
	checks = known = 0;
	want_int(settings_init(&settings), 0);
	want_int(blocklist_new(&settings, "", "", &counters, &alerts, &blocklist), 0);
	atomic_store(&ends_at, 0);
	blocklist_end_at(blocklist, &ends_at);
}

static void after(void)
{
	blocklist_free(blocklist);
	settings_done(&settings);
}

SCENE(NULL, before, after)

/* --- verbs --- */

/* Immediately, as before a signal; or with others. */
VERB_IS(add, add_block(args, true))
VERB_IS(later, add_block(args, false))
VERB_DO(flush, blocklist_flush(blocklist))
VERB_IS(waiting, (int)blocklist_waiting(blocklist))
VERB_IS(counted, want_counted(args))

/* The backend's results, from now on; and, once, of a check. */
VERB_DO(refuse, add_result = check_results[0] = check_results[1] = -scene_number(args[0]))
VERB_DO(permit, add_result = check_results[0] = check_results[1] = BACKEND_WRITTEN)
VERB_DO(additions, add_result = strcmp(args[0], "anew") ? BACKEND_WRITTEN : BACKEND_WRITTEN_ANEW)
VERB_DO(room, room = atoi(args[0]))
/* rsyslogd stops, and its time is over. */
VERB_DO(over, atomic_store(&ends_at, 1))

VERB(recreate)
{
	for (; *args; args++)
		check_results[**args == '6'] = BACKEND_WRITTEN_ANEW;
	return 0;
}

/* What is on the list before, for that many ms. */
VERB_DO(hold, held[held_count++] = ((struct backend_entry){ .addr = addr_of(args[0]),
							    .left = atoi(args[1]) }))
VERB_DO(empty, held_count = 0)

/* Somebody takes it off. */
VERB_DO(remove, removed[removed_count++] = addr_of(args[0]))

VERB(calls)
{
	int r = scene_want_words(call_log, args);

	skip_calls();
	return r;
}

VERB_DO(skip_calls, skip_calls())

static int count_calls(void)
{
	const char *at;
	int n = 0;

	for (at = call_log; *at; at++)
		n += *at == '[';
	return n;
}

VERB_IS(number_of_calls, count_calls())
VERB_IS(checks, (int)checks)
VERB_IS(known, (int)known)
VERB_DO(set, support_set(&settings, args[0]))

/* Run again while that is wanted at once. Returns the number of runs. */
VERB(runs)
{
	int n = 1;

	while (run_at(atoi(args[0])) == atoi(args[0]))
		want_int(n++ < 10, true);
	return n;
}

VERB(check_starved)
{
	memory_fail(1);
	blocklist_check(blocklist, atoi(args[0]));
	return memory_failed();
}

/* --- scripts --- */

static const struct script scripts[] = {
	{ "urgent ones go at once",
	  "add 192.0.2.1 1000 added; has 192.0.2.1 1000 = 1; calls [192.0.2.1/600]; "
	  "add 2001:db8::1 1000 added; has 2001:db8::1 1000 = 1; calls [2001:db8::1/600]; "
	  "add 192.0.2.1 1000 renewed; has 192.0.2.1 1000 = 1; calls [192.0.2.1/600]; "
	  "counted blocks=2 renewals=1" },
	{ "others go together",
	  "later 192.0.2.1 1000 queued; has 192.0.2.1 1000 = 1; calls; "
	  "later 192.0.2.2 1000 queued; has 192.0.2.2 1000 = 1; calls; flush; "
	  "calls [192.0.2.1/600 192.0.2.2/600]; flush; calls; later 192.0.2.1 1000 queued; "
	  "has 192.0.2.1 1000 = 1; calls; flush; calls [192.0.2.1/600]; "
	  "counted blocks=2 renewals=1" },
	{ "an urgent one takes them along",
	  "later 192.0.2.1 1000 queued; has 192.0.2.1 1000 = 1; calls; add 192.0.2.2 1000 added; "
	  "has 192.0.2.2 1000 = 1; calls [192.0.2.1/600 192.0.2.2/600]; counted blocks=2" },
	/* Found before a list gets its addresses back, and before the next block. */
	{ "removed by somebody",
	  "add 192.0.2.1 0; add 192.0.2.2 0; add 2001:db8::1 0; run 0; remove 192.0.2.1; "
	  "remove 2001:db8::1; remove 192.0.2.9; recreate 4 6; skip_calls; run 5000; "
	  "calls [192.0.2.2/595]; counted blocks=3 replayed=1 unblocked=2; "
	  "add 192.0.2.1 6000 added; remove 192.0.2.1; add 192.0.2.1 7000 added; "
	  "counted blocks=5 replayed=1 unblocked=3; add 192.0.2.1 8000 renewed" },
	{ "removed when the list is already recreated",
	  "add 192.0.2.1 0; add 192.0.2.2 0; run 0; additions anew; add 192.0.2.3 1; "
	  "remove 192.0.2.1; additions written; skip_calls; run 1; calls [192.0.2.2/599]" },
	{ "twice in one call",
	  "later 192.0.2.1 1000 queued; calls; later 192.0.2.1 1000 queued; calls; "
	  "has 192.0.2.1 1000 = 1; flush; calls [192.0.2.1/600]; "
	  "counted blocks=1 renewals=1" },
	{ "the backend knows which ones are renewals",
	  "add 192.0.2.1 1000; add 192.0.2.1 1001; known = 1" },
	/* Few calls, and counted as if added one by one. */
	{ "wave goes many at a time",
	  "run 999; many 104 1000; later 10.0.0.50 1000; number_of_calls = 3; run 1000; "
	  "number_of_calls = 4; counted blocks=104 renewals=1; skip_calls; run 1001; calls" },
	/* It holds 66536; others are lost, and counted. */
	/* A call may wait for other programs. What is not written is reported as lost. */
	{ "nothing is written when time is over",
	  "add 192.0.2.1 1000 added; later 192.0.2.2 1000; skip_calls; over; later 192.0.2.3 1000; "
	  "add 192.0.2.1 1000 waits; run 1000 never; waiting = 3; calls; checks = 0; no_alert; "
	  "counted blocks=1 waited=2" },
	{ "nor what waits", "refuse EIO; add 192.0.2.1 1000 waits; alert list4 EIO; permit; over; "
	  "run 1000 never; calls []; waiting = 1; no_alert" },
	{ "block cache has a limit",
	  "refuse EPERM; many 66539 0; flush; count waited = 66539; count lost = 3" },
	/* Both in each round. */
	{ "empty lists are checked",
	  "run 10000 15000; checks = 2; run 10001 15000; checks = 2; run 15000 20000; checks = 4" },
	{ "dry run touches nothing", "set dryRun=on; run 10000 never; checks = 0" },
	{ "recreated list gets all live blocks for the rest of their time",
	  "add 192.0.2.1 0; add 192.0.2.2 100000; add 2001:db8::1 200000; "
	  "calls [192.0.2.1/600] [192.0.2.2/600] [2001:db8::1/600]; recreate 4; run 300000; "
	  "calls [192.0.2.1/300 192.0.2.2/400]; recreate 4 6; run 650000; "
	  "calls [192.0.2.2/50] [2001:db8::1/150]; counted blocks=3 replayed=4" },
	{ "recreated list is noticed by an addition",
	  "add 192.0.2.1 0; run 0; additions anew; add 192.0.2.2 60000; additions written; "
	  "run 60000; calls [192.0.2.1/600] [192.0.2.2/600] [192.0.2.1/540]; "
	  "counted blocks=2 replayed=1" },
	/* Many at a time, and in rounds that leave the background thread to others. */
	{ "many are put back",
	  "many 2004 0; run 0; skip_calls; recreate 4; runs 5000 = 2; count replayed = 2004; "
	  "number_of_calls = 63" },
	/* Counted once per address, and not tried at each wake-up of the background thread. */
	{ "full list is reported once",
	  "room 2; add 192.0.2.1 0; add 192.0.2.2 1; no_alert; add 192.0.2.3 2; alert overflow4 0; "
	  "add 192.0.2.3 3; counted blocks=2 overflows=1; no_alert; run 4 5004; room 1; run 5; "
	  "calls [192.0.2.1/600] [192.0.2.2/600] [] [] []; run 5004; calls [192.0.2.3/594]; "
	  "counted blocks=3 overflows=1; no_alert" },
	/* Those that fit are on it. An expired block waits no longer. */
	{ "wave on a nearly full list",
	  "room 10; many 40 0; run 0; counted blocks=10 overflows=30; alert overflow4 0; no_alert; "
	  "room 5; run 5000; counted blocks=15 overflows=30; run 700000; "
	  "counted blocks=15 lost=25 overflows=30" },
	/* An error of one family is one of both. */
	{ "missing capability is reported once",
	  "refuse EPERM; check 0; alert list4 EPERM; add 192.0.2.1 1; add 2001:db8::1 2; "
	  "run 3 5003; run 4; no_alert; count waited = 2; calls [] [] [] []; permit; run 5003; "
	  "calls [192.0.2.1/594] [2001:db8::1/594]; alert list4_back 1; no_alert" },
	/* They are put back if need be. */
	{ "blocks of an earlier rsyslogd are known",
	  "hold 192.0.2.2 400000; hold 192.0.2.1 100000; hold 2001:db8::1 500000; check 1000000; "
	  "empty; check 1000000; add 192.0.2.2 1000000; counted renewals=1; calls [192.0.2.2/600]; "
	  "recreate 4 6; run 1050000; calls [192.0.2.1/50 192.0.2.2/550] [2001:db8::1/450]; "
	  "recreate 4; run 1100000; calls [192.0.2.2/500]" },
	/* There is no other effect. */
	{ "without memory they are not known",
	  "hold 192.0.2.1 100000; check_starved 0 = 1; add 192.0.2.1 0; counted blocks=1" },
};
TEST_SCRIPTS(scripts)
