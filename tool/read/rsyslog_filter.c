/* Evaluate rsyslog's filters for one message.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/rsyslog_filter.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SYSLOG_NAMES makes syslog.h define its tables of names. */
#define SYSLOG_NAMES
#include <syslog.h>

#include "lib/array.h"

#define WORD_SIZE 256
#define DEPTH_MAX 32

static int name_value(const CODE *names, const char *name, size_t len)
{
	char *end;
	long number;

	for (; names->c_name; names++)
		if (strlen(names->c_name) == len && strncasecmp(names->c_name, name, len) == 0)
			return names->c_val;
	number = strtol(name, &end, 10);
	return len > 0 && end == name + len ? (int)number : -1;
}

static enum answer opposite(enum answer answer)
{
	return (enum answer)-(int)answer;
}

static enum answer yes_if(bool yes)
{
	return yes ? ANSWER_YES : ANSWER_NO;
}

/* --- selectors ----------------------------------------------------------- */

static bool facilities_hold(const char *list, size_t len, int facility)
{
	const char *end = list + len;

	while (list < end) {
		size_t n = strcspn(list, ",.");

		if (n == 1 && *list == '*')
			return true;
		if (name_value(facilitynames, list, n) == facility << 3)
			return true;
		list += n + 1;
	}
	return false;
}

/* Applies one part, "mail,news.!=info". *ret_passes is unchanged if the part is about other
 * messages. */
static bool apply_part(const char *part, size_t len, const struct specimen *specimen,
		       bool *ret_passes)
{
	const char *dot = memchr(part, '.', len), *end = part + len;
	bool negated = false, exact = false;
	int severity;

	if (!dot)
		return false;
	if (!facilities_hold(part, (size_t)(dot - part), specimen->facility))
		return true;
	for (dot++; dot < end && (*dot == '!' || *dot == '='); dot++) {
		negated |= *dot == '!';
		exact |= *dot == '=';
	}
	if (end - dot == 1 && *dot == '*') {
		*ret_passes = !negated;
		return true;
	}
	if (end - dot == 4 && strncasecmp(dot, "none", 4) == 0) {
		*ret_passes = false;
		return true;
	}
	severity = name_value(prioritynames, dot, (size_t)(end - dot));
	if (severity < 0)
		return false;
	if (exact ? specimen->severity == severity : specimen->severity <= severity)
		*ret_passes = !negated;
	return true;
}

static enum answer selector_passes(const char *text, const struct specimen *specimen)
{
	bool passes = false;

	while (*text) {
		size_t len = strcspn(text, "; \t");

		if (len > 0 && !apply_part(text, len, specimen, &passes))
			return ANSWER_UNSURE;
		text += len + (text[len] != '\0');
	}
	return yes_if(passes);
}

/* --- properties ---------------------------------------------------------- */

static const char *name_of(const CODE *names, int value)
{
	for (; names->c_name; names++)
		if (names->c_val == value)
			return names->c_name;
	return NULL;
}

static bool is_severity_text(const char *name)
{
	return strcasecmp(name, "syslogseverity-text") == 0 ||
	       strcasecmp(name, "syslogpriority-text") == 0;
}

/* The text of a property; NULL: unknown. *ret_part: the text is only a part of it. */
static const char *property_text(const char *name, const struct specimen *specimen,
				 bool *ret_part)
{
	*ret_part = false;
	if (strcasecmp(name, "programname") == 0)
		return specimen->program;
	if (strcasecmp(name, "syslogfacility-text") == 0)
		return name_of(facilitynames, specimen->facility << 3);
	if (is_severity_text(name))
		return specimen->severity == LOG_ERR ? "err" :
						       name_of(prioritynames, specimen->severity);
	*ret_part = true;
	if (strcasecmp(name, "syslogtag") == 0)
		return specimen->program;
	if (strcasecmp(name, "msg") == 0 || strcasecmp(name, "rawmsg") == 0)
		return specimen->message;
	return NULL;
}

/* The number of a property, or -1. */
static int property_number(const char *name, const struct specimen *specimen)
{
	if (strcasecmp(name, "syslogfacility") == 0)
		return specimen->facility;
	if (strcasecmp(name, "syslogseverity") == 0 || strcasecmp(name, "syslogpriority") == 0)
		return specimen->severity;
	if (strcasecmp(name, "pri") == 0)
		return specimen->facility << 3 | specimen->severity;
	return -1;
}

