/* A compiled regular expression (PCRE2) whose cost is limited for hostile text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_REPLY_REGEX_H
#define SMTPBLOCK_REPLY_REGEX_H

#include <stdbool.h>
#include <stddef.h>

/* Immutable after reply_regex_new(), so threads may share it. */
struct reply_regex;

/* Match data of one thread; never shared. */
struct reply_regex_scratch;

/* Compile expression, with JIT if possible. A failure of JIT is not an error: a kernel or unit
 * may forbid writable and executable memory. Returns 0 and the caller owns *ret_regex;
 * -EINVAL, with the reason and position in errbuf; -ENOMEM. */
int reply_regex_new(const char *expression, struct reply_regex **ret_regex, char *errbuf,
		    size_t errbuf_size);
void reply_regex_free(struct reply_regex *regex);

/* Returns 0 and the caller owns *ret_scratch; -ENOMEM. */
int reply_regex_scratch_new(const struct reply_regex *regex,
			    struct reply_regex_scratch **ret_scratch);
void reply_regex_scratch_free(struct reply_regex_scratch *scratch);

/* Does the expression match anywhere in text? Returns 1 or 0; -EOVERFLOW: a limit was reached.
 * The limits keep the cost of catastrophic backtracking below a millisecond for a text of a
 * reply's length. */
int reply_regex_match(const struct reply_regex *regex, struct reply_regex_scratch *scratch,
		      const char *text, size_t len);

#endif
