/* The kernel's module xt_recent.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/recent.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static bool exists(const char *directory, const char *rest, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s%s%s", directory, rest, name);

	return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
}

/* A module that is built in has no initstate in /sys/module (kernel/module). */
bool recent_is_built_in(const struct context *context)
{
	return exists(context->module_root, "/xt_recent", "") &&
	       !exists(context->module_root, "/xt_recent/initstate", "");
}

bool recent_has_list(const struct context *context, const char *name)
{
	return exists(context->net_root, "/xt_recent/", name) ||
	       exists(context->net_root, "/ipt_recent/", name);
}
