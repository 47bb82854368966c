/* Events: blocks, on their way to the ruleset that listens.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/batch_queue.h"

struct events {
	struct batch_queue *queue;
	int fd;
	/* Set before the queue is closed, read afterwards. If the listening thread is
	 * cancelled while it ends, it is set again. */
	events_late_fn *_Atomic late;
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
	int r;

	r = batch_queue_put(events->queue, event, &first);
	if (r == -ESHUTDOWN)
		r = atomic_load(&events->late)(event);
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
	batch_queue_close(events->queue);
}

void event_lost(const struct event *event)
{
	counters_take_back(event->counters, COUNTER_EVENTS, 1);
	counters_add(event->counters, COUNTER_EVENTS_LOST, 1);
}

/* Appends to a buffer that is known to be large enough. */
struct writer {
	char *at;
	size_t left;
};

static void append(struct writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append(struct writer *w, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w->at, w->left, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < w->left) {
		w->at += n;
		w->left -= (size_t)n;
	}
}

/* A JSON string (RFC 8259 7). A byte beyond ASCII need not be part of a valid character: it
 * is written as the character with that number. */
static void append_text(struct writer *w, const char *text)
{
	const unsigned char *p;

	append(w, "\"");
	for (p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			append(w, "\\%c", *p);
		else if (*p < ' ' || *p > '~')
			append(w, "\\u%04x", *p);
		else
			append(w, "%c", *p);
	}
	append(w, "\"");
}

/* text may be NULL. */
static void append_word(struct writer *w, const char *name, const char *text)
{
	append(w, ",\"%s\":", name);
	if (text)
		append_text(w, text);
	else
		append(w, "null");
}

static void append_time(struct writer *w, int64_t at)
{
	time_t seconds = (time_t)(at / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	append(w, "\"%s.%03dZ\"", text, (int)(at % 1000));
}

static void append_number(struct writer *w, const char *name, int64_t number)
{
	if (number)
		append(w, ",\"%s\":%" PRId64, name, number);
	else
		append(w, ",\"%s\":null", name);
}

static void append_target(struct writer *w, const struct event *event)
{
	char text[ADDR_TEXT_SIZE], prefix[CIDR_TEXT_SIZE];

	append(w, ",\"address\":\"%s\"", addr_format(&event->addr, text));
	if (event->target.prefix < addr_bits(&event->addr))
		append(w, ",\"prefix\":\"%s\"",
		       cidr_format(&event->target, prefix));
}

char *event_format(const struct event *event, char buf[static EVENT_TEXT_SIZE])
{
	struct writer w = { .at = buf, .left = EVENT_TEXT_SIZE };

	append(&w, "{\"event\":\"%s\",\"time\":",
	       event->dry_run ? "would-block" : "block");
	append_time(&w, event->at);
	append_target(&w, event);
	append(&w, ",\"list\":");
	append_text(&w, event->list);
	append_word(&w, "list_state", event->list_state);
	append(&w, ",\"seconds\":%u,\"trigger\":\"%s\",\"reply\":", event->seconds,
	       event->trigger);
	append_text(&w, event->reply);
	append_word(&w, "zone", event->zone[0] ? event->zone : NULL);
	append_number(&w, "port", event->port);
	append_number(&w, "pid", event->pid);
	append(&w, ",\"child\":\"%s\"}", event->ends_child ? "end" : "keep");
	return buf;
}
