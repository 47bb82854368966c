/* The meaning of courier's log lines: tests/data/courier-*.txt, and properties of every
 * text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/courierlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/courierlog_rules.h"
#include "tests/unit/support.h"

static const char *const kinds[] = {
	[COURIERLOG_OTHER] = "other",	  [COURIERLOG_REJECT] = "reject",
	[COURIERLOG_ERROR] = "error",	  [COURIERLOG_STARTED] = "started",
	[COURIERLOG_DROPPED] = "dropped", [COURIERLOG_PRESSURE] = "pressure",
	[COURIERLOG_UNKNOWN] = "unknown",
};

/* From COURIERLOG_SEVERITY_ANY on. */
static const char *const severities[] = {
	"any", "mail.emerg", "mail.alert", "mail.crit", "mail.err", "mail.warning",
	"mail.notice", "mail.info", "mail.debug",
};

/* The fields of a row of courier-lines.txt and courier-hostile.txt. */
enum { KIND, IP, PORT, CODE, LINE, LINE_FIELDS };
/* Those of courier-replies.txt. */
enum { IS, REPLY, TEXT, REPLY_FIELDS };

/* A message to scan, in memory of exactly its length. */
struct sample {
	char *msg;
	size_t len;
	int severity;
	struct courierlog_line line;	/* the scan's result */
};

static bool has_addr(enum courierlog_kind kind)
{
	return kind == COURIERLOG_REJECT || kind == COURIERLOG_ERROR ||
	       kind == COURIERLOG_STARTED || kind == COURIERLOG_DROPPED;
}

static struct sample scan_bytes(const char *msg, size_t len, int severity)
{
	struct sample s = { .len = len, .severity = severity };

	s.msg = support_exact_copy(msg, len);
	memset(&s.line, 0xa5, sizeof(s.line));
	courierlog_scan(s.msg, s.len, s.severity, &s.line);
	courierlog_rules_check(&s.line, severity, s.msg, len);
	if (s.line.kind == COURIERLOG_OTHER && severity == COURIERLOG_SEVERITY_ERR &&
	    courierlog_gives_reply(s.msg, s.len))
		s.line.kind = COURIERLOG_UNKNOWN;
	return s;
}

/* The message of a row begins behind the severity and a blank. */
static struct sample scan_row(const struct corpus_line *row)
{
	const struct corpus_field *line = &row->fields[LINE];
	size_t word = strcspn(line->text, " "), skip = word < line->len ? word + 1 : word;
	size_t i = 0;

	while (i < COUNT_OF(severities) && (strlen(severities[i]) != word ||
					    memcmp(severities[i], line->text, word) != 0))
		i++;
	want_int(i < COUNT_OF(severities), true);
	return scan_bytes(line->text + skip, line->len - skip, (int)i + COURIERLOG_SEVERITY_ANY);
}

static void want_row(const struct courierlog_line *line, const struct corpus_field *fields)
{
	const unsigned int numbers[] = { line->port, line->code };
	char got[128], want[128], ip[ADDR_TEXT_SIZE] = "-", text[2][16] = { "-", "-" };
	size_t i;

	if (has_addr(line->kind))
		addr_format(&line->addr, ip);
	for (i = 0; i < COUNT_OF(numbers); i++)
		if (numbers[i])
			snprintf(text[i], sizeof(text[i]), "%u", numbers[i]);
	snprintf(got, sizeof(got), "%s %s %s %s", kinds[line->kind], ip, text[0], text[1]);
	snprintf(want, sizeof(want), "%s %s %s %s", fields[KIND].text, fields[IP].text,
		 fields[PORT].text, fields[CODE].text);
	want_str(got, want);
}

static bool same_peer(const struct courierlog_line *a, const struct courierlog_line *b)
{
	return addr_compare(&a->addr, &b->addr) == 0 && a->port == b->port;
}

/* Long rows would take hours below and show nothing more. */
#define SHORT_LINE 600

/* A truncated line still names the same peer, or none; the port may be cut off. ("dropped"
 * lines end with the address: a part of it may be an address too.) */
