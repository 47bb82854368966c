/* Watches the sessions of courier's listeners, and terminates those that the rules name.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/watch.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/clock.h"

/* Look this often: in general, and while there are listed sessions or some that are not known
 * yet. After a look that took time t, rest for LOOK_REST times t, but look at least every
 * LOOK_EVERY_MS; after a note, rest for NOTED_REST times t. */
#define LOOK_EVERY_MS 100
#define LOOK_OFTEN_MS 20
#define LOOK_REST 20
/* Terminate sessions under pressure for so long at a time: on a busy machine each takes some ms,
 * and the other rules should not wait for that. */
#define RELIEF_MS 30
#define NOTED_REST 10
/* Search for new couriertcpds this often, and rest for this many times the time that takes; less
 * long while none is known, and after a change: courier starts one after another. */
#define SCAN_EVERY_MS 1000
#define SCAN_REST 5000
#define SCAN_REST_SHORT 1000
#define SCAN_OFTEN_MS 10000
/* Slots are known by their PIDs. After this long without a look one may be another process. */
#define FORGET_MS 10000
/* Most delayed blocks. Later ones are not written: the session of each was terminated, and the
 * next one of the client leads to another block. */
#define DELAYED_MAX 64
/* A login shows in nearly every look. If none was seen in so many, and for so long, there is
 * none, although the session is always busy. */
#define DELAYED_LOOKS 50
#define DELAYED_MS 1000
/* A client is blocked when pressure ends this many of its sessions that did nothing for so long,
 * or that never said anything. */
#define IDLE_BLOCK_MS 1000
#define SILENT_MAX 3
/* Pressure is logged again after this long without. */
#define PRESSURE_QUIET_MS 60000

struct delayed {
	struct event event;
	unsigned int looks;
	int64_t until;
};

struct watch {
	struct enforcer *enforcer;
	struct session_finder *finder;	/* of the current run */
	struct slots slots;
	struct smtpd_scratch kept;	/* of the session that is terminated */
	struct smtpd_scratch submit;
	atomic_bool noted;
	int64_t look_at;		/* not later */
	int64_t noted_at;		/* not before, after a note */
	int64_t scan_at;
	int64_t scan_often_until;
	int64_t now;			/* of the current run */
	int64_t refreshed_at;
	bool is_looking;		/* slots must stay as they are */
	int64_t relief_ends;		/* of this look, after RELIEF_MS */
	struct delayed delayed[DELAYED_MAX];
	size_t delayed_count;
	struct report_limit reports;	/* sessions */
	bool has_named;			/* the defaults */
	struct threshold *silent;	/* sessions that ended under pressure */
	int64_t pressure_until;		/* not logged again before */
};

/* Is this a session that a rule may terminate? */
static bool judge(void *ctx, const struct addr *addr, const struct smtpd_facts *facts)
{
	const struct watch *w = ctx;
	struct decision d = policy_judge_session(w->enforcer->settings, addr, facts);

	if (d.verdict == VERDICT_BLOCK)
		d = decide_address(&w->enforcer->policy, addr);
	/* A prefix with an allowed neighbour is not blocked, but its sessions end. */
	return d.verdict == VERDICT_BLOCK || d.reason == REASON_ALLOWED_NEIGHBOUR;
}

int watch_new(struct enforcer *enforcer, struct watch **ret_watch)
{
	const struct addr ipv4 = { .family = ADDR_IPV4 }, ipv6 = { .family = ADDR_IPV6 };
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	if (threshold_new(SILENT_MAX, enforcer->settings->window, &w->silent) < 0) {
		free(w);
		return -ENOMEM;
	}
	w->enforcer = enforcer;
	w->slots.judge = judge;
	w->slots.ctx = w;
	w->slots.ipv4_prefix = settings_prefix(enforcer->settings, &ipv4);
	w->slots.ipv6_prefix = settings_prefix(enforcer->settings, &ipv6);
	*ret_watch = w;
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	slots_done(&watch->slots);
	threshold_free(watch->silent);
	free(watch);
}

bool watch_note(struct watch *watch)
{
	return !atomic_exchange(&watch->noted, true);
}

/* Terminating. */

