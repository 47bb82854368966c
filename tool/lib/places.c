/* Which lists a subcommand works on.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/allowfile.h"
#include "policy/local_addrs.h"
#include "tool/read/rsyslog_conf.h"

/* The parameters that matter to what is on a list. */
static const char *const options_known[] = {
	"backend", "banTime", "ipv4Prefix", "ipv6Prefix", "ports", "listSize", "allow",
	"allowFile",
};

static bool is_known(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(options_known) / sizeof(options_known[0]); i++)
		if (strcasecmp(options_known[i], name) == 0)
			return true;
	return false;
}

/* Would the module take it? */
static int try_option(const struct context *context, const char *name, const char *value)
{
	char why[384] = "no memory";
	struct settings settings;
	int r = settings_init(&settings);

	if (r == 0) {
		r = settings_set(&settings, name, value, why, sizeof(why));
		settings_done(&settings);
	}
	return r < 0 ? usage_error(context, "%s", why) : 0;
}

static int keep_option(const struct context *context, struct places_options *options,
		       const char *name, const char *value)
{
	struct places_option *option = &options->set[options->count];

	if (options->count == PLACES_OPTIONS_MAX)
		return usage_error(context, "too many options");
	memcpy(option->name, name, strlen(name) + 1);
	option->value = value;
	options->count++;
	return 0;
}

int places_option(const struct context *context, struct places_options *options,
		  struct arguments *arguments)
{
	bool list = strcasecmp(arguments->name, "list") == 0;
	bool list6 = strcasecmp(arguments->name, "list6") == 0;
	const char *value;
	int status;

	if (!list && !list6 && !is_known(arguments->name))
		return usage_error(context, "there is no option --%s", arguments->name);
	value = arguments_value(arguments);
	if (!value)
		return usage_error(context, "--%s wants a value", arguments->name);
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

int places_options_take(const struct context *context, struct places_options *options,
			struct arguments *arguments, enum argument *ret_kind)
{
	int status = 0;

