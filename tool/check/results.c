/* The results of the checks.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/check/results.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "tool/lib/output.h"

static bool is_there(const struct checks *checks, const struct check_result *result)
{
	size_t i;

	for (i = 0; i < checks->count; i++) {
		const struct check_result *other = &checks->results[i];

		if (other->status == result->status && strcmp(other->id, result->id) == 0 &&
		    strcmp(other->why, result->why) == 0 &&
		    strcmp(other->type, result->type) == 0)
			return true;
	}
	return false;
}

static bool keep(struct checks *checks, const struct check_result *result)
{
	struct check_result *added;

	if (is_there(checks, result))
		return false;
	added = array_add(&checks->results, &checks->count);
	if (added)
		*added = *result;
	else
		checks->out_of_memory = true;
	return added;
}

void check_add(struct checks *checks, enum check_status status, const char *id,
	       const char *type, const char *why, ...)
{
	struct check_result result = { .status = status, .id = id, .type = strdup(type) };
	va_list args;

	va_start(args, why);
	if (vasprintf(&result.why, why, args) < 0)
		result.why = NULL;
	va_end(args);
	if (!result.why || !result.type) {
		checks->out_of_memory = true;
	} else {
		output_clean(result.why);
		output_clean(result.type);
		if (keep(checks, &result))
			return;
	}
	free(result.why);
	free(result.type);
}

char *check_place(const struct rsyslog_conf_item *item, char *buf, size_t size)
{
	if (item)
		snprintf(buf, size, "%s line %u", item->file, item->line);
	else
		snprintf(buf, size, "rsyslog's configuration");
	return buf;
}
