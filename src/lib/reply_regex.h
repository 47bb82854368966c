/* A compiled expression (PCRE2) with limits that hold for hostile text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_REPLY_REGEX_H
#define SMTPBLOCK_REPLY_REGEX_H

#include <stdbool.h>
#include <stddef.h>

/* Immutable after reply_regex_new(): any number of threads may share one. */
struct reply_regex;

/* What one thread needs to match; never shared. */
struct reply_regex_scratch;

/* Compile expression. JIT is used where the system allows it (a kernel or unit
 * that forbids writable and executable memory does not): a failed JIT is no
 * error. On -EINVAL errbuf holds what is wrong with it and where; -ENOMEM.
 * The caller owns *ret_pattern. */
int reply_regex_new(const char *expression, struct reply_regex **ret_pattern, char *errbuf,
		    size_t errbuf_size);
void reply_regex_free(struct reply_regex *regex);

/* Returns 0, or -ENOMEM. The caller owns *ret_scratch. */
int reply_regex_scratch_new(const struct reply_regex *regex,
			    struct reply_regex_scratch **ret_scratch);
void reply_regex_scratch_free(struct reply_regex_scratch *scratch);

/* Does the expression match in text? Returns 1 or 0; -EOVERFLOW when it was given
 * up: an expression with catastrophic backtracking costs less than a
 * millisecond a line, of at most a reply's length, that way. */
int reply_regex_match(const struct reply_regex *regex, struct reply_regex_scratch *scratch,
		      const char *text, size_t len);

#endif
