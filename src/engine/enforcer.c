/* Carries out decisions: blocks the address, terminates the session, counts.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/enforcer.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "courier/smtp_reply.h"

/* The background thread is late by at most this, unless the machine is overloaded. */
#define BACKGROUND_LATE_MS 50

/* After a session was terminated its socket is kept this long before the reset: a client
 * that is slow, or whose last packet was lost, can still receive its reply. */
#define RESET_AFTER_MS 1000

static void raise_alert(const struct enforcer *e, enum alert id, int detail)
{
	if (alerts_raise(e->alerts, id, detail))
		background_wake(e->background);
}

static struct decision decide(enum verdict verdict, enum reason reason)
{
	return (struct decision){ .verdict = verdict, .reason = reason };
}

/* The prefix that is blocked for this address. */
static struct cidr target_of(const struct enforcer *e, const struct addr *addr)
{
	unsigned int prefix = settings_prefix(e->settings, addr);

	if (prefix == addr_bits(addr))
		return (struct cidr){ .net = *addr, .prefix = (uint8_t)prefix };
	return (struct cidr){ .net = cidr_mask(addr, prefix),
			      .prefix = (uint8_t)prefix };
}

bool enforcer_is_exempt(const struct enforcer *enforcer, const struct addr *addr,
			enum reason *ret_reason)
{
	*ret_reason = REASON_OWN_ADDRESS;
	if (local_addrs_contain(background_local_addrs(enforcer->background), addr))
		return true;
	*ret_reason = REASON_ALLOW_LIST;
	return allowfile_contains(enforcer->allow_file, addr);
}

/* A block of a whole prefix would also hit the exempt addresses in it. */
static bool hits_exempt(const struct enforcer *e, const struct cidr *target)
{
	return local_addrs_overlap(background_local_addrs(e->background), target) ||
	       prefix_set_overlaps(e->settings->allow, target) ||
	       allowfile_overlaps(e->allow_file, target);
}

/* Does this trigger reach the threshold? */
static bool reaches_threshold(const struct enforcer *e, const struct addr *addr,
			      unsigned int times, int64_t now)
{
	bool forgot;
	int r;

	if (!e->hits)
		return true;
	r = threshold_hit(e->hits, addr, times, now, &forgot);
	if (forgot)
		counters_add(e->counters, COUNTER_FORGOTTEN, 1);
	return r > 0;
}

/* The first block in this interval that maxBlocks prevents. */
static void note_closed(const struct enforcer *e)
{
	counters_add(e->counters, COUNTER_BUDGET_CLOSED, 1);
	alerts_clear(e->alerts, ALERT_BUDGET_OPEN);
	raise_alert(e, ALERT_BUDGET, 0);
}

/* All checks before the block itself, except maxBlocks. */
static struct decision check_limits(const struct enforcer *e, const struct cidr *target,
				    unsigned int times, int64_t now)
{
	if (target->prefix < addr_bits(&target->net) && hits_exempt(e, target))
		return decide(VERDICT_EXEMPT, REASON_ALLOWED_NEIGHBOUR);
	if (!reaches_threshold(e, &target->net, times, now))
		return decide(VERDICT_NOT_A_TRIGGER, REASON_BELOW_THRESHOLD);
	return decide(VERDICT_BLOCK, REASON_TRIGGERED);
}

/* Does the signal follow the block so closely that this thread must write the block itself?
 * Otherwise the background thread does both, block first. With a backend that may block
 * (nftables) this also keeps the log worker from stalling. */
static bool is_urgent(const struct settings *s)
{
	return s->terminate &&
	       (s->trigger == TRIGGER_CONNECT || s->terminate_delay < BACKGROUND_LATE_MS);
}

/* What is blocked, and why. */
struct block_request {
	const struct courierlog_line *line;
	struct cidr target;
	const struct smtpd_facts *facts;	/* NULL: no process was read */
	pid_t pid;
};

static int64_t wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void copy_text(char *to, size_t size, const char *text, size_t len)
{
	if (len >= size)
		len = size - 1;
	if (len > 0)
		memcpy(to, text, len);
	to[len] = '\0';
}

