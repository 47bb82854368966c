/* Threads of the module.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/thread.h"

#include <errno.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/unit/support.h"

/* What a thread finds. */
struct seen {
	char name[16];
	sigset_t blocked;
};

static bool fails;

int __real_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
			  void *(*main)(void *), void *data);
int __wrap_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
			  void *(*main)(void *), void *data);

int __wrap_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
			  void *(*main)(void *), void *data)
{
	return fails ? EAGAIN : __real_pthread_create(ret_thread, attributes, main, data);
}

static void look(void *data)
{
	struct seen *seen = data;

	pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
	pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
}

/* The signals that may be caught and that libc does not keep for itself. */
static unsigned int open_signals(const sigset_t *blocked)
{
	unsigned int count = 0;
	int sig;

	for (sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && !sigismember(blocked, sig))
			count++;
	return count;
}

TEST(has_its_name_and_no_signals)
{
	struct seen seen = { .name = "" };
	struct thread thread;

	want_int(thread_start(&thread, "fifteen letters", look, &seen), 0);
	want_int(pthread_join(thread.id, NULL), 0);
	want_str(seen.name, "fifteen letters");
	want_int(open_signals(&seen.blocked), 0);
}

/* With and without an error. */
TEST(callers_signals_stay)
{
	struct seen before = { .name = "" }, now = { .name = "" }, seen = { .name = "" };
	struct thread thread;

	look(&before);
	want_int(thread_start(&thread, "thread", look, &seen), 0);
	want_int(pthread_join(thread.id, NULL), 0);
	fails = true;
	want_int(thread_start(&thread, "thread", look, &seen), -EAGAIN);
	fails = false;
	look(&now);
	want_int(open_signals(&now.blocked), open_signals(&before.blocked));
	want_str(now.name, before.name);
}

/* The slice is bytes 24 to 31 of struct sched_attr. */
static void shorten(void *data)
{
	uint64_t *slice = data, attr[7];

	want_int(setpriority(PRIO_PROCESS, 0, 3), 0);
	thread_shorten_slice();
	want_int(getpriority(PRIO_PROCESS, 0), 3);
	want_int(sched_getscheduler(0), SCHED_OTHER);
	want_int(syscall(SYS_sched_getattr, 0, attr, sizeof(attr), 0), 0);
	*slice = attr[3];
}

TEST(slice_is_short_and_the_rest_stays)
{
	unsigned int major, minor;
	struct utsname kernel;
	struct thread thread;
	uint64_t slice = 1;

	want_int(uname(&kernel), 0);
	want_int(sscanf(kernel.release, "%u.%u", &major, &minor), 2);
	want_int(thread_start(&thread, "short", shorten, &slice), 0);
	want_int(pthread_join(thread.id, NULL), 0);
	want_int(slice, major > 6 || (major == 6 && minor >= 12) ? 100000 : 0);
}
