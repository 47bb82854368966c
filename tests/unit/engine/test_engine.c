/* The engine of one action: a log line in, an address on the list and an smtpd
 * terminated.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "policy/capabilities.h"
#include "tests/unit/harness.h"
#include "tests/unit/processes.h"

#define LIST "xt_recent/spammer"

/* The capabilities that this process appears to have; all of them, unless a test sets it. */
static uint64_t missing_rights;
uint64_t __real_capabilities_held(void);
uint64_t __wrap_capabilities_held(void);

uint64_t __wrap_capabilities_held(void)
{
	return ~missing_rights;
}

/* How often a reset was tried. */
static unsigned int reset_tries;
int __real_tcp_reset_try(void);
int __wrap_tcp_reset_try(void);

int __wrap_tcp_reset_try(void)
{
	reset_tries++;
	return __real_tcp_reset_try();
}

/* The user database: fails with this, and how often it was asked. */
static struct {
	_Atomic int err;
	atomic_uint asked;
} database;

int __real_background_uid(struct background *background, const char *user, uid_t *ret_uid);
int __wrap_background_uid(struct background *background, const char *user, uid_t *ret_uid);

int __wrap_background_uid(struct background *background, const char *user, uid_t *ret_uid)
{
	int err = atomic_load(&database.err);

	atomic_fetch_add(&database.asked, 1);
	return err ? -err : __real_background_uid(background, user, ret_uid);
}

/* The result of a trial access, and the number and purpose of trials. */
static struct {
	int answer;
	unsigned int tries;
	bool signals;
} trial = { .answer = 1 };

int __wrap_session_try(struct session_finder *finder, bool signals);

int __wrap_session_try(struct session_finder *finder, bool signals)
{
	want_int(finder != NULL, true);
	trial.tries++;
	trial.signals = signals;
	return trial.answer;
}

/* A test may declare the background thread stalled. */
static atomic_bool stalled;
bool __wrap_background_is_stalled(const struct background *background);

bool __wrap_background_is_stalled(const struct background *background)
{
	(void)background;
	return atomic_load(&stalled);
}

/* The engine's clock may be put forward. */
static _Atomic int64_t forward;
int64_t __real_background_now(void);
int64_t __wrap_background_now(void);

int64_t __wrap_background_now(void)
{
	return __real_background_now() + atomic_load(&forward);
}

/* With by_hand the engine runs when a test calls it, and not in the background thread's
 * thread. */
static struct background_job by_hand_client;
static bool by_hand;
int __real_background_add_job(struct background *background,
			      const struct background_job *client);
int __wrap_background_add_job(struct background *background,
			      const struct background_job *client);

int __wrap_background_add_job(struct background *background,
			      const struct background_job *client)
{
	by_hand_client = *client;
	return by_hand ? 0 : __real_background_add_job(background, client);
}

/* Run after that many ms. Returns in how many ms the engine must run again. */
static int64_t run_after(int64_t ms)
{
	int64_t now = atomic_fetch_add(&forward, ms) + ms + __real_background_now();

	return by_hand_client.run(by_hand_client.data, now) - now;
}

static void by_hand_open(struct harness *e)
{
	by_hand = true;
	atomic_store(&forward, 0);
	atomic_store(&database.asked, 0);
	harness_open(e);
}

static void by_hand_close(struct harness *e)
{
	harness_close(e);
	by_hand = false;
	atomic_store(&database.err, 0);
	atomic_store(&forward, 0);
	missing_rights = 0;
}

/* The sender of the line. */
enum sender {
	ATTESTED,	/* the smtpd, by credentials */
	UNKNOWN,	/* not known: a search */
	OTHER,		/* another process, by the kernel's word */
};

