/* Looks up users in the system's user database, which may take any time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/users.h"

#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/thread.h"

/* Size of the first buffer for an entry of the database, and of the largest. */
#define ENTRY_SIZE 4096
#define ENTRY_SIZE_MAX (ENTRY_SIZE * 256)

/* Returns 0; -ERANGE: the buffer is too small; otherwise as users_find(). */
static int find(const char *name, char *buf, size_t size, uid_t *ret_uid)
{
	struct passwd pwd, *found = NULL;
	int err = getpwnam_r(name, &pwd, buf, size, &found);

	if (found) {
		*ret_uid = pwd.pw_uid;
		return 0;
	}
	/* getpwnam_r(3) lists these as "not found", besides 0. */
	if (err == 0 || err == ENOENT || err == ESRCH || err == EBADF ||
	    err == EPERM)
		return -ENOENT;
	return -err;
}

int users_find(const char *name, uid_t *ret_uid)
{
	int r = -ERANGE;
	size_t size;
	char *buf;

	for (size = ENTRY_SIZE; r == -ERANGE && size <= ENTRY_SIZE_MAX; size *= 4) {
		buf = malloc(size);
		if (!buf)
			return -ENOMEM;
		r = find(name, buf, size, ret_uid);
		free(buf);
	}
	return r;
}

struct user_lookup {
	pthread_mutex_t lock;	/* protects all below */
	pthread_cond_t answered;
	struct thread thread;
	bool asked;		/* there is a thread.. */
	bool done;		/* ..and it has the answer */
	bool abandoned;		/* the thread owns this */
	int result;
	uid_t uid;
	char name[];
};

int user_lookup_new(const char *name, struct user_lookup **ret_lookup)
{
	size_t size = strlen(name) + 1;
	struct user_lookup *l = calloc(1, sizeof(*l) + size);
	pthread_condattr_t attributes;

	if (!l)
		return -ENOMEM;
	memcpy(l->name, name, size);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&l->answered, &attributes);
	pthread_condattr_destroy(&attributes);
	*ret_lookup = l;
	return 0;
}

static void destroy(struct user_lookup *l)
{
	pthread_cond_destroy(&l->answered);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

bool user_lookup_free(struct user_lookup *lookup)
{
	bool waits;

	if (!lookup)
		return true;
	pthread_mutex_lock(&lookup->lock);
	waits = lookup->asked && !lookup->done;
	lookup->abandoned = waits;
	if (waits)
		pthread_detach(lookup->thread.id);
	pthread_mutex_unlock(&lookup->lock);
	if (waits)
		return false;
	if (lookup->asked)
		pthread_join(lookup->thread.id, NULL);
	destroy(lookup);
	return true;
}

const char *user_lookup_name(const struct user_lookup *lookup)
{
	return lookup->name;
}

static void thread_main(void *data)
{
	struct user_lookup *l = data;
	uid_t uid = 0;
	int r = users_find(l->name, &uid);
	bool abandoned;

	pthread_mutex_lock(&l->lock);
	l->result = r;
	l->uid = uid;
	l->done = true;
	abandoned = l->abandoned;
	pthread_cond_signal(&l->answered);
	pthread_mutex_unlock(&l->lock);
	if (abandoned)
		destroy(l);
}

/* Call with the lock. */
static int start(struct user_lookup *l, unsigned int wait_ms)
{
	const struct timespec until = clock_deadline(wait_ms);
	int r = thread_start(&l->thread, "smtpblock-user", thread_main, l);

	if (r < 0)
		return r;
	l->asked = true;
	l->done = false;
	while (!l->done && pthread_cond_timedwait(&l->answered, &l->lock, &until) == 0)
		;
	return 0;
}

/* Call with the lock. The thread has no more to do than to end. */
static int take_answer(struct user_lookup *l, uid_t *ret_uid)
{
	pthread_join(l->thread.id, NULL);
	l->asked = false;
	if (l->result == 0)
		*ret_uid = l->uid;
	return l->result;
}

int user_lookup_ask(struct user_lookup *lookup, unsigned int wait_ms, uid_t *ret_uid)
{
	int r = 0;

	pthread_mutex_lock(&lookup->lock);
	if (!lookup->asked)
		r = start(lookup, wait_ms);
	if (r == 0)
		r = lookup->done ? take_answer(lookup, ret_uid) : -ETIMEDOUT;
	pthread_mutex_unlock(&lookup->lock);
	return r;
}
