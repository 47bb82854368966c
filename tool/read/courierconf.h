/* courier's esmtpd files: assignments in the language of the shell, which its start
 * scripts read with "." one after the other.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_COURIERCONF_H
#define SMTPBLOCKCTL_COURIERCONF_H

#include <stdbool.h>
#include <stddef.h>

struct courierconf;

/* An empty one. Returns 0 and the caller owns *ret_conf; -ENOMEM. */
int courierconf_new(struct courierconf **ret_conf);
void courierconf_free(struct courierconf *conf);

/* Read a file, on top of what was read before. Returns 0; -errno; -EFBIG. */
int courierconf_read(struct courierconf *conf, const char *path);

/* The variable's value; NULL if it was never set. Valid until the next read. */
const char *courierconf_get(const struct courierconf *conf, const char *name);

/* As a number that is not negative; otherwise where it is not set, or none. */
long courierconf_number(const struct courierconf *conf, const char *name, long otherwise);

/* There was more in the files than assignments (commands, $(..)), so a value may not
 * be what the shell makes of it. */
bool courierconf_unsure(const struct courierconf *conf);

/* The next word of a value that the start script hands on unquoted, such as
 * BLACKLISTS: quotation marks that are left in it keep blanks together only where the
 * script hands it to another shell, which those of esmtpd and esmtpd-ssl both do.
 * Returns the length that it writes into word, which is moved on in *value; 0: no
 * more. A word that is too long is cut. */
size_t courierconf_word(const char **value, char *word, size_t size);

#endif
