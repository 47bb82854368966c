/* Reads processes that may delay the reader, within a bounded time.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/looker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/thread.h"

enum state {
	STATE_IDLE,	/* waits for a job */
	STATE_ASKED,	/* has a job */
	STATE_ANSWERED,	/* the caller may read result and look */
	STATE_LOST,	/* the caller has stopped waiting */
	STATE_QUIT,
};

struct job {
	pid_t pid;
	looker_call_fn *call;	/* of looker_call(); else NULL */
	bool environment;	/* of looker_look() */
	int pidfd, fd;		/* of looker_get_fd(); else pidfd is -1 */
};

/* A thread and its job. */
struct task {
	struct looker *looker;
	struct thread thread;
	enum state state;
	struct job job;
	int result;
	struct procfs_look look;	/* for looker_call(): data */
};

struct looker {
	struct procfs procfs;
	bool no_fd, short_slices;
	unsigned int wait_ms;
	pthread_mutex_t lock;	/* protects all below and the state of tasks */
	pthread_cond_t changed;
	struct task *task;	/* gets the next job; NULL: start one */
	pid_t waiting_for[LOOKER_WAITING_MAX];	/* the processes that lost threads wait for */
	size_t waiting_count;
	unsigned int users;	/* the owner and all threads */
};

/* Deadlines use CLOCK_MONOTONIC, as the time of day may be changed. */
static int init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	int err;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	err = pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
	return -err;
}

int looker_new(const struct procfs *procfs, struct looker **ret_looker)
{
	struct looker *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	if (init_condition(&l->changed) < 0) {
		free(l);
		return -ENOMEM;
	}
	pthread_mutex_init(&l->lock, NULL);
	l->procfs = *procfs;
	l->wait_ms = LOOKER_WAIT_MS;
	l->users = 1;
	*ret_looker = l;
	return 0;
}

void looker_set_wait(struct looker *looker, unsigned int ms)
{
	looker->wait_ms = ms;
}

void looker_shorten_slices(struct looker *looker)
{
	looker->short_slices = true;
}

void looker_forbid_fd(struct looker *looker)
{
	looker->no_fd = true;
}

/* Call with the lock. Unlocks it and frees it with the last user. */
static bool leave(struct looker *l)
{
	bool last = --l->users == 0;

	pthread_mutex_unlock(&l->lock);
	if (last) {
		pthread_cond_destroy(&l->changed);
		pthread_mutex_destroy(&l->lock);
		free(l);
	}
	return last;
}

bool looker_free(struct looker *looker)
{
	struct task *task;

	if (!looker)
		return true;
	pthread_mutex_lock(&looker->lock);
	task = looker->task;
	if (task) {
		task->state = STATE_QUIT;
		pthread_cond_broadcast(&looker->changed);
		pthread_mutex_unlock(&looker->lock);
		pthread_join(task->thread.id, NULL);
		free(task);
		pthread_mutex_lock(&looker->lock);
	}
	return leave(looker);
}

static void do_job(struct task *task)
{
	const struct job *job = &task->job;
	long fd;

	if (job->call) {
		task->result = job->call(&task->looker->procfs, job->pid, &task->look);
		return;
	}
	if (job->pidfd < 0) {
		task->result = procfs_look(&task->looker->procfs, job->pid,
					   job->environment, &task->look);
		return;
	}
	fd = syscall(SYS_pidfd_getfd, job->pidfd, job->fd, 0);
	task->result = fd < 0 ? -errno : (int)fd;
}

/* The call of a lost thread has ended. Call with the lock. */
static void forget_lost(struct task *task)
{
	struct looker *l = task->looker;
	size_t i = 0;

	while (l->waiting_for[i] != task->job.pid)
		i++;
	l->waiting_for[i] = l->waiting_for[--l->waiting_count];
	if (task->job.pidfd >= 0 && task->result >= 0)
		close(task->result);
}

/* Do jobs until the task has to end. Call with the lock. */
static void serve(struct task *task)
{
	struct looker *l = task->looker;

	while (task->state != STATE_QUIT && task->state != STATE_LOST) {
		if (task->state != STATE_ASKED) {
			pthread_cond_wait(&l->changed, &l->lock);
			continue;
		}
		pthread_mutex_unlock(&l->lock);
		do_job(task);
		pthread_mutex_lock(&l->lock);
		if (task->state == STATE_ASKED)
			task->state = STATE_ANSWERED;
		pthread_cond_broadcast(&l->changed);
	}
}

