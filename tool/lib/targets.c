/* The lists that a subcommand works on.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/targets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/array.h"
#include "policy/decision.h"
#include "tool/read/rsyslog_conf.h"

/* The parameters that affect the lists. */
static const char *const options_known[] = {
	"backend", "banTime", "ipv4Prefix", "ipv6Prefix", "ports", "listSize", "allow",
	"allowFile",
};

static bool is_known(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT_OF(options_known); i++)
		if (strcasecmp(options_known[i], name) == 0)
			return true;
	return false;
}

/* Would the module accept this value? */
static int try_option(const struct context *context, const char *name, const char *value)
{
	char why[384] = "out of memory";
	struct settings settings;
	int r = settings_init(&settings);

	if (r == 0) {
		r = settings_set(&settings, name, value, why, sizeof(why));
		settings_done(&settings);
	}
	return r < 0 ? usage_error(context, "%s", why) : 0;
}

static int keep_option(const struct context *context, struct targets_options *options,
		       const char *name, const char *value)
{
	struct targets_option *option = &options->set[options->count];

	if (options->count == TARGETS_OPTIONS_MAX)
		return usage_error(context, "too many options");
	memcpy(option->name, name, strlen(name) + 1);
	option->value = value;
	options->count++;
	return 0;
}

int targets_option(const struct context *context, struct targets_options *options,
		   struct arguments *arguments)
{
	bool list = strcasecmp(arguments->name, "list") == 0;
	bool list6 = strcasecmp(arguments->name, "list6") == 0;
	const char *value;
	int status;

	if (!list && !list6 && !is_known(arguments->name))
		return usage_error(context, "unknown option --%s", arguments->name);
	value = arguments_value(arguments);
	if (!value)
		return usage_error(context, "option --%s requires a value", arguments->name);
	status = try_option(context, arguments->name, value);
	if (status != 0)
		return status;
	if (list)
		options->list = value;
	else if (list6)
		options->list6 = value;
	else
		return keep_option(context, options, arguments->name, value);
	return 0;
}

int targets_options_take(const struct context *context, struct targets_options *options,
			 struct arguments *arguments, enum argument *ret_kind)
{
	int status = 0;

	while (status == 0 && (*ret_kind = arguments_next(arguments)) == ARGUMENT_OPTION) {
		if (options->takes_all && strcasecmp(arguments->name, "all") == 0 &&
		    !arguments->value)
			options->all = true;
		else
			status = targets_option(context, options, arguments);
	}
	return status;
}

int targets_options_only(const struct context *context, struct targets_options *options,
			 int argc, char **argv, const char *hint)
{
	struct arguments arguments = { .argc = argc, .argv = argv, .at = 1 };
	enum argument kind;
	int status = targets_options_take(context, options, &arguments, &kind);

	if (status == 0 && kind != ARGUMENT_END)
		status = usage_error(context, "%s: unexpected argument %s%s", argv[0],
				     arguments.operand, hint);
	return status;
}

/* --- actions --------------------------------------------------------------- */

static int apply_options(const struct targets_options *options, struct settings *settings,
			 char *why, size_t size)
{
	size_t i;
	int r;

	for (i = 0; i < options->count; i++) {
		r = settings_set(settings, options->set[i].name, options->set[i].value, why,
				 size);
		if (r < 0)
			return r;
	}
	return settings_check(settings, why, size);
}

static int open_backend(const struct context *context, struct target_action *action)
{
	const struct settings *s = &action->settings;
	struct backend_config config =
		backend_config_of(s, context->net_root, context->module_root);

	config.keep_foreign_table = true;
	return backend_ops(s->backend)->open(&config, &action->backend);
}

/* Open what belongs to the settings: allow file and backend. The action owns the settings. */
static int open_action(const struct context *context, const struct targets_options *options,
		       struct target_action *action)
{
	char why[ALLOWFILE_ERROR_SIZE] = "out of memory";
	int r;

	r = apply_options(options, &action->settings, why, sizeof(why));
	if (r == 0)
		r = allowfile_new(action->settings.allow_file, &action->allow_file, why);
	if (r == 0)
		r = open_backend(context, action);
	return r < 0 ? failed(context, "%s: %s", action->source, why) : 0;
}

