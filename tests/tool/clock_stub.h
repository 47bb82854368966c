/* Clocks that stand still, for smtpblockctl inside a test.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CLOCK_STUB_H
#define TESTS_CLOCK_STUB_H

/* 100000 s after the start, 250 ticks a second, and a moment in UTC. Needs --wrap for time,
 * clock_gettime, clock_getres and pthread_cond_timedwait. */
#define CTL_UP 100000
#define CTL_HZ 250
#define CTL_NOW 1700000000

#endif