static void cut_anywhere(const struct sample *whole)
{
	size_t len;

	for (len = 0; len < whole->len && whole->len <= SHORT_LINE; len++) {
		struct sample s = scan_bytes(whole->msg, len, whole->severity);

		if (has_addr(s.line.kind) && has_addr(whole->line.kind) &&
		    s.line.kind != COURIERLOG_DROPPED) {
			if (s.line.port == 0)
				s.line.port = whole->line.port;
			want_int(same_peer(&s.line, &whole->line), true);
			if (s.line.kind == whole->line.kind)
				want_int(s.line.code, whole->line.code);
		}
		free(s.msg);
	}
}

/* Where the client's part of an error line begins: behind the port, or behind
 * the address. */
static size_t client_part(const struct sample *s)
{
	const char *at = memmem(s->msg, s->len, "relay=", 6);
	size_t skip = (size_t)(at - s->msg) + 6;

	skip += strcspn(s->msg + skip, ",");
	if (s->line.port != 0)
		skip += 6 + strspn(s->msg + skip + 6, "0123456789");
	return skip;
}

/* No byte anywhere in the client's part leads to another peer. The byte after the first field
 * ends it; a digit would be part of it. */
static void any_byte_anywhere(const struct sample *whole)
{
	size_t at = client_part(whole) + 1;
	char *copy = support_exact_copy(whole->msg, whole->len);
	int ch;

	for (; at < whole->len; at++) {
		for (ch = 0; ch < 256; ch++) {
			struct sample s;

			copy[at] = (char)ch;
			s = scan_bytes(copy, whole->len, whole->severity);
			if (has_addr(s.line.kind))
				want_int(same_peer(&s.line, &whole->line), true);
			free(s.msg);
		}
		copy[at] = whole->msg[at];
	}
	free(copy);
}

static unsigned int any_byte_tried;

/* tried: how many lines of this file had any byte; the first are enough. */
static void want_line(const struct corpus_line *row, unsigned int *tried)
{
	struct sample s = scan_row(row);

	want_row(&s.line, row->fields);
	cut_anywhere(&s);
	if ((s.line.kind == COURIERLOG_REJECT || s.line.kind == COURIERLOG_ERROR) &&
	    s.len <= 130 && ++*tried <= 25) {
		any_byte_anywhere(&s);
		any_byte_tried++;
	}
	free(s.msg);
}

TEST_CORPUS(line, "courier-lines.txt", LINE_FIELDS)
{
	static unsigned int tried;

	want_line(row, &tried);
}

/* Many contain the attacked address; it is the result only if it is the peer's. */
TEST_CORPUS(hostile_line, "courier-hostile.txt", LINE_FIELDS)
{
	static unsigned int tried;
	struct sample s = scan_row(row);
	struct addr attacked = { 0 };

	want_line(row, &tried);
	want_int(addr_parse("203.0.113.66", 12, &attacked), 0);
	if (has_addr(s.line.kind) && addr_compare(&s.line.addr, &attacked) == 0)
		want_mem(s.msg, "error,relay=::ffff:cb00:7142,", 29);
	free(s.msg);
}

TEST(any_byte_was_tried_in_many_lines)
{
	want_int(any_byte_tried > 20, true);
}

/* Start and end of the reply, found independently: courier allows no ": " before it in the
 * reject form. */
static const struct reply_row {
	const char *label, *text;
	int severity;
	const char *want;
} reply_rows[] = {
	{ "reject", " error,relay=::ffff:192.0.2.7,port=1,from=<a>,to=<b>: 511 a: 550 b \n", 3,
	  "511 a: 550 b" },
	{ "error", "error,relay=192.0.2.7,ident=\"x\",msg=\"502 Command\",cmd: FOO\n", 6,
	  "502 Command\",cmd: FOO" },
};

TEST_ROWS(reply_of, reply_rows)
{
	struct sample s = scan_bytes(row->text, strlen(row->text), row->severity);

	want_str(kinds[s.line.kind], row->label);
	want_int(s.line.reply_len, strlen(row->want));
	want_mem(s.line.reply, row->want, s.line.reply_len);
	free(s.msg);
}

