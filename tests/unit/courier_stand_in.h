/* The interface between tests and the stand-ins for courier's processes.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_COURIER_STAND_IN_H
#define TESTS_COURIER_STAND_IN_H

#include <sys/types.h>

/* Descriptors of the stand-ins. */
#define STAND_IN_FIRST 3
#define STAND_IN_ENDS 4
#define STAND_IN_CONTROL 3	/* requests to couriertcpd, one per read(2) */
#define STAND_IN_REPORT 4	/* each process writes a struct stand_in_report once it runs */
#define STAND_IN_GATE 5		/* a byte lets one forked child exec */
#define STAND_IN_HOLD 6		/* all of them exit when its other end is closed */

/* First byte of a request: the kind of connection. The environment follows. */
#define STAND_IN_PLAIN 'p'
#define STAND_IN_STARTTLS 's'
#define STAND_IN_SMTPS 't'
#define STAND_IN_FORKED 'f'

/* The role in a report; a forked process reports STAND_IN_FORKED. */
#define STAND_IN_TCPD 'D'
#define STAND_IN_TLS 'T'
#define STAND_IN_SMTPD 'S'

struct stand_in_report {
	pid_t pid;
	char role;
};

#endif
