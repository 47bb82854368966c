/* Does what was decided: blocks the address, ends the child, counts.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/enforcer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "courier/smtp_reply.h"
#include "engine/watch.h"
#include "tests/unit/engine_steps.h"

/* An enforcer without an engine. */
struct fixture {
	struct settings settings;
	struct engine_environment environment;
	struct counters counters;
	struct alerts alerts;
	struct enforcer enforcer;
	struct fakeproc tree;
};

static void setup_on(struct fixture *f, const char *name, const char *value, const char *net_root)
{
	char wrong[256];

	memset(f, 0, sizeof(*f));
	fakeproc_open(&f->tree);
	want_int(settings_init(&f->settings), 0);
	want_int(settings_set(&f->settings, name, value, wrong, sizeof(wrong)), 0);
	want_int(background_new(f->tree.root, &f->environment.background), 0);
	want_int(background_open(f->environment.background), 0);
	f->environment.net_root = net_root;
	f->environment.module_root = "";
	want_int(enforcer_open(&f->enforcer, &f->settings, &f->counters, &f->alerts,
			       &f->environment),
		 0);
}

static void setup(struct fixture *f, const char *name, const char *value)
{
	setup_on(f, name, value, "");
}

static void teardown(struct fixture *f)
{
	enforcer_close(&f->enforcer);
	background_free(f->environment.background);
	settings_done(&f->settings);
	fakeproc_close(&f->tree);
}

/* The actions in their order, one letter each. */
static char done[16];

static void note_done(char what)
{
	size_t n = strlen(done);

	if (n + 1 < sizeof(done))
		done[n] = what;
}

int __real_smtp_reply_send(const struct smtpd_rules *rules, const struct smtpd *smtpd,
			   const struct smtpd_facts *facts, enum smtp_reply kind);
int __wrap_smtp_reply_send(const struct smtpd_rules *rules, const struct smtpd *smtpd,
			   const struct smtpd_facts *facts, enum smtp_reply kind);

int __wrap_smtp_reply_send(const struct smtpd_rules *rules, const struct smtpd *smtpd,
			   const struct smtpd_facts *facts, enum smtp_reply kind)
{
	note_done('r');
	return __real_smtp_reply_send(rules, smtpd, facts, kind);
}

int __real_terminator_signal(struct termination *termination);
int __wrap_terminator_signal(struct termination *termination);
int __wrap_terminator_signal(struct termination *termination)
{
	note_done('s');
	return __real_terminator_signal(termination);
}

void __real_background_terminate(struct background *background, struct termination *t,
				 int64_t due);
void __wrap_background_terminate(struct background *background, struct termination *t,
				 int64_t due);
void __wrap_background_terminate(struct background *background, struct termination *t,
				 int64_t due)
{
	note_done('h');
	__real_background_terminate(background, t, due);
}

/* Calls of the list: the last one's urgency; what to answer instead of a call, or -1; and
 * whether calls wait for the test. */
static atomic_bool last_at_once;
static int answer = -1;
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool closed;
	unsigned int waiting;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void pass_gate(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.waiting++;
	pthread_cond_broadcast(&gate.changed);
	while (gate.closed)
		pthread_cond_wait(&gate.changed, &gate.lock);
	gate.waiting--;
	pthread_mutex_unlock(&gate.lock);
}

static void set_gate(bool closed)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed = closed;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void await_call_at_gate(void)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.waiting == 0)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

enum block_state __real_blocklist_add(struct blocklist *blocklist, struct counters *counters,
				      const struct addr *addr, int64_t now, bool at_once);
enum block_state __wrap_blocklist_add(struct blocklist *blocklist, struct counters *counters,
				      const struct addr *addr, int64_t now, bool at_once);
enum block_state __wrap_blocklist_add(struct blocklist *blocklist, struct counters *counters,
				      const struct addr *addr, int64_t now, bool at_once)
{
	atomic_store(&last_at_once, at_once);
	pass_gate();
	note_done('b');
	return answer >= 0 ? (enum block_state)answer :
			     __real_blocklist_add(blocklist, counters, addr, now, at_once);
}

static const struct told_row {
	const char *label, *name, *value;
	enum block_state state;
	const char *want;
} told_rows[] = {
	{ "added", "backend", "recent", BLOCK_ADDED, "added" },
	{ "renewed", "backend", "nftables", BLOCK_RENEWED, "renewed" },
	{ "waiting", "backend", "recent", BLOCK_WAITING, "waiting" },
	{ "queued", "backend", "nftables", BLOCK_QUEUED, "queued" },
	{ "no list", "backend", "null", BLOCK_ADDED, NULL },
};

