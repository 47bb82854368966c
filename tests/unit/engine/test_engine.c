/* The engine of one action: a log line in, an address on the list and an smtpd
 * terminated.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "policy/capabilities.h"
#include "tests/unit/engine_steps.h"

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
static struct blocklist *by_hand_list;
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

int __real_background_add_blocklist(struct background *background, struct blocklist *blocklist);
int __wrap_background_add_blocklist(struct background *background, struct blocklist *blocklist);

int __wrap_background_add_blocklist(struct background *background, struct blocklist *blocklist)
{
	if (!by_hand)
		return __real_background_add_blocklist(background, blocklist);
	by_hand_list = blocklist;
	return 0;
}

/* Run after that many ms. Returns in how many ms the engine must run again. */
static int64_t run_after(int64_t ms)
{
	int64_t now = atomic_fetch_add(&forward, ms) + ms + __real_background_now();

	int64_t due = by_hand_client.run(by_hand_client.data, now);

	due = clock_earlier(due, blocklist_run(by_hand_list, now));
	by_hand_client.report(by_hand_client.data);
	return due - now;
}

static void before(void)
{
	reset_tries = trial.tries = 0;
	atomic_store(&forward, 0);
	atomic_store(&database.asked, 0);
	engine_steps_open();
}

static void after(void)
{
	engine_steps_close();
	blocklist_free(by_hand_list);
	by_hand_list = NULL;
	missing_rights = 0;
	trial.answer = 1;
	by_hand = false;
	atomic_store(&forward, 0);
	atomic_store(&database.err, 0);
}

SCENE(NULL, before, after)

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
	  ATTESTED, { 0 }, { 0 }, VERDICT_BLOCK, COUNTER_BLOCKS, true },
	{ "another reply, after a login", NULL, NULL,
	  REJECT_FOR(PEER, "41703", "550 User unknown"), ATTESTED,
	  { "BLOCK=" LISTED, "ESMTPAUTH=PLAIN" }, { "BLOCK=" }, VERDICT_BLOCK,
	  COUNTER_NOT_LISTED, false },
	{ "another reply, no login is offered", NULL, NULL,
	  REJECT_FOR(PEER, "41703", "550 User unknown"), ATTESTED, { 0 }, { "BLOCK=" },
	  VERDICT_BLOCK, COUNTER_BLOCKS, true },
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
	{ "logged in, forged by anybody", NULL, NULL, REJECT, UNKNOWN,
	  { "BLOCK=" LISTED, "ESMTPAUTH_TLS=PLAIN" }, { "BLOCK=", "RELAYCLIENT=" },
	  VERDICT_BLOCK, COUNTER_REFUSED_SENDER, false },
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

/* --- verbs --- */

/* The line N times. */
VERB(lines)
{
	int i;

	for (i = 0; i < atoi(args[0]); i++)
		harness_line(&h, text_of(args[1]), sender_of(args + 2));
	return 0;
}

VERB(address)
{
	want_verdict(engine_handle_address(h.block, args[0], strlen(args[0])).verdict, args + 1);
	return 0;
}

VERB_DO(by_hand, by_hand = true)
VERB_DO(database, atomic_store(&database.err, scene_number(args[0])))
VERB_IS(asked, (int)atomic_load(&database.asked))

/* Run after that many ms; the engine must run again within A ms, or not before. */
VERB(after)
{
	const int64_t due = run_after(atoi(args[0]));

	if (scene_has(args, "within"))
		want_int(due > 0 && due <= atoi(args[2]), true);
	if (scene_has(args, "over"))
		want_int(due > atoi(args[2]), true);
	return 0;
}

VERB(no_user)
{
	strcpy(h.settings.courier_user, "no-such-user");
	h.settings.courier_user_set = false;
	return 0;
}

/* Missing capabilities are reported: these. */
VERB(missing)
{
	h.check_rights = true;
	if (scene_has(args, "look"))
		missing_rights |= CAPABILITIES_LOOK;
	if (scene_has(args, "kill"))
		missing_rights |= CAPABILITIES_BIT(CAP_KILL);
	if (scene_has(args, "net"))
		missing_rights |= CAPABILITIES_BIT(CAP_NET_ADMIN);
	return 0;
}

