/* Things of one size on their way from many threads to one.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/batch_queue.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "tests/unit/support.h"

#define MAX 100

/* Of each point, and what was taken of it. */
static struct batch_queue *queue;
static const void *items;

static void before(void)
{
	want_int(batch_queue_new(sizeof(int), MAX, &queue), 0);
}

static void after(void)
{
	batch_queue_free(queue);
}

TEST_EACH(before, after)

TEST(come_out_as_they_went_in)
{
	bool first = false;
	int i;

	want_int(batch_queue_take(queue, &items), 0);
	for (i = 0; i < 50; i++) {
		want_int(batch_queue_put(queue, &i, &first), 0);
		want_int(first, i == 0);
	}
	want_int(batch_queue_take(queue, &items), 50);
	for (i = 0; i < 50; i++)
		want_int(((const int *)items)[i], i);
	want_int(batch_queue_put(queue, &i, &first), 0);
	want_int(first, true);
	want_int(batch_queue_take(queue, &items), 1);
	want_int(*(const int *)items, 50);
}

TEST(one_too_many_is_refused)
{
	bool first = false;
	int i;

	for (i = 0; i < MAX; i++)
		want_int(batch_queue_put(queue, &i, NULL), 0);
	want_int(batch_queue_put(queue, &i, &first), -ENOSPC);
	want_int(first, false);
	want_int(batch_queue_take(queue, &items), MAX);
	want_int(batch_queue_put(queue, &i, NULL), 0);
	want_int(batch_queue_take(queue, &items), 1);
}

static int make_one(void *data)
{
	struct batch_queue *one = NULL;
	int r = batch_queue_new(sizeof(int), MAX, &one);

	(void)data;
	batch_queue_free(one);
	return r;
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(make_one, NULL) >= 3, true);
	batch_queue_free(NULL);
}

#define THREADS 4
#define EACH 20000

struct filler {
	int number;
	pthread_t thread;
};

static void *fill(void *data)
{
	const struct filler *filler = data;
	int i, item;

	for (i = 0; i < EACH; i++) {
		item = filler->number * EACH + i;
		while (batch_queue_put(queue, &item, NULL) == -ENOSPC)
			sched_yield();
	}
	return NULL;
}

/* Every item comes once, and those of one thread in their order. */
TEST(several_threads)
{
	struct filler fillers[THREADS];
	int next[THREADS] = { 0 }, total = 0, i;
	size_t n, j;

	for (i = 0; i < THREADS; i++) {
		fillers[i] = (struct filler){ .number = i };
		want_int(pthread_create(&fillers[i].thread, NULL, fill, &fillers[i]), 0);
	}
	while (total < THREADS * EACH) {
		n = batch_queue_take(queue, &items);
		if (n == 0)
			sched_yield();
		for (j = 0; j < n; j++) {
			int item = ((const int *)items)[j], from = item / EACH;

			want_int(item % EACH, next[from]);
			next[from]++;
		}
		total += (int)n;
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(fillers[i].thread, NULL);
	want_int(batch_queue_take(queue, &items), 0);
}
