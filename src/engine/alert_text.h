/* The texts of alerts: what is wrong and what to type.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ALERT_TEXT_H
#define SMTPBLOCK_ALERT_TEXT_H

#include "blocklist/blocklist.h"
#include "policy/settings.h"
#include "status/alerts.h"

/* Longest text, NUL included. */
#define ALERT_TEXT_SIZE 960

/* Write the text of an alert. detail is the number that was raised with the alert; names of
 * lists and users come from settings. *ret_severity is syslog's. Returns buf. */
char *alert_text_format(enum alert id, int detail, const struct settings *settings,
			struct blocklist *blocklist, int *ret_severity,
			char buf[static ALERT_TEXT_SIZE]);

/* The text of ALERT_PROXY. */
const char *alert_text_proxy(const struct settings *settings);

/* Make a text safe to log: anything but printable ASCII becomes '?', and so do quotation
 * marks and backslashes. size counts the NUL. Returns buf. */
char *alert_text_clean(const char *text, size_t len, char *buf, size_t size);

#endif
