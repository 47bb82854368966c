/* Answers the lines that take a search, in the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/session_lookup.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "engine/alert_text.h"

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
/* A look for a line at which a system call failed is repeated for so long. */
#define REPEAT_FOR_MS 5000
/* dryRun: lines said in one period; the others are counted only. */
#define REPORTS_MAX 30
#define REPORTS_EVERY_MS 60000

struct lookup {
	const struct enforcer *enforcer;
	lookup_log_fn *log;
	void *log_ctx;
	struct smtpd_scratch scratch;
	struct smtpd_scratch kept;	/* of a child that is held meanwhile */
	struct smtpd_scratch submit;
	struct reply_regex_scratch *regex;
	struct lookup_request pending[LOOKUP_QUEUE_MAX];	/* not found by the index */
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
	unsigned int reports;
};

int lookup_new(const struct enforcer *enforcer, lookup_log_fn *log, void *log_ctx,
	       struct lookup **ret_lookup)
{
	struct lookup *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->enforcer = enforcer;
	q->log = log;
	q->log_ctx = log_ctx;
	if (reply_regex_scratch_new(enforcer->settings->reply_pattern, &q->regex) < 0) {
		free(q);
		return -ENOMEM;
	}
	*ret_lookup = q;
	return 0;
}

void lookup_free(struct lookup *lookup)
{
	if (!lookup)
		return;
	reply_regex_scratch_free(lookup->regex);
	free(lookup);
}

/* What the children that a line may be about tell of it. One line has one
 * verdict, however many they are: the strongest. */
struct lookup_result {
	const struct lookup_request *lookup_request;
	struct courierlog_line line;
	bool found;		/* somebody serves the peer */
	struct decision decision;
	int err;		/* VERDICT_UNPROVEN: which proof is missing */
	int failed;		/* the error of a call that failed, or 0 */
	bool holds;		/* the first child that is to be blocked: */
	struct smtpd smtpd;
	struct smtpd_facts facts;	/* with its texts in q->kept */
	pid_t others[CANDIDATES_MAX];	/* that are to be blocked too */
	size_t others_count;
};

/* A relay client comes before all: without a port the line may be his, and what
 * is blocked is the whole address. */
static int strength(struct decision d)
{
	switch (d.verdict) {
	case VERDICT_EXEMPT:
		return 4;
	case VERDICT_BLOCK:
		return 3;
	case VERDICT_UNPROVEN:
		return 2;
	case VERDICT_NOT_A_TRIGGER:
	default:
		return d.reason == REASON_NOT_LISTED ? 0 : 1;
	}
}

/* A child that only has to end: its address is blocked already. */
static void end_child(struct lookup *q, struct session_finder *ev,
		      const struct smtpd_facts *facts, struct smtpd *smtpd)
{
	if (facts->relay_client) {
		counters_add(q->enforcer->counters, COUNTER_SPARED, 1);
		smtpd_done(smtpd);
		return;
	}
	enforcer_end(q->enforcer, session_rules(ev), smtpd);
}

static struct decision judge_child(struct lookup *q, struct session_finder *ev,
				   const struct lookup_result *h, const struct smtpd *smtpd,
				   const struct smtpd_facts *facts, int *ret_err)
{
	const struct settings *settings = q->enforcer->settings;
	struct decision d = policy_judge_child(settings, &h->line, facts);
	int r = 0;

	if (d.verdict == VERDICT_BLOCK && policy_wants_confirmation(settings))
		r = session_check_submit(ev, &h->lookup_request->query, smtpd, facts,
					 &q->submit);
	if (r < 0) {
		*ret_err = r;
		return (struct decision){ VERDICT_UNPROVEN, REASON_TRIGGERED };
	}
	return d;
}

static void keep(struct lookup_result *h, struct smtpd *smtpd, const struct smtpd_facts *facts)
{
	if (h->holds) {
		h->others[h->others_count++] = smtpd->process.pid;
		smtpd_done(smtpd);
		return;
	}
	h->holds = true;
	h->smtpd = smtpd_take(smtpd);
	h->facts = *facts;
}

