/* Answers the lines that take a search, in the caretaker's thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "inquiry.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "advice.h"

/* The index is kept up to date this often, and this long after a question. Where it
 * takes longer, because there are very many children, it is done less often, but not
 * much: the first time, or after a pause, all of them are new and have to be read. */
#define WARM_EVERY_MS 100
#define WARM_EVERY_MOST_MS 1000
#define WARM_FOR_MS 60000
/* What took a while may be repeated after this many times as long: a thorough
 * search; a refresh for lines that ask; one to keep the index warm. */
#define THOROUGH_REST 10
#define ASKED_REST 4
#define WARM_REST 50
/* Lines that wait for a thorough search have the index refreshed this often. */
#define ASK_AGAIN_MS 5
/* No thorough search more often than this. */
#define THOROUGH_MIN_MS 20
/* No look for those that have just started more often than this; what takes longer
 * rests as a thorough search does. */
#define LEARN_MIN_MS 1
/* With no couriertcpd on this host, one is looked for this often. */
#define NO_LISTENER_MS 60000
/* Connections of one address that are looked at for one line. */
#define CANDIDATES_MAX 256
/* dryRun: lines said in one period; the others are counted only. */
#define REPORTS_MAX 30
#define REPORTS_EVERY_MS 60000

struct inquiry {
	const struct enforcer *enforcer;
	inquiry_log_fn *log;
	void *log_ctx;
	struct child_scratch scratch;
	struct child_scratch kept;	/* of a child that is held meanwhile */
	struct child_scratch submit;
	struct question pending[QUESTIONS_MAX];	/* not found by the index */
	size_t pending_count;
	atomic_bool started;	/* a child has, since the last look for such */
	atomic_bool lines;	/* have come since the last run */
	bool keeps_warm;	/* warm_until was not reached in the last run */
	int64_t learn_at;	/* no look for them before */
	int64_t thorough_at;	/* not before */
	int64_t asked_at;	/* no refresh for lines that ask before */
	int64_t warm_at, warm_until;
	int64_t nobody_until;	/* no listener was found: do not look before */
	int64_t reports_until;
	unsigned int reports, unsaid;
};

int inquiry_new(const struct enforcer *enforcer, inquiry_log_fn *log,
		void *log_ctx, struct inquiry **ret_inquiry)
{
	struct inquiry *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->enforcer = enforcer;
	q->log = log;
	q->log_ctx = log_ctx;
	*ret_inquiry = q;
	return 0;
}

void inquiry_free(struct inquiry *inquiry)
{
	free(inquiry);
}

/* What the children that a line may be about tell of it. One line has one
 * verdict, however many they are: the strongest. */
struct hearing {
	const struct question *question;
	struct courierlog_line line;
	bool found;		/* somebody serves the peer */
	struct decision decision;
	int err;		/* VERDICT_REFUSED: which proof is missing */
	bool holds;		/* the first child that is to be blocked: */
	struct child child;
	struct child_facts facts;	/* with its texts in q->kept */
	pid_t others[CANDIDATES_MAX];	/* that are to be blocked too */
	size_t others_count;
};

/* A relay client comes before all: without a port the line may be his, and what
 * is blocked is the whole address. */
static int strength(struct decision d)
{
	switch (d.verdict) {
	case VERDICT_ALLOWED:
		return 4;
	case VERDICT_BLOCK:
		return 3;
	case VERDICT_REFUSED:
		return 2;
	case VERDICT_IGNORE:
	default:
		return d.reason == REASON_NOT_LISTED ? 0 : 1;
	}
}

/* A child that only has to end: its address is blocked already. */
static void end_child(struct inquiry *q, struct evidence *ev,
		      const struct child_facts *facts, struct child *child)
{
	if (facts->relay_client) {
		counters_add(q->enforcer->counters, COUNTER_SPARED, 1);
		child_done(child);
		return;
	}
	enforcer_end(q->enforcer, evidence_rules(ev), child);
}

static struct decision judge_child(struct inquiry *q, struct evidence *ev,
				   const struct hearing *h,
				   const struct child *child,
				   const struct child_facts *facts, int *ret_err)
{
	const struct settings *settings = q->enforcer->settings;
	struct decision d = policy_judge_child(settings, &h->line, facts);
	int r = 0;

	if (d.verdict == VERDICT_BLOCK && policy_wants_confirmation(settings))
		r = evidence_confirm(ev, &h->question->query, child, facts,
				     &q->submit);
	if (r < 0) {
		*ret_err = r;
		return (struct decision){ VERDICT_REFUSED, REASON_TRIGGERED };
	}
	return d;
}

static void keep(struct hearing *h, struct child *child,
		 const struct child_facts *facts)
{
	if (h->holds) {
		h->others[h->others_count++] = child->smtpd.pid;
		child_done(child);
		return;
	}
	h->holds = true;
	h->child = child_take(child);
	h->facts = *facts;
}

