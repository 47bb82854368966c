/* The results of "smtpblockctl check".
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RESULTS_H
#define SMTPBLOCKCTL_RESULTS_H

#include "tool/check/host.h"

enum check_status {
	CHECK_OK,
	CHECK_WARNING,		/* it works, but not as well as it could; or that cannot be
				 * determined */
	CHECK_BROKEN,		/* nothing is blocked, or no process is terminated */
};

struct check_result {
	enum check_status status;
	const char *id;		/* "list.ipv4"; constant text */
	char *why;
	char *type;		/* the command to type; "": none */
};

struct checks {
	const struct host *host;
	struct check_result *results;
	size_t count;
	bool out_of_memory;	/* a result is missing */
};

/* Longest command, for callers that format one. */
#define CHECK_TYPE_SIZE 1024

/* Add a result. type is copied, why is a format. Duplicates, which several actions may
 * cause, are ignored. */
void check_add(struct checks *checks, enum check_status status, const char *id,
	       const char *type, const char *why, ...) __attribute__((format(printf, 5, 6)));

#define check_ok(checks, id, ...) check_add(checks, CHECK_OK, id, "", __VA_ARGS__)
#define check_warning(checks, id, ...) check_add(checks, CHECK_WARNING, id, __VA_ARGS__)
#define check_broken(checks, id, ...) check_add(checks, CHECK_BROKEN, id, __VA_ARGS__)

/* Format where an item is: "FILE line N". Returns buf. */
char *check_place(const struct rsyslog_conf_item *item, char *buf, size_t size);

#endif
