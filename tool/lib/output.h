/* Output formats: tables and times for people, JSON for programs.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_OUTPUT_H
#define SMTPBLOCKCTL_OUTPUT_H

#include <json.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "tool/lib/command.h"

/* Replace control characters (C1 in UTF-8, too) by question marks, in text that others
 * wrote. Tables do this themselves. Returns text. */
char *output_clean(char *text);

/* Most columns of a table. */
#define OUTPUT_COLUMNS_MAX 8

/* A table of texts; each column is as wide as its widest text. */
struct output_table;

/* headings ends with NULL; the caller keeps its texts until the table is freed. Returns NULL
 * if out of memory. */
struct output_table *output_table_new(const char *const headings[]);

/* Append a row; the texts are copied, NULL is an empty text. table may be NULL. If memory
 * runs out, output_table_print() reports it. */
void output_table_add(struct output_table *table, const char *const texts[]);

/* Print the table and free it. If it is NULL or a row is missing, report that memory ran out
 * and print nothing. */
void output_table_print(struct output_table *table, const struct context *context);

#define OUTPUT_SPAN_SIZE 48

/* Format a duration by its two largest units: 45 s, 9 min 30 s, 2 h 5 min, 3 d 1 h. Returns
 * buf. */
char *output_span(int64_t seconds, char buf[static OUTPUT_SPAN_SIZE]);

/* Add two members: NAME in RFC 3339 and NAME_s in seconds since the epoch. */
void output_add_time(struct fjson_object *object, const char *name, time_t when);

/* Add a member to an object. The value is null if out of memory, for an empty text or NULL,
 * and for an unknown number, which is below 1. */
void output_add_text(struct fjson_object *object, const char *name, const char *text);
void output_add_number(struct fjson_object *object, const char *name, int64_t number);
void output_add_known(struct fjson_object *object, const char *name, int64_t number);
void output_add_bool(struct fjson_object *object, const char *name, int value);

/* Add an empty array to an object, an empty object to an array. Returns what was added. */
struct fjson_object *output_add_array(struct fjson_object *object, const char *name);
struct fjson_object *output_add_object(struct fjson_object *array);

/* Print as one line, then free the object. */
void output_json(struct fjson_object *object, FILE *out);

#endif
