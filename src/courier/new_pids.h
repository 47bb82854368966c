/* Which processes have come lately, by the PIDs that the kernel hands out one after
 * the other.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_NEW_PIDS_H
#define SMTPBLOCK_NEW_PIDS_H

#include <stddef.h>
#include <sys/types.h>

/* PIDs that are new to one look: what is further back is passed over. */
#define NEW_PIDS_NEW 64

/* Those that were not what they are to become, and are asked about again. With a slow
 * DNSBL that is one for each connection of the last seconds. */
#define NEW_PIDS_WAITING 192

#define NEW_PIDS_MAX (NEW_PIDS_NEW + NEW_PIDS_WAITING)

/* Zeroed: nothing was looked at yet. One thread. */
struct new_pids {
	pid_t looked;		/* the newest PID at the last look */
	pid_t waiting[NEW_PIDS_WAITING];	/* the newest first */
	size_t waiting_count;
};

/* Those to look at, the newest first, when last is the newest PID: what has come
 * since the last call, then those that wait, which wait no longer. Where the PIDs
 * began anew meanwhile, what came before is passed over. Returns their number. */
size_t new_pids_take(struct new_pids *new_pids, pid_t last,
		     pid_t ret_pids[static NEW_PIDS_MAX]);

/* Name it again the next time. To be called in the order they were taken in: one too
 * many is dropped, and that is the oldest. */
void new_pids_wait(struct new_pids *new_pids, pid_t pid);

#endif
