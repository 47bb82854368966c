/* PIDs of new processes.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/new_pids.h"

#include <string.h>

/* The newest PID that need not be looked at: already seen, or too old. */
static pid_t older_than(const struct new_pids *a, pid_t last)
{
	pid_t bound = last > NEW_PIDS_NEW ? last - NEW_PIDS_NEW : 0;

	return a->looked <= last && a->looked > bound ? a->looked : bound;
}

size_t new_pids_take(struct new_pids *new_pids, pid_t last, pid_t ret_pids[static NEW_PIDS_MAX])
{
	pid_t pid, bound = older_than(new_pids, last);
	size_t n = 0;

	for (pid = last; pid > bound; pid--)
		ret_pids[n++] = pid;
	memcpy(ret_pids + n, new_pids->waiting, new_pids->waiting_count * sizeof(*ret_pids));
	n += new_pids->waiting_count;
	new_pids->waiting_count = 0;
	new_pids->looked = last;
	return n;
}

void new_pids_wait(struct new_pids *new_pids, pid_t pid)
{
	if (new_pids->waiting_count < NEW_PIDS_WAITING)
		new_pids->waiting[new_pids->waiting_count++] = pid;
}
