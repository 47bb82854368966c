/* The whole engine: settings, then messages, with courier's processes in a /proc of the target's
 * own. No process of the machine is read or signalled.
 *
 * Input: a line of settings, NAME=VALUE separated by ';', then one message per line. The low five
 * bits of its first characters are its severity, attested process, hinted process, uid and
 * executable, and age. The rest is the text.
 *
 * The linker puts the __wrap_ functions in front of the engine's own, see ld(1): they check what
 * it decides and keep everything in this thread.
 *
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "blocklist/blocklist.h"
#include "engine/engine.h"
#include "lib/array.h"
#include "tests/unit/fakeproc.h"
#include "tests/unit/fixture.h"

/* --- the processes --- */

enum guilt {
	NOBODY,		/* serves no peer, or is not courier's */
	LISTED,		/* the DNSBL lists the peer */
	LOGGED_IN,	/* listed, but has logged in */
	RELAY,		/* listed, but may relay */
	TROUBLED,	/* by a DNSBL that lists every address */
	PLAIN,		/* not listed */
};

struct stand_in {
	const char *exe;
	int parent;		/* its row; -1: init */
	unsigned int uid;
	const char *peer;	/* NULL: its environment names none */
	unsigned int port;
	enum guilt guilt;
	bool real;		/* a real process; else only files */
	const char *env;	/* further entries, separated by '|' */
};

#define COURIER 0	/* root's uid: every machine has that user */
#define STRANGER 65534

#define BLOCK "BLOCK=Listed in lab DNSBL|BLOCK_IP=127.0.0.2|BLOCK_ZONE=bl.lab"

static const struct stand_in rows[] = {
	{ "couriertcpd", -1, COURIER, NULL, 0, NOBODY, true, "" },
	{ "courieresmtpd", 0, COURIER, "::ffff:192.0.2.7", 41703, LISTED, true,
	  BLOCK },
	{ "submit", 1, COURIER, "::ffff:192.0.2.7", 41703, NOBODY, false, BLOCK },
	{ "courieresmtpd", 0, COURIER, "::ffff:192.0.2.6", 41704, LOGGED_IN,
	  true, BLOCK "|ESMTPAUTH=PLAIN" },
	{ "submit", 3, COURIER, "::ffff:192.0.2.6", 41704, NOBODY, false,
	  "BLOCK=" },
	{ "courieresmtpd", 0, COURIER, "192.0.2.8", 41705, RELAY, true,
	  BLOCK "|RELAYCLIENT=" },
	{ "courieresmtpd", 0, COURIER, "192.0.2.9", 41706, TROUBLED, true,
	  "BLOCK=Listed in lab DNSBL|BLOCK_IP=127.255.255.254" },
	{ "couriertls", 0, COURIER, "2001:db8::7", 41707, LISTED, true, BLOCK },
	{ "courieresmtpd", 7, COURIER, "2001:db8::7", 41707, LISTED, true,
	  BLOCK "|ESMTP_TLS=1" },
	{ "submit", 8, COURIER, "2001:db8::7", 41707, NOBODY, false, BLOCK },
	{ "courieresmtpd", 0, COURIER, "198.51.100.1", 41708, PLAIN, true, "" },
	/* Listed, and on the allow lists. */
	{ "courieresmtpd", 0, COURIER, "192.0.2.130", 41709, LISTED, true, BLOCK },
	{ "submit", 11, COURIER, "192.0.2.130", 41709, NOBODY, false, BLOCK },
	/* Not an smtpd: another user's; not below a couriertcpd; before exec. */
	{ "courieresmtpd", 0, STRANGER, "203.0.113.9", 41710, NOBODY, true,
	  BLOCK },
	{ "courieresmtpd", -1, COURIER, "203.0.113.10", 41711, NOBODY, true,
	  BLOCK },
	{ "couriertcpd", 0, COURIER, "203.0.113.11", 41712, NOBODY, true, BLOCK },
	{ "courieresmtpd", 0, COURIER, "203.0.113.12x", 41713, NOBODY, true,
	  BLOCK },
	/* A listing with a temporary reply, and one whose message begins with a code. */
	{ "courieresmtpd", 0, COURIER, "192.0.2.20", 41714, PLAIN, true,
	  "BLOCK=451 Try later|BLOCK_IP=127.0.0.2" },
	{ "courieresmtpd", 0, COURIER, "192.0.2.21", 41715, LISTED, true,
	  "BLOCK=550 Go away|BLOCK_IP=127.0.0.2" },
	{ "submit", 18, COURIER, "192.0.2.21", 41715, NOBODY, false,
	  "BLOCK=550 Go away" },
};

