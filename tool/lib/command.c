/* How subcommands report errors.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/command.h"

#include <stdarg.h>
#include <stdio.h>

#include "tool/lib/output.h"

/* A path and a sentence. */
#define TEXT_SIZE 8192

__attribute__((format(printf, 2, 0)))
static void complain(const struct context *context, const char *format, va_list args)
{
	char text[TEXT_SIZE];

	vsnprintf(text, sizeof(text), format, args);
	fprintf(context->err, "smtpblockctl: %s", output_clean(text));
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
