/* PIDs of new processes. The kernel assigns PIDs in ascending order, so those above the
 * newest one of the last look are new.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NEW_PIDS_H
#define SMTPBLOCK_NEW_PIDS_H

#include <stddef.h>
#include <sys/types.h>

/* Most new PIDs that one look returns. Older ones are skipped. */
#define NEW_PIDS_NEW 64

/* Most PIDs that are returned again because their process has not exec'd yet. With a slow
 * DNSBL there is one for each connection of the last seconds. */
#define NEW_PIDS_WAITING 192

#define NEW_PIDS_MAX (NEW_PIDS_NEW + NEW_PIDS_WAITING)

/* All zero before the first look. Not thread-safe. */
struct new_pids {
	pid_t looked;		/* the newest PID at the last look */
	pid_t waiting[NEW_PIDS_WAITING];	/* newest first */
	size_t waiting_count;
};

/* Write the PIDs to look at, newest first: those assigned since the last call up to last,
 * the newest PID, then the waiting ones, which are removed. If PIDs have wrapped around
 * since the last call, new ones from before the wrap are skipped. Returns their number. */
size_t new_pids_take(struct new_pids *new_pids, pid_t last,
		     pid_t ret_pids[static NEW_PIDS_MAX]);

/* Return this PID again at the next call. Call this in the order of new_pids_take(): if
 * there is no room the PID is dropped, so the oldest ones are. */
void new_pids_wait(struct new_pids *new_pids, pid_t pid);

#endif
