/* Read other users' processes, with a time limit for each.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/check/looks.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/check/host.h"

int looks_new(const struct procfs *procfs, struct looks **ret_looks)
{
	struct looks *looks = calloc(1, sizeof(*looks));
	int r = looks ? looker_new(procfs, &looks->looker) : -ENOMEM;

	if (r < 0) {
		free(looks);
		return r;
	}
	looks->procfs = *procfs;
	*ret_looks = looks;
	return 0;
}

void looks_free(struct looks *looks)
{
	if (!looks)
		return;
	(void)looker_free(looks->looker);
	free(looks);
}

static void remember(struct looks *looks, pid_t pid)
{
	struct looks_stuck stuck = { .pid = pid };

	if (looks->stuck_count < LOOKER_WAITING_MAX &&
	    procfs_read_status(&looks->procfs, pid, &stuck.status) == 0)
		looks->stuck[looks->stuck_count++] = stuck;
}

int looks_call(struct looks *looks, pid_t pid, looker_call_fn *call, void *data, size_t size)
{
	int r = looker_call(looks->looker, pid, call, data, size);

	if (r == -ETIMEDOUT)
		remember(looks, pid);
	return r;
}

struct proc_file {
	char name[32];
	ssize_t len;
	char text[LOOKS_TEXT_MAX];
};

_Static_assert(sizeof(struct proc_file) <= sizeof(struct procfs_look), "see looker_call()");

static int read_proc_file(const struct procfs *procfs, pid_t pid, void *data)
{
	struct proc_file *file = data;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%d/%s", procfs->root, (int)pid, file->name);
	file->len = host_read(path, file->text, sizeof(file->text));
	return file->len < 0 ? (int)file->len : 0;
}

ssize_t looks_read(struct looks *looks, pid_t pid, const char *name, char *buf, size_t size)
{
	struct proc_file file = { .len = 0 };
	size_t len;
	int r;

	snprintf(file.name, sizeof(file.name), "%s", name);
	r = looks_call(looks, pid, read_proc_file, &file, sizeof(file));
	if (r < 0)
		return r;
	len = (size_t)file.len < size ? (size_t)file.len : size - 1;
	memcpy(buf, file.text, len);
	buf[len] = '\0';
	return (ssize_t)len;
}
