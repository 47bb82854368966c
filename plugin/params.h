/* From an action's parameters in rsyslog.conf to settings.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_PARAMS_H
#define OMSMTPBLOCK_PARAMS_H

#include "rsyslog.h"

#include "policy/settings.h"

struct nvlst;

/* Set what lst says on top of the defaults, and check the whole. Every complaint
 * goes to rsyslog with file and line, so that rsyslogd -N1 shows it; all
 * parameters are looked at before it fails. Returns RS_RET_OK with *settings the
 * caller's to settings_done(), or RS_RET_PARAM_ERROR, RS_RET_OUT_OF_MEMORY with
 * nothing to free. */
rsRetVal params_read(struct nvlst *lst, struct settings *ret_settings);

/* Warn of something in the configuration: "omsmtpblock: WHAT "NAME" WHY". Also
 * rsyslogd -N1 shows it, which has no eye for warnings of its own. */
void params_warn(const char *what, const char *name, const char *why);

#endif
