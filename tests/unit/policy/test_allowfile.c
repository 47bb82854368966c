/* The allow list in a file.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/allowfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/support.h"

struct fixture {
	char *dir;
	char path[160];
};

static void setup(struct fixture *f, const char *text)
{
	f->dir = temp_dir_new();
	snprintf(f->path, sizeof(f->path), "%s/allow", f->dir);
	if (text)
		temp_file_write(f->path, text);
}

static bool holds(struct allowfile *file, const char *text)
{
	struct cidr cidr;

	want_int(cidr_parse(text, strlen(text), &cidr), 0);
	/* Both questions are about the same where it is one address. */
	if (cidr.prefix == addr_bits(&cidr.net))
		want_int(allowfile_contains(file, &cidr.net),
			 allowfile_overlaps(file, &cidr));
	return allowfile_overlaps(file, &cidr);
}

TEST(takes_both_families_comments_and_blanks)
{
	char wrong[ALLOWFILE_ERROR_SIZE] = "x";
	struct allowfile *file = NULL;
	struct fixture f;

	setup(&f, "# partners\n\n192.0.2.7\n  198.51.100.0/24\t# office\r\n"
		  "2001:db8::/32#no blank\n\t\n::ffff:203.0.113.9");
	want_int(allowfile_new(f.path, &file, wrong), 0);
	want_str(wrong, "");
	want_int(holds(file, "192.0.2.7"), true);
	want_int(holds(file, "192.0.2.8"), false);
	want_int(holds(file, "198.51.100.255"), true);
	want_int(holds(file, "2001:db8:1::1"), true);
	want_int(holds(file, "2001:db9::1"), false);
	want_int(holds(file, "203.0.113.9"), true);
	want_int(holds(file, "192.0.2.0/24"), true);
	want_int(holds(file, "192.0.3.0/24"), false);
	allowfile_free(file);
	temp_dir_remove(f.dir);
}

TEST(no_file_is_an_empty_list)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file = NULL;

	want_int(allowfile_new("", &file, wrong), 0);
	want_int(holds(file, "0.0.0.0/0"), false);
	want_int(allowfile_reload(file, wrong), 0);
	allowfile_free(file);
}

/* The file's content, and the complaint after its path. */
static const struct bad_row {
	const char *label, *text, *want;
} bad_rows[] = {
	{ "host bits", "192.0.2.7\n10.0.0.1/8\n",
	  ", line 2: \"10.0.0.1/8\": did you mean 10.0.0.0/8?" },
	{ "host bits, IPv6", "2001:db8::1/32",
	  ", line 1: \"2001:db8::1/32\": did you mean 2001:db8::/32?" },
	{ "long prefix", "\n\n192.0.2.0/33 # x\n",
	  ", line 3: \"192.0.2.0/33\": a prefix length is at most 32 for IPv4, "
	  "128 for IPv6" },
	{ "name", "mail.example.org",
	  ", line 1: \"mail.example.org\": write one address or prefix, such as "
	  "192.0.2.0/24" },
	{ "two on a line", "192.0.2.1 192.0.2.2",
	  ", line 1: \"192.0.2.1 192.0.2.2\": write one address or prefix, such "
	  "as 192.0.2.0/24" },
	{ "range", "192.0.2.1-192.0.2.9",
	  ", line 1: \"192.0.2.1-192.0.2.9\": write one address or prefix, such "
	  "as 192.0.2.0/24" },
	{ "overlong", "1234567890123456789012345678901234567890123456789012345678"
		      "901234567890",
	  ", line 1: \"12345678901234567890123456789012345678901234567890123456"
	  "7890\": write one address or prefix, such as 192.0.2.0/24" },
};

