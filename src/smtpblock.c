/* The engine of one action.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "smtpblock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "advice.h"
#include "enforcer.h"
#include "inquiry.h"

struct smtpblock {
	atomic_uint references;
	struct settings settings;
	struct counters counters;
	struct notices notices;
	struct enforcer enforcer;
	struct inquiry *inquiry;
	smtpblock_log_fn *log;
	void *log_ctx;
	/* NULL while there is no such user. Set by the caretaker. */
	struct evidence *_Atomic evidence;
	atomic_uint courier_uid;	/* valid once evidence is there */
	atomic_bool hup;
	bool started;
};

struct smtpblock_worker {
	struct child_scratch child;
	struct pattern_scratch *pattern;
};

int smtpblock_new(struct settings *settings, struct smtpblock **ret_engine)
{
	struct smtpblock *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	atomic_init(&e->references, 1);
	e->settings = *settings;
	memset(settings, 0, sizeof(*settings));
	*ret_engine = e;
	return 0;
}

struct smtpblock *smtpblock_ref(struct smtpblock *engine)
{
	atomic_fetch_add(&engine->references, 1);
	return engine;
}

void smtpblock_unref(struct smtpblock *engine)
{
	if (!engine || atomic_fetch_sub(&engine->references, 1) != 1)
		return;
	inquiry_free(engine->inquiry);
	questions_free(engine->enforcer.questions);
	blocks_free(engine->enforcer.blocks);
	settings_done(&engine->settings);
	free(engine);
}

const struct settings *smtpblock_settings(const struct smtpblock *engine)
{
	return &engine->settings;
}

const struct counters *smtpblock_counters(const struct smtpblock *engine)
{
	return &engine->counters;
}

/* The caretaker's part. */

static void say(struct smtpblock *e, int severity, const char *text)
{
	if (e->log)
		e->log(e->log_ctx, severity, text);
}

static void inquiry_says(void *ctx, int severity, const char *text)
{
	say(ctx, severity, text);
}

static void say_notices(struct smtpblock *e)
{
	char text[ADVICE_SIZE];
	enum notice id;
	int detail, severity;

	while (notices_next(&e->notices, &id, &detail)) {
		advice_format(id, detail, &e->settings, e->enforcer.blocks,
			      &severity, text);
		say(e, severity, text);
	}
}

static void say_counters(struct smtpblock *e)
{
	char values[700], text[1024];

	snprintf(text, sizeof(text), "action with list %.60s and %.60s: %s",
		 e->settings.list, e->settings.list6,
		 counters_format(&e->counters, values, sizeof(values)));
	say(e, LOG_INFO, text);
}

/* Look courier's user up, which may have come since. */
static void find_user(struct smtpblock *e)
{
	struct evidence *ev;
	uid_t uid;
	int r;

	r = settings_courier_uid(&e->settings, &uid);
	if (r == 0)
		r = caretaker_evidence(e->enforcer.caretaker, uid, &ev);
	if (r == 0) {
		atomic_store(&e->courier_uid, uid);
		atomic_store(&e->evidence, ev);
	} else if (r == -ENOENT && e->settings.verify != VERIFY_NONE) {
		notices_raise(&e->notices, NOTICE_USER, 0);
	} else {
		enforcer_note_look(&e->enforcer, r);
	}
}

/* What can be told before the first line comes. */
static void look_around(struct smtpblock *e)
{
	if (!hostaddrs_known(caretaker_hostaddrs(e->enforcer.caretaker)))
		notices_raise(&e->notices, NOTICE_HOSTADDRS, 0);
	find_user(e);
	if (!e->settings.dry_run)
		blocks_check(e->enforcer.blocks);
}

static int64_t run(void *data, int64_t now)
{
	struct smtpblock *e = data;
	int64_t asked, blocks;

	if (atomic_exchange(&e->hup, false)) {
		notices_reset(&e->notices);
		look_around(e);
		say_counters(e);
	}
	asked = inquiry_run(e->inquiry, atomic_load(&e->evidence), now);
	blocks = blocks_run(e->enforcer.blocks, now);
	say_notices(e);
	return asked < blocks ? asked : blocks;
}

