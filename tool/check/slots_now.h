/* Slots in use, for each couriertcpd.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_SLOTS_NOW_H
#define SMTPBLOCKCTL_SLOTS_NOW_H

#include "courier/tcpd.h"
#include "tool/check/host.h"

/* Longest port text, NUL included: "25", "smtp", "25,587". */
#define SLOTS_NOW_PORT_SIZE 64

struct slots_now {
	pid_t pid;		/* the couriertcpd */
	char port[SLOTS_NOW_PORT_SIZE];	/* as on its command line; "" unknown */
	enum tcpd_proxy proxy;	/* -haproxy on its command line */
	bool proxy_ignored;	/* the option has no value */
	size_t used;		/* its children without the logger */
	long max;		/* -maxprocs on its command line, or else MAXDAEMONS in the
				 * file esmtpd; 0 unknown */
};

/* Only what stands on the command line of this couriertcpd. */
void slots_now_describe(const struct host *host, pid_t pid, struct slots_now *ret_listener);

/* Count the slots of each couriertcpd of the host. Returns their number; those that exit
 * meanwhile are left out. */
size_t slots_now_read(const struct host *host,
		      struct slots_now ret_counts[static HOST_DAEMONS_MAX]);

#endif