/* Add an action with the module's defaults, for the list names on the command line, if any. */
static int add_default(const struct context *context, const struct targets_options *options,
		       struct targets *targets, const char *source)
{
	struct target_action *action = array_add(&targets->actions, &targets->action_count);

	if (!action || settings_init(&action->settings) < 0)
		return failed(context, "out of memory");
	snprintf(action->source, sizeof(action->source), "%s", source);
	if (options->list)
		memcpy(action->settings.list, options->list, strlen(options->list) + 1);
	if (options->list6)
		memcpy(action->settings.list6, options->list6, strlen(options->list6) + 1);
	return open_action(context, options, action);
}

static int add_configured(const struct context *context, const struct targets_options *options,
			  struct targets *targets, const struct rsyslog_conf_item *item)
{
	struct target_action *action = array_add(&targets->actions, &targets->action_count);
	char errbuf[RSYSLOG_CONF_ERROR_SIZE] = "out of memory";

	if (!action || rsyslog_conf_settings(item, &action->settings, errbuf) < 0)
		return failed(context, "%s", errbuf);
	snprintf(action->source, sizeof(action->source), "%s line %u", item->file, item->line);
	return open_action(context, options, action);
}

static int take_actions(const struct context *context, const struct targets_options *options,
			const struct rsyslog_conf *conf, struct targets *targets)
{
	const struct rsyslog_conf_item *item;
	size_t from = 0;
	int status = 0;

	while (status == 0 && conf &&
	       (item = rsyslog_conf_next(conf, RSYSLOG_CONF_ACTION, "omsmtpblock", &from)))
		status = add_configured(context, options, targets, item);
	if (status == 0 && targets->action_count == 0)
		status = add_default(context, options, targets, "the module's defaults");
	return status;
}

/* If the default configuration file does not exist, the module's defaults apply. */
static int read_actions(const struct context *context, const struct targets_options *options,
			struct targets *targets)
{
	char errbuf[RSYSLOG_CONF_ERROR_SIZE] = "out of memory";
	struct rsyslog_conf *conf = NULL;
	int r, status;

	r = rsyslog_conf_read(context->config, &conf, errbuf);
	if (r < 0 && (r != -ENOENT || context->config_given))
		return failed(context, "%s", errbuf);
	status = take_actions(context, options, conf, targets);
	rsyslog_conf_free(conf);
	return status;
}

/* --- lists ----------------------------------------------------------------- */

static bool is_same(const struct target *a, const struct target *b)
{
	return a->backend->ops == b->backend->ops && a->family == b->family &&
	       strcmp(a->name, b->name) == 0;
}

static void add_place(struct targets *targets, const struct target_action *action, int family)
{
	struct target *target = &targets->all[targets->count];
	size_t i;

	*target = (struct target){
		.action = action,
		.backend = action->backend,
		.family = family,
		.name = settings_list(&action->settings, family),
	};
	for (i = 0; i < targets->count; i++)
		if (is_same(&targets->all[i], target))
			return;
	targets->count++;
}

/* Add the lists of one family of all actions, or only the one of this name. */
static void add_family(struct targets *targets, int family, const char *name)
{
	const struct target_action *action;
	size_t i;

	for (i = 0; i < targets->action_count; i++) {
		action = &targets->actions[i];
		if (action->settings.backend == BACKEND_NULL)
			continue;
		if (!name || strcmp(name, settings_list(&action->settings, family)) == 0)
			add_place(targets, action, family);
	}
}

static void add_targets(struct targets *targets, const struct targets_options *options)
{
	bool any = !options->list && !options->list6;

	targets->count = 0;
	if (any || options->list)
		add_family(targets, ADDR_IPV4, options->list);
	if (any || options->list6)
		add_family(targets, ADDR_IPV6, options->list6);
}

static bool has_name(const struct targets *targets, int family, const char *name)
{
	size_t i;

	for (i = 0; name && i < targets->count; i++)
		if (targets->all[i].family == family)
			return true;
	return !name;
}

/* A name that no action has gets an action of its own. */
static int find_targets(const struct context *context, const struct targets_options *options,
			struct targets *targets)
{
	int status = 0;

