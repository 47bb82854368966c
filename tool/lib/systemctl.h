/* What systemd says about a unit, by systemctl(1).
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SYSTEMCTL_H
#define SMTPBLOCKCTL_SYSTEMCTL_H

#include <stdbool.h>
#include <stddef.h>

#include "tool/lib/command.h"

/* Ask for properties, separated by commas, of the unit as it is loaded now. Returns 0 and the
 * caller frees *ret_text, lines of KEY=VALUE; -ENOENT: no systemctl; -EIO: it failed, for
 * example because systemd does not run; -ETIMEDOUT; -errno. */
int systemctl_show(const struct context *context, const char *unit, const char *properties,
		   char **ret_text);

/* The value of a property in such a text, without copying: *ret_len bytes, up to the end of
 * its line. NULL: systemd prints it only if it is set, or does not know it. */
const char *systemctl_value(const char *text, const char *key, size_t *ret_len);

/* Does the property have this value? */
bool systemctl_is(const char *text, const char *key, const char *value);

/* Does a list such as CapabilityBoundingSet allow the word? A list that begins with ~ has what
 * is forbidden. Without the property everything is allowed. Case is ignored. */
bool systemctl_allows(const char *text, const char *key, const char *word);

#endif
