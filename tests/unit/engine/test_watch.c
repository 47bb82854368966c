/* Rules for listed sessions that need no log line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/watch.h"

#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/unit/harness.h"
#include "tests/unit/processes.h"

static const char *const closed_host[] = { "BLOCK=" LISTED, "BLOCK_IP=127.0.0.2",
					   "ESMTPAUTH=", NULL };
static const char *const open_host[] = { "BLOCK=" LISTED, "ESMTPAUTH=PLAIN", NULL };
static const char *const tls_host[] = { "BLOCK=" LISTED, "ESMTPAUTH_TLS=PLAIN", NULL };
static const char *const unlisted[] = { "ESMTPAUTH=", NULL };
static const char *const relay[] = { "BLOCK=" LISTED, "RELAYCLIENT=", NULL };
static const char *const temporary[] = { "BLOCK=451 later", NULL };
static const char *const no_listing[] = { "BLOCK=" LISTED, "BLOCK_IP=127.255.255.254", NULL };

/* The clock of the rules is ahead of the real one by this, or of a fixed time that is not 0. */
static atomic_int_least64_t ahead, fixed;

int64_t __real_background_now(void);
int64_t __wrap_background_now(void);

int64_t __wrap_background_now(void)
{
	int64_t base = atomic_load(&fixed);

	return (base ? base : __real_background_now()) + atomic_load(&ahead);
}

/* On a busy machine all work takes long. */
static atomic_bool is_slow;
static atomic_int_least64_t lost_us;

int64_t __real_clock_us(void);
int64_t __wrap_clock_us(void);

int64_t __wrap_clock_us(void)
{
	int64_t lost = atomic_load(&is_slow) ? atomic_fetch_add(&lost_us, 20000) : 0;

	return __real_clock_us() + lost;
}

static void open_watching(struct harness *e, const char *const *env)
{
	harness_open(e);
	harness_set(e, "early", "on");
	harness_smtpd_env(e, env);
}

/* The session of the harness, and whether it is terminated without a line. */
static const struct row {
	const char *label, *name, *value;
	const char *const *env;
	bool ends;
} rows[] = {
	{ "no login", "early", "on", closed_host, true },
	{ "a login", "early", "on", open_host, false },
	{ "a login with TLS", "early", "on", tls_host, false },
	{ "not listed", "early", "on", unlisted, false },
	{ "may relay", "early", "on", relay, false },
	{ "temporary", "early", "on", temporary, false },
	{ "the DNSBL's error", "early", "on", no_listing, false },
	{ "allowed", "allow", "198.51.100.0/24", closed_host, false },
	{ "switched off", "early", "off", closed_host, false },
	{ "nothing is terminated", "terminate", "off", closed_host, false },
	{ "another trigger", "trigger", "reject", closed_host, false },
	{ "no verification", "verify", "none", closed_host, false },
};

/* A signal that was just sent takes a moment. */
static void want_ended(pid_t pid, bool ended)
{
	want_int(ended ? has_ended_soon(pid) : !is_living(pid), ended);
}

static bool looked_often(void *data)
{
	return clock_ms() > *(const int64_t *)data;
}

TEST_ROWS(ends_without_a_line, rows)
{
	int64_t later = clock_ms() + 300;
	struct harness e;

	open_watching(&e, row->env);
	harness_set(&e, row->name, row->value);
	harness_start(&e);
	if (row->ends) {
		harness_want_soon(&e, COUNTER_ENDED, 1);
		harness_want_soon(&e, COUNTER_BLOCKS, 1);
		want_int(harness_count(&e, COUNTER_EARLY_NO_LOGIN), 1);
	} else {
		soon(looked_often, &later);
	}
	harness_stop(&e);
	want_ended(e.smtpd, row->ends);
	want_int(harness_count(&e, COUNTER_BLOCKS), row->ends);
	harness_close(&e);
}

/* rsyslogd starts before courier, on a busy machine. */
TEST(courier_starts_later)
{
	struct harness e;

	open_watching(&e, closed_host);
	fakeproc_drop(&e.tree, e.tcpd);
	atomic_store(&is_slow, true);
	harness_start(&e);
	/* Some looks later. */
	want_int(SOON(atomic_load(&lost_us) > 200000), true);
	fakeproc_put(&e.tree, &(struct fake_process){ .pid = e.tcpd, .exe = FAKE_TCPD, .ppid = 1 });
	fakeproc_children(&e.tree, e.tcpd, &e.smtpd, 1);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	harness_stop(&e);
	atomic_store(&is_slow, false);
	harness_close(&e);
}

