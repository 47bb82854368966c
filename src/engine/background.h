/* What all actions of one rsyslogd share: the background thread, which does everything that
 * a worker must not wait for, the terminator, the host's own addresses, the lists, the session
 * finders and lookups of users.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BACKGROUND_H
#define SMTPBLOCK_BACKGROUND_H

#include "blocklist/blocklist.h"
#include "courier/session.h"
#include "policy/local_addrs.h"
#include "terminate/terminator.h"

struct background;

/* Work that is done in the background thread. */
struct background_job {
	/* Do what is to be done at now (ms of CLOCK_MONOTONIC). Return the latest time for
	 * the next call, or TERMINATOR_NEVER. Also called after every background_wake(). */
	int64_t (*run)(void *data, int64_t now);
	/* In the same round, after all jobs and then all lists have run: report what they
	 * found. NULL: nothing to do. */
	void (*report)(void *data);
	/* The thread ends: run() is not called any more. NULL: nothing to do. */
	void (*end)(void *data);
	void *data;
};

/* Opens no descriptor and starts no thread. proc_root as in session_new(). Returns 0,
 * -ENOMEM, or -ENAMETOOLONG for proc_root. The caller owns. */
int background_new(const char *proc_root, struct background **ret_background);

/* The background thread and the looker's call thread_shorten_slice(). Call before
 * background_start(). */
void background_shorten_slices(struct background *background);

/* See looker_forbid_fd(). Call before background_start(). */
void background_forbid_fd(struct background *background);

/* Let smtpblockctl take addresses off the lists of background_add_blocklist(); root as in
 * unblock_read(). Call before background_open(). Returns 0, -ENOMEM or -ENAMETOOLONG. */
int background_watch_unblocks(struct background *background, const char *root);

/* Why unblocks are not seen: 0: they are, or that was not asked for; otherwise as
 * unblock_read(). For the background thread, or before it starts. */
int background_unblock_error(const struct background *background);

/* Open the descriptors that the functions below need. Call after rsyslogd's fork. Returns 0
 * or -errno. */
int background_open(struct background *background);

/* Add a job, before background_start(). It runs from then on. Returns 0 or -ENOMEM. */
int background_add_job(struct background *background, const struct background_job *job);

/* Start the thread, after background_open(). It blocks all signals. Returns 0 or -errno. */
int background_start(struct background *background);

/* Stop the thread. Jobs run once more. Processes that wait for their signal get the rest of
 * their delay, but no more than half a second in all. Does nothing if the thread was not
 * started. Returns 0; -ETIMEDOUT: the thread is still in a job after BACKGROUND_STOP_MS. It
 * is abandoned then: it ends when the job returns, and what it uses must neither be freed
 * nor unmapped. */
#define BACKGROUND_STOP_MS 2000
int background_stop(struct background *background);

/* Stops the thread first. NULL is allowed. Returns false if a thread is still running, so
 * that the code must stay mapped: the background thread was abandoned (nothing is freed
 * then), the looker waits for a process, see looker_free(), or a thread for the user
 * database. */
bool background_free(struct background *background);

/* Run every job soon. Any thread; does not wait. */
void background_wake(struct background *background);

/* Has a wake-up been pending for BACKGROUND_STALL_MS? Then nothing that is left to the
 * thread gets done. Any thread; no system call. */
#define BACKGROUND_STALL_MS 5000
bool background_is_stalled(const struct background *background);

/* Call terminator_add(). For the background thread only, in a job. */
void background_terminate(struct background *background, struct termination *termination,
			  int64_t due);

/* See terminator_has(). For the background thread only. */
bool background_is_ending(struct background *background, const struct smtpd *smtpd,
			  const struct counters *counters);

/* Valid until background_free(). */
struct local_addrs *background_local_addrs(struct background *background);

/* The session finder for this uid, shared by all actions with the same courier user. Before
 * background_start(), then for the background thread only. Returns 0, -ENOMEM or -errno;
 * valid until background_free(). */
int background_finder(struct background *background, uid_t courier_uid,
		      struct session_finder **ret_finder);

/* The blocklist that serves the lists of these settings; NULL: none was added. Valid until
 * background_free(). Before background_start(). */
struct blocklist *background_find_blocklist(const struct background *background,
					    const struct settings *settings);

/* Add a blocklist, which this takes over, also if it fails. The thread calls its blocklist_run().
 * Before background_start(). Returns 0 or -ENOMEM. */
int background_add_blocklist(struct background *background, struct blocklist *blocklist);

/* The uid of a user, from the system's user database, which may take any time: it is asked in
 * a thread of its own, and the caller waits a quarter of a second for it at most. Returns as
 * user_lookup_ask(). Not for workers. */
int background_uid(struct background *background, const char *user, uid_t *ret_uid);

/* Now, in ms of CLOCK_MONOTONIC, the clock of all times here. */
int64_t background_now(void);

/* The time of the kernel's last tick, at most 10 ms ago. Costs a quarter of
 * background_now(); for intervals of seconds. */
int64_t background_tick(void);

#endif
