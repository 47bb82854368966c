/* Arrays that grow.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/array.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 8

static bool is_full(size_t count)
{
	return count == 0 || (count >= ROOM_MIN && (count & (count - 1)) == 0);
}

void *array_add_bytes(void *array, size_t *count, size_t size)
{
	char *elements;

	memcpy(&elements, array, sizeof(elements));
	if (is_full(*count)) {
		if (*count > SIZE_MAX / 2 / size)
			return NULL;
		elements = reallocarray(elements, *count ? 2 * *count : ROOM_MIN, size);
		if (!elements)
			return NULL;
		memcpy(array, &elements, sizeof(elements));
	}
	return memset(elements + (*count)++ * size, 0, size);
}
