/* So many blocks in an interval and no more.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "budget.h"

#include <string.h>

#include "support.h"

static void grants_up_to_max(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 2, 10);
	want_int(budget_take(&b, 1000), BUDGET_GRANTED);
	want_int(budget_take(&b, 2000), BUDGET_GRANTED);
	want_int(budget_take(&b, 10999), BUDGET_CLOSES);
	want_int(budget_take(&b, 10999), BUDGET_CLOSED);
	budget_done(&b);
}

static void interval_starts_with_first_question(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 1, 10);
	want_int(budget_take(&b, 5000), BUDGET_GRANTED);
	want_int(budget_take(&b, 14999), BUDGET_CLOSES);
	want_int(budget_take(&b, 15000), BUDGET_GRANTED);
	budget_done(&b);
}

static void opens_once_and_when_due(void **state)
{
	struct budget b;
	int64_t due;

	(void)state;
	budget_init(&b, 1, 10);
	want_int(budget_opens(&b, 0, &due), false);
	want_int(due, INT64_MAX);
	budget_take(&b, 1000);
	budget_take(&b, 2000);
	want_int(budget_opens(&b, 3000, &due), false);
	want_int(due, 11000);
	want_int(budget_opens(&b, 11000, &due), true);
	want_int(due, INT64_MAX);
	want_int(budget_opens(&b, 11000, &due), false);
	budget_done(&b);
}

/* Whoever asks first after the end: the message that it is open must come. */
static void opens_after_a_new_interval_began(void **state)
{
	struct budget b;
	int64_t due;

	(void)state;
	budget_init(&b, 1, 10);
	budget_take(&b, 1000);
	budget_take(&b, 2000);
	want_int(budget_take(&b, 11000), BUDGET_GRANTED);
	want_int(budget_opens(&b, 11001, &due), true);
	want_int(budget_take(&b, 11002), BUDGET_CLOSES);
	budget_done(&b);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, grants_up_to_max);
	SUITE_TEST(suite, interval_starts_with_first_question);
	SUITE_TEST(suite, opens_once_and_when_due);
	SUITE_TEST(suite, opens_after_a_new_interval_began);
	return suite_run(suite, "budget");
}