static int refuse_late(const struct event *event)
{
	(void)event;
	return -ESHUTDOWN;
}

static void want_state(const char *got, const char *want)
{
	if (got && want)
		want_str(got, want);
	else
		want_int(got == want, true);
}

/* If there is no reader any more, that is not an error. */
TEST_ROWS(listener_gets_list_changes, told_rows)
{
	struct courierlog_line line = { .kind = COURIERLOG_REJECT };
	const struct event *events;
	struct fixture f;

	setup(&f, row->name, row->value);
	f.settings.input = INPUT_ADDRESS;
	answer = (int)row->state;
	want_int(addr_parse("192.0.2.7", 9, &line.addr), 0);
	want_int(events_new(&f.environment.events), 0);
	want_int(enforcer_block(&f.enforcer, &line, false).verdict, VERDICT_BLOCK);
	want_int(events_take(f.environment.events, &events), 1);
	want_state(events[0].list_state, row->want);
	events_close(f.environment.events, refuse_late);
	enforcer_block(&f.enforcer, &line, false);
	want_int(counters_get(&f.counters, COUNTER_EVENTS), 1);
	want_int(counters_get(&f.counters, COUNTER_EVENTS_LOST), 1);
	want_int(alerts_next(&f.alerts, &(enum alert){ 0 }, &(int){ 0 }), false);
	events_free(f.environment.events);
	answer = -1;
	teardown(&f);
}

/* Whether somebody else is logged in from the entry, or -1: ask. */
static int login_in = -1;

enum slot_login __real_watch_login_in(struct watch *watch, const struct cidr *entry, pid_t pid);
enum slot_login __wrap_watch_login_in(struct watch *watch, const struct cidr *entry, pid_t pid);
enum slot_login __wrap_watch_login_in(struct watch *watch, const struct cidr *entry, pid_t pid)
{
	return login_in >= 0 ? (enum slot_login)login_in : __real_watch_login_in(watch, entry, pid);
}

static const struct kept_row {
	const char *label;
	bool has_session, terminates;
	size_t events;
} kept_rows[] = {
	{ "a session", true, true, 1 },
	{ "a session, terminate off", true, false, 0 },
	{ "the line of a process that has exited", false, true, 0 },
};

/* A login prevents the block: the listener hears only of a session that is terminated. */
TEST_ROWS(listener_gets_end_of_session, kept_rows)
{
	struct courierlog_line line = { .kind = COURIERLOG_REJECT, .port = PEER_PORT };
	const struct smtpd_facts facts = { .block = LISTED };
	struct smtpd smtpd = SMTPD_NONE;
	const struct event *events;
	struct fixture f;

	setup(&f, "backend", "null");
	f.settings.input = INPUT_ADDRESS;
	f.settings.terminate = row->terminates;
	f.settings.terminate_delay = 60000;
	f.enforcer.watch = (struct watch *)&f;
	login_in = SLOT_LOGIN_SEEN;
	smtpd.process.pid = 4711;
	want_int(addr_parse("192.0.2.7", 9, &line.addr), 0);
	want_int(events_new(&f.environment.events), 0);
	if (row->has_session)
		enforcer_block_session(&f.enforcer, NULL, &line, &facts, &smtpd);
	else
		enforcer_block(&f.enforcer, &line, false);
	login_in = -1;
	want_int(counters_get(&f.counters, COUNTER_KEPT_LOGIN), 1);
	want_int(events_take(f.environment.events, &events), row->events);
	if (row->events)
		want_int(events[0].kind == EVENT_END && events[0].ends_child, true);
	events_free(f.environment.events);
	teardown(&f);
}

/* Only what would be blocked here is reported for the proxy. */
static const struct proxy_row {
	const char *label;
	bool has_session, blocks_here;
	enum slot_login login;
	enum event_kind want;
	const char *state;
	size_t events;
	unsigned int proxied;
} proxy_rows[] = {
	{ "left to the proxy", true, false, SLOT_LOGIN_NONE, EVENT_PROXY, NULL, 1, 1 },
	{ "without a session", false, false, SLOT_LOGIN_NONE, EVENT_PROXY, NULL, 1, 1 },
	{ "blocked here", true, true, SLOT_LOGIN_NONE, EVENT_BLOCK, "added", 1, 0 },
	{ "somebody is logged in", true, false, SLOT_LOGIN_SEEN, EVENT_END, NULL, 1, 0 },
};

