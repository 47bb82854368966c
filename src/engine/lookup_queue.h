/* Requests on their way from the workers to the background thread: what to block and
 * terminate, and lines that only a search can answer.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_LOOKUP_QUEUE_H
#define SMTPBLOCK_LOOKUP_QUEUE_H

#include "courier/courierlog.h"
#include "courier/session.h"
#include "status/events.h"
#include "terminate/terminator.h"

/* Further requests are refused: workers must not wait. Searches are slow, and anyone who can
 * log can ask for one, so they get little of the queue. A flood of blocks may have to wait
 * for seconds, until another program's nftables transaction ends. */
#define LOOKUP_QUEUE_MAX 1024
#define REQUESTS_MAX 131072

/* A reply as courier logs it has at most 131 characters. */
#define LOOKUP_REPLY_SIZE 160

enum lookup_kind {
	LOOKUP_PROVE,		/* find and verify the session; then decide */
	LOOKUP_BLOCK,		/* block by the line, unless the process it names serves a
				 * relay client; verify="none": terminate the sessions */
	LOOKUP_END,		/* terminate the sessions of the address */
	LOOKUP_SESSION,		/* decided: block the address, terminate the session */
	LOOKUP_UNKNOWN,		/* log the text, of a line with an unknown form */
};

struct lookup_request {
	enum lookup_kind kind;
	struct session_query query;
	enum courierlog_kind line_kind;
	uint16_t code;
	unsigned int times;
	char reply[LOOKUP_REPLY_SIZE];		/* not NUL-terminated */
	size_t reply_len;
	/* LOOKUP_SESSION: the session, and its BLOCK_ZONE, "": none. */
	struct termination termination;
	char zone[EVENT_ZONE_SIZE];
	/* For the background thread: the error of the last attempt's failed call, or 0;
	 * whether any attempt failed; and until when attempts are repeated (ms of
	 * CLOCK_MONOTONIC). */
	int failed;
	bool repeated;
	int64_t until;
};

struct lookup_queue;

/* Returns 0 or -ENOMEM. The caller owns. */
int lookup_queue_new(struct lookup_queue **ret_queue);

/* Releases the sessions in it. NULL is allowed. */
void lookup_queue_free(struct lookup_queue *queue);

/* A request about this line. The reply is copied, and cut if too long. */
struct lookup_request lookup_request_of(enum lookup_kind kind,
					const struct session_query *query,
					const struct courierlog_line *line);

/* Add a request, which is copied; of LOOKUP_BLOCK only the process, the address and the
 * port, unless with_reply. Takes its session over. Any thread. Returns 0; -ENOSPC: the
 * queue is full; -ENOMEM: on failure the caller keeps the session. */
int lookup_queue_put(struct lookup_queue *queue, const struct lookup_request *request,
		     bool with_reply);

/* Take the next request. The caller owns its session. Returns false if there is none. For
 * the background thread only. */
bool lookup_queue_take(struct lookup_queue *queue, struct lookup_request *ret_request);

/* The number of requests other than searches that are queued, and 1 more if one was the last that
 * was taken. Any thread. */
size_t lookup_queue_left(struct lookup_queue *queue);

/* The line behind the request, with the fields that policy.h needs. */
void lookup_request_line(const struct lookup_request *lookup_request,
			 struct courierlog_line *ret_line);

#endif
