/* smtpblockctl inside a test: on lists, processes and files of the test's invention,
 * at a time that stands still.
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
	char proc_root[128];
	char courier_etc[128];
	char programs[128];	/* where programs are: nowhere at first */
	bool terminal;		/* output goes to one */
	char *out, *err;	/* of the last run; the directory's name is DIR there */
	int status;
} ctl;

/* Of each point: TEST_EACH(ctl_open, ctl_close). */
void ctl_open(void);
void ctl_close(void);

/* Write rsyslog's configuration. */
void ctl_configure(const char *text);

/* Write any file below the directory. */
void ctl_write(const char *path, const char *text);

/* What the kernel shows of a list: addresses, and how many s ago each was seen. Puts
 * them behind those there are. path is "xt_recent/NAME". */
void ctl_show(const char *path, const char *addr, unsigned int age);

/* Run it with these words, split at blanks. */
void ctl_run(const char *words);

/* The same: it ends so, and prints that. */
void support_want_run(const char *words, int status, const char *out, const char *err,
		      const char *file, int line);
#define want_run(words, status, out, err) \
	support_want_run(words, status, out, err, __FILE__, __LINE__)

/* It ends well, and prints what stands in tests/tool/golden/NAME. With GOLDEN_UPDATE=yes in the
 * environment that becomes the file, to be looked at before it is committed. */
void support_want_golden(const char *words, const char *name, const char *file, int line);
#define want_golden(words, name) support_want_golden(words, name, __FILE__, __LINE__)

#endif
