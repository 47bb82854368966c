/* What the module would decide about one log line, assuming a successful verification.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_VERDICT_H
#define SMTPBLOCKCTL_VERDICT_H

#include "policy/decision.h"

#include "tool/lib/arguments.h"
#include "tool/lib/command.h"
#include "tool/read/syslog_line.h"

/* Longest message of verdict_ready(), NUL included. */
#define VERDICT_ERROR_SIZE 640

struct judge {
	struct settings settings;
	struct reply_regex_scratch *scratch;
	struct allowfile *allow_file;
	struct local_addrs *own;	/* addresses of this host */
};

/* Set the module's defaults. Returns 0 or -ENOMEM. */
int verdict_init(struct judge *judge);
void verdict_done(struct judge *judge);

/* An option of the subcommand's own. Returns a STATUS_; -1: it is no such option. */
typedef int verdict_option_fn(const struct context *context, struct arguments *arguments,
			      void *data);

/* Parse the command line of a subcommand that judges a log: FILE, --json, the module's
 * parameters and, if option is not NULL, its own options. *ret_path stays as it is if there is
 * no FILE. Returns STATUS_DONE; STATUS_USAGE or STATUS_FAILED after reporting the error. */
int verdict_arguments(struct judge *judge, struct context *context, int argc, char **argv,
		      verdict_option_fn *option, void *data, const char **ret_path);

/* Call this after verdict_arguments(). Returns as that. */
int verdict_ready(struct judge *judge, const struct context *context);

/* Report an error of the log. Returns STATUS_FAILED. */
int verdict_log_failed(const struct context *context, const char *path, const char *why);

/* The policy's verdict on one line, as if its sender had been verified. Ignores what depends
 * on other lines (threshold, maxBlocks, an existing block) and the line's age. */
struct decision verdict_line(const struct judge *judge, const struct syslog_line *line,
			     struct courierlog_line *ret_found);

/* Does the line look like one of courier's, by its tag or its form? found is what
 * verdict_line() returned for it. */
bool verdict_is_couriers(const struct syslog_line *line, const struct courierlog_line *found);

#endif
