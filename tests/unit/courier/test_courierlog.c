/* The meaning of courier's log lines: tests/data/courier-*.txt, and properties of every
 * text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/courierlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

static const struct word {
	const char *word;
	int value;
} kinds[] = {
	{ "other", COURIERLOG_OTHER },	     { "reject", COURIERLOG_REJECT },
	{ "error", COURIERLOG_ERROR },	     { "started", COURIERLOG_STARTED },
	{ "dropped", COURIERLOG_DROPPED },   { "pressure", COURIERLOG_PRESSURE },
	{ "unknown", COURIERLOG_UNKNOWN },
}, severities[] = {
	{ "any", COURIERLOG_SEVERITY_ANY }, { "mail.emerg", 0 },
	{ "mail.alert", 1 }, { "mail.crit", 2 },
	{ "mail.err", COURIERLOG_SEVERITY_ERR }, { "mail.warning", 4 },
	{ "mail.notice", 5 }, { "mail.info", 6 }, { "mail.debug", 7 },
};

/* The fields of a row of courier-lines.txt and courier-hostile.txt. */
enum { KIND, IP, PORT, CODE, LINE, LINE_FIELDS };
/* Those of courier-replies.txt. */
enum { IS, REPLY, TEXT, REPLY_FIELDS };

static struct corpus lines, hostile, replies;

static int value_of(const struct word *words, size_t count, const char *text,
		    size_t len)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strlen(words[i].word) == len &&
		    memcmp(words[i].word, text, len) == 0)
			return words[i].value;
	print_message("# no such word: %.*s\n", (int)len, text);
	fail();
	return -2;
}

#define VALUE_OF(words, text, len) value_of(words, COUNT_OF(words), text, len)

static const char *kind_word(int kind)
{
	size_t i;

	for (i = 0; i < COUNT_OF(kinds); i++)
		if (kinds[i].value == kind)
			return kinds[i].word;
	return "none of enum courierlog_kind";
}

/* A message to scan, in memory of exactly its length. */
struct sample {
	char *msg;
	size_t len;
	int severity;
	struct courierlog_line line;	/* the scan's result */
};

static void sample_done(struct sample *sample)
{
	free(sample->msg);
	sample->msg = NULL;
}

static bool has_addr(enum courierlog_kind kind)
{
	return kind == COURIERLOG_REJECT || kind == COURIERLOG_ERROR ||
	       kind == COURIERLOG_STARTED || kind == COURIERLOG_DROPPED;
}

static bool has_reply(enum courierlog_kind kind)
{
	return kind == COURIERLOG_REJECT || kind == COURIERLOG_ERROR;
}

/* A reply is a piece of the message that begins with its code. An error has none if its
 * text has no code. */
static void want_reply_within(const struct sample *s)
{
	const struct courierlog_line *l = &s->line;
	char code[8];

	if (l->kind == COURIERLOG_ERROR && !l->reply) {
		want_int(l->code, 0);
		return;
	}
	assert_in_range(l->code, 100, 999);
	want_int(l->reply >= s->msg, true);
	want_int(l->reply_len >= 3, true);
	want_int(l->reply + l->reply_len <= s->msg + s->len, true);
	snprintf(code, sizeof(code), "%u", (unsigned int)l->code);
	want_mem(l->reply, code, 3);
}

/* --- properties of every text --- */
static void want_sound(const struct sample *s)
{
	const struct courierlog_line *l = &s->line;

	assert_in_range(l->kind, COURIERLOG_OTHER, COURIERLOG_UNKNOWN);
	if (has_reply(l->kind)) {
		want_reply_within(s);
	} else {
		want_int(l->code, 0);
		assert_null(l->reply);
		want_int(l->reply_len, 0);
	}
	if (has_addr(l->kind))
		want_int(l->addr.family == ADDR_IPV4 ||
			 l->addr.family == ADDR_IPV6, true);
	else
		want_int(l->port, 0);
}

static struct sample scan_bytes(const char *msg, size_t len, int severity)
{
	struct sample s = { .len = len, .severity = severity };

	s.msg = support_exact_copy(msg, len);
	memset(&s.line, 0xa5, sizeof(s.line));
	courierlog_scan(s.msg, s.len, s.severity, &s.line);
	want_sound(&s);
	if (s.line.kind == COURIERLOG_OTHER && severity == COURIERLOG_SEVERITY_ERR &&
	    courierlog_gives_reply(s.msg, s.len))
		s.line.kind = COURIERLOG_UNKNOWN;
	return s;
}

/* The message of a row begins behind the severity and a blank. */
static void split_row(const struct corpus_line *row, const char **ret_msg,
		      size_t *ret_len, int *ret_severity)
{
	const struct corpus_field *line = &row->fields[LINE];
	size_t word = strcspn(line->text, " ");
	size_t skip = word < line->len ? word + 1 : word;

	*ret_severity = VALUE_OF(severities, line->text, word);
	*ret_msg = line->text + skip;
	*ret_len = line->len - skip;
}

