/* How subcommands report errors.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/command.h"

#include <stdarg.h>

__attribute__((format(printf, 2, 0)))
static void complain(const struct context *context, const char *format, va_list args)
{
	fputs("smtpblockctl: ", context->err);
	vfprintf(context->err, format, args);
}

int failed(const struct context *context, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(context, format, args);
	va_end(args);
	fputc('\n', context->err);
	return STATUS_FAILED;
}

int usage_error(const struct context *context, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(context, format, args);
	va_end(args);
	fputs(" (see smtpblockctl --help)\n", context->err);
	return STATUS_USAGE;
}
