/* Courier's lines: any text, any severity.
 * Input: a byte for the severity, a byte for the length of a BLOCK text, that
 * text, and the line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/courierlog_rules.h"

/* Blanks around a line and a newline at its end change nothing. */
static void check_trimming(const struct courierlog_line *line, int severity,
			   const char *msg, size_t len)
{
	char *wider = malloc(len + 4);
	struct courierlog_line again;

	FUZZ_CHECK(wider);
	wider[0] = ' ';
	memcpy(wider + 1, msg, len);
	memcpy(wider + 1 + len, " \n", 2);
	courierlog_scan(wider, len + 3, severity, &again);
	FUZZ_CHECK(again.kind == line->kind && again.code == line->code);
	FUZZ_CHECK(again.port == line->port);
	FUZZ_CHECK(again.reply_len == line->reply_len);
	FUZZ_CHECK(addr_compare(&again.addr, &line->addr) == 0);
	FUZZ_CHECK(courierlog_gives_reply(wider, len + 3) ==
		   courierlog_gives_reply(msg, len));
	free(wider);
}

/* What courier would log for the text is recognised. Unless it was cut, it is not recognised with
 * a character more or less. Texts that end in blanks are left to the unit tests. */
static void check_own_reply(const char *prefix, const char *text)
{
	char buf[400];
	size_t n = courierlog_rules_log(prefix, text, buf, sizeof(buf));

	FUZZ_CHECK(courierlog_reply_is(buf, n, text));
	if (n > COURIERLOG_FIELD_MAX)
		return;
	FUZZ_CHECK(!courierlog_reply_is(buf, n - 1, text));
	buf[n] = 'x';
	FUZZ_CHECK(!courierlog_reply_is(buf, n + 1, text));
}

/* A reply that equals the text begins as courier would have logged it. */
static void check_foreign_reply(const char *reply, size_t len, const char *text)
{
	char plain[400], coded[400];
	size_t n = len < COURIERLOG_FIELD_MAX ? len : COURIERLOG_FIELD_MAX;

	memset(plain, 0, sizeof(plain));
	memset(coded, 0, sizeof(coded));
	courierlog_rules_log("", text, plain, sizeof(plain));
	courierlog_rules_log("511 ", text, coded, sizeof(coded));
	FUZZ_CHECK(memcmp(reply, plain, n) == 0 || memcmp(reply, coded, n) == 0);
}

static void check_block(const struct courierlog_line *line, const char *text)
{
	size_t len = strlen(text);

	FUZZ_CHECK(!courierlog_reply_is("", 0, text));
	if (len > 0 && !strchr(" \r\n", text[len - 1]) &&
	    !strpbrk(text, "\r\n")) {
		check_own_reply("", text);
		check_own_reply("511 ", text);
	}
	if (line->reply && courierlog_reply_is(line->reply, line->reply_len, text))
		check_foreign_reply(line->reply, line->reply_len, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	int severity = (int)(fuzz_byte(&in) % 9) - 1;
	size_t text_len = fuzz_byte(&in);
	struct courierlog_line line;
	char *msg, *text;

	if (text_len > in.left)
		text_len = in.left;
	text = fuzz_string(in.at, text_len);
	msg = fuzz_copy(in.at + text_len, in.left - text_len);
	courierlog_scan(msg, in.left - text_len, severity, &line);
	courierlog_rules_check(&line, severity, msg, in.left - text_len);
	check_trimming(&line, severity, msg, in.left - text_len);
	courierlog_rules_check_address(msg, in.left - text_len);
	check_block(&line, text);
	free(text);
	free(msg);
	return 0;
}
