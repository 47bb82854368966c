/* The engine of one action.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "engine/alert_text.h"
#include "engine/enforcer.h"
#include "engine/session_lookup.h"
#include "engine/watch.h"
#include "lib/clock.h"
#include "lib/tcp_reset.h"
#include "policy/capabilities.h"

/* While courier's user does not exist, look it up this often. */
#define USER_EVERY_MS 10000
/* While the user database has not answered, look for its answer this often. */
#define ANSWER_EVERY_MS 1000
/* While no couriertcpd runs, look for one this often, to test our rights on it. */
#define TRY_EVERY_MS 60000

/* rsyslogd cuts longer lines (LogMsg() of its runtime/errmsg.c). It adds the module's name
 * in front and its own version at the end. */
#define LINE_SIZE 1980

struct engine {
	atomic_uint references;
	struct settings settings;
	struct counters counters;
	struct alerts alerts;
	struct engine_environment environment;
	struct enforcer enforcer;
	struct lookup *lookup;
	unsigned int zones_reported;
	/* NULL while courier's user does not exist. Set once, by the background thread. */
	struct session_finder *_Atomic finder;
	atomic_uint courier_uid;	/* valid once finder is set */
	atomic_bool hup;
	atomic_bool stall_logged;
	int64_t user_at, try_at;	/* not before; INT64_MAX: never */
	bool user_late;		/* the user database had not answered at the last look */
	bool started;
};

struct engine_worker {
	struct smtpd_scratch smtpd;
	struct reply_regex_scratch *regex;
};

int engine_new(struct settings *settings, struct engine **ret_engine)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	atomic_init(&e->references, 1);
	e->settings = *settings;
	memset(settings, 0, sizeof(*settings));
	*ret_engine = e;
	return 0;
}

void engine_prepare(void)
{
	/* If this fails, the background thread sees it, and an alert is raised. */
	(void)unblock_prepare("");
}

struct engine *engine_ref(struct engine *engine)
{
	atomic_fetch_add(&engine->references, 1);
	return engine;
}

void engine_unref(struct engine *engine)
{
	if (!engine || atomic_fetch_sub(&engine->references, 1) != 1)
		return;
	lookup_free(engine->lookup);
	watch_free(engine->enforcer.watch);
	enforcer_close(&engine->enforcer);
	settings_done(&engine->settings);
	free(engine);
}

const struct settings *engine_settings(const struct engine *engine)
{
	return &engine->settings;
}

const struct counters *engine_counters(const struct engine *engine)
{
	return &engine->counters;
}

/* The background thread's part. */

static void log_alerts(struct engine *e)
{
	char text[ALERT_TEXT_SIZE];
	enum alert id;
	int detail, severity;

	while (alerts_next(&e->alerts, &id, &detail)) {
		alert_text_format(id, detail, &e->settings, e->enforcer.blocklist, &severity,
				  text);
		enforcer_log(&e->enforcer, severity, text);
	}
}

/* In as many lines as necessary. */
static void log_zones(struct engine *e)
{
	char values[LINE_SIZE - 160], text[LINE_SIZE];
	unsigned int next = 0;

	while (next < dnsbl_stats_known(&e->enforcer.dnsbl_stats)) {
		next = dnsbl_stats_format(&e->enforcer.dnsbl_stats, next, values, sizeof(values));
		snprintf(text, sizeof(text),
			 "slots freed by DNSBL zones, list %.60s: %s",
			 e->settings.list, values);
		enforcer_log(&e->enforcer, LOG_INFO, text);
	}
}

static void log_counters(struct engine *e)
{
	char values[COUNTERS_FORMAT_SIZE], text[LINE_SIZE];

	_Static_assert(sizeof(values) + 160 <= sizeof(text), "no figure is cut");
	snprintf(text, sizeof(text), "action with list %.60s and %.60s: %s",
		 e->settings.list, e->settings.list6,
		 counters_format(&e->counters, values, sizeof(values)));
	enforcer_log(&e->enforcer, LOG_INFO, text);
	log_zones(e);
}

/* With verify="none" courier need not run on this host. A database that is a little slow is not
 * worth a message and a second one that takes the first back. */
static void note_no_user(struct engine *e, int err)
{
	bool late = e->user_late;

	e->user_late = err == ETIMEDOUT;
	if (e->user_late && !late)
		return;
	if (err != ENOENT || e->settings.verify != VERIFY_NONE)
		alerts_raise(&e->alerts, ALERT_USER, err);
}

