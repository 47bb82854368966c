/* What of a message reaches the engine: a template, and its way back.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_FIELDS_H
#define OMSMTPBLOCK_FIELDS_H

#include "engine/engine.h"

/* Each field costs every line, courier's or not: the template has those that an action's
 * settings ask for. */
enum fields_form {
	FIELDS_LINE,	/* the line, and its sender's PID */
	FIELDS_SENDER,	/* his user and executable too: verify="sender" */
	FIELDS_ADDRESS,	/* input="address": the message is the address */
	FIELDS_FORM_COUNT
};

/* Which of them that is. Any thread. */
enum fields_form fields_form_of(const struct settings *settings);

/* Name of the template, which is registered when the module is loaded. A blank in
 * front keeps it apart from those of users. */
const char *fields_template_name(enum fields_form form);

/* Its text, in the form of tplAddLine(). */
const char *fields_template(enum fields_form form);

/* Take a message apart that was made by the template of that form, which is not
 * FIELDS_ADDRESS. now is in seconds since the epoch. The texts of *ret_msg point into
 * record. */
void fields_parse(enum fields_form form, const char *record, int64_t now,
		  struct engine_message *ret_msg);

#endif
