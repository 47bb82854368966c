/* Which smtpd serves this address and port?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/session.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/fakeproc.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

/* A couriertcpd with two smtpds for two peers, and an unrelated process. */
struct fixture {
	struct fakeproc tree;
	struct procfs procfs;
	struct looker *looker;
	struct session_finder *finder;
	pid_t tcpd, first, second, stranger;
	struct smtpd_scratch scratch;
};

static const char *const listed[] = { "BLOCK=Listed", NULL };
static const struct peer first_peer = { "::ffff:192.0.2.1", 1001, 25, listed };
static const struct peer second_peer = { "2001:db8::2", 1002, 25, NULL };

static void setup(struct fixture *f)
{
	f->tcpd = waiter_start();
	f->first = waiter_start();
	f->second = waiter_start();
	f->stranger = waiter_start();
	fakeproc_open(&f->tree);
	fakeproc_put_tcpd(&f->tree, f->tcpd);
	fakeproc_put_smtpd(&f->tree, f->first, f->tcpd, &first_peer);
	fakeproc_put_smtpd(&f->tree, f->second, f->tcpd, &second_peer);
	fakeproc_put(&f->tree, &(struct fake_process){
		.pid = f->stranger, .exe = "/bin/sh", .ppid = 1, .uid = FAKE_UID + 1,
	});
	fakeproc_children(&f->tree, f->tcpd, (pid_t[]){ f->first, f->second }, 2);
	want_int(procfs_init(&f->procfs, f->tree.root), 0);
	want_int(looker_new(&f->procfs, &f->looker), 0);
	want_int(session_new(f->tree.root, f->looker, FAKE_UID, &f->finder), 0);
}

static void teardown(struct fixture *f)
{
	session_free(f->finder);
	want_int(looker_free(f->looker), true);
	fakeproc_close(&f->tree);
	waiter_end(f->tcpd);
	waiter_end(f->first);
	waiter_end(f->second);
	waiter_end(f->stranger);
}

static struct session_query query(const char *ip, uint16_t port)
{
	struct session_query q = { .port = port };

	want_int(addr_parse(ip, strlen(ip), &q.addr), 0);
	return q;
}

/* Returns the result of session_find(), and releases the smtpd. */
static int find(struct fixture *f, const struct session_query *q, pid_t *ret_pid)
{
	struct smtpd smtpd = SMTPD_NONE;
	struct smtpd_facts facts;
	int r;

	r = session_find(f->finder, q, &f->scratch, &smtpd, &facts);
	*ret_pid = smtpd.process.pid;
	smtpd_done(&smtpd);
	return r;
}

enum who { NOBODY, FIRST, SECOND, STRANGER, TCPD };

static pid_t pid_of(const struct fixture *f, enum who who)
{
	const pid_t pids[] = { 0, f->first, f->second, f->stranger, f->tcpd };

	return pids[who];
}

static void refresh_and_hold(struct fixture *f, bool thorough)
{
	want_int(session_refresh(f->finder, thorough), 0);
	session_hold(f->finder, true);
}

/* The first smtpd is listed. It is pinned if pinned is set; the second never is. */
static const struct row {
	const char *label, *ip;
	uint16_t port;
	enum who attested, hint;
	bool pinned;
	int want;
	enum who found;
} rows[] = {
	{ "attested", "192.0.2.1", 1001, FIRST, NOBODY, true, 0, FIRST },
	{ "attested, no port in the line", "192.0.2.1", 0, FIRST, NOBODY, true, 0,
	  FIRST },
	{ "attested, takes a look", "192.0.2.1", 1001, FIRST, NOBODY, false, -EAGAIN,
	  NOBODY },
	{ "attested, not listed", "2001:db8::2", 1002, SECOND, NOBODY, true, -EAGAIN,
	  NOBODY },
	{ "attested serves another address", "192.0.2.9", 1001, FIRST, NOBODY, true,
	  -EAGAIN, NOBODY },
	{ "attested serves another port", "192.0.2.1", 1009, FIRST, NOBODY, true,
	  -EAGAIN, NOBODY },
	{ "attested has another uid: nothing else is tried", "192.0.2.1", 1001,
	  STRANGER, FIRST, true, -EPERM, NOBODY },
	{ "hint", "192.0.2.1", 1001, NOBODY, FIRST, true, 0, FIRST },
	{ "hint, takes a look", "192.0.2.1", 1001, NOBODY, FIRST, false, -EAGAIN,
	  NOBODY },
	{ "hint serves another address: nothing else is tried", "192.0.2.1", 1001,
	  NOBODY, SECOND, true, -EAGAIN, NOBODY },
	{ "hint has another uid: nothing else is tried", "192.0.2.1", 1001, NOBODY,
	  STRANGER, true, -EPERM, NOBODY },
	{ "pinned", "192.0.2.1", 1001, NOBODY, NOBODY, true, 0, FIRST },
	{ "known and not pinned", "2001:db8::2", 1002, NOBODY, NOBODY, true, -EAGAIN,
	  NOBODY },
	{ "not known", "192.0.2.1", 1001, NOBODY, NOBODY, false, -EAGAIN, NOBODY },
	{ "another port", "192.0.2.1", 1009, NOBODY, NOBODY, true, -EAGAIN, NOBODY },
	{ "no port: there may be more", "192.0.2.1", 0, NOBODY, NOBODY, true, -EAGAIN,
	  NOBODY },
};