TEST(dry_run_reports)
{
	struct harness e;

	open_watching(&e, closed_host);
	harness_set(&e, "dryRun", "on");
	harness_start(&e);
	harness_want_said(&e, "dryRun: would terminate the session of " PEER
			      " port 41703 (no-login)");
	harness_want_soon(&e, COUNTER_WOULD_BLOCK, 1);
	harness_stop(&e);
	want_int(is_living(e.smtpd), true);
	want_int(harness_count(&e, COUNTER_BLOCKS), 0);
	want_int(harness_said(&e, "would terminate"), 1);
	harness_close(&e);
}

/* The entry of the session is not blocked while somebody is logged in from there. */
static const struct neighbour_row {
	const char *label, *ip, *prefix;
	enum counter counts;
} neighbour_rows[] = {
	{ "the same address", "::ffff:" PEER, "32", COUNTER_KEPT_LOGIN },
	{ "the same prefix", "::ffff:198.51.100.200", "24", COUNTER_KEPT_LOGIN },
	{ "another address", "::ffff:198.51.100.200", "32", COUNTER_BLOCKS },
};

TEST_ROWS(logins_prevent_the_block, neighbour_rows)
{
	static const char env[] = "BLOCK=\0RELAYCLIENT=";
	static const char *const offers[] = { "ESMTPAUTH=PLAIN", NULL };
	const struct peer peer = { row->ip, 999, 587, offers };
	struct harness e;
	pid_t pid, submit = waiter_start();

	open_watching(&e, closed_host);
	harness_set(&e, "ipv4Prefix", row->prefix);
	pid = harness_add_child(&e, &peer);
	fakeproc_put(&e.tree, &(struct fake_process){
		.pid = submit, .exe = "/usr/lib/courier/courier/submit", .ppid = pid,
		.env = env, .env_len = sizeof(env) });
	fakeproc_children(&e.tree, pid, &submit, 1);
	harness_start(&e);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	harness_want_soon(&e, row->counts, 1);
	harness_stop(&e);
	want_ended(e.smtpd, true);
	want_int(is_living(pid), true);
	want_int(harness_count(&e, COUNTER_BLOCKS), row->counts == COUNTER_BLOCKS);
	harness_close(&e);
	waiter_end(pid);
	waiter_end(submit);
}

/* The smtpd of the harness sleeps in the tarpit, and its submit has refused a recipient. */
static void put_refused(struct harness *e)
{
	fakeproc_sleep(&e->tree, e->smtpd, "hrtimer_nanosleep", 77);
	fakeproc_link(&e->tree, e->submit, 4, "/etc/courier/aliases.dat");
	fakeproc_link(&e->tree, e->submit, 5, "/etc/courier/esmtpacceptmailfor.dat");
}

TEST(refused_session_ends_before_its_line)
{
	struct harness e;

	open_watching(&e, open_host);
	put_refused(&e);
	harness_start(&e);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	want_int(harness_count(&e, COUNTER_EARLY_REFUSED), 1);
	harness_close(&e);
}

/* In the tarpit for another reason, or with a login. */
static const struct tarpit_row {
	const char *label, *closed_file;
	const char *submit[3];
} tarpit_rows[] = {
	{ "MAIL, then AUTH", "5", { "BLOCK=" LISTED, NULL } },
	{ "logged in", NULL, { "BLOCK=", "RELAYCLIENT=", NULL } },
	{ "another listing", NULL, { "BLOCK=another", NULL } },
};

TEST_ROWS(others_stay_in_the_tarpit, tarpit_rows)
{
	int64_t later = clock_ms() + 300;
	struct harness e;

	open_watching(&e, open_host);
	harness_submit_env(&e, row->submit);
	put_refused(&e);
	if (row->closed_file)
		fakeproc_link(&e.tree, e.submit, 5, NULL);
	harness_start(&e);
	soon(looked_often, &later);
	harness_stop(&e);
	want_int(is_living(e.smtpd), true);
	want_int(harness_count(&e, COUNTER_BLOCKS), 0);
	harness_close(&e);
}

