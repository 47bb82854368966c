/* What systemd says about a unit.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/systemctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool/lib/spawn.h"

#define LIMIT_MS 30000

int systemctl_show(const struct context *context, const char *unit, const char *properties,
		   char **ret_text)
{
	const char *const argv[] = { "systemctl", "show", unit, "-p", properties, NULL };
	char *output;
	size_t len;
	int r = spawn_run_for(context->programs, argv, LIMIT_MS, &output, &len);

	if (r < 0)
		return r;
	if (r > 0) {
		free(output);
		return -EIO;
	}
	*ret_text = output;
	return 0;
}

const char *systemctl_value(const char *text, const char *key, size_t *ret_len)
{
	size_t key_len = strlen(key);

	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len > key_len && text[key_len] == '=' && strncmp(text, key, key_len) == 0) {
			*ret_len = len - key_len - 1;
			return text + key_len + 1;
		}
		text += len + (text[len] == '\n');
	}
	return NULL;
}

bool systemctl_is(const char *text, const char *key, const char *value)
{
	size_t len;
	const char *found = systemctl_value(text, key, &len);

	return found && len == strlen(value) && strncmp(found, value, len) == 0;
}

/* An entry of SystemCallFilter may have an error behind a colon. */
static bool has_word(const char *list, size_t len, const char *word)
{
	const char *end = list + len;
	size_t word_len = strlen(word);

	while (list < end) {
		size_t n = strcspn(list, " :\n");

		if (n == word_len && strncasecmp(list, word, n) == 0)
			return true;
		list += strcspn(list, " \n");
		list += list < end;
	}
	return false;
}

bool systemctl_allows(const char *text, const char *key, const char *word)
{
	size_t len;
	const char *list = systemctl_value(text, key, &len);
	bool inverted = list && len > 0 && *list == '~';

	if (!list)
		return true;
	return has_word(list + inverted, len - inverted, word) != inverted;
}
