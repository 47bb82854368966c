/* Searches for sessions in the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/session_lookup.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "engine/watch.h"

/* The smtpd index is refreshed this often, for this long after a request. With very many
 * processes a refresh takes longer and is done less often, but not much less: the first
 * refresh, also after a pause, has to read all processes. */
#define WARM_EVERY_MS 100
#define WARM_EVERY_MOST_MS 1000
#define WARM_FOR_MS 60000
/* After work that took time t, rest for this many times t: after a thorough search; after a
 * refresh for waiting lines; after a refresh to keep the index warm. */
#define THOROUGH_REST 10
#define ASKED_REST 4
#define WARM_REST 50
/* While lines wait for a thorough search, the index is refreshed this often. */
#define ASK_AGAIN_MS 5
/* Shortest interval between thorough searches. */
#define THOROUGH_MIN_MS 20
/* Shortest interval between looks for new processes. If one takes longer, it rests as after
 * a thorough search. */
#define LEARN_MIN_MS 1
/* While no couriertcpd runs, look for one this often. */
#define NO_TCPD_MS 60000
/* At most this many sessions of an address are considered for one line. */
#define CANDIDATES_MAX 256
/* Repeat a lookup for this long if a system call failed. */
#define REPEAT_FOR_MS 5000
/* Requests taken at once, so that the thread can do other work in between. */
#define TAKE_MAX 1000

struct lookup {
	struct enforcer *enforcer;
	struct smtpd_scratch scratch;
	struct smtpd_scratch kept;	/* of the smtpd in lookup_result */
	struct smtpd_scratch submit;
	struct reply_regex_scratch *regex;
	struct lookup_request pending[LOOKUP_QUEUE_MAX];	/* not in the index yet */
	size_t pending_count;
	atomic_bool started;	/* a process has, since the last look for new ones */
	atomic_bool lines;	/* about sessions came since the last run */
	bool keeps_warm;	/* warm_until was not reached in the last run */
	bool incomplete;	/* the index: a call failed at the last refresh */
	int64_t learn_at;	/* no look for new processes before */
	int64_t thorough_at;	/* not before */
	int64_t asked_at;	/* no refresh for waiting lines before */
	int64_t warm_at, warm_until;
	int64_t no_tcpd_until;	/* no couriertcpd was found: do not look before */
};

