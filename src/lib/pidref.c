/* A pinned process.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/pidref.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int pidref_end(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	return limit.rlim_cur > PIDREF_SPARE ? (int)limit.rlim_cur - PIDREF_SPARE : 1;
}

/* Uses syscall(2), as RHEL 9's C library has no wrappers yet. */
int pidref_open(pid_t pid, struct pidref *ret_ref)
{
	long fd;

	if (pid <= 0)
		return -EINVAL;
	fd = syscall(SYS_pidfd_open, pid, 0);
	/* For a thread's ID Linux returns EINVAL, since 6.15 ENOENT. */
	if (fd < 0)
		return errno == ENOENT ? -EINVAL : -errno;
	ret_ref->pid = pid;
	ret_ref->fd = (int)fd;
	return 0;
}

void pidref_done(struct pidref *ref)
{
	static const struct pidref none = PIDREF_NONE;

	if (ref->fd >= 0)
		close(ref->fd);
	*ref = none;
}

struct pidref pidref_take(struct pidref *ref)
{
	static const struct pidref none = PIDREF_NONE;
	struct pidref taken = *ref;

	*ref = none;
	return taken;
}

int pidref_check(const struct pidref *ref)
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

int pidref_signal(const struct pidref *ref, int signal)
{
	if (syscall(SYS_pidfd_send_signal, ref->fd, signal, NULL, 0) < 0)
		return -errno;
	return 0;
}
