/* The couriertcpd processes that listen for one courier user.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/tcpd.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pidref.h"
#include "tests/unit/scene.h"

/* The kernel's answer to a signal, if it is to be no. */
static int signal_refused;
int __real_pidref_signal(const struct pidref *ref, int signal);
int __wrap_pidref_signal(const struct pidref *ref, int signal);

int __wrap_pidref_signal(const struct pidref *ref, int signal)
{
	return signal_refused ? -signal_refused : __real_pidref_signal(ref, signal);
}

static void before(void)
{
	signal_refused = 0;
}

SCENE("", before, NULL)

/* --- verbs --- */

VERB_IS(check, tcpd_check(scene.rules.tcpds, scene_pid(args[0])))
VERB_IS(knows, tcpd_knows(scene.rules.tcpds, scene_pid(args[0])))
VERB_IS(scan, tcpd_scan(scene.rules.tcpds))

VERB(count)
{
	pid_t pids[TCPD_MAX];

	return (int)tcpd_pids(scene.rules.tcpds, pids);
}

/* Other tests that run now have a couriertcpd of the same user. */
VERB(lists)
{
	const pid_t pid = scene_pid(args[0]);
	pid_t pids[TCPD_MAX];
	size_t n = tcpd_pids(scene.rules.tcpds, pids), i, found = 0;

	for (i = 0; i < n; i++)
		found += pids[i] == pid;
	return (int)found;
}

VERB_IS(try, tcpd_try(scene.rules.tcpds, scene_has(args, "signals")))
VERB_DO(refuse, signal_refused = atoi(args[0]))
VERB_IS(look, looker_look(scene.rules.looker, scene_pid(args[0]), true, &scene.scratch->look))

VERB(renew)
{
	tcpd_free(scene.rules.tcpds);
	return tcpd_new(&scene.procfs, scene.rules.looker,
			args[0] ? (uid_t)atoi(args[0]) : FAKE_UID, &scene.rules.tcpds);
}

VERB(make)
{
	struct tcpd_list *tcpds;
	int r = tcpd_new(&scene.procfs, NULL, FAKE_UID, &tcpds);

	if (r == 0)
		tcpd_free(tcpds);
	return r;
}

VERB(proxies)
{
	static const char *const words[] = { "none", "some", "all" };

	want_str(words[args[1] ? tcpd_proxy(scene.rules.tcpds, scene_pid(args[0])) :
				 tcpd_proxy_of_all(scene.rules.tcpds)],
		 args[1] ? args[1] : args[0]);
	return 0;
}

/* --- scripts --- */

#define IS_ONE "check x = 0; count = 1; scan = 1"
#define IS_NONE "check x = EPERM; count = 0; scan = 0"
/* Never a process that lives: a scan would find it too. */
#define PARENT "2147483646"
#define UNREAD(x, result) \
	"tcpd t; check t; " x "; trap x; check x = " result "; scan = 1; release x = 0"

