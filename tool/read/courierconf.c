/* courier's esmtpd files.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/courierconf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "tool/read/file.h"

/* Largest file; the shipped ones have 12 KB. */
#define FILE_MAX (1UL << 20)
#define NAME_SIZE 64
#define VALUE_SIZE 8192

struct variable {
	char name[NAME_SIZE];
	char *value;
};

struct courierconf {
	struct variable *variables;
	size_t count;
	bool unsure;
};

/* The position of the reader and the value that it builds. */
struct reader {
	struct courierconf *conf;
	const char *at, *end;
	bool exporting;		/* after "export", until the end of the line */
	char value[VALUE_SIZE];
	size_t len;
};

int courierconf_new(struct courierconf **ret_conf)
{
	struct courierconf *conf = calloc(1, sizeof(*conf));

	if (!conf)
		return -ENOMEM;
	*ret_conf = conf;
	return 0;
}

void courierconf_free(struct courierconf *conf)
{
	size_t i;

	if (!conf)
		return;
	for (i = 0; i < conf->count; i++)
		free(conf->variables[i].value);
	free(conf->variables);
	free(conf);
}

static struct variable *find(const struct courierconf *conf, const char *name)
{
	size_t i;

	for (i = 0; i < conf->count; i++)
		if (strcmp(conf->variables[i].name, name) == 0)
			return &conf->variables[i];
	return NULL;
}

const char *courierconf_get(const struct courierconf *conf, const char *name)
{
	const struct variable *variable = find(conf, name);

	return variable ? variable->value : NULL;
}

long courierconf_number(const struct courierconf *conf, const char *name, long otherwise)
{
	const char *text = conf ? courierconf_get(conf, name) : NULL;
	char *end;
	long number;

	if (!text || *text == '\0')
		return otherwise;
	number = strtol(text, &end, 10);
	return *end != '\0' || number < 0 ? otherwise : number;
}

bool courierconf_unsure(const struct courierconf *conf)
{
	return conf->unsure;
}

static struct variable *append(struct courierconf *conf, const char *name)
{
	struct variable *added = array_add(&conf->variables, &conf->count);

	if (added)
		snprintf(added->name, sizeof(added->name), "%s", name);
	return added;
}

static int set(struct courierconf *conf, const char *name, const char *value)
{
	char *copy = strdup(value);
	struct variable *variable;

	if (!copy)
		return -ENOMEM;
	variable = find(conf, name);
	if (!variable)
		variable = append(conf, name);
	if (!variable) {
		free(copy);
		return -ENOMEM;
	}
	free(variable->value);
	variable->value = copy;
	return 0;
}

static int peek(const struct reader *reader)
{
	return reader->at < reader->end ? (unsigned char)*reader->at : -1;
}

static void put(struct reader *reader, char ch)
{
	if (reader->len + 1 < sizeof(reader->value))
		reader->value[reader->len++] = ch;
	else
		reader->conf->unsure = true;
	reader->value[reader->len] = '\0';
}

static void put_variable(struct reader *reader, const char *name)
{
	const char *text = courierconf_get(reader->conf, name);

	while (text && *text)
		put(reader, *text++);
}

static bool read_name(struct reader *reader, char name[static NAME_SIZE])
{
	size_t len = 0;
	int ch = peek(reader);

	if (ch != '_' && !isalpha(ch))
		return false;
	while ((ch = peek(reader)) == '_' || isalnum(ch)) {
		if (len + 1 == NAME_SIZE)
			return false;
		name[len++] = (char)ch;
		reader->at++;
	}
	name[len] = '\0';
	return true;
}

/* Expands $NAME or ${NAME}; the value of anything else after a $ only the shell knows. */
static void expand(struct reader *reader)
{
	char name[NAME_SIZE];
	bool braces;

	reader->at++;
	braces = peek(reader) == '{';
	reader->at += braces;
	if (!read_name(reader, name)) {
		reader->conf->unsure = true;
		return;
	}
	put_variable(reader, name);
	if (!braces)
		return;
	if (peek(reader) != '}')
		reader->conf->unsure = true;
	while (peek(reader) >= 0 && *reader->at++ != '}')
		;
}