static void finds(void **state)
{
	const struct row *row = *state;
	struct session_query q = query(row->ip, row->port);
	struct fixture f;
	size_t before;
	pid_t pid;

	setup(&f);
	before = descriptors_open();
	q.attested = pid_of(&f, row->attested);
	q.hint = pid_of(&f, row->hint);
	if (row->pinned)
		refresh_and_hold(&f, true);
	want_int(find(&f, &q, &pid), row->want);
	if (row->want == 0)
		want_int(pid, pid_of(&f, row->found));
	session_let_go(f.finder);
	want_int(descriptors_open(), before + row->pinned);
	teardown(&f);
}

/* session_find(), and where that takes a look session_verify() for its named process. */
static const struct prove_row {
	const char *label, *ip;
	uint16_t port;
	enum who who;
	int want;
} prove_rows[] = {
	{ "serves", "192.0.2.1", 1001, FIRST, 0 },
	{ "any port", "192.0.2.1", 0, FIRST, 0 },
	{ "IPv6, not listed", "2001:db8::2", 1002, SECOND, 0 },
	{ "another address", "192.0.2.9", 1001, FIRST, -ENXIO },
	{ "another port", "192.0.2.1", 1009, FIRST, -ENXIO },
	{ "another program", "192.0.2.1", 1001, STRANGER, -EPERM },
	{ "couriertcpd", "192.0.2.1", 1001, TCPD, -EPERM },
};

static void proves(void **state)
{
	const struct prove_row *row = *state;
	const struct session_query q = query(row->ip, row->port);
	struct smtpd smtpd = SMTPD_NONE;
	struct smtpd_facts facts;
	struct fixture f;

	setup(&f);
	want_int(session_verify(f.finder, pid_of(&f, row->who), &q.addr, q.port, &f.scratch,
				&smtpd, &facts),
		 row->want);
	want_int(smtpd.process.pid, row->want == 0 ? pid_of(&f, row->who) : 0);
	smtpd_done(&smtpd);
	teardown(&f);
}

/* The next step may be deferred: nothing is removed. */
static void defers(void **state)
{
	struct session_query q = query("192.0.2.1", 1001);
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	refresh_and_hold(&f, true);
	q.defers = true;
	want_int(find(&f, &q, &pid), -EAGAIN);
	q.defers = false;
	want_int(find(&f, &q, &pid), 0);
	teardown(&f);
}

static void attested_has_exited(void **state)
{
	struct session_query q = query("192.0.2.1", 1001);
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	q.attested = f.first;
	waiter_end(f.first);
	want_int(find(&f, &q, &pid), -ESRCH);
	f.first = waiter_start();
	teardown(&f);
}

/* A pinned smtpd is not read again; but only once: the first line about it takes it. */
static void listed_smtpd_is_pinned(void **state)
{
	struct session_query q = query("192.0.2.1", 1001);
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	q.attested = f.first;
	refresh_and_hold(&f, true);
	fakeproc_exe(&f.tree, f.first, "/bin/sh");
	want_int(find(&f, &q, &pid), 0);
	want_int(pid, f.first);
	want_int(find(&f, &q, &pid), -EAGAIN);
	teardown(&f);
}

