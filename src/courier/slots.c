/* The slots of courier's listeners.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Read a process again after this time if it could not be read. */
#define RETRY_MS 1000

static bool was_confirmed(const struct slot *slot, int64_t now)
{
	return slot->confirmed_at && now - slot->confirmed_at < SLOT_FRESH_MS;
}

enum slot_login slot_login(const struct slot *slot, int64_t now)
{
	int64_t since = now - slot->submit_at;

	if (slot->has_login || slot->relay_client)
		return SLOT_LOGIN_SEEN;
	if (slot->state == SLOT_HANDSHAKE)
		return slot->is_settled ? SLOT_LOGIN_NONE : SLOT_LOGIN_UNKNOWN;
	if (!slot->offers_login)
		return SLOT_LOGIN_NONE;
	if (slot->submit.pid && !slot->submit.known)
		return SLOT_LOGIN_UNKNOWN;
	if (slot->submit.pid)
		return since >= SLOT_SAME_SUBMIT_MS || was_confirmed(slot, now) ?
			       SLOT_LOGIN_NONE : SLOT_LOGIN_UNKNOWN;
	return since >= SLOT_NO_SUBMIT_MS ? SLOT_LOGIN_NONE : SLOT_LOGIN_UNKNOWN;
}

static struct cidr entry_of(const struct slots *x, const struct addr *addr)
{
	unsigned int prefix = addr->family == ADDR_IPV4 ? x->ipv4_prefix : x->ipv6_prefix;

	return (struct cidr){ .net = cidr_mask(addr, prefix), .prefix = (uint8_t)prefix };
}

/* Call fn for each slot whose client is known. */
static void for_each(const struct slots *x, const struct cidr *entry,
		     void (*fn)(struct slot *slot, void *data), void *data)
{
	size_t i, j;

	for (i = 0; i < x->count; i++)
		for (j = 0; j < x->listeners[i].count; j++) {
			struct slot *s = &x->listeners[i].slots[j];

			if ((s->state == SLOT_SESSION || s->state == SLOT_HANDSHAKE) &&
			    cidr_contains(entry, &s->peer.addr))
				fn(s, data);
		}
}

static void note_listed(struct slot *slot, void *data)
{
	*(bool *)data |= slot->listed;
}

/* What its submit did before is unknown. */
static void watch(struct slot *slot, void *data)
{
	const int64_t *now = data;

	if (!slot->is_watched)
		slot->submit_at = *now;
	slot->is_watched = true;
}

/* Watch a new session if it is listed or if one in its entry is; then watch the others too. */
static void decide_watching(struct slots *x, const struct slot *slot, int64_t now)
{
	struct cidr entry = entry_of(x, &slot->peer.addr);
	bool listed = false;

	if (x->listed > 0)
		for_each(x, &entry, note_listed, &listed);
	if (listed)
		for_each(x, &entry, watch, &now);
}

/* Has the process run since the last call? If that is unknown, suppose so. */
static bool has_run(const struct smtpd_rules *rules, struct slot *slot, pid_t pid, int64_t now)
{
	uint64_t cpu_time;

	if (procfs_read_cpu_time(rules->procfs, pid, &cpu_time) < 0)
		return true;
	if (cpu_time == slot->cpu_time)
		return false;
	slot->cpu_time = cpu_time;
	slot->active_at = now;
	return true;
}

/* The environment was read. */
static void take_facts(struct slots *x, struct slot *slot, const struct smtpd_hint *hint,
		       int64_t now)
{
	slot->state = hint->is_tls ? SLOT_HANDSHAKE : SLOT_SESSION;
	slot->smtpd = hint->is_tls ? 0 : slot->pid;
	slot->peer = hint->peer;
	slot->relay_client = hint->facts.relay_client;
	slot->offers_login = hint->facts.offers_login;
	slot->listed = x->judge(x->ctx, &hint->peer.addr, &hint->facts);
	slot->read_at = now;
	slot->submit_at = now;
	slot->has_changed = true;
	slot->is_settled = false;
	if (slot->listed)
		x->listed++;
}

