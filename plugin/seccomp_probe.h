/* Would a seccomp filter kill us for a system call?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_SECCOMP_PROBE_H
#define OMSMTPBLOCK_SECCOMP_PROBE_H

#include <stdbool.h>

/* May this process make the system call with this number (SYS_pidfd_getfd) without being killed?
 * The call must do nothing if its first two arguments are -1 and the others 0. systemd's
 * SystemCallFilter= kills the process for a call it does not list, unless the unit has
 * SystemCallErrorNumber=, and @system-service does not list pidfd_getfd(2) (@debug does:
 * systemd.exec(5), systemd-analyze syscall-filter). A seccomp filter cannot be queried, so
 * when one is active a helper process makes the call. It is cloned without an exit signal,
 * so rsyslogd gets no SIGCHLD. Returns true at once if there is no filter. Not for workers. */
bool seccomp_allows(long call);

#endif
