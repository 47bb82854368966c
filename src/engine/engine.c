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
#include "engine/unknown_lines.h"
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
	struct enforcer enforcer;
	struct block_limit limit;
	struct unknown_lines unknown_lines;
	struct dnsbl_stats dnsbl_stats;
	unsigned int zones_reported;
	struct lookup *lookup;
	engine_log_fn *log;
	void *log_ctx;
	engine_zone_fn *zone;
	void *zone_ctx;
	/* NULL while courier's user does not exist. Set once, by the background thread. */
	struct session_finder *_Atomic finder;
	atomic_uint courier_uid;	/* valid once finder is set */
	atomic_bool hup;
	atomic_bool stall_logged;
	bool check_rights;
	int64_t user_at, try_at;	/* not before; INT64_MAX: never */
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
	block_limit_init(&e->limit, e->settings.max_blocks, e->settings.max_blocks_interval);
	unknown_lines_init(&e->unknown_lines);
	dnsbl_stats_init(&e->dnsbl_stats);
	*ret_engine = e;
	return 0;
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
	unknown_lines_done(&engine->unknown_lines);
	dnsbl_stats_done(&engine->dnsbl_stats);
	block_limit_done(&engine->limit);
	threshold_free(engine->enforcer.hits);
	allowfile_free(engine->enforcer.allow_file);
	batch_queue_free(engine->enforcer.requests);
	blocklist_free(engine->enforcer.blocklist);
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

static void log_text(struct engine *e, int severity, const char *text)
{
	if (e->log)
		e->log(e->log_ctx, severity, text);
}

static void log_for_lookup(void *ctx, int severity, const char *text)
{
	log_text(ctx, severity, text);
}

static void log_alerts(struct engine *e)
{
	char text[ALERT_TEXT_SIZE];
	enum alert id;
	int detail, severity;

	while (alerts_next(&e->alerts, &id, &detail)) {
		alert_text_format(id, detail, &e->settings, e->enforcer.blocklist, &severity,
				  text);
		log_text(e, severity, text);
	}
}

/* In as many lines as necessary. */
static void log_zones(struct engine *e)
{
	char values[LINE_SIZE - 160], text[LINE_SIZE];
	unsigned int next = 0;

	while (next < dnsbl_stats_known(&e->dnsbl_stats)) {
		next = dnsbl_stats_format(&e->dnsbl_stats, next, values, sizeof(values));
		snprintf(text, sizeof(text),
			 "slots freed by DNSBL zones, list %.60s: %s",
			 e->settings.list, values);
		log_text(e, LOG_INFO, text);
	}
}

static void log_counters(struct engine *e)
{
	char values[COUNTERS_FORMAT_SIZE], text[LINE_SIZE];

	_Static_assert(sizeof(values) + 160 <= sizeof(text), "no figure is cut");
	snprintf(text, sizeof(text), "action with list %.60s and %.60s: %s",
		 e->settings.list, e->settings.list6,
		 counters_format(&e->counters, values, sizeof(values)));
	log_text(e, LOG_INFO, text);
	log_zones(e);
}

/* With verify="none" courier need not run on this host. */
static void note_no_user(struct engine *e, int err)
{
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
	r = background_finder(e->enforcer.background, uid, &finder);
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
	if (!e->check_rights || (!has_user && e->settings.verify == VERIFY_NONE))
		return;
	check_capabilities(e);
	/* Later, from run(): it reads processes, which may take a while. */
	if (has_user)
		e->try_at = 0;
}

/* Raise alerts for everything that can be found before the first line comes. */
static void look_around(struct engine *e)
{
	if (!local_addrs_known(background_local_addrs(e->enforcer.background)))
		alerts_raise(&e->alerts, ALERT_HOSTADDRS, 0);
	if (!atomic_load(&e->finder))
		find_user(e);
	check_rights(e);
	if (!e->settings.dry_run)
		blocklist_check(e->enforcer.blocklist, background_now());
}

