/* Threads of the module.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/thread.h"

#include <signal.h>
#include <stddef.h>

/* The thread names itself: for another thread to do it, pthread_setname_np() would have to
 * open a file. */
static void *run(void *data)
{
	const struct thread *thread = data;

	pthread_setname_np(pthread_self(), thread->name);
	thread->main(thread->data);
	return NULL;
}

int thread_start(struct thread *thread, const char *name, void (*main)(void *data), void *data)
{
	sigset_t all, old;
	int err;

	thread->name = name;
	thread->main = main;
	thread->data = data;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread->id, NULL, run, thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}