static int prove(struct lookup *q, struct session_finder *ev,
		 const struct lookup_request *lookup_request, pid_t pid,
		 struct smtpd_scratch *scratch, struct smtpd *ret_child,
		 struct smtpd_facts *ret_facts)
{
	int r = session_verify(ev, pid, &lookup_request->query.addr, lookup_request->query.port,
			       scratch, ret_child, ret_facts);

	enforcer_note_look(q->enforcer, r);
	return r;
}

/* One that may serve the peer. Returns 0: it does; otherwise as session_verify(). */
static int consider(struct lookup *q, struct session_finder *ev, struct lookup_result *h,
		    pid_t pid)
{
	struct smtpd smtpd = SMTPD_NONE;
	struct smtpd_facts facts;
	struct decision d;
	int err = 0, r;

	r = prove(q, ev, h->lookup_request, pid, h->holds ? &q->scratch : &q->kept, &smtpd,
		  &facts);
	if (r < 0)
		return r;
	d = judge_child(q, ev, h, &smtpd, &facts, &err);
	if (smtpd_call_failed(err)) {
		smtpd_done(&smtpd);
		return err;
	}
	if (d.verdict == VERDICT_BLOCK)
		keep(h, &smtpd, &facts);
	else
		smtpd_done(&smtpd);
	if (!h->found || strength(d) > strength(h->decision)) {
		h->decision = d;
		h->err = err;
	}
	h->found = true;
	return 0;
}

/* The children of an address that is blocked already. */
static void end_children(struct lookup *q, struct session_finder *ev,
			 const struct lookup_request *lookup_request, const pid_t *pids,
			 size_t count, bool *ret_found, int *ret_failed)
{
	struct smtpd smtpd = SMTPD_NONE;
	struct smtpd_facts facts;
	size_t i;
	int r;

	*ret_found = false;
	*ret_failed = 0;
	for (i = 0; i < count; i++) {
		r = prove(q, ev, lookup_request, pids[i], &q->scratch, &smtpd, &facts);
		if (smtpd_call_failed(r))
			*ret_failed = r;
		if (r < 0)
			continue;
		end_child(q, ev, &facts, &smtpd);
		*ret_found = true;
	}
}

static void apply_result(struct lookup *q, struct session_finder *ev, struct lookup_result *h)
{
	struct decision d = h->decision;
	bool found;
	int failed;

	if (d.verdict == VERDICT_BLOCK) {
		d = enforcer_block_session(q->enforcer, session_rules(ev), &h->line, &h->facts,
					   &h->smtpd);
		/* Without a port enforcer_block_session() asks for them itself. */
		if (d.verdict == VERDICT_BLOCK && h->line.port != 0)
			end_children(q, ev, h->lookup_request, h->others, h->others_count,
				     &found, &failed);
	} else if (d.verdict == VERDICT_UNPROVEN) {
		enforcer_refuse(q->enforcer, h->err);
	} else {
		enforcer_count(q->enforcer, d);
	}
	smtpd_done(&h->smtpd);
}

/* A call failed: the look is repeated. Returns false: there is no answer yet. */
static bool repeat(struct lookup *q, struct lookup_request *lookup_request, int err)
{
	if (!lookup_request->repeated)
		counters_add(q->enforcer->counters, COUNTER_LOOKS_REPEATED, 1);
	lookup_request->repeated = true;
	lookup_request->failed = err;
	return false;
}

/* The attested process has ended. verify="sender": what the kernel told about it when it
 * logged shows that it was courier's; no child is left to ask, so the reply has to tell. */
static void answer_for_gone(struct lookup *q, const struct lookup_request *lookup_request,
			    const struct courierlog_line *line)
{
	struct decision d;

	if (!lookup_request->query.was_couriers) {
		enforcer_refuse(q->enforcer, -ESRCH);
		return;
	}
	d = policy_judge_reply(q->enforcer->settings, line, q->regex);
	if (d.verdict == VERDICT_BLOCK)
		enforcer_block(q->enforcer, line);
	else
		enforcer_count(q->enforcer, d);
}

/* The line names its process, which has to be the one. Returns true if there is an
 * answer; false with question->failed if a call failed; false otherwise: the process is
 * gone, and only a hint. */
static bool answer_by_name(struct lookup *q, struct session_finder *ev,
			   struct lookup_request *lookup_request, struct lookup_result *h)
{
	const struct session_query *query = &lookup_request->query;
	int r = consider(q, ev, h, query->attested ? query->attested : query->hint);