static pid_t pids[COUNT_OF(rows)];
static struct fakeproc tree;
static char allow_path[96];

/* Of a broken fixture, for fakeproc.c. */
void must(bool done, const char *what)
{
	if (!done)
		fuzz_broken(what, __FILE__, __LINE__);
}

/* The environment; empty: the row has no peer. */
static size_t environment(const struct stand_in *row, char *text, size_t size)
{
	int n = 0;
	char *at;

	if (row->peer)
		n = snprintf(text, size, "PATH=/bin|TCPREMOTEIP=%s|TCPREMOTEPORT=%u|"
			     "TCPLOCALPORT=25|%s|", row->peer, row->port, row->env);
	FUZZ_CHECK(n >= 0 && (size_t)n < size);
	for (at = text; at < text + n; at++)
		if (*at == '|')
			*at = '\0';
	return (size_t)n;
}

static void put_process(size_t i)
{
	const struct stand_in *row = &rows[i];
	char env[1024], exe[64];

	snprintf(exe, sizeof(exe), "/usr/lib/courier/%s", row->exe);
	fakeproc_put(&tree, &(struct fake_process){
		.pid = pids[i], .exe = exe, .uid = row->uid,
		.ppid = row->parent < 0 ? 1 : pids[row->parent], .env = env,
		.env_len = environment(row, env, sizeof(env)) });
}

static void put_children(size_t parent)
{
	pid_t children[COUNT_OF(rows)];
	size_t i, n = 0;

	for (i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].parent == (int)parent)
			children[n++] = pids[i];
	fakeproc_children(&tree, pids[parent], children, n);
}

/* A process that does nothing and ends with this one. It has no open files, so nothing can be
 * written to it. */
static pid_t start_process(void)
{
	pid_t pid = fork();

	FUZZ_CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_range(0, ~0U, 0);
		for (;;)
			pause();
	}
	return pid;
}

static void clean_up(void)
{
	size_t i;

	fakeproc_close(&tree);
	for (i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].real)
			kill(pids[i], SIGKILL);
}

static void make_processes(void)
{
	size_t i;

	fakeproc_open(&tree);
	for (i = 0; i < COUNT_OF(rows); i++)
		/* Beyond PID_MAX_LIMIT: no process has such a PID. */
		pids[i] = rows[i].real ? start_process() : (pid_t)(5000000 + i);
	for (i = 0; i < COUNT_OF(rows); i++) {
		put_process(i);
		put_children(i);
	}
}

static void make_allow_file(void)
{
	FILE *file;

	snprintf(allow_path, sizeof(allow_path), "%s/allow", tree.root);
	file = fopen(allow_path, "we");
	FUZZ_CHECK(file && fputs("192.0.2.128/26\n2001:db8:1::/48\n", file) >= 0);
	FUZZ_CHECK(fclose(file) == 0);
}

/* --- what the engine does --- */

static const char *const spared_texts[] = {
	"192.0.2.128/26", "2001:db8:1::/48",	/* in the file */
	"127.0.0.0/8", "::1/128", "0.0.0.0/8", "224.0.0.0/3", "ff00::/8",
};

static struct background *background;
static struct background_job client;
static struct blocklist *list_of_engine;
static const struct settings *current;
static unsigned long messages, adds;
static bool attested;	/* a message since the last run was */

static bool hits(const struct cidr *target, const char *text)
{
	struct cidr spared;
	struct addr net;

	FUZZ_CHECK(cidr_parse(text, strlen(text), &spared) == 0);
	if (spared.net.family != target->net.family)
		return false;
	net = cidr_mask(&spared.net, target->prefix < spared.prefix ?
					     target->prefix :
					     spared.prefix);
	if (target->prefix <= spared.prefix)
		return addr_compare(&net, &target->net) == 0;
	net = cidr_mask(&target->net, spared.prefix);
	return addr_compare(&net, &spared.net) == 0;
}

