/* Terminates smtpds, each at a given time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "terminate/terminator.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "courier/session_signs.h"
#include "lib/tcp_reset.h"

/* The time for a couriertls of STARTTLS to exit by itself after its courieresmtpd. */
#define TLS_GRACE_MS 50
/* How long to watch a process after SIGKILL, or after the signal if there is no SIGKILL. */
#define WATCH_MS 10000
/* A connection has one couriertls. Others belong to earlier connections. */
#define ORPHAN_TLS_MAX 4
/* While courier replaces the submit, a login is unknown: look again after this time, at most so
 * often. Without a submit for a second there is no login (slots.h). */
#define LOGIN_AGAIN_MS 200
#define LOGIN_LOOKS_MAX 5
/* The pause after a failed epoll_wait(2). */
#define FAILURE_PAUSE_MS 20

enum stage {
	/* The state, and what happens at the time due. */
	STAGE_WAITING,		/* not signalled: signal */
	STAGE_SIGNALLED,	/* signalled: kill */
	STAGE_KILLED,		/* killed: forget */
	STAGE_EXITED,		/* exited: search for an orphaned couriertls */
	STAGE_RESET_DUE,	/* all processes have exited: reset the connection */
};

struct item {
	struct termination what;
	enum stage stage;
	bool is_orphan_tls;	/* what.smtpd.process is an orphaned couriertls */
	unsigned int looks;	/* STAGE_WAITING: for a login, that showed nothing */
	int still_open;		/* STAGE_EXITED: as tcp_reset_is_held() returns */
	int64_t due;		/* ms of CLOCK_MONOTONIC */
	size_t at;		/* index in the heap */
	bool is_known;		/* it is in by_pid */
	struct item *next_by_pid;
};

/* The number of hash chains by PID, of items before STAGE_EXITED. */
#define PID_CHAINS 256

struct terminator {
	int epoll;
	bool skip_ends;		/* see terminator_skip_ends() */
	struct tcp_reset reset;
	struct smtpd_scratch scratch;
	struct item *heap[TERMINATOR_MAX];	/* heap[0] has the earliest due */
	size_t count, max;
	struct item *by_pid[PID_CHAINS];
	size_t pending;		/* in STAGE_WAITING */
};

/* See TERMINATOR_MAX. Counts two descriptors for each, as on port 465. */
static size_t most_at_once(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur / 4 > TERMINATOR_MAX)
		return TERMINATOR_MAX;
	return limit.rlim_cur / 4;
}

int terminator_new(struct terminator **ret_terminator)
{
	struct terminator *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (t->epoll < 0) {
		err = errno;
		free(t);
		return -err;
	}
	t->max = most_at_once();
	t->reset = (struct tcp_reset)TCP_RESET_NONE;
	*ret_terminator = t;
	return 0;
}

static void item_free(struct item *item)
{
	smtpd_done(&item->what.smtpd);
	free(item);
}

void terminator_free(struct terminator *terminator)
{
	size_t i;

	if (!terminator)
		return;
	for (i = 0; i < terminator->count; i++)
		item_free(terminator->heap[i]);
	close(terminator->epoll);
	tcp_reset_done(&terminator->reset);
	free(terminator);
}

int terminator_fd(const struct terminator *terminator)
{
	return terminator->epoll;
}

void terminator_skip_ends(struct terminator *terminator)
{
	terminator->skip_ends = true;
}

/* The heap. */

static void heap_place(struct terminator *t, size_t at, struct item *item)
{
	t->heap[at] = item;
	item->at = at;
}

