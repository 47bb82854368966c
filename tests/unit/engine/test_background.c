/* The thread that all actions of one rsyslogd share.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/background.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/fakeproc.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

/* A job that counts its calls, hands smtpds over and runs again at the time it is given. */
struct client {
	struct background *background;
	struct termination handed[2];
	int64_t due[2];
	atomic_uint handed_count;
	atomic_uint taken;
	atomic_uint runs;
	unsigned int ends, runs_at_end;
	atomic_bool signals_blocked;
	int64_t again;		/* ms from now; 0: only when woken */
};

static int64_t run(void *data, int64_t now)
{
	struct client *c = data;
	unsigned int n;
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	atomic_store(&c->signals_blocked, sigismember(&set, SIGHUP) == 1);
	for (n = c->taken; n < atomic_load(&c->handed_count); atomic_store(&c->taken, ++n))
		background_terminate(c->background, &c->handed[n], c->due[n]);
	atomic_fetch_add(&c->runs, 1);
	return c->again ? now + c->again : TERMINATOR_NEVER;
}

static void end(void *data)
{
	struct client *c = data;

	c->ends++;
	c->runs_at_end = atomic_load(&c->runs);
}

struct fixture {
	struct fakeproc tree;
	struct background *background;
	struct client client;
	struct counters counters;
	struct alerts alerts;
};

static void setup(struct fixture *f, int64_t again)
{
	const struct background_job client = { .run = run, .end = end, .data = &f->client };

	memset(f, 0, sizeof(*f));
	f->client.again = again;
	fakeproc_open(&f->tree);
	want_int(background_new(f->tree.root, &f->background), 0);
	f->client.background = f->background;
	want_int(background_open(f->background), 0);
	want_int(background_add_job(f->background, &client), 0);
	want_int(background_start(f->background), 0);
}

static void teardown(struct fixture *f)
{
	background_free(f->background);
	fakeproc_close(&f->tree);
}

struct goal {
	struct client *client;
	unsigned int runs;
};

static bool has_run(void *data)
{
	const struct goal *g = data;

	return atomic_load(&g->client->runs) >= g->runs;
}

static void want_runs(struct fixture *f, unsigned int runs)
{
	struct goal goal = { &f->client, runs };

	want_int(soon(has_run, &goal), true);
}

/* Two blocklists, and the number of unblocks that each was given. */
static struct {
	struct blocklist *blocklist;
	atomic_uint unblocks;
} lists[2];

void __wrap_blocklist_unblock(struct blocklist *blocklist, const struct unblock *unblock);

void __wrap_blocklist_unblock(struct blocklist *blocklist, const struct unblock *unblock)
{
	want_str(unblock->list, "spammer");
	atomic_fetch_add(&lists[blocklist == lists[1].blocklist].unblocks, 1);
}

static struct blocklist *add_blocklist(struct background *c, const struct settings *settings,
				       struct counters *counters, struct alerts *alerts)
{
	struct blocklist *blocklist;

	want_int(blocklist_new(settings, "", "", counters, alerts, &blocklist), 0);
	want_int(background_add_blocklist(c, blocklist), 0);
	return blocklist;
}

/* Each of them, while the thread would sleep forever. */
TEST(unblocks_in_all_lists)
{
	struct background *c = NULL;
	struct counters counters = { .values = { 0 } };
	struct alerts alerts = { .all = { { 0 } } };
	const struct unblock unblock = { .backend = "recent", .list = "spammer",
					 .net = { { .family = ADDR_IPV4 }, 0 } };
	char *root = temp_dir_new(), path[256], wrong[256];
	struct settings settings;
	unsigned int i;

	want_int(settings_init(&settings), 0);
	want_int(settings_set(&settings, "backend", "null", wrong, sizeof(wrong)), 0);
	snprintf(path, sizeof(path), "%s/run", root);
	want_int(mkdir(path, 0755), 0);
	want_int(unblock_prepare(root), 0);
	want_int(background_new("/proc", &c), 0);
	want_int(background_unblock_error(c), 0);
	want_int(background_watch_unblocks(c, root), 0);
	want_int(background_open(c), 0);
	want_int(background_unblock_error(c), 0);
	for (i = 0; i < 2; i++)
		lists[i].blocklist = add_blocklist(c, &settings, &counters, &alerts);
	want_int(background_start(c), 0);
	want_int(unblock_write(root, &unblock, 1), 0);
	want_int(SOON(atomic_load(&lists[0].unblocks) == 1), true);
	want_int(SOON(atomic_load(&lists[1].unblocks) == 1), true);
	background_free(c);
	settings_done(&settings);
	temp_dir_remove(root);
}

