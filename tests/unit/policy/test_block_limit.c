/* A limited number of blocks per interval.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/block_limit.h"

#include "tests/unit/support.h"

TEST(grants_up_to_max)
{
	struct block_limit b;

	block_limit_init(&b, 2, 10);
	want_int(block_limit_take(&b, 1000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_take(&b, 2000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_take(&b, 10999), BLOCK_LIMIT_CLOSES);
	want_int(block_limit_take(&b, 10999), BLOCK_LIMIT_CLOSED);
}

TEST(interval_starts_with_the_first_query)
{
	struct block_limit b;

	block_limit_init(&b, 1, 10);
	want_int(block_limit_take(&b, 5000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_take(&b, 14999), BLOCK_LIMIT_CLOSES);
	want_int(block_limit_take(&b, 15000), BLOCK_LIMIT_GRANTED);
}

TEST(opens_once_and_on_time)
{
	struct block_limit b;
	int64_t due;

	block_limit_init(&b, 1, 10);
	want_int(block_limit_opens(&b, 0, &due), false);
	want_int(due, INT64_MAX);
	block_limit_take(&b, 1000);
	block_limit_take(&b, 2000);
	want_int(block_limit_opens(&b, 3000, &due), false);
	want_int(due, 11000);
	want_int(block_limit_opens(&b, 11000, &due), true);
	want_int(due, INT64_MAX);
	want_int(block_limit_opens(&b, 11000, &due), false);
}

/* Whichever call is first after the interval: the message that it is open must come. */
TEST(opens_after_a_new_interval_began)
{
	struct block_limit b;
	int64_t due;

	block_limit_init(&b, 1, 10);
	block_limit_take(&b, 1000);
	block_limit_take(&b, 2000);
	want_int(block_limit_take(&b, 11000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_opens(&b, 11001, &due), true);
	want_int(block_limit_take(&b, 11002), BLOCK_LIMIT_CLOSES);
}
