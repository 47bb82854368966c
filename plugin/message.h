/* Extracts the engine's input from rsyslog's messages: a template and its parser.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_MESSAGE_H
#define OMSMTPBLOCK_MESSAGE_H

#include "engine/engine.h"

/* Each field costs time for every line, courier's or not. So there is a template with just
 * the fields that an action's settings need. */
enum message_form {
	MESSAGE_LINE,	/* the line and its sender's PID */
	MESSAGE_SENDER,	/* also the sender's user and executable: verify="sender" */
	MESSAGE_ADDRESS,	/* input="address": the message is the address */
	MESSAGE_FORM_COUNT
};

/* The form that the settings need. Any thread. */
enum message_form message_form_of(const struct settings *settings);

/* The name of the template, which is registered when the module is loaded. The blank in
 * front keeps it apart from users' templates. */
const char *message_template_name(enum message_form form);

/* The template's text, in the form of tplAddLine(). */
const char *message_template(enum message_form form);

/* Parse a message that the template of that form made; not for MESSAGE_ADDRESS. now is in
 * seconds since the epoch. Texts of *ret_msg point into record. */
void message_parse(enum message_form form, const char *record, int64_t now,
		   struct engine_message *ret_msg);

#endif
