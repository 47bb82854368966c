/* The file with which smtpblockctl tells the module what was unblocked.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/unblock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "tests/unit/support.h"

/* Of each point: what stands in front of all paths. */
static char *root;

/* What unblock_read() passed on: "LIST NET" each. */
static char got[1 << 16];

static char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s" UNBLOCK_DIR "%s", root, name);
	return path;
}

static void before(void)
{
	char run[256];

	umask(077);
	root = temp_dir_new();
	snprintf(run, sizeof(run), "%s/run", root);
	want_int(mkdir(run, 0755), 0);
}

static void after(void)
{
	temp_dir_remove(root);
}

TEST_EACH(before, after)

static void note(void *ctx, const struct unblock *unblock)
{
	char net[CIDR_TEXT_SIZE];

	(void)ctx;
	want_str(unblock->backend, "recent");
	snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s %s", *got ? ", " : "",
		 unblock->list, cidr_format(&unblock->net, net));
}

static int read_since(int64_t since)
{
	*got = '\0';
	return unblock_read(root, since, note, NULL);
}

/* Whatever the uptime: ten minutes ago there was a time already. */
int64_t __wrap_clock_ms(void);
int64_t __real_clock_ms(void);

int64_t __wrap_clock_ms(void)
{
	return __real_clock_ms() + 3600 * 1000;
}

static struct unblock unblock_of(const char *list, const char *net)
{
	struct unblock unblock = { .backend = "recent" };

	strcpy(unblock.list, list);
	want_int(cidr_parse(net, strlen(net), &unblock.net), 0);
	return unblock;
}

static int write_one(const char *list, const char *net)
{
	const struct unblock unblock = unblock_of(list, net);

	return unblock_write(root, &unblock, 1);
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	return stat(path_of(name), &st) == 0 ? st.st_mode & 07777 : 0;
}

TEST(written_is_read)
{
	const struct unblock both[] = { unblock_of("a", "192.0.2.7"),
					unblock_of("b", "2001:db8::/64") };
	int64_t since;

	want_int(unblock_write(root, both, 2), 0);
	want_int(read_since(0), 0);
	want_str(got, "a 192.0.2.7/32, b 2001:db8::/64");
	since = clock_ms() + 1;
	while (clock_ms() < since)
		;
	want_int(write_one("c", "0.0.0.0/0"), 0);
	want_int(read_since(0), 0);
	want_str(got, "a 192.0.2.7/32, b 2001:db8::/64, c 0.0.0.0/0");
	want_int(read_since(since), 0);
	want_str(got, "c 0.0.0.0/0");
}

/* Whatever the umask: everybody may read, only the owner write. */
TEST(modes)
{
	want_int(unblock_prepare(root), 0);
	want_int(mode_of(""), 0755);
	want_int(mode_of("/.."), 0755);
	want_int(read_since(0), 0);
	want_str(got, "");
	want_int(write_one("a", "192.0.2.7"), 0);
	want_int(mode_of("/requests"), 0644);
	want_int(mode_of("/lock"), 0600);
	want_int(access(path_of("/requests.new"), F_OK), -1);
}

TEST(directory_that_is_missing)
{
	char run[256];

	want_int(read_since(0), -ENOENT);
	snprintf(run, sizeof(run), "%s/run", root);
	want_int(rmdir(run), 0);
	want_int(write_one("a", "192.0.2.7"), -ENOENT);
}

/* Lines of a file; "AT" is replaced by the present time. */
static const struct line_row {
	const char *label, *lines, *want;
} line_rows[] = {
	{ "as written", "AT 0 recent a 192.0.2.7\n", "a 192.0.2.7/32" },
	{ "another namespace", "AT 1 recent a 192.0.2.7\n", "" },
	{ "later than now", "999999999999999 0 recent a 192.0.2.7\n", "" },
	{ "no time", "x 0 recent a 192.0.2.7\n", "" },
	{ "no namespace", "AT recent a 192.0.2.7\n", "" },
	{ "no list", "AT 0 recent 192.0.2.7\n", "" },
	{ "empty word", "AT 0 recent  192.0.2.7\n", "" },
	{ "no address", "AT 0 recent a 192.0.2\n", "" },
	{ "host bits", "AT 0 recent a 192.0.2.7/24\n", "" },
	{ "something behind it", "AT 0 recent a 192.0.2.7 b\n", "" },
	{ "long backend", "AT 0 recentrecentrecent a 192.0.2.7\n", "" },
	{ "others are read", "\nnonsense\nAT 0 recent a 192.0.2.7\nAT\n\n", "a 192.0.2.7/32" },
	{ "unfinished", "AT 0 recent a 192.0.2.7", "a 192.0.2.7/32" },
};

static void write_lines(const char *lines)
{
	char text[1024] = "";
	const char *at;

	for (; (at = strstr(lines, "AT")); lines = at + 2)
		sprintf(text + strlen(text), "%.*s%lld", (int)(at - lines), lines,
			(long long)clock_ms());
	strcat(text, lines);
	temp_file_write(path_of("/requests"), text);
	want_int(chmod(path_of("/requests"), 0644), 0);
}

