/* Ends children: each at its time. Times here are what the test says they are;
 * processes are real, and what they do is waited for.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "terminate/terminator.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tcp_reset.h"
#include "tests/unit/guard.h"
#include "tests/unit/processes.h"
#include "tests/unit/scene.h"
#include "tests/unit/want_alert.h"

/* The kernel's name for any connection. */
#define COOKIE 0x5eed0000000001

/* The requested reset, and the kernel's answer; the connection's owner, as the kernel reports
 * it the first time and later. */
static struct {
	unsigned int count;
	int answer;
	struct tcp_reset_ends ends;
	unsigned int asked;
	int held[2];
	struct tcp_reset_ends asked_for;
} resets;

int __wrap_tcp_reset_connection(struct tcp_reset *reset, const struct tcp_reset_ends *ends);

int __wrap_tcp_reset_connection(struct tcp_reset *reset, const struct tcp_reset_ends *ends)
{
	(void)reset;
	resets.count++;
	resets.ends = *ends;
	return resets.answer;
}

int __wrap_tcp_reset_is_held(struct tcp_reset *reset, const struct tcp_reset_ends *ends);

int __wrap_tcp_reset_is_held(struct tcp_reset *reset, const struct tcp_reset_ends *ends)
{
	(void)reset;
	resets.asked_for = *ends;
	return resets.held[resets.asked++ ? 1 : 0];
}

/* What the kernel says of a couriertls that is left, which may end meanwhile; and that it
 * cannot be known whether somebody serves the peer. */
static struct {
	uint64_t cookie;
	bool ends;
	bool is_not_known;
} left;

uint64_t __real_smtpd_cookie(const struct smtpd_rules *rules, pid_t pid,
			     const struct smtpd_peer *peer);
uint64_t __wrap_smtpd_cookie(const struct smtpd_rules *rules, pid_t pid,
			     const struct smtpd_peer *peer);
bool __real_smtpd_is_served(const struct smtpd_rules *rules, const struct smtpd_peer *peer,
			    struct smtpd_scratch *scratch);
bool __wrap_smtpd_is_served(const struct smtpd_rules *rules, const struct smtpd_peer *peer,
			    struct smtpd_scratch *scratch);

uint64_t __wrap_smtpd_cookie(const struct smtpd_rules *rules, pid_t pid,
			     const struct smtpd_peer *peer)
{
	if (left.ends) {
		want_int(kill(pid, SIGKILL), 0);
		want_int(has_ended_soon(pid), true);
	}
	return left.cookie ? left.cookie : __real_smtpd_cookie(rules, pid, peer);
}

bool __wrap_smtpd_is_served(const struct smtpd_rules *rules, const struct smtpd_peer *peer,
			    struct smtpd_scratch *scratch)
{
	return left.is_not_known || __real_smtpd_is_served(rules, peer, scratch);
}

/* Of each point: the terminator, the termination that is being prepared, and the time of the
 * last run and of the next one. */
static struct terminator *terminator;
static struct counters counters;
static struct alerts alerts;
static struct termination t;
static int64_t now, due;

/* Smtpds that were opened beside those that are terminated; and processes in a crowd. */
static struct smtpd known[4];
static size_t known_count;
static pid_t crowd[150];
static size_t crowd_count;

static void before(void)
{
	memset(&resets, 0, sizeof(resets));
	memset(&left, 0, sizeof(left));
	memset(&counters, 0, sizeof(counters));
	memset(&alerts, 0, sizeof(alerts));
	t = (struct termination){ .smtpd = SMTPD_NONE };
	want_int(terminator_new(&terminator), 0);
}

static void after(void)
{
	terminator_free(terminator);
	while (known_count > 0)
		smtpd_done(&known[--known_count]);
	while (crowd_count > 0)
		waiter_end(crowd[--crowd_count]);
}

SCENE("", before, after)

/* --- verbs --- */

static int option(char **args, const char *word, int otherwise)
{
	const char *text = scene_option(args, word, NULL);

	return text ? scene_number(text) : otherwise;
}

