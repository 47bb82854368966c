/* Threads of the module.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/thread.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHORT_SLICE_NS 100000	/* the shortest one */

/* struct sched_attr of <linux/sched/types.h>, which cannot be included beside <sched.h>. */
struct schedule {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;	/* in ns */
};

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

void thread_shorten_slice(void)
{
	struct schedule schedule = { .size = sizeof(schedule) };

	if (syscall(SYS_sched_getattr, 0, &schedule, sizeof(schedule), 0) < 0 ||
	    schedule.policy != SCHED_OTHER)
		return;
	schedule.flags = 0;
	schedule.runtime = SHORT_SLICE_NS;
	(void)syscall(SYS_sched_setattr, 0, &schedule, 0);
}
