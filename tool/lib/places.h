/* The lists that a subcommand works on: those of the actions in rsyslog's
 * configuration, or those that the command line names.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_PLACES_H
#define SMTPBLOCKCTL_PLACES_H

#include "blocklist/backend.h"
#include "policy/policy.h"
#include "tool/lib/arguments.h"
#include "tool/lib/command.h"

struct local_addrs;
struct allowfile;

#define PLACES_SOURCE_SIZE 320
#define PLACES_OPTIONS_MAX 32

/* The settings of one action. */
struct place_action {
	struct settings settings;
	char source[PLACES_SOURCE_SIZE]; /* "/etc/rsyslog.conf line 12" */
	struct allowfile *allow_file;
	struct backend *backend;
};

/* One list: a backend's, of one family. */
struct place {
	const struct place_action *action;
	struct backend *backend;
	int family;		/* enum addr_family */
	const char *name;
};

struct places {
	struct place_action *actions;
	size_t action_count;
	struct place *all;	/* distinct: by backend, family and name */
	size_t count;
	struct local_addrs *local_addrs;	/* NULL before places_know_host() */
};

/* What the command line says of them. */
struct places_options {
	struct places_option {
		char name[ARGUMENTS_NAME_SIZE];
		const char *value;
	} set[PLACES_OPTIONS_MAX];
	size_t count;
	const char *list, *list6;	/* --list, --list6 */
	bool takes_all;			/* there is an --all */
	bool all;			/* and it is given */
};

/* The options that places_option() takes, as lines for a help text. */
#define PLACES_HELP PLACES_HELP_WITH("--backend, ")
#define PLACES_HELP_WITH(backend)                                                         \
	"  --list NAME, --list6 NAME   only these lists (IPv4, IPv6)\n"                    \
	"  " backend "--banTime, --ipv4Prefix, --ipv6Prefix, --ports, --listSize,\n"       \
	"  --allow, --allowFile VALUE\n"                                                   \
	"                 as the module's parameters; where they are not given, those of\n" \
	"                 the action in rsyslog's configuration count, or else its\n"      \
	"                 defaults\n"

/* Take an option that has a parameter's name. Returns 0, or a STATUS_ once the
 * complaint is written. */
int places_option(const struct context *context, struct places_options *options,
		  struct arguments *arguments);

/* Take options up to the first argument that is none: *ret_kind says what it is, an
 * ARGUMENT_ but OPTION, and operand in arguments holds it. Returns as places_option(). */
int places_options_take(const struct context *context, struct places_options *options,
			struct arguments *arguments, enum argument *ret_kind);

/* Find the lists: of every action of type omsmtpblock in the configuration, in its
 * order; without one, those of the module's defaults. Where --list or --list6 is
 * given, only the lists of these names, whether an action has them or not. Returns
 * 0 and the caller calls places_done(); a STATUS_ once the complaint is written. */
int places_open(const struct context *context, const struct places_options *options,
		struct places *ret_places);
void places_done(struct places *places);

/* Read the host's own addresses, for place_judge(). Returns as places_open(). */
int places_know_host(const struct context *context, struct places *places);

/* The whole of what is blocked for the address there: masked. */
struct cidr place_target(const struct place *place, const struct addr *addr);

/* As the module's enforcer: would it ever block this? REASON_TRIGGERED: yes. */
enum reason place_judge(const struct places *places, const struct place *place,
			const struct addr *addr);

/* What the backend's ops of that name do, on this list. */
int place_add(const struct place *place, const struct addr *addr);
int place_remove(const struct place *place, const struct addr *addr);
int place_flush(const struct place *place);
int place_check(const struct place *place);
int place_foreach(const struct place *place, backend_entry_fn *fn, void *ctx);
size_t place_capacity(const struct place *place);

/* "recent", "nftables" */
const char *place_backend(const struct place *place);

/* "ipv4", "ipv6" */
const char *place_family(const struct place *place);

/* Say what went wrong with the list, and what to type. err is -errno; -ENFILE: it is
 * full. Returns STATUS_FAILED. */
int place_failed(const struct context *context, const struct place *place, int err);

/* Write where the lists are from: a line an action. */
void places_print_sources(const struct places *places, FILE *out);

#endif
