/* Which child serves which peer.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtpd_index.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Ends a chain. */
#define NONE UINT32_MAX

/* A child that is held. */
struct held {
	struct smtpd smtpd;
	struct held *next;	/* among those to be let go of */
};

/* An entry is on two chains: by PID, for the refresh, and by address, for the
 * question. */
struct entry {
	pid_t pid;
	struct addr addr;
	uint16_t port;
	bool seen;		/* by the refresh that is running */
	bool to_hold;		/* it is listed, and nobody has tried yet */
	bool withdrawn;		/* not to be held any more */
	bool relay_client;
	struct held *held;
	uint32_t next_by_pid;
	uint32_t next_by_addr;
};

struct smtpd_index {
	const struct smtpd_rules *rules;
	struct smtpd_scratch scratch;	/* the refresher's */
	pthread_mutex_t lock;		/* everything below */
	struct entry *entries;		/* the first count are in use */
	_Atomic uint32_t count;		/* 0 can be read without the lock */
	uint32_t held_count, held_max;
	uint32_t room;			/* a power of two, and the size of.. */
	uint32_t *by_pid;		/* ..these */
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

/* All chains anew, after entries moved. */
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

static uint32_t most_held(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 16 > SMTPD_INDEX_HELD_MAX)
		return SMTPD_INDEX_HELD_MAX;
	return (uint32_t)(limit.rlim_cur / 16);
}

/* With the lock held: what the entry holds joins those to be let go of. */
static void unhold(struct smtpd_index *x, struct entry *e, struct held **gone)
{
	if (!e->held)
		return;
	e->held->next = *gone;
	*gone = e->held;
	e->held = NULL;
	x->held_count--;
}

/* Without it: closing takes system calls. */
static void let_go(struct held *gone)
{
	struct held *next;

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
	x->held_max = most_held();
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

/* With the lock held. */
static void unhold_all(struct smtpd_index *x, struct held **gone)
{
	uint32_t i;

	for (i = 0; i < x->count; i++) {
		x->entries[i].to_hold |= x->entries[i].held != NULL;
		unhold(x, &x->entries[i], gone);
	}
}

void smtpd_index_let_go(struct smtpd_index *index)
{
	struct held *gone = NULL;

	pthread_mutex_lock(&index->lock);
	unhold_all(index, &gone);
	pthread_mutex_unlock(&index->lock);
	let_go(gone);
}

void smtpd_index_forget(struct smtpd_index *index)
{
	struct held *gone = NULL;

	pthread_mutex_lock(&index->lock);
	unhold_all(index, &gone);
	index->count = 0;
	link_all(index);
	pthread_mutex_unlock(&index->lock);
	let_go(gone);
}

/* With the lock held: the entry of that PID, or NONE. */
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

/* Mark a PID as still there. False: it is not in the index. */
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
			       .to_hold = seen->listed,
			       .relay_client = seen->relay_client };
}

static int read_child(struct smtpd_index *x, pid_t pid)
{
	struct smtpd_hint seen;
	struct entry e;
	int r;

	r = smtpd_read_hint(x->rules, pid, &x->scratch, &seen);
	/* Gone, before its exec, or nobody's connection. */
	if (r == -ESRCH || r == -ENODATA || r == -EAGAIN || r == -EPERM)
		return 0;
	if (r < 0)
		return r;
	e = entry_of(pid, &seen);
	e.seen = true;
	return add(x, &e);
}

/* The entry of that PID becomes what was read last. */
static int replace(struct smtpd_index *x, const struct entry *e)
{
	struct held *gone = NULL;
	uint32_t i;

	pthread_mutex_lock(&x->lock);
	i = find_pid(x, e->pid);
	if (i != NONE && !serves(&x->entries[i], e)) {
		unhold(x, &x->entries[i], &gone);
		x->entries[i] = *e;
		link_all(x);
	}
	pthread_mutex_unlock(&x->lock);
	let_go(gone);
	return i == NONE ? add(x, e) : 0;
}

int smtpd_index_learn(struct smtpd_index *index, pid_t pid)
{
	struct smtpd_hint seen;
	struct entry e;
	int r;

	r = smtpd_read_hint(index->rules, pid, &index->scratch, &seen);
	if (r < 0)
		return r;
	e = entry_of(pid, &seen);
	return replace(index, &e);
}

static void mark_all(struct smtpd_index *x, bool seen)
{
	uint32_t i;

	pthread_mutex_lock(&x->lock);
	for (i = 0; i < x->count; i++)
		x->entries[i].seen = seen;
	pthread_mutex_unlock(&x->lock);
}

/* After a refresh: forget who was not seen. */
static uint32_t sweep(struct smtpd_index *x)
{
	struct held *gone = NULL;
	uint32_t i, kept = 0;

	pthread_mutex_lock(&x->lock);
	for (i = 0; i < x->count; i++) {
		if (x->entries[i].seen)
			x->entries[kept++] = x->entries[i];
		else
			unhold(x, &x->entries[i], &gone);
	}
	if (kept != x->count) {
		x->count = kept;
		link_all(x);
	}
	pthread_mutex_unlock(&x->lock);
	let_go(gone);
	return kept;
}