/* A line about the listed session of the harness, which courier offers a login. */
static const struct line_row {
	const char *label, *text;
	const char *submit[3];
	bool mail, attested, acts;
	enum counter counts;
} line_rows[] = {
	{ "its listing, attested", REJECT, { "BLOCK=" LISTED, NULL }, false, true, true,
	  COUNTER_BLOCKS },
	{ "its listing, forged", REJECT, { "BLOCK=" LISTED, NULL }, false, false, false,
	  COUNTER_REFUSED_SENDER },
	{ "its listing, after MAIL", REJECT, { "BLOCK=" LISTED, NULL }, true, false, true,
	  COUNTER_BLOCKS },
	{ "a relay attempt, attested", REJECT_FOR(PEER, "41703", "513 Relaying denied."),
	  { "BLOCK=" LISTED, NULL }, false, true, true, COUNTER_BLOCKS },
	{ "a relay attempt, after MAIL", REJECT_FOR(PEER, "41703", "513 Relaying denied."),
	  { "BLOCK=" LISTED, NULL }, true, false, true, COUNTER_BLOCKS },
	{ "a relay attempt, forged", REJECT_FOR(PEER, "41703", "513 Relaying denied."),
	  { "BLOCK=" LISTED, NULL }, false, false, false, COUNTER_NOT_LISTED },
	{ "a customer's mistake, attested", REJECT_FOR(PEER, "41703", "550 User unknown"),
	  { "BLOCK=", "RELAYCLIENT=", NULL }, true, true, false, COUNTER_NOT_LISTED },
	{ "a customer's mistake", REJECT_FOR(PEER, "41703", "550 User unknown"),
	  { "BLOCK=", "RELAYCLIENT=", NULL }, true, false, false, COUNTER_NOT_LISTED },
	{ "a wrong password", REJECT_FOR(PEER, "41703", "535 Authentication failed."),
	  { "BLOCK=" LISTED, NULL }, true, true, false, COUNTER_NOT_LISTED },
};

TEST_ROWS(lines_of_a_listed_session, line_rows)
{
	struct harness e;

	harness_open(&e);
	harness_smtpd_env(&e, open_host);
	harness_submit_env(&e, row->submit);
	if (row->mail)
		fakeproc_link(&e.tree, e.submit, 4, "/etc/courier/aliases.dat");
	else
		fakeproc_link(&e.tree, e.submit, 0, "pipe:[1]");
	fakeproc_sleep(&e.tree, e.smtpd, "poll", 1);
	harness_start(&e);
	harness_hand(&e, row->text, row->attested ? e.smtpd : 0);
	harness_want_soon(&e, row->counts, 1);
	harness_stop(&e);
	want_ended(e.smtpd, row->acts);
	want_int(harness_count(&e, COUNTER_BLOCKS), row->acts);
	harness_close(&e);
}

/* What a busy smtpd waits for: the end of a submit, maybe that from before a login. */
static void make_busy(struct harness *e, pid_t smtpd)
{
	static const char wait4[] = "61 0xffffffffffffffff\n";

	fakeproc_sleep(&e->tree, smtpd, "do_wait", 1);
	fakeproc_write(&e->tree, smtpd, "syscall", wait4, strlen(wait4));
}

/* A line about a listed session, and a login of another one from the same address: only the
 * session of the line is terminated, whether the worker knows it already or not. */
TEST(line_spares_the_entry_of_a_login)
{
	static const char *const offers[] = { "ESMTPAUTH=PLAIN", NULL };
	static const char env[] = "RELAYCLIENT=";
	const struct peer peer = { "::ffff:" PEER, 999, 587, offers };
	pid_t pid, submit = waiter_start();
	struct harness e;

	harness_open(&e);
	pid = harness_add_child(&e, &peer);
	fakeproc_put(&e.tree, &(struct fake_process){
		.pid = submit, .exe = "/usr/lib/courier/courier/submit", .ppid = pid,
		.env = env, .env_len = sizeof(env) });
	fakeproc_children(&e.tree, pid, &submit, 1);
	harness_start(&e);
	fakeproc_last_pid(&e.tree, e.smtpd);
	harness_started(&e, e.smtpd);
	harness_want_pinned(&e);
	harness_hand(&e, REJECT, e.smtpd);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	harness_want_soon(&e, COUNTER_KEPT_LOGIN, 1);
	harness_stop(&e);
	want_int(harness_count(&e, COUNTER_BLOCKS), 0);
	want_int(is_living(pid), true);
	harness_close(&e);
	waiter_end(pid);
	waiter_end(submit);
}

