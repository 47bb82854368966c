/* Carries out decisions: blocks the address, terminates the session, counts.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/enforcer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "courier/smtp_reply.h"
#include "engine/alert_text.h"
#include "engine/watch.h"
#include "lib/clock.h"
#include "lib/text.h"

/* A block is written at once, and not together with others, if the signal follows it within
 * this time. */
#define URGENT_MS 50

/* After a session was terminated its socket is kept this long before the reset: a client
 * that is slow, or whose last packet was lost, can still receive its reply. */
#define RESET_AFTER_MS 1000

/* A line with an unknown form is logged this often. */
#define UNKNOWN_EVERY_MS 3600000
#define UNKNOWN_TEXT_SIZE 101

/* dryRun: messages of one kind per period; further ones are only counted. */
#define REPORTS_MAX 30
#define REPORTS_EVERY_MS 60000

/* Actions with the same lists share one blocklist, which the first of them keeps. */
static int open_blocklist(struct enforcer *e)
{
	const struct engine_environment *environment = e->environment;
	int r;

	e->blocklist = background_find_blocklist(e->background, e->settings);
	if (e->blocklist)
		return 0;
	r = blocklist_new(e->settings, environment->net_root, environment->module_root,
			  e->counters, e->alerts, &e->blocklist);
	if (r < 0)
		return r;
	e->keeps_blocklist = true;
	return background_add_blocklist(e->background, e->blocklist);
}

int enforcer_open(struct enforcer *enforcer, const struct settings *settings,
		  struct counters *counters, struct alerts *alerts,
		  const struct engine_environment *environment)
{
	char wrong[ALLOWFILE_ERROR_SIZE] = "";
	struct enforcer *e = enforcer;
	int r;

	e->settings = e->policy.settings = settings;
	e->counters = counters;
	e->alerts = alerts;
	e->environment = environment;
	e->background = environment->background;
	e->policy.local_addrs = background_local_addrs(e->background);
	r = open_blocklist(e);
	if (r == 0)
		r = lookup_queue_new(&e->requests);
	if (r == 0)
		r = allowfile_new(settings->allow_file, &e->policy.allow_file, wrong);
	if (*wrong)
		enforcer_log(e, LOG_ERR, wrong);
	return r == 0 ? limits_init(&e->limits, settings) : r;
}

void enforcer_close(struct enforcer *enforcer)
{
	limits_done(&enforcer->limits);
	allowfile_free(enforcer->policy.allow_file);
	lookup_queue_free(enforcer->requests);
}

void enforcer_log(const struct enforcer *enforcer, int severity, const char *text)
{
	if (enforcer->environment->log)
		enforcer->environment->log(enforcer->environment->log_ctx, severity, text);
}

static void raise_alert(const struct enforcer *e, enum alert id, int detail)
{
	if (alerts_raise(e->alerts, id, detail))
		background_wake(e->background);
}

/* The first block in this interval that maxBlocks prevents. */
static void note_closed(const struct enforcer *e)
{
	counters_add(e->counters, COUNTER_BUDGET_CLOSED, 1);
	alerts_clear(e->alerts, ALERT_BUDGET_OPEN);
	raise_alert(e, ALERT_BUDGET, 0);
}

/* Does the signal follow the block so closely that it must be on the list first? */
static bool is_urgent(const struct settings *s)
{
	return s->terminate &&
	       (s->trigger == TRIGGER_CONNECT || s->terminate_delay < URGENT_MS);
}

/* What is blocked, and why. */
struct block_request {
	const struct courierlog_line *line;
	struct cidr target;
	const struct smtpd_facts *facts;	/* NULL: no process was read */
	const struct termination *termination;	/* likewise */
	bool behind_proxy;	/* the client; see struct smtpd */
	enum rule rule;
};

/* Then only the proxy can drop the client's packets. */
static bool is_left_to_proxy(const struct enforcer *e, const struct block_request *request)
{
	return request->behind_proxy && !e->settings->block_behind_proxy;
}

static void put_texts(struct event *event, const struct block_request *request)
{
	const struct smtpd_facts *facts = request->facts;

	if (request->line->reply_len > 0)
		text_copy(request->line->reply, request->line->reply_len, event->reply,
			  sizeof(event->reply));
	else if (facts && facts->block)
		text_copy(facts->block, strlen(facts->block), event->reply,
			  sizeof(event->reply));
	if (facts && facts->block_zone)
		text_copy(facts->block_zone, strlen(facts->block_zone), event->zone,
			  sizeof(event->zone));
}

