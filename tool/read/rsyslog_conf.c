/* Parse rsyslog's configuration. Tolerant: it must not fail where rsyslogd does not.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/rsyslog_conf.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/array.h"
#include "tool/read/file.h"
#include "tool/read/rsyslog_lexer.h"

/* Memory that the items point to. */
struct piece {
	struct piece *next;
	max_align_t bytes[];
};

struct rsyslog_conf {
	struct piece *pieces;
	struct rsyslog_conf_item *items;
	size_t count;
	const char **problems;
	size_t problem_count;
	unsigned int files;
	bool no_memory;
};

/* One file being read, with the filters and ruleset around the current position. */
struct reader {
	struct rsyslog_conf *conf;
	struct rsyslog_lexer text;
	const char *file;
	const char *ruleset;
	unsigned int depth;
	char *scratch;		/* room for the whole text */
};

static void *take(struct rsyslog_conf *conf, size_t size)
{
	struct piece *piece = calloc(1, sizeof(*piece) + size);

	if (!piece) {
		conf->no_memory = true;
		return NULL;
	}
	piece->next = conf->pieces;
	conf->pieces = piece;
	return piece->bytes;
}

static const char *keep_bytes(struct rsyslog_conf *conf, const char *text, size_t len)
{
	char *copy = take(conf, len + 1);

	if (!copy)
		return "";
	memcpy(copy, text, len);
	return copy;
}

static const char *keep(struct rsyslog_conf *conf, const char *text)
{
	return keep_bytes(conf, text, strlen(text));
}

__attribute__((format(printf, 3, 4)))
static void problem(struct reader *r, unsigned int line, const char *format, ...)
{
	struct rsyslog_conf *conf = r->conf;
	char what[160], whole[RSYSLOG_CONF_ERROR_SIZE];
	const char **added;
	va_list args;

	if (conf->problem_count == RSYSLOG_CONF_OBJECTS_MAX)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "%.300s line %u: %s", r->file, line, what);
	added = array_add(&conf->problems, &conf->problem_count);
	if (added)
		*added = keep(conf, whole);
	else
		conf->no_memory = true;
}

/* Append an item; NULL: out of memory. */
static struct rsyslog_conf_item *add_item(struct reader *r, enum rsyslog_conf_kind kind,
					  const struct rsyslog_conf_filter *filter,
					  unsigned int line)
{
	struct rsyslog_conf *conf = r->conf;
	struct rsyslog_conf_item *item;

	if (conf->count >= RSYSLOG_CONF_OBJECTS_MAX) {
		problem(r, line, "too many objects");
		r->text.at = r->text.end;
		return NULL;
	}
	item = array_add(&conf->items, &conf->count);
	if (!item) {
		conf->no_memory = true;
		return NULL;
	}
	*item = (struct rsyslog_conf_item){
		.kind = kind, .name = "", .text = "", .filter = filter,
		.ruleset = r->ruleset, .file = r->file, .line = line,
	};
	return item;
}

/* --- parameters ------------------------------------------------------------ */

struct values {
	const char **values;
	size_t count;
};

static void add_value(struct reader *r, struct values *values, const char *value)
{
	const char **added = array_add(&values->values, &values->count);

	if (added)
		*added = value;
	else
		r->conf->no_memory = true;
}

/* Reads one string or bare word; false: there is none. */
static bool read_value(struct reader *r, struct values *values)
{
	int c = rsyslog_lexer_peek(&r->text);
	size_t len;

	if (c == '"' || c == '\'' || c == '`') {
		if (!rsyslog_lexer_string(&r->text, r->scratch))
			return false;
		add_value(r, values, keep(r->conf, r->scratch));
		return true;
	}
	len = rsyslog_lexer_word(&r->text);
	if (len == 0)
		return false;
	add_value(r, values, keep_bytes(r->conf, r->text.at, len));
	rsyslog_lexer_skip(&r->text, len);
	return true;
}

/* Reads the values between brackets. */
static bool read_array(struct reader *r, struct values *values)
{
	for (;;) {
		rsyslog_lexer_blanks(&r->text);
		if (rsyslog_lexer_take_char(&r->text, ']'))
			return true;
		if (!rsyslog_lexer_take_char(&r->text, ',') && !read_value(r, values))
			return false;
	}
}