/* One line about the existing connection, and its result. */
static const struct row {
	const char *label, *name, *value, *text;
	enum sender sender;
	const char *smtpd[5], *submit[5];	/* NULL: listed */
	enum verdict verdict;
	enum counter counter;
	bool ends;
} rows[] = {
	{ "listed, attested", NULL, NULL, REJECT, ATTESTED, { 0 }, { 0 },
	  VERDICT_BLOCK, COUNTER_BLOCKS, true },
	{ "listed, by search", NULL, NULL, REJECT, UNKNOWN, { 0 }, { 0 },
	  VERDICT_BLOCK, COUNTER_BLOCKS, true },
	{ "without a port all children of the address end", NULL, NULL,
	  "error,relay=::ffff:" PEER ",from=<a>: 511 " LISTED, ATTESTED, { 0 },
	  { 0 }, VERDICT_BLOCK, COUNTER_BLOCKS, true },
	{ "sent by another process", NULL, NULL, REJECT, OTHER, { 0 }, { 0 },
	  VERDICT_UNPROVEN, COUNTER_REFUSED_SENDER, false },
	{ "another address", NULL, NULL,
	  REJECT_FOR("203.0.113.1", "41703", "511 " LISTED), ATTESTED, { 0 },
	  { 0 }, VERDICT_UNPROVEN, COUNTER_REFUSED_SENDER, false },
	{ "another port", NULL, NULL, REJECT_FOR(PEER, "41704", "511 " LISTED),
	  ATTESTED, { 0 }, { 0 }, VERDICT_UNPROVEN, COUNTER_REFUSED_SENDER,
	  false },
	{ "a port without an smtpd, by search", NULL, NULL,
	  REJECT_FOR(PEER, "41704", "511 " LISTED), UNKNOWN, { 0 }, { 0 },
	  VERDICT_BLOCK, COUNTER_REFUSED_NO_CHILD, false },
	{ "another reply", NULL, NULL, REJECT_FOR(PEER, "41703", "550 User unknown"),
	  ATTESTED, { 0 }, { 0 }, VERDICT_NOT_A_TRIGGER, COUNTER_NOT_LISTED, false },
	{ "not listed", NULL, NULL, REJECT, ATTESTED, { "BLOCK=" }, { 0 },
	  VERDICT_NOT_A_TRIGGER, COUNTER_NOT_LISTED, false },
	{ "the DNSBL answers an error", NULL, NULL, REJECT, ATTESTED,
	  { "BLOCK=" LISTED, "BLOCK_IP=127.255.255.254" }, { 0 }, VERDICT_NOT_A_TRIGGER,
	  COUNTER_DNSBL_ERRORS, false },
	{ "the DNSBL answers anything", NULL, NULL, REJECT, ATTESTED,
	  { "BLOCK=" LISTED, "BLOCK_IP=192.0.2.1" }, { 0 }, VERDICT_NOT_A_TRIGGER,
	  COUNTER_DNSBL_ERRORS, false },
	{ "a relay client", NULL, NULL, REJECT, ATTESTED,
	  { "BLOCK=" LISTED, "RELAYCLIENT=" }, { 0 }, VERDICT_EXEMPT,
	  COUNTER_ALLOWED, false },
	{ "logged in, forged by anybody", NULL, NULL, REJECT, UNKNOWN, { 0 },
	  { "BLOCK=", "RELAYCLIENT=" }, VERDICT_BLOCK, COUNTER_REFUSED_SENDER,
	  false },
	{ "on the allow list", "allow", "198.51.100.0/24", REJECT, ATTESTED, { 0 },
	  { 0 }, VERDICT_EXEMPT, COUNTER_ALLOWED, false },
	{ "a temporary reject", NULL, NULL, REJECT_FOR(PEER, "41703", "451 Later"),
	  ATTESTED, { 0 }, { 0 }, VERDICT_NOT_A_TRIGGER, COUNTER_TEMPORARY, false },
	{ "dryRun", "dryRun", "on", REJECT, ATTESTED, { 0 }, { 0 }, VERDICT_BLOCK,
	  COUNTER_WOULD_BLOCK, false },
	{ "terminate off", "terminate", "off", REJECT, ATTESTED, { 0 }, { 0 },
	  VERDICT_BLOCK, COUNTER_BLOCKS, false },
	{ "trigger reject", "trigger", "reject",
	  REJECT_FOR(PEER, "41703", "550 User unknown"), ATTESTED, { 0 }, { 0 },
	  VERDICT_BLOCK, COUNTER_BLOCKS, true },
	{ "threshold not reached", "threshold", "2", REJECT, ATTESTED, { 0 },
	  { 0 }, VERDICT_BLOCK, COUNTER_BELOW_THRESHOLD, false },
	{ "verify none by the reply", "verify", "none",
	  REJECT_FOR("203.0.113.1", "9", "511 Listed"), UNKNOWN, { 0 }, { 0 },
	  VERDICT_BLOCK, COUNTER_BLOCKS, false },
	{ "verify none, another reply", "verify", "none",
	  REJECT_FOR("203.0.113.1", "9", "550 No"), UNKNOWN, { 0 }, { 0 },
	  VERDICT_NOT_A_TRIGGER, COUNTER_NOT_LISTED, false },
	{ "verify none ends a proven child", "verify", "none", REJECT, UNKNOWN,
	  { 0 }, { 0 }, VERDICT_BLOCK, COUNTER_BLOCKS, true },
	{ "verify none, a relay client's own child", "verify", "none", REJECT,
	  ATTESTED, { "BLOCK=" LISTED, "RELAYCLIENT=" }, { 0 }, VERDICT_BLOCK,
	  COUNTER_ALLOWED, false },
	{ "verify none, a child that is no relay client", "verify", "none", REJECT, ATTESTED,
	  { "BLOCK=" }, { 0 }, VERDICT_BLOCK, COUNTER_BLOCKS, true },
	{ "loopback", "verify", "none",
	  REJECT_FOR("127.0.0.1", "9", "511 Listed"), UNKNOWN, { 0 }, { 0 },
	  VERDICT_EXEMPT, COUNTER_ALLOWED, false },
};

