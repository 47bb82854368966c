/* Answers the lines that take a search, in the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/session_lookup.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/harness.h"
#include "tests/unit/processes.h"

/* A reject of a client that no smtpd serves. */
static void ask_for_nobody(struct harness *e, unsigned int n)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "error,relay=203.0.113.%u,port=%u,from=<a>: 511 " LISTED, n % 250,
		 1000 + n);
	harness_hand(e, text, 0);
}

static uint64_t refused(const struct harness *e)
{
	return harness_count(e, COUNTER_REFUSED_NO_CHILD) +
	       harness_count(e, COUNTER_REFUSED_BUSY);
}

static bool all_refused(void *data)
{
	return refused(data) == 3000;
}

/* Every line gets a result, and searching in vain costs little: a thorough search reads every
 * process, so it is rate-limited. */
TEST(searches_are_rationed)
{
	unsigned int before, i;
	int64_t began, took;
	struct harness e;

	harness_open(&e);
	harness_start(&e);
	before = fakelists_opened();
	began = clock_ms();
	for (i = 0; i < 3000; i++)
		ask_for_nobody(&e, i);
	want_int(soon(all_refused, &e), true);
	took = clock_ms() - began;
	/* Each opens a handful of files of the processes that are there. */
	want_int(fakelists_opened() - before < 200 + (unsigned int)took * 10, true);
	want_int(harness_count(&e, COUNTER_BLOCKS), 0);
	harness_stop(&e);
	want_int(is_living(e.smtpd), true);
	harness_close(&e);
}

/* Where no courier runs each line is answered all the same. */
TEST(refuses_each_line_without_courier)
{
	struct harness e;
	unsigned int i;

	harness_open(&e);
	fakeproc_exe(&e.tree, e.tcpd, "/bin/sh");
	harness_start(&e);
	for (i = 1; i <= 2; i++) {
		ask_for_nobody(&e, i);
		harness_want_soon(&e, COUNTER_REFUSED_NO_CHILD, i);
	}
	harness_close(&e);
}

TEST(finds_an_smtpd_that_came_later)
{
	static const char *const listed[] = { "BLOCK=" LISTED, NULL };
	const struct peer late = { "::ffff:203.0.113.77", 999, 25, listed };
	static const char text[] =
		"error,relay=203.0.113.77,port=999,from=<a>: 550 " LISTED;
	struct harness e;
	pid_t pid;

	harness_open(&e);
	harness_set(&e, "trigger", "reject");
	harness_start(&e);
	harness_hand(&e, text, 0);
	harness_want_soon(&e, COUNTER_REFUSED_NO_CHILD, 1);
	pid = harness_add_child(&e, &late);
	harness_hand(&e, text, 0);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	want_int(is_living(pid), false);
	want_int(is_living(e.smtpd), true);
	harness_close(&e);
	waiter_end(pid);
}

/* A host with very many processes: that long does a thorough search take. */
static unsigned int thorough_ms;
/* The time of any other search, with very many new smtpds. */
static unsigned int refresh_ms;
/* Only learned smtpds are known. */
static bool refreshes_fail;
/* The time of a scan for the latest processes. */
static unsigned int learn_ms;
/* The number of scans for the latest processes. */
static atomic_uint looks;
/* The tcpd whose smtpds are pinned; how often, since the last thorough search; and the
 * results before the first time. */
static struct harness *watched;
static unsigned int holds;
static uint64_t blocks_before_hold;

int __real_session_refresh(struct session_finder *finder, bool thorough);
int __wrap_session_refresh(struct session_finder *finder, bool thorough);
void __real_session_learn(struct session_finder *finder);
void __wrap_session_learn(struct session_finder *finder);
void __real_session_hold(struct session_finder *finder, bool submits);
void __wrap_session_hold(struct session_finder *finder, bool submits);

int __wrap_session_refresh(struct session_finder *finder, bool thorough)
{
	if (thorough && thorough_ms > 0)
		(void)poll(NULL, 0, (int)thorough_ms);
	if (!thorough && refresh_ms > 0)
		(void)poll(NULL, 0, (int)refresh_ms);
	if (refreshes_fail)
		return -EIO;
	if (thorough)
		holds = 0;
	return __real_session_refresh(finder, thorough);
}

void __wrap_session_learn(struct session_finder *finder)
{
	if (learn_ms > 0)
		(void)poll(NULL, 0, (int)learn_ms);
	__real_session_learn(finder);
	looks++;
}