static struct sample scan_row(const struct corpus_line *row)
{
	const char *msg;
	size_t len;
	int severity;

	split_row(row, &msg, &len, &severity);
	return scan_bytes(msg, len, severity);
}

static void want_number(const char *what, unsigned int got, const char *want)
{
	char text[16] = "-";

	if (got != 0)
		snprintf(text, sizeof(text), "%u", got);
	if (strcmp(text, want) == 0)
		return;
	print_message("# %s: got %s, want %s\n", what, text, want);
	fail();
}

static void scan(void **state)
{
	const struct corpus_line *row = *state;
	struct sample s = scan_row(row);
	char ip[ADDR_TEXT_SIZE] = "-";

	want_str(kind_word((int)s.line.kind), row->fields[KIND].text);
	if (has_addr(s.line.kind))
		addr_format(&s.line.addr, ip);
	want_str(ip, row->fields[IP].text);
	want_number("port", s.line.port, row->fields[PORT].text);
	want_number("code", s.line.code, row->fields[CODE].text);
	sample_done(&s);
}

/* Start and end of the reject form's reply, found independently: courier allows no ": "
 * before it. */
static void reply_of_reject(void **state)
{
	static const char text[] =
		" error,relay=::ffff:192.0.2.7,port=1,from=<a>,to=<b>: 511 a: 550 b \n";
	struct sample s = scan_bytes(text, strlen(text), 3);

	(void)state;
	want_int(s.line.kind, COURIERLOG_REJECT);
	want_int(s.line.reply_len, strlen("511 a: 550 b"));
	want_mem(s.line.reply, "511 a: 550 b", s.line.reply_len);
	sample_done(&s);
}

static void reply_of_error(void **state)
{
	static const char text[] =
		"error,relay=192.0.2.7,ident=\"x\",msg=\"502 Command\",cmd: FOO\n";
	struct sample s = scan_bytes(text, strlen(text), 6);

	(void)state;
	want_int(s.line.kind, COURIERLOG_ERROR);
	want_int(s.line.reply_len, strlen("502 Command\",cmd: FOO"));
	want_mem(s.line.reply, "502 Command\",cmd: FOO", s.line.reply_len);
	sample_done(&s);
}

/* How often each line was logged. */
static void times(void **state)
{
	static const struct {
		const char *text;
		unsigned int times;
	} rows[] = {
		{ "error,relay=192.0.2.7,from=<>: 511 x", 1 },
		{ "message repeated 4 times: [ error,relay=192.0.2.7,from=<>: 511 x]", 4 },
		{ " message repeated 999999999 times: [ started,ip=[192.0.2.7]]", 999999999 },
		{ "HELO x", 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(rows); i++) {
		struct sample s = scan_bytes(rows[i].text, strlen(rows[i].text), 6 - 3 * (i < 2));

		want_int(s.line.times, rows[i].times);
		if (i < 2) {
			want_int(s.line.reply_len, 5);
			want_mem(s.line.reply, "511 x", 5);
		}
		sample_done(&s);
	}
}

/* The severity decides between the two error forms and nothing else. */
static void severity(void **state)
{
	static const char *const texts[] = {
		"started,ip=[192.0.2.7],port=[1]", "8 active connections.",
		"dropped blocked connection from 192.0.2.7", "HELO x",
	};
	static const int want[] = { COURIERLOG_STARTED, COURIERLOG_PRESSURE,
				    COURIERLOG_DROPPED, COURIERLOG_OTHER };
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT_OF(texts); i++) {
		for (j = 0; j < COUNT_OF(severities); j++) {
			struct sample s = scan_bytes(texts[i], strlen(texts[i]),
						     severities[j].value);

			want_int(s.line.kind, want[i]);
			sample_done(&s);
		}
	}
}

/* Long rows would take hours below and show nothing more. */
#define SHORT_LINE 600

static bool same_peer(const struct courierlog_line *a,
		      const struct courierlog_line *b)
{
	return addr_compare(&a->addr, &b->addr) == 0 && a->port == b->port;
}

/* A truncated line still names the same peer, or none; the port may be cut off. ("dropped"
 * lines end with the address: a part of it may be an address too.) */
static void cut_line(const struct corpus_line *row)
{
	struct sample whole = scan_row(row);
	size_t len;

	for (len = 0; len < whole.len && whole.len <= SHORT_LINE; len++) {
		struct sample s = scan_bytes(whole.msg, len, whole.severity);

		if (has_addr(s.line.kind) && has_addr(whole.line.kind) &&
		    s.line.kind != COURIERLOG_DROPPED) {
			if (s.line.port == 0)
				s.line.port = whole.line.port;
			want_int(same_peer(&s.line, &whole.line), true);
			if (s.line.kind == whole.line.kind)
				want_int(s.line.code, whole.line.code);
		}
		sample_done(&s);
	}
	sample_done(&whole);
}

