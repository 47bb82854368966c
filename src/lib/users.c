/* Looks up users in the system's user database, which may take any time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/users.h"

#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <stdatomic.h>
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
	struct thread thread;
	bool asked;		/* there is a thread, which writes these: */
	int result;
	uid_t uid;
	/* Set by the thread and by user_lookup_free(): the second one frees. */
	atomic_bool is_left;
	char name[];
};

int user_lookup_new(const char *name, struct user_lookup **ret_lookup)
{
	size_t size = strlen(name) + 1;
	struct user_lookup *l = calloc(1, sizeof(*l) + size);

	if (!l)
		return -ENOMEM;
	memcpy(l->name, name, size);
	*ret_lookup = l;
	return 0;
}

static void leave(struct user_lookup *l)
{
	if (atomic_exchange(&l->is_left, true))
		free(l);
}

/* Has the thread ended, until that time? Then there is none any more. */
static bool has_ended(struct user_lookup *l, const struct timespec *until)
{
	if (pthread_clockjoin_np(l->thread.id, NULL, CLOCK_MONOTONIC, until) != 0)
		return false;
	l->asked = false;
	/* Thread sanitizers do not know this join. */
	return atomic_exchange(&l->is_left, false);
}

bool user_lookup_free(struct user_lookup *lookup)
{
	const struct timespec now = clock_deadline(0);

	if (!lookup)
		return true;
	if (!lookup->asked || has_ended(lookup, &now)) {
		free(lookup);
		return true;
	}
	pthread_detach(lookup->thread.id);
	leave(lookup);
	return false;
}

const char *user_lookup_name(const struct user_lookup *lookup)
{
	return lookup->name;
}

static void thread_main(void *data)
{
	struct user_lookup *l = data;

	l->uid = 0;
	l->result = users_find(l->name, &l->uid);
	leave(l);
}

int user_lookup_ask(struct user_lookup *lookup, unsigned int wait_ms, uid_t *ret_uid)
{
	const struct timespec until = clock_deadline(lookup->asked ? 0 : wait_ms);
	int r;

	if (!lookup->asked) {
		r = thread_start(&lookup->thread, "smtpblock-user", thread_main, lookup);
		if (r < 0)
			return r;
		lookup->asked = true;
	}
	if (!has_ended(lookup, &until))
		return -ETIMEDOUT;
	if (lookup->result == 0)
		*ret_uid = lookup->uid;
	return lookup->result;
}