/* Read a process that is new or has not exec'd yet. */
static int read_new(struct slots *x, const struct smtpd_rules *rules, struct slot *slot,
		    int64_t now)
{
	struct smtpd_hint hint;
	int r;

	if (!has_run(rules, slot, slot->pid, now) && slot->is_settled)
		return 0;
	r = smtpd_read_hint(rules, slot->pid, &x->scratch, &hint);
	slot->is_settled = r == -EAGAIN;
	if (r == -EAGAIN)
		return 0;
	if (r == 0) {
		take_facts(x, slot, &hint, now);
		return 0;
	}
	/* It exec'd meanwhile, or it is gone. */
	if (r == -ESRCH)
		return 0;
	slot->state = SLOT_OTHER;
	slot->retry_at = r == -EPERM || r == -ENODATA ? INT64_MAX : now + RETRY_MS;
	return r == -EPERM || r == -ENODATA ? 0 : r;
}

/* Look for the courieresmtpd below a couriertls. */
static int read_handshake(struct slots *x, const struct smtpd_rules *rules, struct slot *slot,
			  int64_t now)
{
	struct smtpd smtpd = SMTPD_NONE;
	struct smtpd_facts facts;
	pid_t *pids;
	ssize_t n;
	int r;

	if (!has_run(rules, slot, slot->pid, now) && slot->is_settled)
		return 0;
	n = procfs_read_children(rules->procfs, slot->pid, &pids);
	if (n >= 0)
		free(pids);
	slot->is_settled = n == 0;
	if (n <= 0)
		return 0;
	r = smtpd_open(rules, slot->pid, &x->scratch, &smtpd, &facts);
	if (r == 0) {
		slot->smtpd = smtpd.process.pid;
		slot->state = SLOT_SESSION;
		slot->read_at = slot->submit_at = now;
	}
	smtpd_done(&smtpd);
	return r == -EAGAIN || r == -ESRCH ? 0 : r;
}

/* Read the submit of a session. */
static int read_session(struct slots *x, const struct smtpd_rules *rules, struct slot *slot,
			int64_t now)
{
	const struct session_submit before = slot->submit;
	int r;

	if (!has_run(rules, slot, slot->smtpd, now) && slot->is_settled)
		return 0;
	slot->has_changed = true;
	r = session_signs_submit(rules, slot->smtpd, &x->scratch, &slot->submit);
	if (r < 0 || slot->submit.pid != before.pid || slot->submit.known != before.known)
		slot->submit_at = now;
	slot->is_settled = r == 0 && (slot->submit.known || !slot->submit.pid);
	if (slot->submit.relays && !slot->relay_client)
		slot->has_login = true;
	return r == -ESRCH ? 0 : r;
}

/* Read a process that is no session yet. */
static int read_unknown(struct slots *x, const struct smtpd_rules *rules, struct slot *slot,
			int64_t now)
{
	int r = 0;

	if (slot->state == SLOT_OTHER && now >= slot->retry_at)
		slot->state = SLOT_FORKED;
	if (slot->state == SLOT_FORKED && slot->pid != x->but) {
		r = read_new(x, rules, slot, now);
		if (slot->read_at)
			decide_watching(x, slot, now);
	}
	if (r == 0 && slot->state == SLOT_HANDSHAKE)
		r = read_handshake(x, rules, slot, now);
	if (slot->state == SLOT_FORKED || slot->state == SLOT_HANDSHAKE)
		x->unread++;
	if ((slot->state == SLOT_OTHER && slot->retry_at != INT64_MAX) ||
	    (slot->state == SLOT_HANDSHAKE && r < 0))
		x->is_incomplete = true;
	return r;
}

/* The slot of this PID before the refresh. Children are listed in the order of their start, so it
 * is nearly always the next one. */
static const struct slot *find_before(const struct listener *before, size_t *at, pid_t pid)
{
	size_t i;

	for (i = *at; i < before->count; i++)
		if (before->slots[i].pid == pid) {
			*at = i + 1;
			return &before->slots[i];
		}
	return NULL;
}

/* Are the children the same as before? */
static bool is_unchanged(const struct listener *listener, const pid_t *pids, size_t n)
{
	size_t i;

	for (i = 0; i < n && i < listener->count && listener->slots[i].pid == pids[i]; i++)
		;
	return i == n && n == listener->count;
}

/* Replace the slots of a listener by these children; known ones are kept. */
static int replace_children(struct listener *listener, const pid_t *pids, size_t n, int64_t now)
{
	struct listener next = *listener;
	size_t i, at = 0;

	next.slots = calloc(n ? n : 1, sizeof(*next.slots));
	if (!next.slots)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		const struct slot *known = find_before(listener, &at, pids[i]);

		if (known)
			next.slots[i] = *known;
		else
			next.slots[i] = (struct slot){ .pid = pids[i], .first_at = now,
						       .active_at = now };
	}
	next.count = n;
	free(listener->slots);
	*listener = next;
	return 0;
}