static void put_texts(struct event *event, const struct block_request *request)
{
	const struct smtpd_facts *facts = request->facts;

	if (request->line->reply_len > 0)
		copy_text(event->reply, sizeof(event->reply), request->line->reply,
			  request->line->reply_len);
	else if (facts && facts->block)
		copy_text(event->reply, sizeof(event->reply), facts->block,
			  strlen(facts->block));
	if (facts && facts->block_zone)
		copy_text(event->zone, sizeof(event->zone), facts->block_zone,
			  strlen(facts->block_zone));
}

static void put_event(const struct enforcer *e, const struct block_request *request,
		      const char *list_state)
{
	const struct settings *s = e->settings;
	struct event event = {
		.listener = e->listener,
		.counters = e->counters,
		.at = wall_clock(),
		.addr = request->line->addr,
		.target = request->target,
		.port = request->line->port,
		.pid = request->pid,
		.dry_run = s->dry_run,
		.ends_child = request->pid && settings_end_children(s),
		.list = request->line->addr.family == ADDR_IPV4 ? s->list : s->list6,
		.list_state = list_state,
		.trigger = settings_word("trigger", s->trigger),
		.seconds = s->ban_time,
	};
	int r;

	put_texts(&event, request);
	r = events_put(e->events, &event);
	if (r < 0 && r != -ESHUTDOWN)
		raise_alert(e, ALERT_EVENTS, 0);
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

/* Returns false if maxBlocks prevents the block. */
static bool put_on_list(const struct enforcer *e, const struct block_request *request,
			int64_t now)
{
	enum block_state state = BLOCK_QUEUED;

	if (blocklist_add(e->blocklist, e->limit, &request->target.net, now,
			  is_urgent(e->settings), &state))
		background_wake(e->background);
	if (state == BLOCK_CLOSES)
		note_closed(e);
	if (state == BLOCK_CLOSES || state == BLOCK_REFUSED)
		return false;
	if (e->events)
		put_event(e, request, state_text(e, state));
	return true;
}

/* With dryRun: count and log what would have been done. */
static void report(const struct enforcer *e, const struct block_request *request)
{
	const struct courierlog_line *line = request->line;
	const struct session_query query = { .addr = line->addr,
					      .port = line->port };

	counters_add(e->counters, COUNTER_WOULD_BLOCK, 1);
	enforcer_ask(e, LOOKUP_REPORT, &query, line);
	if (e->events)
		put_event(e, request, NULL);
}

static struct decision do_block(const struct enforcer *e, const struct block_request *request,
				int64_t now)
{
	if (e->settings->dry_run)
		report(e, request);
	else if (!put_on_list(e, request, now))
		return decide(VERDICT_UNPROVEN, REASON_BUDGET);
	return decide(VERDICT_BLOCK, REASON_TRIGGERED);
}

struct decision enforcer_block(const struct enforcer *enforcer,
			       const struct courierlog_line *line)
{
	const struct block_request request = { .line = line,
				   .target = target_of(enforcer, &line->addr) };
	int64_t now = background_tick();
	struct decision d = check_limits(enforcer, &request.target, line->times, now);

	if (d.verdict == VERDICT_BLOCK)
		d = do_block(enforcer, &request, now);
	if (d.verdict != VERDICT_BLOCK)
		enforcer_count(enforcer, d);
	return d;
}

/* trigger="connect": write the reply to whatever the client sends first. */
static void send_554(const struct enforcer *e, const struct smtpd_rules *rules,
		     const struct smtpd *smtpd, const struct smtpd_facts *facts)
{
	int r;

	if (!e->settings->connect_reply || e->settings->dry_run)
		return;
	r = smtp_reply_send(rules, smtpd, facts);
	if (r == 0)
		counters_add(e->counters, COUNTER_REPLIES, 1);
	else if (r == -EPERM || r == -EACCES || r == -ENOSYS)
		raise_alert(e, ALERT_REPLY, -r);
}

/* Terminate all sessions of the address. Only a search finds them. */
static void terminate_all(const struct enforcer *e, const struct courierlog_line *line)
{
	const struct session_query query = { .addr = line->addr };

	if (settings_end_children(e->settings))
		enforcer_ask(e, LOOKUP_END, &query, line);
}

/* This zone's listing frees a slot. */
static void count_zone(const struct enforcer *e, const struct smtpd_facts *facts)
{
	if (settings_end_children(e->settings) && facts->block_zone)
		dnsbl_stats_count(e->dnsbl_stats, facts->block_zone);
}

/* With trigger="connect" the client already has its reply. */
static unsigned int delay_of(const struct settings *s)
{
	return s->trigger == TRIGGER_CONNECT ? 0 : s->terminate_delay;
}

/* Prepare the termination of a session. Takes the smtpd over. */
static struct termination prepare_termination(const struct enforcer *e,
					      const struct smtpd_rules *rules,
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
	};
}

