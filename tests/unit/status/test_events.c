/* Events about blocks, on their way to the listener.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/events.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "tests/unit/support.h"

/* The billionth second, and seven milliseconds. */
#define AT 1000000000007

static struct counters counters;

/* Of each point, and what was taken of them. */
static struct events *events;
static const struct event *all;

static void before(void)
{
	counters = (struct counters){ 0 };
	want_int(events_new(&events), 0);
}

static void after(void)
{
	events_free(events);
}

TEST_EACH(before, after)

static struct event blank(const char *addr)
{
	struct event event = {
		.counters = &counters,
		.at = AT,
		.list = "spammer",
		.trigger = "dnsbl",
		.rule = "line",
		.kind = EVENT_BLOCK,
		.seconds = 600,
	};

	want_int(addr_parse(addr, strlen(addr), &event.addr), 0);
	event.target = (struct cidr){ .net = event.addr,
				      .prefix = (uint8_t)addr_bits(&event.addr) };
	return event;
}

TEST(whole_event)
{
	struct event event = blank("192.0.2.7");
	char text[EVENT_TEXT_SIZE];

	event.port = 41703;
	event.pid = 4711;
	event.ends_child = true;
	event.list_state = "renewed";
	strcpy(event.reply, "511 Listed, see https://bl.example/?192.0.2.7");
	strcpy(event.zone, "bl.example");
	want_str(event_format(&event, text),
		 "{\"event\":\"block\",\"time\":\"2001-09-09T01:46:40.007Z\","
		 "\"address\":\"192.0.2.7\",\"list\":\"spammer\","
		 "\"list_state\":\"renewed\",\"seconds\":600,"
		 "\"trigger\":\"dnsbl\",\"rule\":\"line\","
		 "\"reply\":\"511 Listed, see https://bl.example/?192.0.2.7\","
		 "\"zone\":\"bl.example\",\"port\":41703,\"pid\":4711,"
		 "\"child\":\"end\"}");
}

static const struct kind_row {
	const char *label;
	enum event_kind kind;
	bool dry_run;
	const char *want;
} kind_rows[] = {
	{ "a block", EVENT_BLOCK, false, "{\"event\":\"block\"," },
	{ "only the session", EVENT_END, false, "{\"event\":\"end\"," },
	{ "left to a proxy", EVENT_PROXY, false, "{\"event\":\"proxy\"," },
	{ "dry run", EVENT_PROXY, true, "{\"event\":\"would-proxy\"," },
};

TEST_ROWS(kind, kind_rows)
{
	struct event event = blank("192.0.2.7");
	char text[EVENT_TEXT_SIZE];

	event.kind = row->kind;
	event.dry_run = row->dry_run;
	event_format(&event, text);
	text[strlen(row->want)] = '\0';
	want_str(text, row->want);
}

TEST(what_is_not_known)
{
	struct event event = blank("2001:db8::7");
	char text[EVENT_TEXT_SIZE];

	event.target = (struct cidr){ .net = cidr_mask(&event.addr, 64), .prefix = 64 };
	event.dry_run = true;
	want_str(event_format(&event, text),
		 "{\"event\":\"would-block\",\"time\":\"2001-09-09T01:46:40.007Z\","
		 "\"address\":\"2001:db8::7\",\"prefix\":\"2001:db8::/64\","
		 "\"list\":\"spammer\",\"list_state\":null,\"seconds\":600,"
		 "\"trigger\":\"dnsbl\",\"rule\":\"line\","
		 "\"reply\":\"\",\"zone\":null,\"port\":null,\"pid\":null,"
		 "\"child\":\"keep\"}");
}

TEST(foreign_text_is_escaped)
{
	struct event event = blank("192.0.2.7");
	char text[EVENT_TEXT_SIZE];

	strcpy(event.reply, "\"},\\\x01\x1f\x7f\xc3\xb6\xff\n~ ");
	strcpy(event.zone, "a\"b");
	event_format(&event, text);
	want_int(strstr(text, "\"reply\":\"\\\"},\\\\\\u0001\\u001f\\u007f\\u00c3\\u00b6"
			      "\\u00ff\\u000a~ \",\"zone\":\"a\\\"b\",") != NULL, true);
}

/* Six bytes for each is the worst there is; nothing is cut even so. */
TEST(longest_event)
{
	static char list[200];
	struct event event = blank("2001:db8:1111:2222:3333:4444:5555:6666");
	char text[EVENT_TEXT_SIZE];

	memset(list, 'x', sizeof(list) - 1);
	event.list = list;
	event.target.prefix = 127;
	event.port = 65535;
	event.pid = 4194304;
	event.seconds = 31536000;
	memset(event.reply, 0xff, sizeof(event.reply) - 1);
	memset(event.zone, 0x01, sizeof(event.zone) - 1);
	event_format(&event, text);
	want_str(text + strlen(text) - 15, "\"child\":\"keep\"}");
}