static struct termination blank(char **args)
{
	return (struct termination){
		.smtpd = SMTPD_NONE,
		.rules = &scene.rules,
		.counters = &counters,
		.alerts = &alerts,
		.signal = option(args, "signal", SIGTERM),
		.kill_after = (unsigned int)option(args, "kill", 2000),
		.reset = scene_has(args, "reset"),
		.reset_delay = (unsigned int)option(args, "reset", 0),
		.spares_login = scene_has(args, "spares"),
	};
}

/* A verified smtpd. */
VERB(prove)
{
	struct smtpd_facts unused;
	int r;

	t = blank(args);
	r = smtpd_open(&scene.rules, scene_pid(args[0]), scene.scratch, &t.smtpd, &unused);
	t.smtpd.cookie = scene_has(args, "unknown") ? 0 : COOKIE;
	return r;
}

/* Any process, pinned as if it were an smtpd. */
static int pin(pid_t pid, char **args)
{
	t = blank(args);
	t.smtpd.cookie = COOKIE;
	return pidref_open(pid, &t.smtpd.process);
}

VERB_IS(pin, pin(scene_pid(args[0]), args))
VERB_IS(submit_pinned, pidref_open(getpid(), &t.smtpd.submit))
VERB_IS(signal, terminator_signal(&t))

static void add_at(int64_t time)
{
	terminator_add(terminator, &t, time);
	want_int(t.smtpd.process.fd == -1 && t.smtpd.tls.fd == -1, true);
}

VERB(add)
{
	struct smtpd_rules rules = { .fd_end = t.smtpd.process.fd + 1 };
	const bool starved = scene_has(args, "starved");

	if (scene_has(args, "unpinnable"))
		t.rules = &rules;
	if (starved)
		memory_fail(1);
	add_at(atoi(args[0]));
	want_int(!starved || memory_failed(), true);
	return 0;
}

/* "run 200", "run next", "run +1"; then the time of the next run: a number, "never", or
 * "within 3 5". The same as before, if the run is early. */
VERB(run)
{
	const bool early = strcmp(args[0], "early") == 0;
	const int64_t expected = due;
	char **want = args + 1;

	if (early)
		now = due - 1;
	else if (strcmp(args[0], "next") == 0)
		now = due;
	else
		now = atoi(args[0]) + (args[0][0] == '+' ? now : 0);
	due = terminator_run(terminator, now);
	if (early)
		want_int(due, expected);
	else if (*want && strcmp(*want, "within") == 0)
		want_int(due >= atoi(want[1]) && due <= atoi(want[2]), true);
	else if (*want)
		want_int(due, strcmp(*want, "never") ? atoi(*want) : TERMINATOR_NEVER);
	return 0;
}

VERB(run_to_the_end)
{
	while (due != TERMINATOR_NEVER)
		due = terminator_run(terminator, due);
	return 0;
}

VERB_IS(wait, wait_readable(terminator_fd(terminator)) ? 0 : -ETIMEDOUT)
VERB_DO(skip, terminator_skip_ends(terminator))
VERB_DO(flush, terminator_flush(terminator))
VERB_IS(pending, (int)terminator_pending(terminator))

VERB(free)
{
	terminator_free(terminator);
	terminator = NULL;
	return 0;
}

VERB(renew)
{
	terminator_free(terminator);
	return terminator_new(&terminator);
}

