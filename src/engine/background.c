/* What all actions of one rsyslogd share.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/background.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "blocklist/unblock_watch.h"
#include "lib/array.h"
#include "lib/clock.h"
#include "lib/thread.h"
#include "lib/users.h"

/* At shutdown, wait this long for termination delays that are still running, and write the lists
 * for this long, as each write may wait for other programs. rsyslogd gives a module one second. */
#define STOP_GRACE_MS 500
/* Pause after a failed poll(2). */
#define FAILURE_PAUSE_MS 20
/* Wait for the user database as long as for a process, see looker.h. */
#define USER_WAIT_MS 250

struct shared_finder {
	struct shared_finder *next;
	uid_t uid;
	struct session_finder *finder;
};

struct shared_user {
	struct shared_user *next;
	struct user_lookup *lookup;
};

struct background {
	struct procfs procfs;
	struct blocklist **blocklists;
	size_t blocklist_count;
	struct looker *looker;
	bool short_slices;
	struct background_job *jobs;
	size_t job_count;
	struct local_addrs *local_addrs;
	struct terminator *terminator;
	struct unblock_watch *unblocks;	/* NULL: not watched for */
	struct shared_finder *finder;
	struct shared_user *user;
	int wake;		/* eventfd */
	atomic_bool awake;	/* a wake-up is pending.. */
	atomic_int_least64_t awake_since;	/* ..since then, see background_tick() */
	atomic_bool stopping;
	atomic_int_least64_t ends_at;	/* see blocklist_end_at() */
	atomic_bool abandoned;
	atomic_bool ended;	/* for thread sanitizers, which do not know the join below */
	bool started;
	struct thread thread;
};

int64_t background_now(void)
{
	return clock_ms();
}

int64_t background_tick(void)
{
	return clock_tick_ms();
}

int background_new(const char *proc_root, struct background **ret_background)
{
	struct background *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	if (procfs_init(&c->procfs, proc_root) < 0) {
		free(c);
		return -ENAMETOOLONG;
	}
	c->wake = -1;
	if (local_addrs_new(&c->local_addrs) < 0 || looker_new(&c->procfs, &c->looker) < 0) {
		background_free(c);
		return -ENOMEM;
	}
	*ret_background = c;
	return 0;
}

int background_add_job(struct background *background, const struct background_job *job)
{
	struct background_job *added = array_add(&background->jobs, &background->job_count);

	if (!added)
		return -ENOMEM;
	*added = *job;
	return 0;
}

void background_wake(struct background *background)
{
	static const uint64_t one = 1;

	/* One pending wake-up is enough for all callers. */
	if (!atomic_load(&background->awake))
		atomic_store(&background->awake_since, background_tick());
	if (atomic_exchange(&background->awake, true))
		return;
	while (write(background->wake, &one, sizeof(one)) < 0) {
		if (errno == EINTR)
			continue;
		/* The next caller must try again. */
		atomic_store(&background->awake, false);
		return;
	}
}

bool background_is_stalled(const struct background *background)
{
	return atomic_load(&background->awake) &&
	       background_tick() - atomic_load(&background->awake_since) > BACKGROUND_STALL_MS;
}

void background_terminate(struct background *background, struct termination *termination,
			  int64_t due)
{
	terminator_add(background->terminator, termination, due);
}

bool background_is_ending(struct background *background, const struct smtpd *smtpd,
			  const struct counters *counters)
{
	return terminator_has(background->terminator, smtpd, counters);
}

struct local_addrs *background_local_addrs(struct background *background)
{
	return background->local_addrs;
}

void background_shorten_slices(struct background *background)
{
	background->short_slices = true;
	looker_shorten_slices(background->looker);
}

void background_forbid_fd(struct background *background)
{
	looker_forbid_fd(background->looker);
}

static int add_finder(struct background *c, uid_t uid, struct session_finder **ret_finder)
{
	struct shared_finder *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	r = session_new(c->procfs.root, c->looker, uid, &e->finder);
	if (r < 0) {
		free(e);
		return r;
	}
	e->uid = uid;
	e->next = c->finder;
	c->finder = e;
	*ret_finder = e->finder;
	return 0;
}

int background_finder(struct background *background, uid_t courier_uid,
		      struct session_finder **ret_finder)
{
	struct shared_finder *e;

