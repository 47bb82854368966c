/* Replay a log: which slots were in use without the module, and which would have been
 * with it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/replay/simulate.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/decision.h"

/* Upper limits of the caches, some 20 MB each. */
#define SESSIONS_MAX 262144
#define HOSTS_MAX 262144

/* courier's timeout for a client's next line. An smtpd that is not terminated keeps its slot
 * that long after its client's packets are dropped. */
#define READ_TIMEOUT 600

/* Identifies a connection. The struct has no padding: its bytes are compared. */
struct session_key {
	struct addr addr;
	uint8_t unused;
	uint16_t port;		/* 0 if not used */
	pid_t pid;		/* likewise */
};

struct session {
	int64_t last;			/* time of the last line */
	int64_t end[COURSE_COUNT];
	bool kept_out;			/* the module keeps this connection out */
	bool ended;			/* the module terminates it */
};

struct simulation {
	const struct judge *judge;
	const struct simulate_model *model;
	struct lru *sessions, *hosts;
	struct timeline *timeline;
	struct limits limits;
	struct simulate_totals totals;
};

/* One line, with the host and the session it is about. */
struct event {
	const struct courierlog_line *line;
	struct decision decision;
	int64_t time;
	struct session_key key;
	struct simulate_host *host;
	struct cidr target;
};

static int open_parts(struct simulation *s)
{
	int r;

	r = lru_new(sizeof(struct session_key), sizeof(struct session), SESSIONS_MAX,
		    &s->sessions);
	if (r == 0)
		r = lru_new(sizeof(struct addr), sizeof(struct simulate_host), HOSTS_MAX,
			    &s->hosts);
	if (r == 0)
		r = timeline_new(&s->timeline);
	if (r == 0)
		r = limits_init(&s->limits, &s->judge->settings);
	return r;
}

int simulation_new(const struct judge *judge, const struct simulate_model *model,
		   struct simulation **ret_simulation)
{
	struct simulation *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->judge = judge;
	s->model = model;
	if (open_parts(s) < 0) {
		simulation_free(s);
		return -ENOMEM;
	}
	*ret_simulation = s;
	return 0;
}

void simulation_free(struct simulation *simulation)
{
	if (!simulation)
		return;
	lru_free(simulation->sessions);
	lru_free(simulation->hosts);
	timeline_free(simulation->timeline);
	limits_done(&simulation->limits);
	free(simulation);
}

/* --- slots --- */

/* End the connection at end, which may be earlier than assumed so far. */
static void set_end(struct simulation *s, const struct event *e, struct session *session,
		    enum course course, int64_t end)
{
	timeline_take(s->timeline, course, session->end[course], end);
	e->host->slot_time[course] += end - session->end[course];
	session->end[course] = end;
}

static void extend(struct simulation *s, const struct event *e, struct session *session,
		   enum course course, int64_t end)
{
	if (end > session->end[course])
		set_end(s, e, session, course, end);
}

static void shorten(struct simulation *s, const struct event *e, struct session *session,
		    enum course course, int64_t end)
{
	if (end < session->end[course])
		set_end(s, e, session, course, end);
}

/* --- blocks --- */

static bool is_blocked(const struct event *e)
{
	return e->host->blocks > 0 && e->time < e->host->blocked_until;
}

/* The blocked host tries again: each dropped packet renews the block. */
static void keep_out(struct simulation *s, const struct event *e)
{
	e->host->kept_out++;
	s->totals.kept_out++;
	e->host->blocked_until = e->time + s->judge->settings.ban_time;
}

static void block(struct simulation *s, const struct event *e)
{
	if (!is_blocked(e)) {
		if (e->host->blocks++ == 0) {
			e->host->first_block = e->time;
			s->totals.hosts_blocked++;
		}
		s->totals.blocks++;
	}
	e->host->blocked_until = e->time + s->judge->settings.ban_time;
}

/* Block the address of a trigger, unless maxBlocks prevents it. Returns false if the trigger
 * is below the threshold. */
static bool block_host(struct simulation *s, const struct event *e)
{
	struct decision d = decide_limits(&s->limits, &e->target, e->line->times,
					  e->time * 1000, false);

	if (d.reason == REASON_BELOW_THRESHOLD)
		return false;
	if (d.verdict == VERDICT_BLOCK)
		block(s, e);
	else
		s->totals.over_budget++;
	return true;
}

/* The line triggered: with terminate the module ends the smtpd, otherwise it stays until its
 * timeout. */
static void terminate_smtpd(struct simulation *s, const struct event *e, struct session *session)
{
	const struct settings *settings = &s->judge->settings;

	if (!settings->terminate) {
		extend(s, e, session, COURSE_WITH, e->time + READ_TIMEOUT);
		return;
	}
	set_end(s, e, session, COURSE_WITH, e->time + settings->terminate_delay / 1000);
	s->totals.ended++;
	session->ended = true;
}

