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
#include "tests/unit/support.h"
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

/* As it is while a couriertls has it. */
static void hold_connection(void)
{
	resets.held[0] = 1;
	resets.held[1] = 1;
}

struct fixture {
	struct terminator *terminator;
	struct procfs procfs;
	struct smtpd_rules rules;
	struct smtpd_scratch scratch;
	struct counters counters;
	struct alerts alerts;
	struct courier courier;
	size_t descriptors;
};

static struct fixture f;

/* A case with two variants. */
struct way {
	const char *label;
	bool other;
};

static const struct peer a_client = {
	.ip = "::ffff:192.0.2.7", .port = 41703, .local_port = 25,
};

static const struct peer neighbour = {
	.ip = "::ffff:192.0.2.7", .port = 41704, .local_port = 25,
};

static const struct peer somebody_tls = {
	.ip = "::ffff:192.0.2.7", .port = 41703, .local_port = 465,
};

static void fixture_open(void)
{
	memset(&f, 0, sizeof(f));
	f.descriptors = descriptors_open();
	courier_start(&f.courier);
	want_int(procfs_init(&f.procfs, PROCFS_DEFAULT_ROOT), 0);
	memset(&resets, 0, sizeof(resets));
	f.rules.procfs = &f.procfs;
	f.rules.uid = geteuid();
	want_int(looker_new(&f.procfs, &f.rules.looker), 0);
	want_int(tcpd_new(&f.procfs, f.rules.looker, f.rules.uid, &f.rules.tcpds), 0);
	want_int(terminator_new(&f.terminator), 0);
}

static void fixture_close(void)
{
	terminator_free(f.terminator);
	courier_stop(&f.courier);
	tcpd_free(f.rules.tcpds);
	want_int(looker_free(f.rules.looker), true);
	want_int(descriptors_open(), f.descriptors);
}

TEST_EACH(fixture_open, fixture_close)

static struct termination blank(unsigned int kill_after)
{
	return (struct termination){
		.smtpd = SMTPD_NONE,
		.rules = &f.rules,
		.counters = &f.counters,
		.alerts = &f.alerts,
		.signal = SIGTERM,
		.kill_after = kill_after,
	};
}

/* A proven smtpd of the stand-in courier. */
static struct termination of_child(pid_t pid, unsigned int kill_after)
{
	struct termination t = blank(kill_after);
	struct smtpd_facts unused;

	want_int(smtpd_open(&f.rules, pid, &f.scratch, &t.smtpd, &unused), 0);
	t.smtpd.cookie = COOKIE;
	return t;
}

/* Any process, pinned as if it were an smtpd. */
static struct termination of_process(pid_t pid, unsigned int kill_after)
{
	struct termination t = blank(kill_after);

	want_int(pidref_open(pid, &t.smtpd.process), 0);
	t.smtpd.cookie = COOKIE;
	return t;
}

static void add(struct termination *t, int64_t due)
{
	terminator_add(f.terminator, t, due);
	want_int(t->smtpd.process.fd == -1 && t->smtpd.tls.fd == -1, true);
}

/* The proof's descriptors are closed at the hand-over: there may be many being terminated. */
TEST(its_submit_is_released)
{
	struct termination t;
	struct connection c;
	size_t before;

	c = courier_plain(&f.courier, &a_client);
	t = of_child(c.smtpd, 0);
	before = descriptors_open();
	want_int(pidref_open(getpid(), &t.smtpd.submit), 0);
	want_int(descriptors_open(), before + 1);
	add(&t, 1000);
	want_int(descriptors_open(), before);
}

/* Run once a process has exited. */
static int64_t run_after_end(int64_t now)
{
	want_int(wait_readable(terminator_fd(f.terminator)), true);
	return terminator_run(f.terminator, now);
}

static void want_counted(const unsigned int ended,
			 unsigned int gone, unsigned int killed,
			 unsigned int errors)
{
	want_int(counters_get(&f.counters, COUNTER_ENDED), ended);
	want_int(counters_get(&f.counters, COUNTER_GONE), gone);
	want_int(counters_get(&f.counters, COUNTER_KILLED), killed);
	want_int(counters_get(&f.counters, COUNTER_SIGNAL_ERRORS), errors);
}

static bool fd_is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* --- one smtpd --- */