/* What runs, one letter each: jobs, lists, and reports of jobs. */
static char rounds[64];
static int64_t list_due = INT64_MAX;

static void note(char what)
{
	size_t n = strlen(rounds);

	if (n + 1 < sizeof(rounds))
		rounds[n] = what;
}

int64_t __wrap_blocklist_run(struct blocklist *blocklist, int64_t now);

int64_t __wrap_blocklist_run(struct blocklist *blocklist, int64_t now)
{
	(void)blocklist;
	note('l');
	return list_due == INT64_MAX ? INT64_MAX : now + list_due;
}

static int64_t note_run(void *data, int64_t now)
{
	(void)now;
	atomic_fetch_add((atomic_uint *)data, 1);
	note('j');
	return TERMINATOR_NEVER;
}

static void note_report(void *data)
{
	(void)data;
	note('r');
}

/* Two jobs share a list: what its run finds is reported in this round, to whichever job. */
TEST(list_runs_once_between_jobs_and_reports)
{
	struct background *c = NULL;
	struct counters counters = { .values = { 0 } };
	struct alerts alerts = { .all = { { 0 } } };
	atomic_uint runs = 0;
	const struct background_job job = {
		.run = note_run, .report = note_report, .data = &runs,
	};
	struct settings settings;

	want_int(settings_init(&settings), 0);
	support_set(&settings, "backend=null");
	want_int(background_new("/proc", &c), 0);
	want_int(background_open(c), 0);
	want_int(background_add_job(c, &job), 0);
	want_int(background_add_job(c, &job), 0);
	add_blocklist(c, &settings, &counters, &alerts);
	memset(rounds, 0, sizeof(rounds));
	list_due = 1;
	want_int(background_start(c), 0);
	/* The list wants the second round. */
	want_int(SOON(atomic_load(&runs) >= 4), true);
	background_free(c);
	want_int(strncmp(rounds, "jjlrrjjlrr", 10), 0);
	list_due = INT64_MAX;
	settings_done(&settings);
}

TEST(unwatched_unblocks_are_reported)
{
	struct background *c = NULL;

	want_int(background_new("/proc", &c), 0);
	want_int(background_watch_unblocks(c, "/nowhere"), 0);
	want_int(background_open(c), 0);
	want_int(background_unblock_error(c), -ENOENT);
	background_free(c);
}

TEST(runs_jobs_on_time)
{
	struct fixture f;

	setup(&f, 1);
	want_runs(&f, 5);
	want_int(atomic_load(&f.client.signals_blocked), true);
	teardown(&f);
}

TEST(ends_jobs_once_after_their_last_run)
{
	struct fixture f;

	setup(&f, 0);
	want_runs(&f, 1);
	want_int(background_stop(f.background), 0);
	want_int(f.client.ends, 1);
	want_int(f.client.runs_at_end, atomic_load(&f.client.runs));
	teardown(&f);
}

TEST(runs_clients_when_woken)
{
	struct fixture f;
	unsigned int runs;

	setup(&f, 0);
	want_runs(&f, 1);
	runs = atomic_load(&f.client.runs);
	background_wake(f.background);
	want_runs(&f, runs + 1);
	teardown(&f);
}

/* A run after a wake-up sees everything done before it, however many threads wake it. */
struct mailbox {
	struct background *background;
	pthread_mutex_t lock;
	unsigned int posted, taken;
};

static int64_t take(void *data, int64_t now)
{
	struct mailbox *m = data;

	(void)now;
	pthread_mutex_lock(&m->lock);
	m->taken = m->posted;
	pthread_mutex_unlock(&m->lock);
	return TERMINATOR_NEVER;
}

static bool all_taken(void *data)
{
	struct mailbox *m = data;
	bool all;

	pthread_mutex_lock(&m->lock);
	all = m->taken == m->posted;
	pthread_mutex_unlock(&m->lock);
	return all;
}

static void *post_many(void *data)
{
	struct mailbox *m = data;
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		pthread_mutex_lock(&m->lock);
		m->posted++;
		pthread_mutex_unlock(&m->lock);
		background_wake(m->background);
	}
	return NULL;
}

