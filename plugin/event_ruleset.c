/* Submits the engine's events to rulesets.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/event_ruleset.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "msg.h"
#include "dirty.h"
#include <queue.h>
#include <ruleset.h>
#include "threads.h"

#include "lib/clock.h"

/* mail.notice */
#define PRI (LOG_MAIL | LOG_NOTICE)

/* When rsyslogd ends, spend at most this long on submitting the last events to rulesets that the
 * submitting thread itself runs. */
#define DIRECT_US 100000
/* Then wait for the events of the last lines, as long as the background thread handles requests:
 * at most this long for the next one, and this long for all. */
#define STUCK_US 500000
#define LATE_US 1000000

/* rsyslogd starts threads without an argument. Set before the thread starts, and not
 * changed while it runs. */
static struct events *announced;

/* The thread has ended, and one of the main queue's threads takes the events that still come. */
static atomic_bool takes_late;

/* One of them is at it. */
static atomic_bool submitting;

ruleset_t *event_ruleset_find(rsconf_t *conf, const char *name, const char **warning)
{
	ruleset_t *ruleset = NULL;

	if (rulesetGetRuleset(conf, &ruleset, (uchar *)(uintptr_t)name) !=
	    RS_RET_OK)
		return NULL;
	if (warning)
		*warning = ruleset->pQueue ?
				   NULL :
				   "has no queue of its own, so a slow action in "
				   "it delays the log: write queue.type="
				   "\"linkedList\" queue.timeoutEnqueue=\"300\" into "
				   "the ruleset";
	return ruleset;
}

/* Submitting to a ruleset with a queue of its own does not wait: at shutdown rsyslog drops what
 * does not fit. With a direct queue the thread runs the ruleset itself. */
struct event_listener event_listener_of(ruleset_t *ruleset)
{
	return (struct event_listener){
		.ruleset = ruleset,
		.has_queue = ruleset->pQueue && ruleset->pQueue->qType != QUEUETYPE_DIRECT,
	};
}

static const struct event_listener *listener_of(const struct event *event)
{
	return event->listener;
}

static void submit(const struct event *event)
{
	char text[EVENT_TEXT_SIZE], host[HOST_NAME_MAX + 1] = "";
	smsg_t *msg;

	if (msgConstruct(&msg) != RS_RET_OK) {
		events_lose(announced, event);
		return;
	}
	event_format(event, text);
	(void)gethostname(host, sizeof(host) - 1);
	MsgSetRawMsg(msg, text, strlen(text));
	MsgSetMSGoffs(msg, 0);
	MsgSetTAG(msg, (const uchar *)"omsmtpblock:", strlen("omsmtpblock:"));
	MsgSetHOSTNAME(msg, (const uchar *)host, (int)strlen(host));
	msgSetPRI(msg, PRI);
	MsgSetFlowControlType(msg, eFLOWCTL_NO_DELAY);
	MsgSetRuleset(msg, listener_of(event)->ruleset);
	submitMsg2(msg);
}

/* rsyslogd ends its inputs first, among them the announcing thread; then the main queue's
 * threads, once it is empty; then those of the rulesets' queues. So a thread of the main
 * queue may still submit to the latter, until it has ended. The name is built by
 * runtime/wtp.c and rsconf.c. */
static bool is_of_main_queue(void)
{
	char name[16];

	return pthread_getname_np(pthread_self(), name, sizeof(name)) == 0 &&
	       strcmp(name, "rs:main Q:Reg") == 0;
}

/* In the background thread, after events_close(). The ruleset may be gone. */
static int take_late(const struct event *event)
{
	return atomic_load(&takes_late) && listener_of(event)->has_queue ? 0 : -ESHUTDOWN;
}

static void submit_late(void)
{
	const struct event *events;
	size_t n = events_take(announced, &events), i;

	for (i = 0; i < n; i++)
		if (listener_of(&events[i])->has_queue)
			submit(&events[i]);
		else
			events_lose(announced, &events[i]);
}

