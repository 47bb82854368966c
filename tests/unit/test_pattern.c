/* A compiled expression (PCRE2) with limits that hold for hostile text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "pattern.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "support.h"

static int match(const char *expression, const char *text, size_t len)
{
	struct pattern_scratch *scratch = NULL;
	struct pattern *p = NULL;
	char wrong[128];
	int r;

	want_int(pattern_new(expression, &p, wrong, sizeof(wrong)), 0);
	want_str(wrong, "");
	want_int(pattern_scratch_new(p, &scratch), 0);
	r = pattern_match(p, scratch, text, len);
	pattern_scratch_free(scratch);
	pattern_free(p);
	return r;
}

static const struct match_row {
	const char *label, *expression, *text;
	int want;
} match_rows[] = {
	{ "the default", "^511 ", "511 Listed", 1 },
	{ "the default, another code", "^511 ", "550 No", 0 },
	{ "the default, not at the start", "^511 ", "550 511 ", 0 },
	{ "anywhere", "dnsbl", "511 in a dnsbl, see", 1 },
	{ "case", "(?i)DNSBL", "511 dnsbl", 1 },
	{ "lookbehind sees what was before", "(?<=511 )L", "511 Listed", 1 },
	{ "empty text", "^$", "", 1 },
	{ "at the end", "x$", "511 x", 1 },
};

static void matches(void **state)
{
	const struct match_row *row = *state;

	want_int(match(row->expression, row->text, strlen(row->text)), row->want);
}

static void stops_at_len(void **state)
{
	(void)state;
	want_int(match("Listed", "511 Listed", 9), 0);
	want_int(match("Liste$", "511 Listed", 9), 1);
}

static const struct bad_row {
	const char *label, *expression, *want;
} bad_rows[] = {
	{ "open group", "^511 (", "missing closing parenthesis at character 7" },
	{ "nothing to repeat", "*", "quantifier does not follow a repeatable item at "
				    "character 1" },
	{ "open class", "[a-", "missing terminating ] for character class at "
			       "character 4" },
};

static void refuses(void **state)
{
	const struct bad_row *row = *state;
	struct pattern *p = NULL;
	char wrong[128];

	want_int(pattern_new(row->expression, &p, wrong, sizeof(wrong)), -EINVAL);
	want_str(wrong, row->want);
	want_int(p == NULL, true);
}

/* Each takes time out of mind on a reply of many equal characters. */
static const struct slow_row {
	const char *label;
} slow_rows[] = {
	{ "^511 (a+)+$" },
	{ "(*NO_JIT)^511 (a+)+$" },
	{ "(?:a|a){14}x" },
	{ "(*NO_JIT)(?:a|a){14}x" },
	{ "(*NO_JIT)(a|aa){13}x" },
	{ "(*NO_JIT)(a+)(a+)(a+)x" },
	{ "(a*)*b" },
	{ "(*NO_JIT)(x+x+)+y|(a+a+)+b" },
	{ "(?R)?a*x" },
};

static int64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* A tenfold of what is promised, as a sanitizer's code is slow. */
static void gives_up(void **state)
{
	const struct slow_row *row = *state;
	char text[132] = "511 ";
	int64_t began;
	int r;

	memset(text + 4, 'a', sizeof(text) - 5);
	text[sizeof(text) - 1] = '!';
	began = cpu_us();
	r = match(row->label, text, sizeof(text));
	want_int(r == -EOVERFLOW || r == 0, true);
	want_int(cpu_us() - began < 10000, true);
}

static int make_one(void *data)
{
	struct pattern_scratch *scratch = NULL;
	struct pattern *p = NULL;
	char wrong[64];
	int r;

	(void)data;
	r = pattern_new("^511 ", &p, wrong, sizeof(wrong));
	if (r == 0)
		r = pattern_scratch_new(p, &scratch);
	pattern_scratch_free(scratch);
	pattern_free(p);
	return r;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	want_int(memory_fail_each(make_one, NULL), 2);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_ROWS(suite, matches, match_rows);
	SUITE_TEST(suite, stops_at_len);
	SUITE_ROWS(suite, refuses, bad_rows);
	SUITE_ROWS(suite, gives_up, slow_rows);
	SUITE_TEST(suite, survives_lack_of_memory);
	return suite_run(suite, "pattern");
}
