/* Threads of the module.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_THREAD_H
#define SMTPBLOCK_THREAD_H

#include <pthread.h>

struct thread {
	pthread_t id;
	const char *name;
	void (*main)(void *data);
	void *data;
};

/* Start a thread that runs main(data). It has this name, of at most 15 characters, and blocks
 * all signals: they are for rsyslogd's main thread. The caller joins or detaches thread->id;
 * *thread must exist as long as main() runs, and name as long as *thread. Returns 0 or
 * -errno. */
int thread_start(struct thread *thread, const char *name, void (*main)(void *data), void *data);

/* For the calling thread, if it only makes a few system calls at a time: on a machine without a
 * free CPU it runs as soon as it wakes, instead of some ms later, after the slices of other
 * processes. Its share of the CPU stays the same. (Linux 6.12, sched_setattr(2): sched_runtime of
 * SCHED_OTHER is the slice. Earlier kernels ignore it.) Makes sched_getattr(2) and
 * sched_setattr(2). */
void thread_shorten_slice(void);

#endif