/* Resolve courierUser, which may have been created since. Done only until it succeeds. */
static void find_user(struct engine *e)
{
	struct session_finder *finder;
	uid_t uid;
	int r;

	r = background_uid(e->enforcer.background, e->settings.courier_user, &uid);
	e->user_at = background_now() + (r == -ETIMEDOUT ? ANSWER_EVERY_MS : USER_EVERY_MS);
	if (r < 0) {
		note_no_user(e, -r);
		return;
	}
	r = background_finder(e->environment.background, uid, &finder);
	if (r < 0) {
		alerts_raise(&e->alerts, ALERT_LOOK, -r);
		return;
	}
	e->user_at = INT64_MAX;
	atomic_store(&e->courier_uid, uid);
	atomic_store(&e->finder, finder);
	if (alerts_clear(&e->alerts, ALERT_USER))
		alerts_raise(&e->alerts, ALERT_USER_BACK, 0);
}

/* A process with courier's uid needs no capability to read or signal courier's processes. */
static bool is_courier(struct engine *e)
{
	return atomic_load(&e->finder) && geteuid() == atomic_load(&e->courier_uid);
}

/* Are there clients whose block is left to a proxy? */
static bool leaves_blocks_to_proxy(const struct engine *e, struct session_finder *finder)
{
	return !e->settings.block_behind_proxy && e->settings.input == INPUT_COURIER &&
	       session_proxy(finder) != TCPD_PROXY_NONE;
}

const char *engine_notice_of_proxy(const struct engine *engine, struct background *background)
{
	const struct settings *s = &engine->settings;
	struct session_finder *finder;
	uid_t uid;

	if (background_uid(background, s->courier_user, &uid) < 0 ||
	    background_finder(background, uid, &finder) < 0 ||
	    !leaves_blocks_to_proxy(engine, finder))
		return NULL;
	return alert_text_proxy(s);
}

/* Test the rights on a real process: AppArmor or SELinux may refuse what the capabilities
 * allow. At boot rsyslogd starts before courier, so try again later if there is no
 * couriertcpd yet. */
static void try_rights(struct engine *e)
{
	uint64_t needed = capabilities_needed(&e->settings);
	int r;

	e->try_at = INT64_MAX;
	if (!(needed & CAPABILITIES_LOOK) || is_courier(e))
		return;
	r = session_try(atomic_load(&e->finder), needed & CAPABILITIES_BIT(CAP_KILL));
	if (r == -EPERM)
		alerts_raise(&e->alerts, ALERT_SIGNAL, EPERM);
	else if (r < 0)
		enforcer_note_look(&e->enforcer, r);
	else if (r == 0)
		e->try_at = background_now() + TRY_EVERY_MS;
	else if (leaves_blocks_to_proxy(e, atomic_load(&e->finder)))
		alerts_raise(&e->alerts, ALERT_PROXY, 0);
}

/* Raise an alert for each missing right: what needs it is skipped, everything else works.
 * blocklist_check() tests the lists. */
static void check_capabilities(struct engine *e)
{
	uint64_t needed = capabilities_needed(&e->settings);
	uint64_t missing = capabilities_lacking(needed, capabilities_held());
	int r = 0;

	if ((missing & CAPABILITIES_LOOK) && !is_courier(e))
		alerts_raise(&e->alerts, ALERT_LOOK, EACCES);
	if ((missing & CAPABILITIES_BIT(CAP_KILL)) && !is_courier(e))
		alerts_raise(&e->alerts, ALERT_SIGNAL, EPERM);
	if ((needed & CAPABILITIES_BIT(CAP_KILL)) && e->settings.terminate_reset)
		r = missing & CAPABILITIES_BIT(CAP_NET_ADMIN) ? -EPERM : tcp_reset_try();
	if (r < 0)
		alerts_raise(&e->alerts, ALERT_RESET, -r);
}

static void check_rights(struct engine *e)
{
	bool has_user = atomic_load(&e->finder) != NULL;

	e->try_at = INT64_MAX;
	/* Without courier there is no session to terminate. */
	if (!e->environment.check_rights || (!has_user && e->settings.verify == VERIFY_NONE))
		return;
	check_capabilities(e);
	/* Later, from run(): it reads processes, which may take a while. */
	if (has_user)
		e->try_at = 0;
}

