/* What of a message reaches the engine: one template, and its way back.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "../../plugin/fields.h"

#include <stdlib.h>
#include <string.h>

#include "support.h"

#define S "\x1f"
#define NOW 1000000

/* A record, and what has to come out of it. */
static const struct row {
	const char *label, *record;
	int severity;
	int64_t age;
	pid_t attested;
	bool has_uid;
	uid_t uid;
	const char *exe;
	pid_t hint;
	const char *tag, *text;
} rows[] = {
	{ "imuxsock with credentials",
	  "imuxsock" S "3" S "999990" S "4711" S "102" S "/usr/sbin/x" S S S S
	  "4712" S "courieresmtpd" S " error,relay=x",
	  3, 10, 4711, true, 102, "/usr/sbin/x", 4712, "courieresmtpd",
	  " error,relay=x" },
	{ "imuxsock without", "imuxsock" S "3" S "1000000" S S S S S S S "-" S
	  "courieresmtpd" S " started",
	  3, 0, 0, false, 0, "", 0, "courieresmtpd", " started" },
	{ "imjournal", "imjournal" S "6" S "999999" S S S S "88" S "0" S
	  "/usr/lib/courieresmtpd" S "88" S "t" S "m",
	  6, 1, 88, true, 0, "/usr/lib/courieresmtpd", 88, "t", "m" },
	{ "imuxsock does not go by imjournal's properties",
	  "imuxsock" S "3" S "0" S S S S "88" S "0" S "/x" S "" S "t" S "m", 3,
	  NOW, 0, false, 0, "", 0, "t", "m" },
	{ "imjournal does not go by imuxsock's properties",
	  "imjournal" S "3" S "0" S "88" S "0" S "/x" S S S S "" S "t" S "m", 3,
	  NOW, 0, false, 0, "", 0, "t", "m" },
	{ "a remote sender is nobody", "imudp" S "3" S "0" S "88" S "102" S "/x" S
	  "88" S "102" S "/x" S "99" S "t" S "m",
	  3, NOW, 0, false, 0, "", 99, "t", "m" },
	{ "an input that begins like one", "imuxsock2" S "3" S "0" S "88" S "102" S
	  "/x" S S S S "" S "t" S "m",
	  3, NOW, 0, false, 0, "", 0, "t", "m" },
	{ "uid missing", "imuxsock" S "3" S "0" S "88" S S S S S S S "t" S "m", 3,
	  NOW, 88, false, 0, "", 0, "t", "m" },
	{ "uid that stands for none", "imuxsock" S "3" S "0" S "88" S "4294967295" S
	  S S S S S "t" S "m",
	  3, NOW, 88, false, 0, "", 0, "t", "m" },
	{ "PID is no number", "imuxsock" S "3" S "0" S "8x" S "102" S "/x" S S S S
	  "9x" S "t" S "m",
	  3, NOW, 0, false, 0, "", 0, "t", "m" },
	{ "PID 0", "imuxsock" S "3" S "0" S "0" S "102" S "/x" S S S S "0" S "t" S
	  "m",
	  3, NOW, 0, false, 0, "", 0, "t", "m" },
	{ "PID negative", "imuxsock" S "3" S "0" S "-5" S "102" S "/x" S S S S "-5" S
	  "t" S "m",
	  3, NOW, 0, false, 0, "", 0, "t", "m" },
	{ "PID larger than any", "imuxsock" S "3" S "0" S "2147483648" S "0" S S S S S
	  "99999999999999999999" S "t" S "m",
	  3, NOW, 0, false, 0, "", 0, "t", "m" },
	{ "time in the future", "imuxsock" S "3" S "1000005" S S S S S S S S "t" S "m",
	  3, 0, 0, false, 0, "", 0, "t", "m" },
	{ "time missing", "imuxsock" S "3" S S S S S S S S S "t" S "m", 3, 0, 0,
	  false, 0, "", 0, "t", "m" },
	{ "severity missing", "imuxsock" S S "0" S S S S S S S S "t" S "m", -1, NOW, 0,
	  false, 0, "", 0, "t", "m" },
	{ "severity unknown", "imuxsock" S "8" S "0" S S S S S S S S "t" S "m", -1,
	  NOW, 0, false, 0, "", 0, "t", "m" },
	{ "separators in the message are text", "imuxsock" S "3" S "0" S S S S S S S S
	  "t" S "a" S "b" S "c",
	  3, NOW, 0, false, 0, "", 0, "t", "a" S "b" S "c" },
	{ "empty message", "imuxsock" S "3" S "0" S S S S S S S S "t" S, 3, NOW, 0,
	  false, 0, "", 0, "t", "" },
	{ "no separators", "garbage", -1, 0, 0, false, 0, "", 0, "", "" },
	{ "nothing", "", -1, 0, 0, false, 0, "", 0, "", "" },
};

static void want_text(const char *got, size_t len, const char *want)
{
	want_int(len, strlen(want));
	want_mem(got, want, len);
}

static void parse(void **state)
{
	const struct row *row = *state;
	char *record = support_exact_copy(row->record, strlen(row->record) + 1);
	struct smtpblock_message msg;

	fields_parse(record, NOW, &msg);
	want_int(msg.severity, row->severity);
	want_int(msg.age, row->age);
	want_int(msg.attested_pid, row->attested);
	want_int(msg.has_uid, row->has_uid);
	want_int(msg.uid, row->uid);
	want_text(msg.exe, msg.exe_len, row->exe);
	want_int(msg.hint_pid, row->hint);
	want_text(msg.tag, msg.tag_len, row->tag);
	want_text(msg.text, msg.text_len, row->text);
	free(record);
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		n++;
	return n;
}

/* As many separators as there are fields before the message, in decimal as
 * tplAddLine() reads it; what a sender may choose drops control characters. */
static void template_fits(void **state)
{
	const char *t = fields_template();

	(void)state;
	want_int(count(t, "\\31"), 11);
	want_int(count(t, "%$!"), 6);
	want_int(count(t, ":::drop-cc%"), 8);
	want_int(strncmp(t, "\"%inputname%\\31", 15), 0);
	want_int(strcmp(t + strlen(t) - 6, "%msg%\""), 0);
	want_str(fields_address_template(), "\"%msg%\"");
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_ROWS(suite, parse, rows);
	SUITE_TEST(suite, template_fits);
	return suite_run(suite, "fields");
}