static void make_event(const struct enforcer *e, const struct block_request *request,
		       struct event *ret_event)
{
	pid_t pid = request->termination ? request->termination->smtpd.process.pid : 0;
	const struct settings *s = e->settings;

	*ret_event = (struct event){
		.listener = e->environment->listener,
		.counters = e->counters,
		.at = clock_wall_ms(),
		.addr = request->line->addr,
		.target = request->target,
		.port = request->line->port,
		.pid = pid,
		.dry_run = s->dry_run,
		.ends_child = pid && settings_end_children(s),
		.list = request->line->addr.family == ADDR_IPV4 ? s->list : s->list6,
		.trigger = settings_word("trigger", s->trigger),
		.rule = policy_rule_word(request->rule),
		.kind = is_left_to_proxy(e, request) ? EVENT_PROXY : EVENT_BLOCK,
		.seconds = blocklist_ban_time(e->blocklist),
	};
	put_texts(ret_event, request);
}

static void send_event(const struct enforcer *e, const struct event *event)
{
	int r = events_put(e->environment->events, event);

	if (r < 0 && r != -ESHUTDOWN)
		raise_alert(e, ALERT_EVENTS, 0);
}

static void put_event(const struct enforcer *e, const struct block_request *request,
		      const char *list_state)
{
	struct event event;

	if (!e->environment->events)
		return;
	make_event(e, request, &event);
	event.list_state = list_state;
	send_event(e, &event);
}

/* The session, if there is one, is terminated, but its address is not blocked. */
static void put_end_event(const struct enforcer *e, const struct block_request *request)
{
	struct event event;

	if (!e->environment->events || !request->termination || !e->settings->terminate)
		return;
	make_event(e, request, &event);
	event.kind = EVENT_END;
	send_event(e, &event);
}

/* The state of the address on the list, in words. NULL: there is no list. */
static const char *state_text(const struct enforcer *e, enum block_state state)
{
	static const char *const words[] = {
		[BLOCK_ADDED] = "added",
		[BLOCK_RENEWED] = "renewed",
		[BLOCK_WAITING] = "waiting",
		[BLOCK_QUEUED] = "queued",
	};

	return e->settings->backend == BACKEND_NULL ? NULL : words[state];
}

/* As name_defaults() in watch.c: this default changed with nftables. */
static void name_prefix(struct enforcer *e, const struct cidr *target)
{
	if (e->has_named_prefix || target->net.family != ADDR_IPV6 || e->settings->ipv6_prefix ||
	    target->prefix == addr_bits(&target->net))
		return;
	e->has_named_prefix = true;
	enforcer_log(e, LOG_NOTICE,
		     "ipv6Prefix is not set, so the /64 of an IPv6 address is blocked: with "
		     "nftables that is the default after 0.1.0. Write ipv6Prefix=\"64\" into the "
		     "action to confirm it, or ipv6Prefix=\"128\" to block single addresses");
}

static enum block_state add_to_list(struct enforcer *e, const struct cidr *target, int64_t now,
				    bool urgent)
{
	name_prefix(e, target);
	return blocklist_add(e->blocklist, e->counters, &target->net, now, urgent);
}

static void put_on_list(struct enforcer *e, const struct block_request *request, int64_t now)
{
	const struct termination *t = request->termination;
	enum block_state state;

	state = add_to_list(e, &request->target, now,
			    t && !t->signalled && is_urgent(e->settings));
	put_event(e, request, state_text(e, state));
}

static void note_left_to_proxy(const struct enforcer *e)
{
	counters_add(e->counters, COUNTER_PROXIED, 1);
	raise_alert(e, ALERT_PROXY, 0);
}

static void leave_to_proxy(const struct enforcer *e, const struct block_request *request)
{
	note_left_to_proxy(e);
	put_event(e, request, NULL);
}

void enforcer_block_delayed(struct enforcer *enforcer, struct event *event)
{
	event->at = clock_wall_ms();
	if (event->kind == EVENT_PROXY)
		note_left_to_proxy(enforcer);
	else
		event->list_state = state_text(enforcer, add_to_list(enforcer, &event->target,
								     background_now(), false));
	if (enforcer->environment->events)
		send_event(enforcer, event);
}

/* May the entry be written now? Not while somebody is logged in from there; while that is
 * unknown, the block is delayed. Only the session of the request is terminated then. */
