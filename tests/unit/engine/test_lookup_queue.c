/* Lines that only a search can answer, on their way to the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/lookup_queue.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/support.h"

static const struct session_query query = {
	.hint = 77,
	.addr = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } },
	.port = 41703,
};

static struct courierlog_line reject(const char *reply, size_t len)
{
	return (struct courierlog_line){
		.kind = COURIERLOG_REJECT,
		.addr = query.addr,
		.port = query.port,
		.code = 511,
		.times = 4,
		.reply = reply,
		.reply_len = len,
	};
}

static void come_out_as_they_went_in(void **state)
{
	const struct courierlog_line line = reject("511 Listed", 10);
	struct batch_queue *q = NULL;
	const struct lookup_request *all;
	struct courierlog_line got;

	(void)state;
	want_int(lookup_queue_new(&q), 0);
	want_int(lookup_queue_put(q, LOOKUP_PROVE, &query, &line), 0);
	want_int(lookup_queue_put(q, LOOKUP_END, &query, &line), 0);
	want_int(lookup_queue_take(q, &all), 2);
	want_int(all[0].kind, LOOKUP_PROVE);
	want_int(all[1].kind, LOOKUP_END);
	want_int(all[0].query.hint, 77);
	lookup_request_line(&all[0], &got);
	want_int(got.kind, COURIERLOG_REJECT);
	want_int(got.port, 41703);
	want_int(got.code, 511);
	want_int(got.times, 4);
	want_int(addr_compare(&got.addr, &query.addr), 0);
	want_int(got.reply_len, 10);
	want_mem(got.reply, "511 Listed", 10);
	want_int(lookup_queue_take(q, &all), 0);
	batch_queue_free(q);
}

static void started_line_has_no_reply(void **state)
{
	const struct courierlog_line line = { .kind = COURIERLOG_STARTED,
					      .addr = query.addr };
	struct batch_queue *q = NULL;
	const struct lookup_request *all;
	struct courierlog_line got;

	(void)state;
	want_int(lookup_queue_new(&q), 0);
	want_int(lookup_queue_put(q, LOOKUP_PROVE, &query, &line), 0);
	want_int(lookup_queue_take(q, &all), 1);
	lookup_request_line(&all[0], &got);
	want_int(got.kind, COURIERLOG_STARTED);
	want_int(got.reply_len, 0);
	batch_queue_free(q);
}

static void overlong_reply_is_cut(void **state)
{
	char text[400];
	struct courierlog_line line;
	struct batch_queue *q = NULL;
	const struct lookup_request *all;

	(void)state;
	memset(text, 'r', sizeof(text));
	line = reject(text, sizeof(text));
	want_int(lookup_queue_new(&q), 0);
	want_int(lookup_queue_put(q, LOOKUP_PROVE, &query, &line), 0);
	want_int(lookup_queue_take(q, &all), 1);
	want_int(all[0].reply_len, LOOKUP_REPLY_SIZE);
	batch_queue_free(q);
}

static void one_too_many_is_refused(void **state)
{
	const struct courierlog_line line = reject("511 x", 5);
	struct batch_queue *q = NULL;
	const struct lookup_request *all;
	unsigned int i;

	(void)state;
	want_int(lookup_queue_new(&q), 0);
	for (i = 0; i < LOOKUP_QUEUE_MAX; i++)
		want_int(lookup_queue_put(q, LOOKUP_PROVE, &query, &line), 0);
	want_int(lookup_queue_put(q, LOOKUP_PROVE, &query, &line), -ENOSPC);
	want_int(lookup_queue_take(q, &all), LOOKUP_QUEUE_MAX);
	want_int(lookup_queue_put(q, LOOKUP_PROVE, &query, &line), 0);
	want_int(lookup_queue_take(q, &all), 1);
	batch_queue_free(q);
}

static int put_some(void *data)
{
	const struct courierlog_line line = reject("511 x", 5);
	struct batch_queue *q = NULL;
	unsigned int i;
	int r;

	(void)data;
	r = lookup_queue_new(&q);
	for (i = 0; i < 40 && r == 0; i++)
		r = lookup_queue_put(q, LOOKUP_PROVE, &query, &line);
	batch_queue_free(q);
	return r;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	want_int(memory_fail_each(put_some, NULL) >= 3, true);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, come_out_as_they_went_in);
	SUITE_TEST(suite, started_line_has_no_reply);
	SUITE_TEST(suite, overlong_reply_is_cut);
	SUITE_TEST(suite, one_too_many_is_refused);
	SUITE_TEST(suite, survives_lack_of_memory);
	return suite_run(suite, "questions");
}
