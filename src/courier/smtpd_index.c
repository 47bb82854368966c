/* An index of the smtpds by client address and PID.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtpd_index.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* The end of a chain. */
#define NONE UINT32_MAX

/* A pinned smtpd. */
struct pinned {
	struct smtpd smtpd;
	struct pinned *next;	/* in a list of those to release */
};

/* An entry is on two chains: by PID, for the refresh, and by address, for lookups. */
struct entry {
	pid_t pid;
	struct addr addr;
	uint16_t port;
	bool seen;		/* by the current refresh */
	bool to_pin;		/* it is listed; pinning it was not tried yet */
	bool withdrawn;		/* it must not be pinned again */
	bool relay_client;
	bool offers_login;	/* courier does, to this client */
	struct pinned *pinned;	/* NULL: not pinned */
	uint32_t next_by_pid;
	uint32_t next_by_addr;
};

struct smtpd_index {
	const struct smtpd_rules *rules;
	struct smtpd_scratch scratch;	/* of the thread that refreshes */
	pthread_mutex_t lock;		/* protects everything below */
	struct entry *entries;		/* the first count are in use */
	_Atomic uint32_t count;		/* may be compared with 0 without the lock */
	uint32_t pinned_count, pinned_max;
	uint32_t room;			/* of all three arrays; a power of two */
	uint32_t *by_pid;
	uint32_t *by_addr;
};

static uint32_t *pid_chain(const struct smtpd_index *x, pid_t pid)
{
	return &x->by_pid[(uint32_t)pid & (x->room - 1)];
}

static uint32_t *addr_chain(const struct smtpd_index *x, const struct addr *addr)
{
	return &x->by_addr[addr_hash(addr, 0) & (x->room - 1)];
}

static void link_entry(struct smtpd_index *x, uint32_t i)
{
	struct entry *e = &x->entries[i];
	uint32_t *chain = pid_chain(x, e->pid);

	e->next_by_pid = *chain;
	*chain = i;
	chain = addr_chain(x, &e->addr);
	e->next_by_addr = *chain;
	*chain = i;
}

/* Rebuild all chains after entries have moved. */
static void link_all(struct smtpd_index *x)
{
	uint32_t i;

	memset(x->by_pid, 0xff, x->room * sizeof(*x->by_pid));
	memset(x->by_addr, 0xff, x->room * sizeof(*x->by_addr));
	for (i = 0; i < x->count; i++)
		link_entry(x, i);
}

static int resize(struct smtpd_index *x, uint32_t room)
{
	struct entry *entries = reallocarray(x->entries, room, sizeof(*entries));
	uint32_t *by_pid, *by_addr;

	if (!entries)
		return -ENOMEM;
	x->entries = entries;
	by_pid = reallocarray(x->by_pid, room, sizeof(*by_pid));
	if (!by_pid)
		return -ENOMEM;
	x->by_pid = by_pid;
	by_addr = reallocarray(x->by_addr, room, sizeof(*by_addr));
	if (!by_addr)
		return -ENOMEM;
	x->by_addr = by_addr;
	x->room = room;
	link_all(x);
	return 0;
}

static uint32_t most_pinned(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 16 > SMTPD_INDEX_HELD_MAX)
		return SMTPD_INDEX_HELD_MAX;
	return (uint32_t)(limit.rlim_cur / 16);
}

/* Move the pinned smtpd of the entry to the list of those to release. Call with the lock. */
static void unpin(struct smtpd_index *x, struct entry *e, struct pinned **gone)
{
	if (!e->pinned)
		return;
	e->pinned->next = *gone;
	*gone = e->pinned;
	e->pinned = NULL;
	x->pinned_count--;
}

/* Call without the lock, as closing descriptors takes system calls. */
static void release(struct pinned *gone)
{
	struct pinned *next;

	for (; gone; gone = next) {
		next = gone->next;
		smtpd_done(&gone->smtpd);
		free(gone);
	}
}

