/* Which smtpd serves which peer.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtpd_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/scene.h"

static struct smtpd_index *smtpd_index;

static void before(void)
{
	want_int(tcpd_check(scene.rules.tcpds, scene_pid("t")), 0);
	want_int(smtpd_index_new(&scene.rules, &smtpd_index), 0);
}

static void after(void)
{
	smtpd_index_free(smtpd_index);
}

SCENE("tcpd t", before, after)

/* --- verbs --- */

VERB_IS(refresh, smtpd_index_refresh(smtpd_index))
VERB_IS(learn, smtpd_index_learn(smtpd_index, scene_pid(args[0])))

/* How many serve the client of P? If any, P is one of them. No more are written than there
 * is room for. */
VERB(find)
{
	const struct addr addr = scene_addr(args);
	pid_t pids[4] = { 0 };
	size_t n = smtpd_index_find(smtpd_index, &addr, scene_port(args), pids, COUNT_OF(pids));
	size_t i = 0;

	while (i < n && pids[i] != scene_pid(args[0]))
		i++;
	want_int(n == 0 || i < n, true);
	pids[1] = 0;
	want_int(smtpd_index_find(smtpd_index, &addr, scene_port(args), pids, 1), n);
	want_int(pids[1], 0);
	return (int)n;
}

VERB_IS(is_empty, smtpd_index_is_empty(smtpd_index))
VERB_DO(forget, smtpd_index_forget(smtpd_index))
VERB_DO(hold, smtpd_index_hold(smtpd_index))
VERB_DO(let_go, smtpd_index_let_go(smtpd_index))

/* Is P pinned? Afterwards it is not. */
VERB(withdraw)
{
	const struct addr addr = scene_addr(args);
	struct smtpd smtpd = SMTPD_NONE;
	const bool pinned = smtpd_index_withdraw(smtpd_index, scene_pid(args[0]), &addr,
						 scene_port(args),
						 scene_has(args, "without_login"), &smtpd);

	if (pinned)
		want_int(smtpd.process.pid, scene_pid(args[0]));
	smtpd_done(&smtpd);
	return pinned;
}

VERB(relays)
{
	const struct addr addr = scene_addr(args);
	pid_t pids[4];

	return (int)smtpd_index_find_relay_clients(smtpd_index, &addr, pids, COUNT_OF(pids));
}

VERB(renew_tcpds)
{
	tcpd_free(scene.rules.tcpds);
	return tcpd_new(&scene.procfs, scene.rules.looker, FAKE_UID, &scene.rules.tcpds);
}

VERB(renew)
{
	smtpd_index_free(smtpd_index);
	return smtpd_index_new(&scene.rules, &smtpd_index);
}

/* So many numbers behind the lowest free one; none: no limit. */
VERB(fd_end)
{
	const int lowest = dup(STDIN_FILENO);

	close(lowest);
	scene.rules.fd_end = args[0] ? lowest + atoi(args[0]) : 0;
	return 0;
}

/* --- scripts --- */

#define TWO "smtpd a ip 10.0.1.1 port 1001; smtpd b ip 10.0.2.1 port 1002; "
/* Listed from the second on, and not pinned. */
#define SIX                                                                                \
	"smtpd a port 2000; smtpd b port 2001 BLOCK=Listed; smtpd c port 2002 BLOCK=Listed; " \
	"smtpd d port 2003 BLOCK=Listed; smtpd e port 2004 BLOCK=Listed; "                 \
	"smtpd f port 2005 BLOCK=Listed; refresh = 6; let_go; "

