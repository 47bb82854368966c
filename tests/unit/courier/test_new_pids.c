/* Which processes have come lately.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/new_pids.h"

#include <string.h>

#include "tests/unit/support.h"

/* Two reads one after the other: the PIDs that the second one returns. */
static const struct row {
	const char *label;
	pid_t before, last;	/* the newest PID at each; before 0: no first look */
	pid_t first;		/* the newest that is named.. */
	size_t count;		/* ..and how many are, downwards */
} rows[] = {
	{ "the first look", 0, 5000, 5000, NEW_PIDS_NEW },
	{ "the first look of a young system", 0, 3, 3, 3 },
	{ "nothing new", 5000, 5000, 5000, 0 },
	{ "one", 5000, 5001, 5001, 1 },
	{ "three", 5000, 5003, 5003, 3 },
	{ "as many as there may be", 5000, 5064, 5064, NEW_PIDS_NEW },
	{ "more", 5000, 9000, 9000, NEW_PIDS_NEW },
	{ "wrapped around", 32767, 400, 400, NEW_PIDS_NEW },
	{ "wrapped around just now", 32767, 2, 2, 2 },
};

TEST_ROWS(names_the_new_ones, rows)
{
	struct new_pids a = { .looked = 0 };
	pid_t pids[NEW_PIDS_MAX];
	size_t n, i;

	if (row->before)
		(void)new_pids_take(&a, row->before, pids);
	n = new_pids_take(&a, row->last, pids);
	want_int(n, row->count);
	for (i = 0; i < n; i++)
		want_int(pids[i], row->first - (pid_t)i);
}

TEST(names_waiting_again)
{
	struct new_pids a = { .looked = 0 };
	pid_t pids[NEW_PIDS_MAX];

	(void)new_pids_take(&a, 5000, pids);
	new_pids_wait(&a, 4999);
	want_int(new_pids_take(&a, 5001, pids), 2);
	want_int(pids[0], 5001);
	want_int(pids[1], 4999);
	want_int(new_pids_take(&a, 5001, pids), 0);
}

/* PIDs that stay for ever must not displace new ones. */
TEST(the_oldest_is_one_too_many)
{
	struct new_pids a = { .looked = 0 };
	pid_t pids[NEW_PIDS_MAX], last = 5000;
	size_t n, i;

	do {
		last += NEW_PIDS_NEW;
		n = new_pids_take(&a, last, pids);
		for (i = 0; i < n; i++)
			new_pids_wait(&a, pids[i]);
	} while (last < 6000);
	want_int(n, NEW_PIDS_MAX);
	want_int(new_pids_take(&a, last, pids), NEW_PIDS_WAITING);
	want_int(pids[0], last);
	want_int(pids[NEW_PIDS_WAITING - 1], last - NEW_PIDS_WAITING + 1);
}
