/* Extracts the engine's input from rsyslog's messages: a template and its parser.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/message.h"

#include <stdlib.h>
#include <string.h>

/* Unit separator, \31 in the template. No field can contain it: drop-cc removes control
 * characters from fields that others can influence, and the message, which may contain
 * them, comes last. */
#define SEPARATOR '\x1f'

/* $! has the sender's credentials from the kernel, as set by imuxsock (with
 * SysSock.Annotate and ParseTrusted) and imjournal. */
#define BEFORE_SENDER "\"%inputname%\\31"				\
		      "%syslogseverity%\\31"				\
		      "%timereported:::date-unixtimestamp%\\31"
#define BEHIND_SENDER "%procid:::drop-cc%\\31"				\
		      "%programname:::drop-cc%\\31"			\
		      "%msg%\""

static const struct form {
	const char *name, *template;
} forms[MESSAGE_FORM_COUNT] = {
	[MESSAGE_LINE] = {
		" omsmtpblock",
		BEFORE_SENDER
		"%$!pid:::drop-cc%\\31"
		"%$!_PID:::drop-cc%\\31"
		BEHIND_SENDER
	},
	[MESSAGE_SENDER] = {
		" omsmtpblock-sender",
		BEFORE_SENDER
		"%$!pid:::drop-cc%\\31"
		"%$!uid:::drop-cc%\\31"
		"%$!exe:::drop-cc%\\31"
		"%$!_PID:::drop-cc%\\31"
		"%$!_UID:::drop-cc%\\31"
		"%$!_EXE:::drop-cc%\\31"
		BEHIND_SENDER
	},
	[MESSAGE_ADDRESS] = { " omsmtpblock-address", "\"%msg%\"" },
};

enum message_form message_form_of(const struct settings *settings)
{
	if (settings->input == INPUT_ADDRESS)
		return MESSAGE_ADDRESS;
	return settings->verify == VERIFY_SENDER ? MESSAGE_SENDER : MESSAGE_LINE;
}

const char *message_template_name(enum message_form form)
{
	return forms[form].name;
}

const char *message_template(enum message_form form)
{
	return forms[form].template;
}

static bool is_end(char ch)
{
	return ch == SEPARATOR || ch == '\0';
}

/* Fast path: half of the fields are empty, or "-". */
static const char *end_of(const char *field)
{
	if (is_end(*field))
		return field;
	return is_end(field[1]) ? field + 1 : strchrnul(field + 1, SEPARATOR);
}

/* At the end of the record, stay there. */
static const char *behind(const char *end)
{
	return *end == SEPARATOR ? end + 1 : end;
}

/* Each take_ function moves on to the next field. */
static size_t take_text(const char **at, const char **ret_text)
{
	const char *start = *at, *end = end_of(start);

	*ret_text = start;
	*at = behind(end);
	return (size_t)(end - start);
}

/* A decimal number that fills the field, up to max; -1 if the field has none. */
static int64_t take_number(const char **at, int64_t max)
{
	const char *start = *at, *p = start;
	unsigned int digit;
	uint64_t n = 0;
	bool good;

	for (; (digit = (unsigned int)*p - '0') <= 9; p++)
		n = n * 10 + digit;
	/* 18 digits cannot overflow. */
	good = is_end(*p) && p > start && p - start <= 18 && n <= (uint64_t)max;
	*at = behind(end_of(p));
	return good ? (int64_t)n : -1;
}

/* One digit. */
static int take_severity(const char **at)
{
	const char *field = *at, *end = end_of(field);
	unsigned int digit = (unsigned int)*field - '0';

	*at = behind(end);
	return end == field + 1 && digit <= 7 ? (int)digit : -1;
}

/* 0: none. */
static pid_t take_pid(const char **at)
{
	int64_t n;

	if (**at == SEPARATOR) {
		(*at)++;
		return 0;
	}
	n = take_number(at, INT32_MAX);
	return n > 0 ? (pid_t)n : 0;
}

/* A sender's credentials, from the kernel by way of an input. */
struct sender {
	pid_t pid;
	int64_t uid;		/* -1: unknown */
	const char *exe;
	size_t exe_len;
};

static void take_sender(const char **at, enum message_form form, struct sender *ret_sender)
{
	ret_sender->pid = take_pid(at);
	if (form != MESSAGE_SENDER)
		return;
	ret_sender->uid = take_number(at, UINT32_MAX - 1);
	ret_sender->exe_len = take_text(at, &ret_sender->exe);
}

static void attest(const struct sender *sender, struct engine_message *msg)
{
	msg->attested_pid = sender->pid;
	if (sender->pid == 0)
		return;
	msg->has_uid = sender->uid >= 0;
	if (msg->has_uid)
		msg->uid = (uid_t)sender->uid;
	msg->exe = sender->exe;
	msg->exe_len = sender->exe_len;
}

/* Only these two inputs get credentials from the kernel; $! of others is not trustworthy. */
static void take_senders(const char **at, enum message_form form, const char *input,
			 size_t input_len, struct engine_message *msg)
{
	struct sender imuxsock = { .uid = -1, .exe = "" }, imjournal = imuxsock;

	take_sender(at, form, &imuxsock);
	take_sender(at, form, &imjournal);
	if (input_len == strlen("imuxsock") &&
	    memcmp(input, "imuxsock", strlen("imuxsock")) == 0)
		attest(&imuxsock, msg);
	else if (input_len == strlen("imjournal") &&
		 memcmp(input, "imjournal", strlen("imjournal")) == 0)
		attest(&imjournal, msg);
}

void message_parse(enum message_form form, const char *record, int64_t now,
		   struct engine_message *ret_msg)
{
	const char *at = record, *input;
	size_t input_len = take_text(&at, &input);
	int64_t logged;

	*ret_msg = (struct engine_message){ .exe = "" };
	ret_msg->severity = take_severity(&at);
	logged = take_number(&at, INT64_MAX);
	ret_msg->age = logged >= 0 && logged < now ? now - logged : 0;
	take_senders(&at, form, input, input_len, ret_msg);
	ret_msg->hint_pid = take_pid(&at);
	ret_msg->tag_len = take_text(&at, &ret_msg->tag);
	ret_msg->text = at;
	ret_msg->text_len = strlen(at);
}