/* Nothing is rewritten with dryRun and the backend null. */
static void check_unblocks(struct engine *e)
{
	int r = background_unblock_error(e->environment.background);

	if (r < 0 && !e->settings.dry_run && e->settings.backend != BACKEND_NULL)
		alerts_raise(&e->alerts, ALERT_UNBLOCK, -r);
}

/* Raise alerts for everything that can be found before the first line comes. */
static void look_around(struct engine *e)
{
	if (!local_addrs_known(background_local_addrs(e->environment.background)))
		alerts_raise(&e->alerts, ALERT_HOSTADDRS, 0);
	if (!atomic_load(&e->finder))
		find_user(e);
	check_unblocks(e);
	check_rights(e);
	if (!e->settings.dry_run && e->enforcer.keeps_blocklist)
		blocklist_check(e->enforcer.blocklist, background_now());
}

static void reload_allow_file(struct engine *e)
{
	char wrong[ALLOWFILE_ERROR_SIZE], text[ALLOWFILE_ERROR_SIZE + 80];

	if (allowfile_reload(e->enforcer.policy.allow_file, wrong) == 0)
		return;
	snprintf(text, sizeof(text), "allowFile: %s; the previous list stays in use",
		 *wrong ? wrong : "no memory");
	enforcer_log(&e->enforcer, LOG_ERR, text);
}

static void after_hup(struct engine *e)
{
	alerts_reset(&e->alerts);
	reload_allow_file(e);
	look_around(e);
	log_counters(e);
}

/* Returns when the rate limit reopens, or INT64_MAX if it is open. */
static int64_t run_block_limit(struct engine *e, int64_t now)
{
	int64_t due;

	if (block_limit_opens(&e->enforcer.limits.max_blocks, now, &due)) {
		alerts_clear(&e->alerts, ALERT_BUDGET);
		alerts_raise(&e->alerts, ALERT_BUDGET_OPEN, 0);
	}
	return due;
}

static void report_zones(struct engine *e)
{
	const struct engine_environment *env = &e->environment;
	const struct dnsbl_stats *stats = &e->enforcer.dnsbl_stats;
	unsigned int known = dnsbl_stats_known(stats), i;

	for (i = e->zones_reported; env->zone && i < known; i++)
		env->zone(env->zone_ctx, dnsbl_stats_name(stats, i),
			  dnsbl_stats_saved(stats, i));
	e->zones_reported = known;
}

/* Look for what was missing at start. Returns when to look again. */
static int64_t run_search(struct engine *e, int64_t now)
{
	if (now >= e->user_at) {
		find_user(e);
		if (atomic_load(&e->finder))
			check_rights(e);
	}
	if (now >= e->try_at)
		try_rights(e);
	return clock_earlier(e->user_at, e->try_at);
}

static void report_waiting(const struct engine *e, size_t count)
{
	char text[LINE_SIZE];

	snprintf(text, sizeof(text),
		 "rsyslogd is stopping: %zu addresses waited for the lists %.60s and %.60s, and "
		 "are not blocked until they are rejected again",
		 count, e->settings.list, e->settings.list6);
	enforcer_log(&e->enforcer, LOG_WARNING, text);
}

static void report_left(const struct engine *e, size_t count)
{
	char text[LINE_SIZE];

	snprintf(text, sizeof(text),
		 "rsyslogd is stopping: %zu triggers were not handled. Their clients are blocked, "
		 "and their sessions terminated, when they are rejected again",
		 count);
	enforcer_log(&e->enforcer, LOG_WARNING, text);
}

/* What waits for a list is lost, and what there was no time for. */
static void end(void *data)
{
	struct engine *e = data;
	size_t waiting, left = enforcer_drop_requests(&e->enforcer) + lookup_pending(e->lookup);

	waiting = e->enforcer.keeps_blocklist ? blocklist_waiting(e->enforcer.blocklist) : 0;
	if (e->enforcer.watch)
		left += watch_delayed(e->enforcer.watch);
	counters_add_alone(&e->counters, COUNTER_LOST, waiting + left);
	if (waiting > 0)
		report_waiting(e, waiting);
	if (left > 0)
		report_left(e, left);
}

