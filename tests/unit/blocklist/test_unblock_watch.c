/* Watching for unblocks, by a script of what happens to the directory.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/unblock_watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "tests/unit/support.h"

static char *root;
static struct unblock_watch *watch;
static unsigned int passed;
static char last[SETTINGS_LIST_SIZE];

static void take(void *ctx, const struct unblock *unblock)
{
	(void)ctx;
	passed++;
	strcpy(last, unblock->list);
}

static char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/run%s", root, name);
	return path;
}

static void rename_to(const char *from, const char *to)
{
	char old[256];

	strcpy(old, path_of(from));
	want_int(rename(old, path_of(to)), 0);
}

static void before(void)
{
	root = temp_dir_new();
	want_int(mkdir(path_of(""), 0755), 0);
	watch = NULL;
	passed = 0;
	want_int(unblock_watch_new(root, take, NULL, &watch), 0);
}

static void after(void)
{
	unblock_watch_free(watch);
	temp_dir_remove(root);
}

TEST_EACH(before, after)

static void unblock(const char *list)
{
	struct unblock one = { .backend = "recent", .net = { { .family = ADDR_IPV4 }, 0 } };

	strcpy(one.list, list);
	want_int(unblock_write(root, &one, 1), 0);
}

static bool is_readable(void)
{
	struct pollfd fd = { .fd = unblock_watch_fd(watch), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static void wait_for_next_ms(void)
{
	const int64_t now = clock_ms();

	while (clock_ms() == now)
		;
}

/* What came before the last one is not passed on again. */
TEST(passes_on_the_last_ones)
{
	static const char *const lists[] = { "a", "b", "c", "d" };
	size_t i;

	want_int(unblock_prepare(root), 0);
	want_int(unblock_watch_run(watch, 0), INT64_MAX);
	for (i = 0; i < COUNT_OF(lists); i++) {
		wait_for_next_ms();
		passed = 0;
		unblock(lists[i]);
		unblock_watch_read(watch);
		want_int(passed, i == 0 ? 1 : 2);
		want_str(last, lists[i]);
	}
}

/* Nothing else makes the descriptor readable. */
TEST(passes_on_what_is_new)
{
	want_int(unblock_prepare(root), 0);
	want_int(unblock_is_watched(root), false);
	want_int(unblock_watch_run(watch, 0), INT64_MAX);
	want_int(unblock_is_watched(root), true);
	want_int(unblock_watch_error(watch), 0);
	want_int(is_readable(), false);
	unblock("a");
	want_int(is_readable(), true);
	unblock_watch_read(watch);
	want_int(passed >= 1, true);
	want_str(last, "a");
	want_int(is_readable(), false);
	unblock("b");
	unblock("c");
	unblock_watch_read(watch);
	want_str(last, "c");
	want_int(is_readable(), false);
	want_int(unblock_watch_run(watch, 1), INT64_MAX);
}

/* For example because rsyslogd may not create it. Nothing that happened meanwhile is lost. */
TEST(directory_that_comes_later)
{
	rename_to("", "2");
	want_int(unblock_watch_run(watch, 1000), 11000);
	want_int(unblock_watch_error(watch), -ENOENT);
	want_int(unblock_watch_fd(watch), -1);
	rename_to("2", "");
	unblock("a");
	want_int(unblock_watch_run(watch, 1999), 11000);
	want_int(passed, 0);
	want_int(unblock_watch_run(watch, 2000), INT64_MAX);
	want_int(unblock_watch_error(watch), 0);
	want_str(last, "a");
}

/* It is watched again as soon as it is back. */
TEST(directory_that_is_removed)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		want_int(unblock_prepare(root), 0);
		want_int(unblock_watch_run(watch, 0), INT64_MAX);
		if (i == 0)
			want_int(rmdir(path_of("/omsmtpblock/unblock")), 0);
		else
			rename_to("/omsmtpblock/unblock", "/x");
		want_int(is_readable(), true);
		unblock_watch_read(watch);
		want_int(unblock_watch_fd(watch), -1);
		want_int(unblock_is_watched(root), false);
	}
	unblock("a");
	want_int(unblock_watch_run(watch, 1), INT64_MAX);
	want_str(last, "a");
}

TEST(directory_that_others_may_write)
{
	want_int(unblock_prepare(root), 0);
	want_int(unblock_watch_run(watch, 0), INT64_MAX);
	unblock("a");
	want_int(chmod(path_of("/omsmtpblock/unblock"), 0777), 0);
	unblock_watch_read(watch);
	want_int(passed, 0);
	want_int(unblock_watch_error(watch), -EPERM);
	want_int(unblock_watch_run(watch, 999), 10000);
	want_int(chmod(path_of("/omsmtpblock/unblock"), 0755), 0);
	want_int(unblock_watch_run(watch, 1000), INT64_MAX);
	want_str(last, "a");
}

TEST(overlong_root_is_refused)
{
	struct unblock_watch *other = NULL;
	char long_root[5000];

	memset(long_root, 'x', sizeof(long_root) - 1);
	long_root[sizeof(long_root) - 1] = '\0';
	want_int(unblock_watch_new(long_root, take, NULL, &other), -ENAMETOOLONG);
	memory_fail(1);
	want_int(unblock_watch_new(root, take, NULL, &other), -ENOMEM);
	want_int(memory_failed(), true);
	want_int(other == NULL, true);
}
