/* Tests of the scanner together with the policy, with tests/data/hostile.txt.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

/* The fields of a line of hostile.txt. */
enum { OPTIONS, SEVERITY, ABOUT, VERDICT, TEXT, FIELDS };

/* --- one case --- */

static void set_option(struct settings *settings, char *option, int64_t *age)
{
	char wrong[256], *value = strchr(option, '=');

	if (!value)
		fail_msg("no option: %s", option);
	*value++ = '\0';
	if (strcmp(option, "age") == 0)
		*age = strtoll(value, NULL, 10);
	else if (settings_set(settings, option, value, wrong, sizeof(wrong)) < 0)
		fail_msg("%s", wrong);
}

static void set_options(struct settings *settings, const char *options, int64_t *age)
{
	char *copy = support_exact_copy(options, strlen(options) + 1);
	char *at = copy, *option, wrong[640];

	want_int(settings_init(settings), 0);
	while (strcmp(options, "-") != 0 && (option = strsep(&at, ";")))
		set_option(settings, option, age);
	if (settings_check(settings, wrong, sizeof(wrong)) < 0)
		fail_msg("%s", wrong);
	free(copy);
}

static int severity_number(const char *name)
{
	static const char *const names[] = { "emerg",	"alert",  "crit", "err",
					     "warning", "notice", "info", "debug" };
	int i;

	for (i = 0; i < (int)COUNT_OF(names); i++)
		if (strcmp(names[i], name) == 0)
			return i;
	want_str(name, "any");
	return COURIERLOG_SEVERITY_ANY;
}

/* A number that is there, or "-". */
static void add_number(char *text, size_t size, unsigned int number)
{
	size_t used = strlen(text);

	if (number)
		snprintf(text + used, size - used, " %u", number);
	else
		snprintf(text + used, size - used, " -");
}

/* As the third column of the file. */
static void describe_line(const struct courierlog_line *line, char *text, size_t size)
{
	static const char *const kinds[] = {
		[COURIERLOG_OTHER] = "other",
		[COURIERLOG_REJECT] = "reject",
		[COURIERLOG_ERROR] = "error",
		[COURIERLOG_STARTED] = "started",
		[COURIERLOG_DROPPED] = "dropped",
		[COURIERLOG_PRESSURE] = "pressure",
		[COURIERLOG_UNKNOWN] = "unknown",
	};
	char ip[ADDR_TEXT_SIZE] = "-";

	if (line->addr.family)
		addr_format(&line->addr, ip);
	snprintf(text, size, "%s %s", kinds[line->kind], ip);
	add_number(text, size, line->port);
	add_number(text, size, line->code);
}

/* As the fourth column. */
static void describe_decision(struct decision d, char *text, size_t size)
{
	static const char *const verdicts[] = {
		[VERDICT_BLOCK] = "block",
		[VERDICT_NOT_A_TRIGGER] = "ignore",
		[VERDICT_EXEMPT] = "allowed",
		[VERDICT_UNPROVEN] = "refused",
	};
	static const char *const reasons[REASON_COUNT] = {
		[REASON_TRIGGERED] = "triggered",
		[REASON_NO_TRIGGER] = "no-trigger",
		[REASON_SEVERITY] = "severity",
		[REASON_TEMPORARY] = "temporary",
		[REASON_OLD] = "old",
		[REASON_NOT_A_PEER] = "not-a-peer",
		[REASON_ALLOW_LIST] = "allow-list",
		[REASON_PATTERN] = "pattern",
		[REASON_PATTERN_LIMIT] = "pattern-limit",
	};
	const char *reason = reasons[d.reason];

	snprintf(text, size, "%s %s", verdicts[d.verdict], reason ? reason : "not the line's");
}

static struct decision judge_courier(const struct settings *settings,
				     const struct courierlog_line *line,
				     int severity, int64_t age)
{
	struct reply_regex_scratch *scratch;
	struct decision d;

	d = policy_judge_line(settings, line, severity, age);
	if (d.verdict != VERDICT_BLOCK)
		return d;
	want_int(reply_regex_scratch_new(settings->reply_pattern, &scratch), 0);
	d = policy_judge_reply(settings, line, scratch);
	reply_regex_scratch_free(scratch);
	return d;
}

static struct decision judge(const struct settings *settings, int severity, int64_t age,
			     const char *text, size_t len, struct courierlog_line *ret_line)
{
	const struct decision nothing = { VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER };

	if (settings->input == INPUT_COURIER) {
		courierlog_scan(text, len, severity, ret_line);
		if (ret_line->kind == COURIERLOG_OTHER && severity == COURIERLOG_SEVERITY_ERR &&
		    courierlog_gives_reply(text, len))
			ret_line->kind = COURIERLOG_UNKNOWN;
		return judge_courier(settings, ret_line, severity, age);
	}
	courierlog_scan_address(text, len, ret_line);
	if (ret_line->kind == COURIERLOG_UNKNOWN)
		return nothing;
	return policy_judge_address(settings, &ret_line->addr);
}

TEST_CORPUS(line_gets_its_verdict, "hostile.txt", FIELDS)
{
	const struct corpus_field *text = &row->fields[TEXT];
	char *copy = support_exact_copy(text->text, text->len);
	char line_text[128], verdict[64];
	struct courierlog_line line;
	struct settings settings;
	struct decision d;
	int64_t age = 0;

	set_options(&settings, row->fields[OPTIONS].text, &age);
	d = judge(&settings, severity_number(row->fields[SEVERITY].text), age, copy, text->len,
		  &line);
	settings_done(&settings);
	describe_line(&line, line_text, sizeof(line_text));
	describe_decision(d, verdict, sizeof(verdict));
	want_str(line_text, row->fields[ABOUT].text);
	want_str(verdict, row->fields[VERDICT].text);
	free(copy);
}