int smtpd_index_new(const struct smtpd_rules *rules, struct smtpd_index **ret_index)
{
	struct smtpd_index *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->rules = rules;
	x->pinned_max = most_pinned();
	pthread_mutex_init(&x->lock, NULL);
	if (resize(x, 64) < 0) {
		smtpd_index_free(x);
		return -ENOMEM;
	}
	*ret_index = x;
	return 0;
}

void smtpd_index_free(struct smtpd_index *index)
{
	if (!index)
		return;
	smtpd_index_let_go(index);
	pthread_mutex_destroy(&index->lock);
	free(index->entries);
	free(index->by_pid);
	free(index->by_addr);
	free(index);
}

/* Call with the lock. */
static void unpin_all(struct smtpd_index *x, struct pinned **gone)
{
	uint32_t i;

	for (i = 0; i < x->count; i++) {
		x->entries[i].to_pin |= x->entries[i].pinned != NULL;
		unpin(x, &x->entries[i], gone);
	}
}

void smtpd_index_let_go(struct smtpd_index *index)
{
	struct pinned *gone = NULL;

	pthread_mutex_lock(&index->lock);
	unpin_all(index, &gone);
	pthread_mutex_unlock(&index->lock);
	release(gone);
}

void smtpd_index_forget(struct smtpd_index *index)
{
	struct pinned *gone = NULL;

	pthread_mutex_lock(&index->lock);
	unpin_all(index, &gone);
	index->count = 0;
	link_all(index);
	pthread_mutex_unlock(&index->lock);
	release(gone);
}

/* The entry of this PID, or NONE. Call with the lock. */
static uint32_t find_pid(const struct smtpd_index *x, pid_t pid)
{
	uint32_t i = *pid_chain(x, pid);

	while (i != NONE && x->entries[i].pid != pid)
		i = x->entries[i].next_by_pid;
	return i;
}

static bool serves(const struct entry *e, const struct entry *other)
{
	return e->port == other->port && addr_compare(&e->addr, &other->addr) == 0;
}

/* Mark the entry of this PID as seen. Returns false if there is none. */
static bool mark(struct smtpd_index *x, pid_t pid)
{
	uint32_t i;

	pthread_mutex_lock(&x->lock);
	i = find_pid(x, pid);
	if (i != NONE)
		x->entries[i].seen = true;
	pthread_mutex_unlock(&x->lock);
	return i != NONE;
}

static int add(struct smtpd_index *x, const struct entry *e)
{
	int r = 0;

	pthread_mutex_lock(&x->lock);
	if (x->count == x->room)
		r = resize(x, x->room * 2);
	if (r == 0) {
		x->entries[x->count] = *e;
		link_entry(x, x->count++);
	}
	pthread_mutex_unlock(&x->lock);
	return r;
}

static struct entry entry_of(pid_t pid, const struct smtpd_hint *seen)
{
	return (struct entry){ .pid = pid,
			       .addr = seen->peer.addr,
			       .port = seen->peer.port,
			       .to_pin = seen->facts.block && !seen->is_tls,
			       .relay_client = seen->facts.relay_client,
			       .offers_login = seen->facts.offers_login };
}

/* Takes ownership of pinned, which may be NULL. A worker may have withdrawn the entry in the
 * meantime. */
static void put_pinned(struct smtpd_index *x, pid_t pid, struct pinned *pinned)
{
	uint32_t i;

	pthread_mutex_lock(&x->lock);
	i = find_pid(x, pid);
	if (pinned && i != NONE && !x->entries[i].withdrawn && !x->entries[i].pinned) {
		x->entries[i].pinned = pinned;
		x->entries[i].to_pin = false;
		x->pinned_count++;
		pinned = NULL;
	}
	pthread_mutex_unlock(&x->lock);
	release(pinned);
}

static bool has_room(struct smtpd_index *x)
{
	bool room;

	pthread_mutex_lock(&x->lock);
	room = x->pinned_count < x->pinned_max;
	pthread_mutex_unlock(&x->lock);
	return room;
}

