/* Lines of an events file: any text; and what the module tells is read again,
 * whatever clients wrote into it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/read/told.h"

static struct told_reader *reader;

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size), i;

	FUZZ_CHECK(len < size);
	for (i = 0; i < len; i++)
		FUZZ_CHECK(text[i] >= ' ' && text[i] < 0x7f);
}

static void check_told(const struct told *told)
{
	check_text(told->list, sizeof(told->list));
	check_text(told->trigger, sizeof(told->trigger));
	check_text(told->reply, sizeof(told->reply));
	check_text(told->zone, sizeof(told->zone));
	FUZZ_CHECK(told->list[0]);
	FUZZ_CHECK(told_covers(told, &told->addr));
	FUZZ_CHECK(told->target.prefix <= addr_bits(&told->addr));
	FUZZ_CHECK(told->port >= 0 && told->port <= UINT16_MAX);
	FUZZ_CHECK(told->pid >= 0 && told->seconds >= 0);
}

/* The text is the reply and the zone of an event. */
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
		.seconds = 600,
	};
	char line[EVENT_TEXT_SIZE];
	struct told told;

	snprintf(event.reply, sizeof(event.reply), "%s", text);
	snprintf(event.zone, sizeof(event.zone), "%s", text);
	event_format(&event, line);
	FUZZ_CHECK(told_parse(reader, line, strlen(line), &told));
	check_told(&told);
	FUZZ_CHECK(told.at == 1700000000 && told.port == 41703 && told.pid == 4711);
	FUZZ_CHECK(told.ends_child && told.seconds == 600 && told.target.prefix == 24);
	FUZZ_CHECK((told.reply[0] == '\0') == (text[0] == '\0'));
	FUZZ_CHECK(!told_parse(reader, line, strlen(line) - 1, &told));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	reader = told_reader_new();
	FUZZ_CHECK(reader);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = fuzz_copy(data, size), *text = fuzz_string(data, size);
	struct told told;

	if (told_parse(reader, line, size, &told))
		check_told(&told);
	check_event(text);
	free(text);
	free(line);
	return 0;
}
