/* Watches for unblocks by hand (unblock.h). Not thread-safe.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_UNBLOCK_WATCH_H
#define SMTPBLOCK_UNBLOCK_WATCH_H

#include "blocklist/unblock.h"

struct unblock_watch;

/* root as in unblock_read(); fn is called for each unblock from now on. Opens no descriptor.
 * Returns 0, -ENOMEM or -ENAMETOOLONG. The caller owns. */
int unblock_watch_new(const char *root, unblock_fn *fn, void *ctx,
		      struct unblock_watch **ret_watch);
void unblock_watch_free(struct unblock_watch *watch);	/* NULL is allowed */

/* Watch the directory, if it is not watched: root creates it. What was unblocked meanwhile is
 * passed on. Returns when to call it again at the latest, in ms of CLOCK_MONOTONIC;
 * INT64_MAX: after unblock_watch_read(). Makes no system call while the directory is watched. */
int64_t unblock_watch_run(struct unblock_watch *watch, int64_t now);

/* Readable when there is something for unblock_watch_read(); -1: the directory is not watched. */
int unblock_watch_fd(const struct unblock_watch *watch);

/* Pass on what is new. Never waits. */
void unblock_watch_read(struct unblock_watch *watch);

/* Why the directory is not watched, as unblock_read(); 0: it is. */
int unblock_watch_error(const struct unblock_watch *watch);

#endif