void __wrap_session_hold(struct session_finder *finder, bool submits)
{
	if (watched && holds++ == 0)
		blocks_before_hold = harness_count(watched, COUNTER_BLOCKS);
	__real_session_hold(finder, submits);
}

/* Holding the others takes longer than the answer, and is for lines to come. */
TEST(pinning_delays_nothing)
{
	struct harness e;

	harness_open(&e);
	harness_set(&e, "terminate", "off");
	holds = 0;
	blocks_before_hold = 0;
	watched = &e;
	harness_start(&e);
	want_int(harness_hand(&e, REJECT, 0).deferred, true);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	harness_stop(&e);
	watched = NULL;
	want_int(holds > 0, true);
	want_int(blocks_before_hold, 1);
	harness_close(&e);
}

/* A line that needs no search, as it has credentials: another may come. */
TEST(a_line_gets_smtpds_pinned)
{
	struct harness e;

	harness_open(&e);
	harness_set(&e, "terminate", "off");
	holds = 0;
	watched = &e;
	harness_start(&e);
	harness_line(&e, REJECT, e.smtpd);
	harness_stop(&e);
	watched = NULL;
	want_int(holds > 0, true);
	harness_close(&e);
}

/* A line's smtpd appears a moment later, for instance because it has not exec'd yet: that is
 * found long before the next thorough search is allowed. */
TEST(slow_search_delays_nothing)
{
	static const char *const listed[] = { "BLOCK=" LISTED, NULL };
	const struct peer late = { "::ffff:203.0.113.77", 999, 25, listed };
	static const char text[] =
		"error,relay=203.0.113.77,port=999,from=<a>: 550 " LISTED;
	int64_t began;
	struct harness e;
	pid_t pid;

	thorough_ms = 500;
	harness_open(&e);
	harness_set(&e, "trigger", "reject");
	harness_start(&e);
	ask_for_nobody(&e, 1);
	harness_want_soon(&e, COUNTER_REFUSED_NO_CHILD, 1);
	harness_hand(&e, text, 0);
	pid = harness_add_child(&e, &late);
	began = clock_ms();
	harness_want_soon(&e, COUNTER_ENDED, 1);
	want_int(clock_ms() - began < 3000, true);
	harness_close(&e);
	thorough_ms = 0;
	waiter_end(pid);
}

/* The worker itself finds a known smtpd: the result is there when the line has been
 * handled. */
TEST(known_smtpd_needs_no_search)
{
	struct harness e;

	harness_open(&e);
	harness_set(&e, "terminate", "off");
	harness_start(&e);
	want_int(harness_hand(&e, REJECT, 0).deferred, true);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	harness_want_pinned(&e, true);
	want_int(harness_hand(&e, REJECT, 0).deferred, false);
	harness_want_soon(&e, COUNTER_RENEWALS, 1);
	harness_close(&e);
}

/* It is pinned from its start: the executable that another one would be asked for has no
 * name by then. With the kernel's word for the sender no submit is needed, and so no
 * refresh. */
static const struct word_row {
	const char *label;
	bool attested;
} word_rows[] = {
	{ "no credentials", false },
	{ "the kernel's word", true },
};

TEST_ROWS(started_smtpd_needs_no_search, word_rows)
{
	struct harness e;
	pid_t attested;

	harness_open(&e);
	harness_set(&e, "terminate", "off");
	fakeproc_last_pid(&e.tree, e.submit);
	attested = row->attested ? e.smtpd : 0;
	refreshes_fail = row->attested;
	harness_start(&e);
	harness_started(&e, attested);
	harness_want_pinned(&e, !row->attested);
	fakeproc_exe(&e.tree, e.smtpd, "/bin/sh");
	want_int(harness_hand(&e, REJECT, attested).deferred, false);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	refreshes_fail = false;
	harness_close(&e);
}

/* Anyone who can log can trigger a search, but not without limit, and no caller waits for
 * it. */
TEST(looks_are_rationed)
{
	int64_t began, took;
	struct harness e;
	unsigned int i;

	harness_open(&e);
	harness_set(&e, "terminate", "off");
	fakeproc_last_pid(&e.tree, e.submit + 40);
	looks = 0;
	harness_start(&e);
	began = clock_ms();
	for (i = 0; i < 20000; i++) {
		harness_started(&e, 0);
		if (i == 10000)
			harness_hand(&e, REJECT, 0);
	}
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	harness_stop(&e);
	took = clock_ms() - began;
	want_int(looks > 0, true);
	want_int(looks <= (unsigned int)took + 2, true);
	want_int(harness_count(&e, COUNTER_REFUSED_BUSY), 0);
	harness_close(&e);
}

