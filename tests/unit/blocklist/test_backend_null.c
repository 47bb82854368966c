/* The backend that changes nothing.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/backend.h"

#include <errno.h>

#include "tests/unit/support.h"

static int no_entry(void *ctx, const struct backend_entry *entry)
{
	(void)ctx;
	(void)entry;
	fail();
	return 0;
}

TEST(takes_all_and_keeps_nothing)
{
	const struct addr addr = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } };
	const struct backend_config config = { .list = "spammer" };
	const struct backend_ops *ops = &backend_null_ops;
	struct backend *b = NULL;
	char buf[8] = "x";

	want_int(ops->open(&config, &b), 0);
	want_int(b->ops == ops, true);
	want_int(ops->add(b, &(struct backend_block){ .addr = addr }), BACKEND_WRITTEN);
	want_int(ops->check(b, ADDR_IPV4), BACKEND_WRITTEN);
	want_int(ops->check(b, ADDR_IPV6), BACKEND_WRITTEN);
	want_int(ops->capacity(b) == SIZE_MAX, true);
	want_str(ops->advice(b, ADDR_IPV4, ENOENT, buf, sizeof(buf)), "");
	want_int(ops->foreach(b, ADDR_IPV4, no_entry, NULL), 0);
	want_int(ops->drop(b, &addr), 0);
	want_int(ops->remove(b, &addr), -ESRCH);
	want_int(ops->flush(b, ADDR_IPV4), 0);
	ops->free(b);
	ops->free(NULL);
}

static int open_one(void *data)
{
	const struct backend_config config = { .list = "spammer" };
	struct backend *b = NULL;
	int r = backend_null_ops.open(&config, &b);

	(void)data;
	backend_null_ops.free(b);
	return r;
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(open_one, NULL), 1);
}
