/* Ends children: each at its time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "terminate/terminator.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/tcp_reset.h"

/* After its courieresmtpd has ended, a couriertls of STARTTLS has this long to
 * end by itself. */
#define TLS_GRACE_MS 50
/* How long to see a process end that gets no KILL, or got it. */
#define WATCH_MS 10000
/* A connection has one couriertls; more would be those of an earlier one. */
#define ORPHAN_TLS_MAX 4
/* Between two failed calls of epoll_wait(2). */
#define FAILURE_PAUSE_MS 20

enum stage {
	STAGE_WAITING,	/* to be signalled when due */
	STAGE_ENDING,	/* signalled; killed when due */
	STAGE_KILLED,	/* killed; forgotten when due */
	STAGE_EXITED,	/* gone; when due a couriertls left behind is looked for */
	STAGE_RESET_DUE,	/* nobody is left; when due the connection is reset */
};

struct item {
	struct termination what;
	enum stage stage;
	bool is_orphan_tls;	/* what.child.smtpd is a couriertls left behind */
	int held;		/* STAGE_EXITED: tcp_reset_is_held() */
	int64_t due;
	size_t at;		/* in the heap */
	struct item *next;	/* in the intake */
	bool is_known;		/* is in by_pid.. */
	struct item *next_by_pid;	/* ..and there before this one */
};

/* Chains of those that wait or are ending, by PID. */
#define PID_CHAINS 256

struct terminator {
	int epoll;
	bool skip_ends;		/* in the next run */
	struct tcp_reset reset;
	struct smtpd_scratch scratch;
	struct item *heap[TERMINATOR_MAX];	/* the one due first is heap[0] */
	size_t count;
	pthread_mutex_t lock;	/* all below */
	struct item *intake;	/* handed over, not in the heap yet */
	struct item *by_pid[PID_CHAINS];
	size_t total;		/* intake and heap */
	size_t max;
	size_t pending;		/* in STAGE_WAITING */
};

/* See TERMINATOR_MAX. Two descriptors for each, to be on the safe side. */
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
	pthread_mutex_init(&t->lock, NULL);
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
	struct item *next;
	size_t i;

	if (!terminator)
		return;
	for (i = 0; i < terminator->count; i++)
		item_free(terminator->heap[i]);
	for (; terminator->intake; terminator->intake = next) {
		next = terminator->intake->next;
		item_free(terminator->intake);
	}
	close(terminator->epoll);
	tcp_reset_done(&terminator->reset);
	pthread_mutex_destroy(&terminator->lock);
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

/* One process gets the signal. Gone is as good as ended. */
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
	if (termination->gone)
		counters_add(termination->counters, COUNTER_GONE, 1);
	return r;
}

/* Room for one more, counted. */
static bool reserve(struct terminator *t)
{
	bool room;

	pthread_mutex_lock(&t->lock);
	room = t->total < t->max;
	if (room)
		t->total++;
	pthread_mutex_unlock(&t->lock);
	return room;
}

static struct item **pid_chain(struct terminator *t, pid_t pid)
{
	return &t->by_pid[(unsigned int)pid % PID_CHAINS];
}

static void put_intake(struct terminator *t, struct item *item)
{
	struct item **chain;

	pthread_mutex_lock(&t->lock);
	item->next = t->intake;
	t->intake = item;
	chain = pid_chain(t, item->what.smtpd.process.pid);
	item->next_by_pid = *chain;
	*chain = item;
	item->is_known = true;
	if (item->stage == STAGE_WAITING)
		t->pending++;
	pthread_mutex_unlock(&t->lock);
}

/* Its process has ended, or is not looked after any longer. */
static void unindex(struct terminator *t, struct item *item)
{
	struct item **link;

	if (!item->is_known)
		return;
	pthread_mutex_lock(&t->lock);
	link = pid_chain(t, item->what.smtpd.process.pid);
	while (*link != item)
		link = &(*link)->next_by_pid;
	*link = item->next_by_pid;
	pthread_mutex_unlock(&t->lock);
	item->is_known = false;
}