/* Lines that cause no search. */
static const struct idle_row {
	const char *label, *text, *name, *value;
	int severity;
	bool attested;		/* as another user's process */
} idle_rows[] = {
	{ "verify=none", STARTED, "verify", "none", COURIERLOG_SEVERITY_INFO, false },
	{ "another line", "Disconnected", "verify", "child", COURIERLOG_SEVERITY_INFO,
	  false },
	{ "another severity", STARTED, "verify", "child", COURIERLOG_SEVERITY_ERR, false },
	{ "another user's word", STARTED, "verify", "child", COURIERLOG_SEVERITY_INFO,
	  true },
};

TEST_ROWS(nobody_looks, idle_rows)
{
	struct engine_message msg = {
		.tag = "courieresmtpd", .tag_len = strlen("courieresmtpd"),
		.text = row->text, .text_len = strlen(row->text), .exe = "",
		.severity = row->severity,
	};
	struct harness e;

	harness_open(&e);
	harness_set(&e, row->name, row->value);
	fakeproc_last_pid(&e.tree, e.submit);
	fakeproc_put(&e.tree, &(struct fake_process){
		.pid = e.submit, .exe = FAKE_SMTPD, .ppid = e.smtpd, .uid = 1,
	});
	msg.attested_pid = row->attested ? e.submit : 0;
	looks = 0;
	harness_start(&e);
	engine_handle(e.block, e.worker, &msg);
	/* The background thread logs it before it searches. */
	engine_hup(e.block);
	harness_want_said(&e, "lines=1");
	harness_stop(&e);
	want_int(looks, 0);
	harness_close(&e);
}

/* The cost of lookup_run() without requests. */
struct quiet {
	struct harness e;	/* for its processes */
	struct engine_environment environment;
	struct enforcer enforcer;
	struct counters counters;
	struct alerts alerts;
	struct procfs procfs;
	struct looker *looker;
	struct session_finder *finder;
	struct lookup *lookup;
	size_t threads;		/* that there were before */
};

static void quiet_open(struct quiet *q)
{
	memset(q, 0, sizeof(*q));
	q->threads = threads_running();
	harness_open(&q->e);
	want_int(background_new(q->e.tree.root, &q->environment.background), 0);
	want_int(background_open(q->environment.background), 0);
	q->environment.net_root = q->e.lists.net_root;
	q->environment.module_root = q->e.lists.module_root;
	want_int(enforcer_open(&q->enforcer, &q->e.settings, &q->counters, &q->alerts,
			       &q->environment),
		 0);
	want_int(procfs_init(&q->procfs, q->e.tree.root), 0);
	want_int(looker_new(&q->procfs, &q->looker), 0);
	want_int(session_new(q->e.tree.root, q->looker, 0, &q->finder), 0);
	want_int(lookup_new(&q->enforcer, &q->lookup), 0);
}

static void quiet_close(struct quiet *q)
{
	lookup_free(q->lookup);
	session_free(q->finder);
	want_int(looker_free(q->looker), true);
	enforcer_close(&q->enforcer);
	background_free(q->environment.background);
	harness_close(&q->e);
}

/* The next descriptor is one too many. */
static void limit_descriptors(struct rlimit *ret_old)
{
	struct rlimit low;
	int lowest = dup(STDERR_FILENO);

	want_int(lowest >= 0, true);
	close(lowest);
	want_int(getrlimit(RLIMIT_NOFILE, ret_old), 0);
	low = *ret_old;
	low.rlim_cur = (rlim_t)lowest;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
}

/* A failed call is no answer: it is looked at again, and found as soon as that works. */
TEST(failed_look_is_repeated)
{
	struct rlimit old;
	struct harness e;

	harness_open(&e);
	harness_start(&e);
	limit_descriptors(&old);
	want_int(harness_hand(&e, REJECT, 0).deferred, true);
	want_int(harness_hand(&e, REJECT, e.smtpd).deferred, true);
	harness_want_soon(&e, COUNTER_LOOKS_REPEATED, 2);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	want_int(harness_count(&e, COUNTER_BLOCKS), 1);
	want_int(harness_count(&e, COUNTER_REFUSED_FAILED), 0);
	want_int(harness_count(&e, COUNTER_REFUSED_NO_CHILD), 0);
	harness_close(&e);
}