static void heap_up(struct terminator *t, struct item *item)
{
	size_t at = item->at;

	while (at > 0 && t->heap[(at - 1) / 2]->due > item->due) {
		heap_place(t, at, t->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_place(t, at, item);
}

static void heap_down(struct terminator *t, struct item *item)
{
	size_t at = item->at, child;

	for (child = 2 * at + 1; child < t->count; child = 2 * at + 1) {
		if (child + 1 < t->count &&
		    t->heap[child + 1]->due < t->heap[child]->due)
			child++;
		if (t->heap[child]->due >= item->due)
			break;
		heap_place(t, at, t->heap[child]);
		at = child;
	}
	heap_place(t, at, item);
}

static void heap_push(struct terminator *t, struct item *item)
{
	item->at = t->count++;
	heap_up(t, item);
}

static void heap_set_due(struct terminator *t, struct item *item, int64_t due)
{
	item->due = due;
	heap_up(t, item);
	heap_down(t, item);
}

static void heap_remove(struct terminator *t, struct item *item)
{
	struct item *last = t->heap[--t->count];

	if (last == item)
		return;
	heap_place(t, item->at, last);
	heap_up(t, last);
	heap_down(t, last);
}

/* Signal one process. That it has exited is not an error to count. */
static int signal_one(const struct termination *what, const struct pidref *ref, int signal)
{
	int r = pidref_signal(ref, signal);

	if (r == 0 || r == -ESRCH)
		return r;
	counters_add(what->counters, COUNTER_SIGNAL_ERRORS, 1);
	alerts_raise(what->alerts, ALERT_SIGNAL, -r);
	return r;
}

int terminator_signal(struct termination *termination)
{
	struct smtpd *smtpd = &termination->smtpd;
	int r;

	termination->signalled = true;
	r = signal_one(termination, &smtpd->process, termination->signal);
	if (smtpd->tls.fd >= 0)
		signal_one(termination, &smtpd->tls, termination->signal);
	termination->gone = r == -ESRCH;
	termination->refused = r < 0 && r != -ESRCH;
	return r;
}

static void count_gone(const struct termination *what)
{
	if (what->gone)
		counters_add(what->counters, COUNTER_GONE, 1);
}

static struct item **pid_chain(struct terminator *t, pid_t pid)
{
	return &t->by_pid[(unsigned int)pid % PID_CHAINS];
}

static void index_item(struct terminator *t, struct item *item)
{
	struct item **chain = pid_chain(t, item->what.smtpd.process.pid);

	item->next_by_pid = *chain;
	*chain = item;
	item->is_known = true;
}

/* Remove the item from by_pid. */
static void unindex(struct terminator *t, struct item *item)
{
	struct item **link;

	if (!item->is_known)
		return;
	link = pid_chain(t, item->what.smtpd.process.pid);
	while (*link != item)
		link = &(*link)->next_by_pid;
	*link = item->next_by_pid;
	item->is_known = false;
}

/* The PID may have been reused, but not for the same peer. */
bool terminator_has(struct terminator *terminator, const struct smtpd *smtpd,
		    const struct counters *counters)
{
	const struct item *item = *pid_chain(terminator, smtpd->process.pid);

	while (item && (item->what.smtpd.process.pid != smtpd->process.pid ||
			!smtpd_same_peer(&item->what.smtpd.peer, &smtpd->peer) ||
			(counters && item->what.counters != counters)))
		item = item->next_by_pid;
	return item != NULL;
}

/* Returns NULL if there is no room or no memory. */
static struct item *new_item(const struct terminator *t)
{
	return t->count < t->max ? calloc(1, sizeof(struct item)) : NULL;
}

void terminator_signal_only(struct termination *termination)
{
	if (!termination->signalled)
		terminator_signal(termination);
	count_gone(termination);
	if (!termination->gone && !termination->refused)
		counters_add(termination->counters, COUNTER_UNWATCHED, 1);
	smtpd_done(&termination->smtpd);
}

static void start_ending(struct terminator *t, struct item *item, int64_t now);

void terminator_add(struct terminator *terminator,
		    struct termination *termination, int64_t due)
{
	struct item *item = NULL;

	if (!termination->rules || smtpd_may_stay(termination->rules, &termination->smtpd))
		item = new_item(terminator);
	if (!item) {
		terminator_signal_only(termination);
		return;
	}
	item->what = *termination;
	item->what.smtpd = smtpd_take(&termination->smtpd);
	smtpd_forget_held(&item->what.smtpd);
	item->due = due;
	index_item(terminator, item);
	heap_push(terminator, item);
	if (termination->signalled) {
		count_gone(termination);
		start_ending(terminator, item, due);
	} else {
		terminator->pending++;
	}
}

/* Close the item's descriptors. While a process that rsyslogd has just forked shares them, a
 * close does not remove them from the epoll set, so do that explicitly. */
static void release(struct terminator *t, struct item *item)
{
	struct smtpd *smtpd = &item->what.smtpd;

	unindex(t, item);
	if (smtpd->process.fd >= 0)
		(void)epoll_ctl(t->epoll, EPOLL_CTL_DEL, smtpd->process.fd, NULL);
	if (smtpd->tls.fd >= 0)
		(void)epoll_ctl(t->epoll, EPOLL_CTL_DEL, smtpd->tls.fd, NULL);
	smtpd_done(smtpd);
}

static void forget(struct terminator *t, struct item *item)
{
	heap_remove(t, item);
	release(t, item);
	item_free(item);
}

/* Get an event when the process exits. If epoll_ctl() fails, the exit is noticed at the time
 * due. */
static void watch(struct terminator *t, struct item *item, const struct pidref *ref)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLONESHOT,
		.data.ptr = item,
	};

	if (ref->fd >= 0)
		(void)epoll_ctl(t->epoll, EPOLL_CTL_ADD, ref->fd, &ev);
}

