/* smtpblockctl setup recent|nftables: print the firewall commands that the lists need, or apply
 * them.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/cmd/setup_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "blocklist/nftsetup.h"
#include "tool/lib/iptables.h"
#include "tool/lib/output.h"
#include "tool/lib/recent.h"

/* Longest nftables script of one action. */
#define TABLE_SIZE 8192

#define REMARKS_MAX 3

/* One thing that must exist: a table, a set or a rule. */
struct step {
	struct iptables_rule rule;
	const struct target_action *action;	/* nftables: the action whose sets and rules
						 * it makes */
	const char *outcome;	/* NULL: not applied */
	bool added;
};

struct setup {
	const struct context *context;
	struct targets targets;
	bool nftables, apply;
	struct step *steps;
	size_t count;
	char remarks[REMARKS_MAX][320];	/* "": none */
};

static const char outcome_added[] = "added";
static const char outcome_there[] = "already there";

/* --- the plan -------------------------------------------------------------- */

static size_t count_steps(const struct setup *s)
{
	size_t count = 0, i;

	for (i = 0; i < s->targets.count; i++)
		count += s->nftables ? 1 : iptables_rules(&s->targets.all[i]);
	return count;
}

static struct backend_config config_of(const struct target_action *action)
{
	return backend_config_of(&action->settings, NULL, NULL);
}

/* The sets and rules of an action are one step. */
static void plan_table(struct setup *s, const struct target_action *action)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (s->steps[i].action == action)
			return;
	s->steps[s->count++].action = action;
}

static int plan(struct setup *s)
{
	const struct target *target;
	unsigned int which;
	size_t i;

	s->steps = calloc(count_steps(s), sizeof(*s->steps));
	if (!s->steps)
		return failed(s->context, "out of memory");
	for (i = 0; i < s->targets.count; i++) {
		target = &s->targets.all[i];
		if (s->nftables)
			plan_table(s, target->action);
		for (which = 0; !s->nftables && which < iptables_rules(target); which++)
			iptables_make(target, which, &s->steps[s->count++].rule);
	}
	return 0;
}

/* --- room on a recent list ------------------------------------------------- */

/* The prefix of the IPv6 list's entries; 0: there is no such list. */
static unsigned int ipv6_prefix(const struct setup *s)
{
	static const struct addr ipv6 = { .family = ADDR_IPV6 };
	size_t i;

	for (i = 0; i < s->targets.count; i++)
		if (s->targets.all[i].family == ADDR_IPV6)
			return settings_prefix(&s->targets.all[i].action->settings, &ipv6);
	return 0;
}

/* The rule's mask and the action's parameter go together. */
static void remark_prefix(struct setup *s, bool given, char *remark, size_t size)
{
	unsigned int prefix = ipv6_prefix(s);

	if (prefix == 128)
		snprintf(remark, size,
			 "A host of IPv6 has a whole /64. To block it as one, add  --ipv6Prefix 64 "
			 " here and ipv6Prefix=\"64\" to the action");
	else if (prefix > 0 && given)
		snprintf(remark, size,
			 "The rule of IPv6 needs ipv6Prefix=\"%u\" in the action", prefix);
}

static void add_remarks(struct setup *s, bool prefix_given)
{
	size_t capacity = target_capacity(&s->targets.all[0]);

	if (s->nftables) {
		snprintf(s->remarks[0], sizeof(s->remarks[0]),
			 "With backend=\"nftables\" the module creates this itself when rsyslogd "
			 "starts.");
		return;
	}
	snprintf(s->remarks[0], sizeof(s->remarks[0]),
		 "Rules added by hand are lost at the next boot: add them to your firewall's "
		 "configuration, before any rule that accepts established connections.");
	remark_prefix(s, prefix_given, s->remarks[1], sizeof(s->remarks[1]));
	if (capacity >= RECENT_CAPACITY)
		return;
	if (recent_is_built_in(s->context))
		snprintf(s->remarks[2], sizeof(s->remarks[2]),
			 "A list holds %zu addresses. To hold a wave of thousands, boot with "
			 "xt_recent.ip_list_tot=%d (xt_recent is built into this kernel)",
			 capacity, RECENT_CAPACITY);
	else
		snprintf(s->remarks[2], sizeof(s->remarks[2]),
			 "A list holds %zu addresses. To hold a wave of thousands, write  options "
			 "xt_recent ip_list_tot=%d  to /etc/modprobe.d/xt_recent.conf before "
			 "you add the rules",
			 capacity, RECENT_CAPACITY);
}

