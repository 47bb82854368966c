/* Lines that only a search can answer, on their way to the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/questions.h"

#include <string.h>

#include "lib/bag.h"

int questions_new(struct bag **ret_questions)
{
	return bag_new(sizeof(struct question), QUESTIONS_MAX, ret_questions);
}

int questions_put(struct bag *questions, enum question_kind kind,
		  const struct evidence_query *query,
		  const struct courierlog_line *line)
{
	struct question q = {
		.kind = kind,
		.query = *query,
		.line_kind = line->kind,
		.code = line->code,
		.reply_len = line->reply_len < sizeof(q.reply) ? line->reply_len :
								 sizeof(q.reply),
	};

	if (q.reply_len > 0)
		memcpy(q.reply, line->reply, q.reply_len);
	return bag_put(questions, &q, NULL);
}

size_t questions_take(struct bag *questions,
		      const struct question **ret_questions)
{
	const void *items;
	size_t count = bag_take(questions, &items);

	*ret_questions = items;
	return count;
}

void question_line(const struct question *question,
		   struct courierlog_line *ret_line)
{
	*ret_line = (struct courierlog_line){
		.kind = question->line_kind,
		.addr = question->query.addr,
		.port = question->query.port,
		.code = question->code,
		.reply = question->reply,
		.reply_len = question->reply_len,
	};
}
