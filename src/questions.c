/* Lines that only a search can answer, on their way to the caretaker.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "questions.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct bag {
	struct question *all;
	size_t count, room;
};

/* The workers fill one bag while the caretaker empties the other. */
struct questions {
	pthread_mutex_t lock;	/* filling */
	struct bag filling;
	struct bag emptying;
};

int questions_new(struct questions **ret_questions)
{
	struct questions *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	pthread_mutex_init(&q->lock, NULL);
	*ret_questions = q;
	return 0;
}

void questions_free(struct questions *questions)
{
	if (!questions)
		return;
	pthread_mutex_destroy(&questions->lock);
	free(questions->filling.all);
	free(questions->emptying.all);
	free(questions);
}

static int make_room(struct bag *bag)
{
	size_t room = bag->room ? bag->room * 2 : 16;
	struct question *all;

	if (bag->count < bag->room)
		return 0;
	if (bag->count == QUESTIONS_MAX)
		return -ENOSPC;
	all = reallocarray(bag->all, room, sizeof(*all));
	if (!all)
		return -ENOMEM;
	bag->all = all;
	bag->room = room;
	return 0;
}

int questions_put(struct questions *questions, enum question_kind kind,
		  const struct evidence_query *query,
		  const struct courierlog_line *line)
{
	struct bag *bag = &questions->filling;
	struct question *q;
	int r;

	pthread_mutex_lock(&questions->lock);
	r = make_room(bag);
	if (r == 0) {
		q = &bag->all[bag->count++];
		q->kind = kind;
		q->query = *query;
		q->line_kind = line->kind;
		q->code = line->code;
		q->reply_len = line->reply_len < sizeof(q->reply) ?
				       line->reply_len :
				       sizeof(q->reply);
		if (q->reply_len > 0)
			memcpy(q->reply, line->reply, q->reply_len);
	}
	pthread_mutex_unlock(&questions->lock);
	return r;
}

size_t questions_take(struct questions *questions,
		      const struct question **ret_questions)
{
	struct bag full;

	pthread_mutex_lock(&questions->lock);
	full = questions->filling;
	questions->filling = questions->emptying;
	questions->filling.count = 0;
	questions->emptying = full;
	pthread_mutex_unlock(&questions->lock);
	*ret_questions = full.all;
	return full.count;
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