static void put_line(struct quiet *q, enum lookup_kind kind, const struct session_query *query,
		     const char *text)
{
	struct lookup_request request;
	struct courierlog_line line;

	courierlog_scan(text, strlen(text), COURIERLOG_SEVERITY_ERR, &line);
	request = lookup_request_of(kind, query, &line);
	want_int(lookup_queue_put(q->enforcer.requests, &request, true), 0);
}

static void put_request(struct quiet *q, enum lookup_kind kind,
			const struct session_query *query)
{
	put_line(q, kind, query, REJECT);
}

static void put_question(struct quiet *q, const struct session_query *query)
{
	put_request(q, LOOKUP_PROVE, query);
}

static struct session_query query_of_peer(void)
{
	struct session_query query = { .port = PEER_PORT };

	want_int(addr_parse(PEER, strlen(PEER), &query.addr), 0);
	return query;
}

/* Not without limit. */
TEST(look_that_keeps_failing_is_refused)
{
	const struct session_query query = query_of_peer();
	const int64_t began = background_now();
	struct rlimit old;
	struct quiet q;

	quiet_open(&q);
	put_question(&q, &query);
	limit_descriptors(&old);
	lookup_run(q.lookup, q.finder, began);
	lookup_run(q.lookup, q.finder, began + 4500);
	want_int(counters_get(&q.counters, COUNTER_REFUSED_FAILED), 0);
	lookup_run(q.lookup, q.finder, began + 6000);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(counters_get(&q.counters, COUNTER_REFUSED_FAILED), 1);
	want_int(counters_get(&q.counters, COUNTER_LOOKS_REPEATED), 1);
	quiet_close(&q);
}

/* The sender according to the line; the smtpd that serves its peer exists. */
enum named { THE_CHILD, ITS_SUBMIT, AN_ENDED_ONE };

static const struct named_row {
	const char *label;
	bool attested, was_couriers;
	enum named named;
	enum counter want;
} named_rows[] = {
	{ "attested, another process", true, false, ITS_SUBMIT, COUNTER_REFUSED_SENDER },
	{ "hint, another process", false, false, ITS_SUBMIT, COUNTER_REFUSED_SENDER },
	{ "attested, has ended", true, false, AN_ENDED_ONE, COUNTER_REFUSED_GONE },
	/* The reply is not that of BLOCK; by the pattern it is not a DNSBL reject. */
	{ "attested, has ended, was courier's", true, true, AN_ENDED_ONE,
	  COUNTER_NOT_LISTED },
	{ "attested", true, false, THE_CHILD, COUNTER_NOT_LISTED },
	{ "hint", false, false, THE_CHILD, COUNTER_NOT_LISTED },
	{ "hint, has ended: the address tells", false, false, AN_ENDED_ONE,
	  COUNTER_NOT_LISTED },
};

TEST_ROWS(named_process_has_to_be_the_one, named_rows)
{
	static const char *const unlisted[] = { "BLOCK=", NULL };
	static const char text[] = REJECT_FOR(PEER, "41703", "550 User unknown");
	struct session_query query = query_of_peer();
	pid_t pid = waiter_start();
	struct quiet q;

	waiter_end(pid);
	quiet_open(&q);
	harness_smtpd_env(&q.e, unlisted);
	pid = row->named == THE_CHILD ? q.e.smtpd : row->named == ITS_SUBMIT ? q.e.submit : pid;
	query.attested = row->attested ? pid : 0;
	query.hint = row->attested ? 0 : pid;
	query.was_couriers = row->was_couriers;
	put_line(&q, LOOKUP_PROVE, &query, text);
	lookup_run(q.lookup, q.finder, 1000);
	want_int(counters_get(&q.counters, row->want), 1);
	quiet_close(&q);
}

/* Nothing happens without a line. After one the index is kept up to date, and smtpds are
 * pinned, for a minute, in which another line may come. */
TEST(index_is_kept_for_lines)
{
	struct quiet q;
	size_t before;

	quiet_open(&q);
	before = descriptors_open();
	want_int(lookup_run(q.lookup, q.finder, 1000) == INT64_MAX, true);
	want_int(session_refresh(q.finder, true), 0);
	want_int(descriptors_open(), before + 1);
	lookup_note_line(q.lookup);
	want_int(lookup_run(q.lookup, q.finder, 2000) < 5000, true);
	want_int(lookup_run(q.lookup, q.finder, 61000) < INT64_MAX, true);
	want_int(descriptors_open(), before + 3);
	want_int(lookup_run(q.lookup, q.finder, 62000) == INT64_MAX, true);
	/* The tcpd is pinned as long as it is alive. */
	want_int(descriptors_open(), before + 1);
	quiet_close(&q);
}

