/* Unblocks by hand: smtpblockctl writes what it unblocks into a file, and the module forgets these
 * blocks, so that no reload of the firewall brings them back. Only root may write the file;
 * no log line unblocks anybody.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_UNBLOCK_H
#define SMTPBLOCK_UNBLOCK_H

#include "lib/cidr.h"
#include "policy/settings.h"

/* The directory of the file. Everybody may read both: an rsyslogd that has given root's rights up
 * must. The file has the unblocks of the last minutes and is replaced as a whole, so any number
 * of readers sees every one. */
#define UNBLOCK_DIR "/run/omsmtpblock/unblock"

#define UNBLOCK_BACKEND_SIZE 16

/* An unblock: blocks of these addresses on this list that are not later than it are lifted. */
struct unblock {
	int64_t at;		/* ms of CLOCK_MONOTONIC */
	char backend[UNBLOCK_BACKEND_SIZE];	/* backend_ops.name */
	char list[SETTINGS_LIST_SIZE];
	struct cidr net;	/* one entry of the list; all: prefix 0 */
};

/* In all functions root stands in front of UNBLOCK_DIR; it is normally "". They wait for nothing
 * but another smtpblockctl, and only unblock_write() does. Errors of all: -EPERM: another user
 * owns the directory or the file, or may write to it; -ENOTDIR, -ELOOP: a link is in the way;
 * -EACCES: no permission; -EROFS; -ENOENT: the directory is missing; -ENOMEM; -errno. */

/* Create the directory if it is missing. For root. Returns 0 or an error as above. */
int unblock_prepare(const char *root);

/* Make the unblocks known, as of now (.at is ignored), to every module in this network namespace.
 * Creates the directory. Call it before the addresses are taken off the list: then a module that
 * writes one of them meanwhile takes it off again. Returns 0; -EFBIG: too many; or an error as
 * above, and nothing was written. */
int unblock_write(const char *root, const struct unblock *unblocks, size_t count);

typedef void unblock_fn(void *ctx, const struct unblock *unblock);

/* Call fn for each unblock of this network namespace at since or later, in their order. Lines of
 * another form are skipped. Returns 0 or an error as above. */
int unblock_read(const char *root, int64_t since, unblock_fn *fn, void *ctx);

/* Show to unblock_is_watched() that the directory is watched. Returns a descriptor, which the
 * caller keeps open as long; or an error as above. */
int unblock_show_watched(const char *root);

/* Does any process watch the directory? Every local user can make this true. */
bool unblock_is_watched(const char *root);

#endif