VERB_DO(trial, trial.answer = *args[0] == 'E' ? -scene_number(args[0]) : atoi(args[0]))
VERB_IS(tries, (int)trial.tries)
VERB_IS(signals, trial.signals)
VERB_IS(reset_tries, (int)reset_tries)

static void set_option(const char *value)
{
	char text[64] = "couriertcpd";
	const size_t used = strlen(text) + 1;

	snprintf(text + used, sizeof(text) - used, "-haproxy=%s", value);
	fakeproc_write(&h.tree, h.tcpd, "cmdline", text, sizeof(text));
}

/* The listener's command line, and what it tells its smtpds. */
VERB(proxy)
{
	static const char *const by[] = {
		"BLOCK=" LISTED, "TCPREMOTEINFO=proxy via 192.0.2.1, port 25", NULL
	};

	set_option(args[0]);
	harness_smtpd_env(&h, by);
	harness_submit_env(&h, by);
	return 0;
}

VERB(nobodys_proxy)
{
	fakeproc_put(&h.tree, &(struct fake_process){
		.pid = h.tcpd, .exe = FAKE_TCPD, .ppid = 1, .uid = NOBODY_UID });
	set_option(args[0]);
	return 0;
}

/* Is there one? */
VERB(notice)
{
	struct background *background;
	struct settings settings;
	struct engine *engine;
	const char *text;

	settings = h.settings;
	want_int(engine_new(&settings, &engine), 0);
	want_int(background_new(h.tree.root, &background), 0);
	text = engine_notice_of_proxy(engine, background);
	want_int(!text || strstr(text, "-haproxy") != NULL, true);
	want_int(background_free(background), true);
	*(struct settings *)(uintptr_t)engine_settings(engine) = (struct settings){ .list = "" };
	engine_unref(engine);
	return text != NULL;
}

VERB_DO(stop_engine, engine_stop(h.block))

/* --- scripts --- */

#define FOR(ip) "'" REJECT_FOR(ip, "9", "511 x") "'"
#define DROPPED \
	"message 'dropped blocked connection from ::ffff:" PEER "' severity 4 uid 0 from tcpd"
#define LOGGER "exe /usr/sbin/courierlogger"
#define RIGHTS "by_hand; missing; set courierUser nobody "

/* Something refuses, although the capabilities are there. */
#define REFUSED(set, result, signal_is_tried, text)                                              \
	RIGHTS set "; trial " result "; start; tries = 0; after 0; tries = 1; "                   \
	"signals = " signal_is_tried "; said " text "; after 3600000 over 3600000; tries = 1; "   \
	"hup; after 0; tries = 2"