	for (e = background->finder; e && e->uid != courier_uid; e = e->next)
		;
	if (!e)
		return add_finder(background, courier_uid, ret_finder);
	*ret_finder = e->finder;
	return 0;
}

struct blocklist *background_find_blocklist(const struct background *background,
					    const struct settings *settings)
{
	size_t i;

	for (i = 0; i < background->blocklist_count; i++)
		if (blocklist_serves(background->blocklists[i], settings))
			return background->blocklists[i];
	return NULL;
}

int background_add_blocklist(struct background *background, struct blocklist *blocklist)
{
	struct blocklist **added = array_add(&background->blocklists,
					     &background->blocklist_count);

	if (!added) {
		blocklist_free(blocklist);
		return -ENOMEM;
	}
	*added = blocklist;
	blocklist_end_at(blocklist, &background->ends_at);
	return 0;
}

static void free_blocklists(struct background *c)
{
	size_t i;

	for (i = 0; i < c->blocklist_count; i++)
		blocklist_free(c->blocklists[i]);
	free(c->blocklists);
}

static void unblock_all(void *ctx, const struct unblock *unblock)
{
	const struct background *c = ctx;
	size_t i;

	for (i = 0; i < c->blocklist_count; i++)
		blocklist_unblock(c->blocklists[i], unblock);
}

int background_watch_unblocks(struct background *background, const char *root)
{
	return unblock_watch_new(root, unblock_all, background, &background->unblocks);
}

int background_unblock_error(const struct background *background)
{
	return background->unblocks ? unblock_watch_error(background->unblocks) : 0;
}

static int64_t run_unblocks(struct background *c, int64_t now)
{
	return c->unblocks ? unblock_watch_run(c->unblocks, now) : TERMINATOR_NEVER;
}

static int64_t run_jobs(struct background *c, int64_t now)
{
	int64_t next = TERMINATOR_NEVER;
	size_t i;

	for (i = 0; i < c->job_count; i++)
		next = clock_earlier(next, c->jobs[i].run(c->jobs[i].data, now));
	return next;
}

/* Once in a round, as several jobs may share one. */
static int64_t run_blocklists(struct background *c, int64_t now)
{
	int64_t next = TERMINATOR_NEVER;
	size_t i;

	for (i = 0; i < c->blocklist_count; i++)
		next = clock_earlier(next, blocklist_run(c->blocklists[i], now));
	return next;
}

static void report_all(struct background *c)
{
	size_t i;

	for (i = 0; i < c->job_count; i++)
		if (c->jobs[i].report)
			c->jobs[i].report(c->jobs[i].data);
}

/* Returns the earliest time at which something is to be done. Lists are written before the
 * terminator runs, so that a block precedes its signal even if this thread is late. */
static int64_t run_all(struct background *c, int64_t now)
{
	int64_t next = run_unblocks(c, now);

	next = clock_earlier(next, run_jobs(c, now));
	next = clock_earlier(next, run_blocklists(c, now));
	report_all(c);
	return clock_earlier(next, terminator_run(c->terminator, now));
}

/* A call that keeps failing must not use a whole CPU. */
static void pause_after_failure(void)
{
	const struct timespec pause = { .tv_nsec = FAILURE_PAUSE_MS * 1000000L };

	nanosleep(&pause, NULL);
}

/* Wait for an event, at most until due. */
static void wait_until(struct background *c, int64_t due)
{
	struct pollfd fds[] = {
		{ .fd = c->wake, .events = POLLIN },
		{ .fd = terminator_fd(c->terminator), .events = POLLIN },
		{ .fd = local_addrs_fd(c->local_addrs), .events = POLLIN },
		{ .fd = c->unblocks ? unblock_watch_fd(c->unblocks) : -1, .events = POLLIN },
	};
	int64_t left = due - background_now();
	uint64_t count;
	int timeout = -1;

	if (due != TERMINATOR_NEVER)
		timeout = left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
	if (poll(fds, COUNT_OF(fds), timeout) < 0) {
		if (errno != EINTR)
			pause_after_failure();
		return;
	}
	if (!fds[1].revents)
		terminator_skip_ends(c->terminator);
	/* An exchange: everything done before the wake-up is visible after it. */
	if (fds[0].revents && read(c->wake, &count, sizeof(count)) > 0)
		(void)atomic_exchange(&c->awake, false);
	if (fds[2].revents)
		(void)local_addrs_refresh(c->local_addrs);
	if (fds[3].revents)
		unblock_watch_read(c->unblocks);
}