TEST_ROWS(client_behind_proxy, proxy_rows)
{
	struct courierlog_line line = { .kind = COURIERLOG_REJECT, .port = PEER_PORT };
	const struct smtpd_facts facts = { .block = LISTED };
	struct smtpd smtpd = SMTPD_NONE;
	const struct event *events;
	struct fixture f;

	setup(&f, "backend", "recent");
	f.settings.input = INPUT_ADDRESS;
	f.settings.block_behind_proxy = row->blocks_here;
	f.settings.terminate_delay = 60000;
	f.enforcer.watch = (struct watch *)&f;
	login_in = (int)row->login;
	answer = BLOCK_ADDED;
	smtpd.process.pid = 4711;
	smtpd.behind_proxy = true;
	want_int(addr_parse("192.0.2.7", 9, &line.addr), 0);
	want_int(events_new(&f.environment.events), 0);
	memset(done, 0, sizeof(done));
	if (row->has_session)
		enforcer_block_session(&f.enforcer, NULL, &line, &facts, &smtpd);
	else
		enforcer_block(&f.enforcer, &line, true);
	want_int(strchr(done, 'b') != NULL, row->blocks_here);
	login_in = answer = -1;
	want_int(counters_get(&f.counters, COUNTER_PROXIED), row->proxied);
	want_int(events_take(f.environment.events, &events), row->events);
	want_int(events[0].kind, row->want);
	want_state(events[0].list_state, row->state);
	events_free(f.environment.events);
	teardown(&f);
}

/* It was not known at once whether somebody is logged in. */
TEST(delayed_block_behind_proxy)
{
	struct event event = { .kind = EVENT_PROXY };
	const struct event *events;
	struct fixture f;

	setup(&f, "backend", "null");
	event.counters = &f.counters;
	want_int(addr_parse("192.0.2.7", 9, &event.addr), 0);
	want_int(events_new(&f.environment.events), 0);
	memset(done, 0, sizeof(done));
	enforcer_block_delayed(&f.enforcer, &event);
	want_str(done, "");
	want_int(counters_get(&f.counters, COUNTER_PROXIED), 1);
	want_int(events_take(f.environment.events, &events), 1);
	want_int(events[0].kind, EVENT_PROXY);
	events_free(f.environment.events);
	teardown(&f);
}

/* COUNTER_COUNT: nothing is counted. */
static const struct reason_row {
	const char *label;
	enum reason reason;
	enum counter want;
} reason_rows[] = {
	{ "triggered", REASON_TRIGGERED, COUNTER_COUNT },
	{ "no trigger", REASON_NO_TRIGGER, COUNTER_COUNT },
	{ "severity", REASON_SEVERITY, COUNTER_COUNT },
	{ "temporary", REASON_TEMPORARY, COUNTER_TEMPORARY },
	{ "old", REASON_OLD, COUNTER_OLD },
	{ "not a peer", REASON_NOT_A_PEER, COUNTER_ALLOWED },
	{ "own address", REASON_OWN_ADDRESS, COUNTER_ALLOWED },
	{ "allow list", REASON_ALLOW_LIST, COUNTER_ALLOWED },
	{ "allowed neighbour", REASON_ALLOWED_NEIGHBOUR, COUNTER_ALLOWED },
	{ "relay client", REASON_RELAY_CLIENT, COUNTER_ALLOWED },
	{ "not listed", REASON_NOT_LISTED, COUNTER_NOT_LISTED },
	{ "DNSBL error", REASON_DNSBL_ERROR, COUNTER_DNSBL_ERRORS },
	{ "other reply", REASON_OTHER_REPLY, COUNTER_NOT_LISTED },
	{ "pattern", REASON_PATTERN, COUNTER_NOT_LISTED },
	{ "pattern limit", REASON_PATTERN_LIMIT, COUNTER_PATTERN_LIMIT },
	{ "below threshold", REASON_BELOW_THRESHOLD, COUNTER_BELOW_THRESHOLD },
	{ "repeated", REASON_REPEATED, COUNTER_REPEATED },
	{ "budget", REASON_BUDGET, COUNTER_REFUSED_BUDGET },
};

static void want_only(const struct counters *c, enum counter id)
{
	unsigned int i;

	for (i = 0; i < COUNTER_COUNT; i++)
		want_int(counters_get(c, (enum counter)i), i == id);
}

TEST_ROWS(counts_reason, reason_rows)
{
	struct decision d = { VERDICT_NOT_A_TRIGGER, row->reason };
	struct fixture f;

	setup(&f, "backend", "null");
	enforcer_count(&f.enforcer, d);
	want_only(&f.counters, row->want);
	want_int(alerts_clear(&f.alerts, ALERT_DNSBL), false);
	teardown(&f);
}

TEST(every_reason_is_in_the_table)
{
	want_int(COUNT_OF(reason_rows), REASON_COUNT);
}

