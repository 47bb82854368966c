/* The file with which smtpblockctl tells the module what was unblocked: any content.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blocklist/unblock.h"
#include "tests/unit/fixture.h"

static char *root, path[128];

static void make_directory(const char *name)
{
	char directory[128];

	snprintf(directory, sizeof(directory), "%s%s", root, name);
	FUZZ_CHECK(mkdir(directory, 0755) == 0);
}

static void clean_up(void)
{
	temp_dir_remove(root);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	umask(022);
	root = temp_dir_new();
	FUZZ_CHECK(atexit(clean_up) == 0);
	make_directory("/run");
	FUZZ_CHECK(unblock_prepare(root) == 0);
	snprintf(path, sizeof(path), "%s" UNBLOCK_DIR "/requests", root);
	return 0;
}

static void write_file(const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

struct seen {
	size_t count;
	struct unblock last;
};

static void check_unblock(void *ctx, const struct unblock *unblock)
{
	struct seen *seen = ctx;

	FUZZ_CHECK(unblock->at >= 0);
	FUZZ_CHECK(unblock->backend[0] && !strpbrk(unblock->backend, " \n"));
	FUZZ_CHECK(unblock->list[0] && !strpbrk(unblock->list, " \n"));
	FUZZ_CHECK(unblock->net.prefix <= addr_bits(&unblock->net.net));
	seen->count++;
	seen->last = *unblock;
}

static size_t count_lines(const uint8_t *data, size_t size)
{
	size_t count = 1, i;

	for (i = 0; i < size; i++)
		count += data[i] == '\n';
	return count;
}

/* Whatever the file has, one more unblock is read back behind what is left of it. */
static void check_written(void)
{
	static const struct unblock added = {
		.backend = "recent",
		.list = "spammer",
		.net = { .net = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } }, .prefix = 32 },
	};
	struct seen seen = { .count = 0 };
	int r = unblock_write(root, &added, 1);

	FUZZ_CHECK(r == 0);
	FUZZ_CHECK(unblock_read(root, 0, check_unblock, &seen) == 0);
	FUZZ_CHECK(seen.count > 0 && strcmp(seen.last.list, "spammer") == 0);
	FUZZ_CHECK(seen.last.net.prefix == 32 && seen.last.net.net.bytes[3] == 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = { .count = 0 };

	write_file(data, size);
	FUZZ_CHECK(unblock_read(root, 0, check_unblock, &seen) == 0);
	FUZZ_CHECK(seen.count <= count_lines(data, size));
	check_written();
	return 0;
}
