/* Parse the module's events.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/event_log.h"

#include <json.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/text.h"
#include "tool/read/syslog_line.h"

/* Deepest nesting of JSON; an event is flat. */
#define DEPTH_MAX 4

#define PID_MAX_LIMIT 4194304

struct event_log_reader {
	struct fjson_tokener *tokener;
};

struct event_log_reader *event_log_reader_new(void)
{
	struct event_log_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->tokener = fjson_tokener_new_ex(DEPTH_MAX);
	if (!reader->tokener) {
		free(reader);
		return NULL;
	}
	return reader;
}

void event_log_reader_free(struct event_log_reader *reader)
{
	if (!reader)
		return;
	fjson_tokener_free(reader->tokener);
	free(reader);
}

/* --- one line ------------------------------------------------------------ */

/* The member's text; "" if it is no string. */
static const char *text_of(struct fjson_object *object, const char *name, size_t *ret_len)
{
	struct fjson_object *member;

	*ret_len = 0;
	if (!fjson_object_object_get_ex(object, name, &member) ||
	    !fjson_object_is_type(member, fjson_type_string))
		return "";
	*ret_len = (size_t)fjson_object_get_string_len(member);
	return fjson_object_get_string(member);
}

/* Replies contain text that clients choose: keep control characters off the terminal. */
static void take_text(struct fjson_object *object, const char *name, char *buf, size_t size)
{
	const char *text;
	size_t len;

	text = text_of(object, name, &len);
	text_clean(text, len, buf, size);
}

static bool is_text(struct fjson_object *object, const char *name, const char *wanted)
{
	const char *text;
	size_t len;

	text = text_of(object, name, &len);
	return len == strlen(wanted) && memcmp(text, wanted, len) == 0;
}

/* The member's number; 0 if it is not between 1 and max. */
static int64_t number_of(struct fjson_object *object, const char *name, int64_t max)
{
	struct fjson_object *member;
	int64_t n;

	if (!fjson_object_object_get_ex(object, name, &member) ||
	    !fjson_object_is_type(member, fjson_type_int))
		return 0;
	n = fjson_object_get_int64(member);
	return n > 0 && n <= max ? n : 0;
}

static bool take_time(struct fjson_object *object, time_t *ret_at)
{
	const char *text;
	int64_t epoch;
	size_t len;

	text = text_of(object, "time", &len);
	if (!syslog_line_time(text, len, &epoch))
		return false;
	*ret_at = (time_t)epoch;
	return true;
}

bool event_log_covers(const struct logged_event *logged, const struct addr *addr)
{
	struct addr net;

	if (logged->target.net.family != addr->family)
		return false;
	net = cidr_mask(addr, logged->target.prefix);
	return addr_compare(&net, &logged->target.net) == 0;
}

/* Reads the address, and the prefix if one was blocked. */
static bool take_target(struct fjson_object *object, struct logged_event *logged)
{
	struct fjson_object *prefix;
	const char *text;
	size_t len;

	text = text_of(object, "address", &len);
	if (addr_parse(text, len, &logged->addr) < 0)
		return false;
	logged->target = (struct cidr){ logged->addr, (uint8_t)addr_bits(&logged->addr) };
	if (!fjson_object_object_get_ex(object, "prefix", &prefix))
		return true;
	text = text_of(object, "prefix", &len);
	return cidr_parse(text, len, &logged->target) == 0 &&
	       event_log_covers(logged, &logged->addr);
}