static void releases_pinned_smtpds(void **state)
{
	struct session_query q = query("192.0.2.1", 1001);
	struct fixture f;
	size_t before;
	pid_t pid;

	(void)state;
	setup(&f);
	q.attested = f.first;
	refresh_and_hold(&f, true);
	want_int(find(&f, &q, &pid), 0);
	before = descriptors_open();
	refresh_and_hold(&f, true);
	want_int(descriptors_open(), before + 1);
	session_let_go(f.finder);
	want_int(descriptors_open(), before);
	refresh_and_hold(&f, false);
	want_int(descriptors_open(), before + 1);
	teardown(&f);
}

static void thorough_refresh_finds_new_tcpds(void **state)
{
	struct session_query q = query("192.0.2.1", 1001);
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	want_int(session_has_tcpds(f.finder), false);
	want_int(session_refresh(f.finder, false), 0);
	want_int(find(&f, &q, &pid), -EAGAIN);
	refresh_and_hold(&f, true);
	want_int(session_has_tcpds(f.finder), true);
	want_int(find(&f, &q, &pid), 0);
	teardown(&f);
}

/* Independent of the list of couriertcpd's children. */
static void learns_the_latest_smtpd(void **state)
{
	struct session_query q = query("192.0.2.1", 1001);
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	fakeproc_children(&f.tree, f.tcpd, NULL, 0);
	session_learn(f.finder);	/* there is no loadavg yet */
	want_int(find(&f, &q, &pid), -EAGAIN);
	fakeproc_last_pid(&f.tree, f.first + 10);
	session_learn(f.finder);
	want_int(find(&f, &q, &pid), 0);
	want_int(pid, f.first);
	teardown(&f);
}

/* Its DNSBL takes a while: it is older than the last look when it has exec'd. */
static void learns_an_smtpd_before_its_exec(void **state)
{
	struct session_query q = query("192.0.2.1", 1001);
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	fakeproc_exe(&f.tree, f.first, FAKE_TCPD);
	fakeproc_last_pid(&f.tree, f.first);
	session_learn(f.finder);
	want_int(find(&f, &q, &pid), -EAGAIN);
	fakeproc_exe(&f.tree, f.first, FAKE_SMTPD);
	fakeproc_last_pid(&f.tree, f.first + 1000);
	session_learn(f.finder);
	want_int(find(&f, &q, &pid), 0);
	teardown(&f);
}

static void candidates_of_an_address(void **state)
{
	const struct session_query q = query("192.0.2.1", 0);
	struct fixture f;
	pid_t pids[4] = { 0 };

	(void)state;
	setup(&f);
	want_int(session_refresh(f.finder, true), 0);
	want_int(session_candidates(f.finder, &q.addr, 0, pids, 4), 1);
	want_int(pids[0], f.first);
	want_int(session_candidates(f.finder, &q.addr, 7, pids, 4), 0);
	teardown(&f);
}

/* The submit below the smtpd, as session_check_submit() finds it. */
static const struct submit_row {
	const char *label, *exe, *env;	/* NULL: there is none */
	bool attested;
	int want;
} submit_rows[] = {
	{ "knows the listing", "/usr/lib/courier/courier/submit", "BLOCK=Listed",
	  false, 0 },
	{ "after a login", "/usr/lib/courier/courier/submit", "BLOCK=", false,
	  -EPERM },
	{ "another text", "/usr/lib/courier/courier/submit", "BLOCK=Listed too",
	  false, -EPERM },
	{ "nothing of it", "/usr/lib/courier/courier/submit", "PATH=/bin", false,
	  -EPERM },
	{ "another program", "/bin/cat", "BLOCK=Listed", false, -EPERM },
	{ "no submit", NULL, NULL, false, -EPERM },
	{ "no submit, but the kernel's word", NULL, NULL, true, 0 },
};

/* The submit below the first smtpd. */
static void put_submit(struct fixture *f, const char *exe, const char *env)
{
	fakeproc_children(&f->tree, f->first, &f->stranger, 1);
	fakeproc_put(&f->tree, &(struct fake_process){
		.pid = f->stranger, .exe = exe, .ppid = f->first, .uid = FAKE_UID,
		.env = env, .env_len = strlen(env) + 1,
	});
}