/* The PID alone could be another process' by now, but that has not the same peer. */
bool terminator_has(struct terminator *terminator, const struct smtpd *smtpd)
{
	const struct item *item;

	pthread_mutex_lock(&terminator->lock);
	item = *pid_chain(terminator, smtpd->process.pid);
	while (item && (item->what.smtpd.process.pid != smtpd->process.pid ||
			!smtpd_same_peer(&item->what.smtpd.peer, &smtpd->peer)))
		item = item->next_by_pid;
	pthread_mutex_unlock(&terminator->lock);
	return item != NULL;
}

static void unreserve(struct terminator *t)
{
	pthread_mutex_lock(&t->lock);
	t->total--;
	pthread_mutex_unlock(&t->lock);
}

/* NULL: there is no room, or no memory. */
static struct item *new_item(struct terminator *t)
{
	struct item *item;

	if (!reserve(t))
		return NULL;
	item = calloc(1, sizeof(*item));
	if (!item)
		unreserve(t);
	return item;
}

/* It cannot be seen to end. */
static void signal_unwatched(struct termination *termination)
{
	if (!termination->signalled)
		terminator_signal(termination);
	if (!termination->gone && !termination->refused)
		counters_add(termination->counters, COUNTER_UNWATCHED, 1);
	smtpd_done(&termination->smtpd);
}

void terminator_add(struct terminator *terminator,
		    struct termination *termination, int64_t due)
{
	struct item *item = NULL;

	if (!termination->rules || smtpd_may_stay(termination->rules, &termination->smtpd))
		item = new_item(terminator);
	if (!item) {
		signal_unwatched(termination);
		return;
	}
	item->what = *termination;
	item->what.smtpd = smtpd_take(&termination->smtpd);
	smtpd_forget_held(&item->what.smtpd);
	item->stage = termination->signalled ? STAGE_ENDING : STAGE_WAITING;
	item->due = due;
	put_intake(terminator, item);
}

/* Close its descriptors. Closing alone would not take them out of the epoll set
 * while a process that rsyslogd has just forked shares them. */
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
	unreserve(t);
}

/* Hear of it when the process ends. An epoll that cannot take it only delays
 * what is done then to the time it is due. */
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

/* A couriertls of STARTTLS has the connection, and its courieresmtpd has not: that is
 * gone, so what holds it now is the one left behind. The kernel knows with two system
 * calls. Without a cookie it cannot be asked, and the process is searched for. */
static int ask_who_is_left(struct terminator *t, struct item *item)
{
	const struct tcp_reset_ends ends = ends_of(item);

	if (item->is_orphan_tls || item->what.smtpd.tls.fd >= 0)
		return 0;
	return ends.cookie ? tcp_reset_is_held(&t->reset, &ends) : -ENOENT;
}

/* It is gone. The item stays until it is due: an event of its second process may be
 * on the way. */
static void after_end(struct terminator *t, struct item *item, int64_t now)
{
	item->held = ask_who_is_left(t, item);
	release(t, item);
	item->stage = STAGE_EXITED;
	heap_set_due(t, item, item->held != 0 ? now + TLS_GRACE_MS : now);
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

	item->stage = STAGE_ENDING;
	watch(t, item, &item->what.smtpd.process);
	watch(t, item, &item->what.smtpd.tls);
	heap_set_due(t, item, now + (kill_after ? kill_after : WATCH_MS));
}

static void count_pending_down(struct terminator *t)
{
	pthread_mutex_lock(&t->lock);
	t->pending--;
	pthread_mutex_unlock(&t->lock);
}

static void signal_due(struct terminator *t, struct item *item, int64_t now)
{
	count_pending_down(t);
	terminator_signal(&item->what);
	if (item->what.gone && has_ended(item))
		on_end(t, item, now);
	else
		start_ending(t, item, now);
}

/* True if it was there to be killed, and was. */
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

/* It has the connection of its courieresmtpd, whose cookie was not to be had if
 * STARTTLS came before the first look. */
static uint64_t cookie_of_left(const struct item *origin, const struct pidref *tls)
{
	const struct smtpd *smtpd = &origin->what.smtpd;
	uint64_t cookie;

	if (smtpd->cookie)
		return smtpd->cookie;
	cookie = smtpd_cookie(origin->what.rules, tls->pid, &smtpd->peer);
	/* Alive by then, it is what was asked. */
	return pidref_check(tls) == 0 ? cookie : 0;
}

