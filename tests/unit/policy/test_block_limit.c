/* A limited number of blocks per interval.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/block_limit.h"

#include <pthread.h>
#include <string.h>

#include "tests/unit/support.h"

static void grants_up_to_max(void **state)
{
	struct block_limit b;

	(void)state;
	block_limit_init(&b, 2, 10);
	want_int(block_limit_take(&b, 1000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_take(&b, 2000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_take(&b, 10999), BLOCK_LIMIT_CLOSES);
	want_int(block_limit_take(&b, 10999), BLOCK_LIMIT_CLOSED);
	block_limit_done(&b);
}

static void interval_starts_with_the_first_query(void **state)
{
	struct block_limit b;

	(void)state;
	block_limit_init(&b, 1, 10);
	want_int(block_limit_take(&b, 5000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_take(&b, 14999), BLOCK_LIMIT_CLOSES);
	want_int(block_limit_take(&b, 15000), BLOCK_LIMIT_GRANTED);
	block_limit_done(&b);
}

static void opens_once_and_on_time(void **state)
{
	struct block_limit b;
	int64_t due;

	(void)state;
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
	block_limit_done(&b);
}

/* Whichever call is first after the interval: the message that it is open must come. */
static void opens_after_a_new_interval_began(void **state)
{
	struct block_limit b;
	int64_t due;

	(void)state;
	block_limit_init(&b, 1, 10);
	block_limit_take(&b, 1000);
	block_limit_take(&b, 2000);
	want_int(block_limit_take(&b, 11000), BLOCK_LIMIT_GRANTED);
	want_int(block_limit_opens(&b, 11001, &due), true);
	want_int(block_limit_take(&b, 11002), BLOCK_LIMIT_CLOSES);
	block_limit_done(&b);
}

/* All threads together get exactly the limit of an interval, whichever thread is first in it,
 * and whichever is late. */
#define INTERVALS 200
#define MAX 100

struct takers {
	struct block_limit limit;
	atomic_uint now;	/* in steps of an eighth of an interval */
	atomic_uint granted, closed;
};

static void *take_many(void *data)
{
	struct takers *t = data;
	unsigned int now;

	while ((now = atomic_fetch_add(&t->now, 1) / MAX) < INTERVALS * 8) {
		enum block_limit_answer answer = block_limit_take(&t->limit, now * 125);

		if (answer == BLOCK_LIMIT_GRANTED)
			atomic_fetch_add(&t->granted, 1);
		else if (answer == BLOCK_LIMIT_CLOSES)
			atomic_fetch_add(&t->closed, 1);
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	static struct takers t;
	pthread_t threads[4];
	unsigned int i;

	(void)state;
	block_limit_init(&t.limit, MAX, 1);
	for (i = 0; i < COUNT_OF(threads); i++)
		want_int(pthread_create(&threads[i], NULL, take_many, &t), 0);
	for (i = 0; i < COUNT_OF(threads); i++)
		want_int(pthread_join(threads[i], NULL), 0);
	/* An interval that begins late ends late, so there are fewer of them. */
	want_int(t.granted <= INTERVALS * MAX, true);
	want_int(t.granted > INTERVALS * MAX / 2, true);
	want_int(t.closed > INTERVALS / 2, true);
	block_limit_done(&t.limit);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, grants_up_to_max);
	SUITE_TEST(suite, interval_starts_with_the_first_query);
	SUITE_TEST(suite, opens_once_and_on_time);
	SUITE_TEST(suite, opens_after_a_new_interval_began);
	SUITE_TEST(suite, threads_share_it);
	return suite_run(suite, "budget");
}