TEST_ROWS(one_line, rows)
{
	struct engine_outcome out;
	struct harness e;
	pid_t sender;

	harness_open(&e);
	if (row->smtpd[0])
		harness_smtpd_env(&e, row->smtpd);
	if (row->submit[0])
		harness_submit_env(&e, row->submit);
	if (row->name)
		harness_set(&e, row->name, row->value);
	harness_start(&e);
	sender = row->sender == ATTESTED ? e.smtpd :
		 row->sender == OTHER	 ? e.submit :
					   0;
	out = harness_line(&e, row->text, sender);
	if (!out.deferred)
		want_int(out.verdict, row->verdict);
	harness_want_soon(&e, row->counter, 1);
	if (row->ends)
		harness_want_soon(&e, COUNTER_ENDED, 1);
	want_int(harness_count(&e, COUNTER_LINES), 1);
	harness_stop(&e);
	want_int(is_living(e.smtpd), !row->ends);
	want_int(is_living(e.tcpd) && is_living(e.submit), true);
	if (row->counter != COUNTER_BLOCKS)
		want_list(&e.lists, LIST, "");
	harness_close(&e);
}

TEST(address_is_unmapped_on_the_list)
{
	struct harness e;

	harness_open(&e);
	harness_start(&e);
	harness_line(&e, REJECT, e.smtpd);
	want_list(&e.lists, LIST, "+" PEER "\n");
	want_list(&e.lists, "xt_recent/spammer6", "");
	harness_close(&e);
}

TEST(prefix_is_masked)
{
	struct harness e;

	harness_open(&e);
	harness_set(&e, "ipv4Prefix", "24");
	harness_start(&e);
	harness_line(&e, REJECT, e.smtpd);
	want_list(&e.lists, LIST, "+198.51.100.0\n");
	harness_close(&e);
}

TEST(prefix_with_an_allowed_address_is_not_blocked)
{
	struct harness e;

	harness_open(&e);
	harness_set(&e, "ipv4Prefix", "24");
	harness_set(&e, "allow", "198.51.100.200");
	harness_start(&e);
	harness_line(&e, REJECT, e.smtpd);
	want_int(harness_count(&e, COUNTER_ALLOWED), 1);
	want_list(&e.lists, LIST, "");
	harness_stop(&e);
	want_int(is_living(e.smtpd), true);
	harness_close(&e);
}

/* Another connection of the same address, and one of another address. */
TEST(only_the_named_smtpd_is_terminated)
{
	const struct peer second = { "::ffff:" PEER, 41999, 25, NULL };
	struct harness e;
	pid_t other;

	harness_open(&e);
	other = harness_add_child(&e, &second);
	harness_start(&e);
	harness_line(&e, REJECT, 0);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	harness_stop(&e);
	want_int(is_living(e.smtpd), false);
	want_int(is_living(other), true);
	harness_close(&e);
	waiter_end(other);
}

TEST(without_port_all_of_the_address_are_terminated)
{
	static const char *const listed[] = { "BLOCK=" LISTED, NULL };
	const struct peer second = { "::ffff:" PEER, 41999, 25, listed };
	struct harness e;
	pid_t other;

	harness_open(&e);
	other = harness_add_child(&e, &second);
	harness_start(&e);
	harness_line(&e, "error,relay=::ffff:" PEER ",from=<a>: 511 " LISTED, 0);
	harness_want_soon(&e, COUNTER_ENDED, 2);
	harness_close(&e);
	waiter_end(other);
}

/* A client can make one smtpd log one reject per recipient. */
TEST(smtpd_is_terminated_once)
{
	struct harness e;
	unsigned int i;

	harness_open(&e);
	harness_set(&e, "maxBlocks", "1");
	harness_set(&e, "terminate.delay", "500");
	harness_start(&e);
	for (i = 0; i < 21; i++)
		harness_line(&e, REJECT, e.smtpd);
	want_int(harness_count(&e, COUNTER_BLOCKS), 1);
	want_int(harness_count(&e, COUNTER_RENEWALS), 0);
	want_int(harness_count(&e, COUNTER_REFUSED_BUDGET), 0);
	want_int(harness_count(&e, COUNTER_REPEATED), 20);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	want_int(harness_count(&e, COUNTER_GONE), 0);
	harness_close(&e);
}

/* An address that is already on the list does not use up maxBlocks. */
TEST(renewals_do_not_use_the_limit)
{
	struct harness e;
	unsigned int i;

	harness_open(&e);
	harness_set(&e, "maxBlocks", "2");
	harness_set(&e, "verify", "none");
	harness_start(&e);
	for (i = 0; i < 20; i++)
		harness_line(&e, REJECT_FOR("203.0.113.1", "9", "511 x"), 0);
	harness_line(&e, REJECT_FOR("203.0.113.2", "9", "511 x"), 0);
	harness_line(&e, REJECT_FOR("203.0.113.3", "9", "511 x"), 0);
	want_int(harness_count(&e, COUNTER_REFUSED_BUDGET), 1);
	harness_line(&e, REJECT_FOR("203.0.113.1", "9", "511 x"), 0);
	want_int(harness_count(&e, COUNTER_BLOCKS), 2);
	want_int(harness_count(&e, COUNTER_RENEWALS), 20);
	harness_close(&e);
}