static bool guilty_enough(enum guilt guilt, int trigger)
{
	switch (trigger) {
	case TRIGGER_DNSBL:
		/* After a login only courier itself can confirm the listing. */
		return guilt == LISTED || (guilt == LOGGED_IN && attested);
	case TRIGGER_CONNECT:
		/* At the session's start the client has not logged in yet. */
		return guilt == LISTED || guilt == LOGGED_IN;
	default:
		return guilt != NOBODY && guilt != RELAY;
	}
}

/* With verify="child" only an address that an smtpd serves is blocked. */
static bool is_served(const struct cidr *target)
{
	struct addr addr;
	size_t i;

	for (i = 0; i < COUNT_OF(rows); i++) {
		const struct stand_in *row = &rows[i];

		if (!row->peer || !guilty_enough(row->guilt, current->trigger))
			continue;
		FUZZ_CHECK(addr_parse(row->peer, strlen(row->peer), &addr) == 0);
		addr = cidr_mask(&addr, target->prefix < addr_bits(&addr) ?
						target->prefix :
						addr_bits(&addr));
		if (addr_compare(&addr, &target->net) == 0)
			return true;
	}
	return false;
}

enum block_state __real_blocklist_add(struct blocklist *blocklist, struct counters *counters,
				      const struct addr *addr, int64_t now, bool at_once);
enum block_state __wrap_blocklist_add(struct blocklist *blocklist, struct counters *counters,
				      const struct addr *addr, int64_t now, bool at_once);
enum block_state __wrap_blocklist_add(struct blocklist *blocklist, struct counters *counters,
				      const struct addr *addr, int64_t now, bool at_once)
{
	const struct cidr target = {
		.net = *addr, .prefix = (uint8_t)settings_prefix(current, addr),
	};
	struct addr masked = cidr_mask(addr, target.prefix);
	size_t i;

	FUZZ_CHECK(addr_compare(addr, &masked) == 0);
	FUZZ_CHECK(!current->dry_run);
	for (i = 0; i < COUNT_OF(spared_texts); i++)
		/* 0/8 and 224/3 may lie in a wide prefix; no client has such an address. */
		FUZZ_CHECK((i >= 2 && target.prefix < addr_bits(addr)) ||
			   !hits(&target, spared_texts[i]));
	FUZZ_CHECK(!prefix_set_overlaps(current->allow, &target));
	if (current->verify == VERIFY_CHILD)
		FUZZ_CHECK(is_served(&target));
	adds++;
	return __real_blocklist_add(blocklist, counters, addr, now, at_once);
}

/* Only courier's processes that serve a client are ever scheduled for termination. */
static void check_ended(const struct smtpd *smtpd)
{
	size_t i;

	FUZZ_CHECK(current->terminate && !current->dry_run);
	for (i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].real && pids[i] == smtpd->process.pid)
			break;
	FUZZ_CHECK(i < COUNT_OF(rows));
	FUZZ_CHECK(rows[i].guilt != NOBODY && rows[i].guilt != RELAY);
	FUZZ_CHECK(strcmp(rows[i].exe, "courieresmtpd") == 0);
	FUZZ_CHECK(rows[i].uid == COURIER);
	FUZZ_CHECK(strcmp(rows[i].peer, "192.0.2.130") != 0);
	FUZZ_CHECK(smtpd->tls.fd < 0 || smtpd->tls.pid == pids[7]);
}

int __wrap_terminator_signal(struct termination *termination);
int __wrap_terminator_signal(struct termination *termination)
{
	check_ended(&termination->smtpd);
	termination->signalled = true;
	return 0;
}

void __wrap_background_terminate(struct background *c, struct termination *termination,
				 int64_t due);
void __wrap_background_terminate(struct background *c, struct termination *termination,
				 int64_t due)
{
	(void)c;
	FUZZ_CHECK(due <= background_now() + 5000);
	check_ended(&termination->smtpd);
	smtpd_done(&termination->smtpd);
}

/* The list is that of one engine, and ends with it. */
struct blocklist *__wrap_background_find_blocklist(const struct background *c,
						   const struct settings *settings);
struct blocklist *__wrap_background_find_blocklist(const struct background *c,
						   const struct settings *settings)
{
	(void)c;
	(void)settings;
	return NULL;
}

