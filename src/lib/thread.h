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

#endif
