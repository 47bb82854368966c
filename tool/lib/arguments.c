/* The command line of a subcommand whose options are the module's parameters.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/arguments.h"

#include <string.h>

static enum argument take_option(struct arguments *a, const char *text)
{
	size_t len = strcspn(text, "=");

	a->operand = text - 2;
	if (len == 0 || len >= sizeof(a->name))
		return ARGUMENT_STRANGE;
	memcpy(a->name, text, len);
	a->name[len] = '\0';
	a->value = text[len] ? text + len + 1 : NULL;
	return ARGUMENT_OPTION;
}

enum argument arguments_next(struct arguments *arguments)
{
	const char *text;

	if (arguments->at >= arguments->argc)
		return ARGUMENT_END;
	text = arguments->argv[arguments->at++];
	arguments->operand = text;
	if (arguments->only_operands || text[0] != '-' || text[1] == '\0')
		return ARGUMENT_OPERAND;
	if (text[1] != '-')
		return ARGUMENT_STRANGE;
	if (text[2] != '\0')
		return take_option(arguments, text + 2);
	arguments->only_operands = true;
	return arguments_next(arguments);
}

const char *arguments_value(struct arguments *arguments)
{
	if (!arguments->value && arguments->at < arguments->argc)
		arguments->value = arguments->argv[arguments->at++];
	return arguments->value;
}