static const struct error_row {
	const char *label;
	int err;
	enum counter want;
	enum alert alert;	/* ALERT_COUNT: none */
} error_rows[] = {
	{ "gone", -ESRCH, COUNTER_REFUSED_GONE, ALERT_COUNT },
	{ "another process", -EPERM, COUNTER_REFUSED_SENDER, ALERT_COUNT },
	{ "no process", -EAGAIN, COUNTER_REFUSED_NO_CHILD, ALERT_COUNT },
	{ "no right", -EACCES, COUNTER_REFUSED_RIGHTS, ALERT_LOOK },
	{ "no descriptor", -EMFILE, COUNTER_REFUSED_FAILED, ALERT_LOOK },
	{ "no descriptor in the system", -ENFILE, COUNTER_REFUSED_FAILED,
	  ALERT_LOOK },
	{ "no memory", -ENOMEM, COUNTER_REFUSED_FAILED, ALERT_LOOK },
	{ "no pidfd", -ENOSYS, COUNTER_REFUSED_RIGHTS, ALERT_LOOK },
	{ "it keeps us waiting", -ETIMEDOUT, COUNTER_REFUSED_FAILED, ALERT_HELD },
	{ "it still does", -EBUSY, COUNTER_REFUSED_FAILED, ALERT_HELD },
	{ "anything else", -EIO, COUNTER_REFUSED_FAILED, ALERT_COUNT },
};

TEST_ROWS(refuses, error_rows)
{
	enum alert id = ALERT_COUNT;
	struct fixture f;
	int detail = 0;

	setup(&f, "backend", "null");
	enforcer_refuse(&f.enforcer, row->err);
	want_only(&f.counters, row->want);
	want_int(alerts_next(&f.alerts, &id, &detail), row->alert != ALERT_COUNT);
	want_int(id, row->alert);
	if (row->alert == ALERT_LOOK)
		want_int(detail, -row->err);
	teardown(&f);
}

/* r: the client gets a reply; s: the signal is sent; b: the address goes to the list; h: the
 * smtpd is handed over, to be signalled unless it was, and watched until it exits. */
static const struct order_row {
	const char *label;
	const char *set[3][2];
	bool is_limited;	/* maxBlocks is used up */
	const char *want;
	bool at_once;		/* the list is written alone */
	bool is_new;		/* the session is not known yet */
} order_rows[] = {
	{ "as ever", { { "terminate.delay", "200" } }, false, "bh", false, false },
	{ "no delay", { { "terminate.delay", "0" } }, false, "sbh", false, false },
	{ "no delay, not to be blocked", { { "terminate.delay", "0" }, { "maxBlocks", "1" } },
	  true, "sh", false, false },
	{ "no delay, any reject", { { "terminate.delay", "0" }, { "trigger", "reject" } },
	  false, "sbh", false, false },
	{ "no delay, nothing done", { { "terminate.delay", "0" }, { "dryRun", "on" } },
	  false, "", false, false },
	{ "no delay, not to be ended", { { "terminate.delay", "0" }, { "terminate", "off" } },
	  false, "b", false, false },
	{ "no delay, below the threshold", { { "terminate.delay", "0" },
					     { "threshold", "9" } },
	  false, "", false, false },
	{ "new, as ever", { { "terminate.delay", "200" } }, false, "bh", false, true },
	{ "new, no delay", { { "terminate.delay", "0" } }, false, "sbh", false, true },
	{ "new, no delay, not to be blocked", { { "terminate.delay", "0" },
						{ "maxBlocks", "1" } },
	  true, "sh", false, true },
	{ "new, no delay, nothing done", { { "terminate.delay", "0" }, { "dryRun", "on" } },
	  false, "", false, true },
	{ "new, no delay, below the threshold", { { "terminate.delay", "0" },
						  { "threshold", "9" } },
	  false, "", false, true },
	{ "hardly any delay", { { "terminate.delay", "1" } }, false, "bh", true, false },
	{ "a short delay", { { "terminate.delay", "49" } }, false, "bh", true, false },
	{ "enough of it", { { "terminate.delay", "50" } }, false, "bh", false, false },
	{ "connect", { { "trigger", "connect" } }, false, "rbsh", true, false },
	{ "connect, no delay", { { "trigger", "connect" }, { "terminate.delay", "0" } },
	  false, "rbsh", true, false },
	{ "connect, no reply", { { "trigger", "connect" }, { "terminate.delay", "0" },
				 { "connect.reply", "off" } },
	  false, "bsh", true, false },
};