TEST(threshold_is_reached)
{
	struct harness e;
	unsigned int i;

	harness_open(&e);
	harness_set(&e, "threshold", "3");
	harness_start(&e);
	for (i = 0; i < 3; i++)
		harness_line(&e, REJECT, e.smtpd);
	want_int(harness_count(&e, COUNTER_BELOW_THRESHOLD), 2);
	want_int(harness_count(&e, COUNTER_BLOCKS), 1);
	harness_close(&e);
}

TEST(limit_is_reached_and_smtpds_are_terminated)
{
	struct harness e;

	harness_open(&e);
	harness_set(&e, "maxBlocks", "1");
	harness_set(&e, "verify", "none");
	harness_start(&e);
	harness_line(&e, REJECT_FOR("203.0.113.1", "9", "511 x"), 0);
	harness_line(&e, REJECT_FOR("203.0.113.2", "9", "511 x"), 0);
	harness_line(&e, REJECT_FOR("203.0.113.3", "9", "511 x"), 0);
	want_int(harness_count(&e, COUNTER_REFUSED_BUDGET), 2);
	want_int(harness_count(&e, COUNTER_BUDGET_CLOSED), 1);
	harness_hand(&e, REJECT, 0);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	want_int(harness_count(&e, COUNTER_REFUSED_BUDGET), 3);
	want_list(&e.lists, LIST, "+203.0.113.1\n");
	harness_close(&e);
}

TEST(sender_mode_takes_the_kernels_word)
{
	struct engine_message msg = {
		.severity = COURIERLOG_SEVERITY_ERR,
		.text = REJECT, .text_len = strlen(REJECT),
		.has_uid = true, .uid = 0,
		.exe = FAKE_SMTPD, .exe_len = strlen(FAKE_SMTPD),
	};
	struct harness e;

	harness_open(&e);
	harness_set(&e, "verify", "sender");
	harness_start(&e);
	msg.attested_pid = waiter_start();
	waiter_end(msg.attested_pid);
	want_int(engine_handle(e.block, e.worker, &msg).verdict, VERDICT_BLOCK);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	want_list(&e.lists, LIST, "+" PEER "\n");
	msg.uid = NOBODY_UID;
	want_int(engine_handle(e.block, e.worker, &msg).verdict, VERDICT_UNPROVEN);
	msg.uid = 0;
	msg.exe = "/tmp/x/logger";
	msg.exe_len = strlen(msg.exe);
	want_int(engine_handle(e.block, e.worker, &msg).verdict, VERDICT_UNPROVEN);
	want_int(harness_count(&e, COUNTER_REFUSED_GONE), 2);
	harness_close(&e);
}

static void dropped_line(struct harness *e, struct engine_message *msg)
{
	static const char text[] = "dropped blocked connection from ::ffff:" PEER;

	harness_open(e);
	*msg = (struct engine_message){
		.severity = LOG_WARNING,
		.text = text, .text_len = strlen(text),
		.has_uid = true, .uid = 0,
		.exe = "/usr/sbin/courierlogger",
		.exe_len = strlen("/usr/sbin/courierlogger"),
		.attested_pid = e->tcpd,
	};
}

TEST(dropped_connection_needs_the_sender)
{
	struct engine_message msg;
	struct harness e;

	dropped_line(&e, &msg);
	harness_set(&e, "verify", "sender");
	harness_start(&e);
	want_int(engine_handle(e.block, e.worker, &msg).verdict, VERDICT_BLOCK);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	want_list(&e.lists, LIST, "+" PEER "\n");
	msg.exe = FAKE_TCPD;
	msg.exe_len = strlen(msg.exe);
	want_int(engine_handle(e.block, e.worker, &msg).verdict, VERDICT_BLOCK);
	msg.exe = FAKE_SMTPD;
	msg.exe_len = strlen(msg.exe);
	want_int(engine_handle(e.block, e.worker, &msg).verdict, VERDICT_UNPROVEN);
	harness_want_soon(&e, COUNTER_RENEWALS, 1);
	harness_close(&e);
}

TEST(dropped_connection_names_the_remedy)
{
	struct engine_message msg;
	struct harness e;

	dropped_line(&e, &msg);
	harness_start(&e);
	engine_handle(e.block, e.worker, &msg);
	engine_handle(e.block, e.worker, &msg);
	want_int(harness_count(&e, COUNTER_REFUSED_GONE), 2);
	harness_want_said(&e, "verify=\"sender\"");
	want_list(&e.lists, LIST, "");
	harness_close(&e);
}

TEST(old_line_is_left_alone)
{
	struct engine_message msg = {
		.severity = COURIERLOG_SEVERITY_ERR, .age = 601,
		.text = REJECT, .text_len = strlen(REJECT), .exe = "",
	};
	struct harness e;

	harness_open(&e);
	harness_start(&e);
	msg.attested_pid = e.smtpd;
	want_int(engine_handle(e.block, e.worker, &msg).reason, REASON_OLD);
	msg.age = 600;
	want_int(engine_handle(e.block, e.worker, &msg).verdict, VERDICT_BLOCK);
	want_int(harness_count(&e, COUNTER_OLD), 1);
	harness_close(&e);
}