	while (status == 0 && (*ret_kind = arguments_next(arguments)) == ARGUMENT_OPTION) {
		if (options->takes_all && strcasecmp(arguments->name, "all") == 0 &&
		    !arguments->value)
			options->all = true;
		else
			status = places_option(context, options, arguments);
	}
	return status;
}

/* --- actions --------------------------------------------------------------- */

static int apply_options(const struct places_options *options, struct settings *settings,
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

static int open_backend(const struct context *context, struct place_action *action)
{
	const struct settings *s = &action->settings;
	struct backend_config config =
		backend_config_of(s, context->net_root, context->module_root);

	config.keep_foreign_table = true;
	return backend_ops(s->backend)->open(&config, &action->backend);
}

/* What the settings alone do not hold. The settings are the action's. */
static int open_action(const struct context *context, const struct places_options *options,
		       struct place_action *action)
{
	char why[ALLOWFILE_ERROR_SIZE] = "no memory";
	int r;

	r = apply_options(options, &action->settings, why, sizeof(why));
	if (r == 0)
		r = allowfile_new(action->settings.allow_file, &action->allow_file, why);
	if (r == 0)
		r = open_backend(context, action);
	return r < 0 ? failed(context, "%s: %s", action->source, why) : 0;
}

/* An action of the module's defaults, for the names on the command line if any. */
static int add_default(const struct context *context, const struct places_options *options,
		       struct places *places, const char *source)
{
	struct place_action *action = &places->actions[places->action_count];

	if (settings_init(&action->settings) < 0)
		return failed(context, "no memory");
	places->action_count++;
	snprintf(action->source, sizeof(action->source), "%s", source);
	if (options->list)
		memcpy(action->settings.list, options->list, strlen(options->list) + 1);
	if (options->list6)
		memcpy(action->settings.list6, options->list6, strlen(options->list6) + 1);
	return open_action(context, options, action);
}

static int add_configured(const struct context *context, const struct places_options *options,
			  struct places *places, const struct rsyslog_conf_item *item)
{
	struct place_action *action = &places->actions[places->action_count];
	char errbuf[RSYSLOG_CONF_ERROR_SIZE] = "no memory";

	if (rsyslog_conf_settings(item, &action->settings, errbuf) < 0)
		return failed(context, "%s", errbuf);
	places->action_count++;
	snprintf(action->source, sizeof(action->source), "%s line %u", item->file, item->line);
	return open_action(context, options, action);
}

/* Room for all actions there are, and for one of the command line's. */
static int take_actions(const struct context *context, const struct places_options *options,
			const struct rsyslog_conf *conf, struct places *places)
{
	const struct rsyslog_conf_item *item;
	size_t from = 0, count = 0;
	int status = 0;

	while (conf && rsyslog_conf_next(conf, RSYSLOG_CONF_ACTION, "omsmtpblock", &from))
		count++;
	places->actions = calloc(count + 2, sizeof(*places->actions));
	if (!places->actions)
		return failed(context, "no memory");
	from = 0;
	while (status == 0 && conf &&
	       (item = rsyslog_conf_next(conf, RSYSLOG_CONF_ACTION, "omsmtpblock", &from)))
		status = add_configured(context, options, places, item);
	if (status == 0 && places->action_count == 0)
		status = add_default(context, options, places, "the module's defaults");
	return status;
}

/* Without a configuration where it normally is, the module's defaults hold. */
static int read_actions(const struct context *context, const struct places_options *options,
			struct places *places)
{
	char errbuf[RSYSLOG_CONF_ERROR_SIZE] = "no memory";
	struct rsyslog_conf *conf = NULL;
	int r, status;

	r = rsyslog_conf_read(context->config, &conf, errbuf);
	if (r < 0 && (r != -ENOENT || context->config_given))
		return failed(context, "%s", errbuf);
	status = take_actions(context, options, conf, places);
	rsyslog_conf_free(conf);
	return status;
}

/* --- lists ----------------------------------------------------------------- */

static bool is_same(const struct place *a, const struct place *b)
{
	return a->backend->ops == b->backend->ops && a->family == b->family &&
	       strcmp(a->name, b->name) == 0;
}

static void add_place(struct places *places, const struct place_action *action, int family)
{
	struct place *place = &places->all[places->count];
	size_t i;

	*place = (struct place){
		.action = action,
		.backend = action->backend,
		.family = family,
		.name = family == ADDR_IPV4 ? action->settings.list : action->settings.list6,
	};
	for (i = 0; i < places->count; i++)
		if (is_same(&places->all[i], place))
			return;
	places->count++;
}

/* The lists of one family that all actions have, or the one with this name. */
static void add_family(struct places *places, int family, const char *name)
{
	const struct place_action *action;
	size_t i;

	for (i = 0; i < places->action_count; i++) {
		action = &places->actions[i];
		if (action->settings.backend == BACKEND_NULL)
			continue;
		if (!name || strcmp(name, family == ADDR_IPV4 ? action->settings.list :
								action->settings.list6) == 0)
			add_place(places, action, family);
	}
}

static void add_places(struct places *places, const struct places_options *options)
{
	bool any = !options->list && !options->list6;

	places->count = 0;
	if (any || options->list)
		add_family(places, ADDR_IPV4, options->list);
	if (any || options->list6)
		add_family(places, ADDR_IPV6, options->list6);
}

static bool has_name(const struct places *places, int family, const char *name)
{
	size_t i;

	for (i = 0; name && i < places->count; i++)
		if (places->all[i].family == family)
			return true;
	return !name;
}

/* Names that no action has are the command line's own. */
static int find_places(const struct context *context, const struct places_options *options,
		       struct places *places)
{
	int status = 0;

	places->all = calloc(2 * (places->action_count + 1), sizeof(*places->all));
	if (!places->all)
		return failed(context, "no memory");
	add_places(places, options);
	if (!has_name(places, ADDR_IPV4, options->list) ||
	    !has_name(places, ADDR_IPV6, options->list6)) {
		status = add_default(context, options, places, "the command line");
		add_places(places, options);
	}
	if (status == 0 && places->count == 0)
		status = failed(context, "%s: backend=\"null\" blocks nobody, there is no list",
				places->actions[0].source);
	return status;
}

int places_open(const struct context *context, const struct places_options *options,
		struct places *ret_places)
{
	struct places places = { .actions = NULL };
	int status;

	status = read_actions(context, options, &places);
	if (status == 0)
		status = find_places(context, options, &places);
	if (status == 0)
		*ret_places = places;
	else
		places_done(&places);
	return status;
}

void places_done(struct places *places)
{
	size_t i;

	for (i = 0; i < places->action_count; i++) {
		if (places->actions[i].backend)
			places->actions[i].backend->ops->free(places->actions[i].backend);
		allowfile_free(places->actions[i].allow_file);
		settings_done(&places->actions[i].settings);
	}
	free(places->actions);
	free(places->all);
	local_addrs_free(places->local_addrs);
}

int places_know_host(const struct context *context, struct places *places)
{
	int r = local_addrs_new(&places->local_addrs);

	if (r == 0)
		r = local_addrs_refresh(places->local_addrs);
	if (r < 0)
		return failed(context, "the host's own addresses cannot be read: %s",
			      strerrordesc_np(-r));
	return 0;
}

/* --- one list -------------------------------------------------------------- */

struct cidr place_target(const struct place *place, const struct addr *addr)
{
	unsigned int prefix = settings_prefix(&place->action->settings, addr);

	return (struct cidr){ .net = cidr_mask(addr, prefix), .prefix = (uint8_t)prefix };
}

enum reason place_judge(const struct places *places, const struct place *place,
			const struct addr *addr)
{
	const struct cidr host = { .net = *addr, .prefix = (uint8_t)addr_bits(addr) };
	const struct settings *settings = &place->action->settings;
	struct cidr target = place_target(place, addr);
	struct decision d;

	d = policy_judge_address(settings, addr);
	if (d.verdict != VERDICT_BLOCK)
		return d.reason;
	if (local_addrs_contain(places->local_addrs, addr))
		return REASON_OWN_ADDRESS;
	if (allowfile_overlaps(place->action->allow_file, &host))
		return REASON_ALLOW_LIST;
	if (local_addrs_overlap(places->local_addrs, &target) ||
	    prefix_set_overlaps(settings->allow, &target) ||
	    allowfile_overlaps(place->action->allow_file, &target))
		return REASON_ALLOWED_NEIGHBOUR;
	return REASON_TRIGGERED;
}

int place_add(const struct place *place, const struct addr *addr)
{
	const struct backend_block block = {
		.addr = *addr,
		.stay = (int64_t)place->action->settings.ban_time * 1000,
	};

	return place->backend->ops->add(place->backend, &block);
}

int place_remove(const struct place *place, const struct addr *addr)
{
	return place->backend->ops->remove(place->backend, addr);
}

int place_flush(const struct place *place)
{
	return place->backend->ops->flush(place->backend, place->family);
}

int place_check(const struct place *place)
{
	return place->backend->ops->check(place->backend, place->family);
}

int place_foreach(const struct place *place, backend_entry_fn *fn, void *ctx)
{
	return place->backend->ops->foreach(place->backend, place->family, fn, ctx);
}

size_t place_capacity(const struct place *place)
{
	return place->backend->ops->capacity(place->backend);
}

const char *place_backend(const struct place *place)
{
	return place->backend->ops->name;
}

const char *place_family(const struct place *place)
{
	return place->family == ADDR_IPV4 ? "ipv4" : "ipv6";
}

int place_failed(const struct context *context, const struct place *place, int err)
{
	char advice[1024];

	if (err == -EACCES || err == -EPERM)
		return failed(context, "no right to do this to the list %s: type it as root",
			      place->name);
	if (err == -EOPNOTSUPP)
		return failed(context,
			      "the list %s cannot be read: the length of this kernel's tick is "
			      "unknown",
			      place->name);
	return failed(context, "%s",
		      place->backend->ops->advice(place->backend, place->family,
						  err == -ENFILE ? ENOSPC : -err, advice,
						  sizeof(advice)));
}

/* "From SOURCE: recent, lists spammer, spammer6" */
void places_print_sources(const struct places *places, FILE *out)
{
	const struct place_action *last = NULL;
	size_t i, a;

	for (a = 0; a < places->action_count; a++)
		for (i = 0; i < places->count; i++) {
			if (places->all[i].action != &places->actions[a])
				continue;
			if (last == &places->actions[a])
				fprintf(out, ", %s", places->all[i].name);
			else
				fprintf(out, "%sFrom %s: %s, %s", last ? "\n" : "",
					places->actions[a].source,
					place_backend(&places->all[i]), places->all[i].name);
			last = &places->actions[a];
		}
	if (last)
		fputc('\n', out);
}