/* Signal a couriertls that was left behind and, if there is room, see it end. */
static void end_orphan_tls(struct terminator *t, const struct item *origin, struct pidref *ref,
			   int64_t now)
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
	item->what.smtpd.cookie = cookie_of_left(origin, &item->what.smtpd.process);
	item->is_orphan_tls = true;
	item->at = t->count;
	t->heap[t->count++] = item;
	signal_one(&item->what, &item->what.smtpd.process, item->what.signal);
	start_ending(t, item, now);
}

/* No process holds the connection any more: the kernel's share goes too. */
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

/* A couriertls shows its peer's ends, not whose it is. As long as the connection of the
 * cookie is held it is the only one with those ends. Where that is not known the client
 * may have connected again from the same port: then a courieresmtpd serves it, and what
 * is found may be that one's. The connection that ended cannot be there any more, and its
 * couriertls ends by itself. */
static int find_left_tls(struct terminator *t, const struct item *item, struct pidref *refs)
{
	const struct termination *what = &item->what;
	int n = smtpd_find_orphan_tls(what->rules, &what->smtpd.peer, &t->scratch, refs,
				      ORPHAN_TLS_MAX);

	if (n > 0 && item->held < 0 &&
	    smtpd_is_served(what->rules, &what->smtpd.peer, &t->scratch))
		while (n > 0)
			pidref_done(&refs[--n]);
	return n;
}

static void look_for_orphan_tls(struct terminator *t, struct item *item, int64_t now)
{
	struct pidref refs[ORPHAN_TLS_MAX];
	int n = 0, i;

	/* It has had its time to let go. */
	if (item->held > 0)
		item->held = ask_who_is_left(t, item);
	if (item->held != 0)
		n = find_left_tls(t, item, refs);
	for (i = 0; i < n; i++) {
		end_orphan_tls(t, item, &refs[i], now);
		pidref_done(&refs[i]);
	}
	/* The one left behind holds the connection now. */
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
	case STAGE_ENDING:
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

static void take_intake(struct terminator *t, int64_t now)
{
	struct item *item, *next;

	pthread_mutex_lock(&t->lock);
	item = t->intake;
	t->intake = NULL;
	pthread_mutex_unlock(&t->lock);
	for (; item; item = next) {
		next = item->next;
		item->at = t->count;
		t->heap[t->count++] = item;
		heap_up(t, item);
		if (item->stage == STAGE_ENDING)
			start_ending(t, item, now);
	}
}

/* The events stay, and whoever waits for them is called again at once: that must not take
 * a whole processor. */
static void pause_after_failure(void)
{
	const struct timespec pause = { .tv_nsec = FAILURE_PAUSE_MS * 1000000L };

	nanosleep(&pause, NULL);
}

/* A process has ended: all of a child, or one of the two on port 465. */
static void take_end(struct terminator *t, struct item *item, int64_t now)
{
	bool has_pair = item->what.smtpd.tls.fd >= 0;

	if (item->stage < STAGE_EXITED && (!has_pair || has_ended(item)))
		on_end(t, item, now);
}

static void take_ends(struct terminator *t, int64_t now)
{
	struct epoll_event events[64];
	int n, i;

	do {
		n = epoll_wait(t->epoll, events, 64, 0);
		for (i = 0; i < n; i++)
			take_end(t, events[i].data.ptr, now);
	} while (n == 64);
	if (n < 0 && errno != EINTR)
		pause_after_failure();
}

int64_t terminator_run(struct terminator *terminator, int64_t now)
{
	take_intake(terminator, now);
	if (!terminator->skip_ends)
		take_ends(terminator, now);
	terminator->skip_ends = false;
	while (terminator->count > 0 && terminator->heap[0]->due <= now)
		do_due(terminator, terminator->heap[0], now);
	return terminator->count > 0 ? terminator->heap[0]->due :
				       TERMINATOR_NEVER;
}

size_t terminator_pending(struct terminator *terminator)
{
	size_t pending;

	pthread_mutex_lock(&terminator->lock);
	pending = terminator->pending;
	pthread_mutex_unlock(&terminator->lock);
	return pending;
}

void terminator_flush(struct terminator *terminator)
{
	size_t i;

	take_intake(terminator, 0);
	for (i = 0; i < terminator->count; i++) {
		struct item *item = terminator->heap[i];

		if (item->stage != STAGE_WAITING)
			continue;
		count_pending_down(terminator);
		terminator_signal(&item->what);
		item->stage = STAGE_ENDING;
	}
}