TEST(unknown_form_is_counted_and_shown)
{
	struct harness e;

	harness_open(&e);
	harness_start(&e);
	harness_line(&e, "error,peer=192.0.2.1: 511 Listed", 0);
	harness_line(&e, "rejected 192.0.2.1: 550 \"No\"", 0);
	harness_line(&e, "Purging /var/lib/courier", 0);
	want_int(harness_count(&e, COUNTER_UNKNOWN), 2);
	harness_want_said(&e, "error,peer=192.0.2.1: 511 Listed");
	harness_close(&e);
}

TEST(addresses_decided_elsewhere)
{
	struct harness e;

	harness_open(&e);
	harness_set(&e, "input", "address");
	harness_set(&e, "verify", "none");
	harness_start(&e);
	want_int(engine_handle_address(e.block, "203.0.113.9", 11).verdict, VERDICT_BLOCK);
	want_int(engine_handle_address(e.block, " ::ffff:" PEER "\n", strlen(PEER) + 9).verdict,
		 VERDICT_BLOCK);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	want_int(engine_handle_address(e.block, "127.0.0.1 25", 12).verdict, VERDICT_EXEMPT);
	want_int(engine_handle_address(e.block, "203.0.113.9 x", 13).verdict,
		 VERDICT_NOT_A_TRIGGER);
	want_int(harness_count(&e, COUNTER_UNKNOWN), 1);
	want_list(&e.lists, LIST, "+203.0.113.9\n+" PEER "\n");
	harness_close(&e);
}

/* The first line comes before any search; it keeps the index warm for the next ones. */
TEST(relay_client_is_known_after_the_first_line)
{
	static const char *const relays[] = { "BLOCK=" LISTED, "RELAYCLIENT=",
					      NULL };
	struct harness e;

	harness_open(&e);
	harness_smtpd_env(&e, relays);
	harness_set(&e, "verify", "none");
	harness_start(&e);
	want_int(harness_line(&e, REJECT, 0).verdict, VERDICT_BLOCK);
	harness_want_soon(&e, COUNTER_SPARED, 1);
	harness_line(&e, REJECT, 0);
	want_int(harness_count(&e, COUNTER_ALLOWED), 1);
	want_list(&e.lists, LIST, "+" PEER "\n");
	harness_close(&e);
}

TEST(missing_list_is_logged_once_and_smtpds_are_terminated)
{
	struct harness e;

	harness_open(&e);
	fakelists_remove(&e.lists, LIST);
	harness_start(&e);
	harness_line(&e, REJECT, e.smtpd);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	harness_stop(&e);
	want_int(harness_said(&e, "iptables -I INPUT -p tcp --dport 25 -m recent "
				  "--name spammer --update --seconds 600 -j DROP"),
		 1);
	want_int(harness_count(&e, COUNTER_WAITED), 1);
	harness_close(&e);
}

TEST(waiting_address_is_written_when_the_list_comes)
{
	struct harness e;

	harness_open(&e);
	fakelists_remove(&e.lists, LIST);
	harness_start(&e);
	harness_line(&e, REJECT, e.smtpd);
	fakelists_make(&e.lists, LIST);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	want_list(&e.lists, LIST, "+" PEER "\n");
	harness_close(&e);
}

/* Nothing is lost in silence. */
TEST(what_waits_at_the_end_is_counted_and_logged)
{
	struct harness e;

	harness_open(&e);
	fakelists_remove(&e.lists, LIST);
	harness_start(&e);
	harness_line(&e, REJECT, e.smtpd);
	harness_want_soon(&e, COUNTER_WAITED, 1);
	want_int(harness_count(&e, COUNTER_LOST), 0);
	harness_stop(&e);
	want_int(harness_said(&e, "rsyslogd is stopping: 1 addresses waited"), 1);
	want_int(harness_count(&e, COUNTER_LOST), 1);
	harness_close(&e);
}

TEST(nothing_waits_at_the_end)
{
	struct harness e;

	harness_open(&e);
	harness_start(&e);
	harness_line(&e, REJECT, e.smtpd);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	harness_stop(&e);
	want_int(harness_said(&e, "stopping"), 0);
	harness_close(&e);
}

/* A script that reloads the firewall and then rsyslogd. */
TEST(hup_puts_blocks_on_a_new_list)
{
	struct harness e;

	harness_open(&e);
	harness_start(&e);
	harness_line(&e, REJECT, e.smtpd);
	fakelists_remove(&e.lists, LIST);
	fakelists_make(&e.lists, LIST);
	engine_hup(e.block);
	harness_want_soon(&e, COUNTER_REPLAYED, 1);
	want_list(&e.lists, LIST, "+" PEER "\n");
	harness_close(&e);
}

TEST(missing_user_is_logged)
{
	struct harness e;

	harness_open(&e);
	strcpy(e.settings.courier_user, "no-such-user");
	e.settings.courier_user_set = false;
	harness_start(&e);
	want_int(harness_line(&e, REJECT, e.smtpd).verdict, VERDICT_UNPROVEN);
	harness_stop(&e);
	want_int(harness_said(&e, "there is no user no-such-user"), 1);
	want_int(is_living(e.smtpd), true);
	harness_close(&e);
}

/* The user database does not answer at first: that is logged once, and recovers without a
 * HUP. */