static void schedule_termination(const struct enforcer *e, struct termination *t)
{
	unsigned int delay = delay_of(e->settings);

	if (!settings_end_children(e->settings)) {
		smtpd_done(&t->smtpd);
		return;
	}
	if (!t->signalled && (delay == 0 || background_is_stalled(e->background)))
		terminator_signal(t);
	background_terminate(e->background, t, background_now() + delay);
}

/* With terminate.delay="0" nothing is waited for, not even the block, which follows at
 * once. A client that reconnects before it is blocked gets a new session; the first trigger
 * of that one finds the block and terminates it. */
static bool signal_before_block(const struct settings *s)
{
	return settings_end_children(s) && s->terminate_delay == 0 &&
	       s->trigger != TRIGGER_CONNECT;
}

struct decision enforcer_block_session(const struct enforcer *enforcer,
				       const struct smtpd_rules *rules,
				       const struct courierlog_line *line,
				       const struct smtpd_facts *facts, struct smtpd *smtpd)
{
	const struct block_request request = { .line = line,
				   .target = target_of(enforcer, &line->addr),
				   .facts = facts,
				   .pid = smtpd->process.pid };
	const struct settings *s = enforcer->settings;
	int64_t now = background_now();
	struct termination t;
	struct decision d;
	bool terminates;

	if (background_is_ending(enforcer->background, smtpd)) {
		smtpd_done(smtpd);
		d = decide(VERDICT_NOT_A_TRIGGER, REASON_REPEATED);
		enforcer_count(enforcer, d);
		return d;
	}
	d = check_limits(enforcer, &request.target, line->times, now);
	terminates = d.verdict == VERDICT_BLOCK;
	if (terminates && s->trigger == TRIGGER_CONNECT)
		send_554(enforcer, rules, smtpd, facts);
	t = prepare_termination(enforcer, rules, smtpd);
	if (terminates && line->port != 0 && signal_before_block(s))
		terminator_signal(&t);
	if (terminates)
		d = do_block(enforcer, &request, now);
	if (d.verdict != VERDICT_BLOCK)
		enforcer_count(enforcer, d);
	if (terminates && line->port != 0)
		schedule_termination(enforcer, &t);
	else if (terminates)
		terminate_all(enforcer, line);
	if (terminates)
		count_zone(enforcer, facts);
	smtpd_done(&t.smtpd);
	return d;
}

void enforcer_end(const struct enforcer *enforcer, const struct smtpd_rules *rules,
		  struct smtpd *smtpd)
{
	struct termination t;

	if (background_is_ending(enforcer->background, smtpd)) {
		smtpd_done(smtpd);
		return;
	}
	t = prepare_termination(enforcer, rules, smtpd);
	schedule_termination(enforcer, &t);
}

int enforcer_ask(const struct enforcer *enforcer, enum lookup_kind kind,
		 const struct session_query *query, const struct courierlog_line *line)
{
	int r = lookup_queue_put(enforcer->requests, kind, query, line);

	if (r < 0) {
		if (kind == LOOKUP_PROVE)
			counters_add(enforcer->counters, COUNTER_REFUSED_BUSY, 1);
		alerts_raise(enforcer->alerts, ALERT_BUSY, 0);
	}
	background_wake(enforcer->background);
	return r;
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
