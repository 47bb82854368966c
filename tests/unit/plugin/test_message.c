/* The parts of a message that reach the engine: the template, and its parser.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/message.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

#define S "\x1f"
#define NOW 1000000

/* A record, and the expected result. */
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
	{ "PID is no number", "imuxsock" S "3" S "0" S "8x" S "102" S "/x" S S S S "9x" S "t" S "m",
	  3, NOW, 0, false, 0, "", 0, "t", "m" },
	{ "PID 0", "imuxsock" S "3" S "0" S "0" S "102" S "/x" S S S S "0" S "t" S "m", 3, NOW, 0,
	  false, 0, "", 0, "t", "m" },
	{ "PID negative", "imuxsock" S "3" S "0" S "-5" S "102" S "/x" S S S S "-5" S "t" S "m", 3,
	  NOW, 0, false, 0, "", 0, "t", "m" },
	{ "PID larger than any", "imuxsock" S "3" S "0" S "2147483648" S "0" S S S S S
	  "99999999999999999999" S "t" S "m",
	  3, NOW, 0, false, 0, "", 0, "t", "m" },
	{ "PID of 18 digits, the most that are read", "imuxsock" S "3" S "0" S
	  "000000000000004711" S "0" S S S S S "000000000000004712" S "t" S "m",
	  3, NOW, 4711, true, 0, "", 4712, "t", "m" },
	{ "PID of 19 digits", "imuxsock" S "3" S "0" S "0000000000000004711" S "0" S S S S S
	  "0000000000000004712" S "t" S "m",
	  3, NOW, 0, false, 0, "", 0, "t", "m" },
	{ "PID of 20 digits that overflows to a small one", "imuxsock" S "3" S "0" S
	  "18446744073709556327" S "0" S S S S S "18446744073709556328" S "t" S "m",
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

static void want_message(enum message_form form, const char *text, const struct row *row)
{
	char *record = support_exact_copy(text, strlen(text) + 1);
	struct engine_message msg;

	message_parse(form, record, NOW, &msg);
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

TEST_ROWS(parse, rows)
{
	want_message(MESSAGE_SENDER, row->record, row);
}

/* The same record as the other template makes it: it has the user and the executable of
 * neither input. */
TEST_ROWS(parse_line, rows)
{
	struct row want = *row;
	char record[256];
	const char *from;
	size_t len = 0;
	int field = 0;

	for (from = row->record; *from; from++) {
		if (field < 4 || field == 6 || field > 8)
			record[len++] = *from;
		field += *from == '\x1f';
	}
	record[len] = '\0';
	want.has_uid = false;
	want.uid = 0;
	want.exe = "";
	want_message(MESSAGE_LINE, record, &want);
}

/* Only verify="sender" checks the sender. */
static const struct form_row {
	const char *label, *input, *verify;
	enum message_form want;
	const char *name;
} form_rows[] = {
	{ "verify=child", "courier", "child", MESSAGE_LINE, " omsmtpblock" },
	{ "verify=none", "courier", "none", MESSAGE_LINE, " omsmtpblock" },
	{ "verify=sender", "courier", "sender", MESSAGE_SENDER, " omsmtpblock-sender" },
	{ "addresses", "address", "none", MESSAGE_ADDRESS, " omsmtpblock-address" },
};

TEST_ROWS(form_fits_settings, form_rows)
{
	struct settings settings;
	char wrong[256];

	want_int(settings_init(&settings), 0);
	want_int(settings_set(&settings, "input", row->input, wrong, sizeof(wrong)), 0);
	want_int(settings_set(&settings, "verify", row->verify, wrong, sizeof(wrong)), 0);
	want_int(message_form_of(&settings), row->want);
	want_str(message_template_name(row->want), row->name);
	settings_done(&settings);
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		n++;
	return n;
}

static const struct template_row {
	const char *label;
	enum message_form form;
	size_t fields, told;
} template_rows[] = {
	{ "line", MESSAGE_LINE, 7, 2 },
	{ "sender", MESSAGE_SENDER, 11, 6 },
};

/* As many separators as there are fields before the message, in decimal as tplAddLine() reads
 * it; fields that a sender controls drop control characters. */
TEST_ROWS(template_fits, template_rows)
{
	const char *t = message_template(row->form);

	want_int(count(t, "\\31"), row->fields);
	want_int(count(t, "%$!"), row->told);
	want_int(count(t, ":::drop-cc%"), row->told + 2);
	want_int(strncmp(t, "\"%inputname%\\31", 15), 0);
	want_int(strcmp(t + strlen(t) - 6, "%msg%\""), 0);
}

TEST(address_is_the_message)
{
	want_str(message_template(MESSAGE_ADDRESS), "\"%msg%\"");
}
