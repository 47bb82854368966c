/* smtpblockctl: the subcommands, the options before them, and the help text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tool/lib/command.h"
#include "config.h"

/* In the order of the help. */
static const struct command *const commands[] = {
	&command_list,
	&command_add,
	&command_del,
	&command_flush,
	&command_status,
	&command_setup,
	&command_check,
	&command_test,
	&command_replay,
	&command_why,
	NULL,
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int help(const struct context *context)
{
	size_t i;

	fputs("Usage: smtpblockctl [--json] [--config FILE] COMMAND [ARGUMENT...]\n\n"
	      "Show and change what omsmtpblock blocks, and set it up.\n\n",
	      context->out);
	for (i = 0; commands[i]; i++)
		fprintf(context->out, "  %-9s %-22s %s\n", commands[i]->name,
			commands[i]->arguments, commands[i]->summary);
	fputs("\n"
	      "  --json         print JSON: one document, or one object per line\n"
	      "  --config FILE  rsyslog's configuration, by default /etc/rsyslog.conf\n"
	      "\n"
	      "\"smtpblockctl COMMAND --help\" describes a command. Exit status: 0 success,\n"
	      "1 failure, 2 usage error.\n",
	      context->out);
	return STATUS_DONE;
}

static int help_with(const struct context *context, const struct command *command)
{
	fprintf(context->out, "Usage: smtpblockctl %s %s\n\n%s.\n\n%s", command->name,
		command->arguments, command->summary, command->help);
	return STATUS_DONE;
}

static bool wants_help(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

static int run(struct context *context, int argc, char **argv)
{
	const struct command *command;

	if (argc == 0)
		return usage_error(context, "no command given");
	command = find_command(argv[0]);
	if (!command)
		return usage_error(context, "unknown command \"%s\"", argv[0]);
	if (wants_help(argc, argv))
		return help_with(context, command);
	optind = 0;
	return command->run(context, argc, argv);
}

/* Parse the options before the subcommand. Returns a STATUS_, or -1 to continue. */
static int read_options(struct context *context, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int option, at = optind ? optind : 1;

	/* getopt's own messages print the argument as it is. */
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		if (option == 'j')
			context->json = true;
		else if (option == 'c')
			context->config = optarg, context->config_given = true;
		else if (option == 'h')
			return help(context);
		else if (option == 'v')
			return fprintf(context->out, "%s\n", PACKAGE_STRING) < 0;
		else if (option == ':')
			return usage_error(context, "option --config requires a value");
		else
			return usage_error(context, "unknown option %s", argv[at]);
		at = optind;
	}
	return -1;
}

/* A full disk or a closed pipe must not look like a success. */
static int flush_out(const struct context *context, int status)
{
	if (fflush(context->out) != 0 || ferror(context->out))
		return failed(context, "cannot write the output");
	return status;
}

int smtpblockctl(struct context *context, int argc, char **argv)
{
	int status = read_options(context, argc, argv);

	if (status < 0)
		status = run(context, argc - optind, argv + optind);
	return flush_out(context, status);
}
