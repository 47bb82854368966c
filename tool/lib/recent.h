/* The kernel's module xt_recent.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RECENT_H
#define SMTPBLOCKCTL_RECENT_H

#include <stdbool.h>

#include "tool/lib/command.h"

/* Entries that a list should have room for: a wave has thousands of addresses. */
#define RECENT_CAPACITY 5000

/* Is it part of the kernel, so that its parameters are set at boot? */
bool recent_is_built_in(const struct context *context);

/* Is the list there? The kernel makes it with the first rule that names it. */
bool recent_has_list(const struct context *context, const char *name);

#endif