/* How often a line was logged. */
static const struct times_row {
	const char *label;
	int severity;
	unsigned int want;
	const char *reply;
} times_rows[] = {
	{ "error,relay=192.0.2.7,from=<>: 511 x", 3, 1, "511 x" },
	{ "message repeated 4 times: [ error,relay=192.0.2.7,from=<>: 511 x]", 3, 4, "511 x" },
	{ " message repeated 999999999 times: [ started,ip=[192.0.2.7]]", 6, 999999999, "" },
	{ "HELO x", 6, 1, "" },
};

TEST_ROWS(times, times_rows)
{
	struct sample s = scan_bytes(row->label, strlen(row->label), row->severity);

	want_int(s.line.times, row->want);
	want_int(s.line.reply_len, strlen(row->reply));
	want_mem(s.line.reply, row->reply, s.line.reply_len);
	free(s.msg);
}

/* The severity decides between the two error forms and nothing else. */
static const struct severity_row {
	const char *label;
	enum courierlog_kind want;
} severity_rows[] = {
	{ "started,ip=[192.0.2.7],port=[1]", COURIERLOG_STARTED },
	{ "8 active connections.", COURIERLOG_PRESSURE },
	{ "dropped blocked connection from 192.0.2.7", COURIERLOG_DROPPED },
	{ "HELO x", COURIERLOG_OTHER },
};

TEST_ROWS(any_severity, severity_rows)
{
	int i;

	for (i = COURIERLOG_SEVERITY_ANY; i <= 7; i++) {
		struct sample s = scan_bytes(row->label, strlen(row->label), i);

		want_int(s.line.kind, row->want);
		free(s.msg);
	}
}

static const uint64_t seeds[] = { 1, 2, 3 };

/* Texts of a few pieces in any order reach every branch. */
TEST_ROWS_AS(any_order, seeds, "seed %d", (int)*row)
{
	static const char *const pieces[] = {
		"error,", "relay=", "192.0.2.7", "::ffff:192.0.2.7", ",port=", "25", ",msg=\"",
		",ident=\"", "\"", ": ", "511", " Listed", ",from=<", ">", "started,ip=[", "]",
		",port=[", " ", "\n", "dropped blocked connection from ", "maximum ",
		"active connections.", "Maximum connection limit reached for ", "\xff", ",", "0",
	};
	uint64_t seed = *row;
	unsigned int seen[COURIERLOG_UNKNOWN + 1] = { 0 }, i, j;
	char text[1024];

	for (i = 0; i < 60000; i++) {
		size_t used = 0;
		struct sample s;

		text[0] = '\0';
		for (j = (unsigned int)(support_random(&seed) % 9); j > 0; j--)
			used += (size_t)sprintf(text + used, "%s",
				pieces[support_random(&seed) % COUNT_OF(pieces)]);
		s = scan_bytes(text, used, (int)(support_random(&seed) % 9) - 1);
		seen[s.line.kind]++;
		free(s.msg);
	}
	want_int(seen[COURIERLOG_OTHER] > 0 && seen[COURIERLOG_UNKNOWN] > 0, true);
}

TEST_ROWS_AS(any_bytes, seeds, "seed %d", (int)*row)
{
	static const char *const starts[] = {
		"", "error,relay=192.0.2.7", "error,relay=192.0.2.7,ident=\"",
		"error,relay=192.0.2.7,msg=\"", "started,ip=[",
	};
	uint64_t seed = *row;
	char text[128];
	unsigned int i;

	for (i = 0; i < 40000; i++) {
		const char *start = starts[i % COUNT_OF(starts)];
		size_t len = strlen(start), end;

		memcpy(text, start, len);
		end = len + support_random(&seed) % (sizeof(text) - len);
		while (len < end)
			text[len++] = (char)support_random(&seed);
		free(scan_bytes(text, len, (int)(support_random(&seed) % 9) - 1).msg);
	}
}

