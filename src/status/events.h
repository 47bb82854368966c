/* Events: blocks, on their way to the ruleset that listens.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_EVENTS_H
#define SMTPBLOCK_EVENTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/cidr.h"
#include "status/counters.h"

/* Further events are lost and counted: nothing waits for a slow listener. */
#define EVENTS_MAX 4096

/* A reply in courier's log has at most 131 characters; BLOCK may be longer. */
#define EVENT_REPLY_SIZE 200
#define EVENT_ZONE_SIZE 64

enum event_kind {
	EVENT_BLOCK,
	EVENT_END,		/* only the session is terminated */
	EVENT_PROXY,		/* the block is left to the proxy that the client came through */
};

/* One block, or what was done instead. */
struct event {
	void *listener;		/* from the engine's environment */
	struct counters *counters;	/* of the engine */
	int64_t at;		/* ms since the epoch */
	struct addr addr;	/* the peer */
	struct cidr target;	/* the prefix that is blocked */
	uint16_t port;		/* the peer's; 0: unknown */
	pid_t pid;		/* the smtpd's; 0: unknown */
	bool dry_run;		/* only would have been done */
	bool ends_child;
	const char *list;	/* these three are valid as long as the engine */
	const char *list_state;	/* what happened to the address; NULL: no list */
	const char *trigger;
	const char *rule;	/* of policy_rule_word() */
	enum event_kind kind;
	unsigned int seconds;	/* the block's */
	char reply[EVENT_REPLY_SIZE];	/* raw, terminated */
	char zone[EVENT_ZONE_SIZE];	/* raw, terminated; "": unknown */
};

struct events;

/* Returns 0; -ENOMEM; -errno (eventfd(2)). The caller owns. */
int events_new(struct events **ret_events);
void events_free(struct events *events);	/* NULL is allowed */

/* Queue an event, which is copied, and count it as delivered or lost. Any thread; does not
 * wait. Returns 0; -ENOSPC: EVENTS_MAX are queued; what events_late_fn returns. */
int events_put(struct events *events, const struct event *event);

/* Readable while there are events. */
int events_fd(const struct events *events);

/* Take all events, in order; valid until the next call. Returns their number. For the
 * listening thread only. */
size_t events_take(struct events *events, const struct event **ret_events);

/* May an event still be queued that comes after events_close()? Returns 0; -ESHUTDOWN: it is
 * too late. */
typedef int events_late_fn(const struct event *event);

/* The listening thread ends. From now on events_put() asks late first. May be called
 * again. */
void events_close(struct events *events, events_late_fn *late);

/* Count an event as lost that was taken but could not be delivered. For the listening thread
 * only. */
void events_lose(struct events *events, const struct event *event);

/* No thread takes or puts events any more: count those that are left as lost. Returns the number
 * of all that were lost because of the end: these, and those of events_lose() and
 * events_late_fn. */
size_t events_end(struct events *events);

/* Longest text of an event: each byte of its texts may take six. */
#define EVENT_TEXT_SIZE (6 * (EVENT_REPLY_SIZE + EVENT_ZONE_SIZE) + 1024)

/* The event as one JSON object, without a newline. Texts from a client, a DNSBL or a log
 * line are escaped: the result is printable ASCII. Returns buf. */
char *event_format(const struct event *event, char buf[static EVENT_TEXT_SIZE]);

#endif
