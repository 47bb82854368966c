/* Events: blocks, on their way to the ruleset that listens.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/batch_queue.h"
#include "lib/text.h"

struct events {
	struct batch_queue *queue;
	int fd;
	events_late_fn *_Atomic late;	/* NULL before events_close() */
	atomic_size_t lost;		/* other than by a full queue */
};

int events_new(struct events **ret_events)
{
	struct events *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = e->fd < 0 ? -errno :
			batch_queue_new(sizeof(struct event), EVENTS_MAX, &e->queue);
	if (r < 0) {
		events_free(e);
		return r;
	}
	*ret_events = e;
	return 0;
}

void events_free(struct events *events)
{
	if (!events)
		return;
	if (events->fd >= 0)
		close(events->fd);
	batch_queue_free(events->queue);
	free(events);
}

static void wake_listener(const struct events *e)
{
	const uint64_t one = 1;

	while (write(e->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

int events_put(struct events *events, const struct event *event)
{
	bool first = false;
	events_late_fn *late = atomic_load(&events->late);
	int r = late ? late(event) : 0;

	if (r == 0)
		r = batch_queue_put(events->queue, event, &first);
	else
		atomic_fetch_add(&events->lost, 1);
	counters_add(event->counters,
		     r < 0 ? COUNTER_EVENTS_LOST : COUNTER_EVENTS, 1);
	if (first)
		wake_listener(events);
	return r;
}

int events_fd(const struct events *events)
{
	return events->fd;
}

size_t events_take(struct events *events, const struct event **ret_events)
{
	const void *items;
	uint64_t count;
	size_t n;

	while (read(events->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	n = batch_queue_take(events->queue, &items);
	*ret_events = items;
	return n;
}

void events_close(struct events *events, events_late_fn *late)
{
	atomic_store(&events->late, late);
}

void events_lose(struct events *events, const struct event *event)
{
	counters_take_back(event->counters, COUNTER_EVENTS, 1);
	counters_add(event->counters, COUNTER_EVENTS_LOST, 1);
	atomic_fetch_add(&events->lost, 1);
}

size_t events_end(struct events *events)
{
	const struct event *left;
	size_t n = events_take(events, &left), i;

	for (i = 0; i < n; i++)
		events_lose(events, &left[i]);
	return atomic_load(&events->lost);
}

/* A JSON string (RFC 8259 7). A byte beyond ASCII need not be part of a valid character: it
 * is written as the character with that number. */
static void append_string(struct text_buf *w, const char *text)
{
	const unsigned char *p;

	text_append(w, "\"");
	for (p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			text_append(w, "\\%c", *p);
		else if (*p < ' ' || *p > '~')
			text_append(w, "\\u%04x", *p);
		else
			text_append(w, "%c", *p);
	}
	text_append(w, "\"");
}

/* text may be NULL. */
static void append_word(struct text_buf *w, const char *name, const char *text)
{
	text_append(w, ",\"%s\":", name);
	if (text)
		append_string(w, text);
	else
		text_append(w, "null");
}

static void append_time(struct text_buf *w, int64_t at)
{
	time_t seconds = (time_t)(at / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	text_append(w, "\"%s.%03dZ\"", text, (int)(at % 1000));
}

static void append_number(struct text_buf *w, const char *name, int64_t number)
{
	if (number)
		text_append(w, ",\"%s\":%" PRId64, name, number);
	else
		text_append(w, ",\"%s\":null", name);
}

static void append_target(struct text_buf *w, const struct event *event)
{
	char text[ADDR_TEXT_SIZE], prefix[CIDR_TEXT_SIZE];

	text_append(w, ",\"address\":\"%s\"", addr_format(&event->addr, text));
	if (event->target.prefix < addr_bits(&event->addr))
		text_append(w, ",\"prefix\":\"%s\"",
			    cidr_format(&event->target, prefix));
}

char *event_format(const struct event *event, char buf[static EVENT_TEXT_SIZE])
{
	static const char *const kinds[] = {
		[EVENT_BLOCK] = "block",
		[EVENT_END] = "end",
		[EVENT_PROXY] = "proxy",
	};
	struct text_buf w = text_buf_of(buf, EVENT_TEXT_SIZE);

	text_append(&w, "{\"event\":\"%s%s\",\"time\":", event->dry_run ? "would-" : "",
		    kinds[event->kind]);
	append_time(&w, event->at);
	append_target(&w, event);
	text_append(&w, ",\"list\":");
	append_string(&w, event->list);
	append_word(&w, "list_state", event->list_state);
	text_append(&w, ",\"seconds\":%u,\"trigger\":\"%s\",\"rule\":\"%s\",\"reply\":",
		    event->seconds, event->trigger, event->rule);
	append_string(&w, event->reply);
	append_word(&w, "zone", event->zone[0] ? event->zone : NULL);
	append_number(&w, "port", event->port);
	append_number(&w, "pid", event->pid);
	text_append(&w, ",\"child\":\"%s\"}", event->ends_child ? "end" : "keep");
	return buf;
}
