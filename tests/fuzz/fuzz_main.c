/* Runs a fuzz target on files: those in its corpus directory, or those named as arguments. One TAP
 * point per file.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int points;

/* For targets that prepare nothing. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

_Noreturn static void bail_out(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(99);
}

/* The whole file, which the caller frees. */
static uint8_t *read_file(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	uint8_t *bytes;
	long size;

	if (!file || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0)
		bail_out(path);
	rewind(file);
	bytes = malloc((size_t)size + 1);
	if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size)
		bail_out(path);
	fclose(file);
	*ret_size = (size_t)size;
	return bytes;
}

/* Print the name first: if the target aborts, it is the last output. */
static void run_file(const char *path)
{
	size_t size;
	uint8_t *bytes = read_file(path, &size);

	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	printf("ok %u - %s\n", ++points, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
}

static int is_plain(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run_directory(const char *dir)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_plain, alphasort), i;
	char path[8192];

	if (n < 0)
		bail_out(dir);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		run_file(path);
		free(entries[i]);
	}
	free(entries);
}

/* TEST_DATA/fuzz-corpus/NAME, by the program's own name. */
static void run_corpus(const char *program)
{
	const char *data = getenv("TEST_DATA"), *name = strrchr(program, '/');
	char dir[4096];

	name = name ? name + 1 : program;
	/* libtool's wrapper runs the real program under this name. */
	if (strncmp(name, "lt-", 3) == 0)
		name += 3;
	snprintf(dir, sizeof(dir), "%s/fuzz-corpus/%s",
		 data ? data : "tests/data", name);
	run_directory(dir);
}

int main(int argc, char **argv)
{
	int i;

	LLVMFuzzerInitialize(&argc, &argv);
	/* Empty input and a single byte are always run. */
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	LLVMFuzzerTestOneInput((const uint8_t *)"\n", 1);
	printf("ok %u - the shortest inputs\n", ++points);
	for (i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc == 1)
		run_corpus(argv[0]);
	printf("1..%u\n", points);
	return 0;
}
