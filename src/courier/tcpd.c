/* The couriertcpd processes of one courier user.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/tcpd.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/pidref.h"

#define TCPD_NAME "couriertcpd"

/* Longest -haproxy=... that is read. */
#define PROXY_SIZE 1024

struct tcpd {
	struct pidref ref;
	enum tcpd_proxy proxy;
	bool proxy_known;
};

struct tcpd_list {
	const struct procfs *procfs;
	struct looker *looker;
	uid_t uid;
	ino_t netns;
	pthread_mutex_t lock;
	struct tcpd all[TCPD_MAX];
	size_t count;
};

int tcpd_new(const struct procfs *procfs, struct looker *looker, uid_t uid,
	     struct tcpd_list **ret_tcpds)
{
	struct tcpd_list *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	r = procfs_read_netns(procfs, getpid(), &l->netns);
	if (r < 0) {
		free(l);
		return r;
	}
	l->procfs = procfs;
	l->looker = looker;
	l->uid = uid;
	pthread_mutex_init(&l->lock, NULL);
	*ret_tcpds = l;
	return 0;
}

void tcpd_free(struct tcpd_list *tcpds)
{
	size_t i;

	if (!tcpds)
		return;
	for (i = 0; i < tcpds->count; i++)
		pidref_done(&tcpds->all[i].ref);
	pthread_mutex_destroy(&tcpds->lock);
	free(tcpds);
}

/* Unpin those that have exited. Call with the lock. */
static void drop_ended(struct tcpd_list *l)
{
	size_t i = 0;

	while (i < l->count) {
		if (pidref_check(&l->all[i].ref) != -ESRCH) {
			i++;
			continue;
		}
		pidref_done(&l->all[i].ref);
		l->all[i] = l->all[--l->count];
	}
}

/* Call with the lock. */
static struct tcpd *find(struct tcpd_list *l, pid_t pid)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (l->all[i].ref.pid == pid)
			return &l->all[i];
	return NULL;
}

int tcpd_knows(struct tcpd_list *tcpds, pid_t pid)
{
	struct tcpd *tcpd;
	int r;

	pthread_mutex_lock(&tcpds->lock);
	tcpd = find(tcpds, pid);
	r = tcpd ? pidref_check(&tcpd->ref) : -EPERM;
	pthread_mutex_unlock(&tcpds->lock);
	return r;
}

/* Takes ownership of *ref, on failure too. */
static int add(struct tcpd_list *l, struct pidref *ref)
{
	int r = 0;

	pthread_mutex_lock(&l->lock);
	drop_ended(l);
	if (find(l, ref->pid))
		pidref_done(ref);
	else if (l->count < TCPD_MAX)
		l->all[l->count++] = (struct tcpd){ .ref = pidref_take(ref) };
	else
		r = -ENOSPC;
	pthread_mutex_unlock(&l->lock);
	pidref_done(ref);
	return r;
}

/* Call this only for a process with courier's uid. */
static int look(const struct tcpd_list *l, pid_t pid, bool environment, ino_t *ret_netns)
{
	struct procfs_look *found = malloc(sizeof(*found));
	int r;

	if (!found)
		return -ENOMEM;
	r = looker_look(l->looker, pid, environment, found);
	if (r == 0 && strcmp(found->name, TCPD_NAME) != 0)
		r = -EPERM;
	if (r == 0)
		*ret_netns = found->netns;
	free(found);
	return r;
}

/* A process that couriertcpd has forked and that has not exec'd yet looks like a couriertcpd.
 * Only its parent, a couriertcpd of courier's, shows what it is. */
static int check_parent(const struct tcpd_list *l, pid_t ppid)
{
	struct procfs_status status;
	ino_t netns;
	int r;

	r = procfs_read_status(l->procfs, ppid, &status);
	if (r == -ESRCH || (r == 0 && status.uid != l->uid))
		return 0;
	if (r == 0)
		r = look(l, ppid, false, &netns);
	if (r == 0)
		return -EPERM;
	return r == -EPERM || r == -ESRCH ? 0 : r;
}

