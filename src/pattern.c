/* A compiled expression (PCRE2) with limits that hold for hostile text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "pattern.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* A reply has at most 131 characters; a sound expression needs a few hundred
 * steps on it. */
#define MATCH_LIMIT 20000
#define DEPTH_LIMIT 250

struct pattern {
	pcre2_code *code;
	pcre2_match_context *limits;
};

struct pattern_scratch {
	pcre2_match_data *data;
};

static int compile(struct pattern *p, const char *expression, char *errbuf,
		   size_t errbuf_size)
{
	PCRE2_UCHAR text[128];
	PCRE2_SIZE at;
	int code;

	p->code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, 0,
				&code, &at, NULL);
	if (!p->code) {
		pcre2_get_error_message(code, text, sizeof(text));
		snprintf(errbuf, errbuf_size, "%s at character %zu", (char *)text,
			 (size_t)at + 1);
		return -EINVAL;
	}
	/* Matching without JIT is slower and just as right. */
	(void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
	return 0;
}

int pattern_new(const char *expression, struct pattern **ret_pattern,
		char *errbuf, size_t errbuf_size)
{
	struct pattern *p = calloc(1, sizeof(*p));
	int r = p ? 0 : -ENOMEM;

	if (errbuf_size > 0)
		errbuf[0] = '\0';
	if (r == 0)
		r = compile(p, expression, errbuf, errbuf_size);
	if (r == 0) {
		p->limits = pcre2_match_context_create(NULL);
		r = p->limits ? 0 : -ENOMEM;
	}
	if (r < 0) {
		pattern_free(p);
		return r;
	}
	pcre2_set_match_limit(p->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(p->limits, DEPTH_LIMIT);
	*ret_pattern = p;
	return 0;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_match_context_free(pattern->limits);
	pcre2_code_free(pattern->code);
	free(pattern);
}

int pattern_scratch_new(const struct pattern *pattern,
			struct pattern_scratch **ret_scratch)
{
	struct pattern_scratch *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->data = pcre2_match_data_create_from_pattern(pattern->code, NULL);
	if (!s->data) {
		free(s);
		return -ENOMEM;
	}
	*ret_scratch = s;
	return 0;
}

void pattern_scratch_free(struct pattern_scratch *scratch)
{
	if (!scratch)
		return;
	pcre2_match_data_free(scratch->data);
	free(scratch);
}

int pattern_match(const struct pattern *pattern,
		  struct pattern_scratch *scratch, const char *text, size_t len)
{
	int r = pcre2_match(pattern->code, (PCRE2_SPTR)text, len, 0, 0,
			    scratch->data, pattern->limits);

	if (r >= 0)
		return 1;
	if (r == PCRE2_ERROR_NOMATCH)
		return 0;
	if (r == PCRE2_ERROR_MATCHLIMIT || r == PCRE2_ERROR_DEPTHLIMIT ||
	    r == PCRE2_ERROR_JIT_STACKLIMIT)
		return -EOVERFLOW;
	return -EINVAL;
}
