/* Hands the engine's events to rulesets.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "announce.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "msg.h"
#include "dirty.h"
#include <ruleset.h>
#include "threads.h"

/* mail.notice */
#define PRI (LOG_MAIL | LOG_NOTICE)

/* What came last is handed over within this time when rsyslogd ends. */
#define LAST_MS 100

/* rsyslogd's threads are started without an argument. Set before the thread is
 * there, and not while it is. */
static struct events *announced;

ruleset_t *announce_find(rsconf_t *conf, const char *name, const char **warning)
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

	if (msgConstruct(&msg) != RS_RET_OK)
		return;
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

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
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
static void hand_over_last(struct batch *batch)
{
	int64_t end = now_ms() + LAST_MS;

	do {
		for (; batch->done < batch->count; batch->done++) {
			if (now_ms() >= end)
				return;
			submit(&batch->all[batch->done]);
		}
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
	while (ppoll(&ready, 1, NULL, &open) > 0)
		if (!hand_over_all(&batch))
			break;
	hand_over_last(&batch);
	return RS_RET_OK;
}

int announce_start(struct events *events)
{
	announced = events;
	return thrdCreate(announce, NULL, 0, (uchar *)(uintptr_t)"omsmtpblock") ==
			       RS_RET_OK ?
		       0 :
		       -EAGAIN;
}