TEST_ROWS(refused, bad_rows)
{
	char wrong[ALLOWFILE_ERROR_SIZE], want[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file = NULL;
	struct fixture f;

	setup(&f, row->text);
	snprintf(want, sizeof(want), "%s%s", f.path, row->want);
	want_int(allowfile_new(f.path, &file, wrong), -EINVAL);
	want_str(wrong, want);
	want_int(file == NULL, true);
	temp_dir_remove(f.dir);
}

TEST(missing_file_is_named)
{
	char wrong[ALLOWFILE_ERROR_SIZE], want[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file = NULL;
	struct fixture f;

	setup(&f, NULL);
	snprintf(want, sizeof(want), "%s: No such file or directory", f.path);
	want_int(allowfile_new(f.path, &file, wrong), -ENOENT);
	want_str(wrong, want);
	temp_dir_remove(f.dir);
}

TEST(directory_is_refused)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file = NULL;
	struct fixture f;

	setup(&f, NULL);
	want_int(allowfile_new(f.dir, &file, wrong), -EINVAL);
	want_int(strstr(wrong, f.dir) != NULL, true);
	temp_dir_remove(f.dir);
}

/* A pipe without a writer would block rsyslogd for ever. */
TEST(pipe_is_refused)
{
	char wrong[ALLOWFILE_ERROR_SIZE], want[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file = NULL;
	struct fixture f;

	setup(&f, NULL);
	want_int(mkfifo(f.path, 0600), 0);
	snprintf(want, sizeof(want), "%s: is not a regular file", f.path);
	want_int(allowfile_new(f.path, &file, wrong), -EINVAL);
	want_str(wrong, want);
	temp_dir_remove(f.dir);
}

TEST(too_large_is_refused)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file = NULL;
	struct fixture f;

	setup(&f, "192.0.2.7\n");
	want_int(truncate(f.path, ALLOWFILE_BYTES_MAX + 1), 0);
	want_int(allowfile_new(f.path, &file, wrong), -EFBIG);
	temp_dir_remove(f.dir);
}

/* A file as a crash may leave it is not an empty list. */
TEST(zeros_are_refused)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file = NULL;
	struct fixture f;

	setup(&f, "");
	want_int(truncate(f.path, 10), 0);
	want_int(allowfile_new(f.path, &file, wrong), -EINVAL);
	want_int(strstr(wrong, "line 1: \"??????????\"") != NULL, true);
	temp_dir_remove(f.dir);
}

TEST(reload_takes_all_or_nothing)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file = NULL;
	struct fixture f;

	setup(&f, "192.0.2.7\n");
	want_int(allowfile_new(f.path, &file, wrong), 0);
	temp_file_write(f.path, "198.51.100.1\nnonsense\n");
	want_int(allowfile_reload(file, wrong), -EINVAL);
	want_int(holds(file, "192.0.2.7"), true);
	want_int(holds(file, "198.51.100.1"), false);
	temp_file_write(f.path, "198.51.100.1\n");
	want_int(allowfile_reload(file, wrong), 0);
	want_int(holds(file, "192.0.2.7"), false);
	want_int(holds(file, "198.51.100.1"), true);
	unlink(f.path);
	want_int(allowfile_reload(file, wrong), -ENOENT);
	want_int(holds(file, "198.51.100.1"), true);
	allowfile_free(file);
	temp_dir_remove(f.dir);
}

/* That there was nothing, or is nothing now, hides nothing. */
TEST(reload_fills_and_empties)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file = NULL;
	struct fixture f;

	setup(&f, "# none yet\n");
	want_int(allowfile_new(f.path, &file, wrong), 0);
	want_int(holds(file, "192.0.2.7"), false);
	want_int(holds(file, "192.0.2.0/24"), false);
	temp_file_write(f.path, "192.0.2.7\n");
	want_int(allowfile_reload(file, wrong), 0);
	want_int(holds(file, "192.0.2.7"), true);
	want_int(holds(file, "192.0.2.0/24"), true);
	temp_file_write(f.path, "\n");
	want_int(allowfile_reload(file, wrong), 0);
	want_int(holds(file, "192.0.2.7"), false);
	allowfile_free(file);
	temp_dir_remove(f.dir);
}

static int read_one(void *data)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file = NULL;
	int r;

	r = allowfile_new(data, &file, wrong);
	if (r == 0)
		allowfile_free(file);
	return r;
}

TEST(survives_lack_of_memory)
{
	struct fixture f;

	setup(&f, "192.0.2.7\n");
	want_int(memory_fail_each(read_one, f.path) >= 3, true);
	temp_dir_remove(f.dir);
}