static const char *const *keep_values(struct reader *r, const struct values *values)
{
	const char **copy = take(r->conf, (values->count + 1) * sizeof(*copy));

	if (copy && values->count > 0)
		memcpy(copy, values->values, values->count * sizeof(*copy));
	return copy;
}

/* Reads name="value" or name=["a", "b"]. */
static bool read_param(struct reader *r, struct rsyslog_conf_param *param)
{
	size_t len = rsyslog_lexer_word(&r->text);
	struct values values = { NULL, 0 };
	bool good;

	if (len == 0)
		return false;
	param->line = r->text.line;
	param->name = keep_bytes(r->conf, r->text.at, len);
	rsyslog_lexer_skip(&r->text, len);
	rsyslog_lexer_blanks(&r->text);
	if (!rsyslog_lexer_take_char(&r->text, '='))
		return false;
	rsyslog_lexer_blanks(&r->text);
	good = rsyslog_lexer_take_char(&r->text, '[') ? read_array(r, &values)
						      : read_value(r, &values);
	param->count = values.count;
	param->values = keep_values(r, &values);
	free(values.values);
	return good && param->values;
}

struct params {
	struct rsyslog_conf_param *params;
	size_t count;
};

/* Reads parameters up to the closing parenthesis. Stops at anything it cannot parse. */
static void read_params(struct reader *r, struct params *params)
{
	struct rsyslog_conf_param param, *added;

	for (;;) {
		rsyslog_lexer_blanks(&r->text);
		if (rsyslog_lexer_take_char(&r->text, ')'))
			return;
		if (rsyslog_lexer_take_char(&r->text, ','))
			continue;
		if (!read_param(r, &param))
			break;
		added = array_add(&params->params, &params->count);
		if (!added) {
			r->conf->no_memory = true;
			return;
		}
		*added = param;
	}
	if (r->conf->no_memory)
		return;
	problem(r, r->text.line, "name=\"value\" or ) expected");
	rsyslog_lexer_until(&r->text, ")", NULL, r->scratch);
	rsyslog_lexer_take_char(&r->text, ')');
}

static void keep_params(struct reader *r, const struct params *params,
			struct rsyslog_conf_item *item)
{
	struct rsyslog_conf_param *copy = take(r->conf, (params->count + 1) * sizeof(*copy));

	if (!copy)
		return;
	if (params->count > 0)
		memcpy(copy, params->params, params->count * sizeof(*copy));
	item->params = copy;
	item->count = params->count;
}

/* Sets the one parameter that a directive of the old form stands for. */
static void one_param(struct reader *r, struct rsyslog_conf_item *item, const char *name,
		      const char *value)
{
	const char **values = take(r->conf, sizeof(*values));
	struct rsyslog_conf_param param = { .name = name, .count = 1, .values = values,
					   .line = item->line };
	const struct params params = { .params = &param, .count = 1 };

	if (!values)
		return;
	values[0] = value;
	keep_params(r, &params, item);
}

/* --- included files -------------------------------------------------------- */

static void read_statements(struct reader *r, const struct rsyslog_conf_filter *filter);

static int read_into(struct reader *outer, const char *text, size_t len, const char *name,
		     const struct rsyslog_conf_filter *filter)
{
	struct reader r = *outer;

	r.text = (struct rsyslog_lexer){ .at = text, .end = text + len, .line = 1 };
	r.file = keep(r.conf, name);
	r.scratch = malloc(len + 2);
	if (!r.scratch) {
		r.conf->no_memory = true;
		return -ENOMEM;
	}
	while (r.text.at < r.text.end && !r.conf->no_memory) {
		read_statements(&r, filter);
		if (rsyslog_lexer_take_char(&r.text, '}'))
			problem(&r, r.text.line, "} without its {");
	}
	free(r.scratch);
	outer->ruleset = r.ruleset;
	return r.conf->no_memory ? -ENOMEM : 0;
}

static int read_file(struct reader *outer, const char *path,
		     const struct rsyslog_conf_filter *filter)
{
	char *text;
	size_t len;
	int r;

	if (outer->conf->files++ >= RSYSLOG_CONF_FILES_MAX)
		return -EMFILE;
	r = file_read(path, RSYSLOG_CONF_FILE_MAX, &text, &len);
	if (r < 0)
		return r;
	r = read_into(outer, text, len, path, filter);
	free(text);
	return r;
}

