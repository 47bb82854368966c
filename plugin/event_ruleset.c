/* Hands the engine's events to rulesets.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/event_ruleset.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "msg.h"
#include "dirty.h"
#include <queue.h>
#include <ruleset.h>
#include "threads.h"

/* mail.notice */
#define PRI (LOG_MAIL | LOG_NOTICE)

/* What came last is handed over within this time when rsyslogd ends. */
#define LAST_US 100000

/* rsyslogd's threads are started without an argument. Set before the thread is
 * there, and not while it is. */
static struct events *announced;

/* What is left of it when the thread has ended. */
static atomic_int_least64_t left_us;

ruleset_t *event_ruleset_find(rsconf_t *conf, const char *name, const char **warning)
{
	ruleset_t *ruleset = NULL;

	if (rulesetGetRuleset(conf, &ruleset, (uchar *)(uintptr_t)name) !=
	    RS_RET_OK)
		return NULL;
	if (warning)
		*warning = ruleset->pQueue ?
				   NULL :
				   "has no queue of its own, so that what is slow "
				   "in it delays the log: write queue.type="
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

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* rsyslogd ends its inputs first, the announcing thread among them; then the threads
 * of the main queue, once it is empty; then those of the rulesets' queues. So
 * whoever is one of the main queue's may still submit to these. The name is how
 * runtime/wtp.c and rsconf.c put it together. */
static bool is_of_main_queue(void)
{
	char name[16];

	return pthread_getname_np(pthread_self(), name, sizeof(name)) == 0 &&
	       strcmp(name, "rs:main Q:Reg") == 0;
}

/* Into one of its own nothing has to wait: at the end what does not fit is dropped.
 * With a direct queue this thread would run the ruleset. */
static bool takes_late_ones(const ruleset_t *ruleset)
{
	return ruleset->pQueue && ruleset->pQueue->qType != QUEUETYPE_DIRECT;
}

/* Handed over by the thread that made the block. */
static int submit_late(const struct event *event)
{
	int64_t began;

	if (atomic_load(&left_us) <= 0 || !is_of_main_queue() ||
	    !takes_late_ones(event->listener))
		return -ESHUTDOWN;
	began = now_us();
	submit(event);
	atomic_fetch_sub(&left_us, now_us() - began);
	return 0;
}

/* The signal that ends an input. It is blocked but for ppoll(). */
static bool is_to_end(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGTTIN) == 1;
}

/* What was taken, and how much of it is handed over. */
struct batch {
	const struct event *all;
	size_t count, done;
};

static void take(struct batch *batch)
{
	batch->count = events_take(announced, &batch->all);
	batch->done = 0;
}

/* Returns false when it is time to end; then some may be left. */
static bool hand_over_all(struct batch *batch)
{
	for (take(batch); batch->done < batch->count; batch->done++) {
		if (is_to_end())
			return false;
		submit(&batch->all[batch->done]);
	}
	return true;
}

/* What is left of the batch, and what came since. */
static void hand_over_rest(struct batch *batch, int64_t end)
{
	do {
		for (; batch->done < batch->count; batch->done++) {
			if (now_us() >= end)
				return;
			submit(&batch->all[batch->done]);
		}
		take(batch);
	} while (batch->count > 0);
}

static void hand_over_last(struct batch *batch)
{
	int64_t end = now_us() + LAST_US;

	hand_over_rest(batch, end);
	atomic_store(&left_us, end - now_us());
	events_close(announced, submit_late);
	hand_over_rest(batch, end);
}

/* The thread ends, or was cancelled: what it did not hand over is lost. */
static void lose_rest(void *data)
{
	struct batch *batch = data;

	events_close(announced, submit_late);
	do {
		for (; batch->done < batch->count; batch->done++)
			event_lost(&batch->all[batch->done]);
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
		if (!hand_over_all(&batch))
			break;
	hand_over_last(&batch);
	pthread_cleanup_pop(1);
	return RS_RET_OK;
}

int event_ruleset_start(struct events *events)
{
	announced = events;
	return thrdCreate(announce, NULL, 0, (uchar *)(uintptr_t)"omsmtpblock") ==
			       RS_RET_OK ?
		       0 :
		       -EAGAIN;
}