static void task_main(void *data)
{
	struct task *task = data;
	struct looker *l = task->looker;

	if (l->short_slices)
		thread_shorten_slice();
	pthread_mutex_lock(&l->lock);
	serve(task);
	if (task->state == STATE_LOST) {
		forget_lost(task);
		free(task);
	}
	leave(l);
}

/* Start a thread if there is none. Call with the lock. */
static int need_task(struct looker *l)
{
	struct task *task;

	if (l->task)
		return 0;
	task = calloc(1, sizeof(*task));
	if (!task)
		return -ENOMEM;
	task->looker = l;
	if (thread_start(&task->thread, "smtpblock-look", task_main, task) < 0) {
		free(task);
		return -ENOMEM;
	}
	l->users++;
	l->task = task;
	return 0;
}

static bool keeps_waiting(const struct looker *l, pid_t pid)
{
	size_t i;

	for (i = 0; i < l->waiting_count; i++)
		if (l->waiting_for[i] == pid)
			return true;
	return l->waiting_count == LOOKER_WAITING_MAX;
}

/* Stop waiting for the thread, which frees itself when its call ends. Call with the lock. */
static void lose_task(struct looker *l)
{
	struct task *task = l->task;

	task->state = STATE_LOST;
	l->waiting_for[l->waiting_count++] = task->job.pid;
	l->task = NULL;
	pthread_detach(task->thread.id);
}

/* Give the job to the thread and wait for its result. Call with the lock. */
static int await(struct looker *l, const struct job *job)
{
	const struct timespec until = clock_deadline(l->wait_ms);
	struct task *task = l->task;

	task->job = *job;
	/* The thread may be too late to make the call: then there is no descriptor to close. */
	task->result = -ETIMEDOUT;
	task->state = STATE_ASKED;
	pthread_cond_broadcast(&l->changed);
	while (task->state == STATE_ASKED &&
	       pthread_cond_timedwait(&l->changed, &l->lock, &until) == 0)
		;
	if (task->state == STATE_ASKED) {
		lose_task(l);
		return -ETIMEDOUT;
	}
	task->state = STATE_IDLE;
	return task->result;
}

/* Make sure that l->task can get a job about this process. Call with the lock. */
static int prepare(struct looker *l, pid_t pid)
{
	return keeps_waiting(l, pid) ? -EBUSY : need_task(l);
}

/* Call with the lock. */
static int ask(struct looker *l, const struct job *job)
{
	int r = prepare(l, job->pid);

	return r < 0 ? r : await(l, job);
}

int looker_look(struct looker *looker, pid_t pid, bool environment,
		struct procfs_look *ret_look)
{
	const struct job job = { .pid = pid, .environment = environment, .pidfd = -1 };
	int r;

	pthread_mutex_lock(&looker->lock);
	r = ask(looker, &job);
	if (r == 0)
		procfs_look_copy(&looker->task->look, ret_look);
	pthread_mutex_unlock(&looker->lock);
	return r;
}

int looker_call(struct looker *looker, pid_t pid, looker_call_fn *call, void *data,
		size_t size)
{
	const struct job job = { .pid = pid, .call = call, .pidfd = -1 };
	int r;

	pthread_mutex_lock(&looker->lock);
	r = prepare(looker, pid);
	if (r == 0) {
		memcpy(&looker->task->look, data, size);
		r = await(looker, &job);
	}
	if (r == 0)
		memcpy(data, &looker->task->look, size);
	pthread_mutex_unlock(&looker->lock);
	return r;
}

int looker_get_fd(struct looker *looker, pid_t pid, int pidfd, int fd)
{
	const struct job job = { .pid = pid, .pidfd = pidfd, .fd = fd };
	int r;

	if (looker->no_fd)
		return -ENOSYS;
	pthread_mutex_lock(&looker->lock);
	r = ask(looker, &job);
	pthread_mutex_unlock(&looker->lock);
	return r;
}