TEST(user_is_looked_up_until_it_exists)
{
	struct harness e;
	int64_t due;

	by_hand_open(&e);
	atomic_store(&database.err, EIO);
	harness_start(&e);
	want_int(harness_said(&e, "the user root cannot be looked up (Input/output error)"), 1);
	want_int(harness_line(&e, REJECT, e.smtpd).verdict, VERDICT_UNPROVEN);
	want_int(atomic_load(&database.asked), 1);
	due = run_after(9000);
	want_int(due > 0 && due <= 1000, true);
	want_int(atomic_load(&database.asked), 1);
	run_after(1001);
	want_int(atomic_load(&database.asked), 2);
	run_after(10001);
	want_int(atomic_load(&database.asked), 3);
	want_int(harness_said(&e, "cannot be looked up"), 1);
	atomic_store(&database.err, 0);
	run_after(10001);
	want_int(harness_said(&e, "the user root was found"), 1);
	want_int(harness_hand(&e, REJECT, e.smtpd).deferred, true);
	run_after(0);
	want_int(harness_count(&e, COUNTER_BLOCKS), 1);
	by_hand_close(&e);
}

/* A database that has not answered yet is asked for its answer every second. */
TEST(late_answer_is_fetched)
{
	struct harness e;
	int64_t due;

	by_hand_open(&e);
	atomic_store(&database.err, ETIMEDOUT);
	harness_start(&e);
	due = run_after(900);
	want_int(due > 0 && due <= 100, true);
	want_int(atomic_load(&database.asked), 1);
	want_int(harness_said(&e, "cannot be looked up"), 0);
	run_after(101);
	want_int(atomic_load(&database.asked), 2);
	want_int(harness_said(&e, "the user root cannot be looked up (Connection timed out)"), 1);
	atomic_store(&database.err, 0);
	run_after(1001);
	want_int(harness_said(&e, "the user root was found"), 1);
	by_hand_close(&e);
}

/* One that is only slow causes no message. */
TEST(slow_answer_is_no_news)
{
	struct harness e;

	by_hand_open(&e);
	atomic_store(&database.err, ETIMEDOUT);
	harness_start(&e);
	atomic_store(&database.err, 0);
	run_after(1001);
	want_int(atomic_load(&database.asked), 2);
	want_int(harness_said(&e, "the user root"), 0);
	want_int(harness_hand(&e, REJECT, e.smtpd).deferred, true);
	run_after(0);
	by_hand_close(&e);
}

/* A hanging user database must not delay signals at each HUP. */
TEST(known_user_is_not_looked_for)
{
	struct harness e;
	int64_t due;

	by_hand_open(&e);
	harness_start(&e);
	want_int(atomic_load(&database.asked), 1);
	engine_hup(e.block);
	due = run_after(0);
	want_int(due > 3600 * 1000, true);
	run_after(60000);
	want_int(atomic_load(&database.asked), 1);
	by_hand_close(&e);
}

TEST(hup_looks_for_a_user_that_is_not_there)
{
	struct harness e;

	by_hand_open(&e);
	atomic_store(&database.err, ENOENT);
	harness_start(&e);
	engine_hup(e.block);
	run_after(0);
	want_int(atomic_load(&database.asked), 2);
	want_int(harness_said(&e, "there is no user root"), 2);
	by_hand_close(&e);
}

/* Capabilities missing for termination if the line alone is proof: they are logged if there
 * is a courier. */
static const struct unproven_row {
	const char *label;
	int err;		/* of the user database */
	unsigned int look, signal;
} unproven_rows[] = {
	{ "with a courier", 0, 1, 1 },
	{ "on a host without", ENOENT, 0, 0 },
};

TEST_ROWS(capabilities_to_terminate_unproven, unproven_rows)
{
	struct harness e;

	by_hand_open(&e);
	e.check_rights = true;
	harness_set(&e, "courierUser", "nobody");
	harness_set(&e, "verify", "none");
	missing_rights = CAPABILITIES_LOOK | CAPABILITIES_BIT(CAP_KILL);
	atomic_store(&database.err, row->err);
	harness_start(&e);
	want_int(harness_said(&e, "so no session is terminated, but addresses are still blocked"),
		 row->look);
	want_int(harness_said(&e, "refuses to signal"), row->signal);
	want_int(harness_said(&e, "nothing is blocked"), 0);
	by_hand_close(&e);
}

/* terminate.reset: the right to it is asked for only where it is to be used. */
static const struct reset_row {
	const char *label, *name, *value;
	unsigned int said;
} reset_rows[] = {
	{ "by default", "terminate.reset", "on", 1 },
	{ "off", "terminate.reset", "off", 0 },
	{ "no child is ended", "terminate", "off", 0 },
};

TEST_ROWS(right_to_reset, reset_rows)
{
	struct harness e;

	by_hand_open(&e);
	e.check_rights = true;
	harness_set(&e, row->name, row->value);
	missing_rights = CAPABILITIES_BIT(CAP_NET_ADMIN);
	harness_start(&e);
	want_int(harness_said(&e, "terminate.reset: connections of terminated sessions"),
		 row->said);
	by_hand_close(&e);
}

