/* smtpblockctl list: who is blocked.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "tool/lib/command.h"
#include "tool/lib/listing.h"
#include "tool/lib/output.h"

static void print_table(const struct context *context, const struct listing *listing)
{
	static const char *const headings[] = { "ADDRESS", "LIST", "SINCE", "UNTIL", "LEFT",
						NULL };
	char address[CIDR_TEXT_SIZE], since[OUTPUT_TIME_SIZE], until[OUTPUT_TIME_SIZE];
	struct output_table *table = output_table_new(headings);
	char left[OUTPUT_TIME_SIZE];
	size_t i;

	for (i = 0; table && i < listing->count; i++) {
		const struct listing_entry *e = &listing->entries[i];

		output_table_add(table, (const char *const[]){
						listing_address(e, address), e->place->name,
						output_local(e->since, since),
						output_local(e->until, until),
						e->left > 0 ? output_span(e->left, left) :
							      "over" });
	}
	if (!table || output_table_print(table, context->out) < 0)
		failed(context, "no memory");
	output_table_free(table);
}

static void print_text(const struct context *context, const struct places *places,
		       const struct listing *listing)
{
	places_print_sources(places, context->out);
	if (listing->count == 0)
		fputs("Nobody is blocked.\n", context->out);
	else
		print_table(context, listing);
	if (listing->over > 0)
		fprintf(context->out, "%zu more whose time is over (--all).\n", listing->over);
}

static void print_json(const struct context *context, const struct places *places,
		       const struct listing *listing)
{
	struct fjson_object *whole = fjson_object_new_object();
	struct fjson_object *blocks = fjson_object_new_array();
	size_t i;

	fjson_object_object_add(whole, "lists", listing_json_lists(places, listing));
	for (i = 0; i < listing->count; i++)
		fjson_object_array_add(blocks, listing_json_entry(&listing->entries[i]));
	fjson_object_object_add(whole, "blocks", blocks);
	output_json(whole, context->out);
}

static int list_places(const struct context *context, const struct places_options *options)
{
	struct places places;
	struct listing listing;
	int status;

	status = places_open(context, options, &places);
	if (status != 0)
		return status;
	status = listing_read(context, &places, options->all, &listing);
	if (status == 0) {
		if (!listing_any(&places, &listing))
			status = STATUS_FAILED;
		else if (context->json)
			print_json(context, &places, &listing);
		else
			print_text(context, &places, &listing);
		listing_done(&listing);
	}
	places_done(&places);
	return status;
}

static int run_list(struct context *context, int argc, char **argv)
{
	struct arguments arguments = { .argc = argc, .argv = argv, .at = 1 };
	struct places_options options = { .takes_all = true };
	enum argument kind;
	int status;

	status = places_options_take(context, &options, &arguments, &kind);
	if (status == 0 && kind != ARGUMENT_END)
		status = usage_error(context, "list has nothing to do with %s",
				     arguments.operand);
	return status != 0 ? status : list_places(context, &options);
}

const struct command command_list = {
	.name = "list",
	.arguments = "[--all] [OPTION...]",
	.summary = "Who is blocked",
	.help =
		"One line an address, the one that was blocked first at the top. SINCE is the\n"
		"block, or the last of the packets that were dropped after it: each renews it.\n\n"
		"  --all          with recent: also those that get through again and are only not\n"
		"                 forgotten yet\n" PLACES_HELP
		"\n"
		"  smtpblockctl list\n"
		"  smtpblockctl --json list | python3 -m json.tool\n",
	.run = run_list,
};
