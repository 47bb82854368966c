/* Watches for unblocks by hand.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/unblock_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/clock.h"

/* While the directory cannot be watched, try again this often when the thread is awake anyway, and
 * otherwise. The file keeps unblocks longer. */
#define RETRY_MS 1000
#define WAKE_MS 10000

struct unblock_watch {
	char root[PATH_MAX - sizeof(UNBLOCK_DIR)];
	unblock_fn *fn;
	void *ctx;
	int fd;			/* inotify, or -1 */
	int shown;		/* see unblock_show_watched(), or -1 */
	int err;
	int64_t seen;		/* earlier unblocks were passed on */
	int64_t retry_at, wake_at;
};

int unblock_watch_new(const char *root, unblock_fn *fn, void *ctx,
		      struct unblock_watch **ret_watch)
{
	struct unblock_watch *w = calloc(1, sizeof(*w));
	int n;

	if (!w)
		return -ENOMEM;
	n = snprintf(w->root, sizeof(w->root), "%s", root);
	if (n < 0 || (size_t)n >= sizeof(w->root)) {
		free(w);
		return -ENAMETOOLONG;
	}
	w->fn = fn;
	w->ctx = ctx;
	w->fd = w->shown = -1;
	w->seen = clock_ms();
	*ret_watch = w;
	return 0;
}

static void close_watch(struct unblock_watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->shown >= 0)
		close(w->shown);
	w->fd = w->shown = -1;
}

void unblock_watch_free(struct unblock_watch *watch)
{
	if (!watch)
		return;
	close_watch(watch);
	free(watch);
}

int unblock_watch_fd(const struct unblock_watch *watch)
{
	return watch->fd;
}

int unblock_watch_error(const struct unblock_watch *watch)
{
	return watch->err;
}

static int open_watch(struct unblock_watch *w)
{
	const uint32_t events = IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;
	char path[PATH_MAX];

	/* A directory of another user's would not be accepted. */
	if (geteuid() == 0)
		(void)unblock_prepare(w->root);
	w->shown = unblock_show_watched(w->root);
	if (w->shown < 0)
		return w->shown;
	snprintf(path, sizeof(path), "%s" UNBLOCK_DIR, w->root);
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0 ||
	    inotify_add_watch(w->fd, path, events | IN_ONLYDIR | IN_DONT_FOLLOW) < 0)
		return -errno;
	return 0;
}

static void pass_on(void *ctx, const struct unblock *unblock)
{
	struct unblock_watch *w = ctx;

	w->seen = unblock->at;
	w->fn(w->ctx, unblock);
}

/* The last unblock comes again: another one may be of the same ms. That does no harm. */
static void read_new(struct unblock_watch *w)
{
	w->err = unblock_read(w->root, w->seen, pass_on, w);
}

int64_t unblock_watch_run(struct unblock_watch *watch, int64_t now)
{
	if (watch->fd >= 0)
		return INT64_MAX;
	if (now < watch->retry_at)
		return watch->wake_at;
	watch->retry_at = now + RETRY_MS;
	watch->wake_at = now + WAKE_MS;
	watch->err = open_watch(watch);
	if (watch->err == 0)
		read_new(watch);
	if (watch->err < 0)
		close_watch(watch);
	return watch->err < 0 ? watch->wake_at : INT64_MAX;
}

/* Is the directory still watched? */
static bool take_events(struct unblock_watch *w)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event;
	ssize_t n, at;

	n = read(w->fd, events, sizeof(events));
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	for (at = 0; at < n; at += (ssize_t)(sizeof(*event) + event->len)) {
		event = (const struct inotify_event *)(const void *)(events + at);
		if (event->mask & (IN_IGNORED | IN_MOVE_SELF))
			return false;
	}
	return true;
}

void unblock_watch_read(struct unblock_watch *watch)
{
	if (!take_events(watch)) {
		/* It was removed: create it again at once. */
		close_watch(watch);
		watch->retry_at = INT64_MIN;
		return;
	}
	read_new(watch);
	if (watch->err < 0)
		close_watch(watch);
}
