/* Would the kernel kill this process for a system call? Each point is a process with its own
 * filter.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/seccomp_probe.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/guard.h"
#include "tests/unit/support.h"

static const struct row {
	const char *label;
	bool filter;
	uint32_t action;	/* for pidfd_getfd; all else is allowed */
	bool want;
} rows[] = {
	{ "no filter", false, 0, true },
	{ "a filter that allows it", true, SECCOMP_RET_ALLOW, true },
	{ "one that refuses it", true, SECCOMP_RET_ERRNO | EPERM, true },
	{ "one that ends the process", true, SECCOMP_RET_KILL_PROCESS, false },
	{ "one that ends the thread", true, SECCOMP_RET_KILL_THREAD, false },
	{ "one that sends SIGSYS", true, SECCOMP_RET_TRAP, false },
};

static int set_filter(uint32_t action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT_OF(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

static volatile sig_atomic_t notified;

static void tell(int signal)
{
	(void)signal;
	notified++;
}

/* Side effects that rsyslogd could notice. */
static int try_row(const struct row *row)
{
	signal(SIGCHLD, tell);
	if (row->filter && set_filter(row->action) < 0)
		return 2;
	if (seccomp_allows(SYS_pidfd_getfd) != row->want)
		return 3;
	if (!seccomp_allows(SYS_sched_setattr))
		return 6;
	if (notified)
		return 4;
	return waitpid(-1, NULL, __WALL | WNOHANG) == -1 && errno == ECHILD ? 0 : 5;
}

TEST_ROWS(tells, rows)
{
	pid_t pid = guard_fork();
	int status;

	if (pid == 0)
		_exit(try_row(row));
	want_int(waitpid(pid, &status, 0), pid);
	want_int(WIFEXITED(status), true);
	want_int(WEXITSTATUS(status), 0);
}
