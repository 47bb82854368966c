/* systemd's configuration files and their drop-ins.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SYSTEMD_UNIT_H
#define SMTPBLOCKCTL_SYSTEMD_UNIT_H

#include "tool/check/host.h"

struct systemd_unit;

/* Read NAME and the drop-ins in NAME.d from systemd's directories in etc, run, usr/lib and
 * lib, as systemd.unit(5) and journald.conf(5) define it: the first directory that has a
 * file counts, and drop-ins are read in the order of their names. directory is "/system" for
 * units, "" otherwise. Returns 0, even if nothing exists, and the caller owns *ret_file;
 * -ENOMEM. */
int systemd_unit_read(const struct host *host, const char *name, const char *directory,
		      struct systemd_unit **ret_file);
/* NULL is allowed. */
void systemd_unit_free(struct systemd_unit *file);

/* The last assignment of a key, which is the one that counts for single values; NULL: none. */
const char *systemd_unit_last(const struct systemd_unit *file, const char *key);

/* no, false, off, 0 */
bool systemd_unit_is_off(const char *value);

/* Is word in a list that is assigned in several places, where an assignment that begins with
 * ~ removes words (systemd.exec(5))? Without any assignment it is. An empty assignment
 * resets the list: when_empty is the result then. */
bool systemd_unit_lists(const struct systemd_unit *file, const char *key, const char *word,
			bool when_empty);

#endif
