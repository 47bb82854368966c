/* Tables and times for people, JSON for programs.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/output.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"

struct row {
	char *texts[OUTPUT_COLUMNS_MAX];
};

struct output_table {
	const char *const *headings;
	size_t columns;
	struct row *rows;
	size_t count;
	bool no_memory;
};

/* Is this a control character? In UTF-8, C1 controls are 0xc2 followed by 0x80 to 0x9f. */
static bool is_obeyed(const unsigned char *text, size_t at)
{
	if (text[at] < ' ' || text[at] == 0x7f)
		return true;
	return text[at] >= 0x80 && text[at] < 0xa0 && at > 0 && text[at - 1] == 0xc2;
}

char *output_clean(char *text)
{
	size_t i;

	for (i = 0; text[i]; i++)
		if (is_obeyed((const unsigned char *)text, i))
			text[i] = '?';
	return text;
}

struct output_table *output_table_new(const char *const headings[])
{
	struct output_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->headings = headings;
	while (headings[table->columns] && table->columns < OUTPUT_COLUMNS_MAX)
		table->columns++;
	return table;
}

void output_table_add(struct output_table *table, const char *const texts[])
{
	struct row *row = table ? array_add(&table->rows, &table->count) : NULL;
	size_t i;

	if (!table)
		return;
	for (i = 0; row && i < table->columns; i++) {
		row->texts[i] = strdup(texts[i] ? texts[i] : "");
		if (row->texts[i])
			output_clean(row->texts[i]);
		else
			table->no_memory = true;
	}
	table->no_memory |= !row;
}

static size_t width_of(const struct output_table *table, size_t column)
{
	size_t width = strlen(table->headings[column]), row, len;

	for (row = 0; row < table->count; row++) {
		len = strlen(table->rows[row].texts[column]);
		if (len > width)
			width = len;
	}
	return width;
}

/* Leaves no blanks at the end of the line. */
static void print_row(const struct output_table *table, const char *const *texts,
		      const int *widths, FILE *out)
{
	size_t i, last = 0;

	for (i = 0; i < table->columns; i++)
		if (*texts[i])
			last = i;
	for (i = 0; i < last; i++)
		fprintf(out, "%-*s  ", widths[i], texts[i]);
	fprintf(out, "%s\n", texts[last]);
}

static void print_rows(const struct output_table *table, FILE *out)
{
	int widths[OUTPUT_COLUMNS_MAX];
	size_t i;

	for (i = 0; i < table->columns; i++)
		widths[i] = (int)width_of(table, i);
	print_row(table, table->headings, widths, out);
	for (i = 0; i < table->count; i++)
		print_row(table, (const char *const *)table->rows[i].texts, widths, out);
}

static void free_table(struct output_table *table)
{
	size_t row, i;

	for (row = 0; row < table->count; row++)
		for (i = 0; i < table->columns; i++)
			free(table->rows[row].texts[i]);
	free(table->rows);
	free(table);
}

void output_table_print(struct output_table *table, const struct context *context)
{
	if (!table || table->no_memory)
		failed(context, "out of memory");
	else
		print_rows(table, context->out);
	if (table)
		free_table(table);
}

char *output_span(int64_t seconds, char buf[static OUTPUT_SPAN_SIZE])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	size_t i = 0;
	int64_t rest;

	if (seconds < 0)
		seconds = 0;
	while (i < 3 && seconds < units[i].seconds)
		i++;
	rest = seconds % units[i].seconds;
	if (i < 3 && rest >= units[i + 1].seconds)
		snprintf(buf, OUTPUT_SPAN_SIZE, "%" PRId64 " %s %" PRId64 " %s",
			 seconds / units[i].seconds, units[i].name,
			 rest / units[i + 1].seconds, units[i + 1].name);
	else
		snprintf(buf, OUTPUT_SPAN_SIZE, "%" PRId64 " %s",
			 seconds / units[i].seconds, units[i].name);
	return buf;
}

void output_add_time(struct fjson_object *object, const char *name, time_t when)
{
	char text[32] = "-", seconds[64];
	struct tm tm;

	if (gmtime_r(&when, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(seconds, sizeof(seconds), "%.60s_s", name);
	output_add_text(object, name, text);
	output_add_number(object, seconds, when);
}

void output_add_text(struct fjson_object *object, const char *name, const char *text)
{
	fjson_object_object_add(object, name,
				text && *text ? fjson_object_new_string(text) : NULL);
}

void output_add_number(struct fjson_object *object, const char *name, int64_t number)
{
	fjson_object_object_add(object, name, fjson_object_new_int64(number));
}

void output_add_known(struct fjson_object *object, const char *name, int64_t number)
{
	fjson_object_object_add(object, name, number > 0 ? fjson_object_new_int64(number) : NULL);
}

void output_add_bool(struct fjson_object *object, const char *name, int value)
{
	fjson_object_object_add(object, name, fjson_object_new_boolean(value));
}

struct fjson_object *output_add_array(struct fjson_object *object, const char *name)
{
	struct fjson_object *array = fjson_object_new_array();

	fjson_object_object_add(object, name, array);
	return array;
}

struct fjson_object *output_add_object(struct fjson_object *array)
{
	struct fjson_object *object = fjson_object_new_object();

	fjson_object_array_add(array, object);
	return object;
}

/* libfastjson escapes slashes, which JSON does not require and which is hard to read. */
static void print_plain(const char *json, FILE *out)
{
	for (; *json; json++) {
		if (json[0] == '\\' && json[1] == '/')
			json++;
		else if (json[0] == '\\')
			fputc(*json++, out);
		fputc(*json, out);
	}
	fputc('\n', out);
}

void output_json(struct fjson_object *object, FILE *out)
{
	print_plain(fjson_object_to_json_string_ext(object, FJSON_TO_STRING_PLAIN), out);
	fjson_object_put(object);
}