/* Wait for the counter. The clock is ahead, so the next look has to be asked for. */
static void want_counted(struct harness *e, enum counter id, uint64_t want)
{
	int64_t until = clock_ms() + DEADLINE_MS;

	while (harness_count(e, id) != want && clock_ms() < until) {
		background_wake(e->background);
		(void)poll(NULL, 0, 10);
	}
	want_int(harness_count(e, id), want);
}

/* Let this many ms pass at once, and a few looks happen. */
static void pass(struct harness *e, int64_t ms)
{
	int i;

	atomic_fetch_add(&ahead, ms);
	for (i = 0; i < 10; i++) {
		/* Until the next look. */
		if (atomic_load(&fixed))
			atomic_fetch_add(&ahead, 25);
		background_wake(e->background);
		(void)poll(NULL, 0, 20);
	}
}

/* Another session of a blocked address, on which nobody logs in. */
static const struct sibling_row {
	const char *label;
	uint16_t port;
	const char *const *env;
	const char *submit[3];
	bool ends;
	enum { SILENT, ACTS, BUSY, UNSEEN } does;	/* UNSEEN: there are no looks for long */
} sibling_rows[] = {
	{ "silent", 25, open_host, { NULL }, true, SILENT },
	{ "no login", 25, open_host, { "BLOCK=" LISTED, NULL }, true, SILENT },
	{ "not looked at for long", 25, open_host, { NULL }, false, UNSEEN },
	{ "still does something", 25, open_host, { "BLOCK=" LISTED, NULL }, false, ACTS },
	{ "busy", 25, open_host, { "BLOCK=" LISTED, NULL }, false, BUSY },
	{ "logged in", 25, open_host, { "BLOCK=", "RELAYCLIENT=", NULL }, false, SILENT },
	{ "its port is not closed", 587, open_host, { NULL }, false, SILENT },
	{ "not listed", 25, unlisted, { NULL }, false, SILENT },
};

static pid_t put_sibling(struct harness *e, const struct sibling_row *row, pid_t submit)
{
	const struct peer peer = { "::ffff:" PEER, 999, row->port, row->env };
	const struct peer same = { "::ffff:" PEER, 999, row->port, row->submit };
	pid_t pid = harness_add_child(e, &peer);

	fakeproc_sleep(&e->tree, pid, "poll", 1);
	if (row->does == BUSY)
		make_busy(e, pid);
	if (!row->submit[0])
		return pid;
	harness_add_submit(e, submit, pid, &same);
	return pid;
}

TEST_ROWS(siblings_end_too, sibling_rows)
{
	pid_t pid, submit = waiter_start();
	struct harness e;

	atomic_store(&ahead, 0);
	open_watching(&e, closed_host);
	harness_start(&e);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	pid = put_sibling(&e, row, submit);
	pass(&e, SLOT_NO_SUBMIT_MS);
	want_int(harness_count(&e, COUNTER_EARLY_SIBLING), 0);
	if (row->does == UNSEEN)
		atomic_fetch_add(&ahead, WATCH_SIBLING_MS + 1);
	else
		pass(&e, WATCH_SIBLING_MS / 2);
	if (row->does == ACTS)
		fakeproc_sleep(&e.tree, pid, "poll", 2);
	if (row->does != UNSEEN)
		atomic_fetch_add(&ahead, WATCH_SIBLING_MS / 2);
	if (row->ends)
		want_counted(&e, COUNTER_EARLY_SIBLING, 1);
	else
		pass(&e, 0);
	harness_stop(&e);
	want_int(harness_count(&e, COUNTER_EARLY_SIBLING), row->ends);
	want_ended(pid, row->ends);
	harness_close(&e);
	waiter_end(pid);
	waiter_end(submit);
}