static int open_parts(struct smtpblock *e,
		      const struct smtpblock_environment *environment)
{
	struct enforcer *f = &e->enforcer;
	int r;

	f->settings = &e->settings;
	f->counters = &e->counters;
	f->notices = &e->notices;
	f->caretaker = environment->caretaker;
	r = blocks_new(&e->settings, environment->net_root,
		       environment->module_root, &e->counters, &e->notices,
		       &f->blocks);
	if (r == 0)
		r = questions_new(&f->questions);
	if (r == 0)
		r = inquiry_new(f, inquiry_says, e, &e->inquiry);
	return r;
}

int smtpblock_start(struct smtpblock *engine,
		    const struct smtpblock_environment *environment)
{
	const struct caretaker_client client = { .run = run, .data = engine };
	int r;

	engine->log = environment->log;
	engine->log_ctx = environment->log_ctx;
	r = open_parts(engine, environment);
	if (r == 0)
		r = caretaker_add_client(environment->caretaker, &client);
	if (r < 0)
		return r;
	look_around(engine);
	say_notices(engine);
	engine->started = true;
	return 0;
}

void smtpblock_hup(struct smtpblock *engine)
{
	atomic_store(&engine->hup, true);
	if (engine->started)
		caretaker_wake(engine->enforcer.caretaker);
}

/* The worker's part. */

int smtpblock_worker_new(struct smtpblock *engine,
			 struct smtpblock_worker **ret_worker)
{
	struct smtpblock_worker *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	if (pattern_scratch_new(engine->settings.reply_pattern, &w->pattern) < 0) {
		free(w);
		return -ENOMEM;
	}
	*ret_worker = w;
	return 0;
}

void smtpblock_worker_free(struct smtpblock_worker *worker)
{
	if (!worker)
		return;
	pattern_scratch_free(worker->pattern);
	free(worker);
}

/* Why the line's address is not to be blocked, as far as the line tells. */
static struct decision judge_line(struct smtpblock *e,
				  const struct courierlog_line *line,
				  const struct smtpblock_message *msg)
{
	struct hostaddrs *own = caretaker_hostaddrs(e->enforcer.caretaker);
	bool is_own = line->kind == COURIERLOG_REJECT &&
		      hostaddrs_contain(own, &line->addr);

	return policy_judge_line(&e->settings, line, msg->severity, msg->age,
				 is_own);
}

static void make_query(const struct smtpblock_message *msg,
		       const struct courierlog_line *line,
		       struct evidence_query *ret_query)
{
	*ret_query = (struct evidence_query){
		.attested = msg->attested_pid,
		.hint = msg->hint_pid,
		.addr = line->addr,
		.port = line->port,
	};
}

/* A child was proven. Without a port in the line all children of the address
 * are to end, and only a search finds them all. */
static void end_child(struct smtpblock *e, struct evidence *ev,
		      const struct evidence_query *query,
		      const struct courierlog_line *line, struct child *child)
{
	if (line->port != 0) {
		enforcer_end(&e->enforcer, evidence_rules(ev), child);
		return;
	}
	child_done(child);
	if (e->settings.terminate && !e->settings.dry_run)
		enforcer_ask(&e->enforcer, QUESTION_END, query, line);
}

/* Does the path end in this program's name? */
static bool is_program(const char *path, size_t len, const char *name)
{
	size_t n = strlen(name);

	return len > n && path[len - n - 1] == '/' &&
	       memcmp(path + len - n, name, n) == 0;
}

/* verify="sender": the process has ended, but what the kernel told about it when
 * it logged shows that it was courier's. */
static bool sender_was_couriers(const struct smtpblock *e,
				const struct smtpblock_message *msg)
{
	uid_t uid;

	if (!msg->has_uid || !atomic_load(&e->evidence))
		return false;
	uid = atomic_load(&e->courier_uid);
	if (msg->uid != 0 && msg->uid != uid)
		return false;
	return msg->exe_len == 0 ||
	       is_program(msg->exe, msg->exe_len, "courieresmtpd") ||
	       is_program(msg->exe, msg->exe_len, "couriertcpd");
}

/* No child is left to ask: the reply has to tell. */
static struct decision block_by_reply(struct smtpblock *e,
				      struct smtpblock_worker *w,
				      const struct courierlog_line *line)
{
	struct decision d = policy_judge_reply(&e->settings, line, w->pattern);

	if (d.verdict == VERDICT_BLOCK)
		enforcer_block(&e->enforcer, line);
	else
		enforcer_count(&e->enforcer, d);
	return d;
}

