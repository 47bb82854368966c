/* systemd's configuration files, with the drop-ins that change them.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SYSTEMD_UNIT_H
#define SMTPBLOCKCTL_SYSTEMD_UNIT_H

#include "tool/check/host.h"

struct systemd_unit;

/* Read NAME and the drop-ins in NAME.d of systemd's directories in etc, run, usr/lib
 * and lib, the way systemd.unit(5) and journald.conf(5) say: of NAME and of each drop-in
 * the one in the first of these directories counts, and drop-ins are read in the order
 * of their names. directory is "/system" for units, "" for the rest. Returns 0, also if
 * nothing is there, and the caller owns *ret_file; -ENOMEM. */
int systemd_unit_read(const struct host *host, const char *name, const char *directory,
		      struct systemd_unit **ret_file);
/* NULL is allowed. */
void systemd_unit_free(struct systemd_unit *file);

/* The last assignment of this key, which holds where there can be only one; NULL:
 * none. */
const char *systemd_unit_last(const struct systemd_unit *file, const char *key);

/* no, false, off, 0 */
bool systemd_unit_is_off(const char *value);

/* Is word among the words of a list that is assigned to in several places, where one
 * that begins with ~ takes words away (systemd.exec(5))? Where there is no assignment
 * it is. An empty one begins anew: when_empty says what then holds. */
bool systemd_unit_lists(const struct systemd_unit *file, const char *key, const char *word,
			bool when_empty);

#endif