static const struct script scripts[] = {
	{ "finds by address and port",
	  TWO "find a = 0; is_empty = 1; refresh = 2; is_empty = 0; find a = 1; find b = 1; "
	  "find a port 1002 = 0; find a ip 10.0.3.1 port 1003 = 0" },
	{ "port 0 is any port",
	  "smtpd a ip 10.0.1.1 port 1001; smtpd b ip 10.0.1.1 port 5000; refresh = 2; "
	  "find a port 0 = 2; find b port 0 = 2; find b port 5000 = 1" },
	{ "forgets exited smtpds",
	  TWO "refresh = 2; unlist a; refresh = 1; find a = 0; find b = 1" },
	/* Before its exec it is couriertcpd by name, with the PID it keeps. */
	{ "waits for exec",
	  "smtpd a; exe a " FAKE_TCPD "; refresh = 0; find a = 0; exe a " FAKE_SMTPD "; "
	  "refresh = 1; find a = 1" },
	{ "reads an smtpd once, unless all are forgotten: another one may have its PID",
	  "smtpd a ip 10.0.1.1 port 1001; refresh = 1; smtpd a ip 10.9.9.9 port 9999; refresh; "
	  "find a ip 10.0.1.1 port 1001 = 1; forget; find a ip 10.0.1.1 port 1001 = 0; "
	  "refresh = 1; find a ip 10.0.1.1 port 1001 = 0" },
	{ "skips what names no peer",
	  "smtpd a raw PATH=/bin; smtpd b exe /bin/sh; smtpd c; refresh = 1; find c = 1" },

	{ "learns a child", "smtpd a; learn a = 0; find a = 1" },
	{ "learns a couriertls of port 465", "tls a; learn a = 0; find a = 1" },
	{ "learns nothing before its exec",
	  "smtpd a raw PATH=/bin exe " FAKE_TCPD "; learn a = EAGAIN; find a = 0" },
	{ "learns no peer", "smtpd a raw PATH=/bin; learn a = ENODATA; find a = 0" },
	{ "learns no child of another",
	  "smtpd a below 1; learn a = EPERM; smtpd a below 77; learn a = ESRCH; find a = 0" },
	{ "learns no other user's", "smtpd a uid 1235; learn a = EPERM; find a = 0" },
	{ "learns no other program", "smtpd a exe /bin/sh; learn a = ENODATA; find a = 0" },
	{ "learns nothing of a missing process", "learn x = ESRCH" },
	{ "learns a couriertcpd through its child",
	  "renew_tcpds; " TWO "unlist b; learn a = 0; list b; refresh = 2; find b = 1" },
	{ "learns an smtpd once, and forgets it once it has exited",
	  "smtpd a; refresh = 1; learn a; learn a; find a = 1; unlist a; refresh = 0; "
	  "find a = 0" },
	{ "learns a reused PID",
	  "smtpd a ip 10.0.1.1 port 1001; learn a; smtpd a ip 10.0.2.1 port 1002; learn a; "
	  "find a ip 10.0.1.1 port 1001 = 0; find a = 1" },

	{ "reads no stranger, by uid and parent",
	  "smtpd a uid 1235; smtpd c; smtpd b below c; trap a b; children t a b c; begin; "
	  "learn a = EPERM; learn b = EPERM; refresh = 1; quick; find c = 1" },
	{ "one that hangs delays only once",
	  TWO "trap a; refresh = ETIMEDOUT; find b = 1; refresh = EBUSY; learn a = EBUSY; "
	  "find a = 0; release a = 1; lookers 1; smtpd a ip 10.0.1.1 port 1001; refresh = 2; "
	  "find a = 1" },
	{ "a failed read of the list does not mean that all have exited",
	  TWO "refresh = 2; unlist b; limit 3; refresh = EMFILE; find a = 1; find b = 1; "
	  "refresh = 1; find b = 0" },
	{ "knows relay clients",
	  "smtpd a port 1001; relays a = 0; smtpd b port 1002; refresh = 2; relays a = 0; "
	  "smtpd c port 1003 RELAYCLIENT=; refresh = 3; relays a = 1; "
	  "relays a ip 10.0.2.1 = 0; unlist c; refresh = 2; relays a = 0" },

	{ "pins listed smtpds that it reads",
	  "smtpd a; smtpd b BLOCK=Listed; tls c BLOCK=Listed; smtpd d BLOCK=Listed; unlist d; "
	  "mark; refresh = 3; more = 1; withdraw b = 1; learn d = 0; withdraw d = 1; learn a = 0; "
	  "withdraw a = 0; learn c = 0; withdraw c = 0; hold; more = 0" },
	{ "reads without room to pin",
	  "smtpd a BLOCK=Listed; fd_end 4; mark; refresh = 1; more = 0; find a = 1; fd_end; hold; "
	  "withdraw a = 1" },
	{ "pins listed smtpds, until a line has asked for them",
	  SIX "mark; hold; hold; more = 5; withdraw a = 0; withdraw b = 1; withdraw c = 1; "
	  "withdraw d = 1; withdraw e = 1; withdraw f = 1; more = 0; hold; "
	  "withdraw b = 0; more = 0" },
	{ "pins for its own peer only: another smtpd's PID in a line has no effect",
	  SIX "hold; withdraw b ip 10.0.9.2 = 0; withdraw b port 2002 = 0; withdraw b = 1; "
	  "withdraw c port 0 = 1" },
	{ "pins: releases exited smtpds",
	  SIX "mark; hold; unlist d e f; refresh = 3; more = 2; withdraw c = 1; "
	  "withdraw d = 0; forget; more = 0" },
	{ "pins: releases all and pins again",
	  SIX "mark; hold; withdraw b = 1; let_go; more = 0; withdraw c = 0; hold; "
	  "withdraw b = 0; withdraw d = 1" },
	{ "pins: one that is learned again stays pinned",
	  SIX "mark; hold; learn b = 0; more = 5; withdraw b = 1" },
	{ "pins: releases a reused PID",
	  SIX "mark; hold; smtpd b ip 10.0.9.2 port 1002; learn b = 0; more = 4; "
	  "withdraw b ip 192.0.2.7 port 2001 = 0" },
	/* A sixteenth of the descriptors: three of 48. */
	{ "pins no more than its share, the others when there is room",
	  "limit 48; renew; " SIX "hold; withdraw e = 0; withdraw d = 1; hold; withdraw f = 0; "
	  "withdraw e = 1; hold; withdraw f = 1" },
	{ "pins nothing without descriptors, until there are some",
	  SIX "limit 3; hold; withdraw b = 0; hold; withdraw b = 1" },
	{ "pins nothing with the last descriptors, which looks need",
	  SIX "mark; fd_end 4; hold; more = 0; fd_end; hold; withdraw b = 1" },
	{ "pins one that hangs once it can be read",
	  SIX "trap b; hold; withdraw b = 0; withdraw c = 1; release b = 1; lookers 1; "
	  "smtpd b port 2001 BLOCK=Listed; hold; withdraw b = 1" },
	{ "leaves one to which a login is offered where that matters",
	  "smtpd a BLOCK=Listed ESMTPAUTH=PLAIN; smtpd b BLOCK=Listed ESMTPAUTH=; refresh = 2; "
	  "withdraw a without_login = 0; withdraw a = 1; withdraw b without_login = 1" },
};

