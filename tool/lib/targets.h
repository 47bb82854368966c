/* The lists that a subcommand works on: those of the actions in rsyslog's
 * configuration, or those that the command line names.
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

/* One list: a backend's, of one family. */
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

/* What the command line says of them. */
struct targets_options {
	struct targets_option {
		char name[ARGUMENTS_NAME_SIZE];
		const char *value;
	} set[TARGETS_OPTIONS_MAX];
	size_t count;
	const char *list, *list6;	/* --list, --list6 */
	bool takes_all;			/* there is an --all */
	bool all;			/* and it is given */
};

/* The options that targets_option() takes, as lines for a help text. */
#define TARGETS_HELP TARGETS_HELP_WITH("--backend, ")
#define TARGETS_HELP_WITH(backend)                                                        \
	"  --list NAME, --list6 NAME   only these lists (IPv4, IPv6)\n"                    \
	"  " backend "--banTime, --ipv4Prefix, --ipv6Prefix, --ports, --listSize,\n"       \
	"  --allow, --allowFile VALUE\n"                                                   \
	"                 as the module's parameters; where they are not given, those of\n" \
	"                 the action in rsyslog's configuration count, or else its\n"      \
	"                 defaults\n"

/* Take an option that has a parameter's name. Returns 0, or a STATUS_ once the
 * complaint is written. */
int targets_option(const struct context *context, struct targets_options *options,
		   struct arguments *arguments);

/* Take options up to the first argument that is none: *ret_kind says what it is, an
 * ARGUMENT_ but OPTION, and operand in arguments holds it. Returns as targets_option(). */
int targets_options_take(const struct context *context, struct targets_options *options,
			 struct arguments *arguments, enum argument *ret_kind);

/* Find the lists: of every action of type omsmtpblock in the configuration, in its
 * order; without one, those of the module's defaults. Where --list or --list6 is
 * given, only the lists of these names, whether an action has them or not. Returns
 * 0 and the caller calls targets_done(); a STATUS_ once the complaint is written. */
int targets_open(const struct context *context, const struct targets_options *options,
		 struct targets *ret_places);
void targets_done(struct targets *targets);

/* Read the host's own addresses, for target_judge(). Returns as targets_open(). */
int targets_know_host(const struct context *context, struct targets *targets);

/* The whole of what is blocked for the address there: masked. */
struct cidr target_name(const struct target *target, const struct addr *addr);

/* As the module's enforcer: would it ever block this? REASON_TRIGGERED: yes. */
enum reason target_judge(const struct targets *targets, const struct target *target,
			 const struct addr *addr);

/* What the backend's ops of that name do, on this list. */
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

/* Say what went wrong with the list, and what to type. err is -errno; -ENFILE: it is
 * full. Returns STATUS_FAILED. */
int target_failed(const struct context *context, const struct target *target, int err);

/* Write where the lists are from: a line an action. */
void targets_print_sources(const struct targets *targets, FILE *out);

#endif
