/* Requests on their way from the workers to the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/lookup_queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/batch_queue.h"

/* What is queued: small, as there may be very many. */
struct item {
	struct lookup_request *request;	/* NULL: LOOKUP_BLOCK of what follows */
	struct addr addr;
	uint8_t line_kind;
	uint16_t port, code;
	unsigned int times;
	pid_t pid;
};

struct lookup_queue {
	struct batch_queue *items;
	atomic_size_t searches, others;	/* in it; others: and the last one taken */
	bool took_other;		/* the last one taken was */
	const struct item *taken;	/* from items.. */
	size_t left;			/* ..that many not handed out yet */
};

int lookup_queue_new(struct lookup_queue **ret_queue)
{
	struct lookup_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	if (batch_queue_new(sizeof(struct item), REQUESTS_MAX, &q->items) < 0) {
		free(q);
		return -ENOMEM;
	}
	*ret_queue = q;
	return 0;
}

void lookup_queue_free(struct lookup_queue *queue)
{
	struct lookup_request request;

	if (!queue)
		return;
	while (lookup_queue_take(queue, &request))
		smtpd_done(&request.termination.smtpd);
	batch_queue_free(queue->items);
	free(queue);
}

struct lookup_request lookup_request_of(enum lookup_kind kind,
					const struct session_query *query,
					const struct courierlog_line *line)
{
	struct lookup_request q = {
		.kind = kind,
		.query = *query,
		.line_kind = line->kind,
		.code = line->code,
		.times = line->times,
		.reply_len = line->reply_len < sizeof(q.reply) ? line->reply_len :
								 sizeof(q.reply),
		.termination.smtpd = SMTPD_NONE,
	};

	if (q.reply_len > 0)
		memcpy(q.reply, line->reply, q.reply_len);
	return q;
}

static bool is_search(enum lookup_kind kind)
{
	return kind == LOOKUP_PROVE || kind == LOOKUP_END;
}

static int put(struct lookup_queue *q, const struct lookup_request *request, bool with_reply)
{
	struct item item = { .request = NULL };
	int r;

	if (request->kind == LOOKUP_BLOCK && !with_reply) {
		item.addr = request->query.addr;
		item.line_kind = (uint8_t)request->line_kind;
		item.port = request->query.port;
		item.code = request->code;
		item.times = request->times;
		item.pid = request->query.hint;
		return batch_queue_put(q->items, &item, NULL);
	}
	item.request = malloc(sizeof(*request));
	if (!item.request)
		return -ENOMEM;
	*item.request = *request;
	r = batch_queue_put(q->items, &item, NULL);
	if (r < 0)
		free(item.request);
	return r;
}

int lookup_queue_put(struct lookup_queue *queue, const struct lookup_request *request,
		     bool with_reply)
{
	bool search = is_search(request->kind);
	atomic_size_t *count = search ? &queue->searches : &queue->others;
	int r = -ENOSPC;

	if (atomic_fetch_add(count, 1) < LOOKUP_QUEUE_MAX || !search)
		r = put(queue, request, with_reply);
	if (r < 0)
		atomic_fetch_sub(count, 1);
	return r;
}

size_t lookup_queue_left(struct lookup_queue *queue)
{
	return atomic_load(&queue->others);
}

static void unpack(const struct item *item, struct lookup_request *ret_request)
{
	if (item->request) {
		*ret_request = *item->request;
		free(item->request);
		return;
	}
	*ret_request = (struct lookup_request){
		.kind = LOOKUP_BLOCK,
		.query = { .hint = item->pid, .addr = item->addr, .port = item->port },
		.line_kind = item->line_kind,
		.code = item->code,
		.times = item->times,
		.termination.smtpd = SMTPD_NONE,
	};
}

bool lookup_queue_take(struct lookup_queue *queue, struct lookup_request *ret_request)
{
	const void *items;

	if (queue->took_other)
		atomic_fetch_sub(&queue->others, 1);
	queue->took_other = false;
	if (queue->left == 0) {
		queue->left = batch_queue_take(queue->items, &items);
		queue->taken = items;
	}
	if (queue->left == 0)
		return false;
	unpack(queue->taken++, ret_request);
	queue->left--;
	if (is_search(ret_request->kind))
		atomic_fetch_sub(&queue->searches, 1);
	else
		queue->took_other = true;
	return true;
}

void lookup_request_line(const struct lookup_request *lookup_request,
			 struct courierlog_line *ret_line)
{
	*ret_line = (struct courierlog_line){
		.kind = lookup_request->line_kind,
		.addr = lookup_request->query.addr,
		.port = lookup_request->query.port,
		.code = lookup_request->code,
		.times = lookup_request->times,
		.reply = lookup_request->reply,
		.reply_len = lookup_request->reply_len,
	};
}
