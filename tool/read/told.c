/* What the module told of its blocks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/told.h"

#include <json.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool/read/logline.h"

/* An event is flat. */
#define DEPTH_MAX 4

#define PID_MAX_LIMIT 4194304

struct told_reader {
	struct fjson_tokener *tokener;
};

struct told_reader *told_reader_new(void)
{
	struct told_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->tokener = fjson_tokener_new_ex(DEPTH_MAX);
	if (!reader->tokener) {
		free(reader);
		return NULL;
	}
	return reader;
}

void told_reader_free(struct told_reader *reader)
{
	if (!reader)
		return;
	fjson_tokener_free(reader->tokener);
	free(reader);
}

/* --- one line ------------------------------------------------------------ */

/* The member, if it is a string; "" if not. */
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

/* Clients write into replies: what a terminal would obey does not get there. */
static void take_text(struct fjson_object *object, const char *name, char *buf, size_t size)
{
	const char *text;
	size_t len, i;

	text = text_of(object, name, &len);
	for (i = 0; i < len && i + 1 < size; i++)
		buf[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
	buf[i] = '\0';
}

static bool is_text(struct fjson_object *object, const char *name, const char *wanted)
{
	const char *text;
	size_t len;

	text = text_of(object, name, &len);
	return len == strlen(wanted) && memcmp(text, wanted, len) == 0;
}

/* 0 if it is none from 1 to max. */
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
	if (!logline_time(text, len, &epoch))
		return false;
	*ret_at = (time_t)epoch;
	return true;
}

bool told_covers(const struct told *told, const struct addr *addr)
{
	struct addr net;

	if (told->target.net.family != addr->family)
		return false;
	net = cidr_mask(addr, told->target.prefix);
	return addr_compare(&net, &told->target.net) == 0;
}

/* The address, and its prefix where a whole one was blocked. */
static bool take_target(struct fjson_object *object, struct told *told)
{
	struct fjson_object *prefix;
	const char *text;
	size_t len;

	text = text_of(object, "address", &len);
	if (addr_parse(text, len, &told->addr) < 0)
		return false;
	told->target = (struct cidr){ told->addr, (uint8_t)addr_bits(&told->addr) };
	if (!fjson_object_object_get_ex(object, "prefix", &prefix))
		return true;
	text = text_of(object, "prefix", &len);
	return cidr_parse(text, len, &told->target) == 0 && told_covers(told, &told->addr);
}

static bool take_event(struct fjson_object *object, struct told *ret_told)
{
	struct told told = { .at = 0 };

	if (!is_text(object, "event", "block") || !take_time(object, &told.at) ||
	    !take_target(object, &told))
		return false;
	take_text(object, "list", told.list, sizeof(told.list));
	if (!told.list[0])
		return false;
	take_text(object, "trigger", told.trigger, sizeof(told.trigger));
	take_text(object, "reply", told.reply, sizeof(told.reply));
	take_text(object, "zone", told.zone, sizeof(told.zone));
	told.port = number_of(object, "port", UINT16_MAX);
	told.pid = number_of(object, "pid", PID_MAX_LIMIT);
	told.seconds = number_of(object, "seconds", INT32_MAX);
	told.ends_child = is_text(object, "child", "end");
	*ret_told = told;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool told_parse(struct told_reader *reader, const char *line, size_t len,
		struct told *ret_told)
{
	const char *begin = memchr(line, '{', len);
	struct fjson_object *object;
	bool is_event;

	while (len > 0 && is_blank(line[len - 1]))
		len--;
	if (!begin || len > TOLD_LINE_MAX || begin >= line + len)
		return false;
	len -= (size_t)(begin - line);
	fjson_tokener_reset(reader->tokener);
	object = fjson_tokener_parse_ex(reader->tokener, begin, (int)len);
	is_event = object && fjson_tokener_get_error(reader->tokener) == fjson_tokener_success &&
		   (size_t)reader->tokener->char_offset == len &&
		   fjson_object_is_type(object, fjson_type_object) &&
		   take_event(object, ret_told);
	fjson_object_put(object);
	return is_event;
}

/* --- files --------------------------------------------------------------- */

/* "ruleset", "rulesetName" and what else names one, but that of the events. */
static bool names_ruleset(const char *name)
{
	return strcasestr(name, "ruleset") && strcasecmp(name, "eventRuleset") != 0;
}

/* An input's messages; a call's, and one that goes where nobody knows. */
static bool feeds(const struct rsyslogconf_item *item, const char *ruleset)
{
	size_t i;

	if (item->kind == RSYSLOGCONF_STATEMENT)
		return strncasecmp(item->text, "call_indirect", 13) == 0 ||
		       (strncasecmp(item->text, "call ", 5) == 0 &&
			strcasecmp(item->text + 5, ruleset) == 0);
	if (item->kind == RSYSLOGCONF_DIRECTIVE)
		return names_ruleset(item->name) && strcasecmp(item->name, "RuleSet") != 0 &&
		       strcasecmp(item->text, ruleset) == 0;
	if (item->kind == RSYSLOGCONF_RULESET)
		return false;
	for (i = 0; i < item->count; i++)
		if (names_ruleset(item->params[i].name) && item->params[i].count > 0 &&
		    strcasecmp(item->params[i].values[0], ruleset) == 0)
			return true;
	return false;
}

/* Do only events come to the ruleset? */
static bool is_fed_by_module(const struct rsyslogconf *conf, const char *ruleset)
{
	size_t i;

	if (!ruleset[0] || strcasecmp(ruleset, "RSYSLOG_DefaultRuleset") == 0)
		return false;
	for (i = 0; i < rsyslogconf_count(conf); i++) {
		const struct rsyslogconf_item *item = rsyslogconf_at(conf, i);

		if (!item->disabled && feeds(item, ruleset))
			return false;
	}
	return true;
}

/* The ruleset's action writes it, and no action elsewhere does. */
static bool is_written_here(const struct rsyslogconf *conf, const char *ruleset,
			    const char *path)
{
	char other[PATH_MAX];
	size_t i;

	for (i = 0; i < rsyslogconf_count(conf); i++) {
		const struct rsyslogconf_item *item = rsyslogconf_at(conf, i);

		if (strcasecmp(item->ruleset, ruleset) != 0 &&
		    rsyslogconf_file(item, other, sizeof(other)) && strcmp(other, path) == 0)
			return false;
	}
	return true;
}

const char *told_next_file(const struct rsyslogconf *conf, const char *ruleset, size_t *from,
			   char path[static PATH_MAX])
{
	const struct rsyslogconf_item *item;

	if (!is_fed_by_module(conf, ruleset))
		return NULL;
	while (*from < rsyslogconf_count(conf)) {
		item = rsyslogconf_at(conf, (*from)++);
		if (strcasecmp(item->ruleset, ruleset) == 0 &&
		    rsyslogconf_file(item, path, PATH_MAX) &&
		    is_written_here(conf, ruleset, path))
			return path;
	}
	return NULL;
}
