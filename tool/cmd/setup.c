/* smtpblockctl setup: everything that this host needs, shown, made or taken back.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/cmd/setup_part.h"
#include "tool/lib/output.h"
#include "tool/setup/apply.h"
#include "tool/setup/diff.h"

/* --- text ------------------------------------------------------------------ */

static void print_files(const struct context *context, const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->file_count; i++) {
		const struct plan_file *file = &plan->files[i];

		fprintf(context->out, "%s: %s.\n", file->path, file->reason);
		diff_print(context->out, file->path, file->before.text, file->text);
		fputc('\n', context->out);
	}
}

static void print_rules(const struct context *context, const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->rule_count; i++)
		fprintf(context->out, "To run: %s\n", plan->rules[i].command);
	if (plan->rule_count > 0)
		fputc('\n', context->out);
}

static bool has_notes(const struct plan *plan, enum plan_note_kind kind)
{
	size_t i;

	for (i = 0; i < plan->note_count; i++)
		if (plan->notes[i].kind == kind)
			return true;
	return false;
}

static void print_note(const struct context *context, const struct plan_note *note)
{
	fprintf(context->out, "  %s%s%s\n", note->where, *note->where ? ": " : "", note->why);
	if (*note->line)
		fprintf(context->out, "    %s\n", note->line);
}

static void print_notes(const struct context *context, const struct plan *plan,
			enum plan_note_kind kind, const char *heading)
{
	size_t i;

	if (!has_notes(plan, kind))
		return;
	fprintf(context->out, "%s\n", heading);
	for (i = 0; i < plan->note_count; i++)
		if (plan->notes[i].kind == kind)
			print_note(context, &plan->notes[i]);
	fputc('\n', context->out);
}

static void print_by_hand(const struct context *context, const struct plan *plan)
{
	print_notes(context, plan, PLAN_BY_HAND, "For you to do; setup does not write this:");
}

static void print_end(const struct context *context, const struct plan *plan)
{
	if (apply_is_interrupted(context))
		fputs("An earlier --apply was interrupted. smtpblockctl setup --apply finishes it, "
		      "--undo takes it\nback.\n", context->out);
	else if (plan->file_count == 0 && plan->rule_count == 0 && !plan->restart)
		fputs("There is nothing to change. smtpblockctl check verifies it.\n",
		      context->out);
	else
		fputs("Nothing was changed. To make these changes, restart rsyslogd and see "
		      "that it works:\n  smtpblockctl setup --apply\n", context->out);
}

static void print_plan(const struct context *context, const struct plan *plan)
{
	print_files(context, plan);
	print_rules(context, plan);
	print_by_hand(context, plan);
	print_notes(context, plan, PLAN_FOUND, "As it should be:");
	print_notes(context, plan, PLAN_UNKNOWN,
		    geteuid() == 0 ? "Not known:" : "Not known; root may be able to read it:");
	print_end(context, plan);
}

/* --- JSON ------------------------------------------------------------------ */

static char *diff_text(const struct plan_file *file)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	diff_print(out, file->path, file->before.text, file->text);
	fclose(out);
	return text;
}

static void add_files(struct fjson_object *array, const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->file_count; i++) {
		struct fjson_object *one = output_add_object(array);
		char *diff = diff_text(&plan->files[i]);

		output_add_text(one, "path", plan->files[i].path);
		output_add_text(one, "reason", plan->files[i].reason);
		output_add_text(one, "diff", diff);
		free(diff);
	}
}

static void add_notes(struct fjson_object *array, const struct plan *plan)
{
	static const char *const kinds[] = {
		[PLAN_FOUND] = "found", [PLAN_BY_HAND] = "by hand", [PLAN_UNKNOWN] = "unknown",
	};
	size_t i;

	for (i = 0; i < plan->note_count; i++) {
		struct fjson_object *one = output_add_object(array);

		output_add_text(one, "kind", kinds[plan->notes[i].kind]);
		output_add_text(one, "why", plan->notes[i].why);
		output_add_text(one, "where", plan->notes[i].where);
		output_add_text(one, "line", plan->notes[i].line);
	}
}

