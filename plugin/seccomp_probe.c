/* Would the kernel end us for a system call?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/seccomp_probe.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the process that may end for it, whatever is done about SIGSYS in this one; no
 * core of it is wanted. */
static void try_it(void)
{
	signal(SIGSYS, SIG_DFL);
	prctl(PR_SET_DUMPABLE, 0);
	syscall(SYS_pidfd_getfd, -1, -1, 0);
	syscall(SYS_exit_group, 0);
}

/* Like fork(2), but without a signal at its end: rsyslogd, which waits for any
 * child, does not see this one. No handlers of atfork run, nor do the two system
 * calls need any. */
static pid_t start_quietly(void)
{
	long pid = syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL);

	if (pid == 0)
		try_it();
	return (pid_t)pid;
}

bool seccomp_allows_pidfd_getfd(void)
{
	int status = 0;
	pid_t pid, r;

	if (prctl(PR_GET_SECCOMP) != SECCOMP_MODE_FILTER)
		return true;
	pid = start_quietly();
	if (pid < 0)
		return false;
	do {
		r = waitpid(pid, &status, (int)__WCLONE);
	} while (r < 0 && errno == EINTR);
	return r == pid && WIFEXITED(status);
}