static void punish(struct harness *e, bool at_start, bool is_new)
{
	struct engine_message msg = {
		.severity = 6, .text = STARTED, .text_len = strlen(STARTED),
		.exe = "", .attested_pid = e->smtpd,
	};

	if (at_start) {
		engine_handle(e->block, e->worker, &msg);
		return;
	}
	if (!is_new) {
		harness_started(e, e->smtpd);
		harness_want_pinned(e);
	}
	harness_line(e, REJECT, is_new ? 0 : e->smtpd);
}

static bool is_done(void *data)
{
	const char *want = data;

	return strcmp(done, want) == 0;
}

/* Another address' block uses up maxBlocks="1". */
static void use_budget_up(struct harness *e)
{
	static const char *const extra[] = { "BLOCK=" LISTED, "BLOCK_IP=127.0.0.2", NULL };
	const struct peer other = { "::ffff:198.51.100.8", 41704, 25, extra };
	pid_t pid = harness_add_child(e, &other);

	harness_line(e, REJECT_FOR("198.51.100.8", "41704", "511 " LISTED), pid);
	soon(is_done, (void *)(uintptr_t)"sbh");
	want_int(harness_count(e, COUNTER_BLOCKS), 1);
	want_int(has_ended_soon(pid), true);
	waiter_end(pid);
}

TEST_ROWS(order, order_rows)
{
	struct harness e;
	size_t i;

	harness_open(&e);
	for (i = 0; i < COUNT_OF(row->set) && row->set[i][0]; i++)
		harness_set(&e, row->set[i][0], row->set[i][1]);
	harness_start(&e);
	if (row->is_limited)
		use_budget_up(&e);
	memset(done, 0, sizeof(done));
	atomic_store(&last_at_once, false);
	punish(&e, strcmp(row->set[0][1], "connect") == 0, row->is_new);
	soon(is_done, (void *)(uintptr_t)row->want);
	want_str(done, row->want);
	want_int(atomic_load(&last_at_once), row->at_once);
	want_int(!strchr(row->want, 'h') || has_ended_soon(e.smtpd), true);
	harness_close(&e);
}

static atomic_int queue_error;
int __real_lookup_queue_put(struct lookup_queue *queue, const struct lookup_request *request,
			    bool with_reply);
int __wrap_lookup_queue_put(struct lookup_queue *queue, const struct lookup_request *request,
			    bool with_reply);
int __wrap_lookup_queue_put(struct lookup_queue *queue, const struct lookup_request *request,
			    bool with_reply)
{
	int r = atomic_load(&queue_error);

	return r < 0 ? r : __real_lookup_queue_put(queue, request, with_reply);
}

static const struct dropped_row {
	const char *label;
	enum lookup_kind kind;
	int err;
	enum counter want;
	enum alert alert;
} dropped_rows[] = {
	{ "no room to verify", LOOKUP_PROVE, -ENOSPC, COUNTER_REFUSED_BUSY, ALERT_BUSY },
	{ "no room to block", LOOKUP_BLOCK, -ENOSPC, COUNTER_REFUSED_BUSY, ALERT_BUSY },
	{ "no room to terminate", LOOKUP_END, -ENOSPC, COUNTER_REFUSED_BUSY, ALERT_BUSY },
	{ "no memory to verify", LOOKUP_PROVE, -ENOMEM, COUNTER_REFUSED_FAILED, ALERT_LOOK },
	{ "no memory to terminate", LOOKUP_END, -ENOMEM, COUNTER_REFUSED_FAILED, ALERT_LOOK },
};

TEST_ROWS(counts_dropped_request, dropped_rows)
{
	const struct courierlog_line line = { .kind = COURIERLOG_REJECT };
	const struct session_query query = { .port = 0 };
	enum alert id = ALERT_COUNT;
	struct fixture f;
	int detail = 0;

	setup(&f, "backend", "null");
	atomic_store(&queue_error, row->err);
	enforcer_ask(&f.enforcer, row->kind, &query, &line);
	atomic_store(&queue_error, 0);
	want_only(&f.counters, row->want);
	want_int(alerts_next(&f.alerts, &id, &detail), true);
	want_int(id, row->alert);
	teardown(&f);
}

/* When rsyslogd stops: a session that nothing but the block delays is signalled. */
static const struct left_row {
	const char *label;
	unsigned int threshold;
	bool terminates, is_signalled;
} left_rows[] = {
	{ "signalled", 1, true, true },
	{ "below the threshold, maybe", 2, true, false },
	{ "terminate off", 1, false, false },
};

