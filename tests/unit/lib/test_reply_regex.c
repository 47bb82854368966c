/* A compiled expression (PCRE2) with limits that hold for hostile text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/reply_regex.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tests/unit/support.h"

/* PCRE2 takes its memory itself: its calls fail here, see --wrap in ld(1). The
 * nth of them from now on; 0: none does. */
static unsigned int fails_in;
static int jit_result;	/* the JIT compiler's result; 0: the real one */
static unsigned int jit_asked;
static unsigned int matches_asked;

#define COMPILE_ARGUMENTS PCRE2_SPTR text, PCRE2_SIZE len, uint32_t options, int *code, \
	PCRE2_SIZE *at, pcre2_compile_context *context
#define MATCH_ARGUMENTS const pcre2_code *code, PCRE2_SPTR text, PCRE2_SIZE len, \
	PCRE2_SIZE start, uint32_t options, pcre2_match_data *data, pcre2_match_context *context

pcre2_code *__real_pcre2_compile_8(COMPILE_ARGUMENTS);
pcre2_code *__wrap_pcre2_compile_8(COMPILE_ARGUMENTS);
int __real_pcre2_jit_compile_8(pcre2_code *code, uint32_t options);
int __wrap_pcre2_jit_compile_8(pcre2_code *code, uint32_t options);
pcre2_match_context *__real_pcre2_match_context_create_8(pcre2_general_context *context);
pcre2_match_context *__wrap_pcre2_match_context_create_8(pcre2_general_context *context);
pcre2_match_data *
__real_pcre2_match_data_create_from_pattern_8(const pcre2_code *code,
					      pcre2_general_context *context);
pcre2_match_data *
__wrap_pcre2_match_data_create_from_pattern_8(const pcre2_code *code,
					      pcre2_general_context *context);
int __real_pcre2_match_8(MATCH_ARGUMENTS);
int __wrap_pcre2_match_8(MATCH_ARGUMENTS);

static bool this_one_fails(void)
{
	return fails_in > 0 && --fails_in == 0;
}

pcre2_code *__wrap_pcre2_compile_8(COMPILE_ARGUMENTS)
{
	if (!this_one_fails())
		return __real_pcre2_compile_8(text, len, options, code, at, context);
	*code = PCRE2_ERROR_HEAP_FAILED;
	*at = 0;
	return NULL;
}

int __wrap_pcre2_jit_compile_8(pcre2_code *code, uint32_t options)
{
	jit_asked++;
	return jit_result ? jit_result : __real_pcre2_jit_compile_8(code, options);
}

pcre2_match_context *__wrap_pcre2_match_context_create_8(pcre2_general_context *context)
{
	return this_one_fails() ? NULL : __real_pcre2_match_context_create_8(context);
}

pcre2_match_data *
__wrap_pcre2_match_data_create_from_pattern_8(const pcre2_code *code,
					      pcre2_general_context *context)
{
	return this_one_fails() ? NULL :
				  __real_pcre2_match_data_create_from_pattern_8(code, context);
}

/* Several threads do. */
int __wrap_pcre2_match_8(MATCH_ARGUMENTS)
{
	__atomic_add_fetch(&matches_asked, 1, __ATOMIC_RELAXED);
	return __real_pcre2_match_8(code, text, len, start, options, data, context);
}

static int match(const char *expression, const char *text, size_t len)
{
	struct reply_regex_scratch *scratch = NULL;
	struct reply_regex *p = NULL;
	char wrong[128];
	int r;

	want_int(reply_regex_new(expression, &p, wrong, sizeof(wrong)), 0);
	want_str(wrong, "");
	want_int(reply_regex_scratch_new(p, &scratch), 0);
	r = reply_regex_match(p, scratch, text, len);
	reply_regex_scratch_free(scratch);
	reply_regex_free(p);
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
	{ "empty expression", "", "511 x", 1 },
	{ "a group that is not in the match", "(a)|511", "511 x", 1 },
	{ "many groups", "(5)(1)(1)( )(x)(y)?(z)?", "511 x", 1 },
	{ "bytes are no characters", "^511 ..$", "511 \xc3\xa4", 1 },
	{ "bytes that are no UTF-8", "^511 \xff", "511 \xff", 1 },
	{ "many steps and a match", "^511 (a|a){7}c|^511 a", "511 aaaaaaaa", 1 },
	{ "many steps and none", "(a|a){7}c", "511 aaaaaaaa", 0 },
	{ "many steps, found at the end", "(a|a){7}c|$", "511 aaaaaaaa", 1 },
	{ "many steps, found at a later start", "(a+)+b", "511 aaaaaaxaaab", 1 },
};

