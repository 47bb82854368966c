/* What tests and the processes that stand in for courier's agree on.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_COURIER_STAND_IN_H
#define TESTS_COURIER_STAND_IN_H

#include <sys/types.h>

/* Descriptors they are started with. */
#define STAND_IN_CONTROL 3	/* requests to couriertcpd, one a read(2) */
#define STAND_IN_REPORT 4	/* a struct stand_in_report of each once it is up */
#define STAND_IN_GATE 5		/* a byte lets one forked child exec */
#define STAND_IN_HOLD 6		/* at its end all of them end */

/* First byte of a request: what to start. The environment follows. */
#define STAND_IN_PLAIN 'p'
#define STAND_IN_STARTTLS 's'
#define STAND_IN_SMTPS 't'
#define STAND_IN_FORKED 'f'

/* Who reports; a forked child does so with STAND_IN_FORKED. */
#define STAND_IN_TCPD 'D'
#define STAND_IN_TLS 'T'
#define STAND_IN_SMTPD 'S'

struct stand_in_report {
	pid_t pid;
	char role;
};

#endif
