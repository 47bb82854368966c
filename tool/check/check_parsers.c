/* Statements before the action that overwrite the sender's PID, uid and executable:
 * $!pid, $!uid and $!exe of imuxsock, $!_PID, $!_UID and $!_EXE of imjournal.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/array.h"
#include "tool/check/checks.h"

#define PLACE_SIZE 600
#define NAME_SIZE 40
#define DEPTH_MAX 8

/* Modules that set variables in $! whose names the sender, the administrator's pattern or a
 * program chooses. parameter redirects them; the default is $!. Other modules choose the
 * names themselves (mmfields: f1, f2, ..) or use an object of their own below $!
 * (mmpstrucdata, mmaudit, mmdblookup, mmkubernetes, mmleefparse, mmsnareparse, mmdarwin). */
static const struct parser {
	const char *type;
	const char *parameter;	/* NULL: always $! */
} parsers[] = {
	{ "mmjsonparse", "container" },
	{ "mmnormalize", "path" },
	{ "mmgrok", "target" },
	{ "mmexternal", NULL },
	{ "mmjsontransform", "output" },
	{ "mmkv", NULL },
};

/* An action with a queue works on a copy of the message and changes nothing here. */
static bool has_queue(const struct rsyslog_conf_item *item)
{
	const char *type = rsyslog_conf_value(item, "queue.type");

	return type && strcasecmp(type, "Direct") != 0;
}

/* Is it "!" or "$!", and not "$!json" or "$.x"? */
static bool is_root(const char *container)
{
	return strcmp(container + (container[0] == '$'), "!") == 0;
}

static const char *writing_module(const struct rsyslog_conf_item *item)
{
	const char *type = rsyslog_conf_value(item, "type"), *container = NULL;
	size_t i;

	for (i = 0; type && i < COUNT_OF(parsers); i++) {
		if (strcasecmp(type, parsers[i].type) != 0)
			continue;
		if (parsers[i].parameter)
			container = rsyslog_conf_value(item, parsers[i].parameter);
		if ((!container || is_root(container)) && !has_queue(item))
			return parsers[i].type;
	}
	return NULL;
}

/* The module of an action in the old form, ":mmjsonparse:". */
static const char *old_form(const char *text)
{
	size_t i, len;

	for (i = 0; text[0] == ':' && i < COUNT_OF(parsers); i++) {
		len = strlen(parsers[i].type);
		if (strncasecmp(text + 1, parsers[i].type, len) == 0 && text[1 + len] == ':')
			return parsers[i].type;
	}
	return NULL;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

/* rsyslog compares names without case. */
static bool is_senders(const char *variable, size_t len)
{
	static const char *const names[] = { "$!pid", "$!uid", "$!exe",
					     "$!_PID", "$!_UID", "$!_EXE" };
	size_t i;

	for (i = 0; i < COUNT_OF(names); i++)
		if (is_word(variable, len, names[i]))
			return true;
	return false;
}

/* set $!pid = .. */
static const char *assignment(const char *text, char name[static NAME_SIZE])
{
	size_t word = strcspn(text, " \t"), len;
	const char *variable = text + word + strspn(text + word, " \t");

	len = strcspn(variable, " \t=");
	if ((!is_word(text, word, "set") && !is_word(text, word, "reset")) ||
	    !is_senders(variable, len))
		return NULL;
	snprintf(name, NAME_SIZE, "%.*s %.*s", (int)word, text, (int)len, variable);
	return name;
}

/* Does the expression call parse_json(.., "\$!"), which writes into $! itself? */
static bool parses_json(const char *text)
{
	const char *at = strcasestr(text, "parse_json");

	return at && (strstr(at, "$!\"") || strstr(at, "$!'"));
}

static bool filter_parses_json(const struct rsyslog_conf_filter *filter)
{
	for (; filter; filter = filter->outer)
		if (parses_json(filter->text))
			return true;
	return false;
}

/* Description of what an item writes with; NULL: it writes nothing. */
static const char *writes(const struct rsyslog_conf_item *item, char name[static NAME_SIZE])
{
	if (filter_parses_json(item->filter))
		return "parse_json()";
	if (item->kind == RSYSLOG_CONF_ACTION)
		return writing_module(item);
	if (item->kind != RSYSLOG_CONF_STATEMENT)
		return NULL;
	if (parses_json(item->text))
		return "parse_json()";
	return item->text[0] == ':' ? old_form(item->text) : assignment(item->text, name);
}

static bool ruleset_has_queue(const struct rsyslog_conf *conf, const char *name)
{
	size_t i;

	for (i = 0; i < rsyslog_conf_count(conf); i++) {
		const struct rsyslog_conf_item *item = rsyslog_conf_at(conf, i);
		const char *its = rsyslog_conf_value(item, "name");

		if (item->kind == RSYSLOG_CONF_RULESET && its && strcasecmp(its, name) == 0)
			return has_queue(item);
	}
	return false;
}

/* The first item before end in the ruleset, or in those it calls, that writes. */
static const struct rsyslog_conf_item *find_within(const struct rsyslog_conf *conf,
						   const char *ruleset, size_t end,
						   unsigned int depth)
{
	const struct rsyslog_conf_item *item, *found = NULL;
	char name[NAME_SIZE];
	const char *called;
	size_t i;

	for (i = 0; !found && i < end && depth < DEPTH_MAX; i++) {
		item = rsyslog_conf_at(conf, i);
		if (item->disabled || strcasecmp(item->ruleset, ruleset) != 0)
			continue;
		called = rsyslog_conf_called(item);
		if (writes(item, name))
			found = item;
		else if (called && !ruleset_has_queue(conf, called))
			found = find_within(conf, called, rsyslog_conf_count(conf), depth + 1);
	}
	return found;
}

/* The first item that writes before this item is reached, on any path of calls. */
static const struct rsyslog_conf_item *find_before(const struct rsyslog_conf *conf,
						   size_t index, unsigned int depth)
{
	const char *ruleset = rsyslog_conf_at(conf, index)->ruleset, *called;
	const struct rsyslog_conf_item *found = find_within(conf, ruleset, index, depth);
	size_t i;

	for (i = 0; !found && i < rsyslog_conf_count(conf) && depth < DEPTH_MAX; i++) {
		called = rsyslog_conf_called(rsyslog_conf_at(conf, i));
		if (called && strcasecmp(called, ruleset) == 0 &&
		    !rsyslog_conf_at(conf, i)->disabled)
			found = find_before(conf, i, depth + 1);
	}
	return found;
}

void check_parsers(struct checks *checks, const struct host_action *action)
{
	const struct rsyslog_conf *conf = checks->host->conf;
	const struct settings *settings = &action->settings;
	char place[PLACE_SIZE], name[NAME_SIZE];
	const struct rsyslog_conf_item *item;
	size_t index = 0;

	if (!action->item || settings->input != INPUT_COURIER ||
	    settings->verify == VERIFY_NONE)
		return;
	while (rsyslog_conf_at(conf, index) != action->item)
		index++;
	item = find_before(conf, index, 0);
	if (item)
		check_add(checks,
			  settings->verify == VERIFY_SENDER ? CHECK_BROKEN : CHECK_WARNING,
			  "rsyslog.parser", "move the action of omsmtpblock before it",
			  "%s: %s runs before the action and lets a sender say who he is",
			  check_place(item, place, sizeof(place)), writes(item, name));
}
