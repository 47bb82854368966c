/* Who serves this address and port?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "evidence.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "arrivals.h"
#include "childindex.h"

/* Connections of one address that the worker looks at. */
#define RELAY_CLIENTS_MAX 8

struct evidence {
	struct procfs procfs;
	struct listeners *listeners;
	struct child_rules rules;
	struct childindex *index;
	struct arrivals arrivals;
	atomic_bool asks_submits;	/* a line was about one: evidence_confirm() */
};

int evidence_new(const char *proc_root, uid_t courier_uid,
		 struct evidence **ret_evidence)
{
	struct evidence *ev = calloc(1, sizeof(*ev));
	int r;

	if (!ev)
		return -ENOMEM;
	r = procfs_init(&ev->procfs, proc_root);
	if (r == 0)
		r = listeners_new(&ev->procfs, courier_uid, &ev->listeners);
	ev->rules.procfs = &ev->procfs;
	ev->rules.listeners = ev->listeners;
	ev->rules.uid = courier_uid;
	if (r == 0)
		r = childindex_new(&ev->rules, &ev->index);
	if (r < 0) {
		evidence_free(ev);
		return r;
	}
	*ret_evidence = ev;
	return 0;
}

void evidence_forbid_borrowing(struct evidence *evidence)
{
	evidence->rules.no_borrowing = true;
}

void evidence_free(struct evidence *evidence)
{
	if (!evidence)
		return;
	childindex_free(evidence->index);
	listeners_free(evidence->listeners);
	free(evidence);
}

const struct child_rules *evidence_rules(const struct evidence *evidence)
{
	return &evidence->rules;
}

/* Anything but 0 says no more than that it has to be looked at as any other. */
static int prove_held(struct evidence *ev, pid_t pid, const struct addr *addr,
		      uint16_t port, struct child_scratch *scratch,
		      struct child *child, struct child_facts *facts)
{
	int r;

	if (!childindex_withdraw(ev->index, pid, addr, port, child))
		return -EAGAIN;
	r = child_prove_again(&ev->rules, child, scratch, facts);
	if (r < 0)
		child_done(child);
	return r;
}

int evidence_prove(struct evidence *evidence, pid_t pid,
		   const struct addr *addr, uint16_t port,
		   struct child_scratch *scratch, struct child *ret_child,
		   struct child_facts *ret_facts)
{
	struct child child = CHILD_NONE;
	int r;

	r = prove_held(evidence, pid, addr, port, scratch, &child, ret_facts);
	if (r < 0)
		r = child_open(&evidence->rules, pid, scratch, &child, ret_facts);
	if (r < 0)
		return r;
	if (addr_compare(&child.peer.addr, addr) != 0 ||
	    (port && child.peer.port != port)) {
		child_done(&child);
		return -ENXIO;
	}
	*ret_child = child_take(&child);
	return 0;
}

/* Is there nothing more to find out, as the process cannot be the one? */
static bool settles(int r)
{
	return r != -ESRCH && r != -EPERM && r != -EAGAIN && r != -ENXIO;
}

static int find_attested(struct evidence *ev, const struct evidence_query *q,
			 struct child_scratch *scratch, struct child *ret_child,
			 struct child_facts *ret_facts)
{
	int r = evidence_prove(ev, q->attested, &q->addr, q->port, scratch,
			       ret_child, ret_facts);

	/* A courieresmtpd that logged has exec'd: this one is another process. */
	return r == -EAGAIN || r == -ENXIO ? -EPERM : r;
}

/* Without the kernel's word for the sender. */
static int find_hinted(struct evidence *ev, const struct evidence_query *q,
		       struct child_scratch *scratch, struct child *ret_child,
		       struct child_facts *ret_facts)
{
	int r = evidence_prove(ev, q->hint, &q->addr, q->port, scratch, ret_child,
			       ret_facts);

	if (r == -ENXIO)
		return -EPERM;
	return settles(r) ? r : -EAGAIN;
}