static const struct script scripts[] = {
	{ "check: couriertcpd", "tcpd x; " IS_ONE },
	{ "check: its parent is hidden", "tcpd x below " PARENT "; " IS_ONE },
	{ "check: replaced by an upgrade", "tcpd x exe '" FAKE_TCPD " (deleted)'; " IS_ONE },
	{ "check: installed elsewhere",
	  "tcpd x below " PARENT " exe /opt/courier/sbin/couriertcpd; " IS_ONE },
	{ "check: another program", "tcpd x exe /usr/sbin/sshd; " IS_NONE },
	{ "check: its child after the exec",
	  "tcpd " PARENT "; smtpd x below " PARENT "; " IS_NONE },
	{ "check: its child before the exec",
	  "tcpd " PARENT "; tcpd x below " PARENT "; " IS_NONE },
	{ "check: its child during an upgrade",
	  "tcpd " PARENT " exe '" FAKE_TCPD " (deleted)'; tcpd x below " PARENT " exe '"
	  FAKE_TCPD " (deleted)'; " IS_NONE },
	{ "check: a longer name", "tcpd x exe /usr/sbin/couriertcpd2; " IS_NONE },
	{ "check: a name that begins otherwise", "tcpd x exe /usr/sbin/xcouriertcpd; " IS_NONE },
	{ "check: a directory of that name", "tcpd x exe /usr/couriertcpd/sh; " IS_NONE },
	{ "check: a name longer than any",
	  "tcpd x exe /couriertcpd-that-is-longer-than-any-name; " IS_NONE },
	{ "check: another user's", "tcpd x uid 1239; " IS_NONE },
	{ "check: root's", "tcpd x uid 0; " IS_NONE },
	{ "check: courier's by its real uid only", "tcpd x uid 1233; " IS_NONE },
	{ "check: in a container", "tcpd x container; " IS_NONE },
	{ "check: a kernel thread", "tcpd x exe none; check x = ESRCH; count = 0; scan = 0" },
	{ "check: a missing process", "check x = ESRCH; check 0 = ESRCH; check -1 = ESRCH" },
	{ "check: again, one descriptor is enough",
	  "tcpd x; mark; check x = 0; check x = 0; check x = 0; count = 1; more = 1" },
	{ "check: known until its exit, whatever has its PID then",
	  "tcpd x; check x; lose x exe; check x = 0; tcpd x; end x; check x = ESRCH; count = 0" },
	{ "check: it exits when its status is being read",
	  "tcpd x; during status of x kill x; check x = ESRCH; count = 0" },
	{ "check: by two threads at once, one descriptor is enough",
	  "tcpd x; mark; during status of x check x; check x = 0; count = 1; more = 1" },
	{ "check: another user's by the time it is pinned",
	  "tcpd x; during status of x lose x status and tcpd x uid 1235; check x = EPERM; "
	  "lookers 0" },
	{ "check: another process has the PID of an earlier one",
	  "tcpd x; check x; exe x /bin/sh; renew; check x = EPERM" },
	{ "check: a stranger is known by its status alone, without being pinned",
	  "tcpd x uid 1235; spare 1; check x = EPERM" },

	{ "scan: finds all, and forgets those that have exited",
	  "process x uid 0; scan = 0; tcpd a; tcpd b; scan = 2; tcpd c; scan = 3; count = 3; "
	  "lists a = 1; lists b = 1; lists c = 1; end a; drop a; count = 2; lists b = 1; "
	  "lists c = 1; scan = 2" },

	/* As courier 1.4.1 understands it. */
	{ "proxy: without the option", "tcpd x; check x; proxies x none; proxies none" },
	{ "proxy: not known yet", "tcpd x -haproxy=15; proxies x none; proxies none" },
	{ "proxy: every client", "tcpd x -haproxy=15; check x; proxies x all; proxies all" },
	{ "proxy: of one port",
	  "tcpd x -haproxy=5/port=25; check x; proxies x some; proxies some" },
	{ "proxy: of an address and a port, without a timeout",
	  "tcpd x -haproxy=/port=192.0.2.1.25; check x; proxies x some" },
	{ "proxy: of two ports", "tcpd x -haproxy=/port=25,/port=587; check x; proxies x some" },
	{ "proxy: one port, and then any", "tcpd x -haproxy=/port=25,9; check x; proxies x all" },
	{ "proxy: without a value courier ignores it",
	  "tcpd x -haproxy; check x; proxies x none; tcpd y -haproxy=; check y; proxies y none" },
	{ "proxy: another option", "tcpd x -haproxyish=15; check x; proxies x none" },
	{ "proxy: of all listeners",
	  "proxies none; tcpd x -haproxy=15; check x; tcpd y -haproxy=15; check y; proxies all; "
	  "tcpd z; check z; proxies some; end x y; proxies none; end z; proxies none" },
	{ "proxy: found by a scan", "tcpd x -haproxy=15; scan = 1; proxies all" },

	/* A read could hang. EINVAL: it was read. */
	{ "not read: another user's", UNREAD("tcpd x uid 1235", "EPERM") },
	{ "not read: root's", UNREAD("tcpd x uid 0", "EPERM") },
	{ "not read: a child of a couriertcpd", UNREAD("tcpd x below t", "EPERM") },
	{ "not read: one that calls itself otherwise, by the scan",
	  UNREAD("tcpd x comm couriertls", "EINVAL") },
	{ "not read by a scan alone: another user's", "tcpd x uid 1235; trap x; scan = 0" },
	{ "not read by a scan alone: root's", "tcpd x uid 0; trap x; scan = 0" },
	{ "not read by a scan alone: one that calls itself otherwise",
	  "tcpd x comm couriertls; trap x; scan = 0" },
	{ "read by a scan: one that may be a couriertcpd", "tcpd x; trap x; scan = EINVAL" },
	{ "not read: another user's parent, which is none of courier's",
	  "tcpd " PARENT " uid 1235; trap " PARENT "; tcpd x below " PARENT "; check x = 0" },

	{ "knows: without a look or a file",
	  "tcpd x; knows x = EPERM; knows 0 = EPERM; lookers 0; check x; trap x; drop x; "
	  "knows x = 0; knows y = EPERM; end x; knows x = ESRCH" },
	{ "one that hangs is not known, and the others are found",
	  "tcpd x; trap x; look x = ETIMEDOUT; begin; check x = EBUSY; scan = EBUSY; tcpd y; "
	  "scan = 1; quick; release x = 1; lookers 1; tcpd x; check x = 0; scan = 2" },
	{ "access is tried on one that hangs, but not for long",
	  "tcpd x; try = 1; trap x; try = ETIMEDOUT; try = EBUSY; release x = 1; lookers 0" },
	/* poll(2) refuses more descriptors than a process may have. */
	{ "a failed call does not mean that there is none",
	  "tcpd x; spare 0; check x = EMFILE; spare 0; scan = EMFILE; spare 1; scan = EMFILE; "
	  "check x = 0; limit 0; knows x = EINVAL; limit 0; count = 1; knows x = 0" },
	{ "no memory", "starved; make >= 1; starved; scan >= 1" },

	{ "real: couriertcpd and its children",
	  "real; plain p; smtps s l; forked f; check p = EPERM; check l = EPERM; "
	  "check f = EPERM; check self = EPERM; scan >= 1; lists t = 1; lists f = 0; "
	  "lists p = 0; lists l = 0; lists s = 0; check f = EPERM" },
	{ "real: upgraded", "real; upgrade; check t = 0" },
	{ "real: it exits",
	  "real; check t = 0; lists t = 1; kill t; lists t = 0; check t = ESRCH; scan >= 0; "
	  "lists t = 0" },
	{ "real: another user's", "root; renew 65534; check t = EPERM; scan = 0" },
	/* Processes of others may be hidden; that is nothing to worry about. */
	{ "real: hidden from rsyslogd without CAP_SYS_PTRACE",
	  "root; as nobody; check t = EACCES; as nobody; scan = EACCES; renew 4242; as nobody; "
	  "scan = 0" },
	{ "real: access is tried on a couriertcpd of courier, and on no other process",
	  "real; try = 1; try signals = 1; living t = 1; renew 4242; try signals = 0" },
	/* Capabilities are not checked here: the access is tried. */
	{ "real: access is tried without capabilities",
	  "root; as nobody; try signals = EACCES; check t; as nobody; try signals = EACCES; "
	  "refuse 1; try signals = EPERM; try = 1; refuse 0; renew 4242; as nobody; "
	  "try signals = 0" },
};

