/* The couriertcpd processes that listen for one courier user.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "listeners.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procref.h"

#define LISTENER_NAME "couriertcpd"

struct listeners {
	const struct procfs *procfs;
	uid_t uid;
	ino_t netns;
	pthread_mutex_t lock;
	struct procref refs[LISTENERS_MAX];
	size_t count;
};

int listeners_new(const struct procfs *procfs, uid_t uid,
		  struct listeners **ret_listeners)
{
	struct listeners *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	r = procfs_read_netns(procfs, getpid(), &l->netns);
	if (r < 0) {
		free(l);
		return r;
	}
	l->procfs = procfs;
	l->uid = uid;
	pthread_mutex_init(&l->lock, NULL);
	*ret_listeners = l;
	return 0;
}

void listeners_free(struct listeners *listeners)
{
	size_t i;

	if (!listeners)
		return;
	for (i = 0; i < listeners->count; i++)
		procref_done(&listeners->refs[i]);
	pthread_mutex_destroy(&listeners->lock);
	free(listeners);
}

/* With the lock held: let go of those that have ended. */
static void drop_ended(struct listeners *l)
{
	size_t i = 0;

	while (i < l->count) {
		if (procref_alive(&l->refs[i])) {
			i++;
			continue;
		}
		procref_done(&l->refs[i]);
		l->refs[i] = l->refs[--l->count];
	}
}

/* With the lock held. */
static struct procref *find(struct listeners *l, pid_t pid)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (l->refs[i].pid == pid)
			return &l->refs[i];
	return NULL;
}

static bool is_known(struct listeners *l, pid_t pid)
{
	struct procref *ref;
	bool known;

	pthread_mutex_lock(&l->lock);
	ref = find(l, pid);
	known = ref && procref_alive(ref);
	pthread_mutex_unlock(&l->lock);
	return known;
}

/* Takes *ref. */
static int remember(struct listeners *l, struct procref *ref)
{
	int r = 0;

	pthread_mutex_lock(&l->lock);
	drop_ended(l);
	if (find(l, ref->pid))
		procref_done(ref);
	else if (l->count < LISTENERS_MAX)
		l->refs[l->count++] = procref_take(ref);
	else
		r = -ENOSPC;
	pthread_mutex_unlock(&l->lock);
	procref_done(ref);
	return r;
}

static int check_name(const struct listeners *l, pid_t pid)
{
	char name[PROCFS_NAME_SIZE];
	int r;

	r = procfs_read_exe(l->procfs, pid, name);
	if (r == -ENAMETOOLONG)
		return -EPERM;
	if (r < 0)
		return r;
	return strcmp(name, LISTENER_NAME) == 0 ? 0 : -EPERM;
}

/* A child that couriertcpd has forked and that did not exec yet looks like its
 * parent in all but this: its parent is a couriertcpd. */
static int check_place(const struct listeners *l, pid_t pid)
{
	struct procfs_status status;
	ino_t netns;
	int r;

	r = procfs_read_status(l->procfs, pid, &status);
	if (r < 0)
		return r;
	if (status.uid != l->uid)
		return -EPERM;
	if (check_name(l, status.ppid) == 0)
		return -EPERM;
	r = procfs_read_netns(l->procfs, pid, &netns);
	if (r < 0)
		return r;
	return netns == l->netns ? 0 : -EPERM;
}

static int learn(struct listeners *l, pid_t pid)
{
	struct procref ref = PROCREF_NONE;
	int r;

	r = check_name(l, pid);
	if (r < 0)
		return r;
	r = procref_open(pid, &ref);
	if (r < 0)
		return r;
	r = check_name(l, pid);
	if (r == 0)
		r = check_place(l, pid);
	if (r == 0 && !procref_alive(&ref))
		r = -ESRCH;
	if (r == 0)
		r = remember(l, &ref);
	procref_done(&ref);
	return r;
}

int listeners_check(struct listeners *listeners, pid_t pid)
{
	return is_known(listeners, pid) ? 0 : learn(listeners, pid);
}

/* A process that we may not look at matters only if it is courier's. */
static bool is_couriers(const struct listeners *l, pid_t pid)
{
	struct procfs_status status;

	return procfs_read_status(l->procfs, pid, &status) == 0 &&
	       status.uid == l->uid;
}

int listeners_scan(struct listeners *listeners)
{
	bool hidden = false;
	pid_t *pids;
	ssize_t n, i;
	size_t count;

	n = procfs_list(listeners->procfs, &pids);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n; i++)
		if (listeners_check(listeners, pids[i]) == -EACCES)
			hidden = hidden || is_couriers(listeners, pids[i]);
	free(pids);
	pthread_mutex_lock(&listeners->lock);
	drop_ended(listeners);
	count = listeners->count;
	pthread_mutex_unlock(&listeners->lock);
	return count == 0 && hidden ? -EACCES : (int)count;
}

static int try_signal(pid_t pid)
{
	struct procref ref = PROCREF_NONE;
	int r;

	r = procref_open(pid, &ref);
	if (r == 0)
		r = procref_signal(&ref, 0);
	procref_done(&ref);
	return r == -EACCES ? -EPERM : r;
}

/* What a child takes, on a listener. */
static int try_on(const struct listeners *l, pid_t pid, bool signals)
{
	char env[PROCFS_ENVIRON_SIZE];
	ssize_t n;
	int r;

	n = procfs_read_environ(l->procfs, pid, env);
	if (n == -EPERM)
		return -EACCES;
	if (n < 0 && n != -E2BIG)
		return n == -ESRCH ? 0 : (int)n;
	r = signals ? try_signal(pid) : 0;
	return r == -ESRCH ? 0 : r < 0 ? r : 1;
}

int listeners_try(struct listeners *listeners, bool signals)
{
	bool hidden = false;
	pid_t *pids;
	ssize_t n, i;
	int r = 0;

	n = procfs_list(listeners->procfs, &pids);
	if (n < 0)
		return (int)n;
	/* Whose it is everybody may read: a profile refuses, and the kernel logs,
	 * nothing about others. */
	for (i = 0; i < n && r == 0; i++) {
		if (!is_couriers(listeners, pids[i]))
			continue;
		r = listeners_check(listeners, pids[i]);
		hidden = hidden || r == -EACCES;
		r = r == 0 ? try_on(listeners, pids[i], signals) : 0;
	}
	free(pids);
	return r == 0 && hidden ? -EACCES : r;
}

size_t listeners_pids(struct listeners *listeners,
		      pid_t ret_pids[static LISTENERS_MAX])
{
	size_t i;

	pthread_mutex_lock(&listeners->lock);
	drop_ended(listeners);
	for (i = 0; i < listeners->count; i++)
		ret_pids[i] = listeners->refs[i].pid;
	pthread_mutex_unlock(&listeners->lock);
	return i;
}
