/* The environment of a process, part of which clients and DNSBLs write: any entries.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "lib/procfs.h"

static const char *const names[] = { "BLOCK", "BLOCK_IP", "BLOCK_ZONE", "TCPREMOTEIP",
				     "TCPREMOTEPORT", "BL" };

/* A second parser. The environment ends with a NUL. */
static const char *look_up(const char *env, size_t len, const char *name)
{
	const char *entry, *equals;

	for (entry = env; entry < env + len; entry += strlen(entry) + 1) {
		equals = strchr(entry, '=');
		if (equals && (size_t)(equals - entry) == strlen(name) &&
		    memcmp(entry, name, strlen(name)) == 0)
			return equals + 1;
	}
	return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *values[COUNT_OF(names)];
	char *env = malloc(size + 1);
	size_t i;

	FUZZ_CHECK(env);
	if (size > 0)
		memcpy(env, data, size);
	env[size] = '\0';
	procfs_getenv_all(env, size, names, COUNT_OF(names), values);
	for (i = 0; i < COUNT_OF(names); i++) {
		FUZZ_CHECK(values[i] == look_up(env, size, names[i]));
		FUZZ_CHECK(procfs_getenv(env, size, names[i]) == values[i]);
	}
	free(env);
	return 0;
}
