/* Answers the lines that take a search, in the caretaker's thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "inquiry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "advice.h"

/* The index is kept up to date this often, and this long after a question. */
#define WARM_EVERY_MS 1000
#define WARM_FOR_MS 60000
/* What took a while may be repeated after this many times as long: a thorough
 * search; a refresh for lines that ask; one to keep the index warm. */
#define THOROUGH_REST 10
#define ASKED_REST 4
#define WARM_REST 50
/* No thorough search more often than this. */
#define THOROUGH_MIN_MS 20
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
	struct child_scratch submit;
	struct question pending[QUESTIONS_MAX];	/* not found by the index */
	size_t pending_count;
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

/* A child that only has to end: its address is blocked already. */
static void end_child(struct inquiry *q, struct evidence *ev,
		      const struct child_facts *facts, struct child *child)
{
	const struct decision relays = { VERDICT_ALLOWED, REASON_RELAY_CLIENT };

	if (facts->relay_client) {
		enforcer_count(q->enforcer, relays);
		child_done(child);
		return;
	}
	enforcer_end(q->enforcer, evidence_rules(ev), child);
}

/* A child that was asked about. Returns true if its address was blocked. */
static bool judge_child(struct inquiry *q, struct evidence *ev,
			const struct question *question,
			const struct child_facts *facts, struct child *child)
{
	struct courierlog_line line;
	struct decision d;

	int r = 0;

	question_line(question, &line);
	d = policy_judge_child(q->enforcer->settings, &line, facts);
	if (d.verdict == VERDICT_BLOCK &&
	    policy_wants_confirmation(q->enforcer->settings))
		r = evidence_confirm(ev, &question->query, child, facts,
				     &q->submit);
	if (r < 0) {
		enforcer_refuse(q->enforcer, r);
		child_done(child);
		return false;
	}
	if (d.verdict == VERDICT_BLOCK) {
		d = enforcer_punish(q->enforcer, evidence_rules(ev), &line,
				    facts, child);
		return d.verdict == VERDICT_BLOCK;
	}
	enforcer_count(q->enforcer, d);
	child_done(child);
	return false;
}

/* One that may serve the peer. Returns 0 or -errno if it is not the one after
 * all. *blocked becomes true once the address was blocked. */
static int act_on(struct inquiry *q, struct evidence *ev,
		  const struct question *question, pid_t pid, bool *blocked)
{
	struct child child = CHILD_NONE;
	struct child_facts facts;
	int r;

	r = evidence_prove(ev, pid, &question->query.addr, question->query.port,
			   &q->scratch, &child, &facts);
	if (r < 0)
		return r;
	if (*blocked)
		end_child(q, ev, &facts, &child);
	else
		*blocked = judge_child(q, ev, question, &facts, &child);
	return 0;
}

/* Look the peer up. Returns true if the question is answered. */
static bool answer(struct inquiry *q, struct evidence *ev,
		   const struct question *question)
{
	bool all = question->kind == QUESTION_END, blocked = all, found = false;
	pid_t pids[CANDIDATES_MAX];
	size_t n, i;
	int r;

	n = evidence_candidates(ev, &question->query.addr, question->query.port,
				pids, CANDIDATES_MAX);
	for (i = 0; i < n && i < CANDIDATES_MAX; i++) {
		r = act_on(q, ev, question, pids[i], &blocked);
		enforcer_note_look(q->enforcer, r);
		found = found || r == 0;
		/* Without a port the others are asked for on their own, by
		 * enforcer_punish(). */
		if (blocked && !all && question->query.port == 0)
			break;
	}
	return found;
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

static int64_t longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void search_thoroughly(struct inquiry *q, struct evidence *ev)
{
	int64_t took = refresh(q, ev, true), now = caretaker_now();
	size_t i;

	q->thorough_at = now + longer(took * THOROUGH_REST / 1000,
				      THOROUGH_MIN_MS);
	q->nobody_until = evidence_has_listeners(ev) ? 0 : now + NO_LISTENER_MS;
	answer_pending(q, ev);
	for (i = 0; i < q->pending_count; i++)
		give_up(q, &q->pending[i]);
	q->pending_count = 0;
}

/* The cheap refresh: for lines that ask, and to keep the index warm. */
static void refresh_if_due(struct inquiry *q, struct evidence *ev, int64_t now)
{
	int64_t took;

	if (now < (q->pending_count > 0 ? q->asked_at : q->warm_at))
		return;
	took = refresh(q, ev, false);
	q->asked_at = now + took * ASKED_REST / 1000;
	q->warm_at = now + longer(took * WARM_REST / 1000, WARM_EVERY_MS);
	answer_pending(q, ev);
}

static void no_evidence(struct inquiry *q)
{
	size_t i;

	for (i = 0; i < q->pending_count; i++)
		give_up(q, &q->pending[i]);
	q->pending_count = 0;
}

int64_t inquiry_run(struct inquiry *inquiry, struct evidence *evidence,
		    int64_t now)
{
	take(inquiry, now);
	if (!evidence) {
		no_evidence(inquiry);
		return INT64_MAX;
	}
	if (now >= inquiry->warm_until)
		return INT64_MAX;
	refresh_if_due(inquiry, evidence, now);
	if (inquiry->pending_count > 0 && now >= inquiry->thorough_at)
		search_thoroughly(inquiry, evidence);
	return inquiry->pending_count > 0 ? inquiry->thorough_at :
					    inquiry->warm_at;
}
