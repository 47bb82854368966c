/* The sentences for the admin: what is wrong and what to type.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ADVICE_H
#define SMTPBLOCK_ADVICE_H

#include "blocklist/blocklist.h"
#include "policy/settings.h"
#include "status/notices.h"

/* Longest sentence, NUL included. */
#define ADVICE_SIZE 960

/* The sentence for a notice, with the list's or user's name of these settings.
 * detail is the number that was raised with it. *ret_severity is syslog's.
 * Returns buf. */
char *advice_format(enum notice id, int detail, const struct settings *settings,
		    struct blocklist *blocklist, int *ret_severity,
		    char buf[static ADVICE_SIZE]);

/* Make a text safe to log: printable ASCII stays, anything else becomes '?', and
 * a quotation mark or backslash too. size counts the NUL. Returns buf. */
char *advice_clean(const char *text, size_t len, char *buf, size_t size);

#endif
