/* The difference of two texts, as diff -u prints it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/setup/diff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT_LINES 3

/* A text and where its lines begin. */
struct lines {
	const char **at;	/* count + 1: the last one is the end */
	size_t count;
};

static bool split(const char *text, struct lines *ret_lines)
{
	size_t count = 0, room = 1;
	const char *p;

	for (p = text; *p; p++)
		room += *p == '\n' || p[1] == '\0';
	ret_lines->at = calloc(room + 1, sizeof(*ret_lines->at));
	if (!ret_lines->at)
		return false;
	for (p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		ret_lines->at[count++] = p;
	ret_lines->at[count] = p;
	ret_lines->count = count;
	return true;
}

static size_t length(const struct lines *lines, size_t i)
{
	return (size_t)(lines->at[i + 1] - lines->at[i]);
}

static bool same(const struct lines *a, size_t i, const struct lines *b, size_t k)
{
	return length(a, i) == length(b, k) && memcmp(a->at[i], b->at[k], length(a, i)) == 0;
}

static void print_lines(FILE *out, char mark, const struct lines *lines, size_t from, size_t to)
{
	for (; from < to; from++) {
		size_t len = length(lines, from);

		fprintf(out, "%c%.*s", mark, (int)len, lines->at[from]);
		if (lines->at[from][len - 1] != '\n')
			fputs("\n\\ No newline at end of file\n", out);
	}
}

/* Line numbers are those of the first line, 0 if there is none. */
static void print_hunk(FILE *out, const struct lines *old, const struct lines *new, size_t head,
		       size_t tail)
{
	size_t from = head < CONTEXT_LINES ? 0 : head - CONTEXT_LINES;
	size_t behind = tail < CONTEXT_LINES ? tail : CONTEXT_LINES;
	size_t old_end = old->count - tail, new_end = new->count - tail;
	size_t old_len = old_end + behind - from, new_len = new_end + behind - from;

	fprintf(out, "@@ -%zu,%zu +%zu,%zu @@\n", from + (old_len > 0), old_len,
		from + (new_len > 0), new_len);
	print_lines(out, ' ', old, from, head);
	print_lines(out, '-', old, head, old_end);
	print_lines(out, '+', new, head, new_end);
	print_lines(out, ' ', old, old_end, old_end + behind);
}

void diff_print(FILE *out, const char *path, const char *old, const char *new)
{
	struct lines before = { .at = NULL }, after = { .at = NULL };
	size_t head = 0, tail = 0;

	if (split(old ? old : "", &before) && split(new, &after)) {
		while (head < before.count && head < after.count &&
		       same(&before, head, &after, head))
			head++;
		while (head + tail < before.count && head + tail < after.count &&
		       same(&before, before.count - tail - 1, &after, after.count - tail - 1))
			tail++;
		fprintf(out, "--- %s\n+++ %s\n", old ? path : "/dev/null", path);
		print_hunk(out, &before, &after, head, tail);
	}
	free(before.at);
	free(after.at);
}