TEST_ROWS(lines, line_rows)
{
	want_int(unblock_prepare(root), 0);
	write_lines(row->lines);
	want_int(read_since(0), 0);
	want_str(got, row->want);
}

/* A list may have a name of any length that is allowed, not a longer one. */
TEST(long_list)
{
	char line[512];
	int n;

	want_int(unblock_prepare(root), 0);
	for (n = SETTINGS_LIST_SIZE - 1; n <= SETTINGS_LIST_SIZE; n++) {
		snprintf(line, sizeof(line), "AT 0 recent %0*d 192.0.2.7\n", n, 0);
		write_lines(line);
		want_int(read_since(0), 0);
		want_int(strlen(got), n < SETTINGS_LIST_SIZE ? n + 13 : 0);
	}
}

/* Neither reads nor writes what another user may have put there. */
static const struct unsafe_row {
	const char *label, *name;
	int want_read, want_write;
} unsafe_rows[] = {
	{ "directory for a group", "", -EPERM, -EPERM },
	{ "directory above", "/..", -EPERM, -EPERM },
	{ "file", "/requests", -EPERM, -EPERM },
};

TEST_ROWS(writable_for_others, unsafe_rows)
{
	want_int(write_one("a", "192.0.2.7"), 0);
	want_int(chmod(path_of(row->name), 0775), 0);
	want_int(read_since(0), row->want_read);
	want_int(write_one("b", "192.0.2.7"), row->want_write);
	want_int(chmod(path_of(row->name), 0757), 0);
	want_int(read_since(0), row->want_read);
	want_int(chmod(path_of(row->name), 0755), 0);
	want_int(read_since(0), 0);
	want_str(got, "a 192.0.2.7/32");
}

TEST(links_are_not_followed)
{
	char real[256], outside[256];

	snprintf(outside, sizeof(outside), "%s/outside", root);
	temp_file_write(outside, "1 0 recent a 192.0.2.7\n");
	want_int(write_one("a", "192.0.2.7"), 0);
	want_int(unlink(path_of("/requests")), 0);
	want_int(symlink(outside, path_of("/requests")), 0);
	want_int(read_since(0), -ELOOP);
	want_int(write_one("b", "192.0.2.7"), -ELOOP);
	snprintf(real, sizeof(real), "%s/real", root);
	want_int(rename(path_of(""), real), 0);
	want_int(symlink(real, path_of("")), 0);
	want_int(read_since(0), -ENOTDIR);
	want_int(write_one("b", "192.0.2.7"), -ENOTDIR);
}

TEST(pipe_is_not_waited_for)
{
	want_int(unblock_prepare(root), 0);
	want_int(mkfifo(path_of("/requests"), 0644), 0);
	want_int(read_since(0), -EPERM);
}

/* What a writer left that was terminated is in nobody's way. */
TEST(remains_are_replaced)
{
	want_int(unblock_prepare(root), 0);
	temp_file_write(path_of("/requests.new"), "AT 0 rec");
	want_int(write_one("a", "192.0.2.7"), 0);
	want_int(read_since(0), 0);
	want_str(got, "a 192.0.2.7/32");
}

/* Old lines, and those of another boot, are dropped. */
TEST(old_ones_are_dropped)
{
	char lines[256], *text;

	want_int(unblock_prepare(root), 0);
	snprintf(lines, sizeof(lines), "1 0 recent old 192.0.2.1\n"
		 "999999999999999 0 recent later 192.0.2.1\nAT 0 recent a 192.0.2.1\n");
	write_lines(lines);
	want_int(write_one("b", "192.0.2.2"), 0);
	text = temp_file_read(path_of("/requests"));
	want_int(strstr(text, " old ") || strstr(text, " later "), false);
	want_int(strstr(text, " a ") && strstr(text, " b "), true);
	free(text);
}

/* The newest ones fit. More than the file may have are refused. */
TEST(size_is_limited)
{
	const size_t too_many = 40000, count = 20000;
	struct unblock *many = calloc(too_many, sizeof(*many));
	struct stat st;
	size_t i;

	for (i = 0; i < too_many; i++)
		many[i] = unblock_of("a", "192.0.2.7");
	want_int(unblock_write(root, many, too_many), -EFBIG);
	want_int(unblock_write(root, many, count), 0);
	want_int(unblock_write(root, many, count), 0);
	want_int(write_one("last", "192.0.2.9"), 0);
	want_int(stat(path_of("/requests"), &st), 0);
	want_int(st.st_size > 900000 && st.st_size <= 1 << 20, true);
	want_int(read_since(0), 0);
	free(many);
}

TEST(survives_lack_of_memory)
{
	want_int(unblock_prepare(root), 0);
	memory_fail(1);
	want_int(write_one("a", "192.0.2.7"), -ENOMEM);
	want_int(memory_failed(), true);
	want_int(write_one("a", "192.0.2.7"), 0);
	memory_fail(1);
	want_int(read_since(0), -ENOMEM);
	want_int(memory_failed(), true);
	want_int(read_since(0), 0);
	want_str(got, "a 192.0.2.7/32");
}