int __wrap_background_add_blocklist(struct background *c, struct blocklist *added);
int __wrap_background_add_blocklist(struct background *c, struct blocklist *added)
{
	(void)c;
	list_of_engine = added;
	return 0;
}

int __wrap_background_add_job(struct background *c, const struct background_job *added);
int __wrap_background_add_job(struct background *c, const struct background_job *added)
{
	(void)c;
	client = *added;
	return 0;
}

/* A message to the admin is one line of printable characters. */
static void check_log(void *ctx, int severity, const char *text)
{
	(void)ctx;
	FUZZ_CHECK(severity >= 0 && severity <= 7);
	for (; *text; text++)
		FUZZ_CHECK(*text >= ' ' && *text <= '~');
}

/* --- an input --- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	make_processes();
	make_allow_file();
	atexit(clean_up);
	FUZZ_CHECK(background_new(tree.root, &background) == 0);
	FUZZ_CHECK(background_open(background) == 0);
	return 0;
}

static void set(struct settings *s, char *pair)
{
	char wrong[512], *value = strchr(pair, '=');

	if (!value)
		return;
	*value++ = '\0';
	/* Excluded: files and users are the machine's, lists are the kernel's. */
	if (strcasecmp(pair, "allowFile") != 0 &&
	    strcasecmp(pair, "courierUser") != 0 &&
	    strcasecmp(pair, "backend") != 0)
		(void)settings_set(s, pair, value, wrong, sizeof(wrong));
}

static bool make_settings(struct settings *s, const char *line, size_t len)
{
	char *text = fuzz_string(line, len), *at = text, *pair, wrong[640];
	bool good;

	FUZZ_CHECK(settings_init(s) == 0);
	while ((pair = strsep(&at, ";")))
		set(s, pair);
	free(text);
	good = settings_set(s, "courierUser", "root", wrong, sizeof(wrong)) == 0 &&
	       settings_set(s, "backend", "null", wrong, sizeof(wrong)) == 0 &&
	       settings_set(s, "early", "off", wrong, sizeof(wrong)) == 0 &&
	       settings_set(s, "pressure", "0", wrong, sizeof(wrong)) == 0 &&
	       settings_set(s, "allowFile", allow_path, wrong, sizeof(wrong)) == 0;
	FUZZ_CHECK(good);
	return settings_check(s, wrong, sizeof(wrong)) == 0;
}

/* 0: none; then each row; then a process that does not exist. */
static pid_t choose_pid(uint8_t byte)
{
	size_t i = byte & 31;

	if (i == 0)
		return 0;
	return i <= COUNT_OF(rows) ? pids[i - 1] : 4999999;
}

static void choose_sender(struct engine_message *msg, uint8_t byte)
{
	static const char *const exes[] = {
		"", "/usr/lib/courier/courieresmtpd", "/usr/sbin/couriertcpd",
		"/tmp/x",
	};

	msg->has_uid = byte & 1;
	msg->uid = byte & 2 ? STRANGER : COURIER;
	msg->exe = exes[(byte >> 2) & 3];
	msg->exe_len = strlen(msg->exe);
}

static void read_message(const char *line, size_t len, struct engine_message *msg,
			 char **ret_text)
{
	static const int64_t ages[] = { 0, 1, 600, 601, 31536000, INT64_MAX };
	struct fuzz_input in = { (const uint8_t *)line, len };

	memset(msg, 0, sizeof(*msg));
	msg->severity = (int)((fuzz_byte(&in) & 31) % 9) - 1;
	msg->attested_pid = choose_pid(fuzz_byte(&in));
	msg->hint_pid = choose_pid(fuzz_byte(&in));
	choose_sender(msg, fuzz_byte(&in));
	msg->age = ages[(fuzz_byte(&in) & 31) % COUNT_OF(ages)];
	msg->tag = "courieresmtpd";
	msg->tag_len = msg->has_uid ? strlen(msg->tag) : 3;
	*ret_text = fuzz_copy(in.at, in.left);
	msg->text = *ret_text;
	msg->text_len = in.left;
}

