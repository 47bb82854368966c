/* Courier's lines: any text, any severity.
 * Input: a byte for the severity, a byte for the length of a BLOCK text, that
 * text, and the line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "courier/courierlog.h"

/* courier's limit on one field, see courierlog.h. */
#define FIELD_MAX 128

static void check_addr(const struct addr *addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[ADDR_TEXT_SIZE];
	struct addr again;

	FUZZ_CHECK(addr->family == ADDR_IPV4 || addr->family == ADDR_IPV6);
	addr_format(addr, text);
	FUZZ_CHECK(addr_parse(text, strlen(text), &again) == 0);
	FUZZ_CHECK(addr_compare(addr, &again) == 0);
	/* ::ffff:a.b.c.d was unmapped. */
	FUZZ_CHECK(memcmp(addr->bytes, mapped, sizeof(mapped)) != 0);
}

static size_t digits_at(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

/* The reply lies within the text and goes on to its end; its code is its own. */
static void check_reply(const struct courierlog_line *line, const char *msg,
			size_t len)
{
	char code[4] = "";

	FUZZ_CHECK(line->code >= 100 && line->code <= 999);
	FUZZ_CHECK(line->reply >= msg && line->reply_len >= 3);
	FUZZ_CHECK(line->reply + line->reply_len <= msg + len);
	FUZZ_CHECK(digits_at(line->reply, line->reply_len) == 3);
	memcpy(code, line->reply, 3);
	FUZZ_CHECK(atoi(code) == line->code);
	FUZZ_CHECK(line->reply_len == 3 || line->reply[3] == ' ' ||
		   line->reply[3] == '-');
}

/* The length of "message repeated N times: [ ", 0 without it. */
static size_t summary_front(const char *msg, size_t len)
{
	static const char mark[] = " times: [";
	const char *behind;

	if (len < 17 || memcmp(msg, "message repeated ", 17) != 0)
		return 0;
	behind = memmem(msg, len, mark, strlen(mark));
	FUZZ_CHECK(behind);
	behind += strlen(mark);
	while (behind < msg + len && *behind == ' ')
		behind++;
	return (size_t)(behind - msg);
}

/* The address is the first field and nothing else: read it again, by itself. */
static void check_first_field(const struct courierlog_line *line,
			      const char *msg, size_t len, const char *before,
			      const char *ends)
{
	size_t at = 0, n = 0;
	struct addr addr;

	while (at < len && msg[at] == ' ')
		at++;
	at += summary_front(msg + at, len - at);
	FUZZ_CHECK(len - at > strlen(before));
	FUZZ_CHECK(memcmp(msg + at, before, strlen(before)) == 0);
	at += strlen(before);
	while (at + n < len && !memchr(ends, msg[at + n], strlen(ends)))
		n++;
	FUZZ_CHECK(addr_parse(msg + at, n, &addr) == 0);
	FUZZ_CHECK(addr_compare(&addr, &line->addr) == 0);
	check_addr(&line->addr);
}

static void check_nothing_else(const struct courierlog_line *line)
{
	FUZZ_CHECK(line->code == 0 && !line->reply && line->reply_len == 0);
}

static void check_empty(const struct courierlog_line *line)
{
	check_nothing_else(line);
	FUZZ_CHECK(line->addr.family == 0 && line->port == 0);
}

static void check_line(const struct courierlog_line *line, int severity,
		       const char *msg, size_t len)
{
	switch (line->kind) {
	case COURIERLOG_REJECT:
		FUZZ_CHECK(severity <= COURIERLOG_SEVERITY_ERR);
		check_first_field(line, msg, len, "error,relay=", ",");
		check_reply(line, msg, len);
		break;
	case COURIERLOG_ERROR:
		FUZZ_CHECK(severity != COURIERLOG_SEVERITY_ERR);
		check_first_field(line, msg, len, "error,relay=", ",");
		if (line->reply)
			check_reply(line, msg, len);
		else
			check_nothing_else(line);
		break;
	case COURIERLOG_STARTED:
		check_first_field(line, msg, len, "started,ip=[", "]");
		check_nothing_else(line);
		break;
	case COURIERLOG_DROPPED:
		check_first_field(line, msg, len,
				  "dropped blocked connection from ", " \n");
		check_nothing_else(line);
		FUZZ_CHECK(line->port == 0);
		break;
	case COURIERLOG_PRESSURE:
		check_nothing_else(line);
		break;
	case COURIERLOG_OTHER:
	case COURIERLOG_UNKNOWN:
		check_empty(line);
		break;
	default:
		fuzz_broken("a known kind", __FILE__, __LINE__);
	}
}

/* Blanks around a line, and a newline behind it, say nothing. */
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

static void check_address_text(const char *text, size_t len)
{
	struct courierlog_line line;
	char *copy = fuzz_copy(text, len);

	courierlog_scan_address(copy, len, &line);
	if (line.kind == COURIERLOG_REJECT) {
		check_nothing_else(&line);
		check_first_field(&line, copy, len, "", " \n");
	} else {
		FUZZ_CHECK(line.kind == COURIERLOG_UNKNOWN);
		check_empty(&line);
	}
	free(copy);
}

/* A reply as courier logs it: our own reading of its rules. Returns its length. */
static size_t log_reply(const char *prefix, const char *text, char *buf,
			size_t size)
{
	size_t n = strlen(prefix);
	const char *p;

	FUZZ_CHECK(size > n + strlen(text) + 4);
	memcpy(buf, prefix, n);
	for (p = text; *p; p++) {
		if (*p == '\n' && p[1] != '\0')
			buf[n++] = '/';
		else if (*p != '\r' && *p != '\n')
			buf[n++] = (unsigned char)*p < ' ' ? '.' : *p;
	}
	if (n > FIELD_MAX) {
		memcpy(buf + FIELD_MAX, "...", 4);
		n = FIELD_MAX + 3;
	}
	return n;
}

/* What courier would log for the text is recognised, and a character more or
 * less is not, if it was not cut. Texts that end in blanks are left to the unit
 * tests. */
static void check_own_reply(const char *prefix, const char *text)
{
	char buf[400];
	size_t n = log_reply(prefix, text, buf, sizeof(buf));

	FUZZ_CHECK(courierlog_reply_is(buf, n, text));
	if (n > FIELD_MAX)
		return;
	FUZZ_CHECK(!courierlog_reply_is(buf, n - 1, text));
	buf[n] = 'x';
	FUZZ_CHECK(!courierlog_reply_is(buf, n + 1, text));
}

/* A reply that is taken for the text starts as courier would have logged it. */
static void check_foreign_reply(const char *reply, size_t len, const char *text)
{
	char plain[400], coded[400];
	size_t n = len < FIELD_MAX ? len : FIELD_MAX;

	memset(plain, 0, sizeof(plain));
	memset(coded, 0, sizeof(coded));
	log_reply("", text, plain, sizeof(plain));
	log_reply("511 ", text, coded, sizeof(coded));
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
	check_line(&line, severity, msg, in.left - text_len);
	check_trimming(&line, severity, msg, in.left - text_len);
	check_address_text(msg, in.left - text_len);
	check_block(&line, text);
	free(text);
	free(msg);
	return 0;
}