/* A directory stands for all files in it. */
static void format_pattern(const char *path, char *buf, size_t size)
{
	size_t len = strlen(path);

	snprintf(buf, size, "%s%s%s", path[0] == '/' ? "" : "/", path,
		 len > 0 && path[len - 1] == '/' ? "*" : "");
}

static void include_one(struct reader *r, const char *path, unsigned int line,
			const struct rsyslog_conf_filter *filter, bool optional)
{
	int err = read_file(r, path, filter);

	if (err == -EMFILE)
		problem(r, line, "too many included files");
	else if (err < 0 && err != -ENOMEM && !optional)
		problem(r, line, "%.100s: %s", path, strerrordesc_np(-err));
}

/* Reads files in the order of glob(3), as rsyslogd does. */
static void include(struct reader *r, const char *path, unsigned int line,
		    const struct rsyslog_conf_filter *filter, bool optional)
{
	char pattern[1024];
	glob_t found = { .gl_pathc = 0 };
	size_t i, len;

	if (r->depth >= RSYSLOG_CONF_DEPTH_MAX) {
		problem(r, line, "includes too deep");
		return;
	}
	format_pattern(path, pattern, sizeof(pattern));
	if (!strpbrk(pattern, "*?[")) {
		include_one(r, pattern, line, filter, optional);
		return;
	}
	r->depth++;
	if (glob(pattern, GLOB_MARK, NULL, &found) == 0)
		for (i = 0; i < found.gl_pathc && !r->conf->no_memory; i++) {
			len = strlen(found.gl_pathv[i]);
			if (found.gl_pathv[i][len - 1] != '/')
				include_one(r, found.gl_pathv[i], line, filter, optional);
		}
	globfree(&found);
	r->depth--;
}

static void include_object(struct reader *r, const struct rsyslog_conf_item *item,
			   const struct rsyslog_conf_filter *filter)
{
	/* Copied: the array of items may move while the file is read. */
	const struct rsyslog_conf_item it = *item;
	const char *mode = rsyslog_conf_value(&it, "mode"), *file, *text;
	bool optional = mode && strcasecmp(mode, "optional") == 0;

	file = rsyslog_conf_value(&it, "file");
	text = rsyslog_conf_value(&it, "text");
	if (it.disabled)
		return;
	r->depth++;
	if (file)
		include(r, file, it.line, filter, optional);
	else if (text && r->depth < RSYSLOG_CONF_DEPTH_MAX)
		read_into(r, text, strlen(text), it.file, filter);
	r->depth--;
}

/* --- statements ------------------------------------------------------------ */

static void read_statement(struct reader *r, const struct rsyslog_conf_filter *filter);

static const struct rsyslog_conf_filter *add_filter(struct reader *r,
						    enum rsyslog_conf_condition condition,
						    const char *text,
						    const struct rsyslog_conf_filter *outer)
{
	struct rsyslog_conf_filter *filter = take(r->conf, sizeof(*filter));

	if (!filter)
		return outer;
	filter->condition = condition;
	filter->text = text;
	filter->outer = outer;
	return filter;
}

/* Skip a block in braces without reading its statements. */
static void skip_braces(struct reader *r)
{
	unsigned int depth = 0;

	do {
		if (!rsyslog_lexer_until(&r->text, "{}", NULL, r->scratch))
			return;
		depth += *r->text.at == '{' ? 1 : (unsigned int)-1;
		rsyslog_lexer_skip(&r->text, 1);
	} while (depth > 0);
}

static void read_block(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	unsigned int line = r->text.line;

	rsyslog_lexer_skip(&r->text, 1);
	read_statements(r, filter);
	if (!rsyslog_lexer_take_char(&r->text, '}') && !r->conf->no_memory)
		problem(r, line, "{ without its }");
}

static enum rsyslog_conf_kind kind_of(const char *name)
{
	static const struct {
		const char *name;
		enum rsyslog_conf_kind kind;
	} kinds[] = {
		{ "module", RSYSLOG_CONF_MODULE },   { "input", RSYSLOG_CONF_INPUT },
		{ "action", RSYSLOG_CONF_ACTION },   { "ruleset", RSYSLOG_CONF_RULESET },
		{ "include", RSYSLOG_CONF_INCLUDE },
	};
	size_t i;