static void cut_anywhere(void **state)
{
	const struct corpus *corpus = *state;
	size_t i;

	for (i = 0; i < corpus->count; i++)
		cut_line(&corpus->lines[i]);
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

/* The byte after the first field ends it; a digit would be part of it. */
static void any_byte_in(const struct sample *whole)
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
			sample_done(&s);
		}
		copy[at] = whole->msg[at];
	}
	free(copy);
}

/* No byte anywhere in the client's part leads to another peer. */
static void any_byte_anywhere(void **state)
{
	const struct corpus *corpus = *state;
	unsigned int tried = 0;
	size_t i;

	for (i = 0; i < corpus->count; i++) {
		struct sample s = scan_row(&corpus->lines[i]);

		if (has_reply(s.line.kind) && s.len <= 130 && ++tried <= 25)
			any_byte_in(&s);
		sample_done(&s);
	}
	want_int(tried > 10, true);
}

/* Many hostile lines contain the attacker's address; it is the result only if it is the
 * peer's. */
static void other_peer_is_never_named(void **state)
{
	struct addr attacked = { 0 };
	size_t i;

	(void)state;
	want_int(addr_parse("203.0.113.66", 12, &attacked), 0);
	for (i = 0; i < hostile.count; i++) {
		struct sample s = scan_row(&hostile.lines[i]);

		if (has_addr(s.line.kind) &&
		    addr_compare(&s.line.addr, &attacked) == 0)
			want_mem(s.msg, "error,relay=::ffff:cb00:7142,", 29);
		sample_done(&s);
	}
}

/* Texts of a few pieces in any order reach every branch. */
static void any_order(void **state)
{
	static const char *const pieces[] = {
		"error,", "relay=", "192.0.2.7", "::ffff:192.0.2.7", ",port=",
		"25", ",msg=\"", ",ident=\"", "\"", ": ", "511", " Listed",
		",from=<", ">", "started,ip=[", "]", ",port=[", " ", "\n",
		"dropped blocked connection from ", "maximum ",
		"active connections.", "Maximum connection limit reached for ",
		"\xff", ",", "0",
	};
	uint64_t seed = *(const uint64_t *)*state;
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
		sample_done(&s);
	}
	want_int(seen[COURIERLOG_OTHER] > 0 && seen[COURIERLOG_UNKNOWN] > 0, true);
}

static void any_bytes(void **state)
{
	static const char *const starts[] = {
		"", "error,relay=192.0.2.7", "error,relay=192.0.2.7,ident=\"",
		"error,relay=192.0.2.7,msg=\"", "started,ip=[",
	};
	uint64_t seed = *(const uint64_t *)*state;
	char text[128];
	unsigned int i;

	for (i = 0; i < 40000; i++) {
		const char *start = starts[i % COUNT_OF(starts)];
		size_t len = strlen(start), end;
		struct sample s;

		memcpy(text, start, len);
		end = len + support_random(&seed) % (sizeof(text) - len);
		while (len < end)
			text[len++] = (char)support_random(&seed);
		s = scan_bytes(text, len, (int)(support_random(&seed) % 9) - 1);
		sample_done(&s);
	}
}

