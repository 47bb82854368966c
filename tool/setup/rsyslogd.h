/* rsyslogd: verify its configuration, restart it, see what it runs with.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RSYSLOGD_H
#define SMTPBLOCKCTL_RSYSLOGD_H

#include <sys/types.h>

#include "tool/lib/command.h"

/* What else was changed besides rsyslog's configuration. */
enum {
	RSYSLOGD_UNIT = 1,	/* the unit's drop-in */
	RSYSLOGD_APPARMOR = 2,	/* its AppArmor profile */
};

/* Run rsyslogd -N1, and have apparmor_parser read the profile if it was changed. Reports what is
 * wrong. Returns whether both pass. */
bool rsyslogd_verify(const struct context *context, unsigned int changed);

/* Load the unit and the profile again if they were changed, and restart rsyslogd. only_running:
 * not if it does not run. Reports what fails. Returns whether all succeed. */
bool rsyslogd_restart(const struct context *context, unsigned int changed, bool only_running);

/* Wait, at most 10 s, until the unit's rsyslogd runs with the module. Returns 0, with its PID;
 * -ESRCH: it does not run; -ENOENT: it runs without the module; -EHOSTDOWN: systemd does not run;
 * -errno: its memory map cannot be read. */
int rsyslogd_wait(const struct context *context, pid_t *ret_pid);

/* The same, without waiting. */
int rsyslogd_look(const struct context *context, pid_t *ret_pid);

#endif