static bool begins(const char *text, const char *with, bool fold)
{
	size_t len = strlen(with);

	return fold ? strncasecmp(text, with, len) == 0 : strncmp(text, with, len) == 0;
}

static bool has(const char *text, const char *part, bool fold)
{
	return fold ? strcasestr(text, part) != NULL : strstr(text, part) != NULL;
}

/* Compares two texts by an operation of property filters or expressions. */
static enum answer compare_text(const char *text, bool part, const char *operation,
				const char *value)
{
	bool fold = strlen(operation) > 2 && strcmp(strrchr(operation, '\0') - 2, "_i") == 0;
	enum answer otherwise = part ? ANSWER_UNSURE : ANSWER_NO;

	if (begins(operation, "contains", true))
		return has(text, value, fold) ? ANSWER_YES : otherwise;
	if (begins(operation, "startswith", true))
		return begins(text, value, fold) ? ANSWER_YES : otherwise;
	if (strcmp(operation, "==") == 0 || strcasecmp(operation, "isequal") == 0)
		return part ? ANSWER_UNSURE : yes_if(strcmp(text, value) == 0);
	if (strcmp(operation, "!=") == 0 || strcmp(operation, "<>") == 0)
		return opposite(compare_text(text, part, "==", value));
	if (strcasecmp(operation, "isempty") == 0)
		return ANSWER_NO;
	return ANSWER_UNSURE;
}

/* An operation is a text of the signs that may hold, but for "!=". */
static enum answer compare_number(long number, const char *operation, long value)
{
	char sign = number < value ? '<' : number > value ? '>' : '=';

	if (strcmp(operation, "!=") == 0)
		return yes_if(number != value);
	if (operation[strspn(operation, "<=>")] != '\0')
		return ANSWER_UNSURE;
	return yes_if(strchr(operation, sign));
}

/* The next word of a property filter; it ends at a comma or blank. */
static const char *take_word(const char *at, char word[static WORD_SIZE])
{
	size_t len = 0;

	at += strspn(at, " \t:");
	while (*at && !strchr(", \t", *at)) {
		if (len + 1 < WORD_SIZE)
			word[len++] = *at;
		at++;
	}
	word[len] = '\0';
	return at + strspn(at, ", \t");
}

static const char *take_string(const char *at, char word[static WORD_SIZE])
{
	char quote = *at;
	size_t len = 0;

	for (at++; *at && *at != quote; at++) {
		if (*at == '\\' && at[1])
			at++;
		if (len + 1 < WORD_SIZE)
			word[len++] = *at;
	}
	word[len] = '\0';
	return at + (*at == quote);
}

/* Evaluates :property, [!]operation, "value". */
static enum answer property_passes(const char *text, const struct specimen *specimen)
{
	char name[WORD_SIZE], operation[WORD_SIZE], value[WORD_SIZE] = "";
	const char *known, *op = operation;
	enum answer answer = ANSWER_UNSURE;
	bool part;

	text = take_word(text, name);
	text = take_word(text, operation);
	if (*text == '"')
		take_string(text, value);
	known = property_text(name, specimen, &part);
	op += *op == '!';
	if (known)
		answer = compare_text(known, part, op, value);
	else if (property_number(name, specimen) >= 0)
		answer = compare_number(property_number(name, specimen), "==",
					strtol(value, NULL, 10));
	return op == operation ? answer : opposite(answer);
}

/* --- expressions --------------------------------------------------------- */

struct expression {
	const char *at;
	const struct specimen *specimen;
	unsigned int depth;
};

/* One side of a comparison. */
struct operand {
	enum { OPERAND_UNKNOWN, OPERAND_TEXT, OPERAND_NUMBER, OPERAND_ANSWER } kind;
	char text[WORD_SIZE];
	bool part;
	long number;
	enum answer answer;
};

static enum answer read_or(struct expression *e);

static void skip_blanks(struct expression *e)
{
	e->at += strspn(e->at, " \t\r\n");
}

