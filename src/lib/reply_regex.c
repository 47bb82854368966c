/* A compiled regular expression (PCRE2) whose cost is limited for hostile text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/reply_regex.h"

#include <errno.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* PCRE2 counts steps separately for each start position in the subject; a reply has up to
 * 131. Most expressions finish the first try with few steps per start. One that does not is
 * tried again with a higher limit per start, until the time is up. Without JIT a step takes
 * up to 30 ns, so the worst cost of a line is 0.4 ms for the first try, then TIME_LIMIT_NS
 * and 0.3 ms. */
#define FIRST_LIMIT 100
#define SECOND_LIMIT 10000
#define TIME_LIMIT_NS 200000
#define DEPTH_LIMIT 250

struct reply_regex {
	/* Set if the expression only asks for this beginning; NULL: use PCRE2. Saves 350
	 * instructions a line for the default expression. */
	char *beginning;
	size_t beginning_len;
	pcre2_code *code;
	pcre2_match_context *first;
	pcre2_match_context *second;
};

struct reply_regex_scratch {
	pcre2_match_data *data;
};

static int compile(struct reply_regex *p, const char *expression, char *errbuf,
		   size_t errbuf_size)
{
	PCRE2_UCHAR text[128];
	PCRE2_SIZE at;
	int code;

	p->code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, 0,
				&code, &at, NULL);
	if (!p->code && code == PCRE2_ERROR_HEAP_FAILED)
		return -ENOMEM;
	if (!p->code) {
		pcre2_get_error_message(code, text, sizeof(text));
		snprintf(errbuf, errbuf_size, "%s at character %zu", (char *)text,
			 (size_t)at + 1);
		return -EINVAL;
	}
	/* Without JIT matching is slower, but has the same result. */
	(void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
	return 0;
}

/* Does text consist of characters that are literal everywhere in an expression, in any release
 * of PCRE2? */
static bool is_literal(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789 ,:;@_/") == strlen(text);
}

static int note_beginning(struct reply_regex *p, const char *expression)
{
	if (expression[0] != '^' || !is_literal(expression + 1))
		return 0;
	p->beginning = strdup(expression + 1);
	p->beginning_len = strlen(expression + 1);
	return p->beginning ? 0 : -ENOMEM;
}

static pcre2_match_context *make_limits(uint32_t steps)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);

	if (!limits)
		return NULL;
	pcre2_set_match_limit(limits, steps);
	pcre2_set_depth_limit(limits, DEPTH_LIMIT);
	return limits;
}

int reply_regex_new(const char *expression, struct reply_regex **ret_regex, char *errbuf,
		    size_t errbuf_size)
{
	struct reply_regex *p = calloc(1, sizeof(*p));
	int r = p ? 0 : -ENOMEM;

	if (errbuf_size > 0)
		errbuf[0] = '\0';
	if (r == 0)
		r = compile(p, expression, errbuf, errbuf_size);
	if (r == 0) {
		p->first = make_limits(FIRST_LIMIT);
		p->second = make_limits(SECOND_LIMIT);
		r = p->first && p->second ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = note_beginning(p, expression);
	if (r < 0) {
		reply_regex_free(p);
		return r;
	}
	*ret_regex = p;
	return 0;
}

void reply_regex_free(struct reply_regex *regex)
{
	if (!regex)
		return;
	pcre2_match_context_free(regex->first);
	pcre2_match_context_free(regex->second);
	pcre2_code_free(regex->code);
	free(regex->beginning);
	free(regex);
}

int reply_regex_scratch_new(const struct reply_regex *regex,
			    struct reply_regex_scratch **ret_scratch)
{
	struct reply_regex_scratch *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->data = pcre2_match_data_create_from_pattern(regex->code, NULL);
	if (!s->data) {
		free(s);
		return -ENOMEM;
	}
	*ret_scratch = s;
	return 0;
}

void reply_regex_scratch_free(struct reply_regex_scratch *scratch)
{
	if (!scratch)
		return;
	pcre2_match_data_free(scratch->data);
	free(scratch);
}

static int64_t cpu_time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Try one start position after the other, with many steps each, while there is time. */
static int match_slowly(const struct reply_regex *regex, struct reply_regex_scratch *scratch,
			const char *text, size_t len)
{
	int64_t end = cpu_time_ns() + TIME_LIMIT_NS;
	size_t start;
	int r;

	for (start = 0; start <= len && cpu_time_ns() < end; start++) {
		r = pcre2_match(regex->code, (PCRE2_SPTR)text, len, start, PCRE2_ANCHORED,
				scratch->data, regex->second);
		if (r != PCRE2_ERROR_NOMATCH)
			return r >= 0 ? 1 : -EOVERFLOW;
	}
	return start > len ? 0 : -EOVERFLOW;
}

int reply_regex_match(const struct reply_regex *regex, struct reply_regex_scratch *scratch,
		      const char *text, size_t len)
{
	int r;

	if (regex->beginning)
		return len >= regex->beginning_len &&
		       memcmp(text, regex->beginning, regex->beginning_len) == 0;
	r = pcre2_match(regex->code, (PCRE2_SPTR)text, len, 0, 0, scratch->data, regex->first);
	if (r >= 0)
		return 1;
	if (r == PCRE2_ERROR_NOMATCH)
		return 0;
	return match_slowly(regex, scratch, text, len);
}