static void check_outcome(const struct engine_outcome *outcome, unsigned long adds_before)
{
	FUZZ_CHECK(outcome->reason < REASON_COUNT);
	FUZZ_CHECK(policy_reason_text(outcome->reason));
	/* The background thread writes the list, and nobody else. */
	FUZZ_CHECK(adds == adds_before);
	if (outcome->deferred)
		FUZZ_CHECK(outcome->verdict == VERDICT_BLOCK);
}

/* Run the engine's job and list as the background thread does, at a time when everything deferred
 * must be done. */
static void run_background(void)
{
	static int64_t ahead;
	int64_t now;

	ahead += 30000;
	now = background_now() + ahead;
	(void)client.run(client.data, now);
	(void)blocklist_run(list_of_engine, now);
	client.report(client.data);
	attested = false;
}

static void handle(struct engine *engine, struct engine_worker *worker, const char *line,
		   size_t len)
{
	unsigned long adds_before = adds;
	struct engine_outcome outcome;
	struct engine_message msg;
	char *text;

	read_message(line, len, &msg, &text);
	attested = attested || msg.attested_pid != 0;
	if (current->input == INPUT_ADDRESS)
		outcome = engine_handle_address(engine, msg.text, msg.text_len);
	else
		outcome = engine_handle(engine, worker, &msg);
	check_outcome(&outcome, adds_before);
	messages++;
	free(text);
	if (len > 0 && line[0] & 0x20)
		run_background();
}

static uint64_t sum(const struct counters *c, const enum counter *ids, size_t count)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < count; i++)
		n += counters_get(c, ids[i]);
	return n;
}

/* Every message is counted, every trigger in a result, too, and every block that is counted was
 * a call of blocklist_add(). */
static void check_counters(const struct counters *c)
{
	static const enum counter blocked[] = {
		COUNTER_BLOCKS, COUNTER_RENEWALS, COUNTER_WAITED,
		COUNTER_BACKEND_ERRORS,
	};
	static const enum counter others[] = {
		COUNTER_ALLOWED, COUNTER_NOT_LISTED, COUNTER_DNSBL_ERRORS,
		COUNTER_BELOW_THRESHOLD, COUNTER_REFUSED_SENDER,
		COUNTER_REFUSED_GONE, COUNTER_REFUSED_NO_CHILD,
		COUNTER_REFUSED_RIGHTS, COUNTER_REFUSED_BUSY,
		COUNTER_REFUSED_BUDGET, COUNTER_PATTERN_LIMIT,
		COUNTER_WOULD_BLOCK,
	};
	uint64_t triggers = counters_get(c, COUNTER_TRIGGERS);
	char text[2048];

	FUZZ_CHECK(counters_get(c, COUNTER_LINES) == messages);
	FUZZ_CHECK(triggers <= messages);
	FUZZ_CHECK(counters_get(c, COUNTER_REJECTS) <= messages);
	FUZZ_CHECK(sum(c, blocked, COUNT_OF(blocked)) == adds);
	FUZZ_CHECK(adds <= triggers);
	if (current->trigger != TRIGGER_CONNECT)
		FUZZ_CHECK(adds + sum(c, others, COUNT_OF(others)) >= triggers);
	counters_format(c, text, sizeof(text));
}

/* Pass all messages of an input, as one worker would. */
static void run_engine(struct engine *engine, struct fuzz_input *in)
{
	const struct engine_environment environment = {
		.background = background, .log = check_log,
		.net_root = tree.root, .module_root = tree.root,
	};
	struct engine_worker *worker;
	const char *line;
	size_t len;

	FUZZ_CHECK(engine_start(engine, &environment) == 0);
	FUZZ_CHECK(engine_worker_new(engine, &worker) == 0);
	current = engine_settings(engine);
	messages = adds = 0;
	while (messages < 64 && fuzz_line(in, &line, &len))
		handle(engine, worker, line, len);
	if (messages & 1)
		engine_hup(engine);
	run_background();
	run_background();
	check_counters(engine_counters(engine));
	engine_worker_free(worker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct engine *engine;
	struct settings settings;
	const char *line = "";
	size_t len = 0;

	fuzz_line(&in, &line, &len);
	if (make_settings(&settings, line, len)) {
		FUZZ_CHECK(engine_new(&settings, &engine) == 0);
		run_engine(engine, &in);
		engine_unref(engine);
		blocklist_free(list_of_engine);
	} else {
		settings_done(&settings);
	}
	return 0;
}
