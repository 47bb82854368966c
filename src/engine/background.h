/* What all actions of one rsyslogd share: the thread that does what a worker must
 * not wait for, the terminator, the host's own addresses, the evidence.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BACKGROUND_H
#define SMTPBLOCK_BACKGROUND_H

#include "courier/session.h"
#include "policy/local_addrs.h"
#include "terminate/terminator.h"

struct background;

/* Somebody who has things to do in the thread. */
struct background_job {
	/* Do what is due at now (ms of CLOCK_MONOTONIC) and return when to be
	 * called again at the latest, or TERMINATOR_NEVER. Also called after
	 * every background_wake(). */
	int64_t (*run)(void *data, int64_t now);
	void *data;
};

/* No thread and no descriptor yet. Returns 0 or -ENOMEM. proc_root as in
 * session_new(). The caller owns. */
int background_new(const char *proc_root, struct background **ret_background);

/* looker_forbid_fd(). Before background_start(). */
void background_forbid_fd(struct background *background);

/* Open what the functions below need; after the fork. Returns 0 or -errno. */
int background_open(struct background *background);

/* Clients are called from background_start() on. Not once it has started.
 * Returns 0 or -ENOMEM. */
int background_add_job(struct background *background, const struct background_job *client);

/* Start the thread, after background_open(). All signals are blocked in it.
 * Returns 0 or -errno. */
int background_start(struct background *background);

/* Clients are called once more. Children that are to be signalled get what is left
 * of their delay, but no more than half a second in all, then their signal; then the
 * thread ends. Does nothing if it was not started. Returns 0; -ETIMEDOUT: the thread is
 * still in a client after BACKGROUND_STOP_MS. Then it is abandoned: it ends when it
 * comes back, and all that it uses must neither be freed nor unmapped. */
#define BACKGROUND_STOP_MS 2000
int background_stop(struct background *background);

/* Stops it first. NULL is allowed. Returns false if a thread is still there and its code
 * has to stay mapped: one that was abandoned, where nothing is freed, or one that waits
 * for a process, see looker_free(). */
bool background_free(struct background *background);

/* Have every client called soon. Any thread; no wait. */
void background_wake(struct background *background);

/* Has nobody been called for BACKGROUND_STALL_MS although somebody asked for it? Then
 * nothing that is left to the thread is done. Any thread; no system call. */
#define BACKGROUND_STALL_MS 5000
bool background_is_stalled(const struct background *background);

/* terminator_add() and wake the thread. */
void background_terminate(struct background *background, struct termination *termination,
			  int64_t due);

/* terminator_has(). */
bool background_is_ending(struct background *background, const struct smtpd *smtpd);

/* Valid until background_free(). */
struct local_addrs *background_local_addrs(struct background *background);

/* The evidence about one courier user, shared by all who ask for the same uid.
 * Not in a worker. Returns 0, -ENOMEM or -errno; valid until
 * background_free(). */
int background_finder(struct background *background, uid_t courier_uid,
		      struct session_finder **ret_finder);

/* Now, in ms of CLOCK_MONOTONIC: the clock of all times here. */
int64_t background_now(void);

/* The same as of the kernel's last tick, 10 ms ago at most: for what reckons in seconds,
 * at a quarter of the cost. */
int64_t background_tick(void);

#endif
