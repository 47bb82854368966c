/* Lookup requests, for lines that only a search can answer, on their way from the workers
 * to the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_LOOKUP_QUEUE_H
#define SMTPBLOCK_LOOKUP_QUEUE_H

#include "courier/courierlog.h"
#include "courier/session.h"
#include "lib/batch_queue.h"

/* Further requests are refused: workers must not wait. */
#define LOOKUP_QUEUE_MAX 1024

/* A reply as courier logs it has at most 131 characters. */
#define LOOKUP_REPLY_SIZE 160

enum lookup_kind {
	LOOKUP_PROVE,		/* find and verify the session; then decide */
	LOOKUP_BLOCK,		/* block by the line, unless the process it names serves a
				 * relay client; terminate the sessions */
	LOOKUP_END,		/* already blocked; terminate the sessions */
	LOOKUP_REPORT,		/* dryRun: log what would have been done */
};

struct lookup_request {
	enum lookup_kind kind;
	struct session_query query;
	enum courierlog_kind line_kind;
	uint16_t code;
	unsigned int times;
	char reply[LOOKUP_REPLY_SIZE];		/* not NUL-terminated */
	size_t reply_len;
	/* For the background thread: the error of the last attempt's failed call, or 0;
	 * whether any attempt failed; and until when attempts are repeated (ms of
	 * CLOCK_MONOTONIC). */
	int failed;
	bool repeated;
	int64_t until;
};

/* The queue. Returns 0 or -ENOMEM. The caller owns it and frees it with batch_queue_free(). */
int lookup_queue_new(struct batch_queue **ret_queue);

/* Add a request. The line's reply is copied, and cut if too long. Any thread. Returns 0;
 * -ENOSPC: the queue is full; -ENOMEM. */
int lookup_queue_put(struct batch_queue *requests, enum lookup_kind kind,
		     const struct session_query *query, const struct courierlog_line *line);

/* Take all requests, in order. They are valid until the next call. Returns their number.
 * For the background thread only. */
size_t lookup_queue_take(struct batch_queue *requests,
			 const struct lookup_request **ret_requests);

/* The line behind the request, with the fields that policy.h needs. */
void lookup_request_line(const struct lookup_request *lookup_request,
			 struct courierlog_line *ret_line);

#endif