/* Send the pending signals, on time if STOP_GRACE_MS allows it. Run the jobs first, as long as
 * requests are left. */
static void run_out(struct background *c)
{
	int64_t now = background_now(), end = now + STOP_GRACE_MS, due;
	size_t i;

	do {
		due = run_all(c, now);
		now = background_now();
	} while (due <= now && now < end);
	for (i = 0; i < c->job_count; i++)
		if (c->jobs[i].end)
			c->jobs[i].end(c->jobs[i].data);
	due = terminator_run(c->terminator, now);
	while (terminator_pending(c->terminator) > 0 && now < end) {
		wait_until(c, due < end ? due : end);
		now = background_now();
		due = terminator_run(c->terminator, now);
	}
	terminator_flush(c->terminator);
}

static void thread_main(void *data)
{
	struct background *c = data;

	if (c->short_slices)
		thread_shorten_slice();
	while (!atomic_load(&c->stopping))
		wait_until(c, run_all(c, background_now()));
	if (!atomic_load(&c->abandoned))
		run_out(c);
	atomic_store(&c->ended, true);
}

int background_open(struct background *background)
{
	int r;

	background->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (background->wake < 0)
		return -errno;
	r = terminator_new(&background->terminator);
	if (r < 0)
		return r;
	/* If this fails, the engines see it and raise an alert. */
	(void)local_addrs_refresh(background->local_addrs);
	(void)run_unblocks(background, background_now());
	return 0;
}

int background_start(struct background *background)
{
	int r = thread_start(&background->thread, "smtpblock", thread_main, background);

	background->started = r == 0;
	return r;
}

int background_stop(struct background *background)
{
	const struct timespec until = clock_deadline(BACKGROUND_STOP_MS);

	if (!background->started)
		return 0;
	atomic_store(&background->ends_at, background_now() + STOP_GRACE_MS);
	atomic_store(&background->stopping, true);
	/* Clear the flag first: the thread may just have consumed an earlier wake-up. */
	atomic_store(&background->awake, false);
	background_wake(background);
	if (pthread_clockjoin_np(background->thread.id, NULL, CLOCK_MONOTONIC, &until) != 0) {
		atomic_store(&background->abandoned, true);
		pthread_detach(background->thread.id);
		return -ETIMEDOUT;
	}
	(void)atomic_load(&background->ended);
	background->started = false;
	return 0;
}

static struct shared_user *find_user(struct background *c, const char *name)
{
	struct shared_user *user = c->user;

	while (user && strcmp(user_lookup_name(user->lookup), name) != 0)
		user = user->next;
	if (user)
		return user;
	user = calloc(1, sizeof(*user));
	if (!user || user_lookup_new(name, &user->lookup) < 0) {
		free(user);
		return NULL;
	}
	user->next = c->user;
	c->user = user;
	return user;
}

int background_uid(struct background *background, const char *user, uid_t *ret_uid)
{
	struct shared_user *shared = find_user(background, user);

	return shared ? user_lookup_ask(shared->lookup, USER_WAIT_MS, ret_uid) : -ENOMEM;
}

static bool free_users(struct background *c)
{
	struct shared_user *next;
	bool all_back = true;

	for (; c->user; c->user = next) {
		next = c->user->next;
		all_back &= user_lookup_free(c->user->lookup);
		free(c->user);
	}
	return all_back;
}

bool background_free(struct background *background)
{
	struct shared_finder *next;
	bool all_back;

	if (!background)
		return true;
	if (background_stop(background) < 0)
		return false;
	terminator_free(background->terminator);
	local_addrs_free(background->local_addrs);
	unblock_watch_free(background->unblocks);
	for (; background->finder; background->finder = next) {
		next = background->finder->next;
		session_free(background->finder->finder);
		free(background->finder);
	}
	free_blocklists(background);
	all_back = looker_free(background->looker);
	all_back &= free_users(background);
	if (background->wake >= 0)
		close(background->wake);
	free(background->jobs);
	free(background);
	return all_back;
}
