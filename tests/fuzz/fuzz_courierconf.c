/* courier's esmtpd files: any text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tool/read/courierconf.h"

static int file = -1;
static char path[64];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	file = memfd_create("esmtpd", MFD_CLOEXEC);
	FUZZ_CHECK(file >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return 0;
}

/* Words end, are not empty, and come from the value. */
static void check_words(const char *value)
{
	size_t left = strlen(value), len;
	const char *at = value;
	char word[32];

	while ((len = courierconf_word(&at, word, sizeof(word))) > 0) {
		FUZZ_CHECK(memchr(word, '\0', sizeof(word)));
		FUZZ_CHECK(at > value && at <= value + left && len <= left);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "BLACKLISTS", "MAXDAEMONS", "PORT", "A" };
	struct courierconf *conf;
	const char *value;
	size_t i;

	FUZZ_CHECK(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
	FUZZ_CHECK(courierconf_new(&conf) == 0);
	FUZZ_CHECK(courierconf_read(conf, path) == 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = courierconf_get(conf, names[i]);
		if (value)
			check_words(value);
		FUZZ_CHECK(courierconf_number(conf, names[i], -7) >= -7);
	}
	(void)courierconf_unsure(conf);
	courierconf_free(conf);
	return 0;
}