	if (smtpd_call_failed(r))
		return repeat(q, lookup_request, r);
	lookup_request->failed = 0;
	if (r == 0)
		apply_result(q, ev, h);
	else if (r == -ESRCH && !query->attested)
		return false;
	else if (r == -ESRCH)
		answer_for_gone(q, lookup_request, &h->line);
	else
		/* A courieresmtpd that logged has exec'd and serves its peer. */
		enforcer_refuse(q->enforcer, r == -EACCES ? r : -EPERM);
	return true;
}

static bool answer_by_address(struct lookup *q, struct session_finder *ev,
			      struct lookup_request *lookup_request, struct lookup_result *h,
			      const pid_t *pids, size_t count)
{
	size_t i;
	int r;

	for (i = 0; i < count; i++) {
		r = consider(q, ev, h, pids[i]);
		if (smtpd_call_failed(r))
			h->failed = r;
	}
	/* The one that could not be looked at may be a relay client's. */
	if (h->failed) {
		smtpd_done(&h->smtpd);
		return repeat(q, lookup_request, h->failed);
	}
	lookup_request->failed = 0;
	if (h->found)
		apply_result(q, ev, h);
	return h->found;
}

static bool answer_proof(struct lookup *q, struct session_finder *ev,
			 struct lookup_request *lookup_request, const pid_t *pids, size_t count)
{
	struct lookup_result h = { .lookup_request = lookup_request, .smtpd = SMTPD_NONE };

	lookup_request_line(lookup_request, &h.line);
	if (lookup_request->query.attested || lookup_request->query.hint) {
		if (answer_by_name(q, ev, lookup_request, &h))
			return true;
		if (lookup_request->failed)
			return false;
	}
	return answer_by_address(q, ev, lookup_request, &h, pids, count);
}

static bool answer_end(struct lookup *q, struct session_finder *ev,
		       struct lookup_request *lookup_request, const pid_t *pids, size_t count)
{
	bool found;
	int failed;

	end_children(q, ev, lookup_request, pids, count, &found, &failed);
	return failed ? repeat(q, lookup_request, failed) : found;
}

/* Look the peer up. Returns true if the question is answered. */
static bool answer(struct lookup *q, struct session_finder *ev,
		   struct lookup_request *lookup_request)
{
	pid_t pids[CANDIDATES_MAX];
	size_t n;

	n = session_candidates(ev, &lookup_request->query.addr, lookup_request->query.port,
			       pids, CANDIDATES_MAX);
	if (n > CANDIDATES_MAX)
		n = CANDIDATES_MAX;
	if (lookup_request->kind == LOOKUP_END)
		return answer_end(q, ev, lookup_request, pids, n);
	return answer_proof(q, ev, lookup_request, pids, n);
}

/* Counting only: nobody serves the address, or that could not be found out. */
static void not_found(struct lookup *q, const struct lookup_request *lookup_request)
{
	if (lookup_request->kind == LOOKUP_PROVE)
		enforcer_refuse(q->enforcer,
				lookup_request->failed ? lookup_request->failed : -EAGAIN);
}

/* After a thorough search. */
static void give_up_all(struct lookup *q, int64_t now)
{
	size_t i, left = 0;

	for (i = 0; i < q->pending_count; i++) {
		if (q->pending[i].failed && now < q->pending[i].until)
			q->pending[left++] = q->pending[i];
		else
			not_found(q, &q->pending[i]);
	}
	q->pending_count = left;
}

static void report(struct lookup *q, const struct lookup_request *lookup_request, int64_t now)
{
	char ip[ADDR_TEXT_SIZE], reply[LOOKUP_REPLY_SIZE + 1], text[320];

	if (now >= q->reports_until) {
		q->reports_until = now + REPORTS_EVERY_MS;
		q->reports = 0;
	}
	if (++q->reports > REPORTS_MAX)
		return;
	snprintf(text, sizeof(text), "dryRun: would block %s port %u: \"%s\"",
		 addr_format(&lookup_request->query.addr, ip),
		 (unsigned int)lookup_request->query.port,
		 alert_text_clean(lookup_request->reply, lookup_request->reply_len, reply,
				  sizeof(reply)));
	q->log(q->log_ctx, LOG_NOTICE, text);
}

