/* Counters of what was done and not done.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/counters.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNTERS_NAME(id, name, meaning) [COUNTER_##id] = name,
static const char *const names[] = { COUNTERS(COUNTERS_NAME) };

const char *counters_name(enum counter id)
{
	return names[id];
}

char *counters_format(const struct counters *c, char *buf, size_t size)
{
	size_t used = 0;
	unsigned int i;

	if (size > 0)
		buf[0] = '\0';
	for (i = 0; i < COUNTER_COUNT; i++) {
		uint64_t value = counters_get(c, (enum counter)i);
		int n;

		if (value == 0)
			continue;
		n = snprintf(buf + used, size - used, "%s%s=%" PRIu64,
			     used ? " " : "", names[i], value);
		/* A number that is cut is worse than none. */
		if (n < 0 || (size_t)n >= size - used) {
			buf[used] = '\0';
			break;
		}
		used += (size_t)n;
	}
	return buf;
}