static void report(struct watch *w, const struct slot *slot, enum rule rule)
{
	char ip[ADDR_TEXT_SIZE], text[160];

	if (!enforcer_may_report(&w->reports, w->now))
		return;
	snprintf(text, sizeof(text), "dryRun: would terminate the session of %s port %u (%s)",
		 addr_format(&slot->peer.addr, ip), (unsigned int)slot->peer.port,
		 policy_rule_word(rule));
	enforcer_log(w->enforcer, LOG_NOTICE, text);
}

/* Just after a login the old submit may still be there, but only while the smtpd is busy. */
static int check_idle(const struct smtpd_rules *rules, const struct smtpd *smtpd)
{
	int r = session_signs_is_idle(rules, smtpd->process.pid);

	return r > 0 ? 0 : r < 0 ? r : -EAGAIN;
}

/* Is a recipient of this session refused at this moment? The smtpd is pinned. */
static int check_refused(struct watch *w, const struct slot *slot, struct smtpd *smtpd,
			 const struct smtpd_facts *facts)
{
	const struct smtpd_rules *rules = session_rules(w->finder);
	struct session_progress progress;
	int r;

	r = session_signs_progress(rules, smtpd->process.pid, slot->submit.pid, &progress);
	if (r == 0 && !session_signs_is_refused(rules, smtpd->process.pid, &progress,
						facts->access_file))
		r = -EAGAIN;
	if (r == 0)
		r = smtpd_check_submit(rules, smtpd, facts->block, &w->submit);
	return r == 0 ? check_idle(rules, smtpd) : r;
}

/* Has nobody logged in at this moment? submit is the one that was seen before, or there is still
 * none. The smtpd is pinned. */
static int check_no_login(struct watch *w, const struct slot *slot, struct smtpd *smtpd,
			  const struct smtpd_facts *facts)
{
	const struct smtpd_rules *rules = session_rules(w->finder);
	struct session_submit submit = { .pid = 0 };
	int r;

	r = session_signs_submit(rules, smtpd->process.pid, &w->submit, &submit);
	if (r < 0)
		return r;
	if (submit.pid != slot->submit.pid || (submit.pid && !submit.blocks))
		return -EAGAIN;
	if (submit.pid)
		r = smtpd_check_submit(rules, smtpd, facts->block, &w->submit);
	return r == 0 ? check_idle(rules, smtpd) : r;
}

/* Does the rule hold for the session, now that it is pinned? Returns 0; -errno: no. */
static int check_rule(struct watch *w, const struct slot *slot, struct smtpd *smtpd,
		      const struct smtpd_facts *facts, enum rule rule)
{
	if (!smtpd_same_peer(&smtpd->peer, &slot->peer))
		return -ESRCH;
	if (!judge(w, &smtpd->peer.addr, facts))
		return -EPERM;
	switch (rule) {
	case RULE_NO_LOGIN:
		return facts->offers_login ? -EPERM : 0;
	case RULE_REFUSED:
		return check_refused(w, slot, smtpd, facts);
	case RULE_SIBLING:
	case RULE_PRESSURE:
		return slot->state == SLOT_HANDSHAKE ? 0 :
						       check_no_login(w, slot, smtpd, facts);
	default:
		return -EPERM;
	}
}

static int pin_session(struct watch *w, const struct slot *slot, struct smtpd *ret_smtpd,
		       struct smtpd_facts *ret_facts)
{
	if (slot->state == SLOT_HANDSHAKE)
		return smtpd_open_handshake(session_rules(w->finder), slot->pid, &w->kept,
					    ret_smtpd, ret_facts);
	return session_verify(w->finder, slot->smtpd, &slot->peer.addr, slot->peer.port, &w->kept,
			      ret_smtpd, ret_facts);
}

/* The module cannot know that it was upgraded. So name the new defaults when one of them takes
 * effect for the first time, unless the configuration shows that the admin knows them. */
static void name_defaults(struct watch *w)
{
	const struct settings *s = w->enforcer->settings;

	if (w->has_named || s->rules_set || s->dry_run)
		return;
	w->has_named = true;
	enforcer_log(w->enforcer, LOG_NOTICE,
	       "listed sessions end before courier logs their refusal, or if they take too many "
	       "slots: these are the defaults after 0.1.0. Write early=\"on\" pressure=\"50\" into "
	       "the action to confirm them, or early=\"off\" pressure=\"0\" to switch them off");
}

