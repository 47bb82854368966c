/* The interface of a subcommand and the context that it gets.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_COMMAND_H
#define SMTPBLOCKCTL_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

/* Exit statuses, the same for every subcommand. */
enum {
	STATUS_DONE = 0,	/* success; check: nothing is broken */
	STATUS_FAILED = 1,	/* failure, explained on stderr; why: not blocked */
	STATUS_USAGE = 2,	/* command line error: nothing was done */
};

/* Where to write, and the paths to use. Only tests use other paths than the system's. */
struct context {
	FILE *out;		/* results */
	FILE *err;		/* error messages, one line each */
	bool json;		/* output is JSON */
	bool terminal;		/* out is a terminal */
	const char *config;	/* rsyslog's configuration */
	bool config_given;	/* config was given on the command line */
	const char *proc_root;	/* normally /proc */
	const char *net_root;	/* as in struct backend_config */
	const char *module_root;
	const char *courier_etc; /* normally /etc/courier */
	const char *system_root; /* in front of all other paths; normally "" */
	const char *programs;	/* directories of programs; normally SPAWN_DIRS */
};

struct command {
	const char *name;
	const char *arguments;	/* as in "ADDR", for the usage line */
	const char *summary;	/* one line */
	const char *help;	/* options, examples: whole lines */
	/* argv[0] is the subcommand's name; getopt's state is fresh. Returns a
	 * STATUS_. */
	int (*run)(struct context *context, int argc, char **argv);
};

extern const struct command command_list;
extern const struct command command_add;
extern const struct command command_del;
extern const struct command command_flush;
extern const struct command command_status;
extern const struct command command_setup;
extern const struct command command_check;
extern const struct command command_test;
extern const struct command command_replay;
extern const struct command command_why;

/* The whole tool: parse the options, run the subcommand, flush its output. Returns a
 * STATUS_. */
int smtpblockctl(struct context *context, int argc, char **argv);

/* Write "smtpblockctl: " and the formatted text as one line to stderr. Return STATUS_FAILED,
 * or STATUS_USAGE for usage_error(), which adds a hint at --help. Control characters, from
 * arguments and files, are replaced: see output_clean(). */
int failed(const struct context *context, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int usage_error(const struct context *context, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
