/* What an address was blocked for: the module's event, the line of the log.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_BLOCK_REASON_H
#define SMTPBLOCKCTL_BLOCK_REASON_H

#include <limits.h>
#include <time.h>

#include "tool/lib/targets.h"
#include "tool/read/event_log.h"
#include "tool/read/rsyslog_conf.h"

/* What is kept of a line, NUL included. */
#define BLOCK_REASON_TEXT_SIZE 512

/* Logs that can be looked through: more than anybody writes mail.err to. */
#define BLOCK_REASON_LOGS_MAX 16

/* What the module told of the block. */
struct block_reason_event {
	struct logged_event logged;
	char where[PATH_MAX];		/* the file */
	unsigned long number;		/* of its line */
	bool found;
};

struct block_reason {
	struct block_reason_event event;
	char text[BLOCK_REASON_TEXT_SIZE];	/* printable ASCII; the rest is '?' */
	char where[PATH_MAX];		/* the file, or "journal" */
	unsigned long number;		/* of the line in the file; 0: in the journal */
	bool found;
	/* What was looked through, in this order, and could be read. */
	char logs[BLOCK_REASON_LOGS_MAX][PATH_MAX];
	size_t log_count;
};

/* Look for the block's event, in the files of the rulesets that actions with that list
 * name (eventRuleset): the last one, no later than at that time, of the address or a
 * prefix that it is in. Then for the last line, logged no later than at that time,
 * that names the address (or one of its prefix) and starts a block by the settings of
 * the list's action: in the journal, in the files that rsyslog's configuration writes
 * mail.err to, and, if it names none, in /var/log/mail.err and /var/log/mail.log. The
 * first log with one is the last that is looked through. The address is found by
 * courierlog_scan(), where courier has it: a line in which a client wrote it is none.
 * Every local user can write to the log; to the events only the module can. So a line
 * beside an event has to be of its time, its address and its port.
 * conf may be NULL; of the places the host has to be known. Returns
 * 0, also if there is none; -ENOMEM. */
int block_reason_find(const struct context *context, const struct rsyslog_conf *conf,
		      const struct targets *targets, const struct target *target,
		      const struct addr *addr, time_t until, struct block_reason *ret_cause);

#endif