TEST(delay_is_kept)
{
	struct connection c, other;
	struct termination t;

	want_int(terminator_run(f.terminator, 0), TERMINATOR_NEVER);
	c = courier_plain(&f.courier, &a_client);
	other = courier_plain(&f.courier, &neighbour);
	t = of_child(c.smtpd, 2000);
	add(&t, 1000);
	want_int(terminator_pending(f.terminator), 1);
	want_int(terminator_run(f.terminator, 0), 1000);
	want_int(terminator_run(f.terminator, 999), 1000);
	want_int(is_living(c.smtpd), true);
	want_int(terminator_pending(f.terminator), 1);
	want_int(fd_is_readable(terminator_fd(f.terminator)), false);
	terminator_run(f.terminator, 1000);
	want_int(terminator_pending(f.terminator), 0);
	want_int(has_ended_soon(c.smtpd), true);
	/* A plain connection leaves no couriertls to look for. */
	want_int(terminator_run(f.terminator, 1001), TERMINATOR_NEVER);
	want_int(resets.asked, 1);
	want_counted(1, 0, 0, 0);
	want_int(is_living(other.smtpd), true);
	want_int(is_living(f.courier.tcpd), true);
	want_counted(1, 0, 0, 0);
}

/* An smtpd is known from its hand-over to its exit, by its PID and peer. */
TEST(known_while_it_is_terminated)
{
	struct termination t, again, other;
	struct connection c, d;
	struct smtpd stranger;

	c = courier_plain(&f.courier, &a_client);
	d = courier_plain(&f.courier, &neighbour);
	t = of_child(c.smtpd, 2000);
	again = of_child(c.smtpd, 2000);
	other = of_child(d.smtpd, 2000);
	want_int(terminator_has(f.terminator, &again.smtpd), false);
	add(&t, 1000);
	want_int(terminator_has(f.terminator, &again.smtpd), true);
	want_int(terminator_has(f.terminator, &other.smtpd), false);
	stranger = again.smtpd;
	stranger.peer.port++;
	want_int(terminator_has(f.terminator, &stranger), false);
	stranger = again.smtpd;
	stranger.peer.addr.bytes[0]++;
	want_int(terminator_has(f.terminator, &stranger), false);
	terminator_run(f.terminator, 0);
	want_int(terminator_has(f.terminator, &again.smtpd), true);
	terminator_run(f.terminator, 1000);
	want_int(has_ended_soon(c.smtpd), true);
	terminator_run(f.terminator, 1001);
	want_int(terminator_has(f.terminator, &again.smtpd), false);
	smtpd_done(&again.smtpd);
	smtpd_done(&other.smtpd);
}

struct signal_row {
	const char *label;
	int signal;
};

static const struct signal_row signal_rows[] = {
	{ "TERM", SIGTERM },
	{ "HUP", SIGHUP },
	{ "KILL", SIGKILL },
};

TEST_ROWS(signal_is_the_one, signal_rows)
{
	struct termination t;
	int status = 0;
	pid_t pid;

	pid = waiter_start();
	t = of_process(pid, 2000);
	t.signal = row->signal;
	add(&t, 5);
	terminator_run(f.terminator, 5);
	want_int(waitpid(pid, &status, 0), pid);
	want_int(WIFSIGNALED(status) ? WTERMSIG(status) : 0, row->signal);
	terminator_run(f.terminator, 6);
	want_counted(1, 0, 0, 0);
}