/* All smtpds are new to the first refresh, which takes long; the next ones do not, and are
 * needed as soon. */
TEST(long_refresh_is_soon_repeated)
{
	struct quiet q;

	quiet_open(&q);
	refresh_ms = 60;
	lookup_note_line(q.lookup);
	want_int(lookup_run(q.lookup, q.finder, 2000), 3000);
	refresh_ms = 0;
	want_int(lookup_run(q.lookup, q.finder, 3000) < 3500, true);
	quiet_close(&q);
}

/* Anyone who can log can use a tenth of this thread's time at most. */
TEST(long_look_is_followed_by_a_longer_rest)
{
	struct quiet q;

	quiet_open(&q);
	looks = 0;
	learn_ms = 20;
	lookup_note_start(q.lookup);
	lookup_run(q.lookup, q.finder, 2000);
	want_int(looks, 1);
	lookup_note_start(q.lookup);
	want_int(lookup_run(q.lookup, q.finder, 2199) >= 2200, true);
	want_int(looks, 1);
	learn_ms = 0;
	lookup_run(q.lookup, q.finder, 2000 + 10 * DEADLINE_MS);
	want_int(looks, 2);
	quiet_close(&q);
}

TEST(reports_are_limited)
{
	struct harness e;
	unsigned int i;

	harness_open(&e);
	harness_set(&e, "dryRun", "on");
	harness_set(&e, "verify", "none");
	harness_start(&e);
	for (i = 0; i < 40; i++)
		ask_for_nobody(&e, i);
	harness_want_soon(&e, COUNTER_WOULD_BLOCK, 40);
	harness_stop(&e);
	want_int(harness_said(&e, "dryRun: would block"), 30);
	harness_close(&e);
}

/* verify="none" terminates smtpds of the address too, but never of an own address. */
TEST(relay_client_is_not_terminated)
{
	static const char *const relays[] = { "BLOCK=" LISTED, "RELAYCLIENT=",
					      NULL };
	struct harness e;

	harness_open(&e);
	harness_smtpd_env(&e, relays);
	harness_set(&e, "verify", "none");
	harness_start(&e);
	harness_hand(&e, REJECT, 0);
	harness_want_soon(&e, COUNTER_SPARED, 1);
	harness_stop(&e);
	want_int(is_living(e.smtpd), true);
	want_int(harness_count(&e, COUNTER_ALLOWED), 0);
	harness_close(&e);
}

/* A line without a port is about all smtpds that serve the address: two here. */
static const char *const listed_env[] = { "BLOCK=" LISTED, NULL };
static const char *const clean_env[] = { "BLOCK=", NULL };
static const char *const error_env[] = { "BLOCK=" LISTED,
					 "BLOCK_IP=127.255.255.254", NULL };
static const char *const relay_env[] = { "BLOCK=" LISTED, "RELAYCLIENT=", NULL };

/* The environment of the two, and the one verdict on the line; ended counts smtpds. */
static const struct verdict_row {
	const char *label, *trigger, *threshold;
	const char *const *first, *const *second, *const *submit;
	enum counter want;
	unsigned int ended;
} verdict_rows[] = {
	{ "both listed", "dnsbl", "1", listed_env, listed_env, listed_env,
	  COUNTER_BLOCKS, 2 },
	{ "one listed", "dnsbl", "1", listed_env, clean_env, listed_env,
	  COUNTER_BLOCKS, 2 },
	{ "one with a DNSBL error", "dnsbl", "1", listed_env, error_env,
	  listed_env, COUNTER_BLOCKS, 2 },
	{ "one a relay client", "dnsbl", "1", listed_env, relay_env, listed_env,
	  COUNTER_ALLOWED, 0 },
	{ "the other a relay client", "dnsbl", "1", relay_env, listed_env,
	  listed_env, COUNTER_ALLOWED, 0 },
	{ "both relay clients", "dnsbl", "1", relay_env, relay_env, listed_env,
	  COUNTER_ALLOWED, 0 },
	{ "none listed", "dnsbl", "1", clean_env, clean_env, listed_env,
	  COUNTER_NOT_LISTED, 0 },
	{ "none listed, one with a DNSBL error", "dnsbl", "1", clean_env,
	  error_env, listed_env, COUNTER_DNSBL_ERRORS, 0 },
	{ "one logged in, one not listed", "dnsbl", "1", listed_env, clean_env,
	  clean_env, COUNTER_REFUSED_SENDER, 0 },
	{ "both logged in", "dnsbl", "1", listed_env, listed_env, clean_env,
	  COUNTER_REFUSED_SENDER, 0 },
	{ "below the threshold", "dnsbl", "2", listed_env, listed_env, listed_env,
	  COUNTER_BELOW_THRESHOLD, 0 },
	{ "below the threshold, another trigger", "reject", "2",
	  clean_env, clean_env, clean_env, COUNTER_BELOW_THRESHOLD, 0 },
};

