/* Answers the lines that take a search, in the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SESSION_LOOKUP_H
#define SMTPBLOCK_SESSION_LOOKUP_H

#include "engine/enforcer.h"

/* A search costs more the more processes there are, and anybody who can write
 * into the log can ask for one. So searches may take a tenth of the thread's
 * time; a line waits until the next one is due, and is refused if it does not
 * find the child either. While lines ask, the index is kept warm, so that most
 * are answered by the worker at once; so are those of a child whose start was in the
 * log. Looks for such children may take another tenth. */
struct lookup;

/* Says a line to the admin, see engine_log_fn. */
typedef void lookup_log_fn(void *ctx, int severity, const char *text);

/* enforcer outlives the result. Returns 0 or -ENOMEM. The caller owns. */
int lookup_new(const struct enforcer *enforcer, lookup_log_fn *log, void *log_ctx,
	       struct lookup **ret_lookup);
void lookup_free(struct lookup *lookup);

/* A child has started: have him in the index, and held if he is listed, before he is
 * asked about. However many start until the background thread looks, it is one look. Any
 * thread. Returns true if the background thread is to be woken. */
bool lookup_note_start(struct lookup *lookup);

/* A line was about a child, and more of them may come: keep the index up to date for
 * them as if it had been asked. When the background thread wakes; any thread. */
void lookup_note_line(struct lookup *lookup);

/* Answer what was asked. evidence is NULL while courier's user is not known.
 * Returns when to be called again, in ms; INT64_MAX: when something is asked. */
int64_t lookup_run(struct lookup *lookup, struct session_finder *finder, int64_t now);

#endif
