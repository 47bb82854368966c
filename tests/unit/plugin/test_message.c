/* The parts of a message that reach the engine: the template, and its parser.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

#define NOW 1000000

/* A record, with '|' for its separator, and what is made of it: severity, age, PID, uid and
 * PID of the tag; executable, tag and text. */
static const struct row {
	const char *label, *record, *want;
} rows[] = {
	{ "imuxsock with credentials",
	  "imuxsock|3|999990|4711|102|/usr/sbin/x||||4712|courieresmtpd| error,relay=x",
	  "3 10 4711 102 4712 |/usr/sbin/x|courieresmtpd| error,relay=x" },
	{ "imuxsock without", "imuxsock|3|1000000|||||||-|courieresmtpd| started",
	  "3 0 0 - 0 ||courieresmtpd| started" },
	{ "imjournal", "imjournal|6|999999||||88|0|/usr/lib/courieresmtpd|88|t|m",
	  "6 1 88 0 88 |/usr/lib/courieresmtpd|t|m" },
	{ "imuxsock does not go by imjournal's properties", "imuxsock|3|0||||88|0|/x||t|m",
	  "3 1000000 0 - 0 ||t|m" },
	{ "imjournal does not go by imuxsock's properties", "imjournal|3|0|88|0|/x|||||t|m",
	  "3 1000000 0 - 0 ||t|m" },
	{ "a remote sender is nobody", "imudp|3|0|88|102|/x|88|102|/x|99|t|m",
	  "3 1000000 0 - 99 ||t|m" },
	{ "an input that begins like one", "imuxsock2|3|0|88|102|/x|||||t|m",
	  "3 1000000 0 - 0 ||t|m" },
	{ "uid missing", "imuxsock|3|0|88|||||||t|m", "3 1000000 88 - 0 ||t|m" },
	{ "uid that stands for none", "imuxsock|3|0|88|4294967295||||||t|m",
	  "3 1000000 88 - 0 ||t|m" },
	{ "PID is no number", "imuxsock|3|0|8x|102|/x||||9x|t|m", "3 1000000 0 - 0 ||t|m" },
	{ "PID 0", "imuxsock|3|0|0|102|/x||||0|t|m", "3 1000000 0 - 0 ||t|m" },
	{ "PID negative", "imuxsock|3|0|-5|102|/x||||-5|t|m", "3 1000000 0 - 0 ||t|m" },
	{ "PID larger than any", "imuxsock|3|0|2147483648|0|||||99999999999999999999|t|m",
	  "3 1000000 0 - 0 ||t|m" },
	{ "PID of 18 digits, the most that are read",
	  "imuxsock|3|0|000000000000004711|0|||||000000000000004712|t|m",
	  "3 1000000 4711 0 4712 ||t|m" },
	{ "PID of 19 digits", "imuxsock|3|0|0000000000000004711|0|||||0000000000000004712|t|m",
	  "3 1000000 0 - 0 ||t|m" },
	{ "PID of 20 digits that overflows to a small one",
	  "imuxsock|3|0|18446744073709556327|0|||||18446744073709556328|t|m",
	  "3 1000000 0 - 0 ||t|m" },
	{ "time in the future", "imuxsock|3|1000005||||||||t|m", "3 0 0 - 0 ||t|m" },
	{ "time missing", "imuxsock|3|||||||||t|m", "3 0 0 - 0 ||t|m" },
	{ "severity missing", "imuxsock||0||||||||t|m", "-1 1000000 0 - 0 ||t|m" },
	{ "severity unknown", "imuxsock|8|0||||||||t|m", "-1 1000000 0 - 0 ||t|m" },
	{ "separators in the message are text", "imuxsock|3|0||||||||t|a|b|c",
	  "3 1000000 0 - 0 ||t|a|b|c" },
	{ "empty message", "imuxsock|3|0||||||||t|", "3 1000000 0 - 0 ||t|" },
	{ "no separators", "garbage", "-1 0 0 - 0 |||" },
	{ "nothing", "", "-1 0 0 - 0 |||" },
};

/* Parse a record of these fields, and describe it as in the table. */
static void want_message(enum message_form form, const char *text, const char *want)
{
	char *record = support_exact_copy(text, strlen(text) + 1), got[512], uid[16] = "-", *at;
	struct engine_message msg;

	for (at = strchr(record, '|'); at; at = strchr(at, '|'))
		*at = '\x1f';
	message_parse(form, record, NOW, &msg);
	if (msg.has_uid)
		snprintf(uid, sizeof(uid), "%u", msg.uid);
	snprintf(got, sizeof(got), "%d %jd %d %s %d |%.*s|%.*s|%.*s", msg.severity,
		 (intmax_t)msg.age, msg.attested_pid, uid, msg.hint_pid, (int)msg.exe_len, msg.exe,
		 (int)msg.tag_len, msg.tag, (int)msg.text_len, msg.text);
	for (at = strchr(got, '\x1f'); at; at = strchr(at, '\x1f'))
		*at = '|';
	want_str(got, want);
	want_int(msg.has_uid || msg.uid == 0, true);
	want_int(strnlen(msg.exe, msg.exe_len) == msg.exe_len &&
		 strnlen(msg.tag, msg.tag_len) == msg.tag_len &&
		 strnlen(msg.text, msg.text_len) == msg.text_len, true);
	free(record);
}

TEST_ROWS(parse, rows)
{
	want_message(MESSAGE_SENDER, row->record, row->want);
}

/* The same record as the other template makes it: it has the user and the executable of
 * neither input. */
TEST_ROWS(parse_line, rows)
{
	int field = 0, severity, age, pid, hint;
	char record[256], want[256];
	const char *from;
	size_t len = 0;

	for (from = row->record; *from; from++) {
		if (field < 4 || field == 6 || field > 8)
			record[len++] = *from;
		field += *from == '|';
	}
	record[len] = '\0';
	want_int(sscanf(row->want, "%d %d %d %*s %d", &severity, &age, &pid, &hint), 4);
	from = strchr(strchr(row->want, '|') + 1, '|');
	snprintf(want, sizeof(want), "%d %d %d - %d |%s", severity, age, pid, hint, from);
	want_message(MESSAGE_LINE, record, want);
}

/* Only verify="sender" checks the sender. */
static const struct form_row {
	const char *label, *set;
	enum message_form want;
	const char *name;
} form_rows[] = {
	{ "verify=child", "verify=child", MESSAGE_LINE, " omsmtpblock" },
	{ "verify=none", "verify=none", MESSAGE_LINE, " omsmtpblock" },
	{ "verify=sender", "verify=sender", MESSAGE_SENDER, " omsmtpblock-sender" },
	{ "addresses", "input=address verify=none", MESSAGE_ADDRESS, " omsmtpblock-address" },
};

TEST_ROWS(form_fits_settings, form_rows)
{
	struct settings settings;

	want_int(settings_init(&settings), 0);
	support_set(&settings, row->set);
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
