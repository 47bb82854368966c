/* Does what was decided: blocks the address, ends the child, counts.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/enforcer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "courier/smtp_reply.h"
#include "tests/unit/harness.h"
#include "tests/unit/processes.h"

/* An enforcer without an engine: enough for counters and records. */
struct fixture {
	struct settings settings;
	struct counters counters;
	struct alerts alerts;
	struct enforcer enforcer;
	struct fakeproc tree;
};

static void setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	fakeproc_open(&f->tree);
	want_int(settings_init(&f->settings), 0);
	f->enforcer.settings = &f->settings;
	f->enforcer.counters = &f->counters;
	f->enforcer.alerts = &f->alerts;
	want_int(background_new(f->tree.root, &f->enforcer.background), 0);
	want_int(background_open(f->enforcer.background), 0);
}

static void teardown(struct fixture *f)
{
	background_free(f->enforcer.background);
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
			   const struct smtpd_facts *facts);
int __wrap_smtp_reply_send(const struct smtpd_rules *rules, const struct smtpd *smtpd,
			   const struct smtpd_facts *facts);

int __wrap_smtp_reply_send(const struct smtpd_rules *rules, const struct smtpd *smtpd,
			   const struct smtpd_facts *facts)
{
	note_done('r');
	return __real_smtp_reply_send(rules, smtpd, facts);
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

/* Calls of the list. */
static bool last_at_once;
static unsigned int list_calls;
static enum block_state answer;

bool __real_blocklist_add(struct blocklist *blocklist, struct block_limit *limit,
			  const struct addr *addr, int64_t now, bool at_once,
			  enum block_state *ret_state);
bool __wrap_blocklist_add(struct blocklist *blocklist, struct block_limit *limit,
			  const struct addr *addr, int64_t now, bool at_once,
			  enum block_state *ret_state);
bool __wrap_blocklist_add(struct blocklist *blocklist, struct block_limit *limit,
			  const struct addr *addr, int64_t now, bool at_once,
			  enum block_state *ret_state)
{
	bool more;

	last_at_once = at_once;
	list_calls++;
	*ret_state = answer;
	more = blocklist &&
	       __real_blocklist_add(blocklist, limit, addr, now, at_once, ret_state);
	if (*ret_state != BLOCK_CLOSES && *ret_state != BLOCK_REFUSED)
		note_done('b');
	return more;
}

/* Where the signal follows soon, the block must not be left to others. */
static const struct urgent_row {
	const char *label, *name, *value;
	bool want;
} urgent_rows[] = {
	{ "as ever", "terminate.delay", "200", false },
	{ "no delay", "terminate.delay", "0", true },
	{ "hardly any delay", "terminate.delay", "49", true },
	{ "enough of it", "terminate.delay", "50", false },
	{ "connect", "trigger", "connect", true },
	{ "no signal", "terminate", "off", false },
};

static void block_comes_before_the_signal(void **state)
{
	const struct urgent_row *row = *state;
	struct courierlog_line line = { .kind = COURIERLOG_REJECT };
	char wrong[256];
	struct block_limit limit;
	struct fixture f;

	setup(&f);
	list_calls = 0;
	want_int(settings_set(&f.settings, row->name, row->value, wrong,
			      sizeof(wrong)), 0);
	want_int(addr_parse("192.0.2.7", 9, &line.addr), 0);
	block_limit_init(&limit, 100, 60);
	f.enforcer.limit = &limit;
	want_int(enforcer_block(&f.enforcer, &line).verdict, VERDICT_BLOCK);
	want_int(list_calls, 1);
	want_int(last_at_once, row->want);
	block_limit_done(&limit);
	teardown(&f);
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
static void listener_gets_list_changes(void **state)
{
	const struct told_row *row = *state;
	struct courierlog_line line = { .kind = COURIERLOG_REJECT };
	const struct event *events;
	char wrong[256];
	struct block_limit limit;
	struct fixture f;

	setup(&f);
	answer = row->state;
	want_int(settings_set(&f.settings, row->name, row->value, wrong,
			      sizeof(wrong)), 0);
	want_int(addr_parse("192.0.2.7", 9, &line.addr), 0);
	want_int(events_new(&f.enforcer.events), 0);
	block_limit_init(&limit, 100, 60);
	f.enforcer.limit = &limit;
	enforcer_block(&f.enforcer, &line);
	want_int(events_take(f.enforcer.events, &events), 1);
	want_state(events[0].list_state, row->want);
	events_close(f.enforcer.events, refuse_late);
	enforcer_block(&f.enforcer, &line);
	want_int(counters_get(&f.counters, COUNTER_EVENTS), 1);
	want_int(counters_get(&f.counters, COUNTER_EVENTS_LOST), 1);
	want_int(alerts_next(&f.alerts, &(enum alert){ 0 }, &(int){ 0 }), false);
	events_free(f.enforcer.events);
	block_limit_done(&limit);
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

static void counts_reason(void **state)
{
	const struct reason_row *row = *state;
	struct decision d = { VERDICT_NOT_A_TRIGGER, row->reason };
	struct fixture f;

	setup(&f);
	enforcer_count(&f.enforcer, d);
	want_only(&f.counters, row->want);
	want_int(alerts_clear(&f.alerts, ALERT_DNSBL), false);
	teardown(&f);
}

static void every_reason_is_in_the_table(void **state)
{
	(void)state;
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

static void refuses(void **state)
{
	const struct error_row *row = *state;
	enum alert id = ALERT_COUNT;
	struct fixture f;
	int detail = 0;

	setup(&f);
	enforcer_refuse(&f.enforcer, row->err);
	want_only(&f.counters, row->want);
	want_int(alerts_next(&f.alerts, &id, &detail), row->alert != ALERT_COUNT);
	want_int(id, row->alert);
	if (row->alert == ALERT_LOOK)
		want_int(detail, -row->err);
	teardown(&f);
}

static void turns_away_at_once(void **state)
{
	static const char started[] =
		"started,ip=[::ffff:" PEER "],port=[41703]";
	struct engine_message msg = {
		.severity = 6, .text = started, .text_len = strlen(started),
		.exe = "",
	};
	struct harness e;

	(void)state;
	harness_open(&e);
	harness_set(&e, "trigger", "connect");
	harness_set(&e, "terminate.delay", "5000");
	harness_start(&e);
	msg.attested_pid = e.smtpd;
	want_int(engine_handle(e.block, e.worker, &msg).verdict, VERDICT_BLOCK);
	want_int(has_ended_soon(e.smtpd), true);
	want_list(&e.lists, "xt_recent/spammer", "+" PEER "\n");
	/* Its standard output is not a connection. */
	want_int(harness_count(&e, COUNTER_REPLIES), 0);
	harness_close(&e);
}

/* r: the client gets a reply; s: the worker signals; b: the address goes to the list; h: the
 * smtpd is handed over, to be signalled unless it was, and watched until it exits. */
static const struct order_row {
	const char *label;
	const char *set[3][2];
	enum verdict verdict;
	const char *want;
} order_rows[] = {
	{ "as ever", { { "terminate.delay", "200" } }, VERDICT_BLOCK, "bh" },
	{ "no delay", { { "terminate.delay", "0" } }, VERDICT_BLOCK, "sbh" },
	{ "no delay, not to be blocked", { { "terminate.delay", "0" },
					   { "maxBlocks", "1" } },
	  VERDICT_UNPROVEN, "sh" },
	{ "no delay, any reject", { { "terminate.delay", "0" }, { "trigger", "reject" } },
	  VERDICT_BLOCK, "sbh" },
	{ "no delay, nothing done", { { "terminate.delay", "0" }, { "dryRun", "on" } },
	  VERDICT_BLOCK, "" },
	{ "no delay, not to be ended", { { "terminate.delay", "0" },
					 { "terminate", "off" } },
	  VERDICT_BLOCK, "b" },
	{ "no delay, below the threshold", { { "terminate.delay", "0" },
					     { "threshold", "9" } },
	  VERDICT_NOT_A_TRIGGER, "" },
	{ "hardly any delay", { { "terminate.delay", "1" } }, VERDICT_BLOCK, "bh" },
	{ "connect", { { "trigger", "connect" } }, VERDICT_BLOCK, "rbsh" },
	{ "connect, no delay", { { "trigger", "connect" }, { "terminate.delay", "0" } },
	  VERDICT_BLOCK, "rbsh" },
	{ "connect, no reply", { { "trigger", "connect" }, { "terminate.delay", "0" },
				 { "connect.reply", "off" } },
	  VERDICT_BLOCK, "bsh" },
};

static struct engine_outcome punish(struct harness *e, bool at_start)
{
	struct engine_message msg = {
		.severity = 6, .text = STARTED, .text_len = strlen(STARTED),
		.exe = "", .attested_pid = e->smtpd,
	};

	if (at_start)
		return engine_handle(e->block, e->worker, &msg);
	harness_started(e, e->smtpd);
	harness_want_pinned(e, false);
	return harness_hand(e, REJECT, e->smtpd);
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
	want_int(harness_count(e, COUNTER_BLOCKS), 1);
	want_int(has_ended_soon(pid), true);
	waiter_end(pid);
}

static void order(void **state)
{
	const struct order_row *row = *state;
	struct engine_outcome out;
	struct harness e;
	size_t i;

	harness_open(&e);
	for (i = 0; i < COUNT_OF(row->set) && row->set[i][0]; i++)
		harness_set(&e, row->set[i][0], row->set[i][1]);
	harness_start(&e);
	if (row->verdict == VERDICT_UNPROVEN)
		use_budget_up(&e);
	memset(done, 0, sizeof(done));
	out = punish(&e, strcmp(row->set[0][1], "connect") == 0);
	want_int(out.verdict, row->verdict);
	/* At its start the background thread does it, for the client's socket is asked for. */
	if (out.deferred)
		soon(is_done, (void *)(uintptr_t)row->want);
	want_str(done, row->want);
	want_int(!strchr(row->want, 'h') || has_ended_soon(e.smtpd), true);
	harness_close(&e);
}

static void waits_for_the_delay(void **state)
{
	int64_t began, took;
	struct harness e;

	(void)state;
	harness_open(&e);
	harness_set(&e, "terminate.delay", "300");
	harness_start(&e);
	began = clock_ms();
	harness_line(&e, REJECT, e.smtpd);
	want_list(&e.lists, "xt_recent/spammer", "+" PEER "\n");
	want_int(has_ended_soon(e.smtpd), true);
	took = clock_ms() - began;
	want_int(took >= 299, true);
	harness_close(&e);
}

static void own_address_is_spared(void **state)
{
	static const char text[] =
		"error,relay=127.0.0.1,port=41703,from=<a>: 511 " LISTED;
	struct harness e;

	(void)state;
	harness_open(&e);
	harness_set(&e, "verify", "none");
	harness_start(&e);
	want_int(harness_line(&e, text, 0).verdict, VERDICT_EXEMPT);
	want_int(harness_count(&e, COUNTER_ALLOWED), 1);
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

static void neighbours_are_spared(void **state)
{
	const struct neighbour_row *row = *state;
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

/* The line has no port, so it is not known which of the address' smtpds it is about: all of
 * them are terminated, after the block, although there is no delay. */
static void no_port_no_signal_first(void **state)
{
	static const char text[] =
		"error,relay=::ffff:" PEER ",from=<a@b.example>,to=<c@d.example>: 511 " LISTED;
	struct harness e;

	(void)state;
	harness_open(&e);
	harness_start(&e);
	memset(done, 0, sizeof(done));
	want_int(harness_line(&e, text, e.smtpd).verdict, VERDICT_BLOCK);
	want_int(has_ended_soon(e.smtpd), true);
	harness_stop(&e);
	want_str(done, "bsh");
	harness_close(&e);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_ROWS(suite, block_comes_before_the_signal, urgent_rows);
	SUITE_ROWS(suite, listener_gets_list_changes, told_rows);
	SUITE_ROWS(suite, counts_reason, reason_rows);
	SUITE_TEST(suite, every_reason_is_in_the_table);
	SUITE_ROWS(suite, refuses, error_rows);
	SUITE_TEST(suite, turns_away_at_once);
	SUITE_ROWS(suite, order, order_rows);
	SUITE_TEST(suite, waits_for_the_delay);
	SUITE_TEST(suite, own_address_is_spared);
	SUITE_ROWS(suite, neighbours_are_spared, neighbour_rows);
	SUITE_TEST(suite, no_port_no_signal_first);
	return suite_run(suite, "enforcer");
}