/* Read a process, and pin it if it is listed. Returns -EMFILE also if it must not stay pinned. */
static int pin(struct smtpd_index *x, pid_t pid, struct smtpd_hint *ret_seen,
	       struct pinned **ret_pinned)
{
	struct pinned *pinned = calloc(1, sizeof(*pinned));
	int r;

	if (!pinned)
		return -ENOMEM;
	pinned->smtpd = (struct smtpd)SMTPD_NONE;
	r = smtpd_pin(x->rules, pid, &x->scratch, &pinned->smtpd, ret_seen);
	if (r == 0 && !smtpd_may_stay(x->rules, &pinned->smtpd))
		r = -EMFILE;
	if (r == 0 && pinned->smtpd.env)
		*ret_pinned = pinned;
	else
		release(pinned);
	return r;
}

/* Read a process, and pin it if it is listed and if there is room. */
static int read_child(struct smtpd_index *x, pid_t pid, struct smtpd_hint *ret_seen,
		      struct pinned **ret_pinned)
{
	int r = has_room(x) ? pin(x, pid, ret_seen, ret_pinned) : -EMFILE;

	return r == -EMFILE ? smtpd_read_hint(x->rules, pid, &x->scratch, ret_seen) : r;
}

static int read_smtpd(struct smtpd_index *x, pid_t pid)
{
	struct pinned *pinned = NULL;
	struct smtpd_hint seen;
	struct entry e;
	int r;

	r = read_child(x, pid, &seen, &pinned);
	/* It has exited, has not exec'd yet, or is not an smtpd. */
	if (r == -ESRCH || r == -ENODATA || r == -EAGAIN || r == -EPERM)
		return 0;
	if (r < 0)
		return r;
	e = entry_of(pid, &seen);
	e.seen = true;
	r = add(x, &e);
	put_pinned(x, pid, pinned);
	return r;
}

/* Add e, or replace the entry of its PID if that serves another client. */
static int replace(struct smtpd_index *x, const struct entry *e)
{
	struct pinned *gone = NULL;
	uint32_t i;

	pthread_mutex_lock(&x->lock);
	i = find_pid(x, e->pid);
	if (i != NONE && !serves(&x->entries[i], e)) {
		unpin(x, &x->entries[i], &gone);
		x->entries[i] = *e;
		link_all(x);
	}
	pthread_mutex_unlock(&x->lock);
	release(gone);
	return i == NONE ? add(x, e) : 0;
}

int smtpd_index_learn(struct smtpd_index *index, pid_t pid)
{
	struct pinned *pinned = NULL;
	struct smtpd_hint seen;
	struct entry e;
	int r;

	r = read_child(index, pid, &seen, &pinned);
	if (r < 0)
		return r;
	e = entry_of(pid, &seen);
	r = replace(index, &e);
	put_pinned(index, pid, pinned);
	return r;
}

static void mark_all(struct smtpd_index *x, bool seen)
{
	uint32_t i;

	pthread_mutex_lock(&x->lock);
	for (i = 0; i < x->count; i++)
		x->entries[i].seen = seen;
	pthread_mutex_unlock(&x->lock);
}

/* Drop the entries that the refresh has not seen. Returns the number of the others. */
static uint32_t sweep(struct smtpd_index *x)
{
	struct pinned *gone = NULL;
	uint32_t i, kept = 0;

	pthread_mutex_lock(&x->lock);
	for (i = 0; i < x->count; i++) {
		if (x->entries[i].seen)
			x->entries[kept++] = x->entries[i];
		else
			unpin(x, &x->entries[i], &gone);
	}
	if (kept != x->count) {
		x->count = kept;
		link_all(x);
	}
	pthread_mutex_unlock(&x->lock);
	release(gone);
	return kept;
}

static int refresh_tcpd(struct smtpd_index *x, pid_t tcpd)
{
	pid_t *pids;
	ssize_t n, i;
	int r, err = 0;

	n = procfs_read_children(x->rules->procfs, tcpd, &pids);
	if (n == -ESRCH)
		return 0;
	if (n < 0) {
		/* Entries do not record their parent, so keep all of them. */
		mark_all(x, true);
		return (int)n;
	}
	for (i = 0; i < n; i++) {
		if (mark(x, pids[i]))
			continue;
		r = read_smtpd(x, pids[i]);
		if (r < 0)
			err = r;
	}
	free(pids);
	return err;
}