int lookup_new(struct enforcer *enforcer, struct lookup **ret_lookup)
{
	struct lookup *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->enforcer = enforcer;
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

size_t lookup_pending(const struct lookup *lookup)
{
	size_t i, n = 0;

	for (i = 0; i < lookup->pending_count; i++)
		n += lookup->pending[i].kind != LOOKUP_END;
	return n;
}

/* What was found about the sessions that a line may be about. One line gets one verdict,
 * the strongest, however many sessions there are. */
struct lookup_result {
	const struct lookup_request *lookup_request;
	struct courierlog_line line;
	bool found;		/* a process serves the peer */
	struct decision decision;
	int err;		/* VERDICT_UNPROVEN: why */
	int failed;		/* the error of a call that failed, or 0 */
	bool has_first;		/* the first one to block, pinned: */
	struct smtpd smtpd;
	struct smtpd_facts facts;	/* with its texts in q->kept */
	pid_t others[CANDIDATES_MAX];	/* further ones to block */
	size_t others_count;
};

/* A relay client comes first: without a port the line may be about its session, and the
 * block would be for the whole address. */
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

/* May somebody have logged in, or be about to? Nobody has while submit has the BLOCK. */
static bool may_have_login(struct lookup *q, struct session_finder *finder,
			   struct smtpd *smtpd, const struct smtpd_facts *facts)
{
	if (!q->enforcer->watch || !facts->offers_login)
		return false;
	return watch_has_login(q->enforcer->watch, smtpd->process.pid) || !facts->block ||
	       session_check_submit(finder, smtpd, facts, &q->submit) < 0;
}

static void terminate_session(struct lookup *q, struct session_finder *finder,
			      const struct smtpd_facts *facts, struct smtpd *smtpd)
{
	if (facts->relay_client || may_have_login(q, finder, smtpd, facts)) {
		counters_add(q->enforcer->counters, COUNTER_SPARED, 1);
		smtpd_done(smtpd);
		return;
	}
	enforcer_end(q->enforcer, session_rules(finder), facts, smtpd);
}

static int check_proof(struct lookup *q, struct session_finder *finder, struct smtpd *smtpd,
		       const struct smtpd_facts *facts, enum session_proof proof)
{
	if (proof == SESSION_PROOF_MAIL)
		return session_check_mail(finder, smtpd, facts, &q->submit);
	if (proof == SESSION_PROOF_SUBMIT)
		return session_check_submit(finder, smtpd, facts, &q->submit);
	return 0;
}

static struct decision judge_child(struct lookup *q, struct session_finder *finder,
				   const struct lookup_result *h, struct smtpd *smtpd,
				   const struct smtpd_facts *facts, int *ret_err)
{
	const struct known known = {
		.line = &h->line,
		.severity = COURIERLOG_SEVERITY_ANY,
		.proof = PROOF_SESSION,
		.facts = facts,
	};
	struct decision d = decide(&q->enforcer->policy, &known);
	int r;

	if (d.verdict != VERDICT_BLOCK)
		return d;
	r = check_proof(q, finder, smtpd, facts,
			policy_wanted_proof(q->enforcer->settings, &h->line, facts,
					    h->lookup_request->query.attested));
	if (r == 0)
		return d;
	/* The client may have logged in. */
	if (r == -EPERM && !policy_quotes_block(&h->line, facts))
		return (struct decision){ VERDICT_NOT_A_TRIGGER, REASON_OTHER_REPLY };
	*ret_err = r;
	return (struct decision){ VERDICT_UNPROVEN, REASON_TRIGGERED };
}

static void keep(struct lookup_result *h, struct smtpd *smtpd, const struct smtpd_facts *facts)
{
	if (h->has_first) {
		h->others[h->others_count++] = smtpd->process.pid;
		smtpd_done(smtpd);
		return;
	}
	h->has_first = true;
	h->smtpd = smtpd_take(smtpd);
	h->facts = *facts;
}

static int prove(struct lookup *q, struct session_finder *finder,
		 const struct lookup_request *lookup_request, pid_t pid,
		 struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
		 struct smtpd_facts *ret_facts)
{
	int r = session_verify(finder, pid, &lookup_request->query.addr, lookup_request->query.port,
			       scratch, ret_smtpd, ret_facts);

	enforcer_note_look(q->enforcer, r);
	return r;
}

/* Verify a process that may serve the peer, and add its verdict. Returns 0 if it serves the
 * peer; otherwise as session_verify(). */
static int consider(struct lookup *q, struct session_finder *finder, struct lookup_result *h,
		    pid_t pid)
{
	struct smtpd smtpd = SMTPD_NONE;
	struct smtpd_facts facts;
	struct decision d;
	int err = 0, r;

	r = prove(q, finder, h->lookup_request, pid, h->has_first ? &q->scratch : &q->kept, &smtpd,
		  &facts);
	if (r < 0)
		return r;
	d = judge_child(q, finder, h, &smtpd, &facts, &err);
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

/* Terminate these sessions. Returns 0, the error of a call that failed, or -ESRCH: there are
 * none. */
static int terminate_sessions(struct lookup *q, struct session_finder *finder,
			      const struct lookup_request *lookup_request, const pid_t *pids,
			      size_t count)
{
	struct smtpd smtpd = SMTPD_NONE;
	struct smtpd_facts facts;
	int failed = 0, r;
	bool found = false;
	size_t i;

	for (i = 0; i < count; i++) {
		r = prove(q, finder, lookup_request, pids[i], &q->scratch, &smtpd, &facts);
		if (smtpd_call_failed(r))
			failed = r;
		if (r < 0)
			continue;
		terminate_session(q, finder, &facts, &smtpd);
		found = true;
	}
	return failed || found ? failed : -ESRCH;
}

static void apply_result(struct lookup *q, struct session_finder *finder, struct lookup_result *h)
{
	struct decision d = h->decision;

	if (d.verdict == VERDICT_BLOCK) {
		d = enforcer_block_session(q->enforcer, session_rules(finder), &h->line, &h->facts,
					   &h->smtpd);
		/* Without a port enforcer_block_session() requests this itself. */
		if (decision_terminates(d) && h->line.port != 0)
			(void)terminate_sessions(q, finder, h->lookup_request, h->others,
						 h->others_count);
	} else if (d.verdict == VERDICT_UNPROVEN) {
		enforcer_refuse(q->enforcer, h->err);
	} else {
		enforcer_count(q->enforcer, d);
	}
	smtpd_done(&h->smtpd);
}

/* A system call failed: try again later. Returns false: there is no answer yet. */
static bool repeat(struct lookup *q, struct lookup_request *lookup_request, int err)
{
	if (!lookup_request->repeated)
		counters_add(q->enforcer->counters, COUNTER_LOOKS_REPEATED, 1);
	lookup_request->repeated = true;
	lookup_request->failed = err;
	return false;
}

/* The attested process has exited. verify="sender": if the kernel's credentials show that
 * it was courier's, the reply in the line decides. */
static void answer_for_gone(struct lookup *q, struct session_finder *finder,
			    const struct lookup_request *lookup_request,
			    const struct courierlog_line *line)
{
	const struct known known = {
		.line = line,
		.severity = COURIERLOG_SEVERITY_ANY,
		.proof = PROOF_REPLY,
		.regex = q->regex,
	};
	struct decision d;

	if (!lookup_request->query.was_couriers) {
		enforcer_refuse(q->enforcer, -ESRCH);
		return;
	}
	d = decide(&q->enforcer->policy, &known);
	if (d.verdict == VERDICT_BLOCK)
		enforcer_block(q->enforcer, line, session_proxy(finder) == TCPD_PROXY_ALL);
	else
		enforcer_count(q->enforcer, d);
}

/* The line names its process, and no other one will do. Returns true if there is an answer.
 * Returns false with lookup_request->failed set if a call failed; without, if the process
 * has exited and was only a hint. */
static bool answer_by_name(struct lookup *q, struct session_finder *finder,
			   struct lookup_request *lookup_request, struct lookup_result *h)
{
	const struct session_query *query = &lookup_request->query;
	int r = consider(q, finder, h, query->attested ? query->attested : query->hint);

	if (smtpd_call_failed(r))
		return repeat(q, lookup_request, r);
	lookup_request->failed = 0;
	if (r == 0)
		apply_result(q, finder, h);
	else if (r == -ESRCH && !query->attested)
		return false;
	else if (r == -ESRCH)
		answer_for_gone(q, finder, lookup_request, &h->line);
	else
		/* A courieresmtpd has exec'd before it logs, and serves its peer. */
		enforcer_refuse(q->enforcer, r == -EACCES ? r : -EPERM);
	return true;
}

static bool answer_by_address(struct lookup *q, struct session_finder *finder,
			      struct lookup_request *lookup_request, struct lookup_result *h,
			      const pid_t *pids, size_t count)
{
	size_t i;
	int r;

	for (i = 0; i < count; i++) {
		r = consider(q, finder, h, pids[i]);
		if (smtpd_call_failed(r))
			h->failed = r;
	}
	/* The process that could not be read may serve a relay client. A thorough search that
	 * cannot read it does not find it any more. */
	if (!h->failed && q->incomplete)
		h->failed = lookup_request->failed;
	if (h->failed) {
		smtpd_done(&h->smtpd);
		return repeat(q, lookup_request, h->failed);
	}
	lookup_request->failed = 0;
	if (h->found)
		apply_result(q, finder, h);
	return h->found;
}

static bool answer_proof(struct lookup *q, struct session_finder *finder,
			 struct lookup_request *lookup_request, const pid_t *pids, size_t count)
{
	struct lookup_result h = { .lookup_request = lookup_request, .smtpd = SMTPD_NONE };

	lookup_request_line(lookup_request, &h.line);
	if (lookup_request->query.attested || lookup_request->query.hint) {
		if (answer_by_name(q, finder, lookup_request, &h))
			return true;
		if (lookup_request->failed)
			return false;
	}
	return answer_by_address(q, finder, lookup_request, &h, pids, count);
}

static bool answer_end(struct lookup *q, struct session_finder *finder,
		       struct lookup_request *lookup_request, const pid_t *pids, size_t count)
{
	int r = terminate_sessions(q, finder, lookup_request, pids, count);

	return smtpd_call_failed(r) ? repeat(q, lookup_request, r) : r == 0;
}

/* Search for the peer's sessions. Returns true if the request is answered. */
static bool answer(struct lookup *q, struct session_finder *finder,
		   struct lookup_request *lookup_request)
{
	pid_t pids[CANDIDATES_MAX];
	size_t n;

	n = session_candidates(finder, &lookup_request->query.addr, lookup_request->query.port,
			       pids, CANDIDATES_MAX);
	if (lookup_request->kind == LOOKUP_END)
		return answer_end(q, finder, lookup_request, pids, n);
	return answer_proof(q, finder, lookup_request, pids, n);
}

/* Only count: no process serves the address, or a system call kept failing. */
static void not_found(struct lookup *q, const struct lookup_request *lookup_request)
{
	if (lookup_request->kind == LOOKUP_PROVE)
		enforcer_refuse(q->enforcer,
				lookup_request->failed ? lookup_request->failed : -EAGAIN);
}

/* After a thorough search: drop what was not found, unless a failed call is to be repeated. */
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

/* Can the index alone name the request's process? Without a port there may be more
 * processes than it knows. */
static bool is_indexed(struct session_finder *finder, const struct session_query *query)
{
	pid_t pids[2];

	return query->attested || query->hint ||
	       (query->port != 0 &&
		session_candidates(finder, &query->addr, query->port, pids, 2) == 1);
}

/* Answer pending requests; those not found stay. With indexed only those that the index can
 * answer as it is. */
static void apply_pending(struct lookup *q, struct session_finder *finder, bool indexed)
{
	size_t i, left = 0;

	for (i = 0; i < q->pending_count; i++)
		if ((indexed && !is_indexed(finder, &q->pending[i].query)) ||
		    !answer(q, finder, &q->pending[i]))
			q->pending[left++] = q->pending[i];
	q->pending_count = left;
	blocklist_flush(q->enforcer->blocklist);
}

/* Without courier on this host there is nothing to terminate. Requests to verify are
 * different: they need an answer. */
static bool is_pointless(const struct lookup *q, const struct lookup_request *asked,
			 int64_t now)
{
	return asked->kind != LOOKUP_PROVE && now < q->no_tcpd_until;
}

/* Is the session of a relay client known, or with verify="none" the process that the line
 * names? */
static bool is_relay_client(struct lookup *q, struct session_finder *finder,
			    const struct session_query *query)
{
	struct smtpd_facts facts = { .relay_client = false };
	struct smtpd smtpd = SMTPD_NONE;

	if (session_knows_relay_client(finder, &query->addr))
		return true;
	if (q->enforcer->settings->verify != VERIFY_NONE || !query->hint)
		return false;
	(void)session_verify(finder, query->hint, &query->addr, 0, &q->scratch, &smtpd, &facts);
	smtpd_done(&smtpd);
	return facts.relay_client;
}

/* Block by the line. Returns true if the sessions of the address are to be searched for and
 * terminated. */
static bool block_by_line(struct lookup *q, struct session_finder *finder,
			  const struct lookup_request *lookup_request)
{
	const struct settings *settings = q->enforcer->settings;
	struct courierlog_line line;
	bool behind_proxy;

	if (finder && is_relay_client(q, finder, &lookup_request->query)) {
		enforcer_count(q->enforcer, (struct decision){ VERDICT_EXEMPT,
							       REASON_RELAY_CLIENT });
		return false;
	}
	lookup_request_line(lookup_request, &line);
	/* With input="address" it may be a client of another program or host. */
	behind_proxy = finder && settings->input == INPUT_COURIER &&
		       session_proxy(finder) == TCPD_PROXY_ALL;
	return decision_terminates(enforcer_block(q->enforcer, &line, behind_proxy)) &&
	       settings->verify == VERIFY_NONE && settings_end_children(settings);
}

/* Make a request pending. If there is no room it is refused. */
static void take_one(struct lookup *q, const struct lookup_request *asked, int64_t now)
{
	struct lookup_request *lookup_request = &q->pending[q->pending_count];

	if (q->pending_count == LOOKUP_QUEUE_MAX) {
		counters_add(q->enforcer->counters, COUNTER_REFUSED_BUSY, 1);
		alerts_raise(q->enforcer->alerts, ALERT_BUSY, 0);
		return;
	}
	*lookup_request = *asked;
	lookup_request->until = now + REPEAT_FOR_MS;
	if (lookup_request->kind == LOOKUP_BLOCK)
		lookup_request->kind = LOOKUP_END;
	q->pending_count++;
	q->warm_until = now + WARM_FOR_MS;
}

static void take_request(struct lookup *q, struct session_finder *finder,
			 struct lookup_request *asked, int64_t now)
{
	if (asked->kind == LOOKUP_SESSION)
		enforcer_take_over(q->enforcer, asked);
	else if (asked->kind == LOOKUP_UNKNOWN)
		enforcer_log_unknown(q->enforcer, asked);
	else if (asked->kind == LOOKUP_BLOCK && !block_by_line(q, finder, asked))
		return;
	else if (!is_pointless(q, asked, now))
		take_one(q, asked, now);
}

/* Take requests out of the queue. Returns false if none is left. */
static bool take(struct lookup *q, struct session_finder *finder, int64_t now)
{
	struct lookup_request asked;
	unsigned int i;

	for (i = 0; i < TAKE_MAX; i++) {
		if (!lookup_queue_take(q->enforcer->requests, &asked))
			return false;
		take_request(q, finder, &asked, now);
	}
	return true;
}

/* A failed refresh is no answer for waiting lines. (Not called when a single process blocks
 * the looker: that says nothing about the others.) */
static void note_failed(struct lookup *q, int err)
{
	size_t i;

	for (i = 0; i < q->pending_count; i++)
		if (q->pending[i].failed == 0)
			repeat(q, &q->pending[i], err);
}

/* Refresh the index and answer pending requests. Returns how long the refresh took, in us. */
static int64_t refresh(struct lookup *q, struct session_finder *finder, bool thorough)
{
	int64_t start = clock_us(), took;
	int r = session_refresh(finder, thorough);

	took = clock_us() - start;
	q->incomplete = smtpd_call_failed(r);
	enforcer_note_look(q->enforcer, r);
	apply_pending(q, finder, false);
	if (smtpd_call_failed(r) && r != -EBUSY && r != -ETIMEDOUT)
		note_failed(q, r);
	return took;
}

/* Pin listed sessions, for lines to come. Separate from refresh(), which lines wait for.
 * Returns how long it took, in us. */
static int64_t pin_listed(struct session_finder *finder)
{
	int64_t start = clock_us();

	session_hold(finder);
	return clock_us() - start;
}

bool lookup_note_start(struct lookup *lookup)
{
	return !atomic_exchange(&lookup->started, true);
}

void lookup_note_line(struct lookup *lookup)
{
	atomic_store_explicit(&lookup->lines, true, memory_order_relaxed);
}

/* Look at the newest processes: one has started, or lines wait for one. Costs less than a refresh,
 * which reads the children of all couriertcpds. Anyone who can log can trigger this scan, so it is
 * rate-limited as well. */
static void learn_if_due(struct lookup *q, struct session_finder *finder, int64_t now)
{
	int64_t start;

	/* Clear the flag before scanning: a process that starts during the scan must
	 * trigger another one. */
	if (now < q->learn_at ||
	    (!atomic_exchange(&q->started, false) && q->pending_count == 0))
		return;
	start = clock_us();
	session_learn(finder);
	q->learn_at = now + clock_later((clock_us() - start) * THOROUGH_REST / 1000,
					LEARN_MIN_MS);
	/* Refreshes must follow: they drop entries of exited processes. */
	q->warm_until = now + WARM_FOR_MS;
	apply_pending(q, finder, true);
}

/* When to look for the processes that have started meanwhile. */
static int64_t learn_due(const struct lookup *q)
{
	return atomic_load(&q->started) ? q->learn_at : INT64_MAX;
}

static void search_thoroughly(struct lookup *q, struct session_finder *finder, int64_t now)
{
	int64_t took = refresh(q, finder, true);

	q->no_tcpd_until = session_has_tcpds(finder) ? 0 : now + NO_TCPD_MS;
	give_up_all(q, now);
	took += pin_listed(finder);
	q->thorough_at = background_now() +
			 clock_later(took * THOROUGH_REST / 1000, THOROUGH_MIN_MS);
}

/* The cheap refresh, for waiting lines and to keep the index warm. Only the latter pins
 * sessions, after the answers: pinning takes longer than all the rest. */
static void refresh_if_due(struct lookup *q, struct session_finder *finder, int64_t now)
{
	bool warms = now >= q->warm_at;
	int64_t took;

	if (now < (q->pending_count > 0 ? q->asked_at : q->warm_at))
		return;
	took = refresh(q, finder, false);
	q->asked_at = now + took * ASKED_REST / 1000;
	if (!warms)
		return;
	took += pin_listed(finder);
	q->warm_at = now + clock_earlier(clock_later(took * WARM_REST / 1000, WARM_EVERY_MS),
				      WARM_EVERY_MOST_MS);
}

static void without_session(struct lookup *q)
{
	size_t i;

	for (i = 0; i < q->pending_count; i++)
		not_found(q, &q->pending[i]);
	q->pending_count = 0;
}

/* When to look again for sessions not found yet: refresh the index as soon as allowed,
 * without waiting for the next thorough search. */
static int64_t pending_due(const struct lookup *q, int64_t now)
{
	return clock_earlier(clock_later(q->asked_at, now + ASK_AGAIN_MS), q->thorough_at);
}

/* Is the index still to be kept warm? */
static bool stays_warm(struct lookup *q, struct session_finder *finder, int64_t now)
{
	if (atomic_exchange_explicit(&q->lines, false, memory_order_relaxed))
		q->warm_until = now + WARM_FOR_MS;
	if (now >= q->warm_until && q->keeps_warm)
		session_let_go(finder);
	q->keeps_warm = now < q->warm_until;
	return q->keeps_warm;
}

/* Search for what is not known yet. Returns when to go on. */
static int64_t search(struct lookup *q, struct session_finder *finder, int64_t now)
{
	int64_t due;

	learn_if_due(q, finder, now);
	if (!stays_warm(q, finder, now))
		return learn_due(q);
	refresh_if_due(q, finder, now);
	if (q->pending_count > 0 && now >= q->thorough_at)
		search_thoroughly(q, finder, now);
	due = q->pending_count > 0 ? pending_due(q, now) : q->warm_at;
	return clock_earlier(due, learn_due(q));
}

int64_t lookup_run(struct lookup *lookup, struct session_finder *finder, int64_t now)
{
	bool more = take(lookup, finder, now);
	int64_t due = INT64_MAX;

	/* To look at processes takes longer than to write the list. */
	blocklist_flush(lookup->enforcer->blocklist);
	/* First those that need no refresh. Each may wait for the looker. */
	if (finder)
		apply_pending(lookup, finder, true);
	else
		without_session(lookup);
	if (finder)
		due = search(lookup, finder, now);
	return more ? now : due;
}
