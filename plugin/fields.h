/* What of a message reaches the engine: one template, and its way back.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_FIELDS_H
#define OMSMTPBLOCK_FIELDS_H

#include "smtpblock.h"

/* Name of the template that is registered when the module is loaded. The blank
 * in front keeps it apart from those of users. */
#define FIELDS_TEMPLATE_NAME " omsmtpblock"

/* Its text, in the form of tplAddLine(). */
const char *fields_template(void);

/* The same for input="address", where the message is the address. */
#define FIELDS_ADDRESS_TEMPLATE_NAME " omsmtpblock-address"
const char *fields_address_template(void);

/* Take a message apart that was made by the template. now is in seconds since
 * the epoch. The texts of *ret_msg point into record. */
void fields_parse(const char *record, int64_t now,
		  struct smtpblock_message *ret_msg);

#endif