static int64_t run(void *data, int64_t now)
{
	struct engine *e = data;
	int64_t due, search_due;

	if (atomic_exchange(&e->stall_logged, false))
		enforcer_log(&e->enforcer, LOG_NOTICE, "the background thread is running again");
	if (atomic_exchange(&e->hup, false))
		after_hup(e);
	search_due = run_search(e, now);
	if (e->enforcer.watch)
		watch_prepare(e->enforcer.watch, atomic_load(&e->finder));
	due = lookup_run(e->lookup, atomic_load(&e->finder), now);
	if (e->enforcer.watch)
		due = clock_earlier(due, watch_run(e->enforcer.watch));
	due = clock_earlier(due, run_block_limit(e, now));
	return clock_earlier(due, search_due);
}

static void report(void *data)
{
	struct engine *e = data;

	log_alerts(e);
	report_zones(e);
}

/* With other triggers a login does not matter, and without verification there is no session. */
static bool watches(const struct settings *s)
{
	return s->trigger == TRIGGER_DNSBL && s->verify != VERIFY_NONE;
}

int engine_start(struct engine *engine, const struct engine_environment *environment)
{
	const struct background_job job = {
		.run = run,
		.report = report,
		.end = end,
		.data = engine,
	};
	int r;

	engine->environment = *environment;
	r = enforcer_open(&engine->enforcer, &engine->settings, &engine->counters,
			  &engine->alerts, &engine->environment);
	if (r == 0)
		r = lookup_new(&engine->enforcer, &engine->lookup);
	if (r == 0 && watches(&engine->settings))
		r = watch_new(&engine->enforcer, &engine->enforcer.watch);
	if (r == 0)
		r = background_add_job(environment->background, &job);
	if (r < 0)
		return r;
	look_around(engine);
	log_alerts(engine);
	engine->started = true;
	return 0;
}

void engine_stop(struct engine *engine)
{
	engine->started = false;
}

void engine_hup(struct engine *engine)
{
	atomic_store(&engine->hup, true);
	if (engine->started)
		background_wake(engine->environment.background);
}

size_t engine_left(const struct engine *engine)
{
	return engine->started ? lookup_queue_left(engine->enforcer.requests) : 0;
}

/* The worker's part. */

int engine_worker_new(struct engine *engine, struct engine_worker **ret_worker)
{
	struct engine_worker *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	if (reply_regex_scratch_new(engine->settings.reply_pattern, &w->regex) < 0) {
		free(w);
		return -ENOMEM;
	}
	*ret_worker = w;
	return 0;
}

void engine_worker_free(struct engine_worker *worker)
{
	if (!worker)
		return;
	reply_regex_scratch_free(worker->regex);
	free(worker);
}

static struct engine_outcome outcome(struct decision d)
{
	return (struct engine_outcome){ d.verdict, d.reason, false };
}

static struct engine_outcome unproven(void)
{
	return (struct engine_outcome){ .verdict = VERDICT_UNPROVEN };
}

/* Does the path end in this program's name? */
static bool is_program(const char *path, size_t len, const char *name)
{
	size_t n = strlen(name);

	return len > n && path[len - n - 1] == '/' &&
	       memcmp(path + len - n, name, n) == 0;
}

/* verify="sender": the process has exited, but the credentials that the kernel attached to
 * its message show that it was courier's. */
static bool sender_was_couriers(const struct engine *e, const struct engine_message *msg,
				const char *program)
{
	uid_t uid;

	if (!msg->has_uid || !atomic_load(&e->finder))
		return false;
	uid = atomic_load(&e->courier_uid);
	if (msg->uid != 0 && msg->uid != uid)
		return false;
	return msg->exe_len == 0 || is_program(msg->exe, msg->exe_len, program);
}

/* With trigger="connect" the client's socket must be fetched from the process, which may
 * block: .defers. */
static void make_query(const struct engine *e, const struct engine_message *msg,
		       const struct courierlog_line *line, struct session_query *ret_query)
{
	*ret_query = (struct session_query){
		.attested = msg->attested_pid,
		.hint = msg->hint_pid,
		.addr = line->addr,
		.port = line->port,
		.confirms = policy_wants_confirmation(&e->settings),
		.defers = e->settings.trigger == TRIGGER_CONNECT,
		.was_couriers = e->settings.verify == VERIFY_SENDER &&
				sender_was_couriers(e, msg, "courieresmtpd"),
	};
}

/* Decide by the reply in the line, or by the line alone with input="address". The background
 * thread spares relay clients and, with verify="none", terminates the sessions. */