/* The same without a capability that is missing: it is not even tried. */
TEST(off_means_not_tried)
{
	struct harness e;

	by_hand_open(&e);
	e.check_rights = true;
	harness_set(&e, "terminate.reset", "off");
	reset_tries = 0;
	harness_start(&e);
	want_int(reset_tries, 0);
	by_hand_close(&e);
}

/* The capabilities are there, and something refuses all the same. */
static const struct refusal_row {
	const char *label, *name, *value;
	int answer;
	bool signals;		/* are tried too */
	const char *want;
} refusal_rows[] = {
	{ "nothing", "verify", "child", 1, true, NULL },
	{ "to look", "verify", "child", -EACCES, true,
	  "no permission to read courier's processes" },
	{ "to look, the line is proof", "verify", "none", -EACCES, true,
	  "so no session is terminated, but addresses are still blocked" },
	{ "to signal", "verify", "child", -EPERM, true,
	  "refuses to signal courier's processes" },
	{ "to read, nothing is terminated", "terminate", "off", -EACCES, false,
	  "no permission to read courier's processes" },
};

TEST_ROWS(refused_access_is_logged, refusal_rows)
{
	struct harness e;

	by_hand_open(&e);
	e.check_rights = true;
	harness_set(&e, "courierUser", "nobody");
	harness_set(&e, row->name, row->value);
	trial.tries = 0;
	trial.answer = row->answer;
	harness_start(&e);
	want_int(trial.tries, 0);
	run_after(0);
	want_int(trial.tries, 1);
	want_int(trial.signals, row->signals);
	if (row->want)
		want_int(harness_said(&e, row->want), 1);
	else
		want_int(harness_said(&e, "permission"), 0);
	want_int(run_after(3600 * 1000) > 3600 * 1000, true);
	want_int(trial.tries, 1);
	engine_hup(e.block);
	run_after(0);
	want_int(trial.tries, 2);
	trial.answer = 1;
	by_hand_close(&e);
}

/* rsyslogd starts before courier: there is nothing to try at first. */
TEST(access_is_tried_once_courier_runs)
{
	struct harness e;
	int64_t due;

	by_hand_open(&e);
	e.check_rights = true;
	harness_set(&e, "courierUser", "nobody");
	trial.tries = 0;
	trial.answer = 0;
	harness_start(&e);
	run_after(0);
	due = run_after(59000);
	want_int(due > 0 && due <= 1000, true);
	want_int(trial.tries, 1);
	trial.answer = -EACCES;
	run_after(1001);
	want_int(trial.tries, 2);
	want_int(harness_said(&e, "no permission to read courier's processes"), 1);
	trial.answer = 1;
	by_hand_close(&e);
}

/* No memory for a worker's own: the background thread has some. */
TEST(without_a_worker)
{
	const struct engine_message msg = {
		.severity = COURIERLOG_SEVERITY_ERR, .exe = "",
		.text = REJECT, .text_len = strlen(REJECT),
	};
	struct harness e;

	harness_open(&e);
	harness_start(&e);
	want_int(engine_handle(e.block, NULL, &msg).deferred, true);
	harness_want_soon(&e, COUNTER_ENDED, 1);
	harness_close(&e);
}

TEST(without_a_worker_a_reply_is_not_judged)
{
	const struct engine_message msg = {
		.severity = COURIERLOG_SEVERITY_ERR, .exe = "",
		.text = REJECT, .text_len = strlen(REJECT),
	};
	struct harness e;

	harness_open(&e);
	harness_set(&e, "verify", "none");
	harness_start(&e);
	want_int(engine_handle(e.block, NULL, &msg).verdict, VERDICT_UNPROVEN);
	want_int(harness_count(&e, COUNTER_REFUSED_FAILED), 1);
	harness_close(&e);
}

/* The client of a pinned smtpd is blocked and the smtpd terminated all the same, and at once:
 * no other thread would do it later. The worker logs the stall once, and its end once. */
TEST(a_stalled_background_is_not_waited_for)
{
	struct harness e;
	int64_t began;

	harness_open(&e);
	harness_set(&e, "terminate.delay", "5000");
	harness_start(&e);
	harness_started(&e, e.smtpd);
	harness_want_pinned(&e, false);
	atomic_store(&stalled, true);
	began = clock_ms();
	want_int(harness_hand(&e, REJECT, e.smtpd).deferred, false);
	want_int(harness_said(&e, "the background thread has not responded"), 1);
	want_int(has_ended_soon(e.smtpd), true);
	want_int(clock_ms() - began < 4000, true);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	want_list(&e.lists, LIST, "+" PEER "\n");
	atomic_store(&stalled, false);
	harness_want_said(&e, "the background thread is running again");
	harness_close(&e);
}

TEST(hup_logs_counters_and_what_is_still_wrong)
{
	struct harness e;

	harness_open(&e);
	fakelists_remove(&e.lists, LIST);
	harness_start(&e);
	harness_line(&e, "Purging", 0);
	engine_hup(e.block);
	harness_want_said(&e, "action with list spammer and spammer6: lines=1 "
			      "backend_errors=2\n");
	harness_stop(&e);
	want_int(harness_said(&e, "--name spammer "), 2);
	harness_close(&e);
}