static bool take_event(struct fjson_object *object, struct logged_event *ret_event)
{
	struct logged_event logged = { .at_proxy = is_text(object, "event", "proxy") };

	if ((!logged.at_proxy && !is_text(object, "event", "block")) ||
	    !take_time(object, &logged.at) || !take_target(object, &logged))
		return false;
	take_text(object, "list", logged.list, sizeof(logged.list));
	if (!logged.list[0])
		return false;
	take_text(object, "trigger", logged.trigger, sizeof(logged.trigger));
	take_text(object, "rule", logged.rule, sizeof(logged.rule));
	take_text(object, "reply", logged.reply, sizeof(logged.reply));
	take_text(object, "zone", logged.zone, sizeof(logged.zone));
	logged.port = number_of(object, "port", UINT16_MAX);
	logged.pid = number_of(object, "pid", PID_MAX_LIMIT);
	logged.seconds = number_of(object, "seconds", INT32_MAX);
	logged.ends_child = is_text(object, "child", "end");
	*ret_event = logged;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool event_log_parse(struct event_log_reader *reader, const char *line, size_t len,
		     struct logged_event *ret_event)
{
	const char *begin = memchr(line, '{', len);
	struct fjson_object *object;
	bool is_event;

	while (len > 0 && is_blank(line[len - 1]))
		len--;
	if (!begin || len > EVENT_LOG_LINE_MAX || begin >= line + len)
		return false;
	len -= (size_t)(begin - line);
	fjson_tokener_reset(reader->tokener);
	object = fjson_tokener_parse_ex(reader->tokener, begin, (int)len);
	is_event = object && fjson_tokener_get_error(reader->tokener) == fjson_tokener_success &&
		   (size_t)reader->tokener->char_offset == len &&
		   fjson_object_is_type(object, fjson_type_object) &&
		   take_event(object, ret_event);
	fjson_object_put(object);
	return is_event;
}

/* --- files --------------------------------------------------------------- */

/* Does the parameter name a ruleset ("ruleset", "rulesetName" and others), except for the
 * ruleset of events? */
static bool names_ruleset(const char *name)
{
	return strcasestr(name, "ruleset") && strcasecmp(name, "eventRuleset") != 0;
}

/* Does the item send messages to the ruleset? An input, a call, or a call whose target is
 * unknown. */
static bool feeds(const struct rsyslog_conf_item *item, const char *ruleset)
{
	size_t i;

	if (item->kind == RSYSLOG_CONF_STATEMENT)
		return strncasecmp(item->text, "call_indirect", 13) == 0 ||
		       (strncasecmp(item->text, "call ", 5) == 0 &&
			strcasecmp(item->text + 5, ruleset) == 0);
	if (item->kind == RSYSLOG_CONF_DIRECTIVE)
		return names_ruleset(item->name) && strcasecmp(item->name, "RuleSet") != 0 &&
		       strcasecmp(item->text, ruleset) == 0;
	if (item->kind == RSYSLOG_CONF_RULESET)
		return false;
	for (i = 0; i < item->count; i++)
		if (names_ruleset(item->params[i].name) && item->params[i].count > 0 &&
		    strcasecmp(item->params[i].values[0], ruleset) == 0)
			return true;
	return false;
}

/* Does the ruleset receive nothing but events? */
static bool is_fed_by_module(const struct rsyslog_conf *conf, const char *ruleset)
{
	size_t i;

	if (!ruleset[0] || strcasecmp(ruleset, "RSYSLOG_DefaultRuleset") == 0)
		return false;
	for (i = 0; i < rsyslog_conf_count(conf); i++) {
		const struct rsyslog_conf_item *item = rsyslog_conf_at(conf, i);

		if (!item->disabled && feeds(item, ruleset))
			return false;
	}
	return true;
}

/* Does an action of the ruleset write the file, and no other action? */
static bool is_written_here(const struct rsyslog_conf *conf, const char *ruleset,
			    const char *path)
{
	char other[PATH_MAX];
	size_t i;

	for (i = 0; i < rsyslog_conf_count(conf); i++) {
		const struct rsyslog_conf_item *item = rsyslog_conf_at(conf, i);

		if (strcasecmp(item->ruleset, ruleset) != 0 &&
		    rsyslog_conf_file(item, other, sizeof(other)) && strcmp(other, path) == 0)
			return false;
	}
	return true;
}

const char *event_log_next_file(const struct rsyslog_conf *conf, const char *ruleset,
				size_t *from, char path[static PATH_MAX])
{
	const struct rsyslog_conf_item *item;

	if (!is_fed_by_module(conf, ruleset))
		return NULL;
	while (*from < rsyslog_conf_count(conf)) {
		item = rsyslog_conf_at(conf, (*from)++);
		if (strcasecmp(item->ruleset, ruleset) == 0 &&
		    rsyslog_conf_file(item, path, PATH_MAX) &&
		    is_written_here(conf, ruleset, path))
			return path;
	}
	return NULL;
}