/* The proof failed with err, an answer of evidence_find(). */
static struct smtpblock_outcome
without_child(struct smtpblock *e, struct smtpblock_worker *w,
	      const struct smtpblock_message *msg,
	      const struct courierlog_line *line,
	      const struct evidence_query *query, int err)
{
	struct smtpblock_outcome out = { .verdict = VERDICT_REFUSED };
	struct decision d;

	if (err == -EAGAIN) {
		out.verdict = VERDICT_BLOCK;
		out.deferred = true;
		enforcer_ask(&e->enforcer, QUESTION_PROVE, query, line);
	} else if (err == -ESRCH && e->settings.verify == VERIFY_SENDER &&
		   sender_was_couriers(e, msg)) {
		d = block_by_reply(e, w, line);
		out.verdict = d.verdict;
		out.reason = d.reason;
	} else {
		enforcer_refuse(&e->enforcer, err);
	}
	return out;
}

/* verify="child" and "sender". */
static struct smtpblock_outcome
handle_proven(struct smtpblock *e, struct smtpblock_worker *w,
	      const struct smtpblock_message *msg,
	      const struct courierlog_line *line)
{
	struct evidence *ev = atomic_load(&e->evidence);
	struct child child = CHILD_NONE;
	struct evidence_query query;
	struct child_facts facts;
	struct decision d;
	int r = -ENOENT;

	make_query(msg, line, &query);
	if (ev)
		r = evidence_find(ev, &query, &w->child, &child, &facts);
	if (r < 0)
		return without_child(e, w, msg, line, &query, r);
	d = policy_judge_child(&e->settings, line, &facts);
	if (d.verdict == VERDICT_BLOCK) {
		enforcer_block(&e->enforcer, line);
		end_child(e, ev, &query, line, &child);
	} else {
		enforcer_count(&e->enforcer, d);
		child_done(&child);
	}
	return (struct smtpblock_outcome){ d.verdict, d.reason, false };
}

/* verify="none": the line is enough to block; to end a child takes proof here
 * too. */
static struct smtpblock_outcome
handle_unproven(struct smtpblock *e, struct smtpblock_worker *w,
		const struct smtpblock_message *msg,
		const struct courierlog_line *line)
{
	struct evidence *ev = atomic_load(&e->evidence);
	struct decision d = block_by_reply(e, w, line);
	struct smtpblock_outcome out = { d.verdict, d.reason, false };
	struct child child = CHILD_NONE;
	struct evidence_query query;
	struct child_facts facts;
	int r;

	if (d.verdict != VERDICT_BLOCK || !ev || !e->settings.terminate ||
	    e->settings.dry_run)
		return out;
	make_query(msg, line, &query);
	r = evidence_find(ev, &query, &w->child, &child, &facts);
	if (r == 0)
		end_child(e, ev, &query, line, &child);
	else if (r == -EAGAIN)
		enforcer_ask(&e->enforcer, QUESTION_END, &query, line);
	else
		enforcer_note_look(&e->enforcer, r);
	return out;
}

struct smtpblock_outcome smtpblock_handle(struct smtpblock *engine,
					  struct smtpblock_worker *worker,
					  const struct smtpblock_message *msg)
{
	struct counters *c = &engine->counters;
	struct courierlog_line line;
	struct decision d = { VERDICT_IGNORE, REASON_NO_TRIGGER };

	counters_add(c, COUNTER_LINES, 1);
	if (!engine->started)
		return (struct smtpblock_outcome){ d.verdict, d.reason, false };
	courierlog_scan(msg->text, msg->text_len, msg->severity, &line);
	if (line.kind == COURIERLOG_UNKNOWN)
		counters_add(c, COUNTER_UNKNOWN, 1);
	if (line.kind == COURIERLOG_REJECT)
		counters_add(c, COUNTER_REJECTS, 1);
	d = judge_line(engine, &line, msg);
	if (d.verdict != VERDICT_BLOCK) {
		enforcer_count(&engine->enforcer, d);
		return (struct smtpblock_outcome){ d.verdict, d.reason, false };
	}
	counters_add(c, COUNTER_TRIGGERS, 1);
	if (engine->settings.verify == VERIFY_NONE)
		return handle_unproven(engine, worker, msg, &line);
	return handle_proven(engine, worker, msg, &line);
}
