/* The backend that writes to no list: for tests, and if sessions are only to be terminated.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/backend.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static int null_open(const struct backend_config *config,
		     struct backend **ret_backend)
{
	struct backend *b = calloc(1, sizeof(*b));

	(void)config;
	if (!b)
		return -ENOMEM;
	b->ops = &backend_null_ops;
	*ret_backend = b;
	return 0;
}

static int null_add(struct backend *backend, const struct backend_block *block)
{
	(void)backend;
	(void)block;
	return BACKEND_WRITTEN;
}

static int null_check(struct backend *backend, int family)
{
	(void)backend;
	(void)family;
	return BACKEND_WRITTEN;
}

static int null_drop(struct backend *backend, const struct addr *addr)
{
	(void)backend;
	(void)addr;
	return 0;
}

static int null_remove(struct backend *backend, const struct addr *addr)
{
	(void)backend;
	(void)addr;
	return -ESRCH;
}

static int null_flush(struct backend *backend, int family)
{
	(void)backend;
	(void)family;
	return 0;
}

static int null_foreach(struct backend *backend, int family, backend_entry_fn *fn, void *ctx)
{
	(void)backend;
	(void)family;
	(void)fn;
	(void)ctx;
	return 0;
}

static size_t null_capacity(struct backend *backend)
{
	(void)backend;
	return SIZE_MAX;
}

static char *null_advice(const struct backend *backend, int family, int err,
			 char *buf, size_t size)
{
	(void)backend;
	(void)family;
	(void)err;
	if (size > 0)
		buf[0] = '\0';
	return buf;
}

static void null_free(struct backend *backend)
{
	free(backend);
}

const struct backend_ops backend_null_ops = {
	.name = "null",
	.open = null_open,
	.add = null_add,
	.check = null_check,
	.drop = null_drop,
	.remove = null_remove,
	.flush = null_flush,
	.foreach = null_foreach,
	.capacity = null_capacity,
	.advice = null_advice,
	.free = null_free,
};