/* --- lines --- */

static void *find_or_add(struct lru *lru, const void *key)
{
	void *found = lru_find(lru, key);

	return found ? found : lru_add(lru, key);
}

static struct session *add_session(struct simulation *s, const struct event *e)
{
	struct session *session = find_or_add(s->sessions, &e->key);

	*session = (struct session){ .last = e->time, .end = { e->time, e->time } };
	e->host->connections++;
	s->totals.connections++;
	if (is_blocked(e)) {
		session->kept_out = true;
		keep_out(s, e);
	}
	return session;
}

/* Find the connection of a line. NULL: it began before the log did, or was evicted. */
static struct session *find_session(const struct simulation *s, const struct event *e)
{
	struct session *session = lru_find(s->sessions, &e->key);

	return session && e->time - session->last < TIMELINE_BACK ? session : NULL;
}

/* In the course with the module, a connection that was kept out or terminated logs nothing. */
static void go_on_with(struct simulation *s, const struct event *e, struct session *session,
		       int64_t seconds)
{
	if (session->kept_out || session->ended)
		return;
	if (e->decision.verdict == VERDICT_BLOCK && block_host(s, e))
		terminate_smtpd(s, e, session);
	else
		extend(s, e, session, COURSE_WITH, e->time + seconds);
}

static void go_on(struct simulation *s, const struct event *e, struct session *session,
		  int64_t seconds)
{
	session->last = e->time;
	extend(s, e, session, COURSE_WITHOUT, e->time + seconds);
	go_on_with(s, e, session, seconds);
}

static void play_started(struct simulation *s, const struct event *e)
{
	struct session *session = find_session(s, e);

	/* Without port and PID, a line does not identify a connection. */
	if (session && (e->key.port || e->key.pid)) {
		shorten(s, e, session, COURSE_WITHOUT, e->time);
		shorten(s, e, session, COURSE_WITH, e->time);
	}
	go_on(s, e, add_session(s, e), s->model->session);
}

static void play_error(struct simulation *s, const struct event *e)
{
	struct session *session = find_session(s, e);

	go_on(s, e, session ? session : add_session(s, e), s->model->idle);
}

/* With -drop courier closes the connection when it logs this line. */
static void play_dropped(struct simulation *s, const struct event *e)
{
	s->totals.connections++;
	e->host->connections++;
	if (is_blocked(e))
		keep_out(s, e);
	else if (e->decision.verdict == VERDICT_BLOCK)
		block_host(s, e);
}

static void note_pressure(struct simulation *s, const struct courierlog_line *line)
{
	unsigned long active = (unsigned long)line->active;
	struct simulate_totals *t = &s->totals;

	if (active > t->active)
		t->active = active;
	if (line->full && active > t->limit)
		t->limit = active;
	t->full += line->full;
	t->full_address += active == 0;
}

static void find_host(struct simulation *s, struct event *e)
{
	const struct addr *addr = &e->line->addr;

	e->target = decide_prefix(&s->judge->settings, addr);
	e->host = find_or_add(s->hosts, &e->target.net);
}

static void play(struct simulation *s, struct event *e)
{
	find_host(s, e);
	if (e->line->kind == COURIERLOG_DROPPED)
		play_dropped(s, e);
	else if (e->line->kind == COURIERLOG_STARTED)
		play_started(s, e);
	else
		play_error(s, e);
}

void simulation_line(struct simulation *simulation, const struct syslog_line *line,
		     int64_t time)
{
	struct courierlog_line found;
	struct event e = { .line = &found, .time = time };

	timeline_advance(simulation->timeline, time);
	e.decision = verdict_line(simulation->judge, line, &found);
	simulation->totals.couriers += verdict_is_couriers(line, &found);
	if (found.kind == COURIERLOG_OTHER || found.kind == COURIERLOG_UNKNOWN)
		return;
	simulation->totals.lines++;
	if (found.kind == COURIERLOG_PRESSURE) {
		note_pressure(simulation, &found);
		return;
	}
	e.key = (struct session_key){ .addr = found.addr,
				      .port = found.port,
				      .pid = found.port ? 0 : line->pid };
	play(simulation, &e);
}

void simulation_finish(struct simulation *simulation)
{
	timeline_finish(simulation->timeline);
}

const struct simulate_totals *simulation_totals(const struct simulation *simulation)
{
	return &simulation->totals;
}

const struct settings *simulation_settings(const struct simulation *simulation)
{
	return &simulation->judge->settings;
}

const struct timeline *simulation_slots(const struct simulation *simulation)
{
	return simulation->timeline;
}

const struct lru *simulation_hosts(const struct simulation *simulation)
{
	return simulation->hosts;
}
