/* Answers the lines that take a search, in the background thread.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "engine/session_lookup.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/engine_steps.h"

/* A reject of a client that no smtpd serves. */
static void ask_for_nobody(struct harness *e, unsigned int n)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "error,relay=203.0.113.%u,port=%u,from=<a>: 511 " LISTED, n % 250,
		 1000 + n);
	harness_hand(e, text, 0);
}

/* A host with very many processes: that long does a thorough search take. */
static unsigned int thorough_ms;
/* The time of any other search, with very many new smtpds. */
static unsigned int refresh_ms;
/* Only learned smtpds are known. */
static bool refreshes_fail;
/* The time of a scan for the latest processes. */
static unsigned int learn_ms;
/* The number of scans for the latest processes. */
static atomic_uint looks;
/* Smtpds are pinned: how often, since the last thorough search; and the results before the
 * first time. */
static bool watched;
static unsigned int holds;
static uint64_t blocks_before_hold;
/* How often collected blocks were written, and how often before the last look at a process. */
static unsigned int flushes, flushes_before_look;

int __real_session_refresh(struct session_finder *finder, bool thorough);
int __wrap_session_refresh(struct session_finder *finder, bool thorough);
void __real_session_learn(struct session_finder *finder);
void __wrap_session_learn(struct session_finder *finder);
void __real_session_hold(struct session_finder *finder);
void __wrap_session_hold(struct session_finder *finder);

void __real_blocklist_flush(struct blocklist *blocklist);
void __wrap_blocklist_flush(struct blocklist *blocklist);
int __real_session_verify(struct session_finder *finder, pid_t pid, const struct addr *addr,
			  uint16_t port, struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
			  struct smtpd_facts *ret_facts);
int __wrap_session_verify(struct session_finder *finder, pid_t pid, const struct addr *addr,
			  uint16_t port, struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
			  struct smtpd_facts *ret_facts);

void __wrap_blocklist_flush(struct blocklist *blocklist)
{
	flushes++;
	__real_blocklist_flush(blocklist);
}

int __wrap_session_verify(struct session_finder *finder, pid_t pid, const struct addr *addr,
			  uint16_t port, struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
			  struct smtpd_facts *ret_facts)
{
	flushes_before_look = flushes;
	return __real_session_verify(finder, pid, addr, port, scratch, ret_smtpd, ret_facts);
}

int __wrap_session_refresh(struct session_finder *finder, bool thorough)
{
	if (thorough && thorough_ms > 0)
		(void)poll(NULL, 0, (int)thorough_ms);
	if (!thorough && refresh_ms > 0)
		(void)poll(NULL, 0, (int)refresh_ms);
	if (refreshes_fail)
		return -EIO;
	if (thorough)
		holds = 0;
	return __real_session_refresh(finder, thorough);
}

void __wrap_session_learn(struct session_finder *finder)
{
	if (learn_ms > 0)
		(void)poll(NULL, 0, (int)learn_ms);
	__real_session_learn(finder);
	looks++;
}

void __wrap_session_hold(struct session_finder *finder)
{
	if (watched && holds++ == 0)
		blocks_before_hold = harness_count(&h, COUNTER_BLOCKS);
	__real_session_hold(finder);
}

/* lookup_run() without an engine, on the processes of the harness. */
static struct {
	bool opened;
	struct engine_environment environment;
	struct enforcer enforcer;
	struct counters counters;
	struct alerts alerts;
	struct procfs procfs;
	struct looker *looker;
	struct session_finder *finder;
	struct lookup *lookup;
} q;

static void before(void)
{
	looks = 0;
	holds = flushes = flushes_before_look = 0;
	blocks_before_hold = 0;
	memset(&q, 0, sizeof(q));
	engine_steps_open();
}

static void after(void)
{
	if (q.opened) {
		lookup_free(q.lookup);
		session_free(q.finder);
		want_int(looker_free(q.looker), true);
		enforcer_close(&q.enforcer);
		background_free(q.environment.background);
	}
	engine_steps_close();
	watched = refreshes_fail = false;
	thorough_ms = refresh_ms = learn_ms = 0;
}

