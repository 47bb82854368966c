/* Counters of what was done and not done.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/counters.h"

#include <inttypes.h>

#include "lib/text.h"

#define COUNTERS_NAME(id, name, meaning) [COUNTER_##id] = name,
static const char *const names[] = { COUNTERS(COUNTERS_NAME) };

const char *counters_name(enum counter id)
{
	return names[id];
}

char *counters_format(const struct counters *c, char *buf, size_t size)
{
	struct text_buf text = text_buf_of(buf, size);
	unsigned int i;

	for (i = 0; i < COUNTER_COUNT; i++) {
		uint64_t value = counters_get(c, (enum counter)i);

		if (value != 0 && !text_append(&text, "%s%s=%" PRIu64, text.used ? " " : "",
					       names[i], value))
			break;
	}
	return buf;
}
