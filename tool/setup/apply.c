/* Make the changes of a plan, and take changes back.
 *
 * Each step may be the last one of this process, so the journal is written before anything is
 * changed, and whether a change was made is seen from the file itself: it has its content from
 * before, ours, or somebody else's. A later run then makes what is missing or takes back what
 * was made.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/setup/apply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blocklist/nftsetup.h"
#include "tool/lib/iptables.h"
#include "tool/lib/spawn.h"
#include "tool/setup/journal.h"
#include "tool/setup/rsyslogd.h"

#define LIMIT_MS 30000

void apply_say(const struct context *context, const char *format, ...)
{
	va_list args;

	if (context->json)
		return;
	va_start(args, format);
	vfprintf(context->out, format, args);
	va_end(args);
	fputc('\n', context->out);
}

static int out_of_memory(const struct context *context)
{
	return failed(context, "there is not enough memory");
}

static bool is_file(const struct journal_entry *entry, const char *path)
{
	return entry->kind == JOURNAL_FILE && strcmp(entry->text, path) == 0;
}

/* What the changes from this one on concern besides rsyslog's configuration. */
static unsigned int changed_by(const struct journal *journal, size_t first)
{
	unsigned int changed = 0;
	size_t i;

	for (i = first; i < journal->count; i++) {
		if (is_file(&journal->entries[i], PLAN_DROP_IN))
			changed |= RSYSLOGD_UNIT;
		if (is_file(&journal->entries[i], PLAN_APPARMOR))
			changed |= RSYSLOGD_APPARMOR;
	}
	return changed;
}

static struct iptables_rule rule_of(const char *command)
{
	struct iptables_rule rule = { .target = NULL };

	snprintf(rule.text, sizeof(rule.text), "%s", command);
	return rule;
}

/* --- taking back ----------------------------------------------------------- */

static int keep(const struct journal *journal, struct journal_entry *entry, int err)
{
	const struct context *context = journal->context;

	entry->kept = true;
	if (err == 0)
		failed(context, "%s was changed after setup wrote it, and stays as it is; what it "
				"was before is in %s/%u.before, if there was such a file",
		       entry->text, JOURNAL_DIR, entry->number);
	else
		failed(context, "cannot take back %s: %s", entry->text, strerrordesc_np(-err));
	return err;
}

static int restore(const struct context *context, const char *path, const char *name,
		   const struct files_content *before)
{
	int r = before->text ? files_write(path, before->text, before->len, &before->stat, true)
			     : files_remove(path);

	if (r == 0)
		apply_say(context, "%s: %s", before->text ? "restored" : "removed", name);
	return r;
}

static void take_back_file(struct journal *journal, struct journal_entry *entry)
{
	struct files_content now = { .text = NULL }, before = { .text = NULL };
	struct files_content after = { .text = NULL };
	char path[PATH_MAX];
	int r;

	files_clean(journal_path(journal->context, entry->text, path));
	r = files_read(path, &now);
	if (r == 0)
		r = journal_before(journal, entry, &before);
	if (r == 0)
		r = journal_after(journal, entry, &after);
	if (r < 0)
		keep(journal, entry, r);
	else if (files_is_same(&now, &before))
		;
	else if (!files_is_same(&now, &after))
		keep(journal, entry, 0);
	else if ((r = restore(journal->context, path, entry->text, &before)) < 0)
		keep(journal, entry, r);
	files_content_done(&now);
	files_content_done(&before);
	files_content_done(&after);
}

static void take_back_rule(struct journal *journal, struct journal_entry *entry)
{
	const struct iptables_rule rule = rule_of(entry->text);
	int r = iptables_is_exactly(journal->context, &rule);

	if (r == 1)
		r = iptables_delete(journal->context, &rule);
	else if (r == 0)
		return;
	if (r < 0)
		keep(journal, entry, r);
	else
		apply_say(journal->context, "deleted: %s", entry->text);
}

/* A directory in which others have put files meanwhile stays; it is remembered for a file of ours
 * that stays in it. */
static void take_back_directory(const struct journal *journal, struct journal_entry *entry)
{
	char path[PATH_MAX];
	size_t i, len = strlen(entry->text);

	for (i = 0; i < journal->count; i++)
		if (journal->entries[i].kept &&
		    strncmp(journal->entries[i].text, entry->text, len) == 0 &&
		    journal->entries[i].text[len] == '/')
			entry->kept = true;
	rmdir(journal_path(journal->context, entry->text, path));
}

/* Takes back the entries from first on, and forgets those that are. Returns false if one is
 * kept. */
static bool take_back(struct journal *journal, size_t first)
{
	size_t i = journal->count;

	while (i-- > first) {
		struct journal_entry *entry = &journal->entries[i];

		if (entry->kind == JOURNAL_FILE)
			take_back_file(journal, entry);
		else if (entry->kind == JOURNAL_RULE)
			take_back_rule(journal, entry);
		else
			take_back_directory(journal, entry);
	}
	for (i = first; i < journal->count; i++)
		if (journal->entries[i].kept)
			return false;
	return true;
}