/* Does the index name the process as it is? Without a port there may be more of them
 * than it knows. */
static bool is_indexed(struct session_finder *ev, const struct session_query *query)
{
	pid_t pid;

	return query->attested || query->hint ||
	       (query->port != 0 &&
		session_candidates(ev, &query->addr, query->port, &pid, 1) == 1);
}

/* Answer the pending ones, or those that the index can answer as it is; those that are not
 * found stay. */
static void apply_pending(struct lookup *q, struct session_finder *ev, bool indexed)
{
	size_t i, left = 0;

	for (i = 0; i < q->pending_count; i++)
		if ((indexed && !is_indexed(ev, &q->pending[i].query)) ||
		    !answer(q, ev, &q->pending[i]))
			q->pending[left++] = q->pending[i];
	q->pending_count = left;
}

/* A line that says which address to block, whoever serves it: there is nothing
 * to end where no courier runs. */
static bool is_pointless(const struct lookup *q, const struct lookup_request *asked,
			 int64_t now)
{
	return asked->kind != LOOKUP_PROVE && now < q->nobody_until;
}

/* verify="none": the line is enough, but for a relay client. Returns true if it is
 * blocked, and its children are to end. */
static bool block_by_line(struct lookup *q, struct session_finder *ev,
			  const struct lookup_request *lookup_request)
{
	const struct decision relays = { VERDICT_EXEMPT, REASON_RELAY_CLIENT };
	const struct session_query *query = &lookup_request->query;
	struct smtpd_facts facts = { .relay_client = false };
	struct smtpd smtpd = SMTPD_NONE;
	struct courierlog_line line;
	int r = -ENOENT;

	if (ev)
		r = session_verify(ev, query->attested ? query->attested : query->hint,
				   &query->addr, 0, &q->scratch, &smtpd, &facts);
	smtpd_done(&smtpd);
	if (r == 0 && facts.relay_client) {
		enforcer_count(q->enforcer, relays);
		return false;
	}
	lookup_request_line(lookup_request, &line);
	return enforcer_block(q->enforcer, &line).verdict == VERDICT_BLOCK &&
	       settings_end_children(q->enforcer->settings);
}

/* What does not fit any more is refused. */
static void take_one(struct lookup *q, const struct lookup_request *asked, int64_t now)
{
	struct lookup_request *lookup_request = &q->pending[q->pending_count];

	if (q->pending_count == LOOKUP_QUEUE_MAX) {
		if (asked->kind == LOOKUP_PROVE) {
			counters_add(q->enforcer->counters, COUNTER_REFUSED_BUSY, 1);
			alerts_raise(q->enforcer->alerts, ALERT_BUSY, 0);
		}
		return;
	}
	*lookup_request = *asked;
	lookup_request->until = now + REPEAT_FOR_MS;
	if (lookup_request->kind == LOOKUP_BLOCK)
		lookup_request->kind = LOOKUP_END;
	q->pending_count++;
	q->warm_until = now + WARM_FOR_MS;
}

