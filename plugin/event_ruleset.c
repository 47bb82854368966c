/* Submits the engine's events to rulesets.
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

/* When rsyslogd ends, spend at most this long on submitting the last events. */
#define LAST_US 100000

/* rsyslogd starts threads without an argument. Set before the thread starts, and not
 * changed while it runs. */
static struct events *announced;

/* What is left of LAST_US when the thread has ended. */
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

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* rsyslogd ends its inputs first, among them the announcing thread; then the main queue's
 * threads, once it is empty; then those of the rulesets' queues. So a thread of the main
 * queue may still submit to the latter. The name is built by runtime/wtp.c and rsconf.c. */
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

/* Submits an event in the thread that made the block. */
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
			if (now_us() >= end)
				return;
			submit(&batch->all[batch->done]);
		}
		take(batch);
	} while (batch->count > 0);
}

static void submit_last(struct batch *batch)
{
	int64_t end = now_us() + LAST_US;

	submit_rest(batch, end);
	atomic_store(&left_us, end - now_us());
	events_close(announced, submit_late);
	submit_rest(batch, end);
}

/* Cleanup handler: the thread ends or was cancelled; events it has not submitted are lost. */
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
		if (!submit_all(&batch))
			break;
	submit_last(&batch);
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
