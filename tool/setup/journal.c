/* What setup has changed, and what was there before.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/setup/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/array.h"

#define HEADING "# Changes of smtpblockctl setup. smtpblockctl setup --undo takes them back.\n"

/* The number of a file, and what its content is: N.before. */
#define NAME_SIZE 32

char *journal_path(const struct context *context, const char *path, char buf[static PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s%s", context->system_root, path);
	return buf;
}

static char *own_path(const struct journal *journal, const char *name, char buf[static PATH_MAX])
{
	if (snprintf(buf, PATH_MAX, "%s/%s", journal->dir, name) >= PATH_MAX)
		buf[0] = '\0';
	return buf;
}

/* --- entries --------------------------------------------------------------- */

static struct journal_entry *add(struct journal *journal, enum journal_kind kind,
				 const char *text)
{
	struct journal_entry *added;
	char *copy = strdup(text);

	added = copy ? array_add(&journal->entries, &journal->count) : NULL;
	if (!added) {
		free(copy);
		return NULL;
	}
	added->kind = kind;
	added->text = copy;
	return added;
}

int journal_add(struct journal *journal, enum journal_kind kind, const char *text)
{
	return add(journal, kind, text) ? 0 : -ENOMEM;
}

static unsigned int next_number(const struct journal *journal)
{
	unsigned int last = 0;
	size_t i;

	for (i = 0; i < journal->count; i++)
		if (journal->entries[i].number > last)
			last = journal->entries[i].number;
	return last + 1;
}

static char *content_path(const struct journal *journal, unsigned int number, const char *which,
			  char buf[static PATH_MAX])
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%u.%s", number, which);
	return own_path(journal, name, buf);
}

int journal_add_file(struct journal *journal, const char *path,
		     const struct files_content *before, const char *text, size_t len)
{
	unsigned int number = next_number(journal);
	char name[PATH_MAX];
	struct journal_entry *added;
	int r = files_write(content_path(journal, number, "after", name), text, len,
			    before->text ? &before->stat : NULL, false);

	content_path(journal, number, "before", name);
	if (r == 0 && before->text)
		r = files_write(name, before->text, before->len, &before->stat, true);
	else if (r == 0)
		r = files_remove(name);
	if (r < 0)
		return r;
	added = add(journal, JOURNAL_FILE, path);
	if (!added)
		return -ENOMEM;
	added->number = number;
	return 0;
}

int journal_before(const struct journal *journal, const struct journal_entry *entry,
		   struct files_content *ret_content)
{
	char path[PATH_MAX];

	return files_read(content_path(journal, entry->number, "before", path), ret_content);
}

int journal_after(const struct journal *journal, const struct journal_entry *entry,
		  struct files_content *ret_content)
{
	char path[PATH_MAX];

	return files_read(content_path(journal, entry->number, "after", path), ret_content);
}

/* Does not change the order. */
void journal_drop(struct journal *journal, size_t first)
{
	size_t i, kept = first;

	for (i = first; i < journal->count; i++) {
		if (journal->entries[i].kept)
			journal->entries[kept++] = journal->entries[i];
		else
			free(journal->entries[i].text);
	}
	journal->count = kept;
}

/* --- the manifest ---------------------------------------------------------- */

static int take_line(struct journal *journal, const char *line)
{
	struct journal_entry *added = NULL;
	unsigned int number;
	int at = 0;

	if (*line == '#' || *line == '\0')
		return 0;
	if (strcmp(line, "applied") == 0) {
		journal->applied = journal->count;
		return 0;
	}
	if (strncmp(line, "directory /", 11) == 0)
		added = add(journal, JOURNAL_DIRECTORY, line + 10);
	else if (strncmp(line, "rule ", 5) == 0)
		added = add(journal, JOURNAL_RULE, line + 5);
	else if (sscanf(line, "file %u %n", &number, &at) != 1 || line[at] != '/')
		return -EBADMSG;
	else if ((added = add(journal, JOURNAL_FILE, line + at)) != NULL)
		added->number = number;
	return added ? 0 : -ENOMEM;
}

static int read_manifest(struct journal *journal)
{
	struct files_content content;
	char path[PATH_MAX], *line, *rest;
	int r = files_read(own_path(journal, "manifest", path), &content);

	if (r < 0)
		return r;
	rest = content.text;
	while (r == 0 && (line = strsep(&rest, "\n")) != NULL)
		r = take_line(journal, line);
	files_content_done(&content);
	return r;
}

static void print_entry(FILE *out, const struct journal_entry *entry)
{
	if (entry->kind == JOURNAL_FILE)
		fprintf(out, "file %u %s\n", entry->number, entry->text);
	else
		fprintf(out, "%s %s\n", entry->kind == JOURNAL_RULE ? "rule" : "directory",
			entry->text);
}

int journal_write(struct journal *journal, size_t applied)
{
	char path[PATH_MAX], *text = NULL;
	size_t len = 0, i;
	FILE *out = open_memstream(&text, &len);
	int r;

	if (!out)
		return -errno;
	fputs(HEADING, out);
	for (i = 0; i <= journal->count; i++) {
		if (i == applied)
			fputs("applied\n", out);
		if (i < journal->count)
			print_entry(out, &journal->entries[i]);
	}
	r = fclose(out) == 0 ? 0 : -ENOMEM;
	if (r == 0)
		r = files_write(own_path(journal, "manifest", path), text, len, NULL, false);
	free(text);
	if (r == 0)
		journal->applied = applied;
	return r;
}

/* --- the directory --------------------------------------------------------- */

/* Others must not be able to change what is written here. */
static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	       (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The directory above it. */
static char *parent_of(const struct journal *journal, char buf[static PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%.*s", (int)(strrchr(journal->dir, '/') - journal->dir),
		 journal->dir);
	return buf;
}

static int lock(struct journal *journal)
{
	char parent[PATH_MAX];

	if ((mkdir(parent_of(journal, parent), 0755) < 0 && errno != EEXIST) ||
	    (mkdir(journal->dir, 0755) < 0 && errno != EEXIST))
		return -errno;
	journal->lock = open(journal->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (journal->lock < 0)
		return -errno;
	if (!is_ours(journal->lock))
		return -EPERM;
	return flock(journal->lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

int journal_open(const struct context *context, bool change, struct journal *ret_journal)
{
	int r = 0;

	memset(ret_journal, 0, sizeof(*ret_journal));
	ret_journal->context = context;
	ret_journal->lock = -1;
	journal_path(context, JOURNAL_DIR, ret_journal->dir);
	if (change)
		r = lock(ret_journal);
	if (r == 0)
		r = read_manifest(ret_journal);
	if (r < 0)
		journal_close(ret_journal);
	return r;
}

void journal_close(struct journal *journal)
{
	size_t i;

	for (i = 0; i < journal->count; i++)
		free(journal->entries[i].text);
	free(journal->entries);
	if (journal->lock >= 0)
		close(journal->lock);
	journal->entries = NULL;
	journal->count = 0;
	journal->lock = -1;
}

static void remove_files(int fd)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(fd, entry->d_name, 0);
	closedir(dir);
}

int journal_remove(struct journal *journal)
{
	char path[PATH_MAX];
	int r = files_remove(own_path(journal, "manifest", path)), fd;

	if (r < 0)
		return r;
	fd = open(journal->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		remove_files(fd);
	if (rmdir(journal->dir) < 0 && errno != ENOENT)
		return -errno;
	rmdir(parent_of(journal, path));
	return 0;
}