static struct engine_outcome handle_reply(struct engine *e, struct engine_worker *w,
					  const struct engine_message *msg,
					  const struct courierlog_line *line)
{
	const struct known known = {
		.line = line,
		.severity = COURIERLOG_SEVERITY_ANY,
		.proof = PROOF_REPLY,
		.regex = w ? w->regex : NULL,
	};
	struct session_query query;
	struct decision d;

	if (!w && e->settings.input != INPUT_ADDRESS) {
		enforcer_refuse(&e->enforcer, -ENOMEM);
		return unproven();
	}
	d = decide(&e->enforcer.policy, &known);
	if (d.verdict != VERDICT_BLOCK) {
		enforcer_count(&e->enforcer, d);
		return outcome(d);
	}
	query = (struct session_query){
		.hint = msg->attested_pid ? msg->attested_pid : msg->hint_pid,
		.addr = line->addr,
		.port = line->port,
	};
	enforcer_ask(&e->enforcer, LOOKUP_BLOCK, &query, line);
	return outcome(d);
}

/* -drop: couriertcpd's forked process writes this line to standard error before exec, and
 * exits. courierlogger logs it; newer couriers may log it themselves. Only the kernel's
 * credentials of either are proof. */
static struct engine_outcome handle_dropped(struct engine *e, struct engine_worker *w,
					    const struct engine_message *msg,
					    const struct courierlog_line *line)
{
	bool attested = e->settings.verify == VERIFY_SENDER && msg->attested_pid;

	if (attested && (sender_was_couriers(e, msg, "courierlogger") ||
			 sender_was_couriers(e, msg, "couriertcpd")))
		return handle_reply(e, w, msg, line);
	enforcer_refuse(&e->enforcer, attested ? -EPERM : -ESRCH);
	if (!attested && alerts_raise(&e->alerts, ALERT_DROP, 0))
		background_wake(e->environment.background);
	return unproven();
}

/* The session could not be verified; err is what session_find() returned. */
static struct engine_outcome without_child(struct engine *e, struct engine_worker *w,
					   const struct engine_message *msg,
					   const struct courierlog_line *line,
					   const struct session_query *query, int err)
{
	if (err == -EAGAIN) {
		enforcer_ask(&e->enforcer, LOOKUP_PROVE, query, line);
		return (struct engine_outcome){ .verdict = VERDICT_BLOCK, .deferred = true };
	}
	if (err == -ESRCH && query->was_couriers)
		return handle_reply(e, w, msg, line);
	enforcer_refuse(&e->enforcer, err);
	return unproven();
}

/* verify="child" and "sender". */
static struct engine_outcome handle_proven(struct engine *e, struct engine_worker *w,
					   const struct engine_message *msg,
					   const struct courierlog_line *line)
{
	struct session_finder *finder = atomic_load(&e->finder);
	struct smtpd smtpd = SMTPD_NONE;
	struct session_query query;
	struct smtpd_facts facts;
	const struct known known = {
		.line = line,
		.severity = COURIERLOG_SEVERITY_ANY,
		.proof = PROOF_SESSION,
		.facts = &facts,
	};
	struct decision d;
	int r = -ENOENT;

	if (line->kind == COURIERLOG_DROPPED)
		return handle_dropped(e, w, msg, line);
	make_query(e, msg, line, &query);
	if (finder)
		r = w ? session_find(finder, &query, &w->smtpd, &smtpd, &facts) : -EAGAIN;
	if (r < 0)
		return without_child(e, w, msg, line, &query, r);
	lookup_note_line(e->lookup);
	d = decide(&e->enforcer.policy, &known);
	/* Submit is looked at by the background thread. */
	if (d.verdict == VERDICT_BLOCK &&
	    policy_wanted_proof(&e->settings, line, &facts, query.attested) !=
		    SESSION_PROOF_NONE) {
		smtpd_done(&smtpd);
		return without_child(e, w, msg, line, &query, -EAGAIN);
	}
	if (d.verdict == VERDICT_BLOCK)
		enforcer_hand_over(&e->enforcer, session_rules(finder), line, &facts, &smtpd);
	else
		enforcer_count(&e->enforcer, d);
	smtpd_done(&smtpd);
	return outcome(d);
}