/* Take over what was asked. */
static void take(struct lookup *q, struct session_finder *ev, int64_t now)
{
	const struct lookup_request *asked;
	size_t n = lookup_queue_take(q->enforcer->requests, &asked), i;

	for (i = 0; i < n; i++) {
		if (asked[i].kind == LOOKUP_REPORT)
			report(q, &asked[i], now);
		else if (asked[i].kind == LOOKUP_BLOCK && !block_by_line(q, ev, &asked[i]))
			continue;
		else if (!is_pointless(q, &asked[i], now))
			take_one(q, &asked[i], now);
	}
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* A failed call is no answer for lines that wait. That one process keeps the looker
 * waiting says nothing about the others. */
static void note_failed(struct lookup *q, int err)
{
	size_t i;

	for (i = 0; i < q->pending_count; i++)
		if (q->pending[i].failed == 0)
			repeat(q, &q->pending[i], err);
}

/* Then answer what is pending. Returns how long the refresh took, in us. */
static int64_t refresh(struct lookup *q, struct session_finder *ev, bool thorough)
{
	int64_t start = now_us(), took;
	int r = session_refresh(ev, thorough);

	took = now_us() - start;
	enforcer_note_look(q->enforcer, r);
	apply_pending(q, ev, false);
	if (smtpd_call_failed(r) && r != -EBUSY && r != -ETIMEDOUT)
		note_failed(q, r);
	return took;
}

/* As refresh(), which those who ask wait for. This is for lines to come. */
static int64_t hold(struct session_finder *ev, bool submits)
{
	int64_t start = now_us();

	session_hold(ev, submits);
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

bool lookup_note_start(struct lookup *lookup)
{
	return !atomic_exchange(&lookup->started, true);
}

void lookup_note_line(struct lookup *lookup)
{
	atomic_store_explicit(&lookup->lines, true, memory_order_relaxed);
}

/* Somebody can make us look by a line that he writes, so this has its ration too. */
static void learn_if_due(struct lookup *q, struct session_finder *ev, int64_t now)
{
	int64_t start;

	/* Taken back first: who starts from here on wants another look. */
	if (now < q->learn_at || !atomic_exchange(&q->started, false))
		return;
	start = now_us();
	session_learn(ev);
	q->learn_at = now + longer((now_us() - start) * THOROUGH_REST / 1000,
				   LEARN_MIN_MS);
	/* Somebody has to forget those who are gone. */
	q->warm_until = now + WARM_FOR_MS;
}

/* When to look for those that have started meanwhile. */
static int64_t learn_due(const struct lookup *q)
{
	return atomic_load(&q->started) ? q->learn_at : INT64_MAX;
}

static void search_thoroughly(struct lookup *q, struct session_finder *ev, int64_t now)
{
	int64_t took = refresh(q, ev, true);

	q->nobody_until = session_has_tcpds(ev) ? 0 : now + NO_LISTENER_MS;
	give_up_all(q, now);
	took += hold(ev, false);
	q->thorough_at = background_now() +
			 longer(took * THOROUGH_REST / 1000, THOROUGH_MIN_MS);
}

/* The cheap refresh: for lines that ask, and to keep the index warm. Only the latter
 * holds children, after the answers: it takes longer than all the rest. */
static void refresh_if_due(struct lookup *q, struct session_finder *ev, int64_t now)
{
	bool warms = now >= q->warm_at;
	int64_t took;

	if (now < (q->pending_count > 0 ? q->asked_at : q->warm_at))
		return;
	took = refresh(q, ev, false);
	q->asked_at = now + took * ASKED_REST / 1000;
	if (!warms)
		return;
	took += hold(ev, true);
	q->warm_at = now + shorter(longer(took * WARM_REST / 1000, WARM_EVERY_MS),
				   WARM_EVERY_MOST_MS);
}

static void without_session(struct lookup *q)
{
	size_t i;

	for (i = 0; i < q->pending_count; i++)
		not_found(q, &q->pending[i]);
	q->pending_count = 0;
}

/* When to look again for what was not found yet: at the index as soon as that may
 * be, and not only when a thorough search may be. */
static int64_t pending_due(const struct lookup *q, int64_t now)
{
	return shorter(longer(q->asked_at, now + ASK_AGAIN_MS), q->thorough_at);
}

/* Is the index to be kept up to date? */
static bool stays_warm(struct lookup *q, struct session_finder *ev, int64_t now)
{
	if (atomic_exchange_explicit(&q->lines, false, memory_order_relaxed))
		q->warm_until = now + WARM_FOR_MS;
	if (now >= q->warm_until && q->keeps_warm)
		session_let_go(ev);
	q->keeps_warm = now < q->warm_until;
	return q->keeps_warm;
}

int64_t lookup_run(struct lookup *lookup, struct session_finder *finder, int64_t now)
{
	int64_t due;

	take(lookup, finder, now);
	if (!finder) {
		without_session(lookup);
		return INT64_MAX;
	}
	/* Nothing waits for a look at others that it does not need. */
	apply_pending(lookup, finder, true);
	learn_if_due(lookup, finder, now);
	if (!stays_warm(lookup, finder, now))
		return learn_due(lookup);
	refresh_if_due(lookup, finder, now);
	if (lookup->pending_count > 0 && now >= lookup->thorough_at)
		search_thoroughly(lookup, finder, now);
	due = lookup->pending_count > 0 ? pending_due(lookup, now) : lookup->warm_at;
	return shorter(due, learn_due(lookup));
}