/* A line of a megabyte, whatever it is made of, gets its answer. */
static const char *const starts[] = {
	"error,relay=", "error,relay=192.0.2.7,ident=\"", "error,relay=192.0.2.7,from=<",
	"started,ip=[", "", "8 ",
};

TEST_ROWS_AS(huge, starts, "%s", *row)
{
	static const char fill[] = ": ,\"0a\n";
	const size_t size = 1 << 20;
	char *text = malloc(size);
	size_t j, k;

	assert_non_null(text);
	for (j = 0; j < strlen(fill); j++) {
		struct sample s;

		memset(text, fill[j], size);
		memcpy(text, *row, strlen(*row));
		s = scan_bytes(text, size, 3);
		want_int(has_addr(s.line.kind), false);
		free(s.msg);
		for (k = 0; k + 3 < size; k += 1000)
			memcpy(text + k + 100, ",msg", 4);
		free(scan_bytes(text, size - 1000, -1).msg);
	}
	free(text);
}

#define ADDRESS(label, text, ip, port) { label, text, sizeof(text) - 1, ip, port }

static const struct address_row {
	const char *label, *text;
	size_t len;
	const char *ip;		/* NULL: unknown */
	unsigned int port;
} address_rows[] = {
	ADDRESS("IPv4", "192.0.2.7", "192.0.2.7", 0),
	ADDRESS("IPv6", "2001:db8::7", "2001:db8::7", 0),
	ADDRESS("mapped", "::ffff:192.0.2.7", "192.0.2.7", 0),
	ADDRESS("with a port", "192.0.2.7 41703", "192.0.2.7", 41703),
	ADDRESS("IPv6 with a port", "2001:db8::7 41703", "2001:db8::7", 41703),
	ADDRESS("lowest port", "192.0.2.7 1", "192.0.2.7", 1),
	ADDRESS("highest port", "192.0.2.7 65535", "192.0.2.7", 65535),
	ADDRESS("blanks and newlines around", "  192.0.2.7 25 \n\n", "192.0.2.7", 25),
	ADDRESS("a blank behind", "192.0.2.7 ", "192.0.2.7", 0),
	ADDRESS("empty", "", NULL, 0),
	ADDRESS("blanks", "   ", NULL, 0),
	ADDRESS("port 0", "192.0.2.7 0", NULL, 0),
	ADDRESS("port 65536", "192.0.2.7 65536", NULL, 0),
	ADDRESS("octal-looking port", "192.0.2.7 025", NULL, 0),
	ADDRESS("sign", "192.0.2.7 +25", NULL, 0),
	ADDRESS("two blanks", "192.0.2.7  25", NULL, 0),
	ADDRESS("tab", "192.0.2.7\t25", NULL, 0),
	ADDRESS("two ports", "192.0.2.7 25 26", NULL, 0),
	ADDRESS("two addresses", "192.0.2.7 192.0.2.8", NULL, 0),
	ADDRESS("comma", "192.0.2.7,25", NULL, 0),
	ADDRESS("colon", "192.0.2.7:25", NULL, 0),
	ADDRESS("brackets", "[2001:db8::7] 25", NULL, 0),
	ADDRESS("prefix", "192.0.2.0/24", NULL, 0),
	ADDRESS("zone", "fe80::1%eth0", NULL, 0),
	ADDRESS("octal-looking", "192.0.02.7", NULL, 0),
	ADDRESS("NUL behind", "192.0.2.7\0", NULL, 0),
	ADDRESS("text behind", "192.0.2.7 25x", NULL, 0),
	ADDRESS("text before", "relay=192.0.2.7", NULL, 0),
	ADDRESS("a reject", "error,relay=192.0.2.7,port=25,from=<>: 511 x", NULL, 0),
};

TEST_ROWS(scan_address, address_rows)
{
	char *text = support_exact_copy(row->text, row->len);
	struct courierlog_line line;
	char ip[ADDR_TEXT_SIZE];

	memset(&line, 0xa5, sizeof(line));
	courierlog_scan_address(text, row->len, &line);
	free(text);
	want_str(kinds[line.kind], row->ip ? "reject" : "unknown");
	want_int(line.port, row->port);
	want_int(line.code, 0);
	want_int(line.reply == NULL && line.reply_len == 0, true);
	if (row->ip)
		want_str(addr_format(&line.addr, ip), row->ip);
}

