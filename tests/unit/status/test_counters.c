/* Counters of actions and refusals.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/counters.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

static struct counters c;

static void before(void)
{
	c = (struct counters){ 0 };
}

TEST_EACH(before, NULL)

TEST(names_are_distinct_words)
{
	unsigned int i, j;

	for (i = 0; i < COUNTER_COUNT; i++) {
		const char *name = counters_name((enum counter)i);

		want_int(strspn(name, "abcdefghijklmnopqrstuvwxyz_."), strlen(name));
		for (j = 0; j < i; j++)
			want_int(strcmp(name, counters_name((enum counter)j)) == 0, false);
	}
}

#define MEANING(id, name, meaning) [COUNTER_##id] = meaning,
static const char *const meanings[] = { COUNTERS(MEANING) };

TEST(every_counter_is_explained)
{
	unsigned int i;

	for (i = 0; i < COUNTER_COUNT; i++)
		want_int(strlen(meanings[i]) > 10, true);
}

TEST(counts_that_one_only)
{
	counters_add(&c, COUNTER_EVENTS, 2);
	counters_add(&c, COUNTER_EVENTS, 3);
	want_int(counters_get(&c, COUNTER_EVENTS), 5);
	want_int(counters_get(&c, COUNTER_RENEWALS), 0);
	counters_take_back(&c, COUNTER_EVENTS, 1);
	want_int(counters_get(&c, COUNTER_EVENTS), 4);
}

TEST(format_leaves_zeros_out)
{
	char buf[200];

	want_str(counters_format(&c, buf, sizeof(buf)), "");
	counters_add(&c, COUNTER_LINES, 12);
	counters_add(&c, COUNTER_ENDED, 1);
	want_str(counters_format(&c, buf, sizeof(buf)), "lines=12 ended=1");
}

TEST(format_ends_at_whole_counter)
{
	char buf[12];

	counters_add(&c, COUNTER_LINES, 1);
	counters_add(&c, COUNTER_REJECTS, 1);
	memset(buf, 'x', sizeof(buf));
	counters_format(&c, buf, sizeof(buf));
	want_int(memchr(buf, '\0', sizeof(buf)) != NULL, true);
	want_int(strncmp(buf, "lines=1", 7), 0);
}

TEST(all_at_their_highest_fit)
{
	char buf[COUNTERS_FORMAT_SIZE];
	unsigned int i;
	char *last;

	for (i = 0; i < COUNTER_COUNT; i++)
		counters_add(&c, (enum counter)i, UINT64_MAX);
	counters_format(&c, buf, sizeof(buf));
	last = strrchr(buf, ' ');
	want_int(last != NULL, true);
	want_str(last, " signal_errors=18446744073709551615");
}

/* The manual's table of statistic counters has each, in words of the code. (tests/tool/page:
 * it has no other.) */
TEST(manual_has_each)
{
	char path[4096], row[400], *manual;
	unsigned int i;

	snprintf(path, sizeof(path), "%s/doc/omsmtpblock.rst", getenv("SOURCES"));
	manual = temp_file_read(path);
	assert_non_null(manual);
	for (i = 0; i < COUNTER_COUNT; i++) {
		snprintf(row, sizeof(row), "\n   \"%s\", \"%s\"\n",
			 counters_name((enum counter)i),
			 meanings[i]);
		if (!strstr(manual, row))
			print_message("# the manual lacks:%s", row);
		want_int(strstr(manual, row) != NULL, true);
	}
	free(manual);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *add_many(void *unused)
{
	unsigned int i;

	for (i = 0; i < 100000; i++) {
		counters_add(&c, COUNTER_LINES, 1);
		pthread_mutex_lock(&lock);
		counters_add_alone(&c, COUNTER_BLOCKS, 1);
		pthread_mutex_unlock(&lock);
	}
	return unused;
}

/* With counters_add_alone() one at a time. */
TEST(threads_lose_nothing)
{
	pthread_t threads[4];
	unsigned int i;

	for (i = 0; i < COUNT_OF(threads); i++)
		want_int(pthread_create(&threads[i], NULL, add_many, NULL), 0);
	for (i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	want_int(counters_get(&c, COUNTER_LINES), 400000);
	want_int(counters_get(&c, COUNTER_BLOCKS), 400000);
	want_int(counters_get(&c, COUNTER_REJECTS), 0);
}
