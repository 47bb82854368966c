/* Make the changes of a plan, and take changes back.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_APPLY_H
#define SMTPBLOCKCTL_APPLY_H

#include "tool/setup/plan.h"

/* Make all changes, have rsyslogd verify its configuration, restart it, and wait until it runs
 * with the module. If anything fails, this run's changes are taken back. Reports what it does.
 * Returns a STATUS_. */
int apply_plan(const struct plan *plan);

/* Take back what all runs have changed, the last change first; a file that somebody changed
 * since stays. Returns a STATUS_. */
int apply_undo(const struct context *context);

/* Was a run interrupted before its changes were proven? Without permission to know: no. */
bool apply_is_interrupted(const struct context *context);

/* Print a line for people: nothing if the output is JSON. */
void apply_say(const struct context *context, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