static bool is_readable(void)
{
	struct pollfd p = { .fd = events_fd(events), .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

TEST(come_out_as_they_went_in)
{
	struct event event = blank("192.0.2.7");

	want_int(is_readable(), false);
	want_int(events_take(events, &all), 0);
	event.port = 1;
	want_int(events_put(events, &event), 0);
	event.port = 2;
	want_int(events_put(events, &event), 0);
	want_int(is_readable(), true);
	want_int(events_take(events, &all), 2);
	want_int(all[0].port, 1);
	want_int(all[1].port, 2);
	want_int(is_readable(), false);
	want_int(events_put(events, &event), 0);
	want_int(is_readable(), true);
}

TEST(one_too_many_is_refused)
{
	const struct event event = blank("192.0.2.7");
	int i;

	for (i = 0; i < EVENTS_MAX; i++)
		want_int(events_put(events, &event), 0);
	want_int(events_put(events, &event), -ENOSPC);
	want_int(events_take(events, &all), EVENTS_MAX);
	want_int(events_put(events, &event), 0);
}

static struct event come_late;
static int late_result;

static int take_late(const struct event *event)
{
	come_late = *event;
	return late_result;
}

static void want_told(uint64_t told, uint64_t lost)
{
	want_int(counters_get(&counters, COUNTER_EVENTS), told);
	want_int(counters_get(&counters, COUNTER_EVENTS_LOST), lost);
}

/* The listener is asked about events that come later: they are queued, or lost. */
TEST(exit_of_the_tcpd)
{
	struct event event = blank("192.0.2.7");

	want_int(events_put(events, &event), 0);
	want_int(events_put(events, &event), 0);
	events_close(events, take_late);
	event.port = 3;
	want_int(events_put(events, &event), 0);
	want_int(come_late.port, 3);
	late_result = -ESHUTDOWN;
	want_int(events_put(events, &event), -ESHUTDOWN);
	late_result = 0;
	want_told(3, 1);
	want_int(events_take(events, &all), 3);
	events_lose(events, &all[1]);
	want_told(2, 2);
}

/* Nobody takes the rest: it is lost, too. What a full queue has refused was not lost at the end. */
TEST(end)
{
	struct event event = blank("192.0.2.7");
	int i;

	want_int(events_end(events), 0);
	for (i = 0; i <= EVENTS_MAX; i++)
		events_put(events, &event);
	want_told(EVENTS_MAX, 1);
	want_int(events_take(events, &all), EVENTS_MAX);
	events_close(events, take_late);
	late_result = -ESHUTDOWN;
	events_put(events, &event);
	late_result = 0;
	events_put(events, &event);
	events_put(events, &event);
	want_told(EVENTS_MAX + 2, 2);
	want_int(events_end(events), 3);
	want_told(EVENTS_MAX, 4);
}

#define PUTTERS 4
#define EACH 2000

/* Every other one. */
static int take_even(const struct event *event)
{
	return event->port % 2 ? -ESHUTDOWN : 0;
}

static void *put_each(void *data)
{
	struct event event = blank("192.0.2.7");
	int i;

	for (i = 0; i < EACH; i++) {
		event.port = (uint16_t)i;
		events_put(data, &event);
	}
	return NULL;
}

/* Whenever the listener stops: all are counted, and as delivered only those it got. */
TEST(exit_of_one_of_many)
{
	pthread_t threads[PUTTERS];
	size_t got = 0;
	int i;

	for (i = 0; i < PUTTERS; i++)
		want_int(pthread_create(&threads[i], NULL, put_each, events), 0);
	while (got < EACH)
		got += events_take(events, &all);
	/* Again and again, for the thread sanitizer to see it beside the others. */
	for (i = 0; i < 100; i++)
		events_close(events, take_even);
	got += events_take(events, &all);
	for (i = 0; i < PUTTERS; i++)
		pthread_join(threads[i], NULL);
	got += events_take(events, &all);
	want_int(counters_get(&counters, COUNTER_EVENTS) +
		 counters_get(&counters, COUNTER_EVENTS_LOST), PUTTERS * EACH);
	want_int(counters_get(&counters, COUNTER_EVENTS), got);
}

static int open_and_put(void *data)
{
	struct events *own = NULL;
	int r = events_new(&own);

	if (r == 0)
		r = events_put(own, data);
	events_free(own);
	return r;
}

TEST(survives_lack_of_memory)
{
	struct event event = blank("192.0.2.7");

	want_int(memory_fail_each(open_and_put, &event) >= 3, true);
}
