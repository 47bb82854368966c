/* The allow file: its content is the input. All of it is accepted, or nothing.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/allowfile.h"

static const char before[] = "198.51.100.77\n2001:db8:77::/48\n";

static int file = -1;
static char path[64];

static void write_file(const void *bytes, size_t size)
{
	FUZZ_CHECK(ftruncate(file, 0) == 0);
	FUZZ_CHECK(pwrite(file, bytes, size, 0) == (ssize_t)size);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	file = memfd_create("allowfile", MFD_CLOEXEC);
	FUZZ_CHECK(file >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return 0;
}

/* The end of a line's text. */
static size_t trim(const char **text, size_t len)
{
	const char *hash = memchr(*text, '#', len);

	if (hash)
		len = (size_t)(hash - *text);
	while (len > 0 && strchr(" \t\r", (*text)[len - 1]))
		len--;
	while (len > 0 && strchr(" \t\r", **text)) {
		(*text)++;
		len--;
	}
	return len;
}

/* A second parser: is every line empty or a prefix? Then each prefix is on the list. */
static bool is_good(const uint8_t *data, size_t size, struct allowfile *list)
{
	struct fuzz_input in = { data, size };
	const char *text;
	struct cidr cidr;
	size_t len;

	while (fuzz_line(&in, &text, &len)) {
		len = trim(&text, len);
		if (len == 0)
			continue;
		if (cidr_parse(text, len, &cidr) != 0)
			return false;
		if (list)
			FUZZ_CHECK(allowfile_overlaps(list, &cidr));
	}
	return true;
}

static void check_message(const char *text)
{
	FUZZ_CHECK(memchr(text, '\0', ALLOWFILE_ERROR_SIZE));
	FUZZ_CHECK(strstr(text, path) == text && strstr(text, ", line "));
	FUZZ_CHECK(!strchr(text, '\n'));
}

static void check_unchanged(struct allowfile *list)
{
	static const char *const other[] = { "198.51.100.76", "2001:db8:78::1" };
	struct cidr cidr;
	size_t i;

	FUZZ_CHECK(is_good((const uint8_t *)before, strlen(before), list));
	for (i = 0; i < 2; i++) {
		FUZZ_CHECK(cidr_parse(other[i], strlen(other[i]), &cidr) == 0);
		FUZZ_CHECK(!allowfile_overlaps(list, &cidr));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	struct allowfile *list, *fresh;
	int r, again;

	write_file(before, strlen(before));
	FUZZ_CHECK(allowfile_new(path, &list, wrong) == 0);
	write_file(data, size);
	r = allowfile_reload(list, wrong);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	/* NULs are left to the unit tests. */
	if (size == 0 || !memchr(data, '\0', size))
		FUZZ_CHECK((r == 0) == is_good(data, size, r == 0 ? list : NULL));
	if (r < 0) {
		check_message(wrong);
		check_unchanged(list);
	}
	again = allowfile_new(path, &fresh, wrong);
	FUZZ_CHECK(again == r);
	if (again == 0)
		allowfile_free(fresh);
	allowfile_free(list);
	return 0;
}