static bool is_free_of_logins(const struct enforcer *e, const struct block_request *request)
{
	const struct termination *t = request->termination;
	enum slot_login login = SLOT_LOGIN_NONE;
	struct event event;

	if (e->watch)
		login = watch_login_in(e->watch, &request->target,
				       t ? t->smtpd.process.pid : 0);
	if (login == SLOT_LOGIN_NONE || (login == SLOT_LOGIN_UNKNOWN && e->settings->dry_run))
		return true;
	if (login == SLOT_LOGIN_UNKNOWN) {
		make_event(e, request, &event);
		watch_delay_block(e->watch, &event);
	} else {
		counters_add(e->counters, COUNTER_KEPT_LOGIN, 1);
	}
	put_end_event(e, request);
	return false;
}

bool enforcer_may_report(struct report_limit *limit, int64_t now)
{
	if (now >= limit->until) {
		limit->until = now + REPORTS_EVERY_MS;
		limit->count = 0;
	}
	return ++limit->count <= REPORTS_MAX;
}

static void log_would_block(struct enforcer *e, const struct block_request *request, int64_t now)
{
	const struct courierlog_line *line = request->line;
	char ip[ADDR_TEXT_SIZE], reply[LOOKUP_REPLY_SIZE + 1], text[320];

	if (!enforcer_may_report(&e->reports, now))
		return;
	snprintf(text, sizeof(text), "dryRun: would %s %s port %u: \"%s\"",
		 is_left_to_proxy(e, request) ? "leave to its proxy" : "block",
		 addr_format(&line->addr, ip), (unsigned int)line->port,
		 alert_text_clean(line->reply, line->reply_len, reply, sizeof(reply)));
	enforcer_log(e, LOG_NOTICE, text);
}

/* With dryRun: count and log what would have been done. */
static void report(struct enforcer *e, const struct block_request *request, int64_t now)
{
	counters_add(e->counters, COUNTER_WOULD_BLOCK, 1);
	log_would_block(e, request, now);
	put_event(e, request, NULL);
}

static void send_reply(const struct enforcer *e, const struct smtpd_rules *rules,
		       const struct smtpd *smtpd, const struct smtpd_facts *facts,
		       enum smtp_reply kind)
{
	int r;

	if (e->settings->dry_run)
		return;
	r = smtp_reply_send(rules, smtpd, facts, kind);
	if (r == 0)
		counters_add(e->counters, COUNTER_REPLIES, 1);
	else if (r == -EPERM || r == -EACCES || r == -ENOSYS)
		raise_alert(e, ALERT_REPLY, -r);
}

/* Ask what only the background thread knows, and block. Returns the decision; counts it
 * unless it is a block. */
static struct decision do_block(struct enforcer *e, const struct block_request *request)
{
	const struct termination *t = request->termination;
	const struct settings *s = e->settings;
	int64_t now = background_now();
	struct known known = {
		.line = request->line,
		.severity = COURIERLOG_SEVERITY_ANY,
		.proof = PROOF_JUDGED,
		/* Another action that terminates it may have another list. */
		.is_ending = t && background_is_ending(e->background, &t->smtpd, e->counters),
		.limits = &e->limits,
		/* Those that are left to a proxy are never on the list. */
		.is_blocked = s->dry_run || is_left_to_proxy(e, request) ||
			      blocklist_has(e->blocklist, &request->target.net, now),
		.now = now,
	};
	struct decision d = decide(&e->policy, &known);

	if (e->limits.forgot)
		counters_add(e->counters, COUNTER_FORGOTTEN, 1);
	if (e->limits.closes)
		note_closed(e);
	e->limits.forgot = e->limits.closes = false;
	if (t && s->trigger == TRIGGER_CONNECT && s->connect_reply && decision_terminates(d))
		send_reply(e, t->rules, &t->smtpd, request->facts, SMTP_REPLY_554);
	if (d.verdict != VERDICT_BLOCK)
		enforcer_count(e, d);
	else if (!is_free_of_logins(e, request))
		return d;
	else if (s->dry_run)
		report(e, request, now);
	else if (is_left_to_proxy(e, request))
		leave_to_proxy(e, request);
	else
		put_on_list(e, request, now);
	return d;
}

struct decision enforcer_block(struct enforcer *enforcer, const struct courierlog_line *line,
			       bool behind_proxy)
{
	const struct block_request request = {
		.line = line,
		.target = decide_prefix(enforcer->settings, &line->addr),
		.behind_proxy = behind_proxy,
	};

	return do_block(enforcer, &request);
}