static int verify(const struct tcpd_list *l, const struct pidref *ref)
{
	struct procfs_status status;
	ino_t netns;
	int r;

	r = procfs_read_status_held(l->procfs, ref->fd, ref->pid, &status);
	if (r == 0 && status.uid != l->uid)
		r = -EPERM;
	if (r == 0)
		r = look(l, ref->pid, false, &netns);
	if (r == 0 && netns != l->netns)
		r = -EPERM;
	if (r == 0)
		r = check_parent(l, status.ppid);
	return r == 0 ? pidref_check(ref) : r;
}

/* Verify an unknown process with this status and add it. */
static int verify_and_add(struct tcpd_list *l, pid_t pid, const struct procfs_status *status)
{
	struct pidref ref = PIDREF_NONE;
	int r;

	/* A child of a known couriertcpd is not one, whether or not it has exec'd. */
	if (status->uid != l->uid || tcpd_knows(l, status->ppid) == 0)
		return -EPERM;
	r = pidref_open(pid, &ref);
	if (r < 0)
		return r;
	r = verify(l, &ref);
	if (r == 0)
		r = add(l, &ref);
	pidref_done(&ref);
	return r;
}

int tcpd_check(struct tcpd_list *tcpds, pid_t pid)
{
	struct procfs_status status;
	int r = tcpd_knows(tcpds, pid);

	if (r != -EPERM && r != -ESRCH)
		return r;
	r = procfs_read_status(tcpds->procfs, pid, &status);
	return r == 0 ? verify_and_add(tcpds, pid, &status) : r;
}

/* Verifies only processes whose own name (comm) can be that of a couriertcpd. */
static int scan_one(struct tcpd_list *l, pid_t pid)
{
	struct procfs_status status;
	int r = tcpd_knows(l, pid);

	if (r != -EPERM && r != -ESRCH)
		return r;
	r = procfs_read_status(l->procfs, pid, &status);
	if (r == 0 && status.comm[0] && strcmp(status.comm, TCPD_NAME) != 0)
		r = -EPERM;
	return r == 0 ? verify_and_add(l, pid, &status) : r;
}

int tcpd_scan(struct tcpd_list *tcpds)
{
	int r, err = 0;
	pid_t *pids;
	ssize_t n, i;
	size_t count;

	n = procfs_list(tcpds->procfs, &pids);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n; i++) {
		r = scan_one(tcpds, pids[i]);
		if (r < 0 && r != -EPERM && r != -ESRCH)
			err = r;
	}
	free(pids);
	pthread_mutex_lock(&tcpds->lock);
	drop_ended(tcpds);
	count = tcpds->count;
	pthread_mutex_unlock(&tcpds->lock);
	/* A process that cannot be read must not hide the couriertcpds that were found. */
	return count == 0 && err < 0 ? err : (int)count;
}

static int try_signal(pid_t pid)
{
	struct pidref ref = PIDREF_NONE;
	int r;

	r = pidref_open(pid, &ref);
	if (r == 0)
		r = pidref_signal(&ref, 0);
	pidref_done(&ref);
	return r == -EACCES ? -EPERM : r;
}

/* Do to a couriertcpd what terminating an smtpd takes. */
static int try_on(const struct tcpd_list *l, pid_t pid, bool signals)
{
	ino_t netns;
	int r;

	r = look(l, pid, true, &netns);
	if (r < 0)
		return r == -ESRCH ? 0 : r == -EPERM ? -EACCES : r;
	r = signals ? try_signal(pid) : 0;
	return r == -ESRCH ? 0 : r < 0 ? r : 1;
}

int tcpd_try(struct tcpd_list *tcpds, bool signals)
{
	bool hidden = false;
	pid_t *pids;
	ssize_t n, i;
	int r = 0;

	n = procfs_list(tcpds->procfs, &pids);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n && r == 0; i++) {
		r = scan_one(tcpds, pids[i]);
		hidden = hidden || r == -EACCES;
		r = r == 0 ? try_on(tcpds, pids[i], signals) : 0;
	}
	free(pids);
	return r == 0 && hidden ? -EACCES : r;
}

