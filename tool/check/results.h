/* The results of "smtpblockctl check": each check adds lines of what it found.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RESULTS_H
#define SMTPBLOCKCTL_RESULTS_H

#include "tool/check/host.h"

enum check_status {
	CHECK_OK,
	CHECK_WARNING,		/* it works, but not as well as it could; or it cannot be
				 * told whether it does */
	CHECK_BROKEN,		/* nobody is blocked, or nobody ended, as it is */
};

struct check_result {
	enum check_status status;
	const char *id;		/* "list.ipv4": not freed */
	char *why;
	char *type;		/* what to type; "": nothing */
};

struct checks {
	const struct host *host;
	struct check_result *results;
	size_t count;
	bool out_of_memory;	/* a result is missing */
};

/* Longest text of what to type, for those who put one together. */
#define CHECK_TYPE_SIZE 1024

/* Add a line. type is copied, why is a format. A line that is there already, as
 * several actions may give the same, is not added again. */
void check_ok(struct checks *checks, const char *id, const char *why, ...)
	__attribute__((format(printf, 3, 4)));
void check_warning(struct checks *checks, const char *id, const char *type, const char *why,
		   ...) __attribute__((format(printf, 4, 5)));
void check_broken(struct checks *checks, const char *id, const char *type, const char *why,
		  ...) __attribute__((format(printf, 4, 5)));

/* For checks that find out in more than one place. */
void check_add(struct checks *checks, enum check_status status, const char *id,
	       const char *type, const char *why, ...) __attribute__((format(printf, 5, 6)));

/* "FILE line N" of where an item stands. Returns buf. */
char *check_place(const struct rsyslog_conf_item *item, char *buf, size_t size);

#endif