static bool has_ended(const struct item *item)
{
	return pidref_check(&item->what.smtpd.process) == -ESRCH &&
	       pidref_check(&item->what.smtpd.tls) == -ESRCH;
}

static struct tcp_reset_ends ends_of(const struct item *item)
{
	const struct smtpd_peer *peer = &item->what.smtpd.peer;

	return (struct tcp_reset_ends){
		.local = peer->local,
		.remote = peer->addr,
		.local_port = peer->local_port,
		.remote_port = peer->port,
		.cookie = item->what.smtpd.cookie,
	};
}

/* Does a process still have the connection open? After the exit of courieresmtpd that can only
 * be an orphaned couriertls of STARTTLS. The kernel answers with two system calls. Returns 1;
 * 0: no, or the item has a couriertls itself; -errno: unknown, for example without a cookie,
 * so search for the process. */
static int is_still_open(struct terminator *t, struct item *item)
{
	const struct tcp_reset_ends ends = ends_of(item);

	if (item->is_orphan_tls || item->what.smtpd.tls.fd >= 0)
		return 0;
	return ends.cookie ? tcp_reset_is_held(&t->reset, &ends) : -ENOENT;
}

/* All processes of the item have exited. Keep the item until the time due, as epoll may still
 * return an event of its second process. */
static void after_end(struct terminator *t, struct item *item, int64_t now)
{
	item->still_open = is_still_open(t, item);
	release(t, item);
	item->stage = STAGE_EXITED;
	heap_set_due(t, item, item->still_open != 0 ? now + TLS_GRACE_MS : now);
}

static void on_end(struct terminator *t, struct item *item, int64_t now)
{
	if (!item->is_orphan_tls && !item->what.gone && !item->what.refused)
		counters_add(item->what.counters, COUNTER_ENDED, 1);
	after_end(t, item, now);
}

static void start_ending(struct terminator *t, struct item *item, int64_t now)
{
	unsigned int kill_after = item->what.kill_after;

	item->stage = STAGE_SIGNALLED;
	watch(t, item, &item->what.smtpd.process);
	watch(t, item, &item->what.smtpd.tls);
	heap_set_due(t, item, now + (kill_after ? kill_after : WATCH_MS));
}

static void signal_waiting(struct terminator *t, struct item *item)
{
	t->pending--;
	terminator_signal(&item->what);
	count_gone(&item->what);
}

/* Has somebody logged in since the session was verified? Returns 1: yes; 0: no, or it has exited;
 * -EAGAIN: not known at this moment. */
