/* Blocks that were made, on their way to whoever wants to hear of them.
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
	/* Set before the bag is closed, read after that; a thread that is cancelled at
	 * its end closes it again. */
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

/* Writes on behind what a buffer has, which is known to be large enough. */
struct writer {
	char *at;
	size_t left;
};

static void say(struct writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct writer *w, const char *format, ...)
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

/* A JSON string (RFC 8259 7). A byte beyond ASCII may be part of no character at
 * all: it is written as the one of that number. */
static void say_text(struct writer *w, const char *text)
{
	const unsigned char *p;

	say(w, "\"");
	for (p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			say(w, "\\%c", *p);
		else if (*p < ' ' || *p > '~')
			say(w, "\\u%04x", *p);
		else
			say(w, "%c", *p);
	}
	say(w, "\"");
}

/* NULL: there is none. */
static void say_word(struct writer *w, const char *name, const char *text)
{
	say(w, ",\"%s\":", name);
	if (text)
		say_text(w, text);
	else
		say(w, "null");
}

static void say_time(struct writer *w, int64_t at)
{
	time_t seconds = (time_t)(at / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	say(w, "\"%s.%03dZ\"", text, (int)(at % 1000));
}

static void say_number(struct writer *w, const char *name, int64_t number)
{
	if (number)
		say(w, ",\"%s\":%" PRId64, name, number);
	else
		say(w, ",\"%s\":null", name);
}

static void say_target(struct writer *w, const struct event *event)
{
	char text[ADDR_TEXT_SIZE], prefix[CIDR_TEXT_SIZE];

	say(w, ",\"address\":\"%s\"", addr_format(&event->addr, text));
	if (event->target.prefix < addr_bits(&event->addr))
		say(w, ",\"prefix\":\"%s\"",
		    cidr_format(&event->target, prefix));
}

char *event_format(const struct event *event, char buf[static EVENT_TEXT_SIZE])
{
	struct writer w = { .at = buf, .left = EVENT_TEXT_SIZE };

	say(&w, "{\"event\":\"%s\",\"time\":",
	    event->dry_run ? "would-block" : "block");
	say_time(&w, event->at);
	say_target(&w, event);
	say(&w, ",\"list\":");
	say_text(&w, event->list);
	say_word(&w, "list_state", event->list_state);
	say(&w, ",\"seconds\":%u,\"trigger\":\"%s\",\"reply\":", event->seconds,
	    event->trigger);
	say_text(&w, event->reply);
	say_word(&w, "zone", event->zone[0] ? event->zone : NULL);
	say_number(&w, "port", event->port);
	say_number(&w, "pid", event->pid);
	say(&w, ",\"child\":\"%s\"}", event->ends_child ? "end" : "keep");
	return buf;
}