static bool is_name(int ch)
{
	return isalnum(ch) || ch == '_' || ch == '-' || ch == '.' || ch == '!';
}

/* Consumes the keyword if it is next. */
static bool take_keyword(struct expression *e, const char *word)
{
	size_t len = strlen(word);

	skip_blanks(e);
	if (strncasecmp(e->at, word, len) != 0 || is_name((unsigned char)e->at[len]))
		return false;
	e->at += len;
	return true;
}

static void read_name(struct expression *e, char name[static WORD_SIZE])
{
	size_t len = 0;

	for (; is_name((unsigned char)*e->at); e->at++)
		if (len + 1 < WORD_SIZE)
			name[len++] = *e->at;
	name[len] = '\0';
}

static void read_variable(struct expression *e, struct operand *operand)
{
	char name[WORD_SIZE];
	const char *text;
	int number;

	e->at++;
	read_name(e, name);
	number = property_number(name, e->specimen);
	text = property_text(name, e->specimen, &operand->part);
	if (number >= 0) {
		operand->kind = OPERAND_NUMBER;
		operand->number = number;
	} else if (text) {
		operand->kind = OPERAND_TEXT;
		snprintf(operand->text, sizeof(operand->text), "%s", text);
	}
}

/* Skips from after an opening bracket to the one that closes it. */
static void skip_brackets(struct expression *e, char open, char close)
{
	unsigned int level = 1;
	char ignored[WORD_SIZE];

	while (*e->at && level > 0) {
		if (*e->at == '"' || *e->at == '\'') {
			e->at = take_string(e->at, ignored);
			continue;
		}
		level += *e->at == open;
		level -= *e->at == close;
		e->at++;
	}
}

/* Evaluates prifilt("mail.err"); the value of other functions is unknown. */
static void read_function(struct expression *e, struct operand *operand)
{
	char name[WORD_SIZE], value[WORD_SIZE];

	read_name(e, name);
	skip_blanks(e);
	if (*e->at != '(')
		return;
	e->at++;
	skip_blanks(e);
	if (strcasecmp(name, "prifilt") == 0 && (*e->at == '"' || *e->at == '\'')) {
		e->at = take_string(e->at, value);
		operand->kind = OPERAND_ANSWER;
		operand->answer = selector_passes(value, e->specimen);
	}
	skip_brackets(e, '(', ')');
}

static void read_text(struct expression *e, struct operand *operand)
{
	e->at = take_string(e->at, operand->text);
	operand->kind = OPERAND_TEXT;
}

static void read_number(struct expression *e, struct operand *operand)
{
	char *end;

	operand->number = strtol(e->at, &end, 10);
	operand->kind = OPERAND_NUMBER;
	e->at = end;
}

static void read_parentheses(struct expression *e, struct operand *operand)
{
	e->at++;
	operand->kind = OPERAND_ANSWER;
	operand->answer = read_or(e);
	skip_blanks(e);
	if (*e->at == ')')
		e->at++;
}

static void read_operand(struct expression *e, struct operand *operand)
{
	memset(operand, 0, sizeof(*operand));
	skip_blanks(e);
	if (*e->at == '(')
		read_parentheses(e, operand);
	else if (*e->at == '"' || *e->at == '\'')
		read_text(e, operand);
	else if (*e->at == '$')
		read_variable(e, operand);
	else if (isdigit((unsigned char)*e->at))
		read_number(e, operand);
	else if (isalpha((unsigned char)*e->at))
		read_function(e, operand);
	else if (*e->at)
		e->at++;
}

static bool take_operation(struct expression *e, char operation[static WORD_SIZE])
{
	static const char *const signs[] = { "==", "!=", "<>", "<=", ">=", "<", ">" };
	static const char *const words[] = { "contains_i", "contains", "startswith_i",
					     "startswith" };
	size_t i;

	skip_blanks(e);
	for (i = 0; i < COUNT_OF(signs); i++) {
		if (strncmp(e->at, signs[i], strlen(signs[i])) == 0) {
			e->at += strlen(signs[i]);
			snprintf(operation, WORD_SIZE, "%s", signs[i]);
			return true;
		}
	}
	for (i = 0; i < COUNT_OF(words); i++) {
		if (take_keyword(e, words[i])) {
			snprintf(operation, WORD_SIZE, "%s", words[i]);
			return true;
		}
	}
	return false;
}