TEST_SCRIPTS(scripts)

/* Invented PIDs, of processes that cannot be pinned. */
#define FIRST_PID 500000

/* An index without room for pinned smtpds. */
static int new_without_room(struct smtpd_index **ret_index)
{
	struct rlimit limit, none;
	int r;

	want_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 15, .rlim_max = limit.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = smtpd_index_new(&scene.rules, ret_index);
	want_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return r;
}

/* The nth smtpd serves 10.(n/250).(n%250).1, port 1000 + n. */
static void put_child(unsigned int n)
{
	struct peer peer = { .port = 1000 + n, .local_port = 25 };
	char ip[64];

	snprintf(ip, sizeof(ip), "::ffff:10.%u.%u.1", n / 250, n % 250);
	peer.ip = ip;
	fakeproc_put_smtpd(&scene.tree, FIRST_PID + (pid_t)n, scene_pid("t"), &peer);
}

/* couriertcpd has the children from..to-1. */
static void set_children(unsigned int from, unsigned int to)
{
	pid_t *pids = malloc((to - from) * sizeof(*pids));
	unsigned int i;

	for (i = from; i < to; i++)
		pids[i - from] = FIRST_PID + (pid_t)i;
	fakeproc_children(&scene.tree, scene_pid("t"), pids, to - from);
	free(pids);
}

/* Many, coming and going: the chains stay right while the tables grow. */
TEST(ten_thousand_smtpds)
{
	unsigned int i;
	pid_t pid;

	scene_open();
	smtpd_index_free(smtpd_index);
	want_int(new_without_room(&smtpd_index), 0);
	for (i = 0; i < 10000; i++)
		put_child(i);
	set_children(0, 6000);
	want_int(smtpd_index_refresh(smtpd_index), 6000);
	set_children(3000, 10000);
	want_int(smtpd_index_refresh(smtpd_index), 7000);
	for (i = 0; i < 10000; i++) {
		const struct addr addr = {
			.family = ADDR_IPV4,
			.bytes = { 10, (uint8_t)(i / 250), (uint8_t)(i % 250), 1 },
		};

		want_int(smtpd_index_find(smtpd_index, &addr, (uint16_t)(1000 + i), &pid, 1),
			 i >= 3000);
		if (i >= 3000)
			want_int(pid, FIRST_PID + (pid_t)i);
	}
	scene_close();
}

static int make_one(void *data)
{
	struct smtpd_index *index = NULL;
	int r = new_without_room(&index);

	(void)data;
	if (r == 0)
		r = smtpd_index_refresh(index);
	smtpd_index_free(index);
	return r < 0 ? r : 0;
}

TEST(no_memory)
{
	unsigned int i;

	scene_open();
	for (i = 0; i < 100; i++)
		put_child(i);
	set_children(0, 100);
	want_int(memory_fail_each(make_one, NULL) >= 5, true);
	scene_close();
}