/* Does the line look like an error of courieresmtpd that we do not understand? */
static bool is_unknown(const struct engine_message *msg, const struct courierlog_line *line)
{
	static const char courier[] = "courieresmtpd";

	if (line->kind != COURIERLOG_UNKNOWN && line->kind != COURIERLOG_OTHER)
		return false;
	if (msg->tag_len != strlen(courier) ||
	    memcmp(msg->tag, courier, msg->tag_len) != 0)
		return false;
	return line->kind == COURIERLOG_UNKNOWN ||
	       (msg->severity == COURIERLOG_SEVERITY_ERR &&
		courierlog_gives_reply(msg->text, msg->text_len));
}

/* The first line of a session: have its process pinned, so that a later line can be
 * answered without a search. trigger="connect" searches for it anyway. If the kernel names
 * the sender, only courier's own lines count. */
static void note_start(struct engine *e, const struct engine_message *msg,
		       const struct courierlog_line *line)
{
	struct session_finder *finder = atomic_load(&e->finder);

	if (line->kind != COURIERLOG_STARTED || e->settings.verify == VERIFY_NONE ||
	    e->settings.trigger == TRIGGER_CONNECT || !finder ||
	    msg->severity != COURIERLOG_SEVERITY_INFO)
		return;
	if (msg->attested_pid && !session_may_be_couriers(finder, msg->attested_pid))
		return;
	if (lookup_note_start(e->lookup))
		background_wake(e->environment.background);
	if (e->enforcer.watch && watch_note(e->enforcer.watch))
		background_wake(e->environment.background);
}

/* Logged once per stall, and by the worker: the background thread, which logs everything
 * else, is not running. */
static void note_stall(struct engine *e)
{
	if (!background_is_stalled(e->environment.background) ||
	    atomic_exchange(&e->stall_logged, true))
		return;
	enforcer_log(&e->enforcer, LOG_ERR,
		 "the background thread has not responded for 5 s: until it does, sessions "
		 "that are not known yet are neither blocked nor terminated, and others are "
		 "terminated without a delay. To see what it waits for, type  "
		 "grep -H . /proc/$(pidof rsyslogd)/task/*/stack");
}

static struct engine_outcome handle(struct engine *e, struct engine_worker *w,
				    const struct engine_message *msg,
				    const struct courierlog_line *line)
{
	const struct known known = { .line = line, .severity = msg->severity, .age = msg->age };
	struct decision d = decide(&e->enforcer.policy, &known);

	if (d.verdict != VERDICT_UNPROVEN) {
		note_start(e, msg, line);
		enforcer_count(&e->enforcer, d);
		return outcome(d);
	}
	counters_add(&e->counters, COUNTER_TRIGGERS, 1);
	note_stall(e);
	if (e->settings.verify == VERIFY_NONE)
		return handle_reply(e, w, msg, line);
	return handle_proven(e, w, msg, line);
}

struct engine_outcome engine_handle(struct engine *engine, struct engine_worker *worker,
				    const struct engine_message *msg)
{
	const struct decision none = { VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER };
	struct courierlog_line line;

	counters_add(&engine->counters, COUNTER_LINES, 1);
	if (!engine->started)
		return outcome(none);
	courierlog_scan(msg->text, msg->text_len, msg->severity, &line);
	if (is_unknown(msg, &line))
		enforcer_note_unknown(&engine->enforcer, msg->text, msg->text_len);
	/* Nearly all lines are other programs', and no parameter makes one of them a trigger. */
	if (line.kind == COURIERLOG_OTHER)
		return outcome(none);
	if (line.kind == COURIERLOG_REJECT)
		counters_add(&engine->counters, COUNTER_REJECTS, 1);
	return handle(engine, worker, msg, &line);
}

struct engine_outcome engine_handle_address(struct engine *engine, const char *text, size_t len)
{
	static const struct engine_message nothing = { .severity = 0 };
	const struct decision none = { VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER };
	struct courierlog_line line;

	counters_add(&engine->counters, COUNTER_LINES, 1);
	if (!engine->started)
		return outcome(none);
	courierlog_scan_address(text, len, &line);
	if (line.kind == COURIERLOG_UNKNOWN) {
		counters_add(&engine->counters, COUNTER_UNKNOWN, 1);
		return outcome(none);
	}
	counters_add(&engine->counters, COUNTER_TRIGGERS, 1);
	note_stall(engine);
	return handle_reply(engine, NULL, &nothing, &line);
}