	for (i = 0; i < COUNT_OF(kinds); i++)
		if (strcasecmp(kinds[i].name, name) == 0)
			return kinds[i].kind;
	return RSYSLOG_CONF_OBJECT;
}

/* The filters around a ruleset do not apply to its statements. */
static void read_ruleset(struct reader *r, const char *name)
{
	const char *outer = r->ruleset;

	r->ruleset = name ? name : "";
	read_block(r, NULL);
	r->ruleset = outer;
}

/* Reads what may follow the parentheses. */
static void after_object(struct reader *r, const struct rsyslog_conf_item *item,
			 const struct rsyslog_conf_filter *filter)
{
	const struct rsyslog_conf_item it = *item;

	if (it.kind == RSYSLOG_CONF_INCLUDE)
		include_object(r, &it, filter);
	if (it.kind != RSYSLOG_CONF_RULESET && strcasecmp(it.name, "template") != 0)
		return;
	rsyslog_lexer_blanks(&r->text);
	if (rsyslog_lexer_peek(&r->text) != '{')
		return;
	if (it.kind == RSYSLOG_CONF_RULESET)
		read_ruleset(r, rsyslog_conf_value(&it, "name"));
	else
		skip_braces(r);
}

/* Reads name(..); text is at the parenthesis. */
static void read_object(struct reader *r, const char *name, unsigned int line,
			const struct rsyslog_conf_filter *filter)
{
	struct params params = { NULL, 0 };
	struct rsyslog_conf_item *item;

	rsyslog_lexer_skip(&r->text, 1);
	read_params(r, &params);
	item = add_item(r, kind_of(name), filter, line);
	if (item) {
		item->name = name;
		keep_params(r, &params, item);
		item->disabled = !rsyslog_conf_is_on(item, "config.enabled", true);
		after_object(r, item, filter);
	}
	free(params.params);
}

static void add_text(struct reader *r, enum rsyslog_conf_kind kind, unsigned int line,
		     const struct rsyslog_conf_filter *filter)
{
	struct rsyslog_conf_item *item = add_item(r, kind, filter, line);

	if (item)
		item->text = keep(r->conf, r->scratch);
}

/* Reads an action in the old form: the rest of the line. */
static void read_old_action(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	unsigned int line = r->text.line;

	rsyslog_lexer_rest(&r->text, r->scratch);
	add_text(r, RSYSLOG_CONF_STATEMENT, line, filter);
}

/* Reads set $.x = 1; and the like, up to the semicolon. */
static void read_assignment(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	unsigned int line = r->text.line;

	if (!rsyslog_lexer_until(&r->text, ";", NULL, r->scratch))
		problem(r, line, "; expected");
	add_text(r, RSYSLOG_CONF_STATEMENT, line, filter);
	rsyslog_lexer_take_char(&r->text, ';');
}

/* Reads stop, continue, call NAME. */
static void read_call(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	bool call = strncasecmp(r->text.at, "call", 4) == 0;
	unsigned int line = r->text.line;
	size_t len = rsyslog_lexer_word(&r->text), used = len;

	memcpy(r->scratch, r->text.at, len);
	rsyslog_lexer_skip(&r->text, len);
	if (call) {
		rsyslog_lexer_blanks(&r->text);
		len = rsyslog_lexer_word(&r->text);
		r->scratch[used++] = ' ';
		memcpy(r->scratch + used, r->text.at, len);
		rsyslog_lexer_skip(&r->text, len);
		used += len;
	}
	r->scratch[used] = '\0';
	add_text(r, RSYSLOG_CONF_STATEMENT, line, filter);
}

/* Adds a directive, some as the object they stand for. */
static void add_directive(struct reader *r, const char *name, const char *value,
			  unsigned int line, const struct rsyslog_conf_filter *filter)
{
	bool load = strcasecmp(name, "ModLoad") == 0;
	bool file = strcasecmp(name, "IncludeConfig") == 0;
	struct rsyslog_conf_item *item;

	item = add_item(r,
			load   ? RSYSLOG_CONF_MODULE
			: file ? RSYSLOG_CONF_INCLUDE
			       : RSYSLOG_CONF_DIRECTIVE,
			filter, line);
	if (!item)
		return;
	item->name = name;
	item->text = value;
	if (load || file)
		one_param(r, item, load ? "load" : "file", value);
	if (file)
		include_object(r, item, filter);
	else if (strcasecmp(name, "RuleSet") == 0)
		r->ruleset = strcmp(value, "RSYSLOG_DefaultRuleset") == 0 ? "" : value;
}