SCENE(NULL, before, after)

/* --- verbs --- */

/* The next descriptor is one too many. */
static void limit_descriptors(struct rlimit *ret_old)
{
	struct rlimit low;
	int lowest = dup(STDERR_FILENO);

	want_int(lowest >= 0, true);
	close(lowest);
	want_int(getrlimit(RLIMIT_NOFILE, ret_old), 0);
	low = *ret_old;
	low.rlim_cur = (rlim_t)lowest;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
}

/* The counters of a line's outcome. */
static const enum counter verdicts[] = {
	COUNTER_TEMPORARY, COUNTER_OLD, COUNTER_ALLOWED, COUNTER_NOT_LISTED,
	COUNTER_DNSBL_ERRORS, COUNTER_BELOW_THRESHOLD, COUNTER_REFUSED_SENDER,
	COUNTER_REFUSED_GONE, COUNTER_REFUSED_NO_CHILD, COUNTER_REFUSED_RIGHTS,
	COUNTER_REFUSED_BUSY, COUNTER_REFUSED_BUDGET, COUNTER_PATTERN_LIMIT,
	COUNTER_WOULD_BLOCK, COUNTER_BLOCKS, COUNTER_RENEWALS, COUNTER_WAITED,
};

static uint64_t verdicts_counted(void)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < COUNT_OF(verdicts); i++)
		n += harness_count(&h, verdicts[i]);
	return n;
}

static struct rlimit before_limit;
static int64_t first_time;

VERB_DO(no_descriptors, limit_descriptors(&before_limit))
VERB_IS(descriptors_again, setrlimit(RLIMIT_NOFILE, &before_limit))
VERB_DO(nobody, ask_for_nobody(&h, (unsigned int)atoi(args[0])))

VERB(nobodies)
{
	unsigned int i;

	for (i = 0; i < (unsigned int)atoi(args[0]); i++)
		ask_for_nobody(&h, i);
	return 0;
}

VERB_DO(other_program, fakeproc_exe(&h.tree, pid_of(args[0]), "/bin/sh"))
VERB_DO(newest_is_submit, fakeproc_last_pid(&h.tree, h.submit))
VERB_DO(watch, watched = true)
VERB_IS(holds, (int)holds)
VERB_IS(blocks_before_hold, (int)blocks_before_hold)
VERB_IS(flushes, (int)flushes)
VERB_IS(flushes_before_look, (int)flushes_before_look)
VERB_DO(thorough_takes, thorough_ms = (unsigned int)atoi(args[0]))
VERB_DO(refresh_takes, refresh_ms = (unsigned int)atoi(args[0]))
VERB_DO(learning_takes, learn_ms = (unsigned int)atoi(args[0]))
VERB_DO(no_refresh, refreshes_fail = true)
VERB_IS(looks, (int)looks)
VERB_DO(timer, first_time = clock_ms())
VERB_IS(took_less_than, clock_ms() - first_time < atoi(args[0]) ? 0 : -ETIMEDOUT)
VERB_IS(verdicts, (int)verdicts_counted())

VERB(quiet)
{
	q.opened = true;
	want_int(background_new(h.tree.root, &q.environment.background), 0);
	want_int(background_open(q.environment.background), 0);
	q.environment.net_root = h.lists.net_root;
	q.environment.module_root = h.lists.module_root;
	want_int(enforcer_open(&q.enforcer, &h.settings, &q.counters, &q.alerts, &q.environment),
		 0);
	want_int(procfs_init(&q.procfs, h.tree.root), 0);
	q.looker = patient_looker(&q.procfs);
	want_int(session_new(h.tree.root, q.looker, 0, &q.finder), 0);
	return lookup_new(&q.enforcer, &q.lookup);
}

/* "prove", "block" or "end"; the client is the peer or a stranger; the sender may be attested
 * or a hint, and the reply another one than the listing's. */