/* None of these takes anything like the time after which matching is given up,
 * but a busy machine may: it gets more than one try. */
static int match_in_time(const struct match_row *row)
{
	int r = -EOVERFLOW, tries;

	for (tries = 0; tries < 20 && r == -EOVERFLOW; tries++)
		r = match(row->expression, row->text, strlen(row->text));
	return r;
}

/* The same without JIT, as under MemoryDenyWriteExecute=: slower, that is all. */
TEST_ROWS(matches_without_jit, match_rows)
{
	int r;

	jit_result = PCRE2_ERROR_NOMEMORY;
	r = match_in_time(row);
	jit_result = 0;
	want_int(r, row->want);
}

TEST_ROWS(matches, match_rows)
{
	want_int(match_in_time(row), row->want);
}

/* PCRE2 is asked nothing about the default, and its JIT is used for others. */
TEST(default_needs_no_pcre2)
{
	matches_asked = jit_asked = 0;
	want_int(match("^511 ", "511 Listed", 10), 1);
	want_int(jit_asked, 1);
	want_int(matches_asked, 0);
	want_int(match("^511 .", "511 Listed", 10), 1);
	want_int(matches_asked, 1);
}

/* Results without PCRE2 equal those of PCRE2: each expression has an equivalent form that is
 * left to PCRE2. Few different characters, so that many texts match. */
static const struct literal_row {
	const char *label, *asked_pcre2;
} literal_rows[] = {
	{ "^", "^(?:)" },
	{ "^511 ", "^(?:511 )" },
	{ "^511 5", "^(?:511 5)" },
	{ "^5", "^(?:5)" },
	{ "^1 1", "^(?:1 1)" },
	{ "^a:b", "^(?:a:b)" },
	/* Looks like it, and is not: each means something else. */
	{ "^5.1", "^(?:5.1)" },
	{ "^51*", "^(?:51*)" },
	{ "^51?1", "^(?:51?1)" },
	{ "^5|1", "(?:^5|1)" },
	{ "^51{2}", "^(?:51{2})" },
	{ "^[51]1", "^(?:[51]1)" },
	{ "^5\\d1", "^(?:5\\d1)" },
	{ "^511$", "^(?:511$)" },
	{ "^^511", "^(?:^511)" },
	{ "^(51)", "^(?:(51))" },
	{ "^5+1", "^(?:5+1)" },
	{ "511", "(?:511)" },
};

TEST_ROWS(literals_are_the_same, literal_rows)
{
	static const char chars[] = "5511  ab:.\n";
	struct reply_regex_scratch *scratches[2];
	uint64_t random = 42;
	struct reply_regex *both[2];
	char text[8], wrong[64], *copy;
	size_t len, i;
	int n;

	want_int(reply_regex_new(row->label, &both[0], wrong, sizeof(wrong)), 0);
	want_int(reply_regex_new(row->asked_pcre2, &both[1], wrong, sizeof(wrong)), 0);
	want_int(reply_regex_scratch_new(both[0], &scratches[0]), 0);
	want_int(reply_regex_scratch_new(both[1], &scratches[1]), 0);
	for (n = 0; n < 20000; n++) {
		len = support_random(&random) % sizeof(text);
		for (i = 0; i < len; i++)
			text[i] = chars[support_random(&random) % strlen(chars)];
		copy = support_exact_copy(text, len);
		want_int(reply_regex_match(both[0], scratches[0], copy, len),
			 reply_regex_match(both[1], scratches[1], copy, len));
		free(copy);
	}
	for (i = 0; i < 2; i++) {
		reply_regex_scratch_free(scratches[i]);
		reply_regex_free(both[i]);
	}
}

TEST(stops_at_len)
{
	want_int(match("Listed", "511 Listed", 9), 0);
	want_int(match("Liste$", "511 Listed", 9), 1);
}

TEST(every_byte_is_itself)
{
	char text[256];
	int i;

	for (i = 0; i < 256; i++)
		text[i] = (char)i;
	want_int(match("^\\x00\\x01\\x02(?s:.{252})\\xff$", text, sizeof(text)), 1);
	want_int(match("\\xff\\x00", text, sizeof(text)), 0);
}

/* Nothing is read beyond its end, and nothing of an empty one. */
TEST(text_need_not_be_terminated)
{
	char *text = support_exact_copy("511 Listed", 10), *none;

	none = support_exact_copy("", 0);
	want_int(match("d$", text, 10), 1);
	want_int(match("^$", none, 0), 1);
	want_int(match("^511 ", none, 0), 0);
	free(text);
	free(none);
}