static void reload_allow_file(struct engine *e)
{
	char wrong[ALLOWFILE_ERROR_SIZE], text[ALLOWFILE_ERROR_SIZE + 80];

	if (allowfile_reload(e->enforcer.allow_file, wrong) == 0)
		return;
	snprintf(text, sizeof(text), "allowFile: %s; the previous list stays in use",
		 *wrong ? wrong : "no memory");
	log_text(e, LOG_ERR, text);
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

	if (block_limit_opens(&e->limit, now, &due)) {
		alerts_clear(&e->alerts, ALERT_BUDGET);
		alerts_raise(&e->alerts, ALERT_BUDGET_OPEN, 0);
	}
	return due;
}

static void log_unknown_lines(struct engine *e)
{
	char sample[UNKNOWN_LINES_SAMPLE_SIZE], text[UNKNOWN_LINES_SAMPLE_SIZE + 200];
	unsigned long lines;

	if (!unknown_lines_take(&e->unknown_lines, &lines, sample))
		return;
	snprintf(text, sizeof(text),
		 "%lu lines of courieresmtpd have an unknown form and were "
		 "ignored, such as \"%s\": if courier was updated, update "
		 "omsmtpblock as well",
		 lines, sample);
	log_text(e, LOG_WARNING, text);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void report_zones(struct engine *e)
{
	unsigned int known = dnsbl_stats_known(&e->dnsbl_stats), i;

	for (i = e->zones_reported; e->zone && i < known; i++)
		e->zone(e->zone_ctx, dnsbl_stats_name(&e->dnsbl_stats, i),
			dnsbl_stats_saved(&e->dnsbl_stats, i));
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
	return earlier(e->user_at, e->try_at);
}

static int64_t run(void *data, int64_t now)
{
	struct engine *e = data;
	int64_t due, search_due;

	if (atomic_exchange(&e->stall_logged, false))
		log_text(e, LOG_NOTICE, "the background thread is running again");
	if (atomic_exchange(&e->hup, false))
		after_hup(e);
	search_due = run_search(e, now);
	due = lookup_run(e->lookup, atomic_load(&e->finder), now);
	due = earlier(due, blocklist_run(e->enforcer.blocklist, now));
	due = earlier(due, run_block_limit(e, now));
	due = earlier(due, search_due);
	log_unknown_lines(e);
	log_alerts(e);
	report_zones(e);
	return due;
}

static int open_allow_file(struct engine *e)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	int r;

	r = allowfile_new(e->settings.allow_file, &e->enforcer.allow_file, wrong);
	if (r < 0 && *wrong)
		log_text(e, LOG_ERR, wrong);
	return r;
}

static int open_parts(struct engine *e, const struct engine_environment *environment)
{
	struct enforcer *f = &e->enforcer;
	int r;

	f->settings = &e->settings;
	f->counters = &e->counters;
	f->alerts = &e->alerts;
	f->limit = &e->limit;
	f->background = environment->background;
	f->dnsbl_stats = &e->dnsbl_stats;
	f->events = environment->events;
	f->listener = environment->listener;
	r = blocklist_new(&e->settings, environment->net_root, environment->module_root,
			  &e->counters, &e->alerts, &f->blocklist);
	if (r == 0)
		r = lookup_queue_new(&f->requests);
	if (r == 0)
		r = open_allow_file(e);
	if (r == 0 && e->settings.threshold > 1)
		r = threshold_new(e->settings.threshold, e->settings.window, &f->hits);
	if (r == 0)
		r = lookup_new(f, log_for_lookup, e, &e->lookup);
	return r;
}