static int look_for_login(struct terminator *t, const struct item *item)
{
	const struct termination *what = &item->what;
	struct session_submit submit = { .pid = 0 };
	int r;

	if (!what->spares_login)
		return 0;
	r = session_signs_submit(what->rules, what->smtpd.process.pid, &t->scratch, &submit);
	if (r < 0)
		return smtpd_call_failed(r) ? -EAGAIN : 0;
	if (submit.relays)
		return 1;
	/* Just after a login the submit from before may still be there. */
	return submit.known && session_signs_is_idle(what->rules, what->smtpd.process.pid) != 0 ?
		       0 : -EAGAIN;
}

static void signal_due(struct terminator *t, struct item *item, int64_t now)
{
	int login = look_for_login(t, item);

	if (login > 0) {
		counters_add(item->what.counters, COUNTER_SPARED, 1);
		t->pending--;
		forget(t, item);
		return;
	}
	if (login == -EAGAIN && item->looks++ < LOGIN_LOOKS_MAX) {
		heap_set_due(t, item, now + LOGIN_AGAIN_MS);
		return;
	}
	signal_waiting(t, item);
	if (item->what.gone && has_ended(item))
		on_end(t, item, now);
	else
		start_ending(t, item, now);
}

/* Returns true if the process was alive and SIGKILL was sent. */
static bool kill_one(const struct termination *what, const struct pidref *ref)
{
	return pidref_check(ref) != -ESRCH && signal_one(what, ref, SIGKILL) == 0;
}

static void kill_due(struct terminator *t, struct item *item, int64_t now)
{
	struct smtpd *smtpd = &item->what.smtpd;
	bool killed;

	if (item->what.kill_after == 0) {
		forget(t, item);
		return;
	}
	killed = kill_one(&item->what, &smtpd->process);
	killed = kill_one(&item->what, &smtpd->tls) || killed;
	if (killed) {
		counters_add(item->what.counters, COUNTER_KILLED, 1);
		item->what.refused = false;
	}
	item->stage = STAGE_KILLED;
	heap_set_due(t, item, now + WATCH_MS);
}

/* The orphan has the connection of its courieresmtpd. That one has no cookie if STARTTLS was
 * before the first look: then its standard input was no longer the connection. */
static uint64_t cookie_of_orphan(const struct item *origin, const struct pidref *tls)
{
	const struct smtpd *smtpd = &origin->what.smtpd;
	uint64_t cookie;

	if (smtpd->cookie)
		return smtpd->cookie;
	cookie = smtpd_cookie(origin->what.rules, tls->pid, &smtpd->peer);
	/* If it is still alive, then the cookie is that of its connection. */
	return pidref_check(tls) == 0 ? cookie : 0;
}

/* Signal an orphaned couriertls and, if there is room, watch it. */
static void terminate_orphan_tls(struct terminator *t, const struct item *origin,
				 struct pidref *ref, int64_t now)
{
	struct item *item = new_item(t);

	if (!item) {
		signal_one(&origin->what, ref, origin->what.signal);
		return;
	}
	item->what = origin->what;
	item->what.smtpd = (struct smtpd)SMTPD_NONE;
	item->what.smtpd.peer = origin->what.smtpd.peer;
	item->what.smtpd.process = pidref_take(ref);
	item->what.smtpd.cookie = cookie_of_orphan(origin, &item->what.smtpd.process);
	item->is_orphan_tls = true;
	heap_push(t, item);
	signal_one(&item->what, &item->what.smtpd.process, item->what.signal);
	start_ending(t, item, now);
}

/* No process has the connection open any more: destroy the kernel's socket. */
static void reset(struct terminator *t, const struct item *item)
{
	const struct termination *what = &item->what;
	const struct tcp_reset_ends ends = ends_of(item);
	int r;

	r = tcp_reset_connection(&t->reset, &ends);
	if (r == 0)
		counters_add(what->counters, COUNTER_RESETS, 1);
	else if (r != -ENOENT && r != -ESTALE && r != -EINVAL)
		alerts_raise(what->alerts, ALERT_RESET, -r);
}

static void after_all(struct terminator *t, struct item *item, int64_t now)
{
	if (!item->what.reset || item->what.gone || item->what.refused) {
		forget(t, item);
		return;
	}
	item->stage = STAGE_RESET_DUE;
	heap_set_due(t, item, now + item->what.reset_delay);
}