TEST_ROWS(requests_left_at_the_end, left_rows)
{
	const struct courierlog_line line = { .kind = COURIERLOG_REJECT, .port = PEER_PORT };
	const struct smtpd_facts facts = { .block = LISTED };
	const struct session_query query = { .port = 0 };
	struct smtpd smtpd = SMTPD_NONE;
	pid_t pid = waiter_start();
	struct fixture f;

	setup(&f, "backend", "null");
	f.settings.terminate = row->terminates;
	f.settings.terminate_delay = 60000;
	f.settings.threshold = row->threshold;
	want_int(pidref_open(pid, &smtpd.process), 0);
	enforcer_hand_over(&f.enforcer, NULL, &line, &facts, &smtpd);
	enforcer_ask(&f.enforcer, LOOKUP_BLOCK, &query, &line);
	enforcer_ask(&f.enforcer, LOOKUP_END, &query, &line);
	enforcer_note_unknown(&f.enforcer, "one", 3);
	want_int(enforcer_drop_requests(&f.enforcer), 2);
	want_int(row->is_signalled ? has_ended_soon(pid) : is_living(pid), true);
	want_int(enforcer_drop_requests(&f.enforcer), 0);
	teardown(&f);
	waiter_end(pid);
}

static void block_one(struct enforcer *e, unsigned int n)
{
	const struct courierlog_line line = {
		.kind = COURIERLOG_REJECT,
		.addr = { .family = ADDR_IPV4,
			  .bytes = { 11, 0, (uint8_t)(n >> 8), (uint8_t)n } },
	};

	want_int(enforcer_block(e, &line, false).verdict, VERDICT_BLOCK);
}

static const struct two_row {
	const char *label, *second;
	unsigned int first_overflows, second_overflows;
} two_rows[] = {
	{ "the same lists", "", 20, 20 },
	{ "a shorter ban", "banTime=1", 20, 20 },
	{ "other lists", "list=other list6=other6", 0, 0 },
	{ "dryRun", "dryRun=on", 0, 0 },
};

/* The list has room for 100. Two actions block 70 addresses each. */
TEST_ROWS(two_actions_share_the_room_of_a_list, two_rows)
{
	struct settings settings;
	struct counters counters = { 0 };
	struct alerts alerts = { 0 };
	struct enforcer other = { 0 };
	struct fakelists lists;
	struct fixture f;
	unsigned int i;

	fakelists_open(&lists);
	fakelists_make(&lists, "xt_recent/spammer");
	fakelists_make(&lists, "xt_recent/other");
	want_int(settings_init(&settings), 0);
	support_set(&settings, row->second);
	settings.input = INPUT_ADDRESS;
	setup_on(&f, "input", "address", lists.net_root);
	want_int(enforcer_open(&other, &settings, &counters, &alerts, &f.environment), 0);
	for (i = 0; i < 140; i++)
		block_one(i % 2 ? &other : &f.enforcer, i);
	want_int(counters_get(&f.counters, COUNTER_OVERFLOWS), row->first_overflows);
	want_int(counters_get(&counters, COUNTER_OVERFLOWS), row->second_overflows);
	want_int(counters_get(&counters, COUNTER_BLOCKS), settings.dry_run ? 0 : 70);
	want_int(alerts_clear(&alerts, ALERT_OVERFLOW4), false);
	enforcer_close(&other);
	teardown(&f);
	settings_done(&settings);
	fakelists_close(&lists);
}

/* A line may come between the runs of two actions: the second one terminates the session, and the
 * first one has its own list and its own event all the same. */
TEST(two_actions_block_for_one_session)
{
	struct courierlog_line line = { .kind = COURIERLOG_REJECT, .port = PEER_PORT };
	const struct smtpd_facts facts = { .block = LISTED };
	struct smtpd smtpd = SMTPD_NONE, copies[3];
	struct counters counters = { .values = { 0 } };
	struct enforcer other = { 0 };
	const struct event *events;
	struct settings settings;
	struct fixture f;

	setup(&f, "backend", "null");
	want_int(settings_init(&settings), 0);
	support_set(&settings, "backend=null list=other terminate.delay=5000");
	f.settings.terminate_delay = 5000;
	f.settings.input = settings.input = INPUT_ADDRESS;
	want_int(events_new(&f.environment.events), 0);
	want_int(enforcer_open(&other, &settings, &counters, &f.alerts, &f.environment), 0);
	smtpd.process.pid = 4711;
	copies[0] = copies[1] = copies[2] = smtpd;
	want_int(addr_parse("192.0.2.7", 9, &line.addr), 0);
	enforcer_block_session(&other, NULL, &line, &facts, &copies[0]);
	want_int(enforcer_block_session(&f.enforcer, NULL, &line, &facts, &copies[1]).verdict,
		 VERDICT_BLOCK);
	want_int(enforcer_block_session(&other, NULL, &line, &facts, &copies[2]).reason,
		 REASON_REPEATED);
	want_int(events_take(f.environment.events, &events), 2);
	events_free(f.environment.events);
	enforcer_close(&other);
	teardown(&f);
	settings_done(&settings);
}

