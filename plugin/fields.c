/* What of a message reaches the engine: one template, and its way back.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

#include <stdlib.h>
#include <string.h>

/* Unit separator, \31 in the template. No field can hold one: those that others
 * have a hand in drop control characters, and the message, which need not,
 * comes last. */
#define SEPARATOR '\x1f'

/* The fields before the message, in the template's order. $! is what imuxsock
 * (with SysSock.Annotate and ParseTrusted) and imjournal were told about the
 * sender by the kernel. */
enum field {
	FIELD_INPUT,
	FIELD_SEVERITY,
	FIELD_TIME,
	FIELD_IMUXSOCK_PID,
	FIELD_IMUXSOCK_UID,
	FIELD_IMUXSOCK_EXE,
	FIELD_IMJOURNAL_PID,
	FIELD_IMJOURNAL_UID,
	FIELD_IMJOURNAL_EXE,
	FIELD_PROCID,
	FIELD_TAG,
	FIELD_COUNT
};

struct field_text {
	const char *at;
	size_t len;
};

const char *fields_template(void)
{
	return "\"%inputname%\\31"
	       "%syslogseverity%\\31"
	       "%timereported:::date-unixtimestamp%\\31"
	       "%$!pid:::drop-cc%\\31"
	       "%$!uid:::drop-cc%\\31"
	       "%$!exe:::drop-cc%\\31"
	       "%$!_PID:::drop-cc%\\31"
	       "%$!_UID:::drop-cc%\\31"
	       "%$!_EXE:::drop-cc%\\31"
	       "%procid:::drop-cc%\\31"
	       "%programname:::drop-cc%\\31"
	       "%msg%\"";
}

const char *fields_address_template(void)
{
	return "\"%msg%\"";
}

/* A decimal number that fills the field, up to max; -1: it is none. */
static int64_t number(const struct field_text *f, int64_t max)
{
	int64_t n = 0;
	size_t i;

	if (f->len == 0 || f->len > 18)
		return -1;
	for (i = 0; i < f->len; i++) {
		unsigned int digit = (unsigned int)f->at[i] - '0';

		if (digit > 9)
			return -1;
		n = n * 10 + digit;
	}
	return n <= max ? n : -1;
}

static bool is_text(const struct field_text *f, const char *text)
{
	return f->len == strlen(text) && memcmp(f->at, text, f->len) == 0;
}

static pid_t pid_in(const struct field_text *f)
{
	int64_t n = number(f, INT32_MAX);

	return n > 0 ? (pid_t)n : 0;
}

/* f points at the PID; uid and executable follow it. */
static void parse_sender(const struct field_text *f, struct smtpblock_message *msg)
{
	int64_t uid = number(&f[1], UINT32_MAX - 1);

	msg->attested_pid = pid_in(&f[0]);
	if (msg->attested_pid == 0)
		return;
	msg->has_uid = uid >= 0;
	if (msg->has_uid)
		msg->uid = (uid_t)uid;
	msg->exe = f[2].at;
	msg->exe_len = f[2].len;
}

static const char *split(const char *record,
			 struct field_text fields[static FIELD_COUNT])
{
	unsigned int i;

	for (i = 0; i < FIELD_COUNT; i++) {
		/* Half of them are empty. */
		const char *end = *record == SEPARATOR ?
					  record :
					  strchrnul(record, SEPARATOR);

		fields[i].at = record;
		fields[i].len = (size_t)(end - record);
		record = *end ? end + 1 : end;
	}
	return record;
}

void fields_parse(const char *record, int64_t now,
		  struct smtpblock_message *ret_msg)
{
	struct field_text f[FIELD_COUNT];
	const char *text = split(record, f);
	int64_t logged = number(&f[FIELD_TIME], INT64_MAX);

	*ret_msg = (struct smtpblock_message){
		.severity = (int)number(&f[FIELD_SEVERITY], 7),
		.age = logged >= 0 && logged < now ? now - logged : 0,
		.tag = f[FIELD_TAG].at,
		.tag_len = f[FIELD_TAG].len,
		.text = text,
		.text_len = strlen(text),
		.exe = "",
		.hint_pid = pid_in(&f[FIELD_PROCID]),
	};
	/* Only these two inputs ask the kernel; anybody else's $! is hearsay. */
	if (is_text(&f[FIELD_INPUT], "imuxsock"))
		parse_sender(&f[FIELD_IMUXSOCK_PID], ret_msg);
	else if (is_text(&f[FIELD_INPUT], "imjournal"))
		parse_sender(&f[FIELD_IMJOURNAL_PID], ret_msg);
}