static void read_directive(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	unsigned int line = r->text.line;
	const char *name, *value;
	size_t len;

	rsyslog_lexer_skip(&r->text, 1);
	rsyslog_lexer_rest(&r->text, r->scratch);
	len = strcspn(r->scratch, " \t");
	name = keep_bytes(r->conf, r->scratch, len);
	value = r->scratch + len;
	value = keep(r->conf, value + strspn(value, " \t"));
	if (!r->conf->no_memory)
		add_directive(r, name, value, line, filter);
}

/* Reads what a filter applies to: one statement, a block, or several joined by & . */
static void read_filtered(struct reader *r, enum rsyslog_conf_condition condition,
			  const char *text, const struct rsyslog_conf_filter *outer)
{
	const struct rsyslog_conf_filter *filter = add_filter(r, condition, text, outer);

	rsyslog_lexer_blanks(&r->text);
	if (r->text.at >= r->text.end || *r->text.at == '}')
		problem(r, r->text.line, "nothing follows %.60s", text);
	else
		read_statement(r, filter);
}

static void read_if(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	unsigned int line = r->text.line;
	struct rsyslog_lexer before;
	const char *text;

	if (!rsyslog_lexer_until(&r->text, NULL, "then", r->scratch)) {
		problem(r, line, "if without its then");
		return;
	}
	text = keep(r->conf, r->scratch);
	rsyslog_lexer_take(&r->text, "then");
	read_filtered(r, RSYSLOG_CONF_IF, text, filter);
	before = r->text;
	rsyslog_lexer_blanks(&r->text);
	if (rsyslog_lexer_take(&r->text, "else"))
		read_filtered(r, RSYSLOG_CONF_ELSE, text, filter);
	else
		r->text = before;
}

/* Reads foreach ($.i in $.list) do { .. } */
static void read_foreach(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	unsigned int line = r->text.line;
	const char *text;

	rsyslog_lexer_blanks(&r->text);
	rsyslog_lexer_take_char(&r->text, '(');
	if (!rsyslog_lexer_until(&r->text, ")", NULL, r->scratch)) {
		problem(r, line, "foreach without its )");
		return;
	}
	text = keep(r->conf, r->scratch);
	rsyslog_lexer_skip(&r->text, 1);
	rsyslog_lexer_blanks(&r->text);
	rsyslog_lexer_take(&r->text, "do");
	read_filtered(r, RSYSLOG_CONF_FOREACH, text, filter);
}

/* Reads :property, operation, "value" */
static void read_property(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	struct rsyslog_lexer begin = r->text;
	const char *text;

	while (r->text.at < r->text.end && *r->text.at != '"' && *r->text.at != '\n')
		r->text.at++;
	if (rsyslog_lexer_peek(&r->text) != '"' ||
	    !rsyslog_lexer_string(&r->text, r->scratch)) {
		problem(r, begin.line, "a property filter ends with a \"string\"");
		rsyslog_lexer_rest(&r->text, r->scratch);
		return;
	}
	text = keep_bytes(r->conf, begin.at, (size_t)(r->text.at - begin.at));
	read_filtered(r, RSYSLOG_CONF_PROPERTY, text, filter);
}

/* Reads a statement that begins with a word and is no selector. */
static void read_word(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	unsigned int line = r->text.line;
	struct rsyslog_lexer begin = r->text;
	size_t len = rsyslog_lexer_word(&r->text);
	const char *name = keep_bytes(r->conf, r->text.at, len);

	rsyslog_lexer_skip(&r->text, len);
	rsyslog_lexer_blanks(&r->text);
	if (strcasecmp(name, "if") == 0) {
		read_if(r, filter);
	} else if (strcasecmp(name, "foreach") == 0) {
		read_foreach(r, filter);
	} else if (rsyslog_lexer_peek(&r->text) == '(') {
		read_object(r, name, line, filter);
	} else {
		r->text = begin;
		if (strcasecmp(name, "set") == 0 || strcasecmp(name, "reset") == 0 ||
		    strcasecmp(name, "unset") == 0 || strcasecmp(name, "call_indirect") == 0)
			read_assignment(r, filter);
		else if (strcasecmp(name, "stop") == 0 || strcasecmp(name, "continue") == 0 ||
			 strcasecmp(name, "call") == 0)
			read_call(r, filter);
		else
			read_old_action(r, filter);
	}
}