static bool is_readable(void)
{
	struct pollfd p = { .fd = terminator_fd(terminator), .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

VERB_IS(readable, is_readable())

VERB(lives)
{
	for (; *args; args++)
		want_int(is_living(scene_pid(*args)), true);
	return 0;
}

VERB(ends)
{
	for (; *args; args++)
		want_int(has_ended_soon(scene_pid(*args)), true);
	return 0;
}

/* The signal that terminated it. */
VERB(by)
{
	siginfo_t info;

	want_int(waitid(P_PID, (id_t)scene_pid(args[0]), &info, WEXITED | WNOWAIT), 0);
	want_int(info.si_code, CLD_KILLED);
	want_int(info.si_status, scene_number(args[1]));
	return 0;
}

/* Kill it, and wait until its parent has reaped it. */
VERB(vanish)
{
	const pid_t pid = scene_pid(args[0]);

	want_int(kill(pid, SIGKILL), 0);
	return SOON(kill(pid, 0) < 0) ? 0 : -EIO;
}

VERB_IS(reuse, guard_fork_as(scene_pid(args[0])) == scene_pid(args[0]) ? 0 : -EIO)

/* An smtpd that is opened beside; is it one that is terminated, perhaps with another peer? */
VERB(know)
{
	struct smtpd_facts unused;

	return smtpd_open(&scene.rules, scene_pid(args[0]), scene.scratch, &known[known_count++],
			  &unused);
}

VERB(has)
{
	const pid_t pid = scene_pid(args[0]);
	struct smtpd smtpd;
	size_t i = 0;

	while (known[i].process.pid != pid)
		want_int(++i < known_count, true);
	smtpd = known[i];
	smtpd.peer.port = (uint16_t)(smtpd.peer.port + scene_has(args, "port"));
	smtpd.peer.addr.bytes[0] = (uint8_t)(smtpd.peer.addr.bytes[0] + scene_has(args, "ip"));
	return terminator_has(terminator, &smtpd,
			      scene_has(args, "own") ? &counters : NULL);
}

/* All counters that are not 0. */
VERB(counted)
{
	char text[COUNTERS_FORMAT_SIZE];

	counters_format(&counters, text, sizeof(text));
	return scene_want_words(text, args);
}

VERB_IS(errors, (int)counters_get(&counters, COUNTER_SIGNAL_ERRORS))
VERB_DO(alert, want_alert(&alerts, scene_has(args, "reset") ? ALERT_RESET : ALERT_SIGNAL,
			  scene_number(args[1])))
VERB_DO(no_alert, want_no_alert(&alerts))

static int answer(const char *text)
{
	return *text == 'E' ? -scene_number(text) : atoi(text);
}

/* Has a process the connection, at the first query and later? */
VERB_DO(held, (resets.held[0] = answer(args[0]), resets.held[1] = answer(args[1])))
VERB_DO(refuse, resets.answer = answer(args[0]))

VERB(left)
{
	left.cookie = scene_has(args, "cookie") ? COOKIE : 0;
	left.ends = scene_has(args, "ends");
	left.is_not_known = scene_has(args, "unknown");
	return 0;
}

static void want_ends(const struct tcp_reset_ends *ends, char **args)
{
	char text[ADDR_TEXT_SIZE];

	want_str(addr_format(&ends->remote, text), "192.0.2.7");
	want_str(addr_format(&ends->local, text), "192.0.2.1");
	want_int(ends->remote_port, 41703);
	want_int(ends->local_port, option(args, "on", 25));
	want_int(ends->cookie == (scene_has(args, "unknown") ? 0 : COOKIE), true);
}

VERB(asked)
{
	want_int(resets.asked, atoi(args[0]));
	if (resets.asked)
		want_ends(&resets.asked_for, args);
	return 0;
}

VERB(resets)
{
	want_int(resets.count, atoi(args[0]));
	if (resets.count)
		want_ends(&resets.ends, args);
	return 0;
}

/* Add that many processes for a time that does not come. */
VERB(crowd)
{
	while (crowd_count < (size_t)atoi(args[0])) {
		crowd[crowd_count] = waiter_start();
		want_int(pin(crowd[crowd_count++], args), 0);
		add_at(100000);
	}
	return 0;
}

/* --- scripts --- */

#define PLAIN "real; plain s; prove s; "
#define SMTPS "real; smtps s tls on 465; prove s; "
#define STARTTLS "real; starttls s tls; prove s; "
/* One that might log in. */
#define LOGIN "tcpd t; smtpd s BLOCK=Listed; prove s spares; add 200; run 0 200; "
/* One that exits, with the couriertls that has its connection left. */
#define LEFT "add 200; run 200; ends s; run 201"
#define LEFT_ENDS(how) how "; starttls o otls port 41704; add 200; run 200; ends s; run 201 " \
	"within 202 700; counted ended=1; lives tls; run next; ends tls; run +1; run +1 never; " \
	"lives o otls; counted ended=1; "
#define RESET(how) "real; plain s; " how "add 200; run 200; ends s; run 201; run 300 never; "

static const struct script scripts[] = {
	/* The proof's descriptors are closed: there may be many being terminated. */
	{ "its submit is released",
	  PLAIN "mark; submit_pinned; more = 1; add 1000; more = 0" },
	{ "delay is kept",
	  "real; run 0 never; plain s; plain o port 41704; prove s; add 1000; pending = 1; "
	  "run 0 1000; run 999 1000; lives s; pending = 1; readable = 0; run 1000; pending = 0; "
	  /* A plain connection leaves no couriertls to look for. */
	  "ends s; run 1001 never; asked 1; counted ended=1; lives o t" },
	{ "known from its hand-over to its exit, by its PID and peer",
	  PLAIN "plain o port 41704; know s; know o; has s = 0; add 1000; has s = 1; "
	  "has s own = 1; has o = 0; "
	  "has s port = 0; has s ip = 0; run 0; has s = 1; run 1000; ends s; run 1001; has s = 0" },
#define SIGNAL(name)                                                                         \
	{ "signal is " name, "real; waiter w; pin w signal " name "; add 5; run 5; by w " name \
	  "; run 6; counted ended=1" }
	SIGNAL("TERM"), SIGNAL("HUP"), SIGNAL("KILL"),
	/* terminate.delay="0": the terminator only watches the exit. No process has it open:
	 * there is no search for a couriertls. */
	{ "signalled by the worker",
	  PLAIN "signal; ends s; add 7; pending = 0; run 7; counted ended=1; run 8 never; "
	  "counted ended=1" },
	/* The next run checks what this one did not. */
	{ "exits are skipped once",
	  PLAIN "add 5; run 5; wait; skip; run 6 2005; counted; readable = 1; run 7 never; "
	  "counted ended=1" },
	{ "has exited in the delay",
	  PLAIN "vanish s; add 10; run 10; run 100; run 5000 never; counted gone=1" },
	{ "has exited before the worker's signal",
	  PLAIN "vanish s; signal = ESRCH; add 10; run 10; run 100; run 5000 never; "
	  "counted gone=1" },
	/* The submit of that moment decides; without one it is unknown for a while. */
	{ "logs in during the delay",
	  LOGIN "submit u RELAYCLIENT=; run 200 never; lives s; pending = 0; counted spared=1" },
	{ "logs in while courier replaces the submit",
	  LOGIN "run 200 400; lives s; submit u RELAYCLIENT=; run 400 never; lives s; "
	  "counted spared=1" },
	{ "does not log in", LOGIN "submit u BLOCK=Listed; run 200; ends s; pending = 0" },
	{ "has no submit for long",
	  LOGIN "run 200 400; run 400 600; run 600 800; run 800 1000; run 1000 1200; lives s; "
	  "run 1200; ends s" },
	{ "flush spares a login",
	  LOGIN "submit u RELAYCLIENT=; flush; lives s; counted" },
	{ "flush spares one whose submit courier replaces", LOGIN "flush; lives s; counted" },
	{ "submit cannot be read", LOGIN "drop s; run 200; ends s" },
	{ "submit cannot be read for want of descriptors",
	  LOGIN "submit u BLOCK=Listed; spare 0; run 200 400; lives s; run 400; ends s" },
	{ "its PID is used again before the signal",
	  "root; waiter w; pin w; add 200; run 0; end w; reuse w; run 200; run 3000; run 30000; "
	  "counted gone=1; lives w; end w" },

	/* A stopped process does not handle TERM. */
	{ "killed when it stays",
	  PLAIN "stop s; add 200; run 200 2200; run 2199 2200; lives s; counted; run 2200; ends s; "
	  "run 2201; run 2300 never; counted ended=1 killed=1" },
	/* Watched for a while, then forgotten. */
	{ "never killed",
	  "real; plain s; stop s; prove s kill 0; add 200; run 200 within 201 3599999; "
	  "run next never; lives s; counted; go s; ends s" },
	{ "never killed, and counted when it exits late",
	  "real; plain s; stop s; prove s kill 0; add 200; run 200; run 5000; counted; go s; wait; "
	  "run 5001 never; counted ended=1" },
	{ "courieresmtpd of a pair stays and is killed",
	  SMTPS "stop s; add 200; run 200; ends tls; run 300 2200; counted; run 2200; ends s tls; "
	  "run 2201; counted ended=1 killed=1; run 2300 never" },
	{ "couriertls of a pair stays and is killed",
	  SMTPS "stop tls; add 200; run 200; ends s; run 300 2200; counted; run 2200; ends s tls; "
	  "run 2201; counted ended=1 killed=1; run 2300 never" },
	/* Both exits are there at once, unless they were seen already. The couriertls has been
	 * seen to exit: no query is needed. */
#define BOTH(how) SMTPS "smtps o otls port 5 on 465; " how "add 20; run 20; ends s tls; run 21; " \
	"run 22; run 100 never; counted ended=1; asked 0; lives o otls"
	{ "both of a pair, after the delay", BOTH("") },
	{ "both of a pair, by the worker", BOTH("signal; ") },
	/* The couriertls has the slot all the same. */
	{ "couriertls, although its courieresmtpd has exited",
	  SMTPS "vanish s; add 20; run 20; ends tls; run 21; run 100 never; counted gone=1" },
	{ "couriertls is killed, although its courieresmtpd had exited",
	  SMTPS "stop tls; kill s; add 200; run 200; lives tls; run 2200; ends tls" },

	/* STARTTLS. The couriertls has a moment to exit by itself. "Not known" is not "no
	 * owner". */
	{ "left couriertls, after the delay", STARTTLS LEFT_ENDS("held 1 1") "asked 2" },
	{ "left couriertls, by the worker", STARTTLS LEFT_ENDS("held 1 1; signal") "asked 2" },
	{ "left couriertls, STARTTLS came before the first look",
	  "real; starttls s tls; prove s unknown; " LEFT_ENDS("held 0 0") "asked 0" },
	{ "left couriertls, the kernel cannot be asked",
	  STARTTLS LEFT_ENDS("held EAFNOSUPPORT EAFNOSUPPORT") "asked 1" },
	{ "left couriertls, its own end is not known",
	  STARTTLS LEFT_ENDS("held EINVAL EINVAL; signal") "asked 1" },
	{ "left couriertls, the kernel cannot be asked any more",
	  STARTTLS LEFT_ENDS("held 1 EMFILE") "asked 2" },
	/* The processes that could be found show that there is no search. */
	{ "no couriertls is searched for if no process has the connection",
	  STARTTLS LEFT " never; run 1000 never; asked 1; lives tls; counted ended=1" },
	{ "no couriertls is searched for if the connection was closed",
	  STARTTLS "held 1 0; " LEFT " within 202 700; run 1000 never; asked 2; lives tls; "
	  "counted ended=1" },
	/* Without a cookie it is not known to which of the connections a couriertls belongs. */
	{ "couriertls of a later connection from the same port",
	  "real; starttls s tls; prove s unknown; add 200; run 200; ends s; starttls l ltls; "
	  "run 201 within 202 700; run next never; lives tls l ltls; counted ended=1" },
	/* That connection is the only one with those ends: nobody has to be asked. */
	{ "connection that is held is no later one",
	  STARTTLS "held 1 1; left unknown; " LEFT "; run next; ends tls" },
	{ "left couriertls that stays",
	  STARTTLS "held 1 1; stop tls; " LEFT "; run next within 202 4199; lives tls; run next; "
	  "ends tls; run +1; run +1 never; counted ended=1 killed=1" },
	{ "left couriertls that exits",
	  STARTTLS "held 1 1; " LEFT "; kill tls; run next never; counted ended=1" },
	/* With all places taken, its own courieresmtpd's among them. */
	{ "full for a left couriertls",
	  "real; limit 64; renew; held 1 1; starttls s tls; prove s; add 5; crowd 15; run 5; "
	  "ends s; run 6; lives tls; run 1000; ends tls" },

	/* Its descriptors are needed to look at other processes. */
	{ "no descriptors to stay",
	  "real; waiter w; pin w; add 1000 unpinnable; ends w; pending = 0; counted unwatched=1" },
	{ "no memory for one",
	  PLAIN "add 1000 starved; ends s; pending = 0; run 0 never; counted unwatched=1" },
	/* Counted only as that. */
	{ "no memory for one that has exited",
	  "real; waiter w; pin w; end w; add 1000 starved; counted gone=1" },
	{ "no memory for one that has exited before the worker's signal",
	  "real; waiter w; pin w; end w; signal = ESRCH; add 1000 starved; counted gone=1" },

	/* A later exit is not due to the module. */
	{ "no right to signal",
	  "root; plain s; prove s; add 200; as nobody; run 200; lives s; counted signal_errors=1; "
	  "alert signal EPERM; kill s; run 300; run 2300; counted signal_errors=1" },
	{ "no right to kill, and not kept for ever",
	  "root; plain s; prove s; add 200; as nobody; run 200; as nobody; run 2200; lives s; "
	  "errors >= 1; run 3600000 never; lives s" },
	{ "no reset without the signal",
	  "root; plain s; prove s reset 0; add 200; as nobody; run 200; kill s; run_to_the_end; "
	  "resets 0" },

	/* No process is signalled twice. */
	{ "flush signals all",
	  "real; plain s; smtps p tls on 465; plain q port 41704; prove s; add 100000; prove p; "
	  "add 50000; run 0; prove q; add 200000; pending = 3; flush; pending = 0; ends s p tls q; "
	  "flush; counted" },
	{ "free releases",
	  SMTPS "plain q port 41704; add 1000; run 0; prove q; add 1000; free; lives s tls q" },
	/* A process forked meanwhile, as by rsyslogd, shares its descriptor: the epoll set would
	 * keep it, with a pointer to freed memory. */
	{ "a forgotten one is not reported",
	  "real; waiter w; stop w; pin w kill 0; add 0; run 0; waiter o; run next never; lives w; "
	  "end w; readable = 0" },

	/* terminate.reset. The first run after the exit may not be the first to see it. */
#define DELAYED(ends, on) "add 200; run 200; ends " ends "; run 201 within 500 501; run early; " \
	"resets 0; run next never; resets 1 on " on "; counted ended=1 resets=1"
	{ "reset after its delay, plain",
	  "real; plain s; prove s reset 300; " DELAYED("s", "25") },
	{ "reset after its delay, port 465",
	  "real; smtps s tls on 465; prove s reset 300; " DELAYED("s tls", "465") },
	/* The couriertls left behind keeps the connection open until it exits too. */
	{ "reset after couriertls",
	  "real; held 1 1; starttls s tls; prove s reset 0; " LEFT "; lives tls; run next; "
	  "resets 0; ends tls; run +1; run +1 never; resets 1" },
	{ "no reset, off", RESET("prove s; ") "resets 0; counted ended=1; no_alert" },
	{ "no reset, it had exited by itself",
	  RESET("prove s reset 0; vanish s; ") "resets 0; counted gone=1; no_alert" },
	{ "no reset, the connection is gone",
	  RESET("prove s reset 0; refuse ENOENT; ") "resets 1; counted ended=1; no_alert" },
	{ "no reset, no right",
	  RESET("prove s reset 0; refuse EPERM; ") "resets 1; counted ended=1; alert reset EPERM" },
	{ "no reset, not in the kernel",
	  RESET("prove s reset 0; refuse EOPNOTSUPP; ")
	  "resets 1; counted ended=1; alert reset EOPNOTSUPP" },
	/* STARTTLS came before the first look: the one that is left has the connection, if it
	 * is there still when the kernel has answered. */
#define LATE "real; starttls s tls; prove s unknown reset 0; "
	{ "left couriertls gives the connection",
	  LATE "left cookie; " LEFT "; run next; ends tls; run +1; run +1 never; resets 1" },
	{ "left couriertls gives no connection if it exits meanwhile",
	  LATE "left cookie ends; " LEFT "; run next; ends tls; run +1; run +1 never; "
	  "resets 1 unknown" },
};
TEST_SCRIPTS(scripts)

/* --- many --- */

static char *no_options[] = { NULL };

static pid_t add_waiter(int64_t time)
{
	const pid_t pid = crowd[crowd_count++] = waiter_start();

	want_int(pin(pid, no_options), 0);
	t.kill_after = 100000;
	add_at(time);
	return pid;
}

static void set_limit(rlim_t limit, struct rlimit *ret_old)
{
	struct rlimit low;

	want_int(getrlimit(RLIMIT_NOFILE, ret_old), 0);
	low = *ret_old;
	low.rlim_cur = limit;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
}

static void want_counted(const char *want)
{
	char text[COUNTERS_FORMAT_SIZE];

	counters_format(&counters, text, sizeof(text));
	want_str(text, want);
}

/* At any time exactly those have exited whose delay is over. */
TEST(order_by_due_time)
{
	enum { MANY = 120 };
	uint64_t seed = 0x5eed;
	int64_t times[MANY], time, next;
	int i;

	scene_open();
	for (i = 0; i < MANY; i++) {
		times[i] = (int64_t)(support_random(&seed) % 50);
		add_waiter(times[i]);
		/* Some are in the heap already when others come. */
		if (i % 7 == 0)
			terminator_run(terminator, -1);
	}
	for (time = 0; time < 50; time++) {
		next = terminator_run(terminator, time);
		for (i = 0; i < MANY; i++) {
			if (times[i] == time)
				want_int(has_ended_soon(crowd[i]), true);
			if (times[i] > time)
				want_int(is_living(crowd[i]) && next <= times[i], true);
		}
	}
	want_int(terminator_pending(terminator), 0);
	terminator_run(terminator, 200);
	want_int(terminator_run(terminator, 300), TERMINATOR_NEVER);
	want_counted("ended=120");
	scene_close();
}

/* More events than are taken at a time, and the fd is quiet afterwards. */
TEST(many_exit_at_once)
{
	size_t i;

	scene_open();
	while (crowd_count < COUNT_OF(crowd))
		process_stop(add_waiter(5));
	terminator_run(terminator, 5);
	want_counted("");
	for (i = 0; i < crowd_count; i++)
		want_int(kill(crowd[i], SIGCONT), 0);
	for (i = 0; i < crowd_count; i++)
		want_int(has_ended_soon(crowd[i]), true);
	want_int(terminator_run(terminator, 6), TERMINATOR_NEVER);
	want_counted("ended=150");
	want_int(terminator_run(terminator, 100), TERMINATOR_NEVER);
	want_int(is_readable(), false);
	want_counted("ended=150");
	scene_close();
}

static void renew_with_limit(rlim_t limit)
{
	struct rlimit old;

	terminator_free(terminator);
	set_limit(limit, &old);
	want_int(terminator_new(&terminator), 0);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/* A full terminator signals at once. Half of the descriptors are for others. */
TEST(full)
{
	int i, living = 0;

	scene_open();
	renew_with_limit(160);
	for (i = 0; i < 100; i++)
		add_waiter(1000);
	want_int(terminator_run(terminator, 0), 1000);
	for (i = 0; i < 100; i++)
		living += i < 40 ? is_living(crowd[i]) : !has_ended_soon(crowd[i]);
	want_int(living, 40);
	want_int(terminator_pending(terminator), 40);
	want_counted("unwatched=60");
	scene_close();
}

/* There is room again once the smtpds have exited. */
TEST(room_again)
{
	int64_t i;

	scene_open();
	renew_with_limit(64);
	for (i = 0; i < 100000; i += 1000) {
		add_waiter(i);
		want_int(terminator_pending(terminator), 1);
		terminator_run(terminator, i);
		want_int(has_ended_soon(crowd[crowd_count - 1]), true);
		terminator_run(terminator, i + 1);
		want_int(terminator_run(terminator, i + 100), TERMINATOR_NEVER);
	}
	want_counted("ended=100");
	scene_close();
}

static int make_one(void *data)
{
	struct terminator *one;
	int r = terminator_new(&one);

	(void)data;
	if (r == 0)
		terminator_free(one);
	return r;
}

TEST(no_memory_at_all)
{
	struct rlimit old;
	int r;

	want_int(memory_fail_each(make_one, NULL) > 0, true);
	set_limit(3, &old);
	r = make_one(NULL);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
	terminator_free(NULL);
}
