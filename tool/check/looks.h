/* Read other users' processes, with a time limit for each: see looker.h.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_LOOKS_H
#define SMTPBLOCKCTL_LOOKS_H

#include "lib/looker.h"

/* A process that blocks its readers. */
struct looks_stuck {
	pid_t pid;
	struct procfs_status status;
};

struct looks {
	struct looker *looker;
	struct procfs procfs;
	struct looks_stuck stuck[LOOKER_WAITING_MAX];
	size_t stuck_count;
};

/* Returns 0 and the caller calls looks_free(); -ENOMEM. */
int looks_new(const struct procfs *procfs, struct looks **ret_looks);

/* NULL is allowed. A thread that is still blocked by a process exits with ours. */
void looks_free(struct looks *looks);

/* As looker_call(), for processes with a name that we look for. */
int looks_call(struct looks *looks, pid_t pid, looker_call_fn *call, void *data, size_t size);

/* Longest text that is read, NUL included. */
#define LOOKS_TEXT_MAX 8192

/* Read a file of a process as text, cut at size. Returns its length; -errno. */
ssize_t looks_read(struct looks *looks, pid_t pid, const char *name, char *buf, size_t size);

#endif