	targets->all = calloc(2 * (targets->action_count + 1), sizeof(*targets->all));
	if (!targets->all)
		return failed(context, "out of memory");
	add_targets(targets, options);
	if (!has_name(targets, ADDR_IPV4, options->list) ||
	    !has_name(targets, ADDR_IPV6, options->list6)) {
		status = add_default(context, options, targets, "the command line");
		add_targets(targets, options);
	}
	if (status == 0 && targets->count == 0)
		status = failed(context, "%s: there is no list, because backend=\"null\" uses none",
				targets->actions[0].source);
	return status;
}

int targets_open(const struct context *context, const struct targets_options *options,
		 struct targets *ret_targets)
{
	struct targets targets = { .actions = NULL };
	int status;

	status = read_actions(context, options, &targets);
	if (status == 0)
		status = find_targets(context, options, &targets);
	if (status == 0)
		*ret_targets = targets;
	else
		targets_done(&targets);
	return status;
}

void targets_done(struct targets *targets)
{
	size_t i;

	for (i = 0; i < targets->action_count; i++) {
		if (targets->actions[i].backend)
			targets->actions[i].backend->ops->free(targets->actions[i].backend);
		allowfile_free(targets->actions[i].allow_file);
		settings_done(&targets->actions[i].settings);
	}
	free(targets->actions);
	free(targets->all);
	local_addrs_free(targets->local_addrs);
}

int targets_know_host(const struct context *context, struct targets *targets)
{
	int r = local_addrs_new(&targets->local_addrs);

	if (r == 0)
		r = local_addrs_refresh(targets->local_addrs);
	if (r < 0)
		return failed(context, "cannot read the host's own addresses: %s",
			      strerrordesc_np(-r));
	return 0;
}

/* --- one list -------------------------------------------------------------- */

struct cidr target_name(const struct target *target, const struct addr *addr)
{
	return decide_prefix(&target->action->settings, addr);
}

enum reason target_judge(const struct targets *targets, const struct target *list,
			 const struct addr *addr)
{
	const struct policy policy = {
		.settings = &list->action->settings,
		.local_addrs = targets->local_addrs,
		.allow_file = list->action->allow_file,
	};

	return decide_address(&policy, addr).reason;
}

int target_add(const struct target *target, const struct addr *addr)
{
	const struct backend_block block = {
		.addr = *addr,
		.stay = (int64_t)target->action->settings.ban_time * 1000,
	};

	return target->backend->ops->add(target->backend, &block);
}

int target_remove(const struct target *target, const struct addr *addr)
{
	return target->backend->ops->remove(target->backend, addr);
}

int target_flush(const struct target *target)
{
	return target->backend->ops->flush(target->backend, target->family);
}

int target_check(const struct target *target)
{
	return target->backend->ops->check(target->backend, target->family);
}

int target_foreach(const struct target *target, backend_entry_fn *fn, void *ctx)
{
	return target->backend->ops->foreach(target->backend, target->family, fn, ctx);
}

size_t target_capacity(const struct target *target)
{
	return target->backend->ops->capacity(target->backend);
}

const char *target_backend(const struct target *target)
{
	return target->backend->ops->name;
}

const char *target_family(const struct target *target)
{
	return target->family == ADDR_IPV4 ? "ipv4" : "ipv6";
}

int target_failed(const struct context *context, const struct target *target, int err)
{
	char advice[1024];

	if (err == -EACCES || err == -EPERM)
		return failed(context, "no permission for the list %s: run this as root",
			      target->name);
	if (err == -EOPNOTSUPP)
		return failed(context,
			      "cannot read the list %s: the length of the kernel's clock tick "
			      "is unknown",
			      target->name);
	return failed(context, "%s",
		      target->backend->ops->advice(target->backend, target->family,
						   err == -ENFILE ? ENOSPC : -err, advice,
						   sizeof(advice)));
}

void targets_print_sources(const struct targets *targets, FILE *out)
{
	const struct target_action *last = NULL;
	size_t i, a;

	for (a = 0; a < targets->action_count; a++)
		for (i = 0; i < targets->count; i++) {
			if (targets->all[i].action != &targets->actions[a])
				continue;
			if (last == &targets->actions[a])
				fprintf(out, ", %s", targets->all[i].name);
			else
				fprintf(out, "%sFrom %s: %s, %s", last ? "\n" : "",
					targets->actions[a].source,
					target_backend(&targets->all[i]), targets->all[i].name);
			last = &targets->actions[a];
		}
	if (last)
		fputc('\n', out);
}
