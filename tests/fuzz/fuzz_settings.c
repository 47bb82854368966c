/* An action's parameters. Input: one NAME=VALUE per line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "policy/settings.h"

static void check_uint(const struct settings_row *row, const void *field)
{
	unsigned int n;

	memcpy(&n, field, sizeof(n));
	FUZZ_CHECK(n >= row->min && n <= row->max);
}

static void check_word(const struct settings_row *row, const void *field)
{
	const char *word;
	int value;

	memcpy(&value, field, sizeof(value));
	word = settings_word(row->name, value);
	FUZZ_CHECK(word);
}

static void check_text(const char *text, size_t size)
{
	FUZZ_CHECK(memchr(text, '\0', size));
}

static bool is_set(const char *field)
{
	unsigned int value;

	memcpy(&value, field, sizeof(value));
	return value != 0;
}

/* After any input every field has a value that its row allows. */
static void check_fields(const struct settings *s)
{
	size_t count, i;
	const struct settings_row *rows = settings_rows(&count);

	for (i = 0; i < count; i++) {
		const char *field = (const char *)s + rows[i].offset;

		if (rows[i].type == SETTINGS_UINT && (rows[i].default_text || is_set(field)))
			check_uint(&rows[i], field);
		else if (rows[i].type == SETTINGS_WORD)
			check_word(&rows[i], field);
	}
	check_text(s->list, sizeof(s->list));
	check_text(s->list6, sizeof(s->list6));
	check_text(s->courier_user, sizeof(s->courier_user));
	check_text(s->allow_file, sizeof(s->allow_file));
	check_text(s->template_name, sizeof(s->template_name));
	FUZZ_CHECK(s->reply_pattern);
	FUZZ_CHECK(s->list[0] != '\0' && !strpbrk(s->list, "/ '\"$;`\n"));
}

static void set(struct settings *s, const char *name, const char *value)
{
	struct settings old = *s;
	char wrong[512] = "";
	int r = settings_set(s, name, value, wrong, sizeof(wrong));

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ENOENT);
	if (r == 0)
		return;
	FUZZ_CHECK(wrong[0] != '\0' && strlen(wrong) < sizeof(wrong));
	FUZZ_CHECK(memcmp(s, &old, sizeof(old)) == 0);
}

static void set_line(struct settings *s, const char *line, size_t len)
{
	char *text = fuzz_string(line, len), *equals = strchr(text, '=');

	if (equals) {
		*equals = '\0';
		set(s, text, equals + 1);
	}
	free(text);
}

/* Match replyPattern against text that a client can make courier log. */
static void match(const struct settings *s)
{
	static const char *const replies[] = {
		"", "511 Listed in lab DNSBL, 192.0.2.7",
		"511 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
		"550 User <\x80\xff> unknown", "511 ((((((((([[[[[[[[\\\\\\\\",
	};
	struct reply_regex_scratch *scratch;
	size_t i;
	int r;

	FUZZ_CHECK(reply_regex_scratch_new(s->reply_pattern, &scratch) == 0);
	for (i = 0; i < COUNT_OF(replies); i++) {
		r = reply_regex_match(s->reply_pattern, scratch, replies[i],
				      strlen(replies[i]));
		FUZZ_CHECK(r == 0 || r == 1 || r == -EOVERFLOW || r == -EINVAL);
	}
	reply_regex_scratch_free(scratch);
}

static void check_whole(struct settings *s)
{
	char wrong[512] = "";
	unsigned int i;
	int r;

	/* Do not read files of the machine. */
	s->allow_file[0] = '\0';
	r = settings_check(s, wrong, sizeof(wrong));
	FUZZ_CHECK(r == 0 || (r == -EINVAL && wrong[0] != '\0'));
	for (i = 0; settings_warning(s, i); i++)
		FUZZ_CHECK(i < 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct settings s;
	const char *line;
	size_t len;

	FUZZ_CHECK(settings_init(&s) == 0);
	while (fuzz_line(&in, &line, &len)) {
		set_line(&s, line, len);
		check_fields(&s);
	}
	match(&s);
	check_whole(&s);
	settings_done(&s);
	settings_done(&s);
	return 0;
}