/* A request is dropped. The next line with an unknown form will do as well. */
static void note_dropped(struct enforcer *e, enum lookup_kind kind, int err)
{
	if (kind == LOOKUP_UNKNOWN) {
		atomic_store(&e->unknown_at, 0);
		return;
	}
	if (err == -ENOMEM) {
		enforcer_refuse(e, err);
		return;
	}
	counters_add(e->counters, COUNTER_REFUSED_BUSY, 1);
	alerts_raise(e->alerts, ALERT_BUSY, 0);
}

/* Takes the request's session over if it returns 0. Otherwise it is dropped. */
static int put_request(struct enforcer *e, const struct lookup_request *request)
{
	int r = lookup_queue_put(e->requests, request,
				 e->settings->dry_run || e->environment->events);

	if (r < 0)
		note_dropped(e, request->kind, r);
	background_wake(e->background);
	return r;
}

/* Terminate all sessions of the address. Only a search finds them. */
static void terminate_all(struct enforcer *e, const struct courierlog_line *line)
{
	const struct session_query query = { .addr = line->addr };

	if (settings_end_children(e->settings))
		enforcer_ask(e, LOOKUP_END, &query, line);
}

/* This zone's listing frees a slot. */
static void count_zone(struct enforcer *e, const struct smtpd_facts *facts)
{
	if (settings_end_children(e->settings) && facts->block_zone)
		dnsbl_stats_count(&e->dnsbl_stats, facts->block_zone);
}

/* With trigger="connect" the client already has its reply. */
static unsigned int delay_of(const struct settings *s)
{
	return s->trigger == TRIGGER_CONNECT ? 0 : s->terminate_delay;
}

/* Prepare the termination of a session. Takes the smtpd over. */
static struct termination prepare_termination(const struct enforcer *e,
					      const struct smtpd_rules *rules,
					      const struct smtpd_facts *facts,
					      struct smtpd *smtpd)
{
	const struct settings *s = e->settings;

	return (struct termination){
		.smtpd = smtpd_take(smtpd),
		.rules = rules,
		.counters = e->counters,
		.alerts = e->alerts,
		.signal = s->terminate_signal,
		.kill_after = s->terminate_kill_after,
		.reset = s->terminate_reset,
		.reset_delay = RESET_AFTER_MS,
		.spares_login = e->watch && facts->offers_login,
	};
}

static void schedule_termination(const struct enforcer *e, struct termination *t)
{
	unsigned int delay = delay_of(e->settings);
	int64_t now = background_now();

	if (!settings_end_children(e->settings) ||
	    background_is_ending(e->background, &t->smtpd, NULL)) {
		smtpd_done(&t->smtpd);
		return;
	}
	if (!t->signalled && delay == 0)
		terminator_signal(t);
	background_terminate(e->background, t, t->signalled ? now : now + delay);
}

/* With a threshold only the background thread knows whether the trigger blocks. */
static bool may_signal_first(const struct enforcer *e, const struct courierlog_line *line)
{
	const struct settings *s = e->settings;

	return settings_end_children(s) && s->threshold <= 1 &&
	       s->trigger != TRIGGER_CONNECT && line->port != 0;
}

void enforcer_hand_over(struct enforcer *enforcer, const struct smtpd_rules *rules,
			const struct courierlog_line *line, const struct smtpd_facts *facts,
			struct smtpd *smtpd)
{
	const struct session_query query = { .addr = line->addr, .port = line->port };
	struct lookup_request request = lookup_request_of(LOOKUP_SESSION, &query, line);
	struct termination *t = &request.termination;

	*t = prepare_termination(enforcer, rules, facts, smtpd);
	if (facts->block_zone)
		text_copy(facts->block_zone, strlen(facts->block_zone), request.zone,
			  sizeof(request.zone));
	if (may_signal_first(enforcer, line) &&
	    (enforcer->settings->terminate_delay == 0 ||
	     background_is_stalled(enforcer->background)))
		terminator_signal(t);
	if (put_request(enforcer, &request) == 0)
		return;
	if (may_signal_first(enforcer, line))
		terminator_signal_only(t);
	smtpd_done(&t->smtpd);
}

/* Block the address and terminate the session: without a delay, the session first. Releases what is
 * left of *t. */
