/* What all actions of one rsyslogd share: the thread that does what a worker must
 * not wait for, the terminator, the host's own addresses, the evidence.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_CARETAKER_H
#define SMTPBLOCK_CARETAKER_H

#include "courier/evidence.h"
#include "policy/hostaddrs.h"
#include "terminate/terminator.h"

struct caretaker;

/* Somebody who has things to do in the thread. */
struct caretaker_client {
	/* Do what is due at now (ms of CLOCK_MONOTONIC) and return when to be
	 * called again at the latest, or TERMINATOR_NEVER. Also called after
	 * every caretaker_wake(). */
	int64_t (*run)(void *data, int64_t now);
	void *data;
};

/* No thread and no descriptor yet. Returns 0 or -ENOMEM. proc_root as in
 * evidence_new(). The caller owns. */
int caretaker_new(const char *proc_root, struct caretaker **ret_caretaker);

/* looker_forbid_fd(). Before caretaker_start(). */
void caretaker_forbid_fd(struct caretaker *caretaker);

/* Open what the functions below need; after the fork. Returns 0 or -errno. */
int caretaker_open(struct caretaker *caretaker);

/* Clients are called from caretaker_start() on. Not once it has started.
 * Returns 0 or -ENOMEM. */
int caretaker_add_client(struct caretaker *caretaker,
			 const struct caretaker_client *client);

/* Start the thread, after caretaker_open(). All signals are blocked in it.
 * Returns 0 or -errno. */
int caretaker_start(struct caretaker *caretaker);

/* Clients are called once more. Children that are to be signalled get what is left
 * of their delay, but no more than half a second in all, then their signal; then the
 * thread ends. Does nothing if it was not started. Returns 0; -ETIMEDOUT: the thread is
 * still in a client after CARETAKER_STOP_MS. Then it is abandoned: it ends when it
 * comes back, and all that it uses must neither be freed nor unmapped. */
#define CARETAKER_STOP_MS 2000
int caretaker_stop(struct caretaker *caretaker);

/* Stops it first. NULL is allowed. Returns false if a thread is still there and its code
 * has to stay mapped: one that was abandoned, where nothing is freed, or one that waits
 * for a process, see looker_free(). */
bool caretaker_free(struct caretaker *caretaker);

/* Have every client called soon. Any thread; no wait. */
void caretaker_wake(struct caretaker *caretaker);

/* Has nobody been called for CARETAKER_STALL_MS although somebody asked for it? Then
 * nothing that is left to the thread is done. Any thread; no system call. */
#define CARETAKER_STALL_MS 5000
bool caretaker_is_stalled(const struct caretaker *caretaker);

/* terminator_add() and wake the thread. */
void caretaker_terminate(struct caretaker *caretaker,
			 struct termination *termination, int64_t due);

/* terminator_has(). */
bool caretaker_is_ending(struct caretaker *caretaker, const struct child *child);

/* Valid until caretaker_free(). */
struct hostaddrs *caretaker_hostaddrs(struct caretaker *caretaker);

/* The evidence about one courier user, shared by all who ask for the same uid.
 * Not in a worker. Returns 0, -ENOMEM or -errno; valid until
 * caretaker_free(). */
int caretaker_evidence(struct caretaker *caretaker, uid_t courier_uid,
		       struct evidence **ret_evidence);

/* Now, in ms of CLOCK_MONOTONIC: the clock of all times here. */
int64_t caretaker_now(void);

/* The same as of the kernel's last tick, 10 ms ago at most: for what reckons in seconds,
 * at a quarter of the cost. */
int64_t caretaker_tick(void);

#endif