static enum answer compare(const struct operand *left, const char *operation,
			   const struct operand *right)
{
	char *end;
	long number;

	if (left->kind == OPERAND_NUMBER && right->kind == OPERAND_NUMBER)
		return compare_number(left->number, operation, right->number);
	if (left->kind == OPERAND_TEXT && right->kind == OPERAND_TEXT)
		return compare_text(left->text, left->part, operation, right->text);
	if (left->kind != OPERAND_NUMBER || right->kind != OPERAND_TEXT)
		return ANSWER_UNSURE;
	number = strtol(right->text, &end, 10);
	return *end == '\0' ? compare_number(left->number, operation, number) : ANSWER_UNSURE;
}

/* A match with one of the texts in brackets is enough. */
static enum answer compare_each(struct expression *e, const struct operand *left,
				const char *operation)
{
	enum answer answer = ANSWER_NO;
	struct operand right;

	e->at++;
	for (;;) {
		enum answer one;

		skip_blanks(e);
		if (*e->at == '\0' || *e->at == ']')
			break;
		read_operand(e, &right);
		one = compare(left, operation, &right);
		answer = one > answer ? one : answer;
		skip_blanks(e);
		e->at += *e->at == ',';
	}
	e->at += *e->at == ']';
	return answer;
}

static enum answer operand_answer(const struct operand *operand)
{
	if (operand->kind == OPERAND_ANSWER)
		return operand->answer;
	if (operand->kind == OPERAND_NUMBER)
		return yes_if(operand->number != 0);
	return ANSWER_UNSURE;
}

static enum answer read_comparison(struct expression *e)
{
	char operation[WORD_SIZE];
	struct operand left, right;

	read_operand(e, &left);
	if (!take_operation(e, operation))
		return operand_answer(&left);
	skip_blanks(e);
	if (*e->at == '[')
		return compare_each(e, &left, operation);
	read_operand(e, &right);
	return compare(&left, operation, &right);
}

static enum answer read_not(struct expression *e)
{
	enum answer answer;

	if (e->depth == DEPTH_MAX) {
		e->at += strlen(e->at);
		return ANSWER_UNSURE;
	}
	e->depth++;
	answer = take_keyword(e, "not") ? opposite(read_not(e)) : read_comparison(e);
	e->depth--;
	return answer;
}

static enum answer read_and(struct expression *e)
{
	enum answer answer = read_not(e);

	while (take_keyword(e, "and")) {
		enum answer right = read_not(e);

		answer = right < answer ? right : answer;
	}
	return answer;
}

static enum answer read_or(struct expression *e)
{
	enum answer answer = read_and(e);

	while (take_keyword(e, "or")) {
		enum answer right = read_and(e);

		answer = right > answer ? right : answer;
	}
	return answer;
}

static enum answer expression_holds(const char *text, const struct specimen *specimen)
{
	struct expression e = { .at = text, .specimen = specimen };
	enum answer answer = read_or(&e);

	skip_blanks(&e);
	return *e.at == '\0' ? answer : ANSWER_UNSURE;
}

/* --- whole filters ------------------------------------------------------- */

static enum answer one_passes(const struct rsyslog_conf_filter *filter,
			      const struct specimen *specimen)
{
	switch (filter->condition) {
	case RSYSLOG_CONF_SELECTOR:
		return selector_passes(filter->text, specimen);
	case RSYSLOG_CONF_PROPERTY:
		return property_passes(filter->text, specimen);
	case RSYSLOG_CONF_IF:
		return expression_holds(filter->text, specimen);
	case RSYSLOG_CONF_ELSE:
		return opposite(expression_holds(filter->text, specimen));
	case RSYSLOG_CONF_FOREACH:
	default:
		return ANSWER_UNSURE;
	}
}

enum answer rsyslog_filter_passes(const struct rsyslog_conf_filter *filter,
				  const struct specimen *specimen)
{
	enum answer answer = ANSWER_YES;

	for (; filter; filter = filter->outer) {
		enum answer one = one_passes(filter, specimen);

		answer = one < answer ? one : answer;
	}
	return answer;
}
