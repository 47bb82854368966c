/* Which processes have come lately.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/arrivals.h"

#include <string.h>

/* What is no newer than this was looked at, or is too far back. */
static pid_t older_than(const struct arrivals *a, pid_t last)
{
	pid_t bound = last > ARRIVALS_NEW ? last - ARRIVALS_NEW : 0;

	return a->looked <= last && a->looked > bound ? a->looked : bound;
}

size_t arrivals_take(struct arrivals *arrivals, pid_t last,
		     pid_t ret_pids[static ARRIVALS_MAX])
{
	pid_t pid, bound = older_than(arrivals, last);
	size_t n = 0;

	for (pid = last; pid > bound; pid--)
		ret_pids[n++] = pid;
	memcpy(ret_pids + n, arrivals->waiting,
	       arrivals->waiting_count * sizeof(*ret_pids));
	n += arrivals->waiting_count;
	arrivals->waiting_count = 0;
	arrivals->looked = last;
	return n;
}

void arrivals_wait(struct arrivals *arrivals, pid_t pid)
{
	if (arrivals->waiting_count < ARRIVALS_WAITING)
		arrivals->waiting[arrivals->waiting_count++] = pid;
}
