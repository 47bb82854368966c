/* What holds for every line, found independently of courierlog.c.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/courierlog_rules.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

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

/* The reply lies within the text and extends to its end; it begins with its code. */
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

/* The length of "message repeated N times: [ "; 0 if it is missing. */
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

/* The address is all of the first field: parse that alone. */
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

void courierlog_rules_check(const struct courierlog_line *line, int severity,
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
				  "dropped blocked connection from ", " \n]");
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

void courierlog_rules_check_address(const char *text, size_t len)
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

size_t courierlog_rules_log(const char *prefix, const char *text, char *buf, size_t size)
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
	if (n > COURIERLOG_FIELD_MAX) {
		memcpy(buf + COURIERLOG_FIELD_MAX, "...", 4);
		n = COURIERLOG_FIELD_MAX + 3;
	}
	return n;
}