/* A listener with this many slots, and three listed sessions that offer a login and are silent:
 * how many end under pressure? */
static const struct pressure_row {
	const char *label, *slots, *pressure;
	int64_t age;
	unsigned int want;
	/* BUSY: all are at first, so that none can be checked: that counts for nothing. ALL_TALK:
	 * each has said EHLO. TALKS, TARPIT: only the oldest has, and ends last; courier delays its
	 * reply. */
	enum { SAY_NOTHING, ALL_BUSY, ALL_TALK, ONE_TALKS, ONE_IN_TARPIT } what;
} pressure_rows[] = {
	{ "more than half", "-maxprocs=5", "50", 3300, 2, SAY_NOTHING },
	{ "more than the share, silent and young", "-maxprocs=30", "5", 0, 0, SAY_NOTHING },
	{ "more than the share, silent", "-maxprocs=30", "5", 600, 3, SAY_NOTHING },
	{ "more than the share, one not idle for long", "-maxprocs=19", "5", 2000, 2, ONE_TALKS },
	{ "more than the share, one idle for long", "-maxprocs=19", "5", 3300, 3, ONE_TALKS },
	{ "more than the share, all not idle for long", "-maxprocs=19", "5", 2000, 0, ALL_TALK },
	{ "more than the share, all idle for long", "-maxprocs=30", "5", 3300, 3, ALL_TALK },
	{ "less than half", "-maxprocs=8", "50", 3300, 0, SAY_NOTHING },
	{ "less than two thirds", "-maxprocs=5", "66", 3300, 0, SAY_NOTHING },
	{ "far more than the share", "-maxprocs=4", "25", 600, 1, ALL_TALK },
	{ "far more than the share, and young", "-maxprocs=4", "25", 0, 0, ALL_TALK },
	{ "no slot is free", "-maxprocs=3", "100", 600, 1, SAY_NOTHING },
	{ "too young", "-maxprocs=5", "50", 0, 0, SAY_NOTHING },
	{ "young, but no slot is free", "-maxprocs=3", "100", 0, 1, SAY_NOTHING },
	{ "one has said EHLO", "-maxprocs=5", "50", 3300, 2, ONE_TALKS },
	{ "one has said EHLO, and no slot is free", "-maxprocs=3", "100", 600, 1, ONE_TALKS },
	{ "a tenth, idle for long", "-maxprocs=30", "50", 10500, 3, SAY_NOTHING },
	{ "a tenth, one has said EHLO", "-maxprocs=30", "50", 10500, 3, ONE_TALKS },
	{ "a tenth, one in the tarpit", "-maxprocs=30", "50", 10500, 2, ONE_IN_TARPIT },
	{ "less than a tenth, idle for long", "-maxprocs=31", "50", 10500, 0, SAY_NOTHING },
	{ "unknown", "-maxperip=3", "50", 10500, 0, SAY_NOTHING },
	{ "switched off", "-maxprocs=5", "0", 10500, 0, SAY_NOTHING },
	{ "busy", "-maxprocs=5", "50", 3300, 2, ALL_BUSY },
};

static void set_slots(struct harness *e, const char *slots)
{
	static const char name[] = "couriertcpd";
	char cmdline[64];

	memcpy(cmdline, name, sizeof(name));
	strcpy(cmdline + sizeof(name), slots);
	fakeproc_write(&e->tree, e->tcpd, "cmdline", cmdline, sizeof(name) + strlen(slots) + 1);
}

/* The oldest session is that of the harness. */
static void add_crowd(struct harness *e, const struct pressure_row *row, pid_t all[3],
		      pid_t submits[2])
{
	const struct peer peers[] = { { "::ffff:192.0.2.2", 1002, 25, open_host },
				      { "::ffff:192.0.2.3", 1003, 25, open_host } };
	unsigned int i;

	all[0] = e->smtpd;
	for (i = 0; i < 2; i++) {
		all[i + 1] = harness_add_child(e, &peers[i]);
		submits[i] = waiter_start();
		if (row->what == ALL_TALK)
			harness_add_submit(e, submits[i], all[i + 1], &peers[i]);
	}
	if (row->what < ALL_TALK)
		fakeproc_children(&e->tree, e->smtpd, NULL, 0);
	fakeproc_children(&e->tree, e->tcpd, all, 3);
	for (i = 0; i < 3; i++)
		fakeproc_sleep(&e->tree, all[i], "poll", 1);
	if (row->what == ONE_IN_TARPIT)
		fakeproc_sleep(&e->tree, all[0], "hrtimer_nanosleep", 1);
}

