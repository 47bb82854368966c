/* Lines that only a search can answer, on their way from the workers to the
 * background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_LOOKUP_QUEUE_H
#define SMTPBLOCK_LOOKUP_QUEUE_H

#include "courier/courierlog.h"
#include "courier/session.h"
#include "lib/batch_queue.h"

/* More at once are refused: the workers must not wait. */
#define LOOKUP_QUEUE_MAX 1024

/* A reply as courier logs it has at most 131 characters. */
#define LOOKUP_REPLY_SIZE 160

enum lookup_kind {
	LOOKUP_PROVE,		/* find the child; block and end it if the line says so */
	LOOKUP_BLOCK,		/* block by the line, unless the process that it names is a
				 * relay client's; end the children that serve it */
	LOOKUP_END,		/* blocked already; end the children that serve it */
	LOOKUP_REPORT,		/* dryRun: say what would have been done */
};

struct lookup_request {
	enum lookup_kind kind;
	struct session_query query;
	enum courierlog_kind line_kind;
	uint16_t code;
	char reply[LOOKUP_REPLY_SIZE];		/* not terminated */
	size_t reply_len;
	/* The background thread's: 0, or the error of the call that failed at the last
	 * look; whether one ever did, and how long the look is repeated (ms of
	 * CLOCK_MONOTONIC). */
	int failed;
	bool repeated;
	int64_t until;
};

/* A bag for them. Returns 0 or -ENOMEM. The caller owns, and frees it with
 * batch_queue_free(). */
int lookup_queue_new(struct batch_queue **ret_questions);

/* Ask. The line's reply is copied, what does not fit is cut. Any thread. Returns
 * 0; -ENOSPC: full; -ENOMEM. */
int lookup_queue_put(struct batch_queue *requests, enum lookup_kind kind,
		     const struct session_query *query, const struct courierlog_line *line);

/* Take all there are, in order. They are valid until the next call. Returns
 * their number. For the background thread only. */
size_t lookup_queue_take(struct batch_queue *requests,
			 const struct lookup_request **ret_questions);

/* The line a question came from, as far as policy.h needs it. */
void lookup_request_line(const struct lookup_request *lookup_request,
			 struct courierlog_line *ret_line);

#endif
