/* Would the kernel end us for a system call?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef OMSMTPBLOCK_SECCOMP_PROBE_H
#define OMSMTPBLOCK_SECCOMP_PROBE_H

#include <stdbool.h>

/* May this process call pidfd_getfd(2) and live? The filter that systemd's
 * SystemCallFilter= makes ends the process for a call that it does not name, if
 * the unit has no SystemCallErrorNumber=, and @system-service does not name this
 * one (@debug does: systemd.exec(5), systemd-analyze syscall-filter). Nobody can
 * be asked what a filter forbids: so, where there is one, a process of its own
 * tries, of which nobody hears (no SIGCHLD). Without a filter the answer is yes,
 * at once. Not for workers. */
bool seccomp_allows_pidfd_getfd(void);

#endif