/* A line of a megabyte, whatever it is made of, gets its answer. */
static void huge(void **state)
{
	static const char *const starts[] = {
		"error,relay=", "error,relay=192.0.2.7,ident=\"",
		"error,relay=192.0.2.7,from=<", "started,ip=[", "", "8 ",
	};
	static const char fill[] = ": ,\"0a\n";
	const size_t size = 1 << 20;
	char *text = malloc(size);
	size_t i, j, k;

	(void)state;
	assert_non_null(text);
	for (i = 0; i < COUNT_OF(starts); i++) {
		for (j = 0; j < strlen(fill); j++) {
			struct sample s;

			memset(text, fill[j], size);
			memcpy(text, starts[i], strlen(starts[i]));
			s = scan_bytes(text, size, 3);
			want_int(has_addr(s.line.kind), false);
			sample_done(&s);
			for (k = 0; k + 3 < size; k += 1000)
				memcpy(text + k + 100, ",msg", 4);
			s = scan_bytes(text, size - 1000, -1);
			sample_done(&s);
		}
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

static void scan_address(void **state)
{
	const struct address_row *row = *state;
	char *text = support_exact_copy(row->text, row->len);
	struct courierlog_line line;
	char ip[ADDR_TEXT_SIZE];

	memset(&line, 0xa5, sizeof(line));
	courierlog_scan_address(text, row->len, &line);
	free(text);
	want_str(kind_word((int)line.kind), row->ip ? "reject" : "unknown");
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

static void pressure(void **state)
{
	const __typeof__(pressure_rows[0]) *row = *state;
	struct courierlog_line line;

	courierlog_scan(row->text, strlen(row->text), COURIERLOG_SEVERITY_ANY, &line);
	want_int(line.active, row->active);
	want_int(line.full, row->full);
}

static void reply_is(void **state)
{
	const struct corpus_line *row = *state;
	const struct corpus_field *reply = &row->fields[REPLY];
	char *copy = support_exact_copy(reply->text, reply->len);
	char *text = support_exact_copy(row->fields[TEXT].text,
					row->fields[TEXT].len + 1);
	bool want = strcmp(row->fields[IS].text, "yes") == 0;

	want_int(want || strcmp(row->fields[IS].text, "no") == 0, true);
	want_int(courierlog_reply_is(copy, reply->len, text), want);
	free(copy);
	free(text);
}

/* One field as courier writes it into its log, by the rules in courierlog.h. */
static size_t log_field(const char *text, char *out)
{
	size_t len = strlen(text), n, logged = 0;

	for (n = 0; n < len && n < 128; n++) {
		unsigned char ch = (unsigned char)text[n];

		if (ch == '\n')
			out[logged++] = '/';
		else
			out[logged++] = ch < ' ' ? '.' : (char)ch;
	}
	if (len > 128) {
		memcpy(out + logged, "...", 3);
		logged += 3;
	}
	out[logged] = '\0';
	return logged;
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
static struct sample log_reject(const char *reply)
{
	char logged[256], line[512];
	int n;

	log_field(reply, logged);
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
static void round_trip(void **state)
{
	uint64_t seed = *(const uint64_t *)*state;
	char block[320], reply[330];
	size_t len, at, skip;

	for (len = 1; len < 300; len++) {
		bool code = support_random(&seed) % 2;
		struct sample s;

		skip = code ? 0 : strlen("511 ");
		random_block(block, len, &seed);
		if (code)
			memcpy(block, "550 ", len < 4 ? len : 4);
		if (code && len < 5)
			continue;
		snprintf(reply, sizeof(reply), "%s%s", code ? "" : "511 ", block);
		s = log_reject(reply);
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
		sample_done(&s);
	}
}

static void add_corpus(struct suite *suite, CMUnitTestFunction test,
		       const char *what, const struct corpus *corpus)
{
	size_t i;

	for (i = 0; i < corpus->count; i++)
		suite_add(suite, test, &corpus->lines[i], "%s: %s:%u %s", what,
			  corpus->name, corpus->lines[i].number,
			  corpus->lines[i].fields[0].text);
}

static void add_scans(struct suite *suite)
{
	static const uint64_t seeds[] = { 1, 2, 3 };
	size_t i;

	SUITE_TEST(suite, reply_of_reject);
	SUITE_TEST(suite, reply_of_error);
	SUITE_TEST(suite, times);
	SUITE_TEST(suite, severity);
	suite_add(suite, cut_anywhere, &lines, "cut_anywhere: %s", lines.name);
	suite_add(suite, cut_anywhere, &hostile, "cut_anywhere: %s", hostile.name);
	suite_add(suite, any_byte_anywhere, &lines, "any_byte_anywhere: %s",
		  lines.name);
	suite_add(suite, any_byte_anywhere, &hostile, "any_byte_anywhere: %s",
		  hostile.name);
	SUITE_TEST(suite, other_peer_is_never_named);
	SUITE_TEST(suite, huge);
	for (i = 0; i < COUNT_OF(seeds); i++) {
		suite_add(suite, any_order, &seeds[i], "any_order: seed %d",
			  (int)seeds[i]);
		suite_add(suite, any_bytes, &seeds[i], "any_bytes: seed %d",
			  (int)seeds[i]);
		suite_add(suite, round_trip, &seeds[i], "round_trip: seed %d",
			  (int)seeds[i]);
	}
}

int main(void)
{
	struct suite *suite = suite_new();
	int status;

	corpus_read(&lines, "courier-lines.txt", LINE_FIELDS);
	corpus_read(&hostile, "courier-hostile.txt", LINE_FIELDS);
	corpus_read(&replies, "courier-replies.txt", REPLY_FIELDS);
	add_corpus(suite, scan, "scan", &lines);
	add_corpus(suite, scan, "scan", &hostile);
	SUITE_ROWS(suite, scan_address, address_rows);
	SUITE_ROWS(suite, pressure, pressure_rows);
	add_corpus(suite, reply_is, "reply_is", &replies);
	add_scans(suite);
	status = suite_run(suite, "courierlog");
	corpus_free(&lines);
	corpus_free(&hostile);
	corpus_free(&replies);
	return status;
}