static int put(char **args)
{
	const char *ip = scene_option(args, "ip", PEER), *sender = scene_option(args, "hint", NULL);
	const char *port = scene_option(args, "port", "41703");
	const char *text = scene_has(args, "unlisted") ?
				   REJECT_FOR(PEER, "41703", "550 User unknown") : REJECT;
	const enum lookup_kind kind = strcmp(args[0], "prove") == 0 ? LOOKUP_PROVE :
				      strcmp(args[0], "end") == 0 ? LOOKUP_END : LOOKUP_BLOCK;
	struct session_query query = { .port = (uint16_t)atoi(port) };
	struct lookup_request request;
	struct courierlog_line line;

	want_int(addr_parse(ip, strlen(ip), &query.addr), 0);
	query.attested = sender_of(args);
	query.hint = sender ? pid_of(sender) : 0;
	query.was_couriers = scene_has(args, "couriers");
	courierlog_scan(text, strlen(text), COURIERLOG_SEVERITY_ERR, &line);
	request = lookup_request_of(kind, &query, &line);
	return lookup_queue_put(q.enforcer.requests, &request, true);
}

VERB_IS(put, put(args))

VERB(fill_queue)
{
	char *request[] = { (char[]){ "prove" }, NULL };
	int i;

	for (i = 0; i < LOOKUP_QUEUE_MAX; i++)
		want_int(put(request), 0);
	return 0;
}

/* Look at that time, or at that many ms from the first look; wanted again at "never", or
 * "within A B". */
VERB(look)
{
	const int64_t at = atoi(args[0]) + (args[0][0] == '+' ? first_time : 0);
	const int64_t next = lookup_run(q.lookup, q.finder, at);

	if (scene_has(args, "never"))
		want_int(next, INT64_MAX);
	else if (scene_has(args, "at_once"))
		want_int(next, at);
	else if (scene_has(args, "within"))
		want_int(next >= atoi(args[2]) && next <= atoi(args[3]), true);
	return 0;
}

VERB_DO(from_now, first_time = background_now())
VERB_IS(counts, (int)counters_get(&q.counters, counter_of(args[0])))
VERB_IS(looks_are_repeated,
	counters_get(&q.counters, COUNTER_LOOKS_REPEATED) == LOOKUP_QUEUE_MAX ? 0 : -EIO)
VERB_DO(note_line, lookup_note_line(q.lookup))
VERB_DO(note_start, lookup_note_start(q.lookup))
VERB_IS(refresh, session_refresh(q.finder, true))
VERB_DO(hang, fakeproc_trap(&h.tree, pid_of(args[0])))

/* The thread that waits for it ends; another one there is to be asked. */
VERB(let_go)
{
	struct smtpd_scratch scratch;

	want_int(looker_look(q.looker, h.tcpd, false, &scratch.look), 0);
	want_int(fakeproc_release(&h.tree, pid_of(args[0])), true);
	want_int(threads_ended_soon(scene.threads + 1), true);
	return 0;
}

/* One look was repeated, and there is no answer yet; or one that spares the client. */
VERB(repeated)
{
	want_int(counters_get(&q.counters, COUNTER_LOOKS_REPEATED), 1);
	want_int(counters_get(&q.counters, COUNTER_WOULD_BLOCK), 0);
	want_int(counters_get(&q.counters, COUNTER_NOT_LISTED), 0);
	want_int(counters_get(&q.counters, COUNTER_REFUSED_FAILED), 0);
	return 0;
}

VERB(relays)
{
	static const char *const relays[] = { "RELAYCLIENT=", NULL };
	const struct peer peer = { "::ffff:" PEER, 41999, 25, relays };
	char env[1024];

	fakeproc_put(&h.tree, &(struct fake_process){
		.pid = pid_of(args[0]), .exe = FAKE_SMTPD, .ppid = h.tcpd,
		.env = env, .env_len = peer_environment(&peer, env, sizeof(env)),
	});
	return 0;
}

