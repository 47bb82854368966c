/* What setup would change: the lists of changes and notes.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/setup/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "tool/lib/output.h"
#include "tool/lib/spawn.h"

#define LIMIT_MS 30000

/* --- notes ----------------------------------------------------------------- */

__attribute__((format(printf, 5, 0)))
static void note(struct plan *plan, enum plan_note_kind kind, const char *where, const char *line,
		 const char *why, va_list args)
{
	struct plan_note *added = array_add(&plan->notes, &plan->note_count);

	if (!added) {
		plan->out_of_memory = true;
		return;
	}
	added->kind = kind;
	added->where = strdup(where);
	added->line = strdup(line);
	if (vasprintf(&added->why, why, args) < 0)
		added->why = NULL;
	if (!added->where || !added->line || !added->why) {
		plan->out_of_memory = true;
		return;
	}
	output_clean(added->why);
	output_clean(added->line);
}

void plan_found(struct plan *plan, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	note(plan, PLAN_FOUND, "", "", why, args);
	va_end(args);
}

void plan_unknown(struct plan *plan, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	note(plan, PLAN_UNKNOWN, "", "", why, args);
	va_end(args);
}

void plan_by_hand(struct plan *plan, const char *where, const char *line, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	note(plan, PLAN_BY_HAND, where, line, why, args);
	va_end(args);
}

/* --- files ----------------------------------------------------------------- */

/* dpkg asks the admin at each upgrade about a conffile that was changed. */
static bool is_conffile(const struct plan *plan, const char *path)
{
	static const char *const argv[] = { "dpkg-query", "-W", "-f", "${Conffiles}\n", NULL };
	char *output = NULL, word[PATH_MAX];
	bool found = false;
	size_t len;

	/* Lines of " PATH MD5SUM". */
	snprintf(word, sizeof(word), " %s ", path);
	if (spawn_run_for(plan->host->context->programs, argv, LIMIT_MS, &output,
			      &len) == 0)
		found = strstr(output, word) != NULL;
	free(output);
	return found;
}

static void keep_file(struct plan *plan, const struct plan_file *file)
{
	struct plan_file *added = array_add(&plan->files, &plan->file_count);

	if (added)
		*added = *file;
	else
		plan->out_of_memory = true;
}

/* Why setup must not write it; NULL: it may. r is the result of reading it. */
static const char *refusal(const struct plan *plan, const struct plan_file *file, int r)
{
	if (r == -ELOOP)
		return "is a symbolic link";
	if (r < 0)
		return strerrordesc_np(-r);
	if (file->before.text && is_conffile(plan, file->path))
		return "is a configuration file of a package (dpkg)";
	return NULL;
}

static struct plan_file *find_file(struct plan *plan, const char *path)
{
	size_t i;

	for (i = 0; i < plan->file_count; i++)
		if (strcmp(plan->files[i].path, path) == 0)
			return &plan->files[i];
	return NULL;
}

int plan_text(struct plan *plan, const char *path, char **ret_text)
{
	const struct plan_file *planned = find_file(plan, path);
	struct files_content content;
	char real[PATH_MAX];
	int r;

	if (planned) {
		*ret_text = strdup(planned->text);
		return *ret_text ? 0 : -ENOMEM;
	}
	r = files_read(host_path(plan->host, path, real), &content);
	if (r == 0 && !content.text)
		r = -ENOENT;
	if (r == 0)
		*ret_text = content.text;
	return r;
}

/* The file was planned before: it gets a new text. */
static void replace_text(struct plan *plan, struct plan_file *file, const char *text)
{
	char *copy = strdup(text);

	if (!copy) {
		plan->out_of_memory = true;
		return;
	}
	free(file->text);
	file->text = copy;
}

static void plan_new(struct plan *plan, struct plan_file *file, const char *text)
{
	char real[PATH_MAX];
	const char *why;
	int r = files_read(host_path(plan->host, file->path, real), &file->before);

	if (r == 0 && file->before.text && strcmp(file->before.text, text) == 0) {
		files_content_done(&file->before);
		return;
	}
	why = refusal(plan, file, r);
	if (!why) {
		file->text = strdup(text);
		plan->out_of_memory |= !file->text;
		keep_file(plan, file);
		return;
	}
	plan_by_hand(plan, file->path, text, "%s: %s %s, so setup does not write it",
		     file->reason, file->path, why);
	if (r == 0)
		files_content_done(&file->before);
}

void plan_write(struct plan *plan, const char *path, const char *text, const char *reason, ...)
{
	struct plan_file file = { .path = path }, *planned = find_file(plan, path);
	va_list args;

	va_start(args, reason);
	vsnprintf(file.reason, sizeof(file.reason), reason, args);
	va_end(args);
	if (planned)
		replace_text(plan, planned, text);
	else
		plan_new(plan, &file, text);
}

void plan_insert(struct plan *plan, const char *command, const char *reason, ...)
{
	struct plan_rule *added = array_add(&plan->rules, &plan->rule_count);
	va_list args;

	if (!added) {
		plan->out_of_memory = true;
		return;
	}
	snprintf(added->command, sizeof(added->command), "%s", command);
	va_start(args, reason);
	vsnprintf(added->reason, sizeof(added->reason), reason, args);
	va_end(args);
}

/* --- all topics ------------------------------------------------------------ */

/* The drop-in comes before the action that needs it, the size of lists before their rules. */
void plan_make(struct plan *plan, const struct host *host, bool applies)
{
	memset(plan, 0, sizeof(*plan));
	plan->host = host;
	plan->applies = applies;
	plan_follow(plan);
	plan_unit(plan);
	plan_apparmor(plan);
	plan_firewall(plan);
	plan_rsyslog(plan);
	plan_courier(plan);
}

void plan_done(struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->file_count; i++) {
		files_content_done(&plan->files[i].before);
		free(plan->files[i].text);
	}
	for (i = 0; i < plan->note_count; i++) {
		free(plan->notes[i].why);
		free(plan->notes[i].where);
		free(plan->notes[i].line);
	}
	free(plan->files);
	free(plan->rules);
	free(plan->notes);
}