static int prove(struct inquiry *q, struct evidence *ev,
		 const struct question *question, pid_t pid,
		 struct child_scratch *scratch, struct child *ret_child,
		 struct child_facts *ret_facts)
{
	int r = evidence_prove(ev, pid, &question->query.addr,
			       question->query.port, scratch, ret_child,
			       ret_facts);

	enforcer_note_look(q->enforcer, r);
	return r;
}

/* One that may serve the peer. */
static void hear(struct inquiry *q, struct evidence *ev, struct hearing *h,
		 pid_t pid)
{
	struct child child = CHILD_NONE;
	struct child_facts facts;
	struct decision d;
	int err = 0;

	if (prove(q, ev, h->question, pid, h->holds ? &q->scratch : &q->kept,
		  &child, &facts) < 0)
		return;
	d = judge_child(q, ev, h, &child, &facts, &err);
	if (d.verdict == VERDICT_BLOCK)
		keep(h, &child, &facts);
	else
		child_done(&child);
	if (!h->found || strength(d) > strength(h->decision)) {
		h->decision = d;
		h->err = err;
	}
	h->found = true;
}

/* The children of an address that is blocked already. Returns true if there was
 * one. */
static bool end_children(struct inquiry *q, struct evidence *ev,
			 const struct question *question, const pid_t *pids,
			 size_t count)
{
	struct child child = CHILD_NONE;
	struct child_facts facts;
	bool found = false;
	size_t i;

	for (i = 0; i < count; i++) {
		if (prove(q, ev, question, pids[i], &q->scratch, &child,
			  &facts) < 0)
			continue;
		end_child(q, ev, &facts, &child);
		found = true;
	}
	return found;
}

static void conclude(struct inquiry *q, struct evidence *ev, struct hearing *h)
{
	struct decision d = h->decision;

	if (d.verdict == VERDICT_BLOCK) {
		d = enforcer_punish(q->enforcer, evidence_rules(ev), &h->line,
				    &h->facts, &h->child);
		/* Without a port enforcer_punish() asks for them itself. */
		if (d.verdict == VERDICT_BLOCK && h->line.port != 0)
			end_children(q, ev, h->question, h->others,
				     h->others_count);
	} else if (d.verdict == VERDICT_REFUSED) {
		enforcer_refuse(q->enforcer, h->err);
	} else {
		enforcer_count(q->enforcer, d);
	}
	child_done(&h->child);
}

/* Look the peer up. Returns true if the question is answered. */
static bool answer(struct inquiry *q, struct evidence *ev,
		   const struct question *question)
{
	struct hearing h = { .question = question, .child = CHILD_NONE };
	pid_t pids[CANDIDATES_MAX];
	size_t n, i;

	n = evidence_candidates(ev, &question->query.addr, question->query.port,
				pids, CANDIDATES_MAX);
	if (n > CANDIDATES_MAX)
		n = CANDIDATES_MAX;
	if (question->kind == QUESTION_END)
		return end_children(q, ev, question, pids, n);
	question_line(question, &h.line);
	for (i = 0; i < n; i++)
		hear(q, ev, &h, pids[i]);
	if (h.found)
		conclude(q, ev, &h);
	return h.found;
}

/* Counting only: nobody serves the address. */
static void give_up(struct inquiry *q, const struct question *question)
{
	if (question->kind == QUESTION_PROVE)
		enforcer_refuse(q->enforcer, -EAGAIN);
}

static void report(struct inquiry *q, const struct question *question,
		   int64_t now)
{
	char ip[ADDR_TEXT_SIZE], reply[QUESTION_REPLY_SIZE + 1], text[320];

	if (now >= q->reports_until) {
		q->reports_until = now + REPORTS_EVERY_MS;
		q->reports = 0;
	}
	if (++q->reports > REPORTS_MAX) {
		q->unsaid++;
		return;
	}
	snprintf(text, sizeof(text), "dryRun: would block %s port %u: \"%s\"",
		 addr_format(&question->query.addr, ip),
		 (unsigned int)question->query.port,
		 advice_clean(question->reply, question->reply_len, reply,
			      sizeof(reply)));
	q->log(q->log_ctx, LOG_NOTICE, text);
}

/* Answer the pending ones; those that are not found stay. */
static void answer_pending(struct inquiry *q, struct evidence *ev)
{
	size_t i, left = 0;

	for (i = 0; i < q->pending_count; i++)
		if (!answer(q, ev, &q->pending[i]))
			q->pending[left++] = q->pending[i];
	q->pending_count = left;
}

/* A line that says which address to block, whoever serves it: there is nothing
 * to end where no courier runs. */
static bool is_pointless(const struct inquiry *q, const struct question *asked,
			 int64_t now)
{
	return asked->kind == QUESTION_END && now < q->nobody_until;
}