static bool has_late(void)
{
	struct pollfd ready = { .fd = events_fd(announced), .events = POLLIN };

	return poll(&ready, 1, 0) > 0;
}

/* Until the background thread is done, or stands still. */
static void submit_while_busy(const struct engine *engine)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	int64_t began = clock_us(), last = began, now;
	size_t before = 0, left;

	do {
		left = engine_left(engine);
		now = clock_us();
		if (left != before)
			last = now;
		before = left;
		if (has_late())
			submit_late();
		else if (left > 0)
			nanosleep(&pause, NULL);
	} while (left > 0 && now - last < STUCK_US && now - began < LATE_US);
	if (left > 0)
		atomic_store(&takes_late, false);
}

/* If another thread is at it, that one goes on until there are no more. */
void event_ruleset_end_worker(const struct engine *engine)
{
	int cancel;

	if (!is_of_main_queue())
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	while (atomic_load(&takes_late) && (engine_left(engine) > 0 || has_late()) &&
	       !atomic_exchange(&submitting, true)) {
		submit_while_busy(engine);
		atomic_store(&submitting, false);
	}
	pthread_setcancelstate(cancel, NULL);
}

/* Is SIGTTIN, which ends an input, pending? It is blocked except in ppoll(). */
static bool must_end(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGTTIN) == 1;
}

/* Events that were taken, and how many of them were submitted. */
struct batch {
	const struct event *all;
	size_t count, done;
};

static void take(struct batch *batch)
{
	batch->count = events_take(announced, &batch->all);
	batch->done = 0;
}

/* Returns false if the thread is to end; some events may be left then. */
static bool submit_all(struct batch *batch)
{
	for (take(batch); batch->done < batch->count; batch->done++) {
		if (must_end())
			return false;
		submit(&batch->all[batch->done]);
	}
	return true;
}

/* rsyslogd cancels the thread if it has not ended after a second: not in the middle of this. */
static void submit_whole(const struct event *event)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	submit(event);
	pthread_setcancelstate(cancel, NULL);
}

/* Submit the rest of the batch: to rulesets of this thread only before end. */
static void submit_rest(struct batch *batch, int64_t end)
{
	while (batch->done < batch->count) {
		const struct event *event = &batch->all[batch->done];

		if (listener_of(event)->has_queue)
			submit_whole(event);
		else if (clock_us() < end)
			submit(event);
		else
			events_lose(announced, event);
		batch->done++;
		pthread_testcancel();
	}
}

/* Submit what has come so far. The main queue's threads take what comes after this. */
static void submit_last(struct batch *batch)
{
	int64_t end = clock_us() + DIRECT_US;

	submit_rest(batch, end);
	take(batch);
	submit_rest(batch, end);
	atomic_store(&takes_late, true);
	events_close(announced, take_late);
}

/* Cleanup handler: the thread has ended, or was cancelled, and then events that it has taken may
 * be left. */
static void lose_rest(void *data)
{
	struct batch *batch = data;

	events_close(announced, take_late);
	for (; batch->done < batch->count; batch->done++)
		events_lose(announced, &batch->all[batch->done]);
}

static rsRetVal announce(thrdInfo_t *thread)
{
	struct pollfd ready = { .fd = events_fd(announced), .events = POLLIN };
	struct batch batch = { .count = 0 };
	sigset_t ending, open;

	(void)thread;
	sigemptyset(&ending);
	sigaddset(&ending, SIGTTIN);
	pthread_sigmask(SIG_BLOCK, &ending, &open);
	pthread_cleanup_push(lose_rest, &batch);
	while (ppoll(&ready, 1, NULL, &open) > 0)
		if (!submit_all(&batch))
			break;
	submit_last(&batch);
	pthread_cleanup_pop(1);
	return RS_RET_OK;
}

int event_ruleset_start(struct events *events)
{
	announced = events;
	atomic_store(&takes_late, false);
	return thrdCreate(announce, NULL, 0, (uchar *)(uintptr_t)"omsmtpblock") ==
			       RS_RET_OK ?
		       0 :
		       -EAGAIN;
}
