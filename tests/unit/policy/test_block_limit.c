/* A limited number of blocks per interval.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/block_limit.h"

#include <string.h>

#include "tests/unit/support.h"

static const struct cidr client = { .net = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } },
				    .prefix = 32 };

TEST(grants_up_to_max)
{
	struct block_limit b;

	want_int(block_limit_init(&b, 2, 10), 0);
	want_int(block_limit_take(&b, &client, 1000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_take(&b, &client, 2000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_take(&b, &client, 10999), BLOCK_LIMIT_CLOSES);
	want_int(block_limit_take(&b, &client, 10999), BLOCK_LIMIT_CLOSED);
	block_limit_done(&b);
}

TEST(interval_starts_with_the_first_query)
{
	struct block_limit b;

	want_int(block_limit_init(&b, 1, 10), 0);
	want_int(block_limit_take(&b, &client, 5000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_take(&b, &client, 14999), BLOCK_LIMIT_CLOSES);
	want_int(block_limit_take(&b, &client, 15000), BLOCK_LIMIT_GRANTED);
	block_limit_done(&b);
}

TEST(opens_once_and_on_time)
{
	struct block_limit b;
	int64_t due;

	want_int(block_limit_init(&b, 1, 10), 0);
	want_int(block_limit_opens(&b, 0, &due), false);
	want_int(due, INT64_MAX);
	block_limit_take(&b, &client, 1000);
	block_limit_take(&b, &client, 2000);
	want_int(block_limit_opens(&b, 3000, &due), false);
	want_int(due, 11000);
	want_int(block_limit_opens(&b, 11000, &due), true);
	want_int(due, INT64_MAX);
	want_int(block_limit_opens(&b, 11000, &due), false);
	block_limit_done(&b);
}

/* Whichever call is first after the interval: the message that it is open must come. */
TEST(opens_after_a_new_interval_began)
{
	struct block_limit b;
	int64_t due;

	want_int(block_limit_init(&b, 1, 10), 0);
	block_limit_take(&b, &client, 1000);
	block_limit_take(&b, &client, 2000);
	want_int(block_limit_take(&b, &client, 11000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_opens(&b, 11001, &due), true);
	want_int(block_limit_take(&b, &client, 11002), BLOCK_LIMIT_CLOSES);
	block_limit_done(&b);
}

static int take(struct block_limit *b, const char *text, int64_t now)
{
	struct cidr target;

	want_int(cidr_parse(text, strlen(text), &target), 0);
	return (int)block_limit_take(b, &target, now);
}

/* One host of IPv6 has a whole /64, and uses up no more than one. */
TEST(net_counts_once_in_an_interval)
{
	struct block_limit b;

	want_int(block_limit_init(&b, 2, 10), 0);
	want_int(take(&b, "2001:db8:0:7::1/128", 1000), BLOCK_LIMIT_GRANTED);
	want_int(take(&b, "2001:db8:0:7::2/128", 1000), BLOCK_LIMIT_GRANTED);
	want_int(take(&b, "2001:db8:0:7:8000::/65", 1000), BLOCK_LIMIT_GRANTED);
	want_int(take(&b, "192.0.2.7/32", 1000), BLOCK_LIMIT_GRANTED);
	want_int(take(&b, "2001:db8:0:8::1/128", 1000), BLOCK_LIMIT_CLOSES);
	want_int(take(&b, "2001:db8:0:7::3/128", 1000), BLOCK_LIMIT_GRANTED);
	/* In the next one it counts again. */
	want_int(take(&b, "2001:db8:0:7::4/128", 11000), BLOCK_LIMIT_GRANTED);
	want_int(take(&b, "2001:db8:0:8::1/128", 11000), BLOCK_LIMIT_GRANTED);
	want_int(take(&b, "192.0.2.7/32", 11000), BLOCK_LIMIT_CLOSES);
	block_limit_done(&b);
}

/* IPv4 has no such nets, and a /64 or more is one block each. */
TEST(others_count_each_time)
{
	struct block_limit b;

	want_int(block_limit_init(&b, 2, 10), 0);
	want_int(take(&b, "192.0.2.7/32", 1000), BLOCK_LIMIT_GRANTED);
	want_int(take(&b, "192.0.2.8/32", 1000), BLOCK_LIMIT_GRANTED);
	want_int(take(&b, "192.0.2.9/32", 1000), BLOCK_LIMIT_CLOSES);
	want_int(take(&b, "2001:db8:0:7::/64", 11000), BLOCK_LIMIT_GRANTED);
	want_int(take(&b, "2001:db8:0:7::/64", 11000), BLOCK_LIMIT_GRANTED);
	want_int(take(&b, "2001:db8:0:7::/64", 11000), BLOCK_LIMIT_CLOSES);
	block_limit_done(&b);
}
