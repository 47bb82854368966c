/* Why an address was blocked: the module's event and the log line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_BLOCK_REASON_H
#define SMTPBLOCKCTL_BLOCK_REASON_H

#include <limits.h>
#include <time.h>

#include "tool/lib/targets.h"
#include "tool/read/event_log.h"
#include "tool/read/rsyslog_conf.h"

/* Longest part of a line that is kept, NUL included. */
#define BLOCK_REASON_TEXT_SIZE 512

/* Most logs that are searched; far more than a configuration writes mail.err to. */
#define BLOCK_REASON_LOGS_MAX 16

/* The module's event about the block. */
struct block_reason_event {
	struct logged_event logged;
	char where[PATH_MAX];		/* the file */
	unsigned long number;		/* line number in the file */
	bool found;
};

struct block_reason {
	struct block_reason_event event;
	char text[BLOCK_REASON_TEXT_SIZE];	/* printable ASCII; the rest is '?' */
	char where[PATH_MAX];		/* the file, or "journal" */
	unsigned long number;		/* line number in the file; 0: from the journal */
	bool found;
	/* The logs that were read, in this order. */
	char logs[BLOCK_REASON_LOGS_MAX][PATH_MAX];
	size_t log_count;
};

/* Find the event of a block, then its log line. The event: the last one about the address,
 * or about a prefix that contains it, not later than the given time, in the files of the
 * rulesets that the list's actions name (eventRuleset). The line: the last one, not later
 * than that time, that names the address (or another one in its prefix) and starts a block
 * by the settings of the list's action. It is searched in the journal, in the files that
 * rsyslog's configuration writes mail.err to and, if there are none, in /var/log/mail.err
 * and /var/log/mail.log; the first log with a match ends the search. courierlog_scan() finds
 * the address where courier writes it, so an address in a client's text does not match.
 * Every local user can write to the log, but only the module to the events: if there is an
 * event, the line must agree with its time, address and port. conf may be NULL. Call
 * targets_know_host() first. Returns 0, even if nothing was found; -ENOMEM. */
int block_reason_find(const struct context *context, const struct rsyslog_conf *conf,
		      const struct targets *targets, const struct target *target,
		      const struct addr *addr, time_t until, struct block_reason *ret_cause);

/* The same for the last block of an address that was left to its proxy, so that it is on no list:
 * finds only the event. */
int block_reason_find_proxied(const struct context *context, const struct rsyslog_conf *conf,
			      const struct targets *targets, const struct target *target,
			      const struct addr *addr, struct block_reason *ret_cause);

#endif