/* Another address' block uses up maxBlocks="1". */
VERB(use_max_blocks_up)
{
	static const char *const listed[] = { "BLOCK=" LISTED, NULL };
	static const struct peer other = { "::ffff:198.51.100.8", 41704, 25, listed };
	const pid_t all[3] = { h.smtpd, second, harness_add_child(&h, &other) };

	fakeproc_children(&h.tree, h.tcpd, all, 3);
	harness_line(&h, REJECT_FOR("198.51.100.8", "41704", "511 " LISTED), all[2]);
	harness_want_soon(&h, COUNTER_ENDED, 1);
	want_int(harness_count(&h, COUNTER_BLOCKS), 1);
	waiter_end(all[2]);
	return 0;
}

/* --- scripts --- */

#define LISTS "'BLOCK=" LISTED "'"
#define OFFERS LISTS " ESMTPAUTH=PLAIN"
#define CLEAN "BLOCK="
#define FAILS "'BLOCK=" LISTED "' BLOCK_IP=127.255.255.254"
#define RELAYS "'BLOCK=" LISTED "' RELAYCLIENT="
#define LATE_LINE "hand 'error,relay=203.0.113.77,port=999,from=<a>: 550 " LISTED "'; "
#define LATE_SMTPD "second ip ::ffff:203.0.113.77 port 999 " LISTS "; "

/* Two smtpds, the first with its submit, and the one verdict on their line. */
#define TWO(set, first, second, submit)                                                      \
	"env smtpd " first "; env submit " submit "; second " second "; set " set "; start; "
#define ENDS(name, counter)                                                                  \
	"hand " WITHOUT_PORT "; soon " name " 1; soon ended 2; halt; verdicts = 1; "          \
	"ends smtpd second; count " counter " = 1"
#define SPARES(name)                                                                         \
	"hand " WITHOUT_PORT "; soon " name " 1; soon ended 0; halt; count " name " = 1; "     \
	"verdicts = 1; lives smtpd second; count blocks = 0"

#define NAMED(sender, counter) \
	"quiet; env smtpd BLOCK=; put prove " sender " unlisted; look 1000; counts " counter " = 1"
#define IDLE(set, how) set "newest_is_submit; stranger; start; message " how \
	"; hup; says lines=1; halt; looks = 0"
/* dryRun, so that nothing is needed for a block but counters. The index has a second smtpd of
 * the peer's, and there is no other thorough search in what follows. */
#define DRY "quiet; set dryRun on; "
#define SECOND DRY "second; put prove ip 203.0.113.9 port 1000; look 1000; "

