/* Ends children: each at its time, held fast and proven before it gets here.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_TERMINATOR_H
#define SMTPBLOCK_TERMINATOR_H

#include "courier/smtpd.h"
#include "status/alerts.h"
#include "status/counters.h"

struct terminator;

/* Nothing is due. */
#define TERMINATOR_NEVER INT64_MAX

/* More than these at once wait for nothing: see terminator_add(). Each holds
 * one descriptor, on port 465 two, and together at most half of those that the
 * process may have: the logger must not run out of them. */
#define TERMINATOR_MAX 4096

struct termination {
	struct smtpd smtpd;		/* taken over */
	const struct smtpd_rules *rules; /* to find a couriertls left behind */
	struct counters *counters;	/* these two outlive the terminator */
	struct alerts *alerts;
	int signal;
	unsigned int kill_after;	/* ms; 0: never */
	bool reset;			/* the connection, once the child is gone.. */
	unsigned int reset_delay;	/* ..for so many ms: the peer may read yet */
	bool signalled;			/* terminator_signal() was called.. */
	bool gone;			/* ..and the child was gone before it.. */
	bool refused;			/* ..or the kernel refused it */
};

/* Returns 0, -ENOMEM, -EMFILE. The caller owns. */
int terminator_new(struct terminator **ret_terminator);

/* Processes that were to be signalled and were not yet are let go. */
void terminator_free(struct terminator *terminator);

/* Send the signal now: to courieresmtpd, and on port 465 to the couriertls above
 * it. Counts what came of it. Any thread. Returns 0; -ESRCH: it was gone; -errno. */
int terminator_signal(struct termination *termination);

/* Hand a child over, to be signalled at due (ms of CLOCK_MONOTONIC), or at once
 * when it was signalled already: then what is left is to see it end. Takes
 * *termination's child in any case. A session for which there is no room, or which may
 * not stay (smtpd_may_stay()), is signalled at once rather than lost, and not seen to end:
 * it is counted as unwatched, neither ended nor killed. Any thread; the background thread
 * has to be woken. */
void terminator_add(struct terminator *terminator,
		    struct termination *termination, int64_t due);

/* Is this child, proven anew, one that was handed over and has not been seen to
 * end? Any thread. */
bool terminator_has(struct terminator *terminator, const struct smtpd *smtpd);

/* Becomes readable when a child has ended. */
int terminator_fd(const struct terminator *terminator);

/* The next run need not ask for children that have ended: terminator_fd() was
 * just seen not to be readable. For the background thread only. */
void terminator_skip_ends(struct terminator *terminator);

/* Do what is due at now. Returns when to come again (ms of CLOCK_MONOTONIC), or
 * TERMINATOR_NEVER. For the background thread only. */
int64_t terminator_run(struct terminator *terminator, int64_t now);

/* How many children have not been signalled yet. Any thread. */
size_t terminator_pending(struct terminator *terminator);

/* Signal all of them now: before the end. For the background thread only. */
void terminator_flush(struct terminator *terminator);

#endif