/* The session did nothing. Is it the third one of this client? */
static bool is_always_silent(struct watch *w, const struct slot *slot)
{
	struct cidr target = decide_prefix(w->enforcer->settings, &slot->peer.addr);
	bool forgot;

	return threshold_hit(w->silent, &target.net, 1, w->now, &forgot) > 0;
}

/* Terminate the session by this rule. With blocks, block its address; under pressure only at the
 * third time. Returns false if the rule does not hold, or if that cannot be checked now. */
static bool end_session(struct watch *w, struct slot *slot, enum rule rule, bool blocks)
{
	struct courierlog_line line = { .kind = COURIERLOG_REJECT,
					.addr = slot->peer.addr,
					.port = slot->peer.port,
					.code = 511,
					.times = 1 };
	struct smtpd smtpd = SMTPD_NONE;
	struct smtpd_facts facts;
	int r;

	r = pin_session(w, slot, &smtpd, &facts);
	if (r == 0)
		r = check_rule(w, slot, &smtpd, &facts, rule);
	enforcer_note_look(w->enforcer, r);
	if (r < 0) {
		/* Try again, even if the session does nothing. */
		if (smtpd_call_failed(r))
			slot->has_changed = true;
		smtpd_done(&smtpd);
		return false;
	}
	line.reply = facts.block;
	line.reply_len = strlen(facts.block);
	slot->ending = true;
	if (rule == RULE_PRESSURE)
		blocks = blocks && is_always_silent(w, slot);
	if (w->enforcer->settings->dry_run)
		report(w, slot, rule);
	enforcer_end_early(w->enforcer, session_rules(w->finder), &line, &facts, &smtpd, rule,
			   blocks);
	name_defaults(w);
	return true;
}

/* The rules. */

/* Can a rule terminate the session at all? */
static bool is_open_to_rules(const struct slot *slot)
{
	return slot->state == SLOT_SESSION && slot->listed && !slot->has_login && !slot->ending;
}

/* Does the session look as if a recipient was refused? Cheap, in contrast to check_refused(). */
static bool may_be_refused(struct watch *w, struct slot *slot)
{
	struct session_progress progress;
	int r;

	if (!slot->has_changed || !slot->submit.blocks || slot->submit.relays)
		return false;
	r = session_signs_progress(session_rules(w->finder), slot->smtpd, slot->submit.pid,
				   &progress);
	enforcer_note_look(w->enforcer, r);
	slot->has_changed = smtpd_call_failed(r);
	return r == 0 && progress.sleeps && (progress.mail || progress.recipient);
}

/* The rules no-login and refused. */
static void apply_early(struct watch *w, struct slot *slot)
{
	if (!is_open_to_rules(slot))
		return;
	if (!slot->offers_login)
		end_session(w, slot, RULE_NO_LOGIN, true);
	else if (may_be_refused(w, slot))
		end_session(w, slot, RULE_REFUSED, true);
}

static void for_each_slot(struct watch *w, void (*fn)(struct watch *w, struct slot *slot))
{
	size_t i, j;

	for (i = 0; i < w->slots.count; i++)
		for (j = 0; j < w->slots.listeners[i].count; j++)
			fn(w, &w->slots.listeners[i].slots[j]);
}

static bool drops_port(const struct settings *s, uint16_t port)
{
	unsigned int i;

	for (i = 0; i < s->ports.count; i++)
		if (s->ports.list[i] == port)
			return true;
	return false;
}

/* Has the client not said anything yet? Then it cannot have logged in. */
static bool is_silent(const struct slot *slot)
{
	return slot->state == SLOT_HANDSHAKE ||
	       (!slot->submit.pid && slot->submit_at == slot->read_at);
}

/* Is it worth while to look whether nobody has logged in? check_no_login() decides. */
static bool may_have_no_login(const struct watch *w, const struct slot *slot)
{
	if (is_silent(slot))
		return true;
	return slot->submit.pid ? slot->submit.known :
				  slot_login(slot, w->now) == SLOT_LOGIN_NONE;
}

