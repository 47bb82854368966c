/* systemd's configuration files.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/check/systemd_unit.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/array.h"

#define LINE_SIZE 4096
#define DROPINS_MAX 256

struct assignment {
	char *key, *value;
};

struct systemd_unit {
	struct assignment *assignments;
	size_t count;
};

static const char *const dirs[] = {
	"/etc/systemd", "/run/systemd", "/usr/lib/systemd", "/lib/systemd",
};

#define DIR_COUNT COUNT_OF(dirs)

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t");
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return text;
}

static int add(struct systemd_unit *file, const char *key, const char *value)
{
	struct assignment *added = array_add(&file->assignments, &file->count);

	if (!added)
		return -ENOMEM;
	added->key = strdup(key);
	added->value = strdup(value);
	return added->key && added->value ? 0 : -ENOMEM;
}

/* Sections are ignored: no key that we look for occurs in two of them. */
static int take_line(struct systemd_unit *file, char *line)
{
	char *equals;

	line = trim(line);
	equals = strchr(line, '=');
	if (!equals || *line == '#' || *line == ';' || *line == '[')
		return 0;
	*equals = '\0';
	return add(file, trim(line), trim(equals + 1));
}

/* Reads a line; a backslash at its end joins the next one. */
static bool read_line(FILE *stream, char line[static LINE_SIZE])
{
	size_t len = 0;

	while (fgets(line + len, (int)(LINE_SIZE - len), stream)) {
		len += strlen(line + len);
		if (len < 2 || line[len - 1] != '\n' || line[len - 2] != '\\')
			return true;
		len -= 2;
		line[len++] = ' ';
		line[len] = '\0';
	}
	return len > 0;
}

static int read_one(struct systemd_unit *file, const char *path)
{
	FILE *stream = fopen(path, "re");
	char line[LINE_SIZE];
	int r = 0;

	if (!stream)
		return 0;
	while (r == 0 && read_line(stream, line))
		r = take_line(file, line);
	fclose(stream);
	return r;
}

static char *path_in(const struct host *host, size_t dir, const char *directory,
		     const char *name, char path[static PATH_MAX])
{
	char below[PATH_MAX];

	snprintf(below, sizeof(below), "%s%s/%s", dirs[dir], directory, name);
	return host_path(host, below, path);
}

/* Reads the file from the first directory that has it. */
static int read_first(struct systemd_unit *file, const struct host *host, const char *directory,
		      const char *name)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < DIR_COUNT; i++)
		if (access(path_in(host, i, directory, name, path), F_OK) == 0)
			return read_one(file, path);
	return 0;
}

struct names {
	char *name[DROPINS_MAX];
	size_t count;
};

static bool has_name(const struct names *names, const char *name)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		if (strcmp(names->name[i], name) == 0)
			return true;
	return false;
}

static int list_dir(struct names *names, const char *path)
{
	const struct dirent *entry;
	DIR *dir = opendir(path);
	int r = 0;

	while (dir && r == 0 && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);

		if (len < 6 || strcmp(entry->d_name + len - 5, ".conf") != 0 ||
		    names->count == DROPINS_MAX || has_name(names, entry->d_name))
			continue;
		names->name[names->count] = strdup(entry->d_name);
		if (names->name[names->count])
			names->count++;
		else
			r = -ENOMEM;
	}
	if (dir)
		closedir(dir);
	return r;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_dropins(struct systemd_unit *file, const struct host *host,
			const char *directory, const char *name)
{
	struct names names = { .count = 0 };
	char below[512], path[PATH_MAX];
	size_t i;
	int r = 0;

	snprintf(below, sizeof(below), "%s/%s.d", directory, name);
	for (i = 0; r == 0 && i < DIR_COUNT; i++)
		r = list_dir(&names, path_in(host, i, below, "", path));
	qsort(names.name, names.count, sizeof(names.name[0]), by_text);
	for (i = 0; i < names.count; i++) {
		if (r == 0)
			r = read_first(file, host, below, names.name[i]);
		free(names.name[i]);
	}
	return r;
}

int systemd_unit_read(const struct host *host, const char *name, const char *directory,
		      struct systemd_unit **ret_file)
{
	struct systemd_unit *file = calloc(1, sizeof(*file));
	int r = file ? read_first(file, host, directory, name) : -ENOMEM;

	if (r == 0)
		r = read_dropins(file, host, directory, name);
	if (r < 0) {
		systemd_unit_free(file);
		return r;
	}
	*ret_file = file;
	return 0;
}

void systemd_unit_free(struct systemd_unit *file)
{
	size_t i;

	if (!file)
		return;
	for (i = 0; i < file->count; i++) {
		free(file->assignments[i].key);
		free(file->assignments[i].value);
	}
	free(file->assignments);
	free(file);
}

/* The assignments of a key in order, i = 0, 1, ...; NULL after the last. */
static const char *assignment_at(const struct systemd_unit *file, const char *key, size_t i)
{
	size_t n;

	for (n = 0; n < file->count; n++)
		if (strcmp(file->assignments[n].key, key) == 0 && i-- == 0)
			return file->assignments[n].value;
	return NULL;
}

const char *systemd_unit_last(const struct systemd_unit *file, const char *key)
{
	const char *value, *last = NULL;
	size_t i;

	for (i = 0; (value = assignment_at(file, key, i)) != NULL; i++)
		last = value;
	return last;
}

bool systemd_unit_is_off(const char *value)
{
	return strcasecmp(value, "no") == 0 || strcasecmp(value, "false") == 0 ||
	       strcasecmp(value, "off") == 0 || strcmp(value, "0") == 0 || *value == '\0';
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n;

		list += strspn(list, " \t");
		n = strcspn(list, " \t");
		if (n == len && strncasecmp(list, word, len) == 0)
			return true;
		list += n;
	}
	return false;
}

bool systemd_unit_lists(const struct systemd_unit *file, const char *key, const char *word,
			bool when_empty)
{
	const char *value;
	bool listed = true, first = true;
	size_t i;

	for (i = 0; (value = assignment_at(file, key, i)) != NULL; i++) {
		bool inverted = *value == '~';

		if (*value == '\0') {
			listed = when_empty;
			first = true;
			continue;
		}
		/* Only the first assignment decides what unlisted words mean, unless it
		 * removes words. */
		if (first)
			listed = inverted;
		first = false;
		if (has_word(value + inverted, word))
			listed = !inverted;
	}
	return listed;
}
