/* Requests on their way to the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/lookup_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

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

static int put(struct lookup_queue *q, enum lookup_kind kind, const struct courierlog_line *line,
	       bool with_reply)
{
	const struct lookup_request request = lookup_request_of(kind, &query, line);

	return lookup_queue_put(q, &request, with_reply);
}

static const struct kind_row {
	const char *label;
	enum lookup_kind kind;
	bool with_reply;
	const char *reply;	/* that comes out */
} kind_rows[] = {
	{ "to be proven", LOOKUP_PROVE, false, "511 Listed" },
	{ "sessions to terminate", LOOKUP_END, false, "511 Listed" },
	{ "a session", LOOKUP_SESSION, false, "511 Listed" },
	{ "an unknown form", LOOKUP_UNKNOWN, false, "511 Listed" },
	{ "a block for an event", LOOKUP_BLOCK, true, "511 Listed" },
	{ "a block", LOOKUP_BLOCK, false, "" },
};

TEST_ROWS(comes_out_as_it_went_in, kind_rows)
{
	const struct courierlog_line line = reject("511 Listed", 10);
	struct lookup_queue *q = NULL;
	struct lookup_request out;
	struct courierlog_line got;

	want_int(lookup_queue_new(&q), 0);
	want_int(put(q, row->kind, &line, row->with_reply), 0);
	want_int(put(q, LOOKUP_PROVE, &line, false), 0);
	want_int(lookup_queue_take(q, &out), true);
	want_int(out.kind, row->kind);
	want_int(out.query.hint, 77);
	want_int(out.termination.smtpd.process.fd, -1);
	lookup_request_line(&out, &got);
	want_int(got.kind, COURIERLOG_REJECT);
	want_int(got.port, 41703);
	want_int(got.code, 511);
	want_int(got.times, 4);
	want_int(addr_compare(&got.addr, &query.addr), 0);
	want_int(got.reply_len, strlen(row->reply));
	want_mem(got.reply, row->reply, got.reply_len);
	want_int(lookup_queue_take(q, &out), true);
	want_int(out.kind, LOOKUP_PROVE);
	want_int(lookup_queue_take(q, &out), false);
	lookup_queue_free(q);
}

TEST(overlong_reply_is_cut)
{
	struct lookup_request request;
	struct courierlog_line line;
	char text[400];

	memset(text, 'r', sizeof(text));
	line = reject(text, sizeof(text));
	request = lookup_request_of(LOOKUP_PROVE, &query, &line);
	want_int(request.reply_len, LOOKUP_REPLY_SIZE);
}

/* A flood of searches leaves room for blocks. */
TEST(one_too_many_is_refused)
{
	const struct courierlog_line line = reject("511 x", 5);
	struct lookup_queue *q = NULL;
	struct lookup_request out;
	unsigned int i;

	want_int(lookup_queue_new(&q), 0);
	for (i = 0; i < LOOKUP_QUEUE_MAX; i++)
		want_int(put(q, i % 2 ? LOOKUP_PROVE : LOOKUP_END, &line, false), 0);
	want_int(put(q, LOOKUP_PROVE, &line, false), -ENOSPC);
	want_int(put(q, LOOKUP_END, &line, false), -ENOSPC);
	for (; i < REQUESTS_MAX; i++)
		want_int(put(q, LOOKUP_BLOCK, &line, false), 0);
	want_int(put(q, LOOKUP_BLOCK, &line, false), -ENOSPC);
	want_int(put(q, LOOKUP_SESSION, &line, false), -ENOSPC);
	want_int(lookup_queue_take(q, &out), true);
	want_int(put(q, LOOKUP_PROVE, &line, false), 0);
	want_int(put(q, LOOKUP_PROVE, &line, false), -ENOSPC);
	lookup_queue_free(q);
}

/* Sessions that nobody takes are released. */
TEST(no_descriptor_is_left)
{
	const struct courierlog_line line = reject("511 x", 5);
	struct lookup_request request = lookup_request_of(LOOKUP_SESSION, &query, &line);
	struct lookup_queue *q = NULL;
	int fd = dup(STDERR_FILENO);

	request.termination.smtpd.process.fd = fd;
	want_int(lookup_queue_new(&q), 0);
	want_int(lookup_queue_put(q, &request, false), 0);
	lookup_queue_free(q);
	want_int(fcntl(fd, F_GETFD), -1);
}

static int put_some(void *data)
{
	const struct courierlog_line line = reject("511 x", 5);
	struct lookup_queue *q = NULL;
	int r;

	(void)data;
	r = lookup_queue_new(&q);
	if (r == 0)
		r = put(q, LOOKUP_PROVE, &line, false);
	lookup_queue_free(q);
	return r;
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(put_some, NULL) >= 4, true);
}
