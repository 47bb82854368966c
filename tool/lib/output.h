/* How results look: tables and times for people, JSON for programs.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_OUTPUT_H
#define SMTPBLOCKCTL_OUTPUT_H

#include <json.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* Replace what a terminal would obey in UTF-8 (controls, C1 too) by question marks: for
 * texts that are not ours. Tables do it themselves. Returns text. */
char *output_clean(char *text);

/* More columns than any table here has. */
#define OUTPUT_COLUMNS_MAX 8

/* Rows of texts, each column as wide as its widest text. */
struct output_table;

/* headings ends with NULL; its texts have to outlive the table. Returns NULL where
 * there is no memory. */
struct output_table *output_table_new(const char *const headings[]);

/* Append a row; the texts are copied. NULL is an empty one. A row for which there is
 * no memory makes the table fail. */
void output_table_add(struct output_table *table, const char *const texts[]);

/* Returns 0; -ENOMEM if a row is missing, and then nothing is printed. */
int output_table_print(const struct output_table *table, FILE *out);

/* NULL is allowed. */
void output_table_free(struct output_table *table);

/* Room for any time below. */
#define OUTPUT_TIME_SIZE 48

/* YYYY-MM-DD HH:MM:SS, local time. Returns buf, as all of these. */
char *output_local(time_t when, char buf[static OUTPUT_TIME_SIZE]);

/* A length of time by its two largest units: 45 s, 9 min 30 s, 2 h 5 min, 3 d 1 h. */
char *output_span(int64_t seconds, char buf[static OUTPUT_TIME_SIZE]);

/* "time": RFC 3339, "time_s": seconds since the epoch, under these names. */
void output_add_time(struct fjson_object *object, const char *name, time_t when);

/* Short ways of adding to an object. Where there is no memory the value is null. */
void output_add_text(struct fjson_object *object, const char *name, const char *text);
void output_add_number(struct fjson_object *object, const char *name, int64_t number);
void output_add_bool(struct fjson_object *object, const char *name, int value);

/* Print as one line and free. */
void output_json(struct fjson_object *object, FILE *out);

#endif