static const struct bad_row {
	const char *label, *expression, *want;
} bad_rows[] = {
	{ "open group", "^511 (", "missing closing parenthesis at character 7" },
	{ "nothing to repeat", "*", "quantifier does not follow a repeatable item at character 1" },
	{ "open class", "[a-", "missing terminating ] for character class at character 4" },
};

TEST_ROWS(refuses, bad_rows)
{
	struct reply_regex *p = NULL;
	char wrong[128];

	want_int(reply_regex_new(row->expression, &p, wrong, sizeof(wrong)), -EINVAL);
	want_str(wrong, row->want);
	want_int(p == NULL, true);
}

/* Text that does not fit into the caller's buffer is cut. */
TEST(refuses_in_little_room)
{
	static const char whole[] = "missing closing parenthesis at character 2";
	struct reply_regex *p = NULL;
	char wrong[64];
	size_t size;

	for (size = 0; size <= sizeof(whole); size++) {
		memset(wrong, '#', sizeof(wrong));
		want_int(reply_regex_new("(", &p, wrong, size), -EINVAL);
		if (size > 0) {
			want_int(strlen(wrong), size - 1);
			want_mem(wrong, whole, size - 1);
		}
		want_int(wrong[size], '#');
	}
}

static int make_one(void *data)
{
	struct reply_regex_scratch *scratch = NULL;
	struct reply_regex *p = NULL;
	char wrong[64];
	int r;

	(void)data;
	r = reply_regex_new("^511 ", &p, wrong, sizeof(wrong));
	if (r == 0)
		r = reply_regex_scratch_new(p, &scratch);
	reply_regex_scratch_free(scratch);
	reply_regex_free(p);
	return r;
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(make_one, NULL), 2);
	reply_regex_free(NULL);
	reply_regex_scratch_free(NULL);
}

/* Where PCRE2 has no memory. */
TEST(survives_lack_of_memory_in_pcre2)
{
	unsigned int nth;

	for (nth = 1; nth <= 4; nth++) {
		fails_in = nth;
		want_int(make_one(NULL), -ENOMEM);
		want_int(fails_in, 0);
	}
	want_int(make_one(NULL), 0);
}

/* One regex, many threads, each with its own match data. */

struct share {
	const struct reply_regex *regex;
	const char *text;
	int want;
	unsigned int wrong;
};

static void *match_often(void *data)
{
	struct share *share = data;
	struct reply_regex_scratch *scratch;
	unsigned int i;

	if (reply_regex_scratch_new(share->regex, &scratch) < 0) {
		share->wrong++;
		return NULL;
	}
	for (i = 0; i < 20000; i++)
		share->wrong += reply_regex_match(share->regex, scratch, share->text,
						  strlen(share->text)) != share->want;
	reply_regex_scratch_free(scratch);
	return NULL;
}

TEST(threads_share_a_pattern)
{
	struct share shares[4];
	pthread_t threads[COUNT_OF(shares)];
	struct reply_regex *p = NULL;
	char wrong[64];
	unsigned int i;

	want_int(reply_regex_new("^511 (L.*)d", &p, wrong, sizeof(wrong)), 0);
	for (i = 0; i < COUNT_OF(shares); i++) {
		shares[i] = (struct share){ .regex = p,
					    .text = i % 2 ? "511 Listed" :
							    "511 Lister",
					    .want = i % 2 };
		want_int(pthread_create(&threads[i], NULL, match_often, &shares[i]), 0);
	}
	for (i = 0; i < COUNT_OF(shares); i++)
		want_int(pthread_join(threads[i], NULL), 0);
	for (i = 0; i < COUNT_OF(shares); i++)
		want_int(shares[i].wrong, 0);
	reply_regex_free(p);
}

/* --- the cost of an expression --- */

/* Expressions with excessive backtracking on the replies below, from the known families:
 * nested and overlapping repetition, alternatives with a common start, back references,
 * look-around, lazy and possessive forms. */