int evidence_find(struct evidence *evidence, const struct evidence_query *query,
		  struct child_scratch *scratch, struct child *ret_child,
		  struct child_facts *ret_facts)
{
	int r = -EAGAIN;
	pid_t pid;

	if (query->attested)
		return find_attested(evidence, query, scratch, ret_child,
				     ret_facts);
	if (query->hint)
		r = find_hinted(evidence, query, scratch, ret_child, ret_facts);
	if (r != -EAGAIN)
		return r;
	/* Without a port there may be more children than the index knows. */
	if (query->port == 0 ||
	    childindex_find(evidence->index, &query->addr, query->port, &pid,
			    1) != 1)
		return -EAGAIN;
	r = evidence_prove(evidence, pid, &query->addr, query->port, scratch,
			   ret_child, ret_facts);
	return settles(r) ? r : -EAGAIN;
}

static bool serves_relay_client(struct evidence *ev, pid_t pid,
				const struct addr *addr,
				struct child_scratch *scratch)
{
	struct child child = CHILD_NONE;
	struct child_facts facts;

	if (pid == 0 || evidence_prove(ev, pid, addr, 0, scratch, &child, &facts) < 0)
		return false;
	child_done(&child);
	return facts.relay_client;
}

bool evidence_knows_children(const struct evidence *evidence)
{
	return !childindex_is_empty(evidence->index);
}

bool evidence_knows_relay_client(struct evidence *evidence,
				 const struct evidence_query *query,
				 struct child_scratch *scratch)
{
	pid_t pids[RELAY_CLIENTS_MAX + 2] = { query->attested, query->hint };
	size_t i, n;

	n = 2 + childindex_find(evidence->index, &query->addr, 0, pids + 2,
				RELAY_CLIENTS_MAX);
	for (i = 0; i < n && i < RELAY_CLIENTS_MAX + 2; i++)
		if (serves_relay_client(evidence, pids[i], &query->addr, scratch))
			return true;
	return false;
}

int evidence_confirm(struct evidence *evidence,
		     const struct evidence_query *query,
		     const struct child *child,
		     const struct child_facts *facts,
		     struct child_scratch *scratch)
{
	if (query->attested)
		return 0;
	atomic_store_explicit(&evidence->asks_submits, true, memory_order_relaxed);
	return child_check_submit(&evidence->rules, child, facts->block, scratch);
}

int evidence_refresh(struct evidence *evidence, bool thorough)
{
	int r;

	if (thorough) {
		childindex_forget(evidence->index);
		r = listeners_scan(evidence->listeners);
		if (r < 0)
			return r;
	}
	r = childindex_refresh(evidence->index);
	return r < 0 ? r : 0;
}

void evidence_hold(struct evidence *evidence, bool submits)
{
	childindex_hold(evidence->index,
			submits && atomic_load_explicit(&evidence->asks_submits,
							memory_order_relaxed));
}

void evidence_let_go(struct evidence *evidence)
{
	childindex_let_go(evidence->index);
}

int evidence_try(struct evidence *evidence, bool signals)
{
	return listeners_try(evidence->listeners, signals);
}

void evidence_learn(struct evidence *evidence)
{
	pid_t pids[ARRIVALS_MAX], last;
	size_t n, i;

	if (procfs_read_last_pid(&evidence->procfs, &last) < 0)
		return;
	n = arrivals_take(&evidence->arrivals, last, pids);
	for (i = 0; i < n; i++)
		if (childindex_learn(evidence->index, pids[i]) == -EAGAIN)
			arrivals_wait(&evidence->arrivals, pids[i]);
	evidence_hold(evidence, false);
}

bool evidence_has_listeners(struct evidence *evidence)
{
	pid_t pids[LISTENERS_MAX];

	return listeners_pids(evidence->listeners, pids) > 0;
}

size_t evidence_candidates(struct evidence *evidence, const struct addr *addr,
			   uint16_t port, pid_t *ret_pids, size_t max)
{
	return childindex_find(evidence->index, addr, port, ret_pids, max);
}