/* --- --apply --------------------------------------------------------------- */

static int explain(const struct setup *s, const struct step *step, int err)
{
	const char *program = step->rule.target && step->rule.target->family == ADDR_IPV6
				      ? "ip6tables"
				      : "iptables";

	if (s->nftables && (err == -EPERM || err == -EACCES))
		return failed(s->context, "no permission to change nftables: run this as root");
	if (s->nftables)
		return failed(s->context, "cannot create the table omsmtpblock: %s",
			      strerrordesc_np(-err));
	if (err == -ENOENT)
		return failed(s->context, "%s is not installed: install iptables, or use "
					  "backend=\"nftables\"", program);
	if (err == -EACCES)
		return failed(s->context, "%s-save cannot read the rules: run this as root",
			      program);
	if (err == -EIO)
		return failed(s->context, "this command failed, run it to see why: %s",
			      step->rule.text);
	return failed(s->context, "%s: %s", program, strerrordesc_np(-err));
}

static int apply_step(const struct setup *s, struct step *step)
{
	struct backend_config config;
	bool changed = false;
	int r;

	if (s->nftables) {
		config = config_of(step->action);
		r = nftsetup_apply(&config, &changed);
	} else {
		r = iptables_is_there(s->context, &step->rule);
		changed = r == 0;
		if (r == 0)
			r = iptables_insert(s->context, &step->rule);
	}
	if (r < 0)
		return r;
	step->added = changed;
	step->outcome = changed ? outcome_added : outcome_there;
	return 0;
}

/* Undo the steps of this run, the last one first. An nftables table is made in one
 * transaction; it is complete and may stay. */
static void undo(const struct setup *s, size_t count)
{
	while (count-- > 0)
		if (s->steps[count].added && !s->nftables &&
		    iptables_delete(s->context, &s->steps[count].rule) < 0)
			failed(s->context, "this command could not be undone: %s",
			       s->steps[count].rule.text);
}

/* Apply all steps or none. */
static int apply(struct setup *s)
{
	size_t i;
	int r;

	for (i = 0; i < s->count; i++) {
		r = apply_step(s, &s->steps[i]);
		if (r < 0) {
			undo(s, i);
			return explain(s, &s->steps[i], r);
		}
	}
	return 0;
}

/* --- output ---------------------------------------------------------------- */

static void format_table(const struct target_action *action, char text[static TABLE_SIZE])
{
	struct backend_config config = config_of(action);
	struct nfttable table;

	text[0] = '\0';
	if (nfttable_init(&table, &config) == 0)
		nfttable_text(&table, text, TABLE_SIZE);
}

static void print_step(const struct setup *s, const struct step *step)
{
	char text[TABLE_SIZE];

	if (!s->nftables) {
		fprintf(s->context->out, "%s%s%s\n", step->outcome ? step->outcome : "",
			step->outcome ? ": " : "", step->rule.text);
	} else if (step->outcome) {
		fprintf(s->context->out, "%s: table inet %s with %s and %s\n", step->outcome,
			NFTTABLE_NAME, step->action->settings.list,
			step->action->settings.list6);
	} else {
		format_table(step->action, text);
		fputs(text, s->context->out);
	}
}

/* Without --apply the output is a script for sh, or a file for nft -f. */
static void print_text(const struct setup *s)
{
	const struct target_action *action, *last = NULL;
	const char *mark = s->apply ? "" : "# ";
	size_t i;

	for (i = 0; i < s->targets.count; i++) {
		action = s->targets.all[i].action;
		if (action != last && s->targets.all[i].family == s->targets.all[0].family)
			fprintf(s->context->out, "%sFrom %s\n", mark, action->source);
		last = action;
	}
	for (i = 0; i < s->count; i++)
		print_step(s, &s->steps[i]);
	for (i = 0; i < REMARKS_MAX; i++)
		if (*s->remarks[i])
			fprintf(s->context->out, "%s%s\n", mark, s->remarks[i]);
}

