/* Who serves this address and port?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/evidence.h"

#include <errno.h>
#include <stdlib.h>

#include "courier/arrivals.h"
#include "courier/childindex.h"

/* Connections of one address that the worker asks about. */
#define RELAY_CLIENTS_MAX 8

struct evidence {
	struct procfs procfs;
	struct listeners *listeners;
	struct reset reset;
	struct child_rules rules;
	struct childindex *index;
	struct arrivals arrivals;
};

int evidence_new(const char *proc_root, struct looker *looker, uid_t courier_uid,
		 struct evidence **ret_evidence)
{
	struct evidence *ev = calloc(1, sizeof(*ev));
	int r;

	if (!ev)
		return -ENOMEM;
	ev->reset = (struct reset)RESET_NONE;
	r = procfs_init(&ev->procfs, proc_root);
	if (r == 0)
		r = listeners_new(&ev->procfs, looker, courier_uid, &ev->listeners);
	ev->rules = (struct child_rules){ .procfs = &ev->procfs,
					  .looker = looker,
					  .listeners = ev->listeners,
					  .reset = &ev->reset,
					  .uid = courier_uid };
	if (r == 0)
		r = childindex_new(&ev->rules, &ev->index);
	if (r < 0) {
		evidence_free(ev);
		return r;
	}
	*ret_evidence = ev;
	return 0;
}

void evidence_free(struct evidence *evidence)
{
	if (!evidence)
		return;
	childindex_free(evidence->index);
	listeners_free(evidence->listeners);
	reset_done(&evidence->reset);
	free(evidence);
}

const struct child_rules *evidence_rules(const struct evidence *evidence)
{
	return &evidence->rules;
}

/* What is pinned already. Anything but 0 says no more than that the background thread
 * has to look. */
static int find_held(struct evidence *ev, pid_t pid, const struct evidence_query *q,
		     struct child_scratch *scratch, struct child *child,
		     struct child_facts *facts)
{
	bool with_submit = q->confirms && !q->attested;
	int r;

	if (q->defers ||
	    !childindex_withdraw(ev->index, pid, &q->addr, q->port, with_submit, child))
		return -EAGAIN;
	r = child_prove_again(&ev->rules, child, scratch, facts);
	if (r == 0 && with_submit)
		r = child_check_held_submit(child);
	if (r < 0)
		child_done(child);
	return r;
}

int evidence_prove(struct evidence *evidence, pid_t pid,
		   const struct addr *addr, uint16_t port,
		   struct child_scratch *scratch, struct child *ret_child,
		   struct child_facts *ret_facts)
{
	const struct evidence_query any = { .addr = *addr, .port = port };
	struct child child = CHILD_NONE;
	int r;

	r = find_held(evidence, pid, &any, scratch, &child, ret_facts);
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

/* The line names its process. */
static int find_named(struct evidence *ev, const struct evidence_query *q,
		      struct child_scratch *scratch, struct child *ret_child,
		      struct child_facts *ret_facts)
{
	pid_t pid = q->attested ? q->attested : q->hint;
	int r;

	if (find_held(ev, pid, q, scratch, ret_child, ret_facts) == 0)
		return 0;
	r = child_may_be(&ev->rules, pid);
	if (r == -ESRCH && q->attested)
		return r;
	return r == -EPERM ? r : -EAGAIN;
}

int evidence_find(struct evidence *evidence, const struct evidence_query *query,
		  struct child_scratch *scratch, struct child *ret_child,
		  struct child_facts *ret_facts)
{
	pid_t pid;

	if (query->attested || query->hint)
		return find_named(evidence, query, scratch, ret_child, ret_facts);
	/* Without a port there may be more children than the index knows. */
	if (query->port == 0 ||
	    childindex_find(evidence->index, &query->addr, query->port, &pid, 1) != 1)
		return -EAGAIN;
	return find_held(evidence, pid, query, scratch, ret_child, ret_facts) == 0 ? 0 :
										    -EAGAIN;
}

bool evidence_may_be_couriers(const struct evidence *evidence, pid_t pid)
{
	return child_may_be(&evidence->rules, pid) == 0;
}

bool evidence_knows_relay_client(struct evidence *evidence, const struct addr *addr)
{
	pid_t pids[RELAY_CLIENTS_MAX];
	size_t n, i;

	n = childindex_find_relay_clients(evidence->index, addr, pids, RELAY_CLIENTS_MAX);
	for (i = 0; i < n; i++)
		if (child_may_be(&evidence->rules, pids[i]) == 0)
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
	childindex_hold(evidence->index, submits);
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