static int refresh_children(const struct smtpd_rules *rules, struct listener *listener,
			    int64_t now)
{
	pid_t *pids = NULL;
	ssize_t n;
	int r = 0;

	n = procfs_read_children(rules->procfs, listener->tcpd, &pids);
	if (n == -ESRCH)
		n = 0;
	if (n < 0)
		return (int)n;
	if (!is_unchanged(listener, pids, (size_t)n))
		r = replace_children(listener, pids, (size_t)n, now);
	free(pids);
	return r;
}

static size_t count_listed(const struct listener *listener)
{
	size_t n = 0, i;

	for (i = 0; i < listener->count; i++)
		n += listener->slots[i].listed;
	return n;
}

static struct listener *find_listener(const struct slots *x, pid_t tcpd)
{
	size_t i;

	for (i = 0; i < x->count; i++)
		if (x->listeners[i].tcpd == tcpd)
			return &x->listeners[i];
	return NULL;
}

/* Take the couriertcpds that are running. */
static int take_listeners(struct slots *x, const struct smtpd_rules *rules)
{
	pid_t pids[TCPD_MAX];
	size_t n = tcpd_pids(rules->tcpds, pids), i;
	struct listener *next = calloc(n ? n : 1, sizeof(*next)), *known;

	if (!next)
		return -ENOMEM;
	x->has_other_listeners = n != x->count;
	for (i = 0; i < n; i++) {
		known = find_listener(x, pids[i]);
		next[i].tcpd = pids[i];
		x->has_other_listeners |= !known;
		if (known) {
			next[i] = *known;
			known->slots = NULL;
		}
		if (!next[i].max_known)
			next[i].max_known = session_signs_slots(rules, pids[i], &next[i].max);
	}
	slots_done(x);
	x->listeners = next;
	x->count = n;
	return 0;
}

/* Call fn for each slot. Returns 0, or what failed last. */
static int read_all(struct slots *x, const struct smtpd_rules *rules, int64_t now,
		    int (*fn)(struct slots *x, const struct smtpd_rules *rules,
			      struct slot *slot, int64_t now))
{
	int failed = 0, r;
	size_t i, j;

	for (i = 0; i < x->count; i++)
		for (j = 0; j < x->listeners[i].count; j++) {
			r = fn(x, rules, &x->listeners[i].slots[j], now);
			failed = r < 0 ? r : failed;
		}
	return failed;
}

static int read_unknown_ones(struct slots *x, const struct smtpd_rules *rules, int64_t now)
{
	x->unread = 0;
	return read_all(x, rules, now, read_unknown);
}

static pid_t read_last_pid(const struct smtpd_rules *rules)
{
	pid_t pid;

	return procfs_read_last_pid(rules->procfs, &pid) == 0 ? pid : 0;
}

/* Read the children of the couriertcpds, and those that are no session yet. */
static int read_children(struct slots *slots, const struct smtpd_rules *rules, int64_t now)
{
	pid_t last_pid = read_last_pid(rules);
	int failed = take_listeners(slots, rules), r;
	size_t i;

	slots->is_last = last_pid && last_pid == slots->last_pid;
	slots->last_pid = last_pid;
	slots->listed = 0;
	for (i = 0; i < slots->count; i++) {
		r = refresh_children(rules, &slots->listeners[i], now);
		failed = r < 0 ? r : failed;
		slots->listed += count_listed(&slots->listeners[i]);
	}
	slots->is_incomplete = failed < 0;
	r = read_unknown_ones(slots, rules, now);
	return r < 0 ? r : failed;
}

static bool has_same_listeners(const struct slots *x, const struct smtpd_rules *rules)
{
	pid_t pids[TCPD_MAX];
	size_t n = tcpd_pids(rules->tcpds, pids), i;

	for (i = 0; i < n && find_listener(x, pids[i]); i++)
		;
	return n == x->count && i == n;
}

int slots_find_new(struct slots *slots, const struct smtpd_rules *rules, int64_t now)
{
	if (!slots->is_last || slots->is_incomplete || !has_same_listeners(slots, rules) ||
	    read_last_pid(rules) != slots->last_pid)
		return read_children(slots, rules, now);
	slots->has_other_listeners = false;
	return read_unknown_ones(slots, rules, now);
}