/* Take over what was asked. What does not fit any more is refused. */
static void take(struct inquiry *q, int64_t now)
{
	const struct question *asked;
	size_t n = questions_take(q->enforcer->questions, &asked), i;

	for (i = 0; i < n; i++) {
		if (asked[i].kind == QUESTION_REPORT) {
			report(q, &asked[i], now);
		} else if (is_pointless(q, &asked[i], now)) {
			continue;
		} else if (q->pending_count < QUESTIONS_MAX) {
			q->pending[q->pending_count++] = asked[i];
			q->warm_until = now + WARM_FOR_MS;
		} else if (asked[i].kind == QUESTION_PROVE) {
			counters_add(q->enforcer->counters, COUNTER_REFUSED_BUSY, 1);
			notices_raise(q->enforcer->notices, NOTICE_BUSY, 0);
		}
	}
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Returns how long it took, in us. */
static int64_t refresh(struct inquiry *q, struct evidence *ev, bool thorough)
{
	int64_t start = now_us();

	enforcer_note_look(q->enforcer, evidence_refresh(ev, thorough));
	return now_us() - start;
}

/* As refresh(), which those who ask wait for. This is for lines to come. */
static int64_t hold(struct evidence *ev, bool submits)
{
	int64_t start = now_us();

	evidence_hold(ev, submits);
	return now_us() - start;
}

static int64_t longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t shorter(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

bool inquiry_note_start(struct inquiry *inquiry)
{
	return !atomic_exchange(&inquiry->started, true);
}

void inquiry_note_line(struct inquiry *inquiry)
{
	atomic_store_explicit(&inquiry->lines, true, memory_order_relaxed);
}

/* Somebody can make us look by a line that he writes, so this has its ration too. */
static void learn_if_due(struct inquiry *q, struct evidence *ev, int64_t now)
{
	int64_t start;

	/* Taken back first: who starts from here on wants another look. */
	if (now < q->learn_at || !atomic_exchange(&q->started, false))
		return;
	start = now_us();
	evidence_learn(ev);
	q->learn_at = now + longer((now_us() - start) * THOROUGH_REST / 1000,
				   LEARN_MIN_MS);
	/* Somebody has to forget those who are gone. */
	q->warm_until = now + WARM_FOR_MS;
}

/* When to look for those that have started meanwhile. */
static int64_t learn_due(const struct inquiry *q)
{
	return atomic_load(&q->started) ? q->learn_at : INT64_MAX;
}

static void search_thoroughly(struct inquiry *q, struct evidence *ev)
{
	int64_t took = refresh(q, ev, true), now = caretaker_now();
	size_t i;

	q->nobody_until = evidence_has_listeners(ev) ? 0 : now + NO_LISTENER_MS;
	answer_pending(q, ev);
	for (i = 0; i < q->pending_count; i++)
		give_up(q, &q->pending[i]);
	q->pending_count = 0;
	took += hold(ev, false);
	q->thorough_at = caretaker_now() + longer(took * THOROUGH_REST / 1000,
						  THOROUGH_MIN_MS);
}

/* The cheap refresh: for lines that ask, and to keep the index warm. Only the latter
 * holds children, after the answers: it takes longer than all the rest. */
static void refresh_if_due(struct inquiry *q, struct evidence *ev, int64_t now)
{
	bool warms = now >= q->warm_at;
	int64_t took;

	if (now < (q->pending_count > 0 ? q->asked_at : q->warm_at))
		return;
	took = refresh(q, ev, false);
	q->asked_at = now + took * ASKED_REST / 1000;
	answer_pending(q, ev);
	if (!warms)
		return;
	took += hold(ev, true);
	q->warm_at = now + shorter(longer(took * WARM_REST / 1000, WARM_EVERY_MS),
				   WARM_EVERY_MOST_MS);
}

static void no_evidence(struct inquiry *q)
{
	size_t i;

	for (i = 0; i < q->pending_count; i++)
		give_up(q, &q->pending[i]);
	q->pending_count = 0;
}

/* When to look again for what was not found yet: at the index as soon as that may
 * be, and not only when a thorough search may be. */
static int64_t pending_due(const struct inquiry *q, int64_t now)
{
	return shorter(longer(q->asked_at, now + ASK_AGAIN_MS), q->thorough_at);
}

/* Is the index to be kept up to date? */
static bool stays_warm(struct inquiry *q, struct evidence *ev, int64_t now)
{
	if (atomic_exchange_explicit(&q->lines, false, memory_order_relaxed))
		q->warm_until = now + WARM_FOR_MS;
	if (now >= q->warm_until && q->keeps_warm)
		evidence_let_go(ev);
	q->keeps_warm = now < q->warm_until;
	return q->keeps_warm;
}

int64_t inquiry_run(struct inquiry *inquiry, struct evidence *evidence,
		    int64_t now)
{
	int64_t due;

	take(inquiry, now);
	if (!evidence) {
		no_evidence(inquiry);
		return INT64_MAX;
	}
	learn_if_due(inquiry, evidence, now);
	if (!stays_warm(inquiry, evidence, now))
		return learn_due(inquiry);
	refresh_if_due(inquiry, evidence, now);
	if (inquiry->pending_count > 0 && now >= inquiry->thorough_at)
		search_thoroughly(inquiry, evidence);
	due = inquiry->pending_count > 0 ? pending_due(inquiry, now) :
					   inquiry->warm_at;
	return shorter(due, learn_due(inquiry));
}
