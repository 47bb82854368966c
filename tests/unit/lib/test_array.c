/* Arrays that grow.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/array.h"

#include <stdlib.h>

#include "tests/unit/support.h"

struct element {
	size_t number;
	char rest[20];
};

struct numbers {
	struct element *all;
	size_t count;
};

static void add(struct numbers *numbers, size_t want)
{
	struct element *e = array_add(&numbers->all, &numbers->count);

	assert_non_null(e);
	want_int(numbers->count, want + 1);
	want_int(e == &numbers->all[want], true);
	want_int(e->number, 0);
	want_int(e->rest[19], 0);
	e->number = want;
	e->rest[19] = 1;
}

/* Also after elements were dropped from its end. */
TEST(keeps_all_elements)
{
	static const size_t kept[] = { 0, 1, 7, 8, 9, 16, 33, 100 };
	struct numbers numbers = { .all = NULL };
	size_t round, i;

	for (round = 0; round < COUNT_OF(kept); round++) {
		for (i = numbers.count; i < 100; i++)
			add(&numbers, i);
		for (i = 0; i < 100; i++)
			want_int(numbers.all[i].number, i);
		numbers.count = kept[round];
	}
	free(numbers.all);
}

TEST(doubles_its_room)
{
	struct numbers numbers = { .all = NULL };
	size_t moved = 0, i;

	for (i = 0; i < 64; i++) {
		memory_fail(1);
		if (!array_add(&numbers.all, &numbers.count)) {
			moved++;
			want_int(numbers.count, i);
			add(&numbers, i);
		}
		memory_fail(0);
	}
	want_int(moved, 4);
	free(numbers.all);
}

TEST(too_many_are_refused)
{
	struct numbers numbers = { .count = SIZE_MAX / 2 + 1 };

	want_int(array_add(&numbers.all, &numbers.count) == NULL, true);
	numbers.count = (SIZE_MAX / 2 + 1) / 16;
	want_int(array_add(&numbers.all, &numbers.count) == NULL, true);
	want_int(numbers.count, (SIZE_MAX / 2 + 1) / 16);
}
