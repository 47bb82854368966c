/* Clocks that stand still, for smtpblockctl inside a test: see ctl.h.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <time.h>

#include "tests/tool/clock_stub.h"

int __wrap_clock_getres(clockid_t clock, struct timespec *ret_tick);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);
time_t __wrap_time(time_t *ret_now);
int __real_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __real_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
				  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
				  const struct timespec *until);

int __wrap_clock_getres(clockid_t clock, struct timespec *ret_tick)
{
	(void)clock;
	*ret_tick = (struct timespec){ .tv_nsec = 1000000000 / CTL_HZ };
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	*ret_now = (struct timespec){ .tv_sec = clock == CLOCK_REALTIME ? CTL_NOW : CTL_UP };
	return 0;
}

/* A wait takes real time. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
				  const struct timespec *until)
{
	struct timespec real;

	__real_clock_gettime(CLOCK_MONOTONIC, &real);
	real.tv_sec += until->tv_sec - CTL_UP;
	real.tv_nsec += until->tv_nsec;
	real.tv_sec += real.tv_nsec / 1000000000;
	real.tv_nsec %= 1000000000;
	return __real_pthread_cond_timedwait(condition, lock, &real);
}

time_t __wrap_time(time_t *ret_now)
{
	if (ret_now)
		*ret_now = CTL_NOW;
	return CTL_NOW;
}