static void confirms(void **state)
{
	const struct submit_row *row = *state;
	struct session_query q = query("192.0.2.1", 1001);
	struct smtpd smtpd = SMTPD_NONE;
	struct smtpd_scratch other;
	struct smtpd_facts facts;
	struct fixture f;

	setup(&f);
	if (row->exe)
		put_submit(&f, row->exe, row->env);
	want_int(session_verify(f.finder, f.first, &q.addr, q.port, &f.scratch, &smtpd, &facts),
		 0);
	q.attested = row->attested ? f.first : 0;
	want_int(session_check_submit(f.finder, &q, &smtpd, &facts, &other), row->want);
	want_str(facts.block, "Listed");
	smtpd_done(&smtpd);
	teardown(&f);
}

/* A line without credentials finds an smtpd only with its submit. */
static int find_confirmed(struct fixture *f)
{
	struct session_query q = query("192.0.2.1", 1001);
	pid_t pid;

	q.hint = f->first;
	q.confirms = true;
	return find(f, &q, &pid);
}

static void submits_are_pinned(void **state)
{
	struct fixture f;
	size_t before;

	(void)state;
	setup(&f);
	before = descriptors_open();
	refresh_and_hold(&f, true);
	want_int(descriptors_open(), before + 2);
	want_int(find_confirmed(&f), -EAGAIN);
	put_submit(&f, submit_rows[0].exe, submit_rows[0].env);
	refresh_and_hold(&f, false);
	want_int(descriptors_open(), before + 3);
	fakeproc_children(&f.tree, f.first, NULL, 0);
	want_int(find_confirmed(&f), 0);
	want_int(find_confirmed(&f), -EAGAIN);
	want_int(descriptors_open(), before + 1);
	teardown(&f);
}

/* After a login another one takes its place. */
static void submit_has_exited(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	put_submit(&f, submit_rows[0].exe, submit_rows[0].env);
	refresh_and_hold(&f, true);
	waiter_end(f.stranger);
	want_int(find_confirmed(&f), -EAGAIN);
	f.stranger = waiter_start();
	teardown(&f);
}

/* Those that have just started have none yet, and there may be many others. */
static void lines_of_starts_do_not_wait_for_submits(void **state)
{
	struct fixture f;
	size_t before;

	(void)state;
	setup(&f);
	before = descriptors_open();
	put_submit(&f, submit_rows[0].exe, submit_rows[0].env);
	fakeproc_last_pid(&f.tree, f.first);
	session_learn(f.finder);
	want_int(descriptors_open(), before + 2);
	session_hold(f.finder, true);
	want_int(descriptors_open(), before + 3);
	teardown(&f);
}

static const char *const relays[] = { "RELAYCLIENT=", NULL };
static const struct peer relay_peer = { "2001:db8::2", 1002, 25, relays };

static bool knows(struct fixture *f, const char *ip)
{
	const struct session_query q = query(ip, 0);

	return session_knows_relay_client(f->finder, &q.addr);
}

/* The second peer is a relay client. */
static void knows_relay_client(void **state)
{
	struct fixture f;
	size_t before;

	(void)state;
	setup(&f);
	fakeproc_put_smtpd(&f.tree, f.second, f.tcpd, &relay_peer);
	want_int(knows(&f, "2001:db8::2"), false);
	want_int(session_refresh(f.finder, true), 0);
	before = descriptors_open();
	want_int(knows(&f, "2001:db8::2"), true);
	want_int(knows(&f, "192.0.2.1"), false);
	want_int(knows(&f, "192.0.2.9"), false);
	want_int(descriptors_open(), before);
	teardown(&f);
}

/* It is in the index, but its process has exited, or has another uid. */
static void knows_no_relay_client_that_has_exited(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	fakeproc_put_smtpd(&f.tree, f.second, f.tcpd, &relay_peer);
	want_int(session_refresh(f.finder, true), 0);
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = f.second, .exe = FAKE_SMTPD, .ppid = f.tcpd, .uid = FAKE_UID + 1,
	});
	want_int(knows(&f, "2001:db8::2"), false);
	waiter_end(f.second);
	want_int(knows(&f, "2001:db8::2"), false);
	f.second = waiter_start();
	teardown(&f);
}

static void may_be_couriers(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	want_int(session_may_be_couriers(f.finder, f.first), true);
	want_int(session_may_be_couriers(f.finder, f.stranger), false);
	want_int(session_may_be_couriers(f.finder, 0), false);
	teardown(&f);
}

