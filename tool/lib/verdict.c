/* What the module would decide about one log line, assuming a successful verification.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/verdict.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

int verdict_init(struct judge *judge)
{
	int r;

	memset(judge, 0, sizeof(*judge));
	r = settings_init(&judge->settings);
	if (r == 0)
		r = local_addrs_new(&judge->own);
	if (r < 0)
		verdict_done(judge);
	return r;
}

void verdict_done(struct judge *judge)
{
	reply_regex_scratch_free(judge->scratch);
	allowfile_free(judge->allow_file);
	local_addrs_free(judge->own);
	settings_done(&judge->settings);
	memset(judge, 0, sizeof(*judge));
}

static int take_parameter(struct judge *judge, const struct context *context,
			  struct arguments *arguments)
{
	const char *value = arguments_value(arguments);
	char wrong[VERDICT_ERROR_SIZE];
	int r;

	if (!value)
		return usage_error(context, "option --%s requires a value", arguments->name);
	r = settings_set(&judge->settings, arguments->name, value, wrong, sizeof(wrong));
	if (r == -ENOMEM)
		return failed(context, "out of memory");
	return r < 0 ? usage_error(context, "%s", wrong) : STATUS_DONE;
}

static int take_option(struct judge *judge, struct context *context, struct arguments *arguments,
		       verdict_option_fn *option, void *data)
{
	int status = option ? option(context, arguments, data) : -1;

	if (status >= 0)
		return status;
	if (strcasecmp(arguments->name, "json") != 0 || arguments->value)
		return take_parameter(judge, context, arguments);
	context->json = true;
	return STATUS_DONE;
}

int verdict_arguments(struct judge *judge, struct context *context, int argc, char **argv,
		      verdict_option_fn *option, void *data, const char **ret_path)
{
	struct arguments a = { .argc = argc, .argv = argv, .at = 1 };
	const char *path = NULL;
	enum argument kind;
	int status;

	while ((kind = arguments_next(&a)) != ARGUMENT_END) {
		if (kind == ARGUMENT_STRANGE)
			return usage_error(context, "unknown option %s", a.operand);
		if (kind == ARGUMENT_OPERAND && path)
			return usage_error(context, "%s: only one FILE is allowed, not also %s",
					   argv[0], a.operand);
		if (kind == ARGUMENT_OPERAND) {
			*ret_path = path = a.operand;
			continue;
		}
		status = take_option(judge, context, &a, option, data);
		if (status != STATUS_DONE)
			return status;
	}
	return STATUS_DONE;
}

int verdict_log_failed(const struct context *context, const char *path, const char *why)
{
	return failed(context, "%s: %s", strcmp(path, "-") == 0 ? "standard input" : path, why);
}

static int open_parts(struct judge *judge)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	int r;

	/* If this fails, no addresses are known, as in the module. */
	local_addrs_refresh(judge->own);
	r = allowfile_new(judge->settings.allow_file, &judge->allow_file, wrong);
	return r < 0 ? r :
		       reply_regex_scratch_new(judge->settings.reply_pattern, &judge->scratch);
}

int verdict_ready(struct judge *judge, const struct context *context)
{
	char wrong[VERDICT_ERROR_SIZE] = "";
	int r;

	r = settings_check(&judge->settings, wrong, sizeof(wrong));
	if (r == -EINVAL)
		return usage_error(context, "%s", wrong);
	if (r == 0)
		r = open_parts(judge);
	return r < 0 ? failed(context, "%s", strerror(-r)) : STATUS_DONE;
}

static bool is_scanned(const struct judge *judge, const struct syslog_line *line,
		       struct courierlog_line *ret_found)
{
	if (judge->settings.input == INPUT_ADDRESS) {
		courierlog_scan_address(line->text, line->text_len, ret_found);
		return ret_found->kind != COURIERLOG_UNKNOWN;
	}
	courierlog_scan(line->text, line->text_len, line->severity, ret_found);
	return true;
}

bool verdict_is_couriers(const struct syslog_line *line, const struct courierlog_line *found)
{
	static const char courier[] = "courier";
	size_t len = strlen(courier);

	return (found->kind != COURIERLOG_OTHER && found->kind != COURIERLOG_UNKNOWN) ||
	       (line->tag_len >= len && memcmp(line->tag, courier, len) == 0);
}

struct decision verdict_line(const struct judge *judge, const struct syslog_line *line,
			     struct courierlog_line *ret_found)
{
	const struct policy policy = {
		.settings = &judge->settings,
		.local_addrs = judge->own,
		.allow_file = judge->allow_file,
	};
	const struct known known = {
		.line = ret_found,
		.severity = line->severity,
		.proof = PROOF_REPLY,
		.regex = judge->scratch,
	};

	if (!is_scanned(judge, line, ret_found))
		return (struct decision){ VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER };
	return decide(&policy, &known);
}