static int64_t idle_time(const struct watch *w, const struct slot *slot)
{
	return w->now - clock_later(slot->active_at, slot->first_at);
}

/* The rule sibling: the packets of the session are dropped. If it still does something they are
 * not, whatever the cache says. */
static void apply_sibling(struct watch *w, struct slot *slot)
{
	const struct enforcer *e = w->enforcer;
	struct cidr target;

	if (!is_open_to_rules(slot) || !drops_port(e->settings, slot->peer.local_port))
		return;
	target = decide_prefix(e->settings, &slot->peer.addr);
	if (!blocklist_has(e->blocklist, &target.net, w->now))
		slot->blocked_at = 0;
	else if (!slot->blocked_at)
		slot->blocked_at = w->now;
	else if (w->now - slot->blocked_at >= WATCH_SIBLING_MS &&
		 idle_time(w, slot) >= WATCH_SIBLING_MS && may_have_no_login(w, slot))
		end_session(w, slot, RULE_SIBLING, false);
}

/* The slots of one listener, as the rule pressure counts them. */
struct load {
	size_t listed;		/* sessions without a login, and handshakes */
	size_t free;		/* slots, with those that are about to be */
	size_t share;		/* of listed sessions: the silent and the idle ones end.. */
	size_t most;		/* ..or any */
	size_t reserve;		/* free slots */
};

static struct load load_of(const struct watch *w, const struct listener *listener)
{
	size_t max = listener->max, share = max * w->enforcer->settings->pressure / 100;
	struct load load = {
		.share = share,
		.most = share + (max - share) * 2 / 5,
		.reserve = (max + 9) / 10,
	};
	size_t used = listener->count, i;

	for (i = 0; i < listener->count; i++) {
		const struct slot *slot = &listener->slots[i];

		load.listed += slot->listed && !slot->has_login && !slot->ending;
		used -= slot->ending;
	}
	load.free = max > used ? max - used : 0;
	return load;
}

/* How many listed sessions are too many, whatever they do? */
static size_t excess(const struct load *load)
{
	size_t above = load->listed > load->most ? load->listed - load->most : 0;
	size_t missing = load->reserve > load->free ? load->reserve - load->free : 0;

	missing = missing < load->listed ? missing : load->listed;
	return above > missing ? above : missing;
}

/* Once per wave. */
static void log_pressure(struct watch *w, const struct listener *listener,
			 const struct load *load)
{
	const struct settings *s = w->enforcer->settings;
	char text[240];

	if (w->now >= w->pressure_until) {
		snprintf(text, sizeof(text),
			 "%slisted sessions take %zu of the %u slots of couriertcpd %d, and %zu "
			 "are free: the oldest or idle ones %s with 421 (pressure=\"%u\")",
			 s->dry_run ? "dryRun: " : "", load->listed, listener->max,
			 (int)listener->tcpd, load->free, s->dry_run ? "would end" : "end",
			 s->pressure);
		enforcer_log(w->enforcer, LOG_NOTICE, text);
	}
	w->pressure_until = w->now + PRESSURE_QUIET_MS;
}

/* Which sessions may end under pressure, and how many listed ones are to be left. */
struct relief {
	size_t left;
	int64_t age, idle;	/* in ms, at least */
};

static bool may_yield(const struct watch *w, const struct slot *slot,
		      const struct relief *relief)
{
	if (!slot->listed || slot->has_login || slot->ending)
		return false;
	if (slot->state != SLOT_SESSION && slot->state != SLOT_HANDSHAKE)
		return false;
	return w->now - slot->first_at >= relief->age && idle_time(w, slot) >= relief->idle &&
	       may_have_no_login(w, slot);
}

static bool is_relief_over(const struct watch *w)
{
	return background_now() >= w->relief_ends;
}

