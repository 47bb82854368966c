/* Unblocks by hand: the file between smtpblockctl and the module.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/unblock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/cursor.h"
#include "lib/text.h"

/* Each line is "AT NAMESPACE BACKEND LIST NET", the oldest first. */
#define FILE_NAME "requests"
#define NEW_NAME "requests.new"
/* Held by a writer. Nobody else may open it, and so delay the writer. */
#define LOCK_NAME "lock"
#define LINE_ROOM (SETTINGS_LIST_SIZE + UNBLOCK_BACKEND_SIZE + CIDR_TEXT_SIZE + 48)
#define FILE_MAX (1024 * 1024)
/* Readers are quicker. */
#define KEEP_MS (10 * 60 * 1000)

/* Lists of other namespaces have the same names. 0: unknown, which matches any. */
static int64_t own_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 ? (int64_t)st.st_ino : 0;
}

/* May nobody else have written it? */
static bool is_safe(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) &&
	       (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Open a directory that must be safe. Returns a descriptor or -errno. */
static int open_step(int parent, const char *name, bool create)
{
	struct stat st;
	bool made;
	int fd;

	made = create && mkdirat(parent, name, 0755) == 0;
	if (create && !made && errno != EEXIST)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* The umask may have taken rights from it. */
	if ((made && fchmod(fd, 0755) < 0) || fstat(fd, &st) < 0 || !is_safe(&st)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

/* Open /run/omsmtpblock, for 2 steps the directory below it. Returns a descriptor or -errno. */
static int open_steps(const char *root, bool create, unsigned int count)
{
	static const char *const steps[] = { "omsmtpblock", "unblock" };
	char path[PATH_MAX];
	unsigned int i;
	int fd, next;

	snprintf(path, sizeof(path), "%s/run", root);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (i = 0; i < count && fd >= 0; i++) {
		next = open_step(fd, steps[i], create);
		close(fd);
		fd = next;
	}
	return fd;
}

static int open_dir(const char *root, bool create)
{
	return open_steps(root, create, 2);
}

int unblock_prepare(const char *root)
{
	int fd = open_dir(root, true);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* A directory that is open does not report its own removal to inotify, so this is the one above.
 * Another user's lock on it must not keep the module from watching. */
int unblock_show_watched(const char *root)
{
	int fd = open_steps(root, false, 1);

	if (fd >= 0)
		(void)flock(fd, LOCK_SH | LOCK_NB);
	return fd;
}

bool unblock_is_watched(const char *root)
{
	int fd = open_steps(root, false, 1);
	bool watched;

	if (fd < 0)
		return false;
	watched = flock(fd, LOCK_EX | LOCK_NB) < 0;
	close(fd);
	return watched;
}

/* --- reading --------------------------------------------------------------- */

/* The file is never changed in place, so it has this size. */
static int read_all(int fd, size_t size, char **ret_text)
{
	char *text = calloc(1, size + 1);
	ssize_t n;

	if (!text)
		return -ENOMEM;
	do
		n = read(fd, text, size);
	while (n < 0 && errno == EINTR);
	if (n < 0 || (size_t)n != size) {
		free(text);
		return n < 0 ? -errno : -EIO;
	}
	*ret_text = text;
	return 0;
}

/* The file's text, which the caller frees. A missing file is an empty one. */
static int read_file(int dir, char **ret_text, size_t *ret_len)
{
	struct stat st;
	int fd, r;

	*ret_text = NULL;
	*ret_len = 0;
	fd = openat(dir, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = -EPERM;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_safe(&st))
		r = st.st_size > FILE_MAX ? -EFBIG : read_all(fd, (size_t)st.st_size, ret_text);
	if (r == 0)
		*ret_len = (size_t)st.st_size;
	close(fd);
	return r;
}

static bool take_word(struct cursor *c, char *buf, size_t size)
{
	const char *blank = memchr(c->at, ' ', cursor_left(c));
	size_t len = blank ? (size_t)(blank - c->at) : 0;

	if (len == 0 || len >= size || memchr(c->at, '\0', len))
		return false;
	text_copy(c->at, len, buf, size);
	c->at = blank + 1;
	return true;
}

/* Returns false if the line has another form. */
static bool parse(struct cursor line, struct unblock *ret_unblock, int64_t *ret_namespace)
{
	return cursor_take_number(&line, 18, &ret_unblock->at) &&
	       cursor_take_char(&line, ' ') &&
	       cursor_take_number(&line, 18, ret_namespace) && cursor_take_char(&line, ' ') &&
	       take_word(&line, ret_unblock->backend, sizeof(ret_unblock->backend)) &&
	       take_word(&line, ret_unblock->list, sizeof(ret_unblock->list)) &&
	       cidr_parse(line.at, cursor_left(&line), &ret_unblock->net) == 0;
}

/* Move text behind its first line, which is the result. The file's last line has an end, too. */
static struct cursor next_line(struct cursor *text)
{
	const char *end = memchr(text->at, '\n', cursor_left(text));
	struct cursor line = { text->at, end ? end : text->end };

	text->at = end ? end + 1 : text->end;
	return line;
}

static void pass_all(struct cursor text, int64_t since, unblock_fn *fn, void *ctx)
{
	int64_t now = clock_ms(), own = own_namespace(), namespace;
	struct unblock unblock;

	while (!cursor_at_end(&text))
		if (parse(next_line(&text), &unblock, &namespace) && unblock.at >= since &&
		    unblock.at <= now && (namespace == own || namespace == 0 || own == 0))
			fn(ctx, &unblock);
}

int unblock_read(const char *root, int64_t since, unblock_fn *fn, void *ctx)
{
	int dir = open_dir(root, false), r;
	char *text;
	size_t len;

	if (dir < 0)
		return dir;
	r = read_file(dir, &text, &len);
	close(dir);
	if (r == 0)
		pass_all(cursor_of(text, len), since, fn, ctx);
	free(text);
	return r;
}

/* --- writing --------------------------------------------------------------- */

/* Lines that have become too old, or are too many. */
static struct cursor without_old(struct cursor text, int64_t now, size_t room)
{
	struct cursor rest = text, line;
	int64_t at;

	while (!cursor_at_end(&rest)) {
		text = rest;
		line = next_line(&rest);
		if (cursor_left(&text) <= room && cursor_take_number(&line, 18, &at) &&
		    at <= now && now - at < KEEP_MS)
			return text;
	}
	return rest;
}

static int write_all(int fd, struct cursor text)
{
	ssize_t n;

	while (!cursor_at_end(&text)) {
		n = write(fd, text.at, cursor_left(&text));
		if (n < 0 && errno != EINTR)
			return -errno;
		text.at += n > 0 ? n : 0;
	}
	return 0;
}

/* What an interrupted writer has left is removed. */
static int replace_file(int dir, struct cursor old, struct cursor added)
{
	int fd, r;

	(void)unlinkat(dir, NEW_NAME, 0);
	fd = openat(dir, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_all(fd, old);
	if (r == 0)
		r = write_all(fd, added);
	if (r == 0 && fchmod(fd, 0644) < 0)
		r = -errno;
	close(fd);
	if (r == 0 && renameat(dir, NEW_NAME, dir, FILE_NAME) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, NEW_NAME, 0);
	return r;
}

/* All unblocks as lines. */
static struct text_buf lines_of(const struct unblock *unblocks, size_t count, int64_t now,
				char *buf, size_t size)
{
	const long long own = own_namespace();
	struct text_buf text = text_buf_of(buf, size);
	char net[CIDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < count; i++)
		text_append(&text, "%lld %lld %s %s %s\n", (long long)now, own,
			    unblocks[i].backend, unblocks[i].list,
			    cidr_format(&unblocks[i].net, net));
	return text;
}

/* The caller holds the lock: times in the file do not decrease. */
static int add_lines(int dir, const struct unblock *unblocks, size_t count)
{
	const int64_t now = clock_ms();
	char *lines = calloc(count + 1, LINE_ROOM), *old = NULL;
	struct text_buf added;
	size_t old_len;
	int r = -ENOMEM;

	if (lines) {
		added = lines_of(unblocks, count, now, lines, (count + 1) * LINE_ROOM);
		r = added.used > FILE_MAX ? -EFBIG : read_file(dir, &old, &old_len);
	}
	if (r == 0)
		r = replace_file(dir,
				 without_old(cursor_of(old, old_len), now, FILE_MAX - added.used),
				 cursor_of(lines, added.used));
	free(lines);
	free(old);
	return r;
}

static int lock(int dir)
{
	int fd = openat(dir, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), r;

	if (fd < 0)
		return -errno;
	while ((r = flock(fd, LOCK_EX)) < 0 && errno == EINTR)
		;
	if (r == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

int unblock_write(const char *root, const struct unblock *unblocks, size_t count)
{
	int dir = open_dir(root, true), held, r;

	if (dir < 0)
		return dir;
	held = lock(dir);
	r = held < 0 ? held : add_lines(dir, unblocks, count);
	if (held >= 0)
		close(held);
	close(dir);
	return r;
}