int engine_start(struct engine *engine, const struct engine_environment *environment)
{
	const struct background_job job = { .run = run, .data = engine };
	int r;

	engine->log = environment->log;
	engine->log_ctx = environment->log_ctx;
	engine->check_rights = environment->check_rights;
	engine->zone = environment->zone;
	engine->zone_ctx = environment->zone_ctx;
	r = open_parts(engine, environment);
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
		background_wake(engine->enforcer.background);
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

/* Exemptions that are not in the settings: the host's own addresses and allowFile. */
static struct decision judge_exempt(struct engine *e, struct decision d,
				    const struct addr *addr)
{
	enum reason reason;

	if (d.verdict == VERDICT_BLOCK && enforcer_is_exempt(&e->enforcer, addr, &reason))
		return (struct decision){ VERDICT_EXEMPT, reason };
	return d;
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

/* Does the line name a process that may serve a relay client? Only needed with
 * verify="none": otherwise the process was read, or has exited. */
static bool names_couriers(const struct engine *e, const struct session_finder *finder,
			   const struct engine_message *msg)
{
	pid_t pid = msg->attested_pid ? msg->attested_pid : msg->hint_pid;

	return e->settings.verify == VERIFY_NONE && pid != 0 &&
	       session_may_be_couriers(finder, pid);
}

/* Block by the line alone, unless a session of a relay client with this address is known
 * without a search. */
static struct engine_outcome block_unproven(struct engine *e, const struct engine_message *msg,
					    const struct courierlog_line *line)
{
	const struct decision relays = { VERDICT_EXEMPT, REASON_RELAY_CLIENT };
	struct session_finder *finder = atomic_load(&e->finder);
	struct session_query query;

	if (!finder)
		return outcome(enforcer_block(&e->enforcer, line));
	if (session_knows_relay_client(finder, &line->addr)) {
		enforcer_count(&e->enforcer, relays);
		return outcome(relays);
	}
	make_query(e, msg, line, &query);
	/* If the request cannot be queued, the line is enough. */
	if (names_couriers(e, finder, msg) &&
	    enforcer_ask(&e->enforcer, LOOKUP_BLOCK, &query, line) == 0)
		return (struct engine_outcome){ .verdict = VERDICT_BLOCK,
						   .deferred = true };
	return outcome(enforcer_block(&e->enforcer, line));
}

/* The process has exited: decide by the reply in the line. */
static struct engine_outcome block_by_reply(struct engine *e, struct engine_worker *w,
					    const struct engine_message *msg,
					    const struct courierlog_line *line)
{
	struct decision d;

	if (!w) {
		enforcer_refuse(&e->enforcer, -ENOMEM);
		return (struct engine_outcome){ .verdict = VERDICT_UNPROVEN };
	}
	d = policy_judge_reply(&e->settings, line, w->regex);
	if (d.verdict == VERDICT_BLOCK)
		return block_unproven(e, msg, line);
	enforcer_count(&e->enforcer, d);
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
		return block_by_reply(e, w, msg, line);
	enforcer_refuse(&e->enforcer, attested ? -EPERM : -ESRCH);
	if (!attested && alerts_raise(&e->alerts, ALERT_DROP, 0))
		background_wake(e->enforcer.background);
	return (struct engine_outcome){ .verdict = VERDICT_UNPROVEN };
}

/* The session could not be verified; err is what session_find() returned. */
static struct engine_outcome without_child(struct engine *e, struct engine_worker *w,
					   const struct engine_message *msg,
					   const struct courierlog_line *line,
					   const struct session_query *query, int err)
{
	if (err == -EAGAIN) {
		enforcer_ask(&e->enforcer, LOOKUP_PROVE, query, line);
		return (struct engine_outcome){ .verdict = VERDICT_BLOCK,
						   .deferred = true };
	}
	if (err == -ESRCH && query->was_couriers)
		return block_by_reply(e, w, msg, line);
	enforcer_refuse(&e->enforcer, err);
	return (struct engine_outcome){ .verdict = VERDICT_UNPROVEN };
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
	d = policy_judge_child(&e->settings, line, &facts);
	if (d.verdict == VERDICT_BLOCK)
		return outcome(enforcer_block_session(&e->enforcer, session_rules(finder), line,
						      &facts, &smtpd));
	enforcer_count(&e->enforcer, d);
	smtpd_done(&smtpd);
	return outcome(d);
}

/* verify="none": the line was enough to block. To terminate a session its process must be
 * verified even here, which takes a search. */
static void end_unproven(struct engine *e, const struct engine_message *msg,
			 const struct courierlog_line *line, struct engine_outcome o)
{
	struct session_query query;

	if (o.verdict != VERDICT_BLOCK || o.deferred || !settings_end_children(&e->settings) ||
	    !atomic_load(&e->finder))
		return;
	make_query(e, msg, line, &query);
	enforcer_ask(&e->enforcer, LOOKUP_END, &query, line);
}

static struct engine_outcome handle_unproven(struct engine *e, struct engine_worker *w,
					     const struct engine_message *msg,
					     const struct courierlog_line *line)
{
	struct engine_outcome o = block_by_reply(e, w, msg, line);

	end_unproven(e, msg, line, o);
	return o;
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

static void note_unknown(struct engine *e, const struct engine_message *msg)
{
	counters_add(&e->counters, COUNTER_UNKNOWN, 1);
	if (unknown_lines_note(&e->unknown_lines, background_now(), msg->text, msg->text_len))
		background_wake(e->enforcer.background);
}

/* Count the line, and decide by the line alone. */
static struct decision judge_line(struct engine *e, const struct courierlog_line *line,
				  const struct engine_message *msg)
{
	struct decision d;

	if (is_unknown(msg, line))
		note_unknown(e, msg);
	if (line->kind == COURIERLOG_REJECT)
		counters_add(&e->counters, COUNTER_REJECTS, 1);
	d = policy_judge_line(&e->settings, line, msg->severity, msg->age);
	return judge_exempt(e, d, &line->addr);
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
		background_wake(e->enforcer.background);
}

/* Logged once per stall, and by the worker: the background thread, which logs everything
 * else, is not running. */
static void note_stall(struct engine *e)
{
	if (!background_is_stalled(e->enforcer.background) ||
	    atomic_exchange(&e->stall_logged, true))
		return;
	log_text(e, LOG_ERR,
		 "the background thread has not responded for 5 s: until it does, sessions "
		 "that are not known yet are neither blocked nor terminated, and others are "
		 "terminated without a delay. To see what it waits for, type  "
		 "grep -H . /proc/$(pidof rsyslogd)/task/*/stack");
}

static struct engine_outcome handle(struct engine *e, struct engine_worker *w,
				    const struct engine_message *msg,
				    const struct courierlog_line *line)
{
	struct decision d = judge_line(e, line, msg);

	if (d.verdict != VERDICT_BLOCK) {
		note_start(e, msg, line);
		enforcer_count(&e->enforcer, d);
		return outcome(d);
	}
	counters_add(&e->counters, COUNTER_TRIGGERS, 1);
	note_stall(e);
	if (e->settings.verify == VERIFY_NONE)
		return handle_unproven(e, w, msg, line);
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
	return handle(engine, worker, msg, &line);
}

struct engine_outcome engine_handle_address(struct engine *engine, const char *text, size_t len)
{
	static const struct engine_message nothing = { .severity = 0 };
	struct decision d = { VERDICT_NOT_A_TRIGGER, REASON_NO_TRIGGER };
	struct engine_outcome o;
	struct courierlog_line line;

	counters_add(&engine->counters, COUNTER_LINES, 1);
	if (!engine->started)
		return outcome(d);
	courierlog_scan_address(text, len, &line);
	if (line.kind == COURIERLOG_UNKNOWN) {
		counters_add(&engine->counters, COUNTER_UNKNOWN, 1);
		return outcome(d);
	}
	counters_add(&engine->counters, COUNTER_TRIGGERS, 1);
	d = policy_judge_address(&engine->settings, &line.addr);
	d = judge_exempt(engine, d, &line.addr);
	if (d.verdict != VERDICT_BLOCK) {
		enforcer_count(&engine->enforcer, d);
		return outcome(d);
	}
	note_stall(engine);
	o = block_unproven(engine, &nothing, &line);
	end_unproven(engine, &nothing, &line, o);
	return o;
}