/* What the first action sets holds for both. */
TEST(event_has_the_time_of_a_shared_list)
{
	struct courierlog_line line = { .kind = COURIERLOG_REJECT };
	struct enforcer other = { 0 };
	const struct event *events;
	struct settings settings;
	struct fixture f;

	setup(&f, "backend", "null");
	f.settings.ban_time = 3600;
	want_int(settings_init(&settings), 0);
	support_set(&settings, "backend=null banTime=60");
	settings.input = INPUT_ADDRESS;
	want_int(events_new(&f.environment.events), 0);
	want_int(enforcer_open(&other, &settings, &f.counters, &f.alerts, &f.environment), 0);
	want_int(addr_parse("192.0.2.7", 9, &line.addr), 0);
	want_int(enforcer_block(&other, &line, false).verdict, VERDICT_BLOCK);
	want_int(events_take(f.environment.events, &events), 1);
	want_int(events[0].seconds, 3600);
	events_free(f.environment.events);
	enforcer_close(&other);
	teardown(&f);
	settings_done(&settings);
}

/* The sample of an unknown line that found no room does not count as logged. */
TEST(next_unknown_line_is_logged)
{
	struct lookup_request request;
	struct fixture f;

	setup(&f, "backend", "null");
	atomic_store(&queue_error, -ENOSPC);
	enforcer_note_unknown(&f.enforcer, "one", 3);
	atomic_store(&queue_error, 0);
	want_only(&f.counters, COUNTER_UNKNOWN);
	enforcer_note_unknown(&f.enforcer, "two", 3);
	enforcer_note_unknown(&f.enforcer, "three", 5);
	want_int(lookup_queue_take(f.enforcer.requests, &request), true);
	want_int(request.reply_len, 3);
	want_int(lookup_queue_take(f.enforcer.requests, &request), false);
	teardown(&f);
}

/* verify="none" and very many lines: no block is lost. */
TEST(flood_waits_in_the_queue)
{
	static char text[200];
	struct harness e;
	unsigned int i;

	harness_open(&e);
	harness_set(&e, "backend", "null");
	harness_set(&e, "verify", "none");
	harness_set(&e, "terminate", "off");
	harness_set(&e, "maxBlocks", "1000000");
	harness_start(&e);
	set_gate(true);
	for (i = 0; i <= REQUESTS_MAX + 1; i++) {
		snprintf(text, sizeof(text), "error,relay=::ffff:11.%u.%u.%u,port=9,from=<a>: "
					     "511 Listed",
			 i >> 16, i >> 8 & 255, i & 255);
		harness_hand(&e, text, 0);
		if (i == 0)
			await_call_at_gate();
	}
	want_int(harness_count(&e, COUNTER_REFUSED_BUSY), 1);
	set_gate(false);
	harness_want_soon(&e, COUNTER_BLOCKS, REQUESTS_MAX + 1);
	want_int(harness_count(&e, COUNTER_TRIGGERS), REQUESTS_MAX + 2);
	harness_close(&e);
}

/* The addresses of the host, as getifaddrs(3) lists them: one of its own, or those
 * that it has. */
static const char *host_address;

int __real_getifaddrs(struct ifaddrs **ret_list);
int __wrap_getifaddrs(struct ifaddrs **ret_list);
int __wrap_getifaddrs(struct ifaddrs **ret_list)
{
	static struct sockaddr_in own = { .sin_family = AF_INET };
	static struct ifaddrs list = { .ifa_addr = (struct sockaddr *)&own };

	if (!host_address)
		return __real_getifaddrs(ret_list);
	inet_pton(AF_INET, host_address, &own.sin_addr);
	*ret_list = &list;
	return 0;
}

void __real_freeifaddrs(struct ifaddrs *list);
void __wrap_freeifaddrs(struct ifaddrs *list);
void __wrap_freeifaddrs(struct ifaddrs *list)
{
	if (!host_address)
		__real_freeifaddrs(list);
}

/* PEER, or an address in its prefix, must not be blocked, for one reason alone. */
static const struct neighbour_row {
	const char *label;
	const char *own, *allow, *allow_file;	/* NULL: none */
	const char *prefix;
	enum verdict verdict;
} neighbour_rows[] = {
	{ "nobody", "192.0.2.25", NULL, NULL, "24", VERDICT_BLOCK },
	{ "this host", "198.51.100.25", NULL, NULL, "24", VERDICT_EXEMPT },
	{ "one of allow", "192.0.2.25", "198.51.100.200", NULL, "24", VERDICT_EXEMPT },
	{ "one of allowFile", "192.0.2.25", NULL, "198.51.100.200\n", "24", VERDICT_EXEMPT },
	{ "all of them, and only PEER is blocked", "198.51.100.25", "198.51.100.200",
	  "198.51.100.201\n", "32", VERDICT_BLOCK },
	{ "PEER is this host", PEER, NULL, NULL, "32", VERDICT_EXEMPT },
	{ "beyond the prefix", "198.51.100.25", "198.51.100.200", "198.51.100.201\n", "28",
	  VERDICT_BLOCK },
};