/* Terminate the oldest of those that are silent, or of those that are not. */
static void relieve_of(struct watch *w, struct listener *listener, struct load *load,
		       const struct relief *relief, bool silent)
{
	const struct smtpd_rules *rules = session_rules(w->finder);
	bool delayed;
	size_t i;

	for (i = 0; i < listener->count && load->listed > relief->left && !is_relief_over(w); i++) {
		struct slot *slot = &listener->slots[i];
		const int64_t blocked_from = silent ? WATCH_YOUNG_MS : IDLE_BLOCK_MS;

		if (silent != is_silent(slot) || !may_yield(w, slot, relief))
			continue;
		/* A client is not idle while courier delays its reply. */
		delayed = !silent && session_signs_in_tarpit(rules, slot->smtpd) > 0;
		if (delayed && relief->idle > 0) {
			slot->active_at = w->now;
			continue;
		}
		if (!end_session(w, slot, RULE_PRESSURE,
				 !delayed && idle_time(w, slot) >= blocked_from))
			continue;
		log_pressure(w, listener, load);
		load->listed--;
		load->free++;
	}
}

/* A silent client has less to lose than one that may be about to log in. */
static void relieve(struct watch *w, struct listener *listener, struct load *load,
		    const struct relief *relief)
{
	relieve_of(w, listener, load, relief, true);
	relieve_of(w, listener, load, relief, false);
}

/* The rule pressure. */
static void apply_pressure(struct watch *w, struct listener *listener)
{
	struct load load = load_of(w, listener);
	const struct relief any = {
		.left = load.listed - excess(&load),
		.age = load.free > 0 ? WATCH_YOUNG_MS : 0,
	};
	const struct relief silent = { .left = load.share * 4 / 5, .age = WATCH_YOUNG_MS };
	const struct relief waiting = { .left = load.share * 4 / 5, .idle = WATCH_IDLE_MS };
	const struct relief rest = { .left = 0, .idle = WATCH_SIBLING_MS };

	if (listener->max == 0)
		return;
	if (load.listed >= load.reserve)
		listener->in_wave = true;
	else if (load.listed == 0)
		listener->in_wave = false;
	if (load.listed > load.share)
		listener->relieves = true;
	else if (load.listed <= waiting.left)
		listener->relieves = false;
	relieve(w, listener, &load, &any);
	if (listener->relieves) {
		relieve_of(w, listener, &load, &silent, true);
		relieve_of(w, listener, &load, &waiting, false);
	}
	if (listener->in_wave)
		relieve(w, listener, &load, &rest);
}

/* Blocks that wait until it is known that nobody is logged in. */

void watch_delay_block(struct watch *watch, const struct event *event)
{
	size_t i;

	for (i = 0; i < watch->delayed_count; i++)
		if (addr_equal(&watch->delayed[i].event.target.net, &event->target.net))
			return;
	if (watch->delayed_count == DELAYED_MAX) {
		counters_add(watch->enforcer->counters, COUNTER_REFUSED_BUSY, 1);
		return;
	}
	watch->delayed[watch->delayed_count++] =
		(struct delayed){ *event, DELAYED_LOOKS, background_now() + DELAYED_MS };
}

size_t watch_delayed(const struct watch *watch)
{
	return watch->delayed_count;
}

/* What the looks have shown has to hold now. */
static enum slot_login confirmed_login(struct watch *w, const struct cidr *entry, pid_t but)
{
	const int64_t now = background_now();

	slots_confirm(&w->slots, session_rules(w->finder), entry, but, now);
	return slots_login_in(&w->slots, entry, but, now);
}

static void run_delayed(struct watch *w)
{
	size_t i, left = 0;

	for (i = 0; i < w->delayed_count; i++) {
		struct delayed *d = &w->delayed[i];
		enum slot_login login = confirmed_login(w, &d->event.target, 0);

		d->looks -= d->looks > 0;
		if (login == SLOT_LOGIN_UNKNOWN && (d->looks > 0 || w->now < d->until))
			w->delayed[left++] = *d;
		else if (login != SLOT_LOGIN_SEEN && !w->slots.is_incomplete)
			enforcer_block_delayed(w->enforcer, &d->event);
		else
			counters_add(w->enforcer->counters, COUNTER_KEPT_LOGIN, 1);
	}
	w->delayed_count = left;
}

/* Looking. */