static int read_watched(struct slots *x, const struct smtpd_rules *rules, struct slot *slot,
			int64_t now)
{
	if (slot->state != SLOT_SESSION || !slot->is_watched)
		return 0;
	return read_session(x, rules, slot, now);
}

int slots_refresh(struct slots *slots, const struct smtpd_rules *rules, int64_t now)
{
	int failed = read_children(slots, rules, now);
	int r = read_all(slots, rules, now, read_watched);

	return r < 0 ? r : failed;
}

struct slot *slots_find(const struct slots *slots, pid_t pid)
{
	size_t i, j;

	for (i = 0; i < slots->count; i++)
		for (j = 0; j < slots->listeners[i].count; j++) {
			struct slot *s = &slots->listeners[i].slots[j];

			if (s->pid == pid || s->smtpd == pid)
				return s;
		}
	return NULL;
}

struct confirmation {
	struct slots *slots;
	const struct smtpd_rules *rules;
	pid_t but;
	int64_t now;
};

/* If the smtpd is idle before and after and did nothing meanwhile, then its submit is the one
 * that it will use next. Returns 1; 0: no; -errno: it could not be read. */
static int is_certain(struct confirmation *c, struct slot *slot)
{
	const struct procfs *procfs = c->rules->procfs;
	uint64_t before = 0, after = 0;
	int r;

	r = procfs_read_cpu_time(procfs, slot->smtpd, &before);
	slot->is_settled = false;
	if (r == 0)
		r = read_session(c->slots, c->rules, slot, c->now);
	if (r == 0)
		r = session_signs_is_idle(c->rules, slot->smtpd);
	if (r <= 0)
		return r;
	r = procfs_read_cpu_time(procfs, slot->smtpd, &after);
	return r < 0 ? r : before == after;
}

/* slots_find_new() may have left it there. */
static bool is_gone(const struct smtpd_rules *rules, const struct slot *slot)
{
	struct procfs_status status;

	return procfs_read_status(rules->procfs, slot->pid, &status) == -ESRCH;
}

/* Is this the slot of that PID? A handshake has no smtpd, and 0 is none. */
static bool is_slot_of(const struct slot *slot, pid_t pid)
{
	return pid != 0 && (slot->pid == pid || slot->smtpd == pid);
}

static void confirm(struct slot *slot, void *data)
{
	struct confirmation *c = data;
	int r;

	if (slot_login(slot, c->now) == SLOT_LOGIN_SEEN && is_gone(c->rules, slot)) {
		slot->state = SLOT_OTHER;
		slot->retry_at = INT64_MAX;
	}
	if (is_slot_of(slot, c->but) || slot->ending ||
	    slot_login(slot, c->now) == SLOT_LOGIN_SEEN || !slot->offers_login ||
	    slot->state != SLOT_SESSION || was_confirmed(slot, c->now))
		return;
	watch(slot, &c->now);
	r = is_certain(c, slot);
	if (r < 0 && r != -ESRCH)
		c->slots->is_incomplete = true;
	slot->confirmed_at = r > 0 ? c->now : 0;
	if (r <= 0)
		slot->submit_at = c->now;
}

void slots_confirm(struct slots *slots, const struct smtpd_rules *rules,
		   const struct cidr *entry, pid_t but, int64_t now)
{
	struct confirmation c = { slots, rules, but, now };

	for_each(slots, entry, confirm, &c);
}

struct login_search {
	enum slot_login found;
	pid_t but;
	int64_t now;
};

static void note_login(struct slot *slot, void *data)
{
	struct login_search *search = data;
	enum slot_login login;

	if (is_slot_of(slot, search->but) || slot->ending)
		return;
	login = slot_login(slot, search->now);
	if (login == SLOT_LOGIN_SEEN || search->found == SLOT_LOGIN_NONE)
		search->found = login;
}

enum slot_login slots_login_in(const struct slots *slots, const struct cidr *entry, pid_t but,
			       int64_t now)
{
	struct login_search search = { SLOT_LOGIN_NONE, but, now };

	for_each(slots, entry, note_login, &search);
	return slots->is_incomplete && search.found == SLOT_LOGIN_NONE ? SLOT_LOGIN_UNKNOWN :
									 search.found;
}

void slots_done(struct slots *slots)
{
	size_t i;

	for (i = 0; i < slots->count; i++)
		free(slots->listeners[i].slots);
	free(slots->listeners);
	slots->listeners = NULL;
	slots->count = 0;
	slots->is_last = false;
}
