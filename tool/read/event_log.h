/* What the module told of its blocks (eventRuleset): the files that it stands in, and
 * their lines.
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

/* Longer lines are none of the module's, whatever a template puts in front. */
#define EVENT_LOG_LINE_MAX (2 * EVENT_TEXT_SIZE)

#define EVENT_LOG_TRIGGER_SIZE 16

/* One event, a block that was made. Texts are printable ASCII, the rest is '?'; what
 * the event does not say is "" or 0. */
struct logged_event {
	time_t at;
	struct addr addr;	/* the peer */
	struct cidr target;	/* what was blocked for it */
	char list[SETTINGS_LIST_SIZE];
	char trigger[EVENT_LOG_TRIGGER_SIZE];
	char reply[EVENT_REPLY_SIZE];
	char zone[EVENT_ZONE_SIZE];
	int64_t port, pid;
	int64_t seconds;	/* banTime */
	bool ends_child;
};

/* Of lines that are read one after the other. Not for several threads at a time. */
struct event_log_reader;

/* NULL: there is no memory. The caller owns. */
struct event_log_reader *event_log_reader_new(void);
void event_log_reader_free(struct event_log_reader *reader);	/* NULL is allowed */

/* Take one line apart: an object as event_format() writes it, up to the line's end;
 * what rsyslog's own templates put in front of it does not count. Returns true;
 * false with *ret_told untouched: it is none, is not whole, or is of dryRun. */
bool event_log_parse(struct event_log_reader *reader, const char *line, size_t len,
		     struct logged_event *ret_told);

/* Was the address blocked with it? */
bool event_log_covers(const struct logged_event *logged, const struct addr *addr);

/* The next file that an action in this ruleset writes, from item *from on, which is
 * moved behind it; those are left out to which other messages come too, as far as
 * the configuration tells: these anybody can write. Returns path; NULL: no more. */
const char *event_log_next_file(const struct rsyslog_conf *conf, const char *ruleset,
				size_t *from, char path[static PATH_MAX]);

#endif
