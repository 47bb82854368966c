/* The module's events about blocks (eventRuleset): find the files that contain them, and
 * parse their lines.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_EVENT_LOG_H
#define SMTPBLOCKCTL_EVENT_LOG_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/cidr.h"
#include "status/events.h"
#include "tool/read/rsyslog_conf.h"

/* Longest line of an event, including what a template puts before it. */
#define EVENT_LOG_LINE_MAX (2 * EVENT_TEXT_SIZE)

#define EVENT_LOG_TRIGGER_SIZE 16

/* One event: a block that was made, or left to the client's proxy. Texts are printable ASCII,
 * with '?' for other bytes. Missing values are "" or 0. */
struct logged_event {
	time_t at;
	struct addr addr;	/* the client */
	struct cidr target;	/* the prefix that was blocked */
	char list[SETTINGS_LIST_SIZE];
	char trigger[EVENT_LOG_TRIGGER_SIZE];
	char rule[EVENT_LOG_TRIGGER_SIZE];	/* "": logged by an older release */
	char reply[EVENT_REPLY_SIZE];
	char zone[EVENT_ZONE_SIZE];
	int64_t port, pid;
	int64_t seconds;	/* banTime */
	bool ends_child;
	bool at_proxy;
};

/* Reads lines one after the other. Not thread-safe. */
struct event_log_reader;

/* Returns NULL if out of memory. The caller owns the reader. */
struct event_log_reader *event_log_reader_new(void);
void event_log_reader_free(struct event_log_reader *reader);	/* NULL is allowed */

/* Parse one line: an object as event_format() writes it, up to the end of the line. What
 * rsyslog's own templates put before it is ignored. Returns true; false with *ret_event
 * untouched if it is no event, is incomplete, or is about a dryRun. */
bool event_log_parse(struct event_log_reader *reader, const char *line, size_t len,
		     struct logged_event *ret_event);

/* Is this event about a block of the address? */
bool event_log_covers(const struct logged_event *logged, const struct addr *addr);

/* The next file that an action in this ruleset writes, searched from item *from on, which is
 * advanced. Skips files that may get other messages, too, as far as the configuration shows:
 * any local user can write these. Returns path; NULL: no more. */
const char *event_log_next_file(const struct rsyslog_conf *conf, const char *ruleset,
				size_t *from, char path[static PATH_MAX]);

#endif
