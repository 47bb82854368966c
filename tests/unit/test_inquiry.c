/* Answers the lines that take a search, in the caretaker's thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "inquiry.h"

#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "processes.h"

/* A rejected line of somebody that no child serves. */
static void ask_for_nobody(struct engine *e, unsigned int n)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "error,relay=203.0.113.%u,port=%u,from=<a>: 511 " LISTED, n % 250,
		 1000 + n);
	engine_line(e, text, 0);
}

static uint64_t refused(const struct engine *e)
{
	return engine_count(e, COUNTER_REFUSED_NO_CHILD) +
	       engine_count(e, COUNTER_REFUSED_BUSY);
}

static bool all_refused(void *data)
{
	return refused(data) == 3000;
}

/* Every line is answered, and looking for nobody costs little: a thorough search
 * reads every process, so there may be one in a while only. */
static void searches_are_rationed(void **state)
{
	unsigned int before, i;
	int64_t began, took;
	struct engine e;

	(void)state;
	engine_open(&e);
	engine_start(&e);
	before = fakelists_opened();
	began = clock_ms();
	for (i = 0; i < 3000; i++)
		ask_for_nobody(&e, i);
	want_int(soon(all_refused, &e), true);
	took = clock_ms() - began;
	/* Each opens a handful of files of the processes that are there. */
	want_int(fakelists_opened() - before < 200 + (unsigned int)took * 10, true);
	want_int(engine_count(&e, COUNTER_BLOCKS), 0);
	engine_stop(&e);
	want_int(is_living(e.smtpd), true);
	engine_close(&e);
}

static void finds_a_child_that_came_later(void **state)
{
	static const char *const listed[] = { "BLOCK=" LISTED, NULL };
	const struct peer late = { "::ffff:203.0.113.77", 999, 25, listed };
	static const char text[] =
		"error,relay=203.0.113.77,port=999,from=<a>: 550 " LISTED;
	struct engine e;
	pid_t pid;

	(void)state;
	engine_open(&e);
	engine_set(&e, "trigger", "reject");
	engine_start(&e);
	engine_line(&e, text, 0);
	engine_want_soon(&e, COUNTER_REFUSED_NO_CHILD, 1);
	pid = engine_add_child(&e, &late);
	engine_line(&e, text, 0);
	engine_want_soon(&e, COUNTER_ENDED, 1);
	want_int(is_living(pid), false);
	want_int(is_living(e.smtpd), true);
	engine_close(&e);
	waiter_end(pid);
}

/* Once known, a child is found by the worker itself: the answer is there when
 * the line was handled. */
static void known_child_needs_no_search(void **state)
{
	struct engine e;

	(void)state;
	engine_open(&e);
	engine_set(&e, "terminate", "off");
	engine_start(&e);
	want_int(engine_line(&e, REJECT, 0).deferred, true);
	engine_want_soon(&e, COUNTER_BLOCKS, 1);
	want_int(engine_line(&e, REJECT, 0).deferred, false);
	want_int(engine_count(&e, COUNTER_RENEWALS), 1);
	engine_close(&e);
}

static void reports_are_limited(void **state)
{
	struct engine e;
	unsigned int i;

	(void)state;
	engine_open(&e);
	engine_set(&e, "dryRun", "on");
	engine_set(&e, "verify", "none");
	engine_start(&e);
	for (i = 0; i < 40; i++)
		ask_for_nobody(&e, i);
	want_int(engine_count(&e, COUNTER_WOULD_BLOCK), 40);
	smtpblock_hup(e.block);
	engine_want_said(&e, "would_block=40");
	want_int(engine_said(&e, "dryRun: would block"), 30);
	engine_close(&e);
}

/* verify="none" ends children of the address too, but never an own host's. */
static void relay_client_is_not_ended(void **state)
{
	static const char *const relays[] = { "BLOCK=" LISTED, "RELAYCLIENT=",
					      NULL };
	struct engine e;

	(void)state;
	engine_open(&e);
	engine_smtpd_env(&e, relays);
	engine_set(&e, "verify", "none");
	engine_start(&e);
	engine_line(&e, REJECT, 0);
	engine_want_soon(&e, COUNTER_ALLOWED, 1);
	engine_stop(&e);
	want_int(is_living(e.smtpd), true);
	engine_close(&e);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, searches_are_rationed);
	SUITE_TEST(suite, finds_a_child_that_came_later);
	SUITE_TEST(suite, known_child_needs_no_search);
	SUITE_TEST(suite, reports_are_limited);
	SUITE_TEST(suite, relay_client_is_not_ended);
	return suite_run(suite, "inquiry");
}