static const struct script scripts[] = {
	{ "address is unmapped on the list",
	  "start; line reject from smtpd; on 4 +" PEER "; on 6" },
	{ "prefix is masked",
	  "set ipv4Prefix 24; start; line reject from smtpd; on 4 +198.51.100.0" },
	{ "prefix with an allowed address is not blocked",
	  "set ipv4Prefix 24 allow 198.51.100.200; start; line reject from smtpd; "
	  "count allowed = 1; on 4; halt; lives smtpd" },
	{ "only the named smtpd is terminated",
	  "second; start; line reject; soon ended 1; halt; ends smtpd; lives second" },
	{ "without port all of the address are terminated",
	  "second 'BLOCK=" LISTED "'; start; line " WITHOUT_PORT "; soon ended 2" },
	/* A client can make one smtpd log one reject per recipient. */
	{ "smtpd is terminated once",
	  "set maxBlocks 1 terminate.delay 500; start; lines 21 reject from smtpd; "
	  "count blocks = 1; count renewals = 0; count refused.budget = 0; count repeated = 20; "
	  "soon ended 1; count gone = 0" },
	{ "renewals do not use maxBlocks up",
	  "set maxBlocks 2 verify none; start; lines 20 " FOR("203.0.113.1") "; "
	  "line " FOR("203.0.113.2") "; line " FOR("203.0.113.3") "; count refused.budget = 1; "
	  "line " FOR("203.0.113.1") "; count blocks = 2; count renewals = 20" },
	{ "threshold is reached",
	  "set threshold 3; start; lines 3 reject from smtpd; count below_threshold = 2; "
	  "count blocks = 1" },
	{ "maxBlocks is reached",
	  "set maxBlocks 1 verify none; start; line " FOR("203.0.113.1") "; "
	  "line " FOR("203.0.113.2") "; line " FOR("203.0.113.3") "; count refused.budget = 2; "
	  "count budget_closed = 1; hand reject; soon ended 1; count refused.budget = 3; "
	  "on 4 +203.0.113.1" },

	/* --- the sender --- */

	{ "sender mode takes the kernel's word",
	  "set verify sender; start; message reject uid 0 exe " FAKE_SMTPD " from gone blocks; "
	  "soon blocks 1; on 4 +" PEER "; message reject uid 65534 exe " FAKE_SMTPD
	  " from gone unproven; message reject uid 0 exe /tmp/x/logger from gone unproven; "
	  "count refused.gone = 2" },
	{ "dropped connection needs the sender",
	  "set verify sender; start; " DROPPED " " LOGGER " blocks; soon blocks 1; on 4 +" PEER "; "
	  DROPPED " exe " FAKE_TCPD " blocks; " DROPPED " exe " FAKE_SMTPD " unproven; "
	  "soon renewals 1" },
	{ "dropped connection names the remedy",
	  "start; " DROPPED " " LOGGER "; " DROPPED " " LOGGER "; count refused.gone = 2; "
	  "says 'verify=\"sender\"'; on 4" },
	/* The process that is named serves nobody. */
	{ "dropped connection takes no look",
	  "set verify sender; start; " DROPPED " " LOGGER " done" },
	/* verify="none": it cannot be a relay client's. */
	{ "line of a stranger is enough",
	  "set verify none terminate off; stranger; start; hand reject from submit done; "
	  "soon blocks 1" },
	{ "old line is left alone",
	  "start; message reject age 601 from smtpd ignored; "
	  "message reject age 600 from smtpd blocks; count old = 1" },
	{ "unknown form is counted and shown",
	  "start; line 'error,peer=192.0.2.1: 511 Listed'; line 'rejected 192.0.2.1: 550 \"No\"'; "
	  "line 'Purging /var/lib/courier'; count unknown = 2; "
	  "says 'error,peer=192.0.2.1: 511 Listed'" },
	{ "addresses decided elsewhere",
	  "set input address verify none; start; address 203.0.113.9 blocks; "
	  "address ' ::ffff:" PEER "\n' blocks; soon ended 1; address '127.0.0.1 25' exempt; "
	  "address '203.0.113.9 x' ignored; count unknown = 1; on 4 +203.0.113.9 +" PEER },
	/* The first line comes before any search; it keeps the index warm for the next ones. */
	{ "relay client is known after the first line",
	  "env smtpd 'BLOCK=" LISTED "' RELAYCLIENT=; set verify none; start; line reject blocks; "
	  "soon spared 1; line reject; count allowed = 1; on 4 +" PEER },

	/* --- a proxy --- */

	{ "proxy: terminated and reported, but not blocked",
	  "proxy 15; start; line reject from smtpd blocks; soon ended 1; ends smtpd; on 4; "
	  "count proxied = 1; count blocks = 0; halt; said 'through a proxy (-haproxy)' = 1" },
	{ "proxy: the same for a pinned session",
	  "proxy 15; start; started from smtpd; pinned; line reject from smtpd blocks; "
	  "soon ended 1; on 4; count proxied = 1" },
	{ "proxy: of other clients",
	  "proxy 15; env smtpd 'BLOCK=" LISTED "'; start; line reject from smtpd; soon ended 1; "
	  "on 4 +" PEER "; count proxied = 0" },
	{ "proxy: blocked if that is wanted",
	  "proxy 15; set blockBehindProxy on; start; line reject from smtpd; soon ended 1; "
	  "on 4 +" PEER "; count proxied = 0; halt; said proxy = 0" },
	{ "proxy: at the connection",
	  "proxy 15; set trigger connect; start; message started severity 6 from smtpd blocks; "
	  "soon ended 1; on 4; count proxied = 1" },
	{ "proxy: the threshold counts",
	  "proxy 15; set threshold 2; start; line reject from smtpd; count below_threshold = 1; "
	  "count proxied = 0; line reject from smtpd; count proxied = 1; soon ended 1; on 4" },
	/* The budget is for the list. */
	{ "proxy: maxBlocks does not count",
	  "proxy 15; set maxBlocks 1 verify none; start; line " FOR("203.0.113.1") "; "
	  "line " FOR("203.0.113.2") "; count proxied = 2; count refused.budget = 0; on 4" },
	{ "proxy: dry run",
	  "proxy 15; set dryRun on; start; line reject from smtpd; "
	  "says 'dryRun: would leave to its proxy " PEER " port 41703'; count would_block = 1; "
	  "count proxied = 0; halt; lives smtpd" },
	{ "proxy: sessions continue",
	  "proxy 15; set terminate off; start; line reject from smtpd; count proxied = 1; on 4; "
	  "halt; lives smtpd" },
	/* Sessions that nobody can look at: they had no other way to courier. */
	{ "proxy: the session has ended",
	  "proxy 15; set verify sender; start; message reject uid 0 exe " FAKE_SMTPD " from gone "
	  "blocks; soon proxied 1; on 4" },
	{ "proxy: the line is enough",
	  "proxy 15; set verify none; start; line " FOR("203.0.113.1") "; soon proxied 1; on 4" },
	{ "proxy: the line is enough, and there are other ways to courier",
	  "proxy /port=26; set verify none; start; line " FOR("203.0.113.1") "; soon blocks 1; "
	  "on 4 +203.0.113.1; count proxied = 0" },
	{ "proxy: not that of another program's clients",
	  "proxy 15; set input address verify none; start; address 203.0.113.9 blocks; "
	  "soon blocks 1; on 4 +203.0.113.9; count proxied = 0" },
	{ "proxy: logged at the start",
	  RIGHTS "; nobodys_proxy 15; trial 1; start; after 0; said '(-haproxy)' = 1; hup; "
	  "after 0; said '(-haproxy)' = 2" },
	{ "proxy: not logged if addresses are blocked here",
	  RIGHTS "blockBehindProxy on; nobodys_proxy 15; trial 1; start; after 0; said proxy = 0" },
	{ "proxy: no notice without one", "notice = 0; proxy ''; notice = 0" },
	{ "proxy: notice of rsyslogd -N1",
	  "proxy /port=25; notice = 1; set blockBehindProxy on; notice = 0; "
	  "set blockBehindProxy off input address; notice = 0" },

	/* --- the list --- */

	{ "missing list is logged once and smtpds are terminated",
	  "remove 4; start; line reject from smtpd; soon ended 1; halt; "
	  "said 'iptables -I INPUT -p tcp --dport 25 -m recent --name spammer --update "
	  "--seconds 600 -j DROP' = 1; count waited = 1" },
	{ "waiting address is written when the list comes",
	  "remove 4; start; line reject from smtpd; make 4; soon blocks 1; on 4 +" PEER },
	/* Nothing is lost in silence. */
	{ "what waits at the end is counted and logged",
	  "remove 4; start; line reject from smtpd; soon waited 1; count lost = 0; halt; "
	  "said 'rsyslogd is stopping: 1 addresses waited' = 1; count lost = 1" },
	{ "nothing waits at the end",
	  "start; line reject from smtpd; soon blocks 1; halt; said stopping = 0" },
	/* A script that reloads the firewall and then rsyslogd. */
	{ "HUP puts blocks on a new list",
	  "start; line reject from smtpd; remove 4; make 4; hup; soon replayed 1; on 4 +" PEER },
	{ "HUP logs counters and what is still wrong",
	  "remove 4; start; line Purging; says '--name spammer '; hup; "
	  "says 'action with list spammer and spammer6: lines=1 backend_errors=3\n'; halt; "
	  "said '--name spammer ' = 2" },
	{ "dry run reports cleaned text",
	  "set dryRun on verify none; start; "
	  "line '" REJECT_FOR("203.0.113.9", "25", "511 a\"\x1b[0mb") "'; "
	  "says 'dryRun: would block 203.0.113.9 port 25: \"511 a??[0mb\"'; on 4" },
	/* Another action could not start: there is no background thread to terminate smtpds and
	 * log faults. */
	{ "once stopped nothing happens",
	  "start; stop_engine; line reject from smtpd ignored; count lines = 1; "
	  "count blocks = 0" },

	/* --- courier's user --- */

	{ "missing user is logged",
	  "no_user; start; line reject from smtpd unproven; halt; "
	  "said 'there is no user no-such-user' = 1; lives smtpd" },
	/* The user database does not answer at first: that is logged once, and recovers without
	 * a HUP. */
	{ "user is looked up until it exists",
	  "by_hand; database EIO; start; "
	  "said 'the user root cannot be looked up (Input/output error)' = 1; "
	  "line reject from smtpd unproven; asked = 1; after 9000 within 1000; asked = 1; "
	  "after 1001; asked = 2; after 10001; asked = 3; said 'cannot be looked up' = 1; "
	  "database 0; after 10001; said 'the user root was found' = 1; "
	  "hand reject from smtpd deferred; after 0; count blocks = 1" },
	/* Every second. */
	{ "late answer is fetched",
	  "by_hand; database ETIMEDOUT; start; after 900 within 100; asked = 1; "
	  "said 'cannot be looked up' = 0; after 101; asked = 2; "
	  "said 'the user root cannot be looked up (Connection timed out)' = 1; database 0; "
	  "after 1001; said 'the user root was found' = 1" },
	/* One that is only slow causes no message. */
	{ "slow answer is no news",
	  "by_hand; database ETIMEDOUT; start; database 0; after 1001; asked = 2; "
	  "said 'the user root' = 0; hand reject from smtpd deferred; after 0" },
	/* A hanging user database must not delay signals at each HUP. */
	{ "known user is not looked for",
	  "by_hand; start; asked = 1; hup; after 0 over 3600000; after 60000; asked = 1" },
	{ "HUP looks for a user that is not there",
	  "by_hand; database ENOENT; start; hup; after 0; asked = 2; "
	  "said 'there is no user root' = 2" },

	/* --- capabilities --- */

	/* If the line alone is proof they are only for termination. */
	{ "capabilities to terminate unproven, with a courier",
	  RIGHTS "verify none; missing look kill; start; "
	  "said 'so no session is terminated, but addresses are still blocked' = 1; "
	  "said 'refuses to signal' = 1; said 'nothing is blocked' = 0" },
	{ "capabilities to terminate unproven, on a host without",
	  RIGHTS "verify none; missing look kill; database ENOENT; start; "
	  "said 'so no session is terminated, but addresses are still blocked' = 0; "
	  "said 'refuses to signal' = 0; said 'nothing is blocked' = 0" },
#define RIGHT_TO_RESET(set) "by_hand; set " set "; missing net; start; " \
	"said 'terminate.reset: connections of terminated sessions' = "
	{ "right to reset, by default", RIGHT_TO_RESET("terminate.reset on") "1" },
	{ "right to reset, off", RIGHT_TO_RESET("terminate.reset off") "0" },
	{ "right to reset, no session is terminated", RIGHT_TO_RESET("terminate off") "0" },
	/* The same without a capability that is missing. */
	{ "a reset that is off is not tried",
	  "by_hand; missing; set terminate.reset off; start; reset_tries = 0" },
	{ "refused access is logged: nothing",
	  REFUSED("verify child", "1", "1", "permission = 0") },
	{ "refused access is logged: to look",
	  REFUSED("verify child", "EACCES", "1", "'no permission to read courier' = 1") },
	{ "refused access is logged: to look, the line is proof",
	  REFUSED("verify none", "EACCES", "1",
		  "'so no session is terminated, but addresses are still blocked' = 1") },
	{ "refused access is logged: to signal",
	  REFUSED("verify child", "EPERM", "1", "'refuses to signal courier' = 1") },
	{ "refused access is logged: to look, nothing is terminated",
	  REFUSED("terminate off", "EACCES", "0", "'no permission to read courier' = 1") },
	/* rsyslogd starts before courier: there is nothing to try at first. */
	{ "access is tried once courier runs",
	  RIGHTS "; trial 0; start; after 0; after 59000 within 1000; tries = 1; trial EACCES; "
	  "after 1001; tries = 2; said 'no permission to read courier' = 1" },
};
TEST_SCRIPTS(scripts)

/* --- others --- */

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
	harness_want_pinned(&e);
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