TEST(no_wake_is_lost)
{
	struct mailbox m = { .lock = PTHREAD_MUTEX_INITIALIZER };
	const struct background_job client = { .run = take, .data = &m };
	pthread_t threads[3];
	struct fakeproc tree;
	unsigned int i;

	fakeproc_open(&tree);
	want_int(background_new(tree.root, &m.background), 0);
	want_int(background_open(m.background), 0);
	want_int(background_add_job(m.background, &client), 0);
	want_int(background_start(m.background), 0);
	for (i = 0; i < COUNT_OF(threads); i++)
		want_int(pthread_create(&threads[i], NULL, post_many, &m), 0);
	for (i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	want_int(soon(all_taken, &m), true);
	background_free(m.background);
	fakeproc_close(&tree);
}

static struct termination termination_of(struct fixture *f, struct session_finder *ev, pid_t pid)
{
	struct termination t = {
		.smtpd = SMTPD_NONE,
		.rules = session_rules(ev),
		.counters = &f->counters,
		.alerts = &f->alerts,
		.signal = SIGTERM,
	};

	want_int(pidref_open(pid, &t.smtpd.process), 0);
	return t;
}

static bool all_are_taken(void *data)
{
	struct client *c = data;

	return atomic_load(&c->taken) == atomic_load(&c->handed_count);
}

static void hand_over(struct fixture *f, struct session_finder *ev, pid_t pid, int64_t delay)
{
	unsigned int n = atomic_load(&f->client.handed_count);

	f->client.handed[n] = termination_of(f, ev, pid);
	f->client.due[n] = background_now() + delay;
	atomic_store(&f->client.handed_count, n + 1);
	background_wake(f->background);
	want_int(soon(all_are_taken, &f->client), true);
}

/* A job that hands its smtpd over and is slow at first, and then checks whether it has
 * exited. */
struct slow {
	pthread_barrier_t busy, go_on;
	pid_t pid;
	struct background *background;
	struct termination t;
	int64_t due;
	atomic_uint runs;
	unsigned int ends, runs_at_end;
	atomic_bool saw_it_live;
};

static int64_t run_slowly(void *data, int64_t now)
{
	struct slow *s = data;
	unsigned int runs = atomic_fetch_add(&s->runs, 1);
	struct pidref ref;
	struct pollfd end = { .events = POLLIN };

	if (runs == 0) {
		/* After this round, however late it is. */
		s->due = now + 5;
		background_terminate(s->background, &s->t, s->due);
		pthread_barrier_wait(&s->busy);
		pthread_barrier_wait(&s->go_on);
	} else if (runs == 1 && pidref_open(s->pid, &ref) == 0) {
		end.fd = ref.fd;
		atomic_store(&s->saw_it_live, poll(&end, 1, 100) == 0);
		pidref_done(&ref);
	}
	return TERMINATOR_NEVER;
}

/* Until it is busy. */
static void slow_open(struct slow *s, struct fixture *f)
{
	const struct background_job client = { .run = run_slowly, .data = s };
	struct session_finder *ev = NULL;

	memset(f, 0, sizeof(*f));
	pthread_barrier_init(&s->busy, NULL, 2);
	pthread_barrier_init(&s->go_on, NULL, 2);
	fakeproc_open(&f->tree);
	want_int(background_new(f->tree.root, &f->background), 0);
	want_int(background_open(f->background), 0);
	want_int(background_add_job(f->background, &client), 0);
	want_int(background_finder(f->background, FAKE_UID, &ev), 0);
	s->background = f->background;
	s->t = termination_of(f, ev, s->pid);
	want_int(background_start(f->background), 0);
	pthread_barrier_wait(&s->busy);
}

static bool is_past(void *data)
{
	return background_now() > *(const int64_t *)data + 1;
}

/* Jobs write blocks: that comes before smtpds are signalled, even if the thread is late for
 * both. */
TEST(jobs_come_before_smtpds)
{
	struct slow s = { .pid = waiter_start() };
	struct fixture f;

	slow_open(&s, &f);
	want_int(soon(is_past, &s.due), true);
	pthread_barrier_wait(&s.go_on);
	want_int(has_ended_soon(s.pid), true);
	want_int(atomic_load(&s.saw_it_live), true);
	waiter_end(s.pid);
	teardown(&f);
}

/* A client that does not come back until it may. */
struct stuck {
	struct background *background;
	pthread_barrier_t busy, go_on;
	atomic_uint runs;
	unsigned int ends, runs_at_end;
};

static int64_t run_stuck(void *data, int64_t now)
{
	struct stuck *s = data;

	(void)now;
	if (atomic_fetch_add(&s->runs, 1) == 0) {
		pthread_barrier_wait(&s->busy);
		pthread_barrier_wait(&s->go_on);
	}
	return TERMINATOR_NEVER;
}

static void stuck_open(struct stuck *s, struct fakeproc *tree)
{
	const struct background_job client = { .run = run_stuck, .data = s };

	fakeproc_open(tree);
	pthread_barrier_init(&s->busy, NULL, 2);
	pthread_barrier_init(&s->go_on, NULL, 2);
	want_int(background_new(tree->root, &s->background), 0);
	want_int(background_open(s->background), 0);
	want_int(background_add_job(s->background, &client), 0);
	want_int(background_start(s->background), 0);
	pthread_barrier_wait(&s->busy);
}

static bool is_stalled(void *data)
{
	/* Whoever asks meanwhile does not make it begin anew. */
	background_wake(data);
	return background_is_stalled(data);
}

static bool goes_on(void *data)
{
	return !background_is_stalled(data);
}

/* Only work that has waited for a while is a stall. */
TEST(knows_that_it_is_stalled)
{
	static struct stuck s;
	struct fakeproc tree;
	int64_t began;

	stuck_open(&s, &tree);
	want_int(background_is_stalled(s.background), false);
	/* The same clock: another one may be some ms ahead of it. */
	began = background_tick();
	background_wake(s.background);
	want_int(soon(is_stalled, s.background), true);
	want_int(background_tick() - began >= BACKGROUND_STALL_MS, true);
	pthread_barrier_wait(&s.go_on);
	want_int(soon(goes_on, s.background), true);
	want_int(background_free(s.background), true);
	fakeproc_close(&tree);
}

static bool is_alone(void *data)
{
	(void)data;
	return threads_of_ours() == 1;
}

/* The caller of stop returns after a while; the thread exits once its call returns, and does
 * nothing more. */
TEST(is_abandoned_if_it_does_not_come_back)
{
	static struct stuck s;	/* memory of the thread is never freed */
	struct fakeproc tree;
	int64_t began = background_now(), took;

	stuck_open(&s, &tree);
	want_int(background_free(s.background), false);
	took = background_now() - began;
	want_int(took >= BACKGROUND_STOP_MS && took < BACKGROUND_STOP_MS + 2000, true);
	pthread_barrier_wait(&s.go_on);
	want_int(soon(is_alone, NULL), true);
	want_int(atomic_load(&s.runs), 1);
	fakeproc_close(&tree);
}

/* Stops the background thread from a thread of its own. */
struct stopper {
	struct background *background;
	_Atomic pid_t tid;
};

static void *stop(void *data)
{
	struct stopper *s = data;

	atomic_store(&s->tid, gettid());
	background_stop(s->background);
	return NULL;
}

/* It only ever sleeps to wait for the background thread's exit. */
static bool waits_for_the_end(void *data)
{
	struct stopper *s = data;
	pid_t tid = atomic_load(&s->tid);
	char path[64], *text, *behind_name;
	bool sleeps;

	if (tid == 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	text = temp_file_read(path);
	behind_name = text ? strrchr(text, ')') : NULL;
	sleeps = behind_name && strncmp(behind_name, ") S", 3) == 0;
	free(text);
	return sleeps;
}

/* When it stops, too: blocks requested before are on the list by then. */
TEST(jobs_come_before_smtpds_at_stop)
{
	struct slow s = { .pid = waiter_start() };
	struct stopper stopper = { .tid = 0 };
	struct fixture f;
	pthread_t thread;

	slow_open(&s, &f);
	stopper.background = f.background;
	want_int(pthread_create(&thread, NULL, stop, &stopper), 0);
	want_int(soon(waits_for_the_end, &stopper), true);
	pthread_barrier_wait(&s.go_on);
	pthread_join(thread, NULL);
	want_int(has_ended_soon(s.pid), true);
	want_int(atomic_load(&s.runs) >= 2, true);
	want_int(atomic_load(&s.saw_it_live), true);
	waiter_end(s.pid);
	teardown(&f);
}

TEST(terminates_an_smtpd_on_time)
{
	struct session_finder *ev = NULL;
	struct fixture f;
	pid_t pid = waiter_start();
	int64_t began;

	setup(&f, 0);
	want_int(background_finder(f.background, FAKE_UID, &ev), 0);
	began = clock_ms();
	hand_over(&f, ev, pid, 150);
	want_int(has_ended_soon(pid), true);
	want_int(clock_ms() - began >= 149, true);
	waiter_end(pid);
	teardown(&f);
}

/* At the end nobody waits longer than half a second, and no signal is lost. */
TEST(stop_delivers_what_is_pending)
{
	pid_t early = waiter_start(), late = waiter_start();
	struct session_finder *ev = NULL;
	struct fixture f;
	int64_t began, took;

	setup(&f, 0);
	want_int(background_finder(f.background, FAKE_UID, &ev), 0);
	hand_over(&f, ev, early, 100);
	hand_over(&f, ev, late, 60000);
	began = clock_ms();
	background_stop(f.background);
	took = clock_ms() - began;
	want_int(took >= 100 && took < 1000, true);
	want_int(has_ended_soon(early), true);
	want_int(has_ended_soon(late), true);
	waiter_end(early);
	waiter_end(late);
	teardown(&f);
}

TEST(stop_with_nothing_pending_is_quick)
{
	struct fixture f;
	int64_t began;

	setup(&f, 0);
	began = clock_ms();
	background_stop(f.background);
	background_stop(f.background);
	want_int(clock_ms() - began < 400, true);
	teardown(&f);
}

/* It is the same clock, and late by no more than a tick. */
TEST(tick_follows_the_clock)
{
	int64_t before = background_now(), tick = background_tick();

	want_int(tick > before - 50, true);
	want_int(tick <= background_now(), true);
}

TEST(session_is_shared_by_uid)
{
	struct session_finder *first = NULL, *same = NULL, *other = NULL;
	struct fixture f;

	setup(&f, 0);
	want_int(background_finder(f.background, 1, &first), 0);
	want_int(background_finder(f.background, 2, &other), 0);
	want_int(background_finder(f.background, 1, &same), 0);
	want_int(first == same, true);
	want_int(first != other, true);
	teardown(&f);
}

TEST(forbids_copies_of_descriptors)
{
	struct session_finder *finder;
	struct fixture f;

	setup(&f, 0);
	want_int(background_finder(f.background, 1, &finder), 0);
	background_forbid_fd(f.background);
	want_int(looker_get_fd(session_rules(finder)->looker, getpid(), -1, 0), -ENOSYS);
	teardown(&f);
}

TEST(knows_this_hosts_addresses)
{
	const struct addr loopback = { .family = ADDR_IPV4,
				       .bytes = { 127, 0, 0, 1 } };
	struct fixture f;

	setup(&f, 0);
	want_int(local_addrs_known(background_local_addrs(f.background)), true);
	want_int(local_addrs_contain(background_local_addrs(f.background), &loopback), true);
	teardown(&f);
}

TEST(leaves_no_descriptor)
{
	size_t before = descriptors_open();
	struct session_finder *ev = NULL;
	struct fixture f;
	pid_t pid = waiter_start();

	setup(&f, 0);
	want_int(background_finder(f.background, FAKE_UID, &ev), 0);
	hand_over(&f, ev, pid, 60000);
	teardown(&f);
	want_int(descriptors_open(), before);
	waiter_end(pid);
}

TEST(free_takes_anything)
{
	struct background *c = NULL;

	background_free(NULL);
	want_int(background_new("/proc", &c), 0);
	background_free(c);
}

static int make_one(void *data)
{
	const struct background_job client = { .run = run };
	struct session_finder *finder;
	struct background *c = NULL;
	int r;

	(void)data;
	r = background_new("/proc", &c);
	if (r == 0)
		r = background_watch_unblocks(c, "/nowhere");
	if (r == 0)
		r = background_add_job(c, &client);
	if (r == 0)
		r = background_finder(c, 0, &finder);
	background_free(c);
	return r;
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(make_one, NULL) >= 7, true);
}

TEST(overlong_proc_root_is_refused)
{
	struct background *c = NULL;
	char root[4096];

	memset(root, 'x', sizeof(root) - 1);
	root[sizeof(root) - 1] = '\0';
	want_int(background_new(root, &c), -ENAMETOOLONG);
	want_int(c == NULL, true);
}
