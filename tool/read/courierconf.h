/* courier's esmtpd files: shell assignments, which its start scripts read with "." one
 * after the other.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_COURIERCONF_H
#define SMTPBLOCKCTL_COURIERCONF_H

#include <stdbool.h>
#include <stddef.h>

struct courierconf;

/* Create an empty configuration. Returns 0 and the caller owns *ret_conf; -ENOMEM. */
int courierconf_new(struct courierconf **ret_conf);
void courierconf_free(struct courierconf *conf);

/* Read a file; it overrides values read before. Returns 0; -errno; -EFBIG. */
int courierconf_read(struct courierconf *conf, const char *path);

/* The variable's value; NULL if it was never set. Valid until the next read. */
const char *courierconf_get(const struct courierconf *conf, const char *name);

/* The value as a number >= 0, or otherwise if it is not set, no such number, or conf is NULL. */
long courierconf_number(const struct courierconf *conf, const char *name, long otherwise);

/* Do the files contain more than assignments (commands, $(..))? Then the shell may compute
 * other values. */
bool courierconf_unsure(const struct courierconf *conf);

/* The next word of a value that the start script passes on unquoted, such as BLACKLISTS.
 * Quotation marks left in it group words only where the script passes it to another shell;
 * the scripts of esmtpd and esmtpd-ssl both do. Writes the word, cut if too long, and
 * advances *value. Returns the word's length; 0: no more words. */
size_t courierconf_word(const char **value, char *word, size_t size);

#endif