/* Is it an action in the old form (:omusrmsg:, :mmjsonparse:), and not a property filter? */
static bool is_old_module(const struct reader *r)
{
	return r->text.end - r->text.at > 3 &&
	       (memcmp(r->text.at, ":om", 3) == 0 || memcmp(r->text.at, ":mm", 3) == 0);
}

/* Reads one statement; its first byte decides the kind. */
static void read_one(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	int c = rsyslog_lexer_peek(&r->text);

	if (c == '{')
		read_block(r, filter);
	else if (c == '$')
		read_directive(r, filter);
	else if (c == ':' && !is_old_module(r))
		read_property(r, filter);
	else if (rsyslog_lexer_selector(&r->text, r->scratch))
		read_filtered(r, RSYSLOG_CONF_SELECTOR, keep(r->conf, r->scratch), filter);
	else if (isalpha(c))
		read_word(r, filter);
	else
		read_old_action(r, filter);
}

static void read_statement(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	if (r->depth >= RSYSLOG_CONF_DEPTH_MAX) {
		problem(r, r->text.line, "too deep");
		r->text.at = r->text.end;
		return;
	}
	r->depth++;
	read_one(r, filter);
	for (;;) {
		rsyslog_lexer_blanks(&r->text);
		if (!rsyslog_lexer_take_char(&r->text, '&'))
			break;
		rsyslog_lexer_blanks(&r->text);
		read_one(r, filter);
	}
	r->depth--;
}

/* Reads statements up to the end or a closing brace. */
static void read_statements(struct reader *r, const struct rsyslog_conf_filter *filter)
{
	for (;;) {
		rsyslog_lexer_blanks(&r->text);
		if (r->text.at >= r->text.end || *r->text.at == '}' || r->conf->no_memory)
			return;
		read_statement(r, filter);
	}
}

/* --- interface ------------------------------------------------------------- */

/* Takes what was read, or frees it if result is an error. */
static int finish(struct rsyslog_conf *conf, int result, struct rsyslog_conf **ret_conf)
{
	if (result < 0)
		rsyslog_conf_free(conf);
	else
		*ret_conf = conf;
	return result;
}

int rsyslog_conf_read(const char *path, struct rsyslog_conf **ret_conf,
		      char errbuf[static RSYSLOG_CONF_ERROR_SIZE])
{
	struct reader r = { .conf = calloc(1, sizeof(*r.conf)), .file = path, .ruleset = "" };
	int err = r.conf ? read_file(&r, path, NULL) : -ENOMEM;

	if (err < 0 && err != -ENOMEM)
		snprintf(errbuf, RSYSLOG_CONF_ERROR_SIZE, "%.400s: %s", path,
			 strerrordesc_np(-err));
	return finish(r.conf, err, ret_conf);
}

int rsyslog_conf_read_text(const char *text, size_t len, const char *name,
			   struct rsyslog_conf **ret_conf)
{
	struct reader r = { .conf = calloc(1, sizeof(*r.conf)), .file = name, .ruleset = "" };
	int err = r.conf ? read_into(&r, text, len, name, NULL) : -ENOMEM;

	return finish(r.conf, err, ret_conf);
}

void rsyslog_conf_free(struct rsyslog_conf *conf)
{
	struct piece *next;

	if (!conf)
		return;
	for (; conf->pieces; conf->pieces = next) {
		next = conf->pieces->next;
		free(conf->pieces);
	}
	free(conf->items);
	free(conf->problems);
	free(conf);
}

size_t rsyslog_conf_count(const struct rsyslog_conf *conf)
{
	return conf->count;
}

const struct rsyslog_conf_item *rsyslog_conf_at(const struct rsyslog_conf *conf, size_t i)
{
	return &conf->items[i];
}

const char *rsyslog_conf_problem(const struct rsyslog_conf *conf, size_t i)
{
	return i < conf->problem_count ? conf->problems[i] : NULL;
}

const char *rsyslog_conf_value(const struct rsyslog_conf_item *item, const char *name)
{
	size_t i;

	for (i = 0; i < item->count; i++)
		if (strcasecmp(item->params[i].name, name) == 0 && item->params[i].count > 0)
			return item->params[i].values[0];
	return NULL;
}