TEST_SCRIPTS(scripts)

/* More than TCPD_MAX: the others are not known, and nothing else happens. */
TEST(scan_of_too_many)
{
	enum { MANY = TCPD_MAX + 6 };
	pid_t many[MANY];
	int i;

	scene_open();
	for (i = 0; i < MANY; i++) {
		many[i] = waiter_start();
		fakeproc_put_tcpd(&scene.tree, many[i]);
	}
	want_int(verb_scan(NULL), TCPD_MAX);
	want_int(verb_count(NULL), TCPD_MAX);
	/* Exited ones make room. */
	for (i = 0; i < TCPD_MAX; i++) {
		waiter_end(many[i]);
		fakeproc_drop(&scene.tree, many[i]);
	}
	want_int(verb_scan(NULL), MANY - TCPD_MAX);
	for (; i < MANY; i++)
		waiter_end(many[i]);
	scene_close();
}

TEST(new_without_own_namespace)
{
	struct tcpd_list *tcpds = NULL;
	struct procfs procfs;

	want_int(procfs_init(&procfs, "/nonexistent"), 0);
	want_int(tcpd_new(&procfs, NULL, FAKE_UID, &tcpds) < 0, true);
	assert_null(tcpds);
	tcpd_free(NULL);
}

/* Several threads query while tcpds start and exit. */
struct stress {
	pid_t pids[8];
	atomic_bool end;
	atomic_uint asked;
};

static void *ask_all_the_time(void *data)
{
	struct stress *s = data;
	size_t i;

	while (!atomic_load(&s->end)) {
		for (i = 0; i < COUNT_OF(s->pids); i++)
			tcpd_check(scene.rules.tcpds, s->pids[i]);
		atomic_fetch_add(&s->asked, (size_t)verb_count(NULL) <= COUNT_OF(s->pids));
	}
	return NULL;
}

TEST(several_threads)
{
	struct stress s = { .end = false };
	pthread_t threads[3];
	size_t i;

	scene_open();
	for (i = 0; i < COUNT_OF(s.pids); i++) {
		s.pids[i] = waiter_start();
		fakeproc_put_tcpd(&scene.tree, s.pids[i]);
	}
	for (i = 0; i < COUNT_OF(threads); i++)
		want_int(pthread_create(&threads[i], NULL, ask_all_the_time, &s), 0);
	for (i = 0; i < COUNT_OF(s.pids); i++) {
		want_int(verb_scan(NULL), COUNT_OF(s.pids) - i);
		waiter_end(s.pids[i]);
		want_int(verb_count(NULL), COUNT_OF(s.pids) - i - 1);
	}
	want_int(SOON(atomic_load(&s.asked) > 0), true);
	atomic_store(&s.end, true);
	for (i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	scene_close();
}