static int make_one(void *data)
{
	const struct fixture *f = data;
	struct session_finder *finder = NULL;
	int r = session_new(f->tree.root, f->looker, FAKE_UID, &finder);

	/* Untouched on failure. */
	want_int(finder != NULL, r == 0);
	session_free(finder);
	return r;
}

static void survives_lack_of_memory(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	want_int(memory_fail_each(make_one, &f) >= 3, true);
	teardown(&f);
	session_free(NULL);
}

static void overlong_proc_root_is_refused(void **state)
{
	struct session_finder *finder = NULL;
	char root[4096];

	(void)state;
	memset(root, 'x', sizeof(root) - 1);
	root[sizeof(root) - 1] = '\0';
	want_int(session_new(root, NULL, FAKE_UID, &finder), -ENAMETOOLONG);
	want_int(finder == NULL, true);
}

/* The first child and the second. */
static void no_more_candidates_than_there_is_room_for(void **state)
{
	const struct session_query q = query("192.0.2.1", 0);
	const struct peer same = { "::ffff:192.0.2.1", 1002, 25, NULL };
	pid_t pids[2] = { 0 };
	struct fixture f;

	(void)state;
	setup(&f);
	fakeproc_put_smtpd(&f.tree, f.second, f.tcpd, &same);
	want_int(session_refresh(f.finder, true), 0);
	want_int(session_candidates(f.finder, &q.addr, 0, pids, 2), 2);
	pids[1] = 0;
	want_int(session_candidates(f.finder, &q.addr, 0, pids, 1), 1);
	want_int(pids[1], 0);
	teardown(&f);
}

/* With the kernel's word no submit has to confirm it; a hint alone may be of another
 * process by now. */
static void the_kernels_word_needs_no_submit(void **state)
{
	struct session_query q = query("192.0.2.1", 1001);
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	refresh_and_hold(&f, true);
	q.attested = f.first;
	q.confirms = true;
	want_int(find(&f, &q, &pid), 0);
	want_int(pid, f.first);
	teardown(&f);
}

static void hint_is_gone(void **state)
{
	struct session_query q = query("192.0.2.1", 1001);
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	waiter_end(f.stranger);
	q.hint = f.stranger;
	want_int(find(&f, &q, &pid), -EAGAIN);
	f.stranger = waiter_start();
	teardown(&f);
}

/* One port of the peer's, connected to two of ours. */
static void two_that_may_be_the_one(void **state)
{
	const struct session_query q = query("192.0.2.1", 1001);
	const struct peer same = { "::ffff:192.0.2.1", 1001, 587, listed };
	struct fixture f;
	pid_t pid;

	(void)state;
	setup(&f);
	refresh_and_hold(&f, true);
	want_int(find(&f, &q, &pid), 0);
	fakeproc_put_smtpd(&f.tree, f.second, f.tcpd, &same);
	refresh_and_hold(&f, true);
	want_int(find(&f, &q, &pid), -EAGAIN);
	teardown(&f);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_ROWS(suite, finds, rows);
	SUITE_TEST(suite, attested_has_exited);
	SUITE_ROWS(suite, proves, prove_rows);
	SUITE_TEST(suite, defers);
	SUITE_TEST(suite, listed_smtpd_is_pinned);
	SUITE_TEST(suite, releases_pinned_smtpds);
	SUITE_TEST(suite, submits_are_pinned);
	SUITE_TEST(suite, submit_has_exited);
	SUITE_TEST(suite, lines_of_starts_do_not_wait_for_submits);
	SUITE_TEST(suite, thorough_refresh_finds_new_tcpds);
	SUITE_TEST(suite, learns_the_latest_smtpd);
	SUITE_TEST(suite, learns_an_smtpd_before_its_exec);
	SUITE_TEST(suite, candidates_of_an_address);
	SUITE_ROWS(suite, confirms, submit_rows);
	SUITE_TEST(suite, knows_relay_client);
	SUITE_TEST(suite, may_be_couriers);
	SUITE_TEST(suite, knows_no_relay_client_that_has_exited);
	SUITE_TEST(suite, survives_lack_of_memory);
	SUITE_TEST(suite, overlong_proc_root_is_refused);
	SUITE_TEST(suite, no_more_candidates_than_there_is_room_for);
	SUITE_TEST(suite, the_kernels_word_needs_no_submit);
	SUITE_TEST(suite, hint_is_gone);
	SUITE_TEST(suite, two_that_may_be_the_one);
	return suite_run(suite, "evidence");
}