bool rsyslog_conf_is_on(const struct rsyslog_conf_item *item, const char *name, bool otherwise)
{
	const char *value = rsyslog_conf_value(item, name);

	if (!value)
		return otherwise;
	return strcasecmp(value, "on") == 0 || strcasecmp(value, "yes") == 0 ||
	       strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

const char *rsyslog_conf_called(const struct rsyslog_conf_item *item)
{
	if (item->kind != RSYSLOG_CONF_STATEMENT || strncmp(item->text, "call ", 5) != 0)
		return NULL;
	return item->text + 5 + strspn(item->text + 5, " \t");
}

/* A module may be loaded by its path, and with or without .so. */
static bool is_type(const char *value, const char *type)
{
	const char *slash = strrchr(value, '/');
	size_t len = strlen(type);

	if (slash)
		value = slash + 1;
	return strncasecmp(value, type, len) == 0 &&
	       (value[len] == '\0' || strcmp(value + len, ".so") == 0);
}

const struct rsyslog_conf_item *rsyslog_conf_next(const struct rsyslog_conf *conf,
						  enum rsyslog_conf_kind kind, const char *type,
						  size_t *from)
{
	const char *name = kind == RSYSLOG_CONF_MODULE ? "load" : "type", *value;
	const struct rsyslog_conf_item *item;

	while (*from < conf->count) {
		item = &conf->items[(*from)++];
		if (item->kind != kind || item->disabled)
			continue;
		value = rsyslog_conf_value(item, name);
		if (value && is_type(value, type))
			return item;
	}
	return NULL;
}

/* Parses "-/var/log/mail.log;template". */
static bool old_file(const char *text, char *path, size_t size)
{
	int n = snprintf(path, size, "%.*s", (int)strcspn(text, ";"), text);

	return path[0] == '/' && (size_t)n < size;
}

bool rsyslog_conf_file(const struct rsyslog_conf_item *item, char *path, size_t size)
{
	const char *type, *file;

	if (item->disabled)
		return false;
	if (item->kind == RSYSLOG_CONF_STATEMENT)
		return old_file(item->text + (item->text[0] == '-'), path, size);
	if (item->kind != RSYSLOG_CONF_ACTION)
		return false;
	type = rsyslog_conf_value(item, "type");
	file = rsyslog_conf_value(item, "file");
	if (!type || !file || !is_type(type, "omfile") || file[0] != '/')
		return false;
	return (size_t)snprintf(path, size, "%s", file) < size;
}

/* Is it a parameter of all actions, which rsyslog handles? */
static bool is_common(const char *name)
{
	return strcasecmp(name, "type") == 0 || strcasecmp(name, "name") == 0 ||
	       strcasecmp(name, "config.enabled") == 0 ||
	       strncasecmp(name, "action.", 7) == 0 || strncasecmp(name, "queue.", 6) == 0;
}

static int set_param(struct settings *settings, const struct rsyslog_conf_param *param,
		     char *why, size_t size)
{
	size_t i;
	int r = 0;

	if (is_common(param->name))
		return 0;
	for (i = 0; i < param->count && r == 0; i++)
		r = settings_set(settings, param->name, param->values[i], why, size);
	return r;
}

static int set_all(const struct rsyslog_conf_item *item, struct settings *settings, char *why,
		   size_t size, unsigned int *ret_line)
{
	size_t i;
	int r;

	for (i = 0; i < item->count; i++) {
		*ret_line = item->params[i].line;
		r = set_param(settings, &item->params[i], why, size);
		if (r < 0)
			return r;
	}
	*ret_line = item->line;
	return settings_check(settings, why, size);
}

int rsyslog_conf_settings(const struct rsyslog_conf_item *item, struct settings *ret_settings,
			  char errbuf[static RSYSLOG_CONF_ERROR_SIZE])
{
	struct settings settings;
	unsigned int line = 0;
	char why[384] = "";
	int r;

	r = settings_init(&settings);
	if (r < 0)
		return r;
	r = set_all(item, &settings, why, sizeof(why), &line);
	if (r == 0) {
		*ret_settings = settings;
		return 0;
	}
	settings_done(&settings);
	if (r == -ENOMEM)
		return r;
	snprintf(errbuf, RSYSLOG_CONF_ERROR_SIZE, "%.100s line %u: %s", item->file, line, why);
	return -EINVAL;
}
