/* A message as rsyslog's template renders it. The input is the record. It is parsed as that of
 * each of the templates.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/message.h"

/* Fields before the message, as the template has them. */
static unsigned int fields_in(enum message_form form)
{
	return form == MESSAGE_SENDER ? 11 : 7;
}

static void check_within(const char *at, size_t len, const char *record,
			 size_t size)
{
	FUZZ_CHECK(at >= record && at + len <= record + size);
}

/* The start of the nth field; the end of the record if it has fewer. */
static const char *field(const char *record, unsigned int n)
{
	while (n-- > 0) {
		const char *end = strchr(record, '\x1f');

		if (!end)
			return record + strlen(record);
		record = end + 1;
	}
	return record;
}

static bool field_is(const char *record, unsigned int n, const char *text)
{
	const char *at = field(record, n);

	return strncmp(at, text, strlen(text)) == 0 &&
	       (at[strlen(text)] == '\x1f' || at[strlen(text)] == '\0');
}

/* Only inputs that get the sender from the kernel attest it. */
static void check_sender(const struct engine_message *msg, const char *record, size_t size)
{
	bool trusted = field_is(record, 0, "imuxsock") ||
		       field_is(record, 0, "imjournal");

	FUZZ_CHECK(msg->attested_pid >= 0 && msg->hint_pid >= 0);
	if (msg->attested_pid == 0) {
		FUZZ_CHECK(!msg->has_uid && msg->exe_len == 0);
		return;
	}
	FUZZ_CHECK(trusted);
	if (msg->exe_len > 0)
		check_within(msg->exe, msg->exe_len, record, size);
	FUZZ_CHECK(!memchr(msg->exe, '\x1f', msg->exe_len));
}

static void check(enum message_form form, const char *record, size_t size)
{
	const int64_t now = 1700000000;
	struct engine_message msg;

	message_parse(form, record, now, &msg);
	FUZZ_CHECK(msg.severity >= -1 && msg.severity <= 7);
	FUZZ_CHECK(msg.age >= 0 && msg.age <= now);
	check_within(msg.tag, msg.tag_len, record, size);
	check_within(msg.text, msg.text_len, record, size);
	FUZZ_CHECK(!memchr(msg.tag, '\x1f', msg.tag_len));
	/* The message is the rest, including any separators in it. */
	FUZZ_CHECK(msg.text == field(record, fields_in(form)));
	FUZZ_CHECK(msg.text_len == strlen(msg.text));
	FUZZ_CHECK(form == MESSAGE_SENDER || (!msg.has_uid && msg.exe_len == 0));
	check_sender(&msg, record, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *record = fuzz_string(data, size);

	check(MESSAGE_LINE, record, size);
	check(MESSAGE_SENDER, record, size);
	free(record);
	return 0;
}
