/* The words for line kinds and verdicts in the output.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_NAMES_H
#define SMTPBLOCKCTL_NAMES_H

#include "courier/courierlog.h"
#include "policy/policy.h"

/* The kind of a line, named after the trigger that covers it: "relay" is a reject with 513,
 * "auth" an error with 535, "protocol" any other error; "other" includes lines of unknown
 * form. Constant text. */
const char *names_kind(const struct courierlog_line *line);

/* "block", "ignore", "allowed" or "refused". */
const char *names_verdict(enum verdict verdict);

#endif