TEST_ROWS(neighbours_are_spared, neighbour_rows)
{
	bool blocks = row->verdict == VERDICT_BLOCK;
	char *dir = temp_dir_new(), path[256], *list;
	struct harness e;

	host_address = row->own;
	harness_open(&e);
	harness_set(&e, "ipv4Prefix", row->prefix);
	if (row->allow)
		harness_set(&e, "allow", row->allow);
	snprintf(path, sizeof(path), "%s/allow", dir);
	temp_file_write(path, row->allow_file ? row->allow_file : "");
	harness_set(&e, "allowFile", path);
	harness_start(&e);
	harness_line(&e, REJECT, e.smtpd);
	want_int(harness_count(&e, COUNTER_ALLOWED), !blocks);
	harness_stop(&e);
	list = fakelists_text(&e.lists, "xt_recent/spammer");
	want_int(strlen(list) > 0, blocks);
	want_int(blocks ? has_ended_soon(e.smtpd) : is_living(e.smtpd), true);
	free(list);
	harness_close(&e);
	temp_dir_remove(dir);
	host_address = NULL;
}

SCENE(NULL, engine_steps_open, engine_steps_close)

VERB_DO(gate, set_gate(strcmp(args[0], "closed") == 0))
VERB_DO(await_call_at_gate, await_call_at_gate())
VERB_DO(queue, atomic_store(&queue_error, strcmp(args[0], "full") == 0 ? -ENOSPC : 0))
VERB_DO(forget, memset(done, 0, sizeof(done)))
VERB_IS(done, scene_want_words(done, args))

VERB(unknown_lines)
{
	int i;

	for (i = 0; i < atoi(args[0]); i++)
		harness_hand(&h, "error,peer=192.0.2.1: 511 Listed", 0);
	return 0;
}

static int64_t began;

VERB_DO(timer, began = clock_ms())
VERB_IS(took, (int)(clock_ms() - began))

/* No room for the request: the session is signalled at once, unless that needs an answer. */
#define FULL(set) "set " set "; start; started from smtpd; pinned; queue full; " \
	"hand reject from smtpd; queue free; count refused.busy = 1; on 4; "
#define FULL_ENDS(set) FULL(set) "count unwatched = 1; halt; ends smtpd; on 4"
#define FULL_SPARES(set) FULL(set) "count unwatched = 0; halt; lives smtpd; on 4"

static const struct script scripts[] = {
	/* Its standard output is not a connection. */
	{ "turns away at once",
	  "set trigger connect terminate.delay 5000; start; "
	  "message started severity 6 from smtpd blocks; ends smtpd; on 4 +" PEER "; "
	  "count replies = 0" },
	/* Another program's nftables transaction keeps the background thread for as long as it
	 * likes. The worker does not wait, and terminates a session that nothing but the block
	 * delays. */
	{ "worker never waits",
	  "set maxBlocks 100000 terminate.delay 0; start; started from smtpd; pinned; gate closed; "
	  "hand reject from smtpd; await_call_at_gate; ends smtpd; unknown_lines 2000; "
	  "count lines = 2002; on 4; gate open; soon blocks 1; soon ended 1" },
	{ "full queue: terminated", FULL_ENDS("terminate.delay 5000") },
	{ "full queue: already signalled", FULL_ENDS("terminate.delay 0") },
	{ "full queue: with a threshold", FULL_SPARES("threshold 2") },
	{ "full queue: terminate off", FULL_SPARES("terminate off") },
	{ "waits for the delay",
	  "set terminate.delay 300; start; timer; line reject from smtpd; on 4 +" PEER "; "
	  "ends smtpd; took >= 299" },
	{ "own address is spared",
	  "set verify none; start; "
	  "line 'error,relay=127.0.0.1,port=41703,from=<a>: 511 " LISTED "' exempt; "
	  "count allowed = 1" },
	/* Without a port it is not known which of the address' smtpds the line is about: all of
	 * them are terminated, after the block, although there is no delay. */
	{ "no port, no signal first",
	  "start; forget; line " WITHOUT_PORT " from smtpd blocks; ends smtpd; halt; done bsh" },
};
TEST_SCRIPTS(scripts)
