/* Terminates smtpds, each at a given time. They are pinned and verified before. For the
 * background thread only, but for terminator_signal() and terminator_signal_only().
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_TERMINATOR_H
#define SMTPBLOCK_TERMINATOR_H

#include "courier/smtpd.h"
#include "status/alerts.h"
#include "status/counters.h"

struct terminator;

/* No further run is needed. */
#define TERMINATOR_NEVER INT64_MAX

/* Most smtpds at once. Further ones are signalled at once and not watched: see
 * terminator_add(). Each has one descriptor, on port 465 two. The limit is lower if
 * RLIMIT_NOFILE is low, so that all of them use at most half of the process' descriptors:
 * rsyslogd must not run out of them. */
#define TERMINATOR_MAX 4096

struct termination {
	struct smtpd smtpd;		/* terminator_add() takes ownership */
	/* rules, counters and alerts must outlive the terminator. */
	const struct smtpd_rules *rules; /* to find an orphaned couriertls */
	struct counters *counters;
	struct alerts *alerts;
	int signal;
	unsigned int kill_after;	/* ms until SIGKILL; 0: never */
	bool reset;			/* reset the connection after the exit */
	unsigned int reset_delay;	/* ms until the reset: time for the client to read */
	bool spares_login;		/* no signal if somebody logged in during the delay */
	/* Results of terminator_signal(). */
	bool signalled;			/* it was called */
	bool gone;			/* the process had exited before */
	bool refused;			/* the kernel refused the signal */
};

/* Returns 0 and the caller owns *ret_terminator; -ENOMEM; -EMFILE; -errno. */
int terminator_new(struct terminator **ret_terminator);

/* Processes that were not signalled yet are unpinned and not signalled. NULL is allowed. */
void terminator_free(struct terminator *terminator);

/* Send the signal now, to courieresmtpd and on port 465 to its couriertls. Counts a failure,
 * but not that the process had exited. Any thread. Returns 0; -ESRCH: the process had
 * exited; -errno. */
int terminator_signal(struct termination *termination);

/* Send the signal now, unless terminator_signal() was called, and release the smtpd: nothing
 * watches it. It is then counted as unwatched, and not as ended or killed. Any thread. */
void terminator_signal_only(struct termination *termination);

/* Schedule the signal for the time due (ms of CLOCK_MONOTONIC). If terminator_signal() was
 * called already, due is now, and the smtpd is only watched until it exits. Takes ownership
 * of the smtpd in any case. If there is no room or memory, or the smtpd may not stay pinned
 * (smtpd_may_stay()), calls terminator_signal_only(). */
void terminator_add(struct terminator *terminator,
		    struct termination *termination, int64_t due);

/* Was this smtpd, just verified, added before and is still being terminated? counters are those
 * of the termination; NULL: any. */
bool terminator_has(struct terminator *terminator, const struct smtpd *smtpd,
		    const struct counters *counters);

/* A descriptor that becomes readable when a process has exited. Do not close it. */
int terminator_fd(const struct terminator *terminator);

/* Tell the next run that terminator_fd() is not readable, which saves it a system call. */
void terminator_skip_ends(struct terminator *terminator);

/* Do the work that is scheduled up to now. Returns the time of the next run (ms of
 * CLOCK_MONOTONIC) or TERMINATOR_NEVER. */
int64_t terminator_run(struct terminator *terminator, int64_t now);

/* The number of smtpds that were not signalled yet. */
size_t terminator_pending(const struct terminator *terminator);

/* Signal all of these now, before a shutdown. */
void terminator_flush(struct terminator *terminator);

#endif
