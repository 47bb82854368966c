/* A compiled expression (PCRE2) with limits that hold for hostile text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_PATTERN_H
#define SMTPBLOCK_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* Immutable after pattern_new(): any number of threads may share one. */
struct pattern;

/* What one thread needs to match; never shared. */
struct pattern_scratch;

/* Compile expression. JIT is used where the system allows it (a kernel or unit
 * that forbids writable and executable memory does not): a failed JIT is no
 * error. On -EINVAL errbuf holds what is wrong with it and where; -ENOMEM.
 * The caller owns *ret_pattern. */
int pattern_new(const char *expression, struct pattern **ret_pattern,
		char *errbuf, size_t errbuf_size);
void pattern_free(struct pattern *pattern);

/* Returns 0, or -ENOMEM. The caller owns *ret_scratch. */
int pattern_scratch_new(const struct pattern *pattern,
			struct pattern_scratch **ret_scratch);
void pattern_scratch_free(struct pattern_scratch *scratch);

/* Does the expression match in text? Returns 1 or 0; -EOVERFLOW when it was given
 * up: an expression with catastrophic backtracking costs less than a
 * millisecond a line, of at most a reply's length, that way. */
int pattern_match(const struct pattern *pattern,
		  struct pattern_scratch *scratch, const char *text, size_t len);

#endif
