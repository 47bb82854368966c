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

/* When rsyslogd ends, spend at most this long on submitting the last events, and then wait at
 * most this long for the next one from the background thread, but not longer than that. */
#define LAST_US 100000
#define LATE_US 500000

/* rsyslogd starts threads without an argument. Set before the thread starts, and not
 * changed while it runs. */
static struct events *announced;

/* What is left of LAST_US when the thread has ended; 0: it has not. */
static atomic_int_least64_t left_us;

/* After that one of the main queue's threads takes the events. */
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

static void submit(const struct event *event)
{
	char text[EVENT_TEXT_SIZE], host[HOST_NAME_MAX + 1] = "";
	smsg_t *msg;

	if (msgConstruct(&msg) != RS_RET_OK) {
		event_lost(event);
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
	MsgSetRuleset(msg, event->listener);
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

/* Submitting to a queue of the ruleset's own never blocks: at shutdown messages that do not
 * fit are dropped. With a direct queue this thread would run the ruleset itself. */
static bool takes_late_ones(const ruleset_t *ruleset)
{
	return ruleset->pQueue && ruleset->pQueue->qType != QUEUETYPE_DIRECT;
}

/* In the background thread, after events_close(). */
static int take_late(const struct event *event)
{
	return atomic_load(&left_us) > 0 && takes_late_ones(event->listener) ? 0 : -ESHUTDOWN;
}

static void submit_late(void)
{
	const struct event *events;
	size_t n = events_take(announced, &events), i;

	for (i = 0; i < n; i++)
		submit(&events[i]);
}

static bool has_late(void)
{
	struct pollfd ready = { .fd = events_fd(announced), .events = POLLIN };

	return poll(&ready, 1, 0) > 0;
}

/* Until the background thread is done, or takes too long. */
static void submit_while_busy(const struct engine *engine)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	int64_t began = clock_us(), last = began, now;
	bool busy;

	do {
		busy = engine_is_busy(engine);
		now = clock_us();
		if (has_late()) {
			submit_late();
			last = now;
		} else if (busy) {
			nanosleep(&pause, NULL);
		}
	} while (busy && now - last < LAST_US && now - began < LATE_US);
	if (busy)
		atomic_store(&left_us, 0);
}

/* If another thread is at it, that one goes on until there are no more. */
void event_ruleset_end_worker(const struct engine *engine)
{
	int cancel;

	if (!is_of_main_queue())
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	while (atomic_load(&left_us) > 0 && (engine_is_busy(engine) || has_late()) &&
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

/* Submit the rest of the batch, and events that came since. */
static void submit_rest(struct batch *batch, int64_t end)
{
	do {
		for (; batch->done < batch->count; batch->done++) {
			if (clock_us() >= end)
				return;
			submit(&batch->all[batch->done]);
		}
		take(batch);
	} while (batch->count > 0);
}

/* The main queue's threads take what comes after this. */
static void submit_last(struct batch *batch)
{
	int64_t end = clock_us() + LAST_US;

	submit_rest(batch, end);
	atomic_store(&left_us, end - clock_us());
	events_close(announced, take_late);
}

/* Cleanup handler: the thread ends or was cancelled. Events that it has taken and not
 * submitted are lost, and if there is no time left the others, too. */
static void lose_rest(void *data)
{
	struct batch *batch = data;

	events_close(announced, take_late);
	do {
		for (; batch->done < batch->count; batch->done++)
			event_lost(&batch->all[batch->done]);
		batch->count = batch->done = 0;
		if (atomic_load(&left_us) <= 0)
			take(batch);
	} while (batch->count > 0);
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
	atomic_store(&left_us, 0);
	return thrdCreate(announce, NULL, 0, (uchar *)(uintptr_t)"omsmtpblock") ==
			       RS_RET_OK ?
		       0 :
		       -EAGAIN;
}
