/* Arrays that grow.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ARRAY_H
#define SMTPBLOCK_ARRAY_H

#include <stddef.h>

/* The number of elements of an array of fixed size. */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Append an element, all zero, to *array, which has *count elements (a size_t), and count it.
 * Begins with NULL and 0. The array may move. Its room follows from *count alone: it doubles
 * at the powers of 2, from 8. Returns the element; NULL: out of memory, nothing has changed.
 * The caller frees *array. */
#define array_add(array, count) \
	((__typeof__(*(array)))array_add_bytes((array), (count), sizeof(**(array))))

/* Of any pointer to an array; elements have size bytes. Use array_add(). */
void *array_add_bytes(void *array, size_t *count, size_t size);

#endif
