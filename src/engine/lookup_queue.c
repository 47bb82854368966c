/* Lookup requests on their way to the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/lookup_queue.h"

#include <string.h>

#include "lib/batch_queue.h"

int lookup_queue_new(struct batch_queue **ret_queue)
{
	return batch_queue_new(sizeof(struct lookup_request), LOOKUP_QUEUE_MAX, ret_queue);
}

int lookup_queue_put(struct batch_queue *requests, enum lookup_kind kind,
		     const struct session_query *query, const struct courierlog_line *line)
{
	struct lookup_request q = {
		.kind = kind,
		.query = *query,
		.line_kind = line->kind,
		.code = line->code,
		.times = line->times,
		.reply_len = line->reply_len < sizeof(q.reply) ? line->reply_len :
								 sizeof(q.reply),
	};

	if (q.reply_len > 0)
		memcpy(q.reply, line->reply, q.reply_len);
	return batch_queue_put(requests, &q, NULL);
}

size_t lookup_queue_take(struct batch_queue *requests,
			 const struct lookup_request **ret_requests)
{
	const void *items;
	size_t count = batch_queue_take(requests, &items);

	*ret_requests = items;
	return count;
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
