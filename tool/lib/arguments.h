/* The command line of a subcommand whose options are the module's parameters.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_ARGUMENTS_H
#define SMTPBLOCKCTL_ARGUMENTS_H

#include <stdbool.h>

/* Longest name of an option, NUL included. */
#define ARGUMENTS_NAME_SIZE 64

enum argument {
	ARGUMENT_END,
	ARGUMENT_OPERAND,	/* operand holds it */
	ARGUMENT_OPTION,	/* --NAME or --NAME=VALUE: name holds it */
	ARGUMENT_STRANGE,	/* -x, or an option with too long a name: operand */
};

struct arguments {
	int argc;
	char **argv;
	int at;			/* index of the next argument; starts at 1 */
	bool only_operands;	/* after "--" */
	const char *operand;
	char name[ARGUMENTS_NAME_SIZE];
	const char *value;	/* text after "="; NULL: none */
};

/* Parse the next argument. "-" is an operand. */
enum argument arguments_next(struct arguments *arguments);

/* The value of the current option: the text after "=", or else the next argument, which is
 * consumed. NULL: there is none. */
const char *arguments_value(struct arguments *arguments);

#endif
