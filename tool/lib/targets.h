/* The lists that a subcommand works on: those of the actions in rsyslog's configuration,
 * or those named on the command line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_TARGETS_H
#define SMTPBLOCKCTL_TARGETS_H

#include "blocklist/backend.h"
#include "policy/policy.h"
#include "tool/lib/arguments.h"
#include "tool/lib/command.h"

struct local_addrs;
struct allowfile;

#define TARGETS_SOURCE_SIZE 320
#define TARGETS_OPTIONS_MAX 32

/* The settings of one action. */
struct target_action {
	struct settings settings;
	char source[TARGETS_SOURCE_SIZE]; /* "/etc/rsyslog.conf line 12" */
	struct allowfile *allow_file;
	struct backend *backend;
};

/* One list: of one backend and one family. */
struct target {
	const struct target_action *action;
	struct backend *backend;
	int family;		/* enum addr_family */
	const char *name;
};

struct targets {
	struct target_action *actions;
	size_t action_count;
	struct target *all;	/* distinct: by backend, family and name */
	size_t count;
	struct local_addrs *local_addrs;	/* NULL before targets_know_host() */
};

/* The options about lists on the command line. */
struct targets_options {
	struct targets_option {
		char name[ARGUMENTS_NAME_SIZE];
		const char *value;
	} set[TARGETS_OPTIONS_MAX];
	size_t count;
	const char *list, *list6;	/* --list, --list6 */
	bool takes_all;			/* the subcommand has the option --all */
	bool all;			/* --all was given */
};

/* Help text of the options that targets_option() accepts. */
#define TARGETS_HELP TARGETS_HELP_WITH("--backend, ")
#define TARGETS_HELP_WITH(backend)                                                        \
	"  --list NAME, --list6 NAME   only these lists (IPv4, IPv6)\n"                    \
	"  " backend "--banTime, --ipv4Prefix, --ipv6Prefix, --ports, --listSize,\n"       \
	"  --allow, --allowFile VALUE\n"                                                   \
	"                 as the module's parameters; the default is the value of the\n"  \
	"                 action in rsyslog's configuration, or else the module's default\n"

/* Parse an option named after a parameter. Returns 0, or a STATUS_ after reporting the
 * error. */
int targets_option(const struct context *context, struct targets_options *options,
		   struct arguments *arguments);

/* Parse options up to the next argument that is none. *ret_kind is its kind, never
 * ARGUMENT_OPTION; arguments->operand holds it. Returns as targets_option(). */
int targets_options_take(const struct context *context, struct targets_options *options,
			 struct arguments *arguments, enum argument *ret_kind);

/* Parse a command line of nothing but such options. Behind an argument that is none, the
 * error message has the hint. Returns as targets_option(). */
int targets_options_only(const struct context *context, struct targets_options *options,
			 int argc, char **argv, const char *hint);

/* Find the lists of all actions of type omsmtpblock in the configuration, in its order; if
 * there are none, those of the module's defaults. With --list or --list6, find only the
 * lists of these names, even if no action has them. Returns 0 and the caller calls
 * targets_done(); a STATUS_ after reporting the error. */
int targets_open(const struct context *context, const struct targets_options *options,
		 struct targets *ret_targets);
void targets_done(struct targets *targets);

/* Read the host's own addresses, for target_judge(). Returns as targets_open(). */
int targets_know_host(const struct context *context, struct targets *targets);

/* What is blocked for the address on this list: its prefix, masked. */
struct cidr target_name(const struct target *target, const struct addr *addr);

/* Would the module ever block this address? REASON_TRIGGERED: yes; otherwise the reason why
 * not. */
enum reason target_judge(const struct targets *targets, const struct target *target,
			 const struct addr *addr);

/* Call the backend's operation of the same name on this list. */
int target_add(const struct target *target, const struct addr *addr);
int target_remove(const struct target *target, const struct addr *addr);
int target_flush(const struct target *target);
int target_check(const struct target *target);
int target_foreach(const struct target *target, backend_entry_fn *fn, void *ctx);
size_t target_capacity(const struct target *target);

/* "recent", "nftables" */
const char *target_backend(const struct target *target);

/* "ipv4", "ipv6" */
const char *target_family(const struct target *target);

/* Report an error of a list and how to fix it. err is -errno; -ENFILE: the list is full.
 * Returns STATUS_FAILED. */
int target_failed(const struct context *context, const struct target *target, int err);

/* Write "From SOURCE: BACKEND, LIST, LIST", one line for each action. */
void targets_print_sources(const struct targets *targets, FILE *out);

#endif
