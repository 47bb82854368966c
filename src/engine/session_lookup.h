/* Searches for sessions in the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SESSION_LOOKUP_H
#define SMTPBLOCK_SESSION_LOOKUP_H

#include "engine/enforcer.h"

/* A search costs more with more processes, and anyone who can log can trigger one. So
 * searches use at most a tenth of the thread's time: a line waits until the next search is
 * allowed, and is refused if that one does not find the session either. While lines come,
 * the index is kept warm, so that workers answer most of them at once. The same goes for
 * sessions whose start was logged; looks for these may use another tenth. */
struct lookup;

/* enforcer outlives the result. Returns 0 or -ENOMEM. The caller owns. */
int lookup_new(struct enforcer *enforcer, struct lookup **ret_lookup);
void lookup_free(struct lookup *lookup);

/* The number of requests whose search goes on, apart from LOOKUP_END: their addresses are blocked.
 * For the background thread only. */
size_t lookup_pending(const struct lookup *lookup);

/* A session has started: index its process, and pin it if it is listed, before a line asks
 * for it. All starts until the background thread runs take one look. Any thread. Returns
 * true if the background thread has to be woken. */
bool lookup_note_start(struct lookup *lookup);

/* A line was about a session, and more may follow: keep the index warm for them, as after a
 * request. Takes effect when the background thread next wakes. Any thread. */
void lookup_note_line(struct lookup *lookup);

/* Answer the requests; those that need no search first. finder is NULL while courier's user
 * is unknown. Returns when to call again, in ms; INT64_MAX: after the next request. For the
 * background thread only. */
int64_t lookup_run(struct lookup *lookup, struct session_finder *finder, int64_t now);

#endif
