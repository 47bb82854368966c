/* smtpblockctl check: verify the whole setup and print fixes.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tool/check/checks.h"
#include "tool/lib/output.h"

static const char *status_word(enum check_status status)
{
	static const char *const words[] = {
		[CHECK_OK] = "ok", [CHECK_WARNING] = "warning", [CHECK_BROKEN] = "broken",
	};

	return words[status];
}

/* --- output -------------------------------------------------------------- */

static void print_text(const struct context *context, const struct checks *checks)
{
	size_t i;

	for (i = 0; i < checks->count; i++) {
		const struct check_result *result = &checks->results[i];

		fprintf(context->out, "%-7s  %-20s  %s", status_word(result->status), result->id,
			result->why);
		if (*result->type)
			fprintf(context->out, "  → %s", result->type);
		fputc('\n', context->out);
	}
}

static void one_as_json(const struct check_result *result, struct fjson_object *object)
{
	output_add_text(object, "check", result->id);
	output_add_text(object, "status", status_word(result->status));
	output_add_text(object, "why", result->why);
	output_add_text(object, "type", result->type);
}

static void print_json(const struct context *context, const struct checks *checks)
{
	struct fjson_object *array = fjson_object_new_array();
	size_t i;

	for (i = 0; i < checks->count; i++)
		one_as_json(&checks->results[i], output_add_object(array));
	output_json(array, context->out);
}

static void print(const struct context *context, const struct checks *checks)
{
	if (context->json)
		print_json(context, checks);
	else
		print_text(context, checks);
}

/* --- the command --------------------------------------------------------- */

static void check_all(struct checks *checks)
{
	const struct host *host = checks->host;
	size_t i;

	check_rsyslog_conf(checks);
	check_rsyslog_process(checks);
	for (i = 0; i < host->action_count; i++) {
		const struct host_action *action = &host->actions[i];

		if (action->error[0])
			continue;
		check_inputs(checks, action);
		check_reach(checks, action);
		check_parsers(checks, action);
		check_kernel(checks, action);
		check_lists(checks, action);
		check_rules(checks, action);
		check_nftables(checks, action);
		check_courier_action(checks, action);
		check_rights(checks, action);
		check_unit(checks, action);
	}
	check_journald(checks);
	check_courier(checks);
	check_namespaces(checks);
	check_stuck(checks);
}

static int verdict(const struct checks *checks)
{
	size_t i;

	for (i = 0; i < checks->count; i++)
		if (checks->results[i].status == CHECK_BROKEN)
			return STATUS_FAILED;
	return STATUS_DONE;
}

static void free_results(struct checks *checks)
{
	size_t i;

	for (i = 0; i < checks->count; i++) {
		free(checks->results[i].why);
		free(checks->results[i].type);
	}
	free(checks->results);
}

static int run(struct context *context, int argc, char **argv)
{
	struct host host;
	struct checks checks = { .host = &host };
	int status;

	if (argc > 1)
		return usage_error(context, "check takes no \"%s\"", argv[1]);
	if (host_open(&host, context) == 0)
		check_all(&checks);
	else
		checks.out_of_memory = true;
	print(context, &checks);
	status = verdict(&checks);
	if (checks.out_of_memory)
		status = failed(context, "there is not enough memory");
	free_results(&checks);
	host_close(&host);
	return status;
}

const struct command command_check = {
	.name = "check",
	.arguments = "",
	.summary = "Check the whole setup, and print the commands that fix it",
	.help = "Prints one line for each check: ok, warning or broken; the name of the check;\n"
		"the result; and after the arrow the command that fixes it. Checks that do not\n"
		"concern this host are left out. Run it as root: what it has no permission to\n"
		"read is a warning.\n"
		"\n"
		"  broken   nothing is blocked, or no session is terminated\n"
		"  warning  it works, but not as well as it could, or this cannot be determined\n"
		"\n"
		"With --json: an array of objects with the members check, status, why and type\n"
		"(null if there is no command to type).\n"
		"\n"
		"Exit status: 0 nothing is broken, 1 something is, 2 wrong arguments.\n"
		"\n"
		"  smtpblockctl check\n"
		"  smtpblockctl --json check\n",
	.run = run,
};