TEST_ROWS(pressure_ends_the_oldest, pressure_rows)
{
	const bool talks = row->what >= ONE_TALKS, busy = row->what == ALL_BUSY;
	const unsigned int order[] = { talks, talks + 1U, talks ? 0 : 2 };
	pid_t all[3], submits[2];
	struct harness e;
	unsigned int i;

	atomic_store(&ahead, 0);
	atomic_store(&fixed, __real_background_now());
	open_watching(&e, open_host);
	harness_set(&e, "early", "off");
	harness_set(&e, "pressure", row->pressure);
	set_slots(&e, row->slots);
	add_crowd(&e, row, all, submits);
	for (i = 0; busy && i < 3; i++)
		make_busy(&e, all[i]);
	harness_start(&e);
	pass(&e, 0);
	/* At once it would be so long that the slots are forgotten. */
	for (i = 0; row->age && i < 2; i++)
		pass(&e, row->age / 2);
	if (busy)
		want_int(harness_count(&e, COUNTER_EARLY_PRESSURE), 0);
	for (i = 0; busy && i < 3; i++)
		fakeproc_sleep(&e.tree, all[i], "poll", 1);
	if (busy)
		pass(&e, 0);
	harness_stop(&e);
	want_int(harness_count(&e, COUNTER_EARLY_PRESSURE), row->want);
	for (i = 0; i < 3; i++)
		want_ended(all[order[i]], row->want > i);
	want_int(harness_count(&e, COUNTER_BLOCKS), 0);
	want_int(harness_said(&e, "listed sessions take 3 of the "), row->want > 0);
	atomic_store(&fixed, 0);
	harness_close(&e);
	for (i = 0; i < 2; i++) {
		waiter_end(all[i + 1]);
		waiter_end(submits[i]);
	}
}

/* Another session of the address is always busy, so that its login is unknown: but a login would
 * show in some look. */
TEST(busy_session_does_not_prevent_the_block)
{
	static const struct sibling_row row = { "busy", 587, open_host,
						{ "BLOCK=" LISTED, NULL }, false, BUSY };
	pid_t pid, submit = waiter_start();
	struct harness e;

	atomic_store(&ahead, 0);
	open_watching(&e, closed_host);
	pid = put_sibling(&e, &row, submit);
	harness_start(&e);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	want_int(harness_count(&e, COUNTER_BLOCKS), 0);
	want_counted(&e, COUNTER_BLOCKS, 1);
	harness_stop(&e);
	want_int(harness_count(&e, COUNTER_KEPT_LOGIN), 0);
	want_int(is_living(pid), true);
	harness_close(&e);
	waiter_end(pid);
	waiter_end(submit);
}

/* One entry per block, and those that find no room are counted. */
TEST(delayed_blocks)
{
	struct event event = { .target = { { ADDR_IPV4, { 192, 0, 2, 0 } }, 32 } };
	struct counters counters = { .values = { 0 } };
	struct settings settings;
	struct enforcer enforcer = { .counters = &counters, .settings = &settings };
	struct watch *watch;
	unsigned int i;

	want_int(settings_init(&settings), 0);
	want_int(watch_new(&enforcer, &watch), 0);
	for (i = 0; i < 100; i++)
		watch_delay_block(watch, &event);
	want_int(counters_get(&counters, COUNTER_REFUSED_BUSY), 0);
	for (i = 0; i < 64; i++) {
		event.target.net.bytes[3] = (uint8_t)i;
		watch_delay_block(watch, &event);
	}
	want_int(counters_get(&counters, COUNTER_REFUSED_BUSY), 0);
	event.target.net.bytes[3] = 64;
	watch_delay_block(watch, &event);
	want_int(counters_get(&counters, COUNTER_REFUSED_BUSY), 1);
	want_int(watch_delayed(watch), 64);
	watch_free(watch);
	settings_done(&settings);
}