/* terminate.delay="0": the worker signals, and the terminator only watches the exit. */
TEST(signalled_by_the_worker)
{
	struct termination t;
	struct connection c;

	c = courier_plain(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	want_int(terminator_signal(&t), 0);
	want_int(has_ended_soon(c.smtpd), true);
	add(&t, 7);
	want_int(terminator_pending(f.terminator), 0);
	terminator_run(f.terminator, 7);
	want_counted(1, 0, 0, 0);
	/* No process has it open: there is no search for a couriertls. */
	want_int(terminator_run(f.terminator, 8), TERMINATOR_NEVER);
	want_counted(1, 0, 0, 0);
}

/* The next run checks what this one did not. */
TEST(exits_are_skipped_once)
{
	struct termination t;
	struct connection c;

	c = courier_plain(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	add(&t, 5);
	terminator_run(f.terminator, 5);
	want_int(wait_readable(terminator_fd(f.terminator)), true);
	terminator_skip_ends(f.terminator);
	want_int(terminator_run(f.terminator, 6), 2005);
	want_counted(0, 0, 0, 0);
	want_int(fd_is_readable(terminator_fd(f.terminator)), true);
	want_int(terminator_run(f.terminator, 7), TERMINATOR_NEVER);
	want_counted(1, 0, 0, 0);
}

static const struct way has_exited_before_ways[] = {
	{ "in the delay", false },
	{ "before the worker's signal", true },
};

TEST_ROWS(has_exited_before, has_exited_before_ways)
{
	bool by_worker = row->other;
	struct termination t;
	struct connection c;

	c = courier_plain(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	kill(c.smtpd, SIGKILL);
	want_int(has_ended_soon(c.smtpd), true);
	if (by_worker)
		want_int(terminator_signal(&t), -ESRCH);
	add(&t, 10);
	terminator_run(f.terminator, 10);
	terminator_run(f.terminator, 100);
	want_int(terminator_run(f.terminator, 5000), TERMINATOR_NEVER);
	want_counted(0, 1, 0, 0);
}

/* It exits by itself during the delay, and another process has its PID by the time of the
 * signal. */
TEST_AS_ROOT(pid_used_again)
{
	pid_t pid = waiter_start();
	struct termination t;

	t = of_process(pid, 2000);
	add(&t, 200);
	terminator_run(f.terminator, 0);
	waiter_end(pid);
	want_int(guard_fork_as(pid), pid);
	terminator_run(f.terminator, 200);
	terminator_run(f.terminator, 3000);
	terminator_run(f.terminator, 30000);
	want_counted(0, 1, 0, 0);
	want_int(is_living(pid), true);
	waiter_end(pid);
}

/* An smtpd that does not exit. A stopped process does not handle TERM. */

TEST(killed_when_it_stays)
{
	struct termination t;
	struct connection c;

	c = courier_plain(&f.courier, &a_client);
	process_stop(c.smtpd);
	t = of_child(c.smtpd, 2000);
	add(&t, 200);
	want_int(terminator_run(f.terminator, 200), 2200);
	want_int(terminator_run(f.terminator, 2199), 2200);
	want_int(is_living(c.smtpd), true);
	want_counted(0, 0, 0, 0);
	terminator_run(f.terminator, 2200);
	want_int(has_ended_soon(c.smtpd), true);
	terminator_run(f.terminator, 2201);
	want_int(terminator_run(f.terminator, 2300), TERMINATOR_NEVER);
	want_counted(1, 0, 1, 0);
}

TEST(never_killed)
{
	struct termination t;
	struct connection c;
	int64_t next;

	c = courier_plain(&f.courier, &a_client);
	process_stop(c.smtpd);
	t = of_child(c.smtpd, 0);
	add(&t, 200);
	next = terminator_run(f.terminator, 200);
	/* Watched for a while, then forgotten. */
	want_int(next > 200 && next < 3600000, true);
	want_int(terminator_run(f.terminator, next), TERMINATOR_NEVER);
	want_int(is_living(c.smtpd), true);
	want_counted(0, 0, 0, 0);
	want_int(kill(c.smtpd, SIGCONT), 0);
	want_int(has_ended_soon(c.smtpd), true);
}

/* It takes its time, and is counted all the same. */
TEST(never_killed_and_late)
{
	struct termination t;
	struct connection c;

	c = courier_plain(&f.courier, &a_client);
	process_stop(c.smtpd);
	t = of_child(c.smtpd, 0);
	add(&t, 200);
	terminator_run(f.terminator, 200);
	terminator_run(f.terminator, 5000);
	want_counted(0, 0, 0, 0);
	want_int(kill(c.smtpd, SIGCONT), 0);
	want_int(run_after_end(5001), TERMINATOR_NEVER);
	want_counted(1, 0, 0, 0);
}

static const struct way kill_of_a_pair_ways[] = {
	{ "courieresmtpd stays", false },
	{ "couriertls stays", true },
};

TEST_ROWS(kill_of_a_pair, kill_of_a_pair_ways)
{
	bool stop_tls = row->other;
	struct termination t;
	struct connection c;

	c = courier_smtps(&f.courier, &somebody_tls);
	t = of_child(c.smtpd, 2000);
	process_stop(stop_tls ? c.tls : c.smtpd);
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(has_ended_soon(stop_tls ? c.smtpd : c.tls), true);
	want_int(terminator_run(f.terminator, 300), 2200);
	want_counted(0, 0, 0, 0);
	terminator_run(f.terminator, 2200);
	want_int(has_ended_soon(c.smtpd) && has_ended_soon(c.tls), true);
	terminator_run(f.terminator, 2201);
	want_counted(1, 0, 1, 0);
	want_int(terminator_run(f.terminator, 2300), TERMINATOR_NEVER);
}

/* Port 465. */

static const struct way both_of_a_pair_ways[] = {
	{ "after the delay", false },
	{ "by the worker", true },
};

TEST_ROWS(both_of_a_pair, both_of_a_pair_ways)
{
	bool by_worker = row->other;
	const struct peer other_peer = { "::ffff:192.0.2.7", 5, 465, NULL };
	struct connection c, other;
	struct termination t;

	c = courier_smtps(&f.courier, &somebody_tls);
	other = courier_smtps(&f.courier, &other_peer);
	t = of_child(c.smtpd, 2000);
	if (by_worker)
		want_int(terminator_signal(&t), 0);
	add(&t, 20);
	terminator_run(f.terminator, 20);
	want_int(has_ended_soon(c.smtpd) && has_ended_soon(c.tls), true);
	/* Both events are there at once, unless they were seen already. */
	terminator_run(f.terminator, 21);
	terminator_run(f.terminator, 22);
	want_int(terminator_run(f.terminator, 100), TERMINATOR_NEVER);
	want_counted(1, 0, 0, 0);
	/* Its couriertls has been seen to exit: no query is needed. */
	want_int(resets.asked, 0);
	want_int(is_living(other.smtpd) && is_living(other.tls), true);
}

TEST(pair_without_its_courieresmtpd)
{
	struct termination t;
	struct connection c;

	c = courier_smtps(&f.courier, &somebody_tls);
	t = of_child(c.smtpd, 2000);
	kill(c.smtpd, SIGKILL);
	want_int(has_ended_soon(c.smtpd), true);
	add(&t, 20);
	terminator_run(f.terminator, 20);
	/* It keeps the slot all the same. */
	want_int(has_ended_soon(c.tls), true);
	terminator_run(f.terminator, 21);
	want_int(terminator_run(f.terminator, 100), TERMINATOR_NEVER);
	want_counted(0, 1, 0, 0);
}

/* STARTTLS. */

/* "Not known" is not "no owner". */
static const struct left_row {
	const char *label;
	bool by_worker;
	uint64_t cookie;
	int first, later;
	unsigned int asked;
} left_rows[] = {
	{ "after the delay", false, COOKIE, 1, 1, 2 },
	{ "by the worker", true, COOKIE, 1, 1, 2 },
	{ "STARTTLS came before the first look", false, 0, 0, 0, 0 },
	{ "the kernel cannot be asked", false, COOKIE, -EAFNOSUPPORT, -EAFNOSUPPORT, 1 },
	{ "its own end is not known", true, COOKIE, -EINVAL, -EINVAL, 1 },
	{ "cannot be asked any more", false, COOKIE, 1, -EMFILE, 2 },
};

static void want_asked(unsigned int asked)
{
	char text[ADDR_TEXT_SIZE];

	want_int(resets.asked, asked);
	if (asked == 0)
		return;
	want_int(resets.asked_for.cookie == COOKIE, true);
	want_str(addr_format(&resets.asked_for.remote, text), "192.0.2.7");
	want_str(addr_format(&resets.asked_for.local, text), "192.0.2.1");
	want_int(resets.asked_for.remote_port, 41703);
	want_int(resets.asked_for.local_port, 25);
}

TEST_ROWS(left_couriertls, left_rows)
{
	struct connection c, other;
	struct termination t;
	int64_t next;

	resets.held[0] = row->first;
	resets.held[1] = row->later;
	c = courier_starttls(&f.courier, &a_client);
	other = courier_starttls(&f.courier, &neighbour);
	t = of_child(c.smtpd, 2000);
	t.smtpd.cookie = row->cookie;
	if (row->by_worker)
		want_int(terminator_signal(&t), 0);
	add(&t, 200);
	next = terminator_run(f.terminator, 200);
	want_int(has_ended_soon(c.smtpd), true);
	next = terminator_run(f.terminator, 201);
	want_counted(1, 0, 0, 0);
	/* It has a moment to exit by itself. */
	want_int(is_living(c.tls), true);
	want_int(next > 201 && next <= 700, true);
	terminator_run(f.terminator, next);
	want_int(has_ended_soon(c.tls), true);
	terminator_run(f.terminator, next + 1);
	want_int(terminator_run(f.terminator, next + 2), TERMINATOR_NEVER);
	want_asked(row->asked);
	want_int(is_living(other.smtpd) && is_living(other.tls), true);
	want_counted(1, 0, 0, 0);
}

static const struct way no_couriertls_is_searched_for_ways[] = {
	{ "no process has it open", false },
	{ "it was open, and closed", true },
};

/* There is no search if no process has the connection open: a moment later, with a grace
 * period, or at once. The processes that could be found show it. */
TEST_ROWS(no_couriertls_is_searched_for, no_couriertls_is_searched_for_ways)
{
	bool held_at_first = row->other;
	struct termination t;
	struct connection c;
	int64_t next;

	resets.held[0] = held_at_first;
	c = courier_starttls(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(has_ended_soon(c.smtpd), true);
	next = terminator_run(f.terminator, 201);
	want_int(next != TERMINATOR_NEVER, held_at_first);
	want_int(terminator_run(f.terminator, 1000), TERMINATOR_NEVER);
	want_asked(held_at_first ? 2 : 1);
	want_int(is_living(c.tls), true);
	want_counted(1, 0, 0, 0);
}

/* The client has connected again from the same port. Without a cookie it is not known to
 * which connection a couriertls belongs. */
TEST(couriertls_of_a_later_connection)
{
	struct connection c, later;
	struct termination t;
	int64_t next;

	c = courier_starttls(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	t.smtpd.cookie = 0;
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(has_ended_soon(c.smtpd), true);
	later = courier_starttls(&f.courier, &a_client);
	next = terminator_run(f.terminator, 201);
	want_int(next > 201, true);
	want_int(terminator_run(f.terminator, next), TERMINATOR_NEVER);
	want_int(is_living(c.tls), true);
	want_int(is_living(later.smtpd) && is_living(later.tls), true);
	want_counted(1, 0, 0, 0);
}

TEST(left_couriertls_that_stays)
{
	struct termination t;
	struct connection c;
	int64_t next;

	hold_connection();
	c = courier_starttls(&f.courier, &a_client);
	process_stop(c.tls);
	t = of_child(c.smtpd, 2000);
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(has_ended_soon(c.smtpd), true);
	next = terminator_run(f.terminator, 201);
	next = terminator_run(f.terminator, next);
	want_int(is_living(c.tls), true);
	want_int(next < 200 + 2000 + 2000, true);
	terminator_run(f.terminator, next);
	want_int(has_ended_soon(c.tls), true);
	terminator_run(f.terminator, next + 1);
	want_int(terminator_run(f.terminator, next + 2), TERMINATOR_NEVER);
	want_int(counters_get(&f.counters, COUNTER_ENDED), 1);
}

TEST(left_couriertls_that_goes)
{
	struct termination t;
	struct connection c;
	int64_t next;

	hold_connection();
	c = courier_starttls(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(has_ended_soon(c.smtpd), true);
	next = terminator_run(f.terminator, 201);
	kill(c.tls, SIGTERM);
	want_int(has_ended_soon(c.tls), true);
	want_int(terminator_run(f.terminator, next), TERMINATOR_NEVER);
	want_counted(1, 0, 0, 0);
}

/* Many. */

static uint64_t seed = 0x5eed;

static int64_t random_due(void)
{
	return (int64_t)(support_random(&seed) % 50);
}

/* At any time exactly those have exited whose delay is over. */
TEST(order_by_due_time)
{
	enum { MANY = 120 };
	pid_t pids[MANY];
	int64_t due[MANY], now, next;
	struct termination t;
	int i;

	for (i = 0; i < MANY; i++) {
		pids[i] = waiter_start();
		due[i] = random_due();
		t = of_process(pids[i], 100000);
		add(&t, due[i]);
		/* Some are in the heap already when others come. */
		if (i % 7 == 0)
			terminator_run(f.terminator, -1);
	}
	for (now = 0; now < 50; now++) {
		next = terminator_run(f.terminator, now);
		for (i = 0; i < MANY; i++) {
			if (due[i] == now)
				want_int(has_ended_soon(pids[i]), true);
			if (due[i] > now)
				want_int(is_living(pids[i]) && next <= due[i], true);
		}
	}
	want_int(terminator_pending(f.terminator), 0);
	terminator_run(f.terminator, 200);
	want_int(terminator_run(f.terminator, 300), TERMINATOR_NEVER);
	want_counted(MANY, 0, 0, 0);
	for (i = 0; i < MANY; i++)
		want_int(waitpid(pids[i], NULL, 0), pids[i]);
}

/* More events than are taken at a time, and the fd is quiet afterwards. */
TEST(many_exit_at_once)
{
	enum { MANY = 150 };
	struct termination t;
	pid_t pids[MANY];
	int i;

	for (i = 0; i < MANY; i++) {
		pids[i] = waiter_start();
		process_stop(pids[i]);
		t = of_process(pids[i], 100000);
		add(&t, 5);
	}
	terminator_run(f.terminator, 5);
	want_counted(0, 0, 0, 0);
	for (i = 0; i < MANY; i++)
		want_int(kill(pids[i], SIGCONT), 0);
	for (i = 0; i < MANY; i++)
		want_int(waitpid(pids[i], NULL, 0), pids[i]);
	want_int(run_after_end(6), TERMINATOR_NEVER);
	want_counted(MANY, 0, 0, 0);
	want_int(terminator_run(f.terminator, 100), TERMINATOR_NEVER);
	want_int(fd_is_readable(terminator_fd(f.terminator)), false);
	want_counted(MANY, 0, 0, 0);
}

/* Wrong times and no memory. */

/* A full terminator signals at once. Half of the descriptors are for others. */
TEST(full)
{
	struct rlimit old, low;
	struct terminator *small;
	struct termination t;
	pid_t pids[100];
	int i, living = 0;

	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 160;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
	want_int(terminator_new(&small), 0);
	for (i = 0; i < 100; i++) {
		pids[i] = waiter_start();
		t = of_process(pids[i], 2000);
		terminator_add(small, &t, 1000);
		want_int(t.smtpd.process.fd, -1);
	}
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(terminator_run(small, 0), 1000);
	for (i = 0; i < 100; i++)
		living += i < 40 ? is_living(pids[i]) : !has_ended_soon(pids[i]);
	want_int(living, 40);
	want_int(terminator_pending(small), 40);
	want_int(counters_get(&f.counters, COUNTER_UNWATCHED), 60);
	want_counted(0, 0, 0, 0);
	terminator_free(small);
	for (i = 0; i < 40; i++)
		waiter_end(pids[i]);
	for (; i < 100; i++)
		want_int(waitpid(pids[i], NULL, 0), pids[i]);
}

/* Its descriptors are needed to look at other processes. */
TEST(no_descriptors_to_stay)
{
	struct termination t;
	struct smtpd_rules rules;
	pid_t pid;

	pid = waiter_start();
	t = of_process(pid, 2000);
	rules = (struct smtpd_rules){ .fd_end = t.smtpd.process.fd + 1 };
	t.rules = &rules;
	terminator_add(f.terminator, &t, 1000);
	want_int(t.smtpd.process.fd, -1);
	want_int(has_ended_soon(pid), true);
	want_int(terminator_pending(f.terminator), 0);
	want_int(counters_get(&f.counters, COUNTER_UNWATCHED), 1);
	want_int(waitpid(pid, NULL, 0), pid);
}

/* There is room again once the smtpds have exited. */
TEST(room_again)
{
	struct rlimit old, low;
	struct terminator *small;
	struct termination t;
	pid_t pid;
	int i;

	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 64;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
	want_int(terminator_new(&small), 0);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (i = 0; i < 100; i++) {
		pid = waiter_start();
		t = of_process(pid, 2000);
		terminator_add(small, &t, i * 1000);
		want_int(terminator_pending(small), 1);
		terminator_run(small, i * 1000);
		want_int(waitpid(pid, NULL, 0), pid);
		terminator_run(small, i * 1000 + 1);
		want_int(terminator_run(small, i * 1000 + 100), TERMINATOR_NEVER);
	}
	terminator_free(small);
	want_counted(100, 0, 0, 0);
}

TEST(no_memory_for_one)
{
	struct termination t;
	struct connection c;

	c = courier_plain(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	memory_fail(1);
	add(&t, 1000);
	want_int(memory_failed(), true);
	want_int(has_ended_soon(c.smtpd), true);
	want_int(terminator_pending(f.terminator), 0);
	want_int(terminator_run(f.terminator, 0), TERMINATOR_NEVER);
	want_int(counters_get(&f.counters, COUNTER_UNWATCHED), 1);
}

static const struct way no_memory_for_one_that_has_exited_ways[] = {
	{ "signalled when it is handed over", false },
	{ "signalled by the worker", true },
};

/* One that has exited, or that may not be signalled, is counted only as that. */
TEST_ROWS(no_memory_for_one_that_has_exited, no_memory_for_one_that_has_exited_ways)
{
	bool by_worker = row->other;
	struct termination t;
	pid_t pid;

	pid = waiter_start();
	t = of_process(pid, 2000);
	waiter_end(pid);
	if (by_worker)
		want_int(terminator_signal(&t), -ESRCH);
	memory_fail(1);
	add(&t, 1000);
	want_int(memory_failed(), true);
	want_int(counters_get(&f.counters, COUNTER_UNWATCHED), 0);
	want_counted(0, 1, 0, 0);
}

/* With all places taken, its own courieresmtpd's among them. */
TEST(full_for_a_left_couriertls)
{
	struct termination t;
	struct rlimit old, low;
	struct connection c;
	pid_t pids[15];
	size_t i;

	hold_connection();
	terminator_free(f.terminator);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 64;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
	want_int(terminator_new(&f.terminator), 0);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	c = courier_starttls(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	add(&t, 5);
	for (i = 0; i < COUNT_OF(pids); i++) {
		pids[i] = waiter_start();
		t = of_process(pids[i], 2000);
		add(&t, 100000);
	}
	terminator_run(f.terminator, 5);
	want_int(has_ended_soon(c.smtpd), true);
	terminator_run(f.terminator, 6);
	want_int(is_living(c.tls), true);
	terminator_run(f.terminator, 1000);
	want_int(has_ended_soon(c.tls), true);
	for (i = 0; i < COUNT_OF(pids); i++)
		waiter_end(pids[i]);
}

static int make_one(void *data)
{
	struct terminator *t;
	int r = terminator_new(&t);

	(void)data;
	if (r == 0)
		terminator_free(t);
	return r;
}

TEST(no_memory_at_all)
{
	struct rlimit old, low;
	struct terminator *t;
	int r;

	want_int(memory_fail_each(make_one, NULL) > 0, true);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 3;
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = terminator_new(&t);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
	terminator_free(NULL);
}

/* The kernel refuses: nothing of it counts as done. */
TEST_AS_ROOT(no_right_to_signal)
{
	struct termination t;
	struct connection c;

	c = courier_plain(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	add(&t, 200);
	user_become(NOBODY_UID);
	terminator_run(f.terminator, 200);
	user_back();
	want_int(is_living(c.smtpd), true);
	want_counted(0, 0, 0, 1);
	want_alert(&f.alerts, ALERT_SIGNAL, EPERM);
	/* A later exit is not due to the module. */
	kill(c.smtpd, SIGKILL);
	want_int(has_ended_soon(c.smtpd), true);
	terminator_run(f.terminator, 300);
	terminator_run(f.terminator, 2300);
	want_counted(0, 0, 0, 1);
}

TEST_AS_ROOT(no_right_to_kill)
{
	struct termination t;
	struct connection c;

	c = courier_plain(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	add(&t, 200);
	user_become(NOBODY_UID);
	terminator_run(f.terminator, 200);
	terminator_run(f.terminator, 2200);
	user_back();
	want_int(is_living(c.smtpd), true);
	want_int(counters_get(&f.counters, COUNTER_KILLED), 0);
	want_int(counters_get(&f.counters, COUNTER_SIGNAL_ERRORS) >= 1, true);
	/* It is not kept for ever. */
	want_int(terminator_run(f.terminator, 3600000), TERMINATOR_NEVER);
	want_int(is_living(c.smtpd), true);
}

/* --- stop --- */

TEST(flush_signals_all)
{
	struct connection plain, smtps, in_intake;
	struct termination t;

	plain = courier_plain(&f.courier, &a_client);
	smtps = courier_smtps(&f.courier, &somebody_tls);
	in_intake = courier_plain(&f.courier, &neighbour);
	t = of_child(plain.smtpd, 2000);
	add(&t, 100000);
	t = of_child(smtps.smtpd, 2000);
	add(&t, 50000);
	terminator_run(f.terminator, 0);
	t = of_child(in_intake.smtpd, 2000);
	add(&t, 200000);
	want_int(terminator_pending(f.terminator), 3);
	terminator_flush(f.terminator);
	want_int(terminator_pending(f.terminator), 0);
	want_int(has_ended_soon(plain.smtpd) && has_ended_soon(smtps.smtpd) &&
		 has_ended_soon(smtps.tls) && has_ended_soon(in_intake.smtpd),
		 true);
	/* No process is signalled twice. */
	terminator_flush(f.terminator);
	want_counted(0, 0, 0, 0);
}

TEST(free_releases)
{
	struct connection c, in_intake;
	struct termination t;

	c = courier_smtps(&f.courier, &somebody_tls);
	in_intake = courier_plain(&f.courier, &neighbour);
	t = of_child(c.smtpd, 2000);
	add(&t, 1000);
	terminator_run(f.terminator, 0);
	t = of_child(in_intake.smtpd, 2000);
	add(&t, 1000);
	terminator_free(f.terminator);
	f.terminator = NULL;
	want_int(is_living(c.smtpd) && is_living(c.tls) &&
		 is_living(in_intake.smtpd), true);
}

/* Its courieresmtpd exited by itself, and the couriertls above it does not exit. */
TEST(couriertls_is_killed_although_its_child_had_exited)
{
	struct termination t;
	struct connection c;

	c = courier_smtps(&f.courier, &somebody_tls);
	t = of_child(c.smtpd, 2000);
	process_stop(c.tls);
	kill(c.smtpd, SIGKILL);
	want_int(has_ended_soon(c.smtpd), true);
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(is_living(c.tls), true);
	terminator_run(f.terminator, 2200);
	want_int(has_ended_soon(c.tls), true);
}

/* It stays, and is no longer watched. A process forked meanwhile, as by rsyslogd, shares its
 * descriptor: the epoll set would keep it, with a pointer to freed memory. */
TEST(a_forgotten_one_is_not_reported)
{
	pid_t pid = waiter_start(), other;
	struct termination t;
	int64_t next;

	process_stop(pid);
	t = of_process(pid, 0);
	add(&t, 0);
	next = terminator_run(f.terminator, 0);
	other = waiter_start();
	want_int(terminator_run(f.terminator, next), TERMINATOR_NEVER);
	want_int(is_living(pid), true);
	waiter_end(pid);
	want_int(fd_is_readable(terminator_fd(f.terminator)), false);
	waiter_end(other);
}

/* terminate.reset. */

/* The signal was refused: a later exit is not due to the module, and its connection is not
 * reset. */
TEST_AS_ROOT(no_reset_without_the_signal)
{
	struct termination t;
	struct connection c;
	int64_t next;

	c = courier_plain(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	t.reset = true;
	add(&t, 200);
	user_become(NOBODY_UID);
	next = terminator_run(f.terminator, 200);
	user_back();
	kill(c.smtpd, SIGKILL);
	want_int(has_ended_soon(c.smtpd), true);
	while (next != TERMINATOR_NEVER)
		next = terminator_run(f.terminator, next);
	want_int(resets.count, 0);
}

static void want_reset(unsigned int count, unsigned int local_port)
{
	char text[ADDR_TEXT_SIZE];

	want_int(resets.count, count);
	want_str(addr_format(&resets.ends.remote, text), "192.0.2.7");
	want_str(addr_format(&resets.ends.local, text), "192.0.2.1");
	want_int(resets.ends.remote_port, 41703);
	want_int(resets.ends.local_port, local_port);
	want_int(resets.ends.cookie == COOKIE, true);
}

static const struct way reset_after_its_delay_ways[] = {
	{ "plain", false },
	{ "port 465", true },
};

TEST_ROWS(reset_after_its_delay, reset_after_its_delay_ways)
{
	bool pair = row->other;
	struct termination t;
	struct connection c;
	int64_t next;

	c = pair ? courier_smtps(&f.courier, &somebody_tls) :
		   courier_plain(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	t.reset = true;
	t.reset_delay = 300;
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(has_ended_soon(c.smtpd), true);
	want_int(!pair || has_ended_soon(c.tls), true);
	/* The previous run may have seen its exit. */
	next = terminator_run(f.terminator, 201);
	want_int(next == 500 || next == 501, true);
	want_int(terminator_run(f.terminator, next - 1), next);
	want_int(resets.count, 0);
	want_int(terminator_run(f.terminator, next), TERMINATOR_NEVER);
	want_reset(1, pair ? 465 : 25);
	want_int(counters_get(&f.counters, COUNTER_RESETS), 1);
	want_counted(1, 0, 0, 0);
}

/* The couriertls left behind keeps the connection open until it exits too. */
TEST(reset_after_couriertls)
{
	struct termination t;
	struct connection c;
	int64_t next;

	hold_connection();
	c = courier_starttls(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	t.reset = true;
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(has_ended_soon(c.smtpd), true);
	next = terminator_run(f.terminator, 201);
	want_int(is_living(c.tls), true);
	terminator_run(f.terminator, next);
	want_int(resets.count, 0);
	want_int(has_ended_soon(c.tls), true);
	terminator_run(f.terminator, next + 1);
	want_int(terminator_run(f.terminator, next + 2), TERMINATOR_NEVER);
	want_reset(1, 25);
}

struct no_reset_row {
	const char *label;
	bool wanted, gone;
	int answer;
	unsigned int asked, notices;
};

static const struct no_reset_row no_reset_rows[] = {
	{ "off", false, false, 0, 0, 0 },
	{ "the child ended by itself", true, true, 0, 0, 0 },
	{ "the connection is gone", true, false, -ENOENT, 1, 0 },
	{ "no right", true, false, -EPERM, 1, 1 },
	{ "not in the kernel", true, false, -EOPNOTSUPP, 1, 1 },
};

TEST_ROWS(no_reset, no_reset_rows)
{
	struct termination t;
	struct connection c;
	enum alert id;
	int detail;

	resets.answer = row->answer;
	c = courier_plain(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	t.reset = row->wanted;
	if (row->gone)
		want_int(kill(c.smtpd, SIGKILL), 0);
	want_int(!row->gone || has_ended_soon(c.smtpd), true);
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(has_ended_soon(c.smtpd), true);
	terminator_run(f.terminator, 201);
	want_int(terminator_run(f.terminator, 300), TERMINATOR_NEVER);
	want_int(resets.count, row->asked);
	want_int(counters_get(&f.counters, COUNTER_RESETS), 0);
	want_int(alerts_next(&f.alerts, &id, &detail), row->notices);
	if (row->notices) {
		want_int(id, ALERT_RESET);
		want_int(detail, -row->answer);
	}
}

/* STARTTLS came before the first look: the one that is left has the connection, if it is
 * there still when the kernel has told it. */
static const struct late_cookie_row {
	const char *label;
	bool ends;
	uint64_t want;
} late_cookie_rows[] = {
	{ "it stays", false, COOKIE, },
	{ "it ends meanwhile", true, 0, },
};

TEST_ROWS(left_couriertls_tells_the_connection, late_cookie_rows)
{
	struct termination t;
	struct connection c;
	int64_t next;

	left.cookie = COOKIE;
	left.ends = row->ends;
	c = courier_starttls(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	t.smtpd.cookie = 0;
	t.reset = true;
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(has_ended_soon(c.smtpd), true);
	next = terminator_run(f.terminator, 201);
	terminator_run(f.terminator, next);
	want_int(has_ended_soon(c.tls), true);
	terminator_run(f.terminator, next + 1);
	want_int(terminator_run(f.terminator, next + 2), TERMINATOR_NEVER);
	want_int(resets.count, 1);
	want_int(resets.ends.cookie == row->want, true);
	memset(&left, 0, sizeof(left));
}

/* The connection that is held is the only one with those ends: nobody has to be asked. */
TEST(held_connection_is_no_later_one)
{
	struct termination t;
	struct connection c;
	int64_t next;

	hold_connection();
	left.is_not_known = true;
	c = courier_starttls(&f.courier, &a_client);
	t = of_child(c.smtpd, 2000);
	add(&t, 200);
	terminator_run(f.terminator, 200);
	want_int(has_ended_soon(c.smtpd), true);
	next = terminator_run(f.terminator, 201);
	terminator_run(f.terminator, next);
	want_int(has_ended_soon(c.tls), true);
	memset(&left, 0, sizeof(left));
}
