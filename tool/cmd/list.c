/* smtpblockctl list: show the blocked addresses.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "tool/lib/command.h"
#include "tool/lib/entries.h"
#include "tool/lib/output.h"
#include "tool/read/syslog_time.h"

static void print_table(const struct context *context, const struct entries *entries)
{
	static const char *const headings[] = { "ADDRESS", "LIST", "SINCE", "UNTIL", "LEFT",
						NULL };
	char since[SYSLOG_TIME_TEXT_SIZE], until[SYSLOG_TIME_TEXT_SIZE];
	char address[CIDR_TEXT_SIZE], left[OUTPUT_SPAN_SIZE];
	struct output_table *table = output_table_new(headings);
	size_t i;

	for (i = 0; i < entries->count; i++) {
		const struct entries_entry *e = &entries->entries[i];

		output_table_add(table,
				 (const char *const[]){
					 entries_address(e, address), e->target->name,
					 syslog_time_format(e->since, since),
					 syslog_time_format(e->until, until),
					 e->left > 0 ? output_span(e->left, left) : "expired" });
	}
	output_table_print(table, context);
}

static void print_text(const struct context *context, const struct targets *targets,
		       const struct entries *entries)
{
	targets_print_sources(targets, context->out);
	if (entries->count == 0)
		fputs("No address is blocked.\n", context->out);
	else
		print_table(context, entries);
	if (entries->expired > 0)
		fprintf(context->out, "%zu more expired (--all shows them).\n", entries->expired);
}

static void print_json(const struct context *context, const struct targets *targets,
		       const struct entries *entries)
{
	struct fjson_object *whole = fjson_object_new_object();
	struct fjson_object *blocks;
	size_t i;

	fjson_object_object_add(whole, "lists", entries_json_lists(targets, entries));
	blocks = output_add_array(whole, "blocks");
	for (i = 0; i < entries->count; i++)
		fjson_object_array_add(blocks, entries_json_entry(&entries->entries[i]));
	output_json(whole, context->out);
}

static int list_places(const struct context *context, const struct targets_options *options)
{
	struct targets targets;
	struct entries entries;
	int status;

	status = targets_open(context, options, &targets);
	if (status != 0)
		return status;
	status = entries_read(context, &targets, options->all, &entries);
	if (status == 0) {
		if (!entries_any(&targets, &entries))
			status = STATUS_FAILED;
		else if (context->json)
			print_json(context, &targets, &entries);
		else
			print_text(context, &targets, &entries);
		entries_done(&entries);
	}
	targets_done(&targets);
	return status;
}

static int run_list(struct context *context, int argc, char **argv)
{
	struct targets_options options = { .takes_all = true };
	int status = targets_options_only(context, &options, argc, argv, "");

	return status != 0 ? status : list_places(context, &options);
}

const struct command command_list = {
	.name = "list",
	.arguments = "[--all] [OPTION...]",
	.summary = "Show blocked addresses",
	.help =
		"One line per address, oldest first. SINCE is the time of the block, or of the\n"
		"last dropped packet: each dropped packet renews the block.\n\n"
		"  --all          with recent: also show expired entries, which the kernel keeps\n"
		"                 until it needs the room\n" TARGETS_HELP
		"\n"
		"  smtpblockctl list\n"
		"  smtpblockctl --json list | python3 -m json.tool\n",
	.run = run_list,
};