static const struct {
	const char *label, *text;
	unsigned long active;
	bool full;
} pressure_rows[] = {
	{ "most slots taken", "270 active connections.", 270, false },
	{ "all slots taken", "300 maximum active connections.", 300, true },
	{ "one", "1 maximum active connections.", 1, true },
	{ "nine digits", "999999999 active connections.", 999999999, false },
	{ "ten digits", "1000000000 active connections.", 0, false },
	{ "of one address", "Maximum connection limit reached for 192.0.2.7", 0, false },
	{ "goes on", "300 maximum active connections. x", 0, false },
	{ "no number", "maximum active connections.", 0, false },
	{ "another line", "started,ip=[192.0.2.7],port=[300]", 0, false },
};

TEST_ROWS(pressure, pressure_rows)
{
	struct courierlog_line line;

	courierlog_scan(row->text, strlen(row->text), COURIERLOG_SEVERITY_ANY, &line);
	want_int(line.active, row->active);
	want_int(line.full, row->full);
}

TEST_CORPUS(reply_is, "courier-replies.txt", REPLY_FIELDS)
{
	const struct corpus_field *reply = &row->fields[REPLY];
	char *copy = support_exact_copy(reply->text, reply->len);
	char *text = support_exact_copy(row->fields[TEXT].text, row->fields[TEXT].len + 1);

	want_str(courierlog_reply_is(copy, reply->len, text) ? "yes" : "no",
		 row->fields[IS].text);
	free(copy);
	free(text);
}

/* A BLOCK of this length that ends in a letter. */
static void random_block(char *text, size_t len, uint64_t *seed)
{
	static const char some[] = "abc .:,<>/\"\\\n\t\x01\x1f\x7f\x80\xff" "511";
	size_t i;

	for (i = 0; i < len; i++)
		text[i] = some[support_random(seed) % (sizeof(some) - 1)];
	if (len > 0)
		text[len - 1] = 'z';
	text[len] = '\0';
}

/* The line that courier logs for a listed client. Returns the scan of it. */
static struct sample log_reject(const char *code, const char *block)
{
	char logged[400], line[512];
	int n;

	logged[courierlog_rules_log(code, block, logged, sizeof(logged))] = '\0';
	n = snprintf(line, sizeof(line), "error,relay=::ffff:192.0.2.7,port=25,"
		     "from=<a@b.example>,to=<x@mx.example>: %s", logged);
	return scan_bytes(line, (size_t)n, COURIERLOG_SEVERITY_ERR);
}

static bool is_own(const struct sample *s, const char *block)
{
	return courierlog_reply_is(s->line.reply, s->line.reply_len, block);
}

/* Logged and scanned, a BLOCK of any length is found again; another one is not,
 * wherever the difference is that the log still shows. */
TEST_ROWS_AS(round_trip, seeds, "seed %d", (int)*row)
{
	uint64_t seed = *row;
	char block[320];
	size_t len, at;

	for (len = 1; len < 300; len++) {
		const bool coded = support_random(&seed) % 2;
		const char *code = coded ? "" : "511 ";
		const size_t skip = strlen(code);
		struct sample s;

		random_block(block, len, &seed);
		if (coded)
			memcpy(block, "550 ", len < 4 ? len : 4);
		if (coded && len < 5)
			continue;
		s = log_reject(code, block);
		want_int(s.line.kind, COURIERLOG_REJECT);
		want_int(is_own(&s, block), true);
		for (at = 0; at < len && at + skip < 128; at++) {
			char was = block[at];

			block[at] = was == 'x' ? 'y' : 'x';
			want_int(is_own(&s, block), false);
			block[at] = was;
		}
		strcpy(block + len, "!");
		want_int(is_own(&s, block), len + skip > 128);
		free(s.msg);
	}
}