size_t tcpd_pids(struct tcpd_list *tcpds, pid_t ret_pids[static TCPD_MAX])
{
	size_t i;

	pthread_mutex_lock(&tcpds->lock);
	drop_ended(tcpds);
	for (i = 0; i < tcpds->count; i++)
		ret_pids[i] = tcpds->all[i].ref.pid;
	pthread_mutex_unlock(&tcpds->lock);
	return i;
}

/* [TIMEOUT][/port=[IP.]PORT][,...] (parsehaproxy() of courier's tcpd.c, 1.4.1). */
enum tcpd_proxy tcpd_parse_proxy(const char *value)
{
	static const char port[] = "/port=";
	enum tcpd_proxy proxy = TCPD_PROXY_NONE;
	size_t len;

	for (value += strspn(value, ","); *value; value += strspn(value, ",")) {
		len = strcspn(value, ",");
		if (!memmem(value, len, port, strlen(port)))
			return TCPD_PROXY_ALL;
		proxy = TCPD_PROXY_SOME;
		value += len;
	}
	return proxy;
}

/* For looker_call(): see session_signs_slots(). */
static int read_proxy(const struct procfs *procfs, pid_t pid, void *data)
{
	enum tcpd_proxy *proxy = data;
	char value[PROXY_SIZE];
	int r = procfs_read_option_text(procfs, pid, "-haproxy=", value, sizeof(value));

	if (r == 0)
		*proxy = tcpd_parse_proxy(value);
	else if (r == -E2BIG)
		*proxy = TCPD_PROXY_SOME;
	return r == -ENODATA || r == -E2BIG ? 0 : r;
}

/* Returns false if the couriertcpd is not known, or its command line was not read yet. */
static bool knows_proxy(struct tcpd_list *l, pid_t pid, enum tcpd_proxy *ret_proxy)
{
	const struct tcpd *tcpd;
	bool known;

	pthread_mutex_lock(&l->lock);
	tcpd = find(l, pid);
	known = tcpd && tcpd->proxy_known;
	if (known)
		*ret_proxy = tcpd->proxy;
	pthread_mutex_unlock(&l->lock);
	return known;
}

/* What was read counts only if it is still the same process. */
static bool keep_proxy(struct tcpd_list *l, pid_t pid, enum tcpd_proxy proxy)
{
	struct tcpd *tcpd;
	bool same;

	pthread_mutex_lock(&l->lock);
	tcpd = find(l, pid);
	same = tcpd && pidref_check(&tcpd->ref) == 0;
	if (same) {
		tcpd->proxy = proxy;
		tcpd->proxy_known = true;
	}
	pthread_mutex_unlock(&l->lock);
	return same;
}

enum tcpd_proxy tcpd_proxy(struct tcpd_list *tcpds, pid_t pid)
{
	enum tcpd_proxy proxy = TCPD_PROXY_NONE;

	if (knows_proxy(tcpds, pid, &proxy))
		return proxy;
	if (tcpd_knows(tcpds, pid) < 0 ||
	    looker_call(tcpds->looker, pid, read_proxy, &proxy, sizeof(proxy)) < 0 ||
	    !keep_proxy(tcpds, pid, proxy))
		return TCPD_PROXY_NONE;
	return proxy;
}

enum tcpd_proxy tcpd_proxy_of_all(struct tcpd_list *tcpds)
{
	enum tcpd_proxy whole = TCPD_PROXY_NONE, one;
	pid_t pids[TCPD_MAX];
	size_t n = tcpd_pids(tcpds, pids), i;

	for (i = 0; i < n; i++) {
		one = tcpd_proxy(tcpds, pids[i]);
		whole = i == 0 || one == whole ? one : TCPD_PROXY_SOME;
	}
	return whole;
}
