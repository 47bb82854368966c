/* A process that is held fast.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/procref.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By number: RHEL 9's C library has no wrappers yet. */
int procref_open(pid_t pid, struct procref *ret_ref)
{
	long fd;

	if (pid <= 0)
		return -EINVAL;
	fd = syscall(SYS_pidfd_open, pid, 0);
	/* Of a thread's ID Linux says EINVAL, since 6.15 ENOENT. */
	if (fd < 0)
		return errno == ENOENT ? -EINVAL : -errno;
	ret_ref->pid = pid;
	ret_ref->fd = (int)fd;
	return 0;
}

void procref_done(struct procref *ref)
{
	static const struct procref none = PROCREF_NONE;

	if (ref->fd >= 0)
		close(ref->fd);
	*ref = none;
}

struct procref procref_take(struct procref *ref)
{
	static const struct procref none = PROCREF_NONE;
	struct procref taken = *ref;

	*ref = none;
	return taken;
}

int procref_check(const struct procref *ref)
{
	struct pollfd p = { .fd = ref->fd, .events = POLLIN };
	int n;

	if (ref->fd < 0)
		return -ESRCH;
	n = poll(&p, 1, 0);
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;
	return p.revents & POLLIN ? -ESRCH : -EBADF;
}

int procref_signal(const struct procref *ref, int signal)
{
	if (syscall(SYS_pidfd_send_signal, ref->fd, signal, NULL, 0) < 0)
		return -errno;
	return 0;
}
