/* Looks up users. test_settings.c has the database's errors.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/users.h"

#include <errno.h>
#include <pwd.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/thread.h"
#include "tests/unit/support.h"

/* Longer than a lookup that answers takes, shorter than the test's limit. */
#define LONG_MS 5000
#define SHORT_MS 20

/* The user database: hangs until the test lets it answer. */
static struct {
	sem_t gate;
	atomic_bool hangs;
	atomic_uint asked;
	atomic_int err;
} database;

static int thread_err;

int __real_getpwnam_r(const char *name, struct passwd *pwd, char *buf, size_t size,
		      struct passwd **ret_found);
int __wrap_getpwnam_r(const char *name, struct passwd *pwd, char *buf, size_t size,
		      struct passwd **ret_found);

int __wrap_getpwnam_r(const char *name, struct passwd *pwd, char *buf, size_t size,
		      struct passwd **ret_found)
{
	atomic_fetch_add(&database.asked, 1);
	if (atomic_load(&database.hangs))
		sem_wait(&database.gate);
	*ret_found = NULL;
	if (atomic_load(&database.err))
		return atomic_load(&database.err);
	return __real_getpwnam_r(name, pwd, buf, size, ret_found);
}

int __real_thread_start(struct thread *thread, const char *name, void (*main)(void *data),
			void *data);
int __wrap_thread_start(struct thread *thread, const char *name, void (*main)(void *data),
			void *data);

int __wrap_thread_start(struct thread *thread, const char *name, void (*main)(void *data),
			void *data)
{
	return thread_err ? thread_err : __real_thread_start(thread, name, main, data);
}

static struct user_lookup *new_lookup(const char *name)
{
	struct user_lookup *l = NULL;

	sem_init(&database.gate, 0, 0);
	atomic_store(&database.hangs, false);
	atomic_store(&database.err, 0);
	atomic_store(&database.asked, 0);
	thread_err = 0;
	want_int(user_lookup_new(name, &l), 0);
	want_str(user_lookup_name(l), name);
	return l;
}

TEST(answers_at_once)
{
	struct user_lookup *l = new_lookup("root");
	uid_t uid = 4711;

	want_int(user_lookup_ask(l, LONG_MS, &uid), 0);
	want_int(uid, 0);
	want_int(database.asked, 1);
	want_int(user_lookup_ask(l, LONG_MS, &uid), 0);
	want_int(database.asked, 2);
	want_int(user_lookup_free(l), true);
	want_int(user_lookup_free(NULL), true);
}

TEST(reports_errors)
{
	struct user_lookup *l = new_lookup("root");
	uid_t uid = 4711;

	atomic_store(&database.err, EIO);
	want_int(user_lookup_ask(l, LONG_MS, &uid), -EIO);
	atomic_store(&database.err, ENOENT);
	want_int(user_lookup_ask(l, LONG_MS, &uid), -ENOENT);
	want_int(uid, 4711);
	thread_err = -EAGAIN;
	want_int(user_lookup_ask(l, LONG_MS, &uid), -EAGAIN);
	want_int(user_lookup_free(l), true);
}

/* Ask until it answers. */
static int answer(struct user_lookup *l, uid_t *ret_uid)
{
	int64_t end = clock_ms() + LONG_MS;
	int r;

	do
		r = user_lookup_ask(l, LONG_MS, ret_uid);
	while (r == -ETIMEDOUT && clock_ms() < end);
	return r;
}

/* One thread waits for a database that hangs, the caller only once; the late answer counts. */
TEST(late_answer_counts)
{
	struct user_lookup *l = new_lookup("root");
	int64_t before;
	uid_t uid = 4711;

	atomic_store(&database.hangs, true);
	want_int(user_lookup_ask(l, SHORT_MS, &uid), -ETIMEDOUT);
	before = clock_ms();
	want_int(user_lookup_ask(l, LONG_MS, &uid), -ETIMEDOUT);
	want_int(clock_ms() - before < LONG_MS / 2, true);
	want_int(database.asked, 1);
	want_int(uid, 4711);
	sem_post(&database.gate);
	want_int(answer(l, &uid), 0);
	want_int(uid, 0);
	want_int(user_lookup_free(l), true);
}

/* The thread frees the memory; the leak checker and the address sanitizer look at that. */
TEST(freed_while_it_hangs)
{
	struct user_lookup *l = new_lookup("root");
	uid_t uid;

	atomic_store(&database.hangs, true);
	want_int(user_lookup_ask(l, SHORT_MS, &uid), -ETIMEDOUT);
	want_int(user_lookup_free(l), false);
	sem_post(&database.gate);
}

TEST(freed_with_an_answer_that_nobody_took)
{
	struct user_lookup *l = new_lookup("root");
	uid_t uid;
	int64_t end = clock_ms() + LONG_MS;

	atomic_store(&database.hangs, true);
	want_int(user_lookup_ask(l, 0, &uid), -ETIMEDOUT);
	sem_post(&database.gate);
	while (atomic_load(&database.asked) == 0 && clock_ms() < end)
		;
	user_lookup_free(l);
}