static struct decision block_and_terminate(struct enforcer *e,
					   const struct courierlog_line *line,
					   const struct smtpd_facts *facts,
					   struct termination *t)
{
	const struct block_request request = {
		.line = line,
		.target = decide_prefix(e->settings, &line->addr),
		.facts = facts,
		.termination = t,
		.behind_proxy = t->smtpd.behind_proxy,
	};
	struct decision d;

	/* The looks for logins, before the block, take longer than all the rest. */
	if (e->settings->terminate_delay == 0 && !t->signalled && may_signal_first(e, line) &&
	    !background_is_ending(e->background, &t->smtpd, NULL))
		terminator_signal(t);
	d = do_block(e, &request);
	if (decision_terminates(d)) {
		if (line->port != 0)
			schedule_termination(e, t);
		else
			terminate_all(e, line);
		count_zone(e, facts);
	}
	smtpd_done(&t->smtpd);
	return d;
}

struct decision enforcer_block_session(struct enforcer *enforcer,
				       const struct smtpd_rules *rules,
				       const struct courierlog_line *line,
				       const struct smtpd_facts *facts, struct smtpd *smtpd)
{
	struct termination t = prepare_termination(enforcer, rules, facts, smtpd);

	return block_and_terminate(enforcer, line, facts, &t);
}

void enforcer_take_over(struct enforcer *enforcer, struct lookup_request *request)
{
	const struct smtpd_facts facts = {
		.block_zone = *request->zone ? request->zone : NULL,
	};
	struct courierlog_line line;

	lookup_request_line(request, &line);
	block_and_terminate(enforcer, &line, &facts, &request->termination);
}

size_t enforcer_drop_requests(struct enforcer *enforcer)
{
	struct lookup_request request;
	struct courierlog_line line;
	size_t dropped = 0;

	while (lookup_queue_take(enforcer->requests, &request)) {
		dropped += request.kind != LOOKUP_UNKNOWN && request.kind != LOOKUP_END;
		lookup_request_line(&request, &line);
		if (request.kind == LOOKUP_SESSION && may_signal_first(enforcer, &line))
			terminator_signal_only(&request.termination);
		smtpd_done(&request.termination.smtpd);
	}
	return dropped;
}

/* The reply that fits what the client waits for. */
static enum smtp_reply reply_of(enum rule rule)
{
	if (rule == RULE_PRESSURE)
		return SMTP_REPLY_421;
	return rule == RULE_NO_LOGIN ? SMTP_REPLY_554 : SMTP_REPLY_REFUSED;
}

static enum counter early_counter(enum rule rule)
{
	static const enum counter all[RULE_COUNT] = {
		[RULE_NO_LOGIN] = COUNTER_EARLY_NO_LOGIN,
		[RULE_REFUSED] = COUNTER_EARLY_REFUSED,
		[RULE_SIBLING] = COUNTER_EARLY_SIBLING,
		[RULE_PRESSURE] = COUNTER_EARLY_PRESSURE,
	};

	return all[rule];
}

void enforcer_end_early(struct enforcer *enforcer, const struct smtpd_rules *rules,
			const struct courierlog_line *line, const struct smtpd_facts *facts,
			struct smtpd *smtpd, enum rule rule, bool blocks)
{
	struct termination t = prepare_termination(enforcer, rules, facts, smtpd);
	const struct block_request request = {
		.line = line,
		.target = decide_prefix(enforcer->settings, &line->addr),
		.facts = facts,
		.termination = &t,
		.behind_proxy = t.smtpd.behind_proxy,
		.rule = rule,
	};

	if (background_is_ending(enforcer->background, &t.smtpd, NULL)) {
		smtpd_done(&t.smtpd);
		return;
	}
	/* The rule has just looked, and there is no delay. */
	t.spares_login = false;
	counters_add(enforcer->counters, early_counter(rule), 1);
	if (rule != RULE_SIBLING)
		send_reply(enforcer, rules, &t.smtpd, facts, reply_of(rule));
	if (!blocks || do_block(enforcer, &request).verdict != VERDICT_BLOCK)
		put_end_event(enforcer, &request);
	count_zone(enforcer, facts);
	/* At once: in a wave it takes a while until the look has come to its end. */
	if (settings_end_children(enforcer->settings)) {
		terminator_signal(&t);
		background_terminate(enforcer->background, &t, background_now());
	}
	smtpd_done(&t.smtpd);
}