/* The journal without the entries that were taken back. */
static int forget(struct journal *journal, size_t first)
{
	journal_drop(journal, first);
	if (journal->count == 0)
		return journal_remove(journal);
	return journal_write(journal, journal->count);
}

/* --- applying -------------------------------------------------------------- */

/* An interrupted run has noted the same change. */
static bool is_pending(const struct journal *journal, const struct plan_file *file)
{
	const struct journal_entry *last = NULL;
	struct files_content before = { .text = NULL }, after = { .text = NULL };
	bool same = false;
	size_t i;

	for (i = journal->applied; i < journal->count; i++)
		if (is_file(&journal->entries[i], file->path))
			last = &journal->entries[i];
	if (!last)
		return false;
	if (journal_before(journal, last, &before) == 0 &&
	    journal_after(journal, last, &after) == 0)
		same = files_is_same(&before, &file->before) && after.text &&
		       strcmp(after.text, file->text) == 0;
	files_content_done(&before);
	files_content_done(&after);
	return same;
}

static int note_directory(struct journal *journal, const char *file)
{
	char dir[PATH_MAX], path[PATH_MAX];

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(file, '/') - file), file);
	if (files_is_directory(journal_path(journal->context, dir, path)))
		return 0;
	return journal_add(journal, JOURNAL_DIRECTORY, dir);
}

static int note_all(struct journal *journal, const struct plan *plan)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < plan->file_count; i++) {
		const struct plan_file *file = &plan->files[i];

		if (is_pending(journal, file))
			continue;
		r = note_directory(journal, file->path);
		if (r == 0)
			r = journal_add_file(journal, file->path, &file->before, file->text,
					     strlen(file->text));
	}
	for (i = 0; r == 0 && i < plan->rule_count; i++)
		r = journal_add(journal, JOURNAL_RULE, plan->rules[i].command);
	return r == 0 ? journal_write(journal, journal->applied) : r;
}

static int make_directories(struct journal *journal)
{
	char path[PATH_MAX];
	size_t i;

	for (i = journal->applied; i < journal->count; i++) {
		const struct journal_entry *entry = &journal->entries[i];

		if (entry->kind == JOURNAL_DIRECTORY &&
		    mkdir(journal_path(journal->context, entry->text, path), 0755) < 0 &&
		    errno != EEXIST)
			return -errno;
	}
	return 0;
}

static bool write_files(const struct context *context, struct journal *journal,
			const struct plan *plan)
{
	int r = make_directories(journal);
	char path[PATH_MAX];
	size_t i;

	if (r < 0)
		failed(context, "cannot create a directory: %s", strerrordesc_np(-r));
	for (i = 0; r == 0 && i < plan->file_count; i++) {
		const struct plan_file *file = &plan->files[i];

		r = files_write(journal_path(context, file->path, path), file->text,
				strlen(file->text), file->before.text ? &file->before.stat : NULL,
				false);
		if (r < 0)
			failed(context, "cannot write %s: %s", file->path, strerrordesc_np(-r));
		else
			apply_say(context, "wrote %s", file->path);
	}
	return r == 0;
}

/* Those of an interrupted run, too. */
static bool insert_rules(struct journal *journal)
{
	const struct context *context = journal->context;
	size_t i;

	for (i = journal->applied; i < journal->count; i++) {
		const struct iptables_rule rule = rule_of(journal->entries[i].text);
		int r;

		if (journal->entries[i].kind != JOURNAL_RULE)
			continue;
		r = iptables_is_exactly(context, &rule);
		if (r == 0 && (r = iptables_insert(context, &rule)) == 0)
			apply_say(context, "inserted: %s", rule.text);
		if (r < 0) {
			failed(context, "%s: %s", rule.text, r == -EIO ? "failed" :
			       strerrordesc_np(-r));
			return false;
		}
	}
	return true;
}

static int prove(const struct context *context)
{
	pid_t pid;
	int r = rsyslogd_wait(context, &pid);

	if (r == 0)
		apply_say(context, "rsyslogd (PID %d) runs with the module", (int)pid);
	else if (r == -ENOENT)
		failed(context, "rsyslogd runs, but without the module");
	else if (r == -ESRCH)
		failed(context, "rsyslogd does not run");
	else
		failed(context, "cannot tell whether rsyslogd runs with the module: %s",
		       strerrordesc_np(-r));
	return r;
}

/* Everything from the verification on. Returns 0; -ESRCH: rsyslogd has to be restarted without
 * the changes; -ECANCELED: before that; -errno: the changes are in force, but not proven. */
static int put_in_force(const struct context *context, struct journal *journal,
			const struct plan *plan)
{
	unsigned int changed = changed_by(journal, journal->applied);

	if (!rsyslogd_verify(context, changed))
		return -ECANCELED;
	apply_say(context, "rsyslogd -N1 accepts the configuration");
	if (!insert_rules(journal))
		return -ECANCELED;
	if (!plan->has_systemd) {
		apply_say(context, "systemd does not run here: restart rsyslogd yourself");
		return 0;
	}
	if (!rsyslogd_restart(context, changed, false))
		return -ESRCH;
	apply_say(context, "rsyslog.service was restarted");
	return prove(context);
}