static const struct script scripts[] = {
	/* Each line is answered. */
	{ "refuses each line without courier",
	  "other_program tcpd; start; nobody 1; soon refused.no_child 1; nobody 2; "
	  "soon refused.no_child 2" },
	{ "finds an smtpd that came later",
	  "set trigger reject; start; " LATE_LINE "soon refused.no_child 1; " LATE_SMTPD LATE_LINE
	  "soon ended 1; ends second; lives smtpd" },
	/* Pinning the others takes longer than the answer, and is for lines to come. */
	{ "pinning delays nothing",
	  "set terminate off; watch; start; hand reject deferred; soon blocks 1; halt; holds >= 1; "
	  "blocks_before_hold = 1" },
	/* A line that needs no search, as it has credentials: another may come. */
	{ "a line gets smtpds pinned",
	  "set terminate off; watch; start; line reject from smtpd; halt; holds >= 1" },
	/* A line's smtpd appears a moment later, for instance because it has not exec'd yet:
	 * that is found long before the next thorough search is allowed. */
	{ "slow search delays nothing",
	  "thorough_takes 500; set trigger reject; start; nobody 1; soon refused.no_child 1; "
	  LATE_LINE LATE_SMTPD "timer; soon ended 1; took_less_than 3000" },
	/* The worker itself finds it: the result is there when the line has been handled. */
	{ "known smtpd needs no search",
	  "set terminate off; start; nobody 1; soon refused.no_child 1; pinned; "
	  "hand reject done; soon blocks 1" },
	/* It is pinned from its start: the executable that another one would be asked for has no
	 * name by then. */
	{ "started smtpd needs no search",
	  "set terminate off; newest_is_submit; start; started; pinned; "
	  "other_program smtpd; "
	  "hand reject done; soon blocks 1" },
	/* It is searched for among the newest processes first, and not below couriertcpd. */
	{ "newest smtpd needs no refresh",
	  "set terminate off; newest_is_submit; no_refresh; start; hand reject deferred; "
	  "soon blocks 1" },
	{ "started smtpd needs no search, with the kernel's word",
	  "set terminate off; newest_is_submit; no_refresh; start; started from smtpd; pinned; "
	  "other_program smtpd; hand reject from smtpd done; soon blocks 1" },
	{ "no search: verify=none", IDLE("set verify none; ", "started severity 6") },
	{ "no search: another line", IDLE("", "Disconnected severity 6") },
	{ "no search: another severity", IDLE("", "started severity 3") },
	{ "no search: another user's word", IDLE("", "started severity 6 from submit") },
	/* A failed call is no answer: the process is looked at again, and found as soon as that
	 * works. */
	{ "failed look is repeated",
	  "start; no_descriptors; hand reject deferred; hand reject from smtpd deferred; "
	  "soon looks_repeated 2; descriptors_again; soon ended 1; count blocks = 1; "
	  "count refused.failed = 0; count refused.no_child = 0" },
	/* rsyslogd stops meanwhile. */
	{ "search that goes on at the end is counted",
	  "start; no_descriptors; hand reject deferred; soon looks_repeated 1; halt; "
	  "descriptors_again; count lost = 1; said '1 triggers were not handled' = 1" },
	/* The client is blocked: only its sessions go on. */
	{ "search for sessions to terminate is not",
	  "set backend null verify none; start; no_descriptors; hand reject; soon blocks 1; "
	  "soon looks_repeated 1; halt; descriptors_again; count lost = 0; said stopping = 0" },
	{ "search that has ended is not",
	  "start; nobody 1; soon refused.no_child 1; halt; count lost = 0; said stopping = 0" },
	{ "reports are limited",
	  "set dryRun on verify none; start; nobodies 40; soon would_block 40; halt; "
	  "said 'dryRun: would block' = 30" },
	/* verify="none" terminates smtpds of the address too, but never of an own address. */
	{ "relay client is not terminated",
	  "env smtpd " RELAYS "; set verify none; start; hand reject; soon spared 1; halt; "
	  "lives smtpd; count allowed = 0" },

	/* --- a line without a port --- */

	{ "both listed",
	  TWO("threshold 1", LISTS, LISTS, LISTS) ENDS("blocks", "blocks") },
	{ "one listed",
	  TWO("threshold 1", LISTS, CLEAN, LISTS) ENDS("blocks", "blocks") },
	{ "one with a DNSBL error",
	  TWO("threshold 1", LISTS, FAILS, LISTS) ENDS("blocks", "blocks") },
	{ "one a relay client", TWO("threshold 1", LISTS, RELAYS, LISTS) SPARES("allowed") },
	{ "the other a relay client",
	  TWO("threshold 1", RELAYS, LISTS, LISTS) SPARES("allowed") },
	{ "both relay clients", TWO("threshold 1", RELAYS, RELAYS, LISTS) SPARES("allowed") },
	{ "none listed", TWO("threshold 1", CLEAN, CLEAN, LISTS) SPARES("not_listed") },
	{ "none listed, one with a DNSBL error",
	  TWO("threshold 1", CLEAN, FAILS, LISTS) SPARES("dnsbl_errors") },
	{ "one logged in, one not listed",
	  TWO("threshold 1", OFFERS, CLEAN, CLEAN) SPARES("refused.sender") },
	{ "both logged in", TWO("threshold 1", OFFERS, OFFERS, CLEAN) SPARES("refused.sender") },
	{ "below the threshold",
	  TWO("threshold 2", LISTS, LISTS, LISTS) SPARES("below_threshold") },
	{ "below the threshold, another trigger",
	  TWO("threshold 2 trigger reject", CLEAN, CLEAN, CLEAN) SPARES("below_threshold") },
	/* One client port, connected to two of the host's ports: the line does not have those.
	 * maxBlocks prevents only the block. */
	{ "one port twice",
	  TWO("trigger reject maxBlocks 1", LISTS, CLEAN " port 41703 on 465", LISTS)
	  "hand reject; soon ended 2; halt; count blocks = 1; count refused.budget = 0; "
	  "verdicts = 1" },
	{ "one port twice, maxBlocks is used up",
	  TWO("trigger reject maxBlocks 1", LISTS, CLEAN " port 41703 on 465", LISTS)
	  "use_max_blocks_up; hand reject; soon ended 3; halt; count blocks = 1; "
	  "count refused.budget = 1; verdicts = 2" },
	/* The line is not about one of them. */
	{ "one port twice, one listed",
	  TWO("trigger dnsbl", LISTS, CLEAN " port 41703 on 465", LISTS)
	  "hand reject; soon ended 1; halt; lives second; verdicts = 1" },

	/* --- lookup_run() --- */

	{ "look that keeps failing is refused",
	  "quiet; from_now; put prove; no_descriptors; look +0; look +4500; "
	  "counts refused.failed = 0; look +6000; descriptors_again; counts refused.failed = 1; "
	  "counts looks_repeated = 1" },
	{ "named process: attested, another process", NAMED("from submit", "refused.sender") },
	{ "named process: hint, another process", NAMED("hint submit", "refused.sender") },
	{ "named process: attested, has exited", NAMED("from gone", "refused.gone") },
	/* The reply is not that of BLOCK; by the pattern it is not a DNSBL reject. */
	{ "named process: attested, has exited, was courier's",
	  NAMED("from gone couriers", "not_listed") },
	{ "named process: attested", NAMED("from smtpd", "not_listed") },
	{ "named process: hint", NAMED("hint smtpd", "not_listed") },
	{ "named process: hint, has exited, the address decides",
	  NAMED("hint gone", "not_listed") },
	{ "named process serves another",
	  DRY "put prove ip 203.0.113.9 port 1000 hint smtpd; look 1000; "
	  "counts refused.sender = 1" },
	/* The process that the second line names may delay the looker. */
	{ "blocks are written before a look",
	  "quiet; put block ip 203.0.113.9 port 1000; put prove hint smtpd; look 1000; "
	  "flushes_before_look = 1; counts blocks = 2; flushes = 3" },
	/* All smtpds are new to the first refresh, which takes long; the next ones do not, and
	 * are needed as soon. */
	{ "long refresh is soon repeated",
	  "quiet; refresh_takes 60; note_line; look 2000 within 3000 3000; refresh_takes 0; "
	  "look 3000 within 0 3499" },
	/* Anyone who can log can use a tenth of this thread's time at most. */
	{ "long look is followed by a longer rest",
	  "quiet; learning_takes 20; note_start; look 2000; looks = 1; note_start; "
	  "look 2199 within 2200 3000000; looks = 1; learning_takes 0; look 102000; looks = 2" },
	/* Nothing happens without a line. After one the index is kept up to date, and smtpds are
	 * pinned, for a minute, in which another line may come. The tcpd is pinned as long as it
	 * is alive. */
	{ "index is kept for lines",
	  "quiet; mark; look 1000 never; refresh; more = 2; note_line; look 2000 within 0 4999; "
	  "look 61000 within 0 2000000000; more = 2; look 62000 never; more = 1" },
	/* One still waits when as many come as there is room for. Not all are looked at in one
	 * run. */
	{ "one too many is refused",
	  "quiet; from_now; no_descriptors; put prove; look +0; fill_queue; look +1000 at_once; "
	  "look +1000; descriptors_again; looks_are_repeated; counts refused.busy = 1" },

	/* --- a process that keeps a reader waiting --- */

	/* The first smtpd is listed; the second is a relay client's, as is seen later. */
	{ "one of two cannot be looked at, and the index has it",
	  SECOND "refresh; hang second; put prove port 0; look 2000; repeated; let_go second; "
	  "relays second; look 3000; repeated; counts allowed = 1" },
	{ "one of two cannot be looked at, and a thorough search does not find it",
	  DRY "second RELAYCLIENT=; refresh; hang second; put prove port 0; look 2000; repeated; "
	  "let_go second; relays second; look 3000; repeated; counts allowed = 1" },
	/* That the first serves the peer says nothing. */
	{ "named process cannot be looked at",
	  "env smtpd BLOCK=; " SECOND "hang second; put prove hint second; look 2000; repeated; "
	  "let_go second" },
	{ "one of two to end cannot be looked at",
	  SECOND "hang second; put end port 0; look 2000; repeated; let_go second" },
	{ "submit cannot be looked at",
	  DRY "env smtpd " OFFERS "; hang submit; put prove hint smtpd; look 1000; repeated; "
	  "let_go submit" },
	/* A line is not repeated for that. */
	{ "nobody is found beside one that keeps waiting",
	  DRY "second; hang second; put prove ip 203.0.113.9 port 1000; look 1000; "
	  "counts refused.no_child = 1; counts looks_repeated = 0; let_go second" },
	/* verify="none". Where no smtpd is to end nobody is searched for. */
	{ "line alone is enough",
	  DRY "set verify none; put block hint smtpd; look 1000 never; counts allowed = 0; "
	  "counts would_block = 1" },
	{ "line alone is enough, but for a relay client that is known",
	  DRY "set verify none; env smtpd " RELAYS "; refresh; put block; look 1000 never; "
	  "counts allowed = 1; counts would_block = 0" },
	{ "line alone is enough, but for a relay client",
	  DRY "set verify none; env smtpd " RELAYS "; put block hint smtpd; look 1000 never; "
	  "counts allowed = 1; counts would_block = 0" },
};
TEST_SCRIPTS(scripts)