static void scan_if_due(struct watch *w, int64_t now)
{
	bool often = w->slots.count == 0 || now < w->scan_often_until;
	int64_t start = clock_cpu_us(), rest = often ? SCAN_REST_SHORT : SCAN_REST;
	int r;

	if (now < w->scan_at)
		return;
	r = tcpd_scan(session_rules(w->finder)->tcpds);
	if (r < 0)
		enforcer_note_look(w->enforcer, r);
	w->scan_at = now + clock_later((clock_cpu_us() - start) * rest / 1000, SCAN_EVERY_MS);
}

static void refresh(struct watch *w, int (*fn)(struct slots *slots,
					       const struct smtpd_rules *rules, int64_t now))
{
	const int64_t now = background_now();
	int r;

	if (now - w->refreshed_at > FORGET_MS)
		slots_done(&w->slots);
	w->refreshed_at = now;
	r = fn(&w->slots, session_rules(w->finder), now);
	if (r < 0)
		enforcer_note_look(w->enforcer, r);
	if (w->slots.has_other_listeners) {
		w->scan_at = 0;
		w->scan_often_until = now + SCAN_OFTEN_MS;
	}
}

/* Are sessions terminated by what is seen of them? */
static bool ends_early(const struct settings *s)
{
	return s->early && s->terminate;
}

/* Is there a reason to look without a line? */
static bool is_needed(const struct watch *w)
{
	const struct settings *s = w->enforcer->settings;

	return ends_early(s) || (s->pressure && s->terminate) || w->delayed_count > 0;
}

static void apply_rules(struct watch *w)
{
	const struct settings *s = w->enforcer->settings;
	size_t i;

	if (ends_early(s)) {
		for_each_slot(w, apply_early);
		for_each_slot(w, apply_sibling);
	}
	w->relief_ends = background_now() + RELIEF_MS;
	for (i = 0; s->pressure && s->terminate && i < w->slots.count; i++)
		apply_pressure(w, &w->slots.listeners[i]);
}

static void look(struct watch *w)
{
	int64_t start = clock_us(), took;
	bool often, goes_on;

	scan_if_due(w, w->now);
	/* Without listed sessions only new ones matter. */
	refresh(w, w->slots.listed > 0 ? slots_refresh : slots_find_new);
	w->is_looking = true;
	apply_rules(w);
	goes_on = is_relief_over(w);
	run_delayed(w);
	w->is_looking = false;
	took = clock_us() - start;
	often = w->slots.listed > 0 || w->slots.unread > 0;
	w->look_at = w->now + clock_earlier(clock_later(took * LOOK_REST / 1000,
						       often ? LOOK_OFTEN_MS : LOOK_EVERY_MS),
					   goes_on ? LOOK_OFTEN_MS : LOOK_EVERY_MS);
	w->noted_at = w->now + took * NOTED_REST / 1000 + 1;
}

void watch_prepare(struct watch *watch, struct session_finder *finder)
{
	watch->finder = finder;
}

int64_t watch_run(struct watch *watch)
{
	watch->now = background_now();
	if (!watch->finder || !is_needed(watch))
		return INT64_MAX;
	if (watch->now >= watch->look_at ||
	    (watch->now >= watch->noted_at && atomic_load(&watch->noted))) {
		atomic_store(&watch->noted, false);
		look(watch);
	}
	return atomic_load(&watch->noted) ? clock_earlier(watch->look_at, watch->noted_at) :
					    watch->look_at;
}

/* If courier was restarted, only the couriertcpd of the line is known yet. */
static void find_new(struct watch *w, int64_t now)
{
	scan_if_due(w, now);
	refresh(w, slots_find_new);
	if (w->scan_at > 0)
		return;
	scan_if_due(w, now);
	refresh(w, slots_find_new);
}

enum slot_login watch_login_in(struct watch *watch, const struct cidr *entry, pid_t pid)
{
	const int64_t now = background_now();

	if (!watch->finder)
		return SLOT_LOGIN_NONE;
	/* That session itself does not matter. */
	watch->slots.but = pid;
	if (!watch->is_looking && now - watch->refreshed_at >= SLOT_FRESH_MS)
		find_new(watch, now);
	watch->slots.but = 0;
	return confirmed_login(watch, entry, pid);
}

bool watch_has_login(struct watch *watch, pid_t pid)
{
	const struct slot *slot = slots_find(&watch->slots, pid);

	return slot && slot->has_login;
}