/* Nothing of this run, or of an interrupted one before it, is left. */
static int put_back(const struct context *context, struct journal *journal, bool restart)
{
	unsigned int changed = changed_by(journal, journal->applied);
	bool all = take_back(journal, journal->applied);
	int r = forget(journal, journal->applied);

	if (restart)
		rsyslogd_restart(context, changed, false);
	if (r < 0)
		return failed(context, "cannot write %s: %s", JOURNAL_DIR, strerrordesc_np(-r));
	return failed(context, all ? "all changes were taken back" :
				     "the other changes were taken back");
}

static int apply_all(const struct plan *plan, struct journal *journal)
{
	const struct context *context = plan->host->context;
	int r = note_all(journal, plan);

	if (r < 0)
		return failed(context, "cannot write %s: %s", JOURNAL_DIR, strerrordesc_np(-r));
	if (!write_files(context, journal, plan))
		return put_back(context, journal, false);
	r = put_in_force(context, journal, plan);
	if (r == -ECANCELED || r == -ESRCH)
		return put_back(context, journal, r == -ESRCH);
	if (journal_write(journal, journal->count) < 0)
		return failed(context, "cannot write %s", JOURNAL_DIR);
	return r == 0 ? STATUS_DONE : STATUS_FAILED;
}

/* Is everything as planned, and proven? */
static bool is_done(const struct plan *plan, const struct journal *journal)
{
	pid_t pid;

	return plan->file_count == 0 && plan->rule_count == 0 && !plan->restart &&
	       journal->applied == journal->count &&
	       (!plan->has_systemd || rsyslogd_look(plan->host->context, &pid) == 0);
}

static int open_journal(const struct context *context, struct journal *journal)
{
	int r = journal_open(context, true, journal);

	if (r == -EACCES || r == -EPERM)
		return failed(context, "cannot write %s: run this as root", JOURNAL_DIR);
	if (r == -EWOULDBLOCK)
		return failed(context, "another smtpblockctl setup runs");
	if (r == -EBADMSG)
		return failed(context, "%s/manifest is damaged", JOURNAL_DIR);
	if (r < 0)
		return failed(context, "%s: %s", JOURNAL_DIR, strerrordesc_np(-r));
	return STATUS_DONE;
}

int apply_plan(const struct plan *plan)
{
	const struct context *context = plan->host->context;
	struct journal journal;
	int status;

	if (plan->out_of_memory)
		return out_of_memory(context);
	status = open_journal(context, &journal);
	if (status != STATUS_DONE)
		return status;
	if (is_done(plan, &journal))
		apply_say(context, "There is nothing to change.");
	else
		status = apply_all(plan, &journal);
	if (journal.count == 0)
		journal_remove(&journal);
	journal_close(&journal);
	return status;
}

/* --- undo ------------------------------------------------------------------ */

/* Without an action nobody would remove the module's table. */
static void remove_table(const struct context *context)
{
	static const char *const argv[] = { "nft", "delete", "table", "inet", NFTTABLE_NAME, NULL };
	char *output = NULL;
	struct host host;
	size_t len;

	if (host_open(&host, context) == 0 && host.conf && !host.actions[0].item) {
		if (spawn_run_for(context->programs, argv, LIMIT_MS, &output, &len) == 0)
			apply_say(context, "deleted: table inet " NFTTABLE_NAME);
		free(output);
	}
	host_close(&host);
}

static int undo(const struct context *context, struct journal *journal)
{
	unsigned int changed = changed_by(journal, 0);
	int status = take_back(journal, 0) ? STATUS_DONE : STATUS_FAILED, r;
	pid_t pid;

	if (!rsyslogd_verify(context, 0))
		return failed(context, "rsyslogd was not restarted: run smtpblockctl setup --undo "
				       "again when it accepts its configuration");
	r = rsyslogd_look(context, &pid);
	if (r == -EHOSTDOWN)
		apply_say(context, "systemd does not run here: restart rsyslogd yourself");
	else if (!rsyslogd_restart(context, changed, true))
		return STATUS_FAILED;
	else
		apply_say(context, "rsyslog.service was restarted");
	remove_table(context);
	r = forget(journal, 0);
	if (r < 0)
		return failed(context, "cannot write %s: %s", JOURNAL_DIR, strerrordesc_np(-r));
	return status;
}

int apply_undo(const struct context *context)
{
	struct journal journal;
	int status = open_journal(context, &journal);

	if (status != STATUS_DONE)
		return status;
	if (journal.count > 0) {
		status = undo(context, &journal);
	} else {
		apply_say(context, "There is nothing to take back.");
		journal_remove(&journal);
	}
	journal_close(&journal);
	return status;
}

bool apply_is_interrupted(const struct context *context)
{
	struct journal journal;
	bool interrupted;

	if (journal_open(context, false, &journal) < 0)
		return false;
	interrupted = journal.applied < journal.count;
	journal_close(&journal);
	return interrupted;
}