/* --- many --- */

static uint64_t refused(const struct harness *e)
{
	return harness_count(e, COUNTER_REFUSED_NO_CHILD) +
	       harness_count(e, COUNTER_REFUSED_BUSY);
}

static bool all_refused(void *data)
{
	return refused(data) == 3000;
}

/* Every line gets a result, and searching in vain costs little: a thorough search reads every
 * process, so it is rate-limited. */
TEST(searches_are_rationed)
{
	unsigned int before, i;
	int64_t began, took;
	struct harness e;

	harness_open(&e);
	harness_start(&e);
	before = fakelists_opened();
	began = clock_ms();
	for (i = 0; i < 3000; i++)
		ask_for_nobody(&e, i);
	want_int(soon(all_refused, &e), true);
	took = clock_ms() - began;
	/* Each opens a handful of files of the processes that are there. */
	want_int(fakelists_opened() - before < 200 + (unsigned int)took * 10, true);
	want_int(harness_count(&e, COUNTER_BLOCKS), 0);
	harness_stop(&e);
	want_int(is_living(e.smtpd), true);
	harness_close(&e);
}

/* Anyone who can log can trigger a search, but not without limit, and no caller waits for
 * it. */
TEST(looks_are_rationed)
{
	int64_t began, took;
	struct harness e;
	unsigned int i;

	harness_open(&e);
	harness_set(&e, "terminate", "off");
	fakeproc_last_pid(&e.tree, e.submit + 40);
	looks = 0;
	harness_start(&e);
	began = clock_ms();
	for (i = 0; i < 20000; i++) {
		harness_started(&e, 0);
		if (i == 10000)
			harness_hand(&e, REJECT, 0);
	}
	harness_want_soon(&e, COUNTER_BLOCKS, 1);
	harness_stop(&e);
	took = clock_ms() - began;
	want_int(looks > 0, true);
	want_int(looks <= (unsigned int)took + 2, true);
	want_int(harness_count(&e, COUNTER_REFUSED_BUSY), 0);
	harness_close(&e);
}