static void print_json(const struct setup *s)
{
	struct fjson_object *whole = fjson_object_new_object(), *one;
	struct fjson_object *steps, *remarks;
	char text[TABLE_SIZE];
	size_t i;

	output_add_text(whole, "backend", s->nftables ? "nftables" : "recent");
	output_add_bool(whole, "applied", s->apply);
	steps = output_add_array(whole, "steps");
	for (i = 0; i < s->count; i++) {
		one = output_add_object(steps);
		if (s->nftables)
			format_table(s->steps[i].action, text);
		output_add_text(one, s->nftables ? "table" : "command",
				s->nftables ? text : s->steps[i].rule.text);
		output_add_text(one, "outcome", s->steps[i].outcome);
	}
	remarks = output_add_array(whole, "remarks");
	for (i = 0; i < REMARKS_MAX; i++)
		if (*s->remarks[i])
			fjson_object_array_add(remarks, fjson_object_new_string(s->remarks[i]));
	output_json(whole, s->context->out);
}

static bool is_given(const struct targets_options *options, const char *name)
{
	size_t i;

	for (i = 0; i < options->count; i++)
		if (strcasecmp(options->set[i].name, name) == 0)
			return true;
	return false;
}

static int do_setup(struct setup *s, const struct targets_options *options)
{
	int status = targets_open(s->context, options, &s->targets);

	if (status != 0)
		return status;
	status = plan(s);
	if (status == 0)
		add_remarks(s, is_given(options, "ipv6Prefix"));
	if (status == 0 && s->apply)
		status = apply(s);
	if (status == 0) {
		if (s->context->json)
			print_json(s);
		else
			print_text(s);
	}
	free(s->steps);
	targets_done(&s->targets);
	return status;
}

/* --- the command line ------------------------------------------------------ */

static int take_backend(const struct context *context, struct setup *s,
			struct targets_options *options, const char *name)
{
	struct targets_option *option = &options->set[0];

	if (options->count > 0 && strcmp(option->name, "backend") == 0)
		return usage_error(context, "setup: only one backend is allowed");
	s->nftables = strcmp(name, "nftables") == 0;
	if (!s->nftables && strcmp(name, "recent") != 0)
		return usage_error(context, "setup: the backend is recent or nftables, not %.60s",
				   name);
	if (options->count == TARGETS_OPTIONS_MAX)
		return usage_error(context, "too many options");
	memmove(option + 1, option, options->count * sizeof(*option));
	snprintf(option->name, sizeof(option->name), "backend");
	option->value = s->nftables ? "nftables" : "recent";
	options->count++;
	return 0;
}

static int take_option(const struct context *context, struct setup *s,
		       struct targets_options *options, struct arguments *arguments)
{
	if (strcasecmp(arguments->name, "apply") == 0 && !arguments->value) {
		s->apply = true;
		return 0;
	}
	if (strcasecmp(arguments->name, "backend") == 0)
		return usage_error(context, "setup: write recent or nftables without --backend");
	return targets_option(context, options, arguments);
}

int setup_part(struct context *context, int argc, char **argv)
{
	struct arguments arguments = { .argc = argc, .argv = argv, .at = 1 };
	struct targets_options options = { .count = 0 };
	struct setup setup = { .context = context };
	enum argument argument;
	int status = 0;

	while (status == 0 && (argument = arguments_next(&arguments)) != ARGUMENT_END) {
		if (argument == ARGUMENT_OPERAND)
			status = take_backend(context, &setup, &options, arguments.operand);
		else if (argument == ARGUMENT_OPTION)
			status = take_option(context, &setup, &options, &arguments);
		else
			status = usage_error(context, "unknown option %s", arguments.operand);
	}
	if (status == 0 && (options.count == 0 || strcmp(options.set[0].name, "backend") != 0))
		status = usage_error(context, "setup: these options need recent or nftables");
	return status != 0 ? status : do_setup(&setup, &options);
}