/* The counters of a line's outcome. */
static const enum counter verdicts[] = {
	COUNTER_TEMPORARY, COUNTER_OLD, COUNTER_ALLOWED, COUNTER_NOT_LISTED,
	COUNTER_DNSBL_ERRORS, COUNTER_BELOW_THRESHOLD, COUNTER_REFUSED_SENDER,
	COUNTER_REFUSED_GONE, COUNTER_REFUSED_NO_CHILD, COUNTER_REFUSED_RIGHTS,
	COUNTER_REFUSED_BUSY, COUNTER_REFUSED_BUDGET, COUNTER_PATTERN_LIMIT,
	COUNTER_WOULD_BLOCK, COUNTER_BLOCKS, COUNTER_RENEWALS, COUNTER_WAITED,
};

static uint64_t verdicts_counted(const struct harness *e)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < COUNT_OF(verdicts); i++)
		n += harness_count(e, verdicts[i]);
	return n;
}

/* The first is the smtpd with its own submit. */
static pid_t open_two(struct harness *e, const struct verdict_row *row, unsigned int port,
		      unsigned int local_port)
{
	const struct peer peer = { "::ffff:" PEER, port, local_port, row->second };
	pid_t second;

	harness_open(e);
	harness_smtpd_env(e, row->first);
	harness_submit_env(e, row->submit);
	second = harness_add_child(e, &peer);
	harness_set(e, "trigger", row->trigger);
	harness_set(e, "threshold", row->threshold);
	return second;
}

TEST_ROWS(one_line_has_one_verdict, verdict_rows)
{
	struct harness e;
	pid_t second;

	second = open_two(&e, row, 41999, 25);
	harness_start(&e);
	harness_hand(&e, "error,relay=::ffff:" PEER ",from=<a>: 511 " LISTED, 0);
	harness_want_soon(&e, row->want, 1);
	harness_want_soon(&e, COUNTER_ENDED, row->ended);
	harness_stop(&e);
	want_int(harness_count(&e, row->want), 1);
	want_int(verdicts_counted(&e), 1);
	want_int(is_living(e.smtpd), row->ended == 0);
	want_int(is_living(second), row->ended == 0);
	want_int(harness_count(&e, COUNTER_BLOCKS), row->want == COUNTER_BLOCKS);
	harness_close(&e);
	waiter_end(second);
}

/* One client port, connected to two of the host's ports: the line does not have those. maxBlocks
 * prevents only the block. */
static const struct twice_row {
	const char *label;
	bool is_limited;
} twice_rows[] = {
	{ "blocked", false },
	{ "maxBlocks is used up", true },
};

/* Another address' block uses up maxBlocks="1". */
static void use_max_blocks_up(struct harness *e, pid_t second)
{
	static const struct peer other = { "::ffff:198.51.100.8", 41704, 25, listed_env };
	const pid_t all[3] = { e->smtpd, second, harness_add_child(e, &other) };

	fakeproc_children(&e->tree, e->tcpd, all, 3);
	harness_line(e, REJECT_FOR("198.51.100.8", "41704", "511 " LISTED), all[2]);
	harness_want_soon(e, COUNTER_ENDED, 1);
	want_int(harness_count(e, COUNTER_BLOCKS), 1);
	waiter_end(all[2]);
}

TEST_ROWS(one_port_twice, twice_rows)
{
	static const struct verdict_row both = {
		.trigger = "reject", .threshold = "1", .first = listed_env,
		.second = clean_env, .submit = listed_env,
	};
	const unsigned int others = row->is_limited ? 1 : 0;
	struct harness e;
	pid_t second;

	second = open_two(&e, &both, PEER_PORT, 465);
	harness_set(&e, "maxBlocks", "1");
	harness_start(&e);
	if (row->is_limited)
		use_max_blocks_up(&e, second);
	harness_hand(&e, REJECT, 0);
	harness_want_soon(&e, COUNTER_ENDED, others + 2);
	harness_stop(&e);
	want_int(harness_count(&e, COUNTER_BLOCKS), 1);
	want_int(harness_count(&e, COUNTER_REFUSED_BUDGET), others);
	want_int(verdicts_counted(&e), others + 1);
	harness_close(&e);
	waiter_end(second);
}

