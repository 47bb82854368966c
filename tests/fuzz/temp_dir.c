/* The temporary directories of fuzz targets; in the unit tests support.c has these functions.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/fixture.h"

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

char *temp_dir_new(void)
{
	const char *top = getenv("TMPDIR");
	char *dir;

	FUZZ_CHECK(asprintf(&dir, "%.40s/fuzz.XXXXXX", top && *top ? top : "/tmp") > 0);
	FUZZ_CHECK(mkdtemp(dir));
	return dir;
}

void temp_dir_remove(char *dir)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(dir);
}
