/* Blocks that were made, on their way to whoever wants to hear of them.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_EVENTS_H
#define SMTPBLOCK_EVENTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/cidr.h"
#include "status/counters.h"

/* More at once are lost, and counted: nobody waits for a slow listener. */
#define EVENTS_MAX 4096

/* A reply as courier logs it has at most 131 characters; BLOCK may be longer. */
#define EVENT_REPLY_SIZE 200
#define EVENT_ZONE_SIZE 64

/* One block. */
struct event {
	void *listener;		/* the engine's environment named it */
	struct counters *counters;	/* of the engine */
	int64_t at;		/* ms since the epoch */
	struct addr addr;	/* the peer */
	struct cidr target;	/* what is blocked for it */
	uint16_t port;		/* the peer's; 0: unknown */
	pid_t pid;		/* the child; 0: none was asked */
	bool dry_run;		/* it would have been */
	bool ends_child;
	const char *list;	/* these three live as long as the engine */
	const char *list_state;	/* what became of the address; NULL: no list */
	const char *trigger;
	unsigned int seconds;	/* banTime */
	char reply[EVENT_REPLY_SIZE];	/* raw, terminated */
	char zone[EVENT_ZONE_SIZE];	/* raw, terminated; "": unknown */
};

struct events;

/* Returns 0; -ENOMEM; -errno (eventfd(2)). The caller owns. */
int events_new(struct events **ret_events);
void events_free(struct events *events);	/* NULL is allowed */

/* Tell of one, which is copied, and count it as told or as lost. Any thread; waits
 * for nothing before events_close(). Returns 0; -ENOSPC: the listener is too slow;
 * -ENOMEM; what events_late_fn says. */
int events_put(struct events *events, const struct event *event);

/* Becomes readable when there are some. */
int events_fd(const struct events *events);

/* Take all there are, in order; valid until the next call. Returns their number.
 * For the listening thread only. */
size_t events_take(struct events *events, const struct event **ret_events);

/* Tells the listener of one that came after the end. Returns 0; -ESHUTDOWN: it is
 * too late for that. */
typedef int events_late_fn(const struct event *event);

/* The listening thread takes no more than are there now. From now on events_put()
 * calls late instead. It may say so again. */
void events_close(struct events *events, events_late_fn *late);

/* It was taken, and the listener could not be told. */
void event_lost(const struct event *event);

/* Longest text of an event: every byte of its texts may take six. */
#define EVENT_TEXT_SIZE (6 * (EVENT_REPLY_SIZE + EVENT_ZONE_SIZE) + 1024)

/* The event as one JSON object without a newline. What a client, a DNSBL or a log
 * line put into it is escaped: the text is printable ASCII. Returns buf. */
char *event_format(const struct event *event, char buf[static EVENT_TEXT_SIZE]);

#endif