static int refresh_listener(struct smtpd_index *x, pid_t listener)
{
	pid_t *pids;
	ssize_t n, i;
	int r, err = 0;

	n = procfs_read_children(x->rules->procfs, listener, &pids);
	if (n == -ESRCH)
		return 0;
	if (n < 0) {
		/* Whose children they are is not known, and none is forgotten for that. */
		mark_all(x, true);
		return (int)n;
	}
	for (i = 0; i < n; i++) {
		if (mark(x, pids[i]))
			continue;
		r = read_child(x, pids[i]);
		if (r < 0)
			err = r;
	}
	free(pids);
	return err;
}

int smtpd_index_refresh(struct smtpd_index *index)
{
	pid_t listeners[TCPD_MAX];
	size_t n = tcpd_pids(index->rules->tcpds, listeners), i;
	uint32_t kept;
	int r, err = 0;

	mark_all(index, false);
	for (i = 0; i < n; i++) {
		r = refresh_listener(index, listeners[i]);
		if (r < 0)
			err = r;
	}
	kept = sweep(index);
	return err < 0 ? err : (int)kept;
}

/* Takes held over. Between its PID and now a line may have asked for the child. */
static void put_held(struct smtpd_index *x, pid_t pid, struct held *held)
{
	uint32_t i;

	pthread_mutex_lock(&x->lock);
	i = find_pid(x, pid);
	if (i != NONE && !x->entries[i].withdrawn && !x->entries[i].held) {
		x->entries[i].held = held;
		x->held_count++;
		held = NULL;
	}
	pthread_mutex_unlock(&x->lock);
	let_go(held);
}

static int hold(struct smtpd_index *x, pid_t pid)
{
	struct held *held = calloc(1, sizeof(*held));
	struct smtpd_facts facts;
	int r;

	if (!held)
		return -ENOMEM;
	r = smtpd_pin(x->rules, pid, &x->scratch, &held->smtpd, &facts);
	if (r < 0) {
		free(held);
		return r;
	}
	if (!smtpd_may_stay(x->rules, &held->smtpd)) {
		let_go(held);
		return -EMFILE;
	}
	put_held(x, pid, held);
	return r;
}

static bool has_room(struct smtpd_index *x)
{
	bool room;

	pthread_mutex_lock(&x->lock);
	room = x->held_count < x->held_max;
	pthread_mutex_unlock(&x->lock);
	return room;
}

/* Only the caller's thread changes what is read here without the lock. */
static void hold_listed(struct smtpd_index *x)
{
	uint32_t i;
	int r = 0;

	for (i = 0; i < x->count && r != -EMFILE && r != -ENFILE; i++) {
		if (!x->entries[i].to_hold)
			continue;
		if (!has_room(x))
			break;
		r = hold(x, x->entries[i].pid);
		x->entries[i].to_hold = smtpd_call_failed(r);
	}
}

/* One that is held without its submit, taken out meanwhile. */
static struct held *take_without_submit(struct smtpd_index *x, uint32_t i)
{
	struct entry *e = &x->entries[i];
	struct held *held = NULL;

	pthread_mutex_lock(&x->lock);
	if (e->held && e->held->smtpd.submit.fd < 0)
		unhold(x, e, &held);
	pthread_mutex_unlock(&x->lock);
	return held;
}

static void hold_submits(struct smtpd_index *x)
{
	struct held *held;
	uint32_t i;

	for (i = 0; i < x->count; i++) {
		held = take_without_submit(x, i);
		if (!held)
			continue;
		held->next = NULL;
		(void)smtpd_pin_submit(x->rules, &held->smtpd, &x->scratch);
		if (!smtpd_may_stay(x->rules, &held->smtpd))
			pidref_done(&held->smtpd.submit);
		put_held(x, x->entries[i].pid, held);
	}
}

void smtpd_index_hold(struct smtpd_index *index, bool submits)
{
	hold_listed(index);
	if (submits)
		hold_submits(index);
}

static bool is_about(const struct entry *e, const struct addr *addr, uint16_t port)
{
	return (port == 0 || e->port == port) && addr_compare(&e->addr, addr) == 0;
}

static bool can_withdraw(const struct entry *e, const struct addr *addr, uint16_t port,
			 bool with_submit)
{
	return is_about(e, addr, port) && e->held &&
	       (!with_submit || e->held->smtpd.submit.fd >= 0);
}

bool smtpd_index_withdraw(struct smtpd_index *index, pid_t pid, const struct addr *addr,
			  uint16_t port, bool with_submit, struct smtpd *ret_child)
{
	struct held *held = NULL;
	uint32_t i;

	pthread_mutex_lock(&index->lock);
	i = find_pid(index, pid);
	if (i != NONE && can_withdraw(&index->entries[i], addr, port, with_submit)) {
		index->entries[i].withdrawn = true;
		unhold(index, &index->entries[i], &held);
	}
	pthread_mutex_unlock(&index->lock);
	if (!held)
		return false;
	*ret_child = smtpd_take(&held->smtpd);
	free(held);
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