/* A couriertls shows the ends of its connection, but not its cookie. While the connection of the
 * cookie is open it is the only one with these ends. If that is unknown the client may have
 * connected again from the same port. Then an smtpd serves the new connection, and the
 * couriertls may belong to it, so release it. The old connection no longer exists in that
 * case, and its couriertls exits by itself. */
static int find_orphan_tls(struct terminator *t, const struct item *item, struct pidref *refs)
{
	const struct termination *what = &item->what;
	int n = smtpd_find_orphan_tls(what->rules, &what->smtpd.peer, &t->scratch, refs,
				      ORPHAN_TLS_MAX);

	if (n > 0 && item->still_open < 0 &&
	    smtpd_is_served(what->rules, &what->smtpd.peer, &t->scratch))
		while (n > 0)
			pidref_done(&refs[--n]);
	return n;
}

static void look_for_orphan_tls(struct terminator *t, struct item *item, int64_t now)
{
	struct pidref refs[ORPHAN_TLS_MAX];
	int n = 0, i;

	/* The grace period is over: check again whether the connection is open. */
	if (item->still_open > 0)
		item->still_open = is_still_open(t, item);
	if (item->still_open != 0)
		n = find_orphan_tls(t, item, refs);
	for (i = 0; i < n; i++) {
		terminate_orphan_tls(t, item, &refs[i], now);
		pidref_done(&refs[i]);
	}
	/* The orphan's item continues with the connection. */
	if (n > 0)
		forget(t, item);
	else
		after_all(t, item, now);
}

static void do_due(struct terminator *t, struct item *item, int64_t now)
{
	switch (item->stage) {
	case STAGE_WAITING:
		signal_due(t, item, now);
		break;
	case STAGE_SIGNALLED:
		if (has_ended(item))
			on_end(t, item, now);
		else
			kill_due(t, item, now);
		break;
	case STAGE_KILLED:
		forget(t, item);
		break;
	case STAGE_EXITED:
		look_for_orphan_tls(t, item, now);
		break;
	case STAGE_RESET_DUE:
		reset(t, item);
		forget(t, item);
		break;
	}
}

/* The events are still there, so the background thread's poll(2) will return at once. Without a
 * pause that would use a whole CPU. */
static void pause_after_failure(void)
{
	const struct timespec pause = { .tv_nsec = FAILURE_PAUSE_MS * 1000000L };

	nanosleep(&pause, NULL);
}

/* A process has exited. On port 465 the other one of the two may still be alive. */
static void handle_exit(struct terminator *t, struct item *item, int64_t now)
{
	bool has_pair = item->what.smtpd.tls.fd >= 0;

	if (item->stage < STAGE_EXITED && (!has_pair || has_ended(item)))
		on_end(t, item, now);
}

static void handle_exits(struct terminator *t, int64_t now)
{
	struct epoll_event events[64];
	int n, i;

	do {
		n = epoll_wait(t->epoll, events, 64, 0);
		for (i = 0; i < n; i++)
			handle_exit(t, events[i].data.ptr, now);
	} while (n == 64);
	if (n < 0 && errno != EINTR)
		pause_after_failure();
}

int64_t terminator_run(struct terminator *terminator, int64_t now)
{
	if (!terminator->skip_ends)
		handle_exits(terminator, now);
	terminator->skip_ends = false;
	while (terminator->count > 0 && terminator->heap[0]->due <= now)
		do_due(terminator, terminator->heap[0], now);
	return terminator->count > 0 ? terminator->heap[0]->due :
				       TERMINATOR_NEVER;
}

size_t terminator_pending(const struct terminator *terminator)
{
	return terminator->pending;
}

void terminator_flush(struct terminator *terminator)
{
	size_t i;

	for (i = 0; i < terminator->count; i++) {
		struct item *item = terminator->heap[i];

		/* There is no time to look again: one that may have logged in is spared. */
		if (item->stage != STAGE_WAITING || look_for_login(terminator, item) != 0)
			continue;
		signal_waiting(terminator, item);
		item->stage = STAGE_SIGNALLED;
	}
}
