/* What a subcommand of smtpblockctl is, and what it is given.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_COMMAND_H
#define SMTPBLOCKCTL_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

/* Exit statuses, the same for every subcommand. */
enum {
	STATUS_DONE = 0,	/* done; check: nothing is broken */
	STATUS_FAILED = 1,	/* not done, stderr says why; why: not blocked */
	STATUS_USAGE = 2,	/* the command line is wrong: nothing was done */
};

/* Who runs it, and where things are. The paths are the system's own except in
 * tests. */
struct context {
	FILE *out;		/* results */
	FILE *err;		/* one line on what went wrong */
	bool json;		/* for programs, not for people */
	bool terminal;		/* out is one */
	const char *config;	/* rsyslog's configuration */
	bool config_given;	/* and not only where it normally is */
	const char *proc_root;	/* normally /proc */
	const char *net_root;	/* as in struct backend_config */
	const char *module_root;
	const char *courier_etc; /* normally /etc/courier */
	const char *system_root; /* in front of all other paths; normally "" */
	const char *programs;	/* where programs are: normally SPAWN_DIRS */
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

/* The whole tool: options, the subcommand, and its output written. Returns a STATUS_. */
int smtpblockctl(struct context *context, int argc, char **argv);

/* Write "smtpblockctl: " and the formatted text as one line to stderr. Returns
 * STATUS_FAILED; usage_error: with a hint at --help, STATUS_USAGE. */
int failed(const struct context *context, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int usage_error(const struct context *context, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