/* Reads the character after a backslash; an escaped newline is dropped. */
static void read_escape(struct reader *reader, const char *special)
{
	int ch;

	reader->at++;
	ch = peek(reader);
	if (ch < 0)
		return;
	reader->at++;
	if (ch == '\n')
		return;
	if (special && !strchr(special, ch))
		put(reader, '\\');
	put(reader, (char)ch);
}

static void read_single(struct reader *reader)
{
	for (reader->at++; peek(reader) >= 0 && *reader->at != '\''; reader->at++)
		put(reader, *reader->at);
	reader->at += peek(reader) >= 0;
}

/* Reads one character of a word that is not a quotation mark. */
static void read_plain(struct reader *reader, const char *special)
{
	int ch = peek(reader);

	if (ch == '\\') {
		read_escape(reader, special);
		return;
	}
	if (ch == '$') {
		expand(reader);
		return;
	}
	if (ch == '`')
		reader->conf->unsure = true;
	put(reader, (char)ch);
	reader->at++;
}

static void read_double(struct reader *reader)
{
	reader->at++;
	while (peek(reader) >= 0 && *reader->at != '"')
		read_plain(reader, "$`\"\\");
	reader->at += peek(reader) >= 0;
}

static void read_value(struct reader *reader)
{
	int ch;

	reader->len = 0;
	reader->value[0] = '\0';
	while ((ch = peek(reader)) >= 0 && !strchr(" \t\r\n;&|", ch)) {
		if (ch == '\'')
			read_single(reader);
		else if (ch == '"')
			read_double(reader);
		else
			read_plain(reader, NULL);
	}
}

static void skip_line(struct reader *reader)
{
	while (peek(reader) >= 0 && *reader->at != '\n')
		reader->at++;
}

/* Skips what is not an assignment. "export", alone or with a name, and the shell's own
 * settings change no value. */
static void skip_command(struct reader *reader, const char *name)
{
	if (strcmp(name, "export") == 0) {
		reader->exporting = true;
		return;
	}
	if (reader->exporting)
		return;
	if (strcmp(name, "set") != 0)
		reader->conf->unsure = true;
	skip_line(reader);
}

static int read_statement(struct reader *reader)
{
	char name[NAME_SIZE];

	if (!read_name(reader, name)) {
		reader->conf->unsure = true;
		skip_line(reader);
		return 0;
	}
	if (peek(reader) != '=') {
		skip_command(reader, name);
		return 0;
	}
	reader->at++;
	read_value(reader);
	return set(reader->conf, name, reader->value);
}

static void skip_blank(struct reader *reader, int ch)
{
	if (ch == '\n' || ch == ';')
		reader->exporting = false;
	reader->at++;
}

static int read_text(struct courierconf *conf, const char *text, size_t len)
{
	struct reader reader = { .conf = conf, .at = text, .end = text + len };
	int ch, r = 0;

	while (r == 0 && (ch = peek(&reader)) >= 0) {
		if (ch == '#')
			skip_line(&reader);
		else if (isspace(ch) || ch == ';')
			skip_blank(&reader, ch);
		else
			r = read_statement(&reader);
	}
	return r;
}

int courierconf_read(struct courierconf *conf, const char *path)
{
	char *text;
	size_t len;
	int r = file_read(path, FILE_MAX, &text, &len);

	if (r < 0)
		return r;
	r = read_text(conf, text, len);
	free(text);
	return r;
}

size_t courierconf_word(const char **value, char *word, size_t size)
{
	const char *at = *value + strspn(*value, " \t\r\n");
	size_t len = 0;
	char quote = '\0';

	for (; *at && (quote || !isspace((unsigned char)*at)); at++) {
		if (*at == quote)
			quote = '\0';
		else if (!quote && (*at == '\'' || *at == '"'))
			quote = *at;
		else if (len + 1 < size)
			word[len++] = *at;
	}
	word[len] = '\0';
	*value = at;
	return len;
}