static const char *const costly[] = {
	"^(a+)+$", "(a+)+$", "^511 (a+)+$", "(a*)*$", "^(a*)*b", "(a+)+b", "(a|a)*b",
	"(a|aa){13}x", "(aa|a)+b", "^511 (a|b|ab)*$", "(.*)*$", "(.*)*x", "(.*a){20}x",
	"(.*a){10}.*b", "(.+)+x", "(\\w+\\s?)+x", "(\\w*)*x", "([a-z]+)*[0-9]$",
	"(([a-z])+.)+[A-Z]([a-z])+$", "^(([a-z])+.)+[A-Z]$", "(a?){50}a{50}",
	"(a?a?a?a?a?a?a?a?a?a?)*x", "(x+x+)+y", "(a+a+)+y", "((a+)+)+y",
	"(((a+)+)+)+y", "(a{1,30}){1,30}x", "(a{0,50}){50}x", "(?:a+)+x",
	"(?:a|a){13}x", "(?=(a+)+x)a", "(?!(a+)+x)b", "(?<=a)(a+)+x", "(a+)\\1+x",
	"(a+)(\\1)+(\\1)+x", "(a+?)+?x", "(a+?a+?)+x", "^(?:.*?a){12}x", ".*.*.*.*x",
	".*.*.*.*.*.*.*x", "a*a*a*a*a*a*a*x", "(a*a*)*x", "(a+)(a+)(a+)x",
	"^(.+)*(.+)*(.+)*x", "(\\S+\\s*)+$x", "(?i)(A+)+x", "(?s)(.|\\s)*x",
	"(?:a|a){12}x", "(?:a|a){14}x", "(a(?1)?)+x", "^(?:a(?:a(?:a)*)*)*x", "(a*)*b",
	"(x+x+)+y|(a+a+)+b", "(?R)?a*x",
};

/* Hostile text from the owner of a DNSBL, or from a sender whose text courier repeats. The
 * letters at the end are those that the expressions end with: PCRE2 searches for them first,
 * and would give up at once if one were missing. */
#define END "!xbyA0Z"
static const char *const replies[] = {
	"511 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" END,
	"511 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" END,
	"511 abababababababababababababababababababababababababababababababababababab"
	"abababababababababababababababababababababab" END,
	"511 a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
	"a a a a a a a a a a a a a a a a a a a a a a" END,
};

/* The minimum of several runs, in us of this thread's processor time, so that other load does
 * not count. */
static double cost_us(const struct reply_regex *regex, struct reply_regex_scratch *scratch,
		      const char *reply, int *ret_r)
{
	struct timespec start, end;
	double best = 1e9, us;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
		*ret_r = reply_regex_match(regex, scratch, reply, strlen(reply));
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
		us = (double)(end.tv_sec - start.tv_sec) * 1e6 +
		     (double)(end.tv_nsec - start.tv_nsec) / 1e3;
		if (us < best)
			best = us;
	}
	return best;
}

/* Instrumented code is slower than shipped code. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define COST_MAX_US 5000.0
#else
#define COST_MAX_US 1000.0
#endif

struct costs {
	const char *prefix;	/* of each expression */
	const char *label;
	double worst_us;
	const char *worst;
	unsigned int given_up;
};

static void note_cost(struct costs *costs, const char *expression, int r, double us)
{
	if (r != 0 && r != 1)
		want_int(r, -EOVERFLOW);
	costs->given_up += r == -EOVERFLOW;
	if (us > costs->worst_us) {
		costs->worst_us = us;
		costs->worst = expression;
	}
}

static void measure(const char *expression, struct costs *costs)
{
	struct reply_regex_scratch *scratch;
	struct reply_regex *regex;
	char whole[160], wrong[128];
	double us;
	size_t i;
	int r;

	snprintf(whole, sizeof(whole), "%s%s", costs->prefix, expression);
	if (reply_regex_new(whole, &regex, wrong, sizeof(wrong)) < 0)
		fail_msg("%s: %s", whole, wrong);
	want_int(reply_regex_scratch_new(regex, &scratch), 0);
	for (i = 0; i < COUNT_OF(replies); i++) {
		us = cost_us(regex, scratch, replies[i], &r);
		note_cost(costs, expression, r, us);
	}
	reply_regex_scratch_free(scratch);
	reply_regex_free(regex);
}

/* (*NO_JIT) is PCRE2's own way to match as where no JIT is to be had. */
static const struct costs cost_rows[] = {
	{ .prefix = "", .label = "with JIT", .worst = "" },
	{ .prefix = "(*NO_JIT)", .label = "without JIT", .worst = "" },
};

TEST_ROWS(costly_expressions_are_given_up, cost_rows)
{
	struct costs costs = *row;
	size_t i;

	for (i = 0; i < COUNT_OF(costly); i++)
		measure(costly[i], &costs);
	print_message("# %s, %zu expressions on %zu replies: at most %.0f us, by "
		      "%s; %u times given up\n",
		      costs.label, COUNT_OF(costly), COUNT_OF(replies),
		      costs.worst_us, costs.worst, costs.given_up);
	/* If few were, the expressions would prove nothing. */
	assert_true(costs.given_up >= COUNT_OF(costly) / 2);
	assert_true(costs.worst_us <= COST_MAX_US);
}