/* The line is not about one of them. */
TEST(one_port_twice_one_listed)
{
	static const struct verdict_row row = {
		.trigger = "dnsbl", .threshold = "1", .first = listed_env,
		.second = clean_env, .submit = listed_env,
	};
	struct harness e;
	pid_t second;

	second = open_two(&e, &row, PEER_PORT, 465);
	harness_start(&e);
	harness_hand(&e, REJECT, 0);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	harness_stop(&e);
	want_int(is_living(second), true);
	want_int(verdicts_counted(&e), 1);
	harness_close(&e);
	waiter_end(second);
}

/* One still waits when as many come as there is room for. */
TEST(one_too_many_is_refused)
{
	const struct session_query query = query_of_peer();
	const int64_t began = background_now();
	struct rlimit old;
	struct quiet q;
	unsigned int i;

	quiet_open(&q);
	limit_descriptors(&old);
	put_question(&q, &query);
	lookup_run(q.lookup, q.finder, began);
	for (i = 0; i < LOOKUP_QUEUE_MAX; i++)
		put_question(&q, &query);
	/* Not all at once. */
	want_int(lookup_run(q.lookup, q.finder, began + 1000), began + 1000);
	lookup_run(q.lookup, q.finder, began + 1000);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(counters_get(&q.counters, COUNTER_LOOKS_REPEATED), LOOKUP_QUEUE_MAX);
	want_int(counters_get(&q.counters, COUNTER_REFUSED_BUSY), 1);
	quiet_close(&q);
}

/* Looks that fail for one process among others: it keeps whoever looks waiting. dryRun,
 * so that nothing is needed for a block but counters. */

static void dry_open(struct quiet *q)
{
	quiet_open(q);
	harness_set(&q->e, "dryRun", "on");
}

static struct session_query query_of_nobody(void)
{
	static const char ip[] = "203.0.113.9";
	struct session_query query = { .port = 1000 };

	want_int(addr_parse(ip, strlen(ip), &query.addr), 0);
	return query;
}

/* A second child of the peer's; the index has both, and there is no other thorough search
 * in the runs that follow. */
static pid_t second_open(struct quiet *q)
{
	const struct peer peer = { "::ffff:" PEER, 41999, 25, NULL };
	const struct session_query nobody = query_of_nobody();
	const pid_t pid = harness_add_child(&q->e, &peer);

	put_request(q, LOOKUP_PROVE, &nobody);
	lookup_run(q->lookup, q->finder, 1000);
	return pid;
}

/* The thread that waits for it ends; another one there is to be asked. */
static void let_go(struct quiet *q, pid_t pid)
{
	struct smtpd_scratch scratch;

	want_int(looker_look(q->looker, q->e.tcpd, false, &scratch.look), 0);
	want_int(fakeproc_release(&q->e.tree, pid), true);
	want_int(threads_ended_soon(q->threads + 1), true);
}

static void want_repeated(const struct quiet *q)
{
	want_int(counters_get(&q->counters, COUNTER_LOOKS_REPEATED), 1);
	want_int(counters_get(&q->counters, COUNTER_WOULD_BLOCK), 0);
	want_int(counters_get(&q->counters, COUNTER_NOT_LISTED), 0);
	want_int(counters_get(&q->counters, COUNTER_REFUSED_FAILED), 0);
}

/* The first child is listed; the second is a relay client's, as is seen later. */
static const struct unseen_row {
	const char *label;
	bool forgotten;		/* by a thorough search that does not find it anew */
} unseen_rows[] = {
	{ "the index has it", false },
	{ "a thorough search does not find it", true },
};

TEST_ROWS(one_of_two_cannot_be_looked_at, unseen_rows)
{
	static const char *const relays[] = { "RELAYCLIENT=", NULL };
	const struct peer peer = { "::ffff:" PEER, 41999, 25, relays };
	struct session_query query = query_of_peer();
	char env[1024];
	struct quiet q;
	pid_t second;

	dry_open(&q);
	second = row->forgotten ? harness_add_child(&q.e, &peer) : second_open(&q);
	want_int(session_refresh(q.finder, true), 0);
	fakeproc_trap(&q.e.tree, second);
	query.port = 0;
	put_request(&q, LOOKUP_PROVE, &query);
	lookup_run(q.lookup, q.finder, 2000);
	want_repeated(&q);
	let_go(&q, second);
	fakeproc_put(&q.e.tree, &(struct fake_process){
		.pid = second, .exe = FAKE_SMTPD, .ppid = q.e.tcpd,
		.env = env, .env_len = peer_environment(&peer, env, sizeof(env)),
	});
	lookup_run(q.lookup, q.finder, 3000);
	want_repeated(&q);
	want_int(counters_get(&q.counters, COUNTER_ALLOWED), 1);
	quiet_close(&q);
	waiter_end(second);
}