void enforcer_end(struct enforcer *enforcer, const struct smtpd_rules *rules,
		  const struct smtpd_facts *facts, struct smtpd *smtpd)
{
	struct termination t;

	if (background_is_ending(enforcer->background, smtpd, NULL)) {
		smtpd_done(smtpd);
		return;
	}
	t = prepare_termination(enforcer, rules, facts, smtpd);
	schedule_termination(enforcer, &t);
}

void enforcer_ask(struct enforcer *enforcer, enum lookup_kind kind,
		  const struct session_query *query, const struct courierlog_line *line)
{
	struct lookup_request request = lookup_request_of(kind, query, line);

	put_request(enforcer, &request);
}

void enforcer_note_unknown(struct enforcer *enforcer, const char *text, size_t len)
{
	const struct courierlog_line line = { .reply = text, .reply_len = len };
	const struct session_query query = { .port = 0 };
	int64_t now = background_tick(), at = atomic_load(&enforcer->unknown_at);

	counters_add(enforcer->counters, COUNTER_UNKNOWN, 1);
	if (now >= at && atomic_compare_exchange_strong(&enforcer->unknown_at, &at,
							now + UNKNOWN_EVERY_MS))
		enforcer_ask(enforcer, LOOKUP_UNKNOWN, &query, &line);
}

void enforcer_log_unknown(struct enforcer *enforcer, const struct lookup_request *request)
{
	uint64_t lines = counters_get(enforcer->counters, COUNTER_UNKNOWN);
	char sample[UNKNOWN_TEXT_SIZE], text[UNKNOWN_TEXT_SIZE + 200];

	snprintf(text, sizeof(text),
		 "%lu lines of courieresmtpd have an unknown form and were "
		 "ignored, such as \"%s\": if courier was updated, update "
		 "omsmtpblock as well",
		 (unsigned long)(lines - enforcer->unknown_logged),
		 alert_text_clean(request->reply, request->reply_len, sample, sizeof(sample)));
	enforcer->unknown_logged = lines;
	enforcer_log(enforcer, LOG_WARNING, text);
}

/* COUNTER_COUNT: this reason is not counted. */
static enum counter counter_of(enum reason reason)
{
	switch (reason) {
	case REASON_TEMPORARY:
		return COUNTER_TEMPORARY;
	case REASON_OLD:
		return COUNTER_OLD;
	case REASON_NOT_A_PEER:
	case REASON_OWN_ADDRESS:
	case REASON_ALLOW_LIST:
	case REASON_ALLOWED_NEIGHBOUR:
	case REASON_RELAY_CLIENT:
		return COUNTER_ALLOWED;
	case REASON_NOT_LISTED:
	case REASON_OTHER_REPLY:
	case REASON_PATTERN:
		return COUNTER_NOT_LISTED;
	case REASON_DNSBL_ERROR:
		return COUNTER_DNSBL_ERRORS;
	case REASON_PATTERN_LIMIT:
		return COUNTER_PATTERN_LIMIT;
	case REASON_BELOW_THRESHOLD:
		return COUNTER_BELOW_THRESHOLD;
	case REASON_REPEATED:
		return COUNTER_REPEATED;
	case REASON_BUDGET:
		return COUNTER_REFUSED_BUDGET;
	default:
		return COUNTER_COUNT;
	}
}

void enforcer_count(const struct enforcer *enforcer, struct decision decision)
{
	enum counter id = counter_of(decision.reason);

	if (id != COUNTER_COUNT)
		counters_add(enforcer->counters, id, 1);
	if (decision.reason == REASON_DNSBL_ERROR)
		raise_alert(enforcer, ALERT_DNSBL, 0);
}

void enforcer_note_look(const struct enforcer *enforcer, int err)
{
	switch (err) {
	case -EACCES:
	case -ENOSYS:
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		raise_alert(enforcer, ALERT_LOOK, -err);
		break;
	case -ETIMEDOUT:
	case -EBUSY:
		raise_alert(enforcer, ALERT_HELD, 0);
		break;
	default:
		break;
	}
}

void enforcer_refuse(const struct enforcer *enforcer, int err)
{
	enum counter id = COUNTER_REFUSED_FAILED;

	if (err == -ESRCH)
		id = COUNTER_REFUSED_GONE;
	else if (err == -EPERM)
		id = COUNTER_REFUSED_SENDER;
	else if (err == -EAGAIN)
		id = COUNTER_REFUSED_NO_CHILD;
	else if (err == -EACCES || err == -ENOSYS)
		id = COUNTER_REFUSED_RIGHTS;
	counters_add(enforcer->counters, id, 1);
	enforcer_note_look(enforcer, err);
}