TEST(dry_run_reports_cleaned_text)
{
	struct harness e;

	harness_open(&e);
	harness_set(&e, "dryRun", "on");
	harness_set(&e, "verify", "none");
	harness_start(&e);
	harness_line(&e, REJECT_FOR("203.0.113.9", "25", "511 a\"\x1b[0mb"), 0);
	harness_want_said(&e, "dryRun: would block 203.0.113.9 port 25: "
			      "\"511 a??[0mb\"");
	want_list(&e.lists, LIST, "");
	harness_close(&e);
}

TEST(without_start_nothing_happens)
{
	struct engine_worker *worker = NULL;
	struct engine *block = NULL;
	struct engine_message msg = {
		.severity = COURIERLOG_SEVERITY_ERR,
		.text = REJECT, .text_len = strlen(REJECT), .exe = "",
	};
	struct settings settings;

	want_int(settings_init(&settings), 0);
	want_int(engine_new(&settings, &block), 0);
	want_int(engine_worker_new(block, &worker), 0);
	want_int(engine_handle(block, worker, &msg).verdict, VERDICT_NOT_A_TRIGGER);
	want_int(engine_handle_address(block, "192.0.2.1", 9).verdict, VERDICT_NOT_A_TRIGGER);
	engine_hup(block);
	engine_worker_free(worker);
	engine_unref(engine_ref(block));
	engine_unref(block);
	engine_unref(NULL);
}

static void count_said(void *ctx, int severity, const char *text)
{
	unsigned int *said = ctx;

	(void)severity;
	(void)text;
	(*said)++;
}

/* Another action could not start: there is no background thread to terminate smtpds and log
 * faults. */
TEST(once_stopped_nothing_happens)
{
	struct harness e;

	harness_open(&e);
	harness_start(&e);
	engine_stop(e.block);
	want_int(harness_line(&e, REJECT, e.smtpd).verdict, VERDICT_NOT_A_TRIGGER);
	want_int(harness_count(&e, COUNTER_LINES), 1);
	want_int(harness_count(&e, COUNTER_BLOCKS), 0);
	harness_close(&e);
}

static int start_parts(const struct harness *e, struct engine *block,
		       struct background *background, unsigned int *said)
{
	const struct engine_environment environment = {
		.background = background,
		.log = count_said,
		.log_ctx = said,
		.net_root = e->lists.net_root,
		.module_root = e->lists.module_root,
	};
	struct engine_worker *worker;
	int r = engine_start(block, &environment);

	if (r == 0)
		r = engine_worker_new(block, &worker);
	if (r == 0)
		engine_worker_free(worker);
	return r;
}

/* The nth allocation fails. Returns the result. */
static int start_without_memory(struct harness *e, unsigned int nth, unsigned int *said,
				bool *ret_failed)
{
	struct background *background = NULL;
	struct engine *block = NULL;
	int r;

	want_int(settings_init(&e->settings), 0);
	harness_set(e, "courierUser", "root");
	harness_set(e, "threshold", "5");
	memory_fail(nth);
	r = engine_new(&e->settings, &block);
	if (r == 0)
		r = background_new(e->tree.root, &background);
	if (r == 0)
		r = background_open(background);
	if (r == 0)
		r = start_parts(e, block, background, said);
	*ret_failed = memory_failed();
	engine_unref(block);
	background_free(background);
	settings_done(&e->settings);
	return r;
}

/* It does not start, or starts and reports what is missing. */
TEST(out_of_memory_is_logged)
{
	unsigned int nth, said, refused = 0;
	struct harness e;
	bool failed = true;
	int r;

	harness_open(&e);
	settings_done(&e.settings);
	for (nth = 1; failed; nth++) {
		said = 0;
		r = start_without_memory(&e, nth, &said, &failed);
		want_int(r == 0 || r == -ENOMEM, true);
		want_int(!failed || r == -ENOMEM || said > 0, true);
		refused += r == -ENOMEM;
	}
	want_int(refused >= 8, true);
	want_int(said, 0);
	harness_close(&e);
}

/* verify="none": of a process that cannot be a relay client's nothing is asked. */
TEST(line_of_a_stranger_is_enough)
{
	struct harness e;

	harness_open(&e);
	harness_set(&e, "verify", "none");
	harness_set(&e, "terminate", "off");
	fakeproc_put(&e.tree, &(struct fake_process){
		.pid = e.submit, .exe = FAKE_SMTPD, .ppid = e.smtpd, .uid = 1 });
	harness_start(&e);
	want_int(harness_hand(&e, REJECT, e.submit).deferred, false);
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	harness_close(&e);
}

/* The process that is named serves nobody. */
TEST(dropped_connection_takes_no_look)
{
	struct engine_message msg;
	struct harness e;

	dropped_line(&e, &msg);
	harness_set(&e, "verify", "sender");
	harness_start(&e);
	want_int(engine_handle(e.block, e.worker, &msg).deferred, false);
	harness_close(&e);
}
