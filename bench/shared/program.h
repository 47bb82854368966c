/* What the programs of the bench share.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <time.h>

/* Print "PROGRAM: what: " and the error in errno, and exit with 2. */
_Noreturn void die(const char *what);

/* The clock, in ns. */
double now_ns(clockid_t clock);

void sleep_us(unsigned long us);

/* A datagram socket connected to that of a log; dies if there is none. */
int connect_log(const char *path);

/* The time as syslog(3) writes it. */
#define STAMP_SIZE 32
void format_stamp(char stamp[static STAMP_SIZE]);

#endif