int smtpd_index_refresh(struct smtpd_index *index)
{
	pid_t tcpds[TCPD_MAX];
	size_t n = tcpd_pids(index->rules->tcpds, tcpds), i;
	uint32_t kept;
	int r, err = 0;

	mark_all(index, false);
	for (i = 0; i < n; i++) {
		r = refresh_tcpd(index, tcpds[i]);
		if (r < 0)
			err = r;
	}
	kept = sweep(index);
	return err < 0 ? err : (int)kept;
}

/* Reads entries without the lock: only this thread changes the fields it reads. */
void smtpd_index_hold(struct smtpd_index *index)
{
	struct pinned *pinned = NULL;
	struct smtpd_hint seen;
	uint32_t i;
	int r = 0;

	for (i = 0; i < index->count && r != -EMFILE && r != -ENFILE && has_room(index); i++) {
		if (!index->entries[i].to_pin)
			continue;
		r = pin(index, index->entries[i].pid, &seen, &pinned);
		index->entries[i].to_pin = smtpd_call_failed(r);
		put_pinned(index, index->entries[i].pid, pinned);
		pinned = NULL;
	}
}

static bool is_about(const struct entry *e, const struct addr *addr, uint16_t port)
{
	return (port == 0 || e->port == port) && addr_compare(&e->addr, addr) == 0;
}

static bool can_withdraw(const struct entry *e, const struct addr *addr, uint16_t port,
			 bool without_login)
{
	return is_about(e, addr, port) && e->pinned &&
	       !(without_login && e->offers_login);
}

bool smtpd_index_withdraw(struct smtpd_index *index, pid_t pid, const struct addr *addr,
			  uint16_t port, bool without_login, struct smtpd *ret_smtpd)
{
	struct pinned *pinned = NULL;
	uint32_t i;

	pthread_mutex_lock(&index->lock);
	i = find_pid(index, pid);
	if (i != NONE && can_withdraw(&index->entries[i], addr, port, without_login)) {
		index->entries[i].withdrawn = true;
		unpin(index, &index->entries[i], &pinned);
	}
	pthread_mutex_unlock(&index->lock);
	if (!pinned)
		return false;
	*ret_smtpd = smtpd_take(&pinned->smtpd);
	free(pinned);
	return true;
}

bool smtpd_index_is_empty(const struct smtpd_index *index)
{
	return atomic_load_explicit(&index->count, memory_order_acquire) == 0;
}

size_t smtpd_index_find(struct smtpd_index *index, const struct addr *addr, uint16_t port,
			pid_t *ret_pids, size_t max)
{
	size_t found = 0;
	uint32_t i;

	if (smtpd_index_is_empty(index))
		return 0;
	pthread_mutex_lock(&index->lock);
	for (i = *addr_chain(index, addr); i != NONE;
	     i = index->entries[i].next_by_addr) {
		const struct entry *e = &index->entries[i];

		if (!is_about(e, addr, port))
			continue;
		if (found < max)
			ret_pids[found] = e->pid;
		found++;
	}
	pthread_mutex_unlock(&index->lock);
	return found;
}

size_t smtpd_index_find_relay_clients(struct smtpd_index *index, const struct addr *addr,
				      pid_t *ret_pids, size_t max)
{
	size_t found = 0;
	uint32_t i;

	if (smtpd_index_is_empty(index))
		return 0;
	pthread_mutex_lock(&index->lock);
	for (i = *addr_chain(index, addr); i != NONE && found < max;
	     i = index->entries[i].next_by_addr)
		if (index->entries[i].relay_client && is_about(&index->entries[i], addr, 0))
			ret_pids[found++] = index->entries[i].pid;
	pthread_mutex_unlock(&index->lock);
	return found;
}
