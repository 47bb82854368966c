/* Files that setup changes: read whole, written whole by rename, never through a symbolic link,
 * and never in a directory that others may write.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_FILES_H
#define SMTPBLOCKCTL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Larger files are not ours to change: -EFBIG. */
#define FILES_MAX (4UL << 20)

/* The content and attributes of a regular file. */
struct files_content {
	char *text;		/* ends with a NUL that is not counted; NULL: there is no file */
	size_t len;
	struct stat stat;	/* of the file, if there is one */
};

/* Read a file. No file is no error. Returns 0 and the caller calls files_content_done();
 * -ELOOP: it is a symbolic link; -EINVAL: it is no regular file; -EFBIG; -ENOMEM; -errno. */
int files_read(const char *path, struct files_content *ret_content);
void files_content_done(struct files_content *content);

/* Do both have the same text, or is there no file in both cases? */
bool files_is_same(const struct files_content *a, const struct files_content *b);

/* Replace the file by this content: a new file is written beside it, synced and renamed.
 * Owner and mode are those of like; NULL: our own user, 0644. keep_time: the time of its last
 * change, too. Returns 0; -EPERM: others may write the directory, or own it; -errno. */
int files_write(const char *path, const char *text, size_t len, const struct stat *like,
		bool keep_time);

/* Remove the file and sync its directory. No file is no error. Returns as files_write(). */
int files_remove(const char *path);

/* Remove what an interrupted files_write() of this path left. */
void files_clean(const char *path);

/* Is there a directory at this path, not a symbolic link? */
bool files_is_directory(const char *path);

#endif