static void print_json(const struct context *context, const struct plan *plan, bool applied)
{
	struct fjson_object *whole = fjson_object_new_object(), *rules;
	size_t i;

	output_add_bool(whole, "applied", applied);
	add_files(output_add_array(whole, "files"), plan);
	rules = output_add_array(whole, "rules");
	for (i = 0; i < plan->rule_count; i++)
		fjson_object_array_add(rules, fjson_object_new_string(plan->rules[i].command));
	add_notes(output_add_array(whole, "notes"), plan);
	output_json(whole, context->out);
}

/* --- the command ----------------------------------------------------------- */

static int apply(const struct context *context, const struct plan *plan)
{
	int status = apply_plan(plan);

	if (context->json) {
		print_json(context, plan, status == STATUS_DONE);
		return status;
	}
	if (has_notes(plan, PLAN_BY_HAND)) {
		fputc('\n', context->out);
		print_by_hand(context, plan);
	}
	if (status == STATUS_DONE)
		fputs("Next: smtpblockctl check verifies the whole setup, courier's settings "
		      "included.\n", context->out);
	return status;
}

static int make(const struct context *context, bool applies)
{
	struct host host;
	struct plan plan;
	int status = STATUS_DONE;

	if (host_open(&host, context) < 0) {
		status = failed(context, "there is not enough memory");
	} else {
		plan_make(&plan, &host, applies);
		if (applies)
			status = apply(context, &plan);
		else if (context->json)
			print_json(context, &plan, false);
		else
			print_plan(context, &plan);
		plan_done(&plan);
	}
	host_close(&host);
	return status;
}

static int undo(const struct context *context)
{
	int status = apply_undo(context);
	struct fjson_object *whole;

	if (context->json) {
		whole = fjson_object_new_object();
		output_add_bool(whole, "undone", status == STATUS_DONE);
		output_json(whole, context->out);
	}
	return status;
}

/* An argument other than these two options belongs to setup recent or setup nftables. */
static int run_setup(struct context *context, int argc, char **argv)
{
	bool applies = false, undoes = false;
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--apply") == 0)
			applies = true;
		else if (strcmp(argv[i], "--undo") == 0)
			undoes = true;
		else
			return setup_part(context, argc, argv);
	}
	if (applies && undoes)
		return usage_error(context, "setup: either --apply or --undo");
	return undoes ? undo(context) : make(context, applies);
}

const struct command command_setup = {
	.name = "setup",
	.arguments = "[--apply | --undo]",
	.summary = "Set up rsyslog, its unit and the firewall",
	.help =
		"Looks at this host and prints every change that it needs as a diff: the action\n"
		"in /etc/rsyslog.d, a drop-in for rsyslog.service and an addition to AppArmor's\n"
		"profile where they restrict rsyslogd, and where a list of xt_recent is used its\n"
		"size and the rules that the firewall loads at boot. Without an option nothing is\n"
		"changed.\n\n"
		"  --apply        make the changes, have rsyslogd -N1 verify them, restart\n"
		"                 rsyslogd, and wait until it runs with the module. If one of\n"
		"                 that fails, the changes are taken back. A second run changes\n"
		"                 nothing\n"
		"  --undo         take back what all runs have changed. A file that was changed\n"
		"                 since then stays, and is named\n\n"
		"courier's settings and configuration files of packages are shown, not written.\n\n"
		SETUP_PART_HELP
		"\n"
		"  smtpblockctl setup\n"
		"  smtpblockctl setup --apply\n"
		"  smtpblockctl setup --undo\n"
		"  smtpblockctl setup recent --apply --ports 25 --ports 587\n"
		"  smtpblockctl setup nftables | nft -c -f -\n",
	.run = run_setup,
};
