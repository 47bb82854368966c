/* Files that setup changes.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/setup/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A directory and the names in it: of the file, and of the one that replaces it. Nobody reads
 * the latter: its name begins with a dot and does not end in .conf. */
struct place {
	int dir;
	const char *name;
	char temporary[NAME_MAX + 1];
};

static int open_place(const char *path, struct place *ret_place)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	struct stat st;
	int n;

	if (!slash || slash - path >= PATH_MAX)
		return -EINVAL;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	ret_place->name = slash + 1;
	n = snprintf(ret_place->temporary, sizeof(ret_place->temporary), ".%s.smtpblockctl",
		     slash + 1);
	if (n < 0 || (size_t)n >= sizeof(ret_place->temporary))
		return -ENAMETOOLONG;
	ret_place->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret_place->dir < 0)
		return -errno;
	/* Who may write it could plant a link or take the new file away. */
	if (fstat(ret_place->dir, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return 0;
	close(ret_place->dir);
	return -EPERM;
}

static int sync_place(const struct place *place, int r)
{
	if (r == 0 && fsync(place->dir) < 0)
		r = -errno;
	close(place->dir);
	return r;
}

/* --- reading --------------------------------------------------------------- */

static int read_open(int fd, struct files_content *content)
{
	size_t size, got = 0;
	ssize_t n = 1;

	if (fstat(fd, &content->stat) < 0)
		return -errno;
	if (!S_ISREG(content->stat.st_mode))
		return -EINVAL;
	if (content->stat.st_size > (off_t)FILES_MAX)
		return -EFBIG;
	size = (size_t)content->stat.st_size;
	content->text = malloc(size + 1);
	if (!content->text)
		return -ENOMEM;
	while (got < size && n > 0) {
		n = read(fd, content->text + got, size - got);
		if (n > 0)
			got += (size_t)n;
	}
	if (n < 0)
		return -errno;
	content->text[got] = '\0';
	content->len = got;
	return 0;
}

int files_read(const char *path, struct files_content *ret_content)
{
	struct files_content content = { .text = NULL };
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), r;

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return -errno;
	if (fd >= 0) {
		r = read_open(fd, &content);
		close(fd);
		if (r < 0) {
			free(content.text);
			return r;
		}
	}
	*ret_content = content;
	return 0;
}

void files_content_done(struct files_content *content)
{
	free(content->text);
	content->text = NULL;
}

bool files_is_same(const struct files_content *a, const struct files_content *b)
{
	if (!a->text || !b->text)
		return !a->text && !b->text;
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

bool files_is_directory(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* --- writing --------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int dress(int fd, const struct stat *like, bool keep_time)
{
	struct timespec times[2];

	if (!like)
		return fchmod(fd, 0644) < 0 ? -errno : 0;
	times[0] = like->st_atim;
	times[1] = like->st_mtim;
	if (fchown(fd, like->st_uid, like->st_gid) < 0 ||
	    fchmod(fd, like->st_mode & 07777) < 0 || (keep_time && futimens(fd, times) < 0))
		return -errno;
	return 0;
}

/* What the file is to be. */
struct wanted {
	const char *text;
	size_t len;
	const struct stat *like;
	bool keep_time;
};

static int fill(int fd, const struct wanted *wanted)
{
	int r = write_all(fd, wanted->text, wanted->len);

	if (r == 0)
		r = dress(fd, wanted->like, wanted->keep_time);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return close(fd) < 0 && r == 0 ? -errno : r;
}

/* An interrupted run may have left one. */
static int create(const struct place *place)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(place->dir, place->temporary, flags, 0600);

	if (fd < 0 && errno == EEXIST && unlinkat(place->dir, place->temporary, 0) == 0)
		fd = openat(place->dir, place->temporary, flags, 0600);
	return fd < 0 ? -errno : fd;
}

static int write_at(const struct place *place, const struct wanted *wanted)
{
	int fd = create(place), r;

	if (fd < 0)
		return fd;
	r = fill(fd, wanted);
	if (r == 0 && renameat(place->dir, place->temporary, place->dir, place->name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(place->dir, place->temporary, 0);
	return r;
}

int files_write(const char *path, const char *text, size_t len, const struct stat *like,
		bool keep_time)
{
	const struct wanted wanted = { text, len, like, keep_time };
	struct place place;
	int r = open_place(path, &place);

	return r < 0 ? r : sync_place(&place, write_at(&place, &wanted));
}

int files_remove(const char *path)
{
	struct place place;
	int r = open_place(path, &place);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (unlinkat(place.dir, place.name, 0) < 0 && errno != ENOENT)
		r = -errno;
	return sync_place(&place, r);
}

void files_clean(const char *path)
{
	struct place place;

	if (open_place(path, &place) < 0)
		return;
	unlinkat(place.dir, place.temporary, 0);
	close(place.dir);
}
