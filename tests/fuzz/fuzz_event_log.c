/* Lines of an events file: any text. Also, every event that the module formats can be parsed,
 * whatever text of clients it contains.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/read/event_log.h"

static struct event_log_reader *reader;

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size), i;

	FUZZ_CHECK(len < size);
	for (i = 0; i < len; i++)
		FUZZ_CHECK(text[i] >= ' ' && text[i] < 0x7f);
}

static void check_told(const struct logged_event *logged)
{
	check_text(logged->list, sizeof(logged->list));
	check_text(logged->trigger, sizeof(logged->trigger));
	check_text(logged->reply, sizeof(logged->reply));
	check_text(logged->zone, sizeof(logged->zone));
	FUZZ_CHECK(logged->list[0]);
	FUZZ_CHECK(event_log_covers(logged, &logged->addr));
	FUZZ_CHECK(logged->target.prefix <= addr_bits(&logged->addr));
	FUZZ_CHECK(logged->port >= 0 && logged->port <= UINT16_MAX);
	FUZZ_CHECK(logged->pid >= 0 && logged->seconds >= 0);
}

/* The text becomes the reply and the zone of an event. */
static void check_event(const char *text)
{
	struct event event = {
		.at = 1700000000123,
		.addr = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } },
		.target = { .net = { .family = ADDR_IPV4, .bytes = { 192, 0, 2 } }, .prefix = 24 },
		.port = 41703,
		.pid = 4711,
		.ends_child = true,
		.list = "spammer",
		.trigger = "dnsbl",
		.rule = "line",
		.kind = EVENT_BLOCK,
		.seconds = 600,
	};
	char line[EVENT_TEXT_SIZE];
	struct logged_event logged;

	snprintf(event.reply, sizeof(event.reply), "%s", text);
	snprintf(event.zone, sizeof(event.zone), "%s", text);
	event_format(&event, line);
	FUZZ_CHECK(event_log_parse(reader, line, strlen(line), &logged));
	check_told(&logged);
	FUZZ_CHECK(logged.at == 1700000000 && logged.port == 41703 && logged.pid == 4711);
	FUZZ_CHECK(logged.ends_child && logged.seconds == 600 && logged.target.prefix == 24);
	FUZZ_CHECK((logged.reply[0] == '\0') == (text[0] == '\0'));
	FUZZ_CHECK(!event_log_parse(reader, line, strlen(line) - 1, &logged));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	reader = event_log_reader_new();
	FUZZ_CHECK(reader);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = fuzz_copy(data, size), *text = fuzz_string(data, size);
	struct logged_event logged;

	if (event_log_parse(reader, line, size, &logged))
		check_told(&logged);
	check_event(text);
	free(text);
	free(line);
	return 0;
}
