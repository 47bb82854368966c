/* Reads an action's parameters in rsyslog.conf into settings.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_PARAMS_H
#define OMSMTPBLOCK_PARAMS_H

#include "rsyslog.h"

#include "policy/settings.h"

struct nvlst;

/* Start from the defaults, apply lst, and check the result. Errors are reported to rsyslog
 * with file and line, so that rsyslogd -N1 shows them; all parameters are tried before this
 * fails. Returns RS_RET_OK, and the caller frees *ret_settings with settings_done(); or
 * RS_RET_PARAM_ERROR, RS_RET_OUT_OF_MEMORY with nothing to free. */
rsRetVal params_read(struct nvlst *lst, struct settings *ret_settings);

/* Warn about the action that is being read, with its file and line. */
void params_warn_of_action(const char *text);

/* Warn about the configuration: "omsmtpblock: WHAT "NAME" WHY". With rsyslogd -N1, which
 * does not show warnings, it goes to standard error. */
void params_warn(const char *what, const char *name, const char *why);

/* Is this rsyslogd -N1? */
bool params_is_validation(void);

#endif
