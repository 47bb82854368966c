/* What of a message reaches the engine: a template, and its way back.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_MESSAGE_H
#define OMSMTPBLOCK_MESSAGE_H

#include "engine/engine.h"

/* Each field costs every line, courier's or not: the template has those that an action's
 * settings ask for. */
enum message_form {
	MESSAGE_LINE,	/* the line, and its sender's PID */
	MESSAGE_SENDER,	/* his user and executable too: verify="sender" */
	MESSAGE_ADDRESS,	/* input="address": the message is the address */
	MESSAGE_FORM_COUNT
};

/* Which of them that is. Any thread. */
enum message_form message_form_of(const struct settings *settings);

/* Name of the template, which is registered when the module is loaded. A blank in
 * front keeps it apart from those of users. */
const char *message_template_name(enum message_form form);

/* Its text, in the form of tplAddLine(). */
const char *message_template(enum message_form form);

/* Take a message apart that was made by the template of that form, which is not
 * MESSAGE_ADDRESS. now is in seconds since the epoch. The texts of *ret_msg point into
 * record. */
void message_parse(enum message_form form, const char *record, int64_t now,
		   struct engine_message *ret_msg);

#endif
