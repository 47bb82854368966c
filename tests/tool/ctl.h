/* smtpblockctl inside a test: on the test's own lists, processes and files, with clocks that stand
 * still.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CTL_H
#define TESTS_CTL_H

#include "tests/tool/clock_stub.h"
#include "tests/unit/support.h"

/* The host's only address. Needs --wrap for getifaddrs and freeifaddrs. */
#define CTL_HOST "203.0.113.25"

extern struct ctl {
	struct fakelists lists;
	char *dir;
	char config[128];	/* may be missing */
	char run[128];		/* /run */
	char proc_root[128];
	char courier_etc[128];
	char programs[128];	/* directories of programs; none at first */
	bool terminal;		/* output is a terminal */
	char *out, *err;	/* of the last run, with DIR for the directory's name */
	int status;
} ctl;

/* For each test point: TEST_EACH(ctl_open, ctl_close). */
void ctl_open(void);
void ctl_close(void);

/* Write rsyslog's configuration. */
void ctl_configure(const char *text);

/* Write any file below the directory. */
void ctl_write(const char *path, const char *text);

/* Append an address, seen age s ago, to the list as the kernel shows it. path is
 * "xt_recent/NAME". */
void ctl_show(const char *path, const char *addr, unsigned int age);

/* Run it with these words, split at blanks. */
void ctl_run(const char *words);

/* Run it, and compare its status and output. */
void support_want_run(const char *words, int status, const char *out, const char *err,
		      const char *file, int line);
#define want_run(words, status, out, err) \
	support_want_run(words, status, out, err, __FILE__, __LINE__)

/* It succeeds and prints the content of tests/tool/golden/NAME. GOLDEN_UPDATE=yes in the
 * environment rewrites the file; review it before you commit it. */
void support_want_golden(const char *words, const char *name, const char *file, int line);
#define want_golden(words, name) support_want_golden(words, name, __FILE__, __LINE__)

#endif