/* The second is what the line names. That the first serves the peer says nothing. */
TEST(named_process_cannot_be_looked_at)
{
	static const char *const unlisted[] = { "BLOCK=", NULL };
	struct session_query query = query_of_peer();
	struct quiet q;

	dry_open(&q);
	harness_smtpd_env(&q.e, unlisted);
	query.hint = second_open(&q);
	fakeproc_trap(&q.e.tree, query.hint);
	put_request(&q, LOOKUP_PROVE, &query);
	lookup_run(q.lookup, q.finder, 2000);
	want_repeated(&q);
	let_go(&q, query.hint);
	quiet_close(&q);
	waiter_end(query.hint);
}

TEST(one_of_two_to_end_cannot_be_looked_at)
{
	struct session_query query = query_of_peer();
	struct quiet q;
	pid_t second;

	dry_open(&q);
	second = second_open(&q);
	fakeproc_trap(&q.e.tree, second);
	query.port = 0;
	put_request(&q, LOOKUP_END, &query);
	lookup_run(q.lookup, q.finder, 2000);
	want_repeated(&q);
	let_go(&q, second);
	quiet_close(&q);
	waiter_end(second);
}

TEST(submit_cannot_be_looked_at)
{
	struct session_query query = query_of_peer();
	struct quiet q;

	dry_open(&q);
	fakeproc_trap(&q.e.tree, q.e.submit);
	query.hint = q.e.smtpd;
	put_request(&q, LOOKUP_PROVE, &query);
	lookup_run(q.lookup, q.finder, 1000);
	want_repeated(&q);
	let_go(&q, q.e.submit);
	quiet_close(&q);
}

TEST(named_process_serves_another)
{
	struct session_query query = query_of_nobody();
	struct quiet q;

	dry_open(&q);
	query.hint = q.e.smtpd;
	put_request(&q, LOOKUP_PROVE, &query);
	lookup_run(q.lookup, q.finder, 1000);
	want_int(counters_get(&q.counters, COUNTER_REFUSED_SENDER), 1);
	quiet_close(&q);
}

/* A line is not repeated for that. */
TEST(nobody_is_found_beside_one_that_keeps_waiting)
{
	const struct peer peer = { "::ffff:" PEER, 41999, 25, NULL };
	const struct session_query nobody = query_of_nobody();
	struct quiet q;
	pid_t second;

	dry_open(&q);
	second = harness_add_child(&q.e, &peer);
	fakeproc_trap(&q.e.tree, second);
	put_request(&q, LOOKUP_PROVE, &nobody);
	lookup_run(q.lookup, q.finder, 1000);
	want_int(counters_get(&q.counters, COUNTER_REFUSED_NO_CHILD), 1);
	want_int(counters_get(&q.counters, COUNTER_LOOKS_REPEATED), 0);
	let_go(&q, second);
	quiet_close(&q);
	waiter_end(second);
}

/* verify="none". Where no child is to end nobody is searched for. */
static const struct line_row {
	const char *label;
	bool relays;
	enum counter want;
} line_rows[] = {
	{ "a relay client's", true, COUNTER_ALLOWED },
	{ "another's", false, COUNTER_WOULD_BLOCK },
};

TEST_ROWS(line_alone_is_enough_but_for_a_relay_client, line_rows)
{
	struct session_query query = query_of_peer();
	struct quiet q;

	dry_open(&q);
	harness_set(&q.e, "verify", "none");
	if (row->relays)
		harness_smtpd_env(&q.e, relay_env);
	query.hint = q.e.smtpd;
	put_request(&q, LOOKUP_BLOCK, &query);
	want_int(lookup_run(q.lookup, q.finder, 1000) == INT64_MAX, true);
	want_int(counters_get(&q.counters, COUNTER_ALLOWED) +
		 counters_get(&q.counters, COUNTER_WOULD_BLOCK), 1);
	want_int(counters_get(&q.counters, row->want), 1);
	quiet_close(&q);
}
