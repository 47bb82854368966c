/* A courieresmtpd that is pinned and proven to be courier's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtpd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/scene.h"

/* The result of the last step that opened or pinned a process, or read it. */
static struct smtpd smtpd;
static struct smtpd_facts facts;
static struct smtpd_hint hint;
static int highest_fd;
static struct smtpd_scratch second_scratch;

static void before(void)
{
	smtpd = (struct smtpd)SMTPD_NONE;
}

static void after(void)
{
	smtpd_done(&smtpd);
}

SCENE("tcpd t", before, after)

/* --- verbs --- */

VERB(done)
{
	smtpd_done(&smtpd);
	want_int(smtpd.process.fd == -1 && smtpd.tls.fd == -1, true);
	return 0;
}

static int pin(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
	       struct smtpd *ret_smtpd, struct smtpd_facts *ret_facts)
{
	int r = smtpd_pin(rules, pid, scratch, ret_smtpd, &hint);

	*ret_facts = hint.facts;
	return r;
}

static int open_by(char **args, __typeof__(smtpd_open) *open_it)
{
	const pid_t pid = scene_pid(args[0]);
	int r;

	smtpd_done(&smtpd);
	smtpd = (struct smtpd)SMTPD_NONE;
	r = open_it(&scene.rules, pid, scene.scratch, &smtpd, &facts);
	if (r < 0)
		want_int(smtpd.process.fd == -1 && smtpd.tls.fd == -1, true);
	else
		highest_fd = smtpd.tls.fd > smtpd.process.fd ? smtpd.tls.fd : smtpd.process.fd;
	return r;
}

VERB_IS(open, open_by(args, smtpd_open))
VERB_IS(pin, open_by(args, pin))
VERB_IS(pinned, smtpd.process.fd >= 0)
VERB_IS(open_handshake, open_by(args, smtpd_open_handshake))

VERB(recheck)
{
	memset(&facts, 0, sizeof(facts));
	memset(scene.scratch, 0, sizeof(*scene.scratch));
	return smtpd_recheck(&scene.rules, &smtpd, scene.scratch, &facts);
}

VERB_IS(recheck_submit, smtpd_recheck_submit(&smtpd))
VERB_IS(has_submit, smtpd.submit.fd >= 0)
VERB_IS(submit_knows, smtpd_check_submit(&scene.rules, &smtpd, args[0], &second_scratch))
VERB_DO(forget, smtpd_forget_held(&smtpd))

VERB(take)
{
	struct smtpd taken = smtpd_take(&smtpd);

	verb_done(args);
	smtpd = taken;
	return 0;
}

VERB_IS(behind_proxy, smtpd.behind_proxy)
VERB_IS(may_be, smtpd_may_be(&scene.rules, scene_pid(args[0])))
VERB_IS(may_stay, smtpd_may_stay(&scene.rules, &smtpd))

/* Alone, or behind the highest descriptor that the last one pinned. */
VERB_DO(fd_end, scene.rules.fd_end = atoi(args[0]) + (args[0][0] == '+' ? highest_fd : 0))
VERB_DO(uid, scene.rules.uid += (uid_t)atoi(args[0]))
VERB_IS(know, tcpd_check(scene.rules.tcpds, scene_pid(args[0])))
VERB_IS(hint, smtpd_read_hint(&scene.rules, scene_pid(args[0]), scene.scratch, &hint))

/* The result is the process, below that couriertls. */
VERB(is)
{
	want_int(smtpd.process.pid, scene_pid(args[0]));
	want_int(pidref_check(&smtpd.process), 0);
	if (args[1])
		want_int(smtpd.tls.pid, scene_pid(args[1]));
	want_int(args[1] ? pidref_check(&smtpd.tls) : smtpd.tls.fd, args[1] ? 0 : -1);
	return 0;
}

static int want_client(const struct smtpd_peer *peer, const char *more, char **args)
{
	char ip[ADDR_TEXT_SIZE], got[128];

	snprintf(got, sizeof(got), "%s %u %u%s", addr_format(&peer->addr, ip), peer->port,
		 peer->local_port, more);
	return scene_want_words(got, args);
}

VERB_IS(client, want_client(&smtpd.peer, "", args))
VERB_IS(hinted,
     want_client(&hint.peer, hint.facts.block ? " listed" :
			     hint.facts.relay_client ? " relay" : "", args))

VERB(facts)
{
	const char *const texts[] = { "BLOCK=", facts.block, "BLOCK_IP=", facts.block_ip,
				      "BLOCK_ZONE=", facts.block_zone };
	char got[256] = "";
	size_t used = 0, i;

	for (i = 0; i < COUNT_OF(texts); i += 2)
		if (texts[i + 1])
			used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%s%s",
						 used ? " " : "", texts[i], texts[i + 1]);
	snprintf(got + used, sizeof(got) - used, "%s%s", facts.relay_client ? " relay" : "",
		 facts.tls ? " tls" : "");
	return scene_want_words(got + (got[0] == ' '), args);
}

static struct smtpd_peer peer_of(char **args)
{
	struct smtpd_peer peer = {
		.port = (uint16_t)atoi(scene_option(args, "port", "41703")), .local_port = 25,
	};

	want_int(addr_parse("192.0.2.7", 9, &peer.addr), 0);
	return peer;
}

/* At most that many; each is one of these processes. */
VERB(orphans)
{
	const struct smtpd_peer peer = peer_of(args);
	struct pidref refs[4];
	char **name;
	int n, i;

	n = smtpd_find_orphan_tls(&scene.rules, &peer, scene.scratch, refs, (size_t)atoi(args[0]));
	for (i = 0; i < n; i++) {
		for (name = args + 1; *name && refs[i].pid != scene_pid(*name); name++)
			;
		want_int(*name != NULL, true);
		want_int(pidref_check(&refs[i]), 0);
		pidref_done(&refs[i]);
	}
	return n;
}

VERB(served)
{
	const struct smtpd_peer peer = peer_of(args);

	return smtpd_is_served(&scene.rules, &peer, scene.scratch);
}

VERB(failed)
{
	int err = 133;

	while (err > 0 && strcmp(strerrorname_np(err) ? strerrorname_np(err) : "", args[0]) != 0)
		err--;
	return smtpd_call_failed(err ? -err : atoi(args[0]));
}

/* An environment that fills the buffer. */
VERB(fill)
{
	static char big[PROCFS_ENVIRON_SIZE];
	const struct peer peer = { "192.0.2.7", 41703, 25, NULL };

	memset(big, 'x', sizeof(big));
	peer_environment(&peer, big, sizeof(big));
	fakeproc_write(&scene.tree, scene_pid(args[0]), "environ", big, sizeof(big));
	return 0;
}

/* Descriptors run out in the middle, wherever that is: nothing stays open. Returns how many
 * were enough. */
VERB(squeeze)
{
	const size_t before = descriptors_open();
	struct rlimit old, low;
	int r = -EMFILE;

	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	for (low.rlim_cur = 3; low.rlim_cur < 256 && r != 0; low.rlim_cur++) {
		want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
		r = verb_open(args);
		want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
		want_int(r == 0 || r == -EMFILE, true);
		smtpd_done(&smtpd);
		want_int(descriptors_open(), before);
	}
	return (int)low.rlim_cur;
}

/* --- scripts --- */

#define SMTPS "know t; tls l on 465; smtpd s below l on 465; "
#define ENV(ip, port) \
	"smtpd s raw TCPREMOTEIP=" ip " TCPLOCALPORT=25 'TCPREMOTEPORT=" port "'; open s"
#define NO_PORT(port) ENV("192.0.2.7", port) " = EPERM"
/* x is read in no way. */
#define UNREAD "trap x; open x = EPERM; pin x = EPERM; hint x = EPERM; release x = 0"
#define KNOWS(submit, result) \
	"smtpd s; open s; submit_knows Listed = EPERM; " submit "; submit_knows Listed = " result
#define LISTED "smtpd s BLOCK=Listed; pin s; "
#define TRAPPED_SUBMIT(submit, result, again, released, left)                               \
	LISTED submit "; children s m; trap m; submit_knows Listed = " result "; has_submit = 0; " \
	"submit_knows Listed = " again "; release m = " released "; lookers " left

#define NAMED_BY "TCPREMOTEINFO=proxy via ::ffff:192.0.2.25, port 25"
#define NAMED "'" NAMED_BY "'"

static const struct script scripts[] = {
	{ "port 25", "smtpd s; open s; is s; client 192.0.2.7 41703 25; facts; done; done" },
	{ "port 465: both processes are opened, whichever is named",
	  SMTPS "open s; is s l; client 192.0.2.7 41703 465; done; open l; is s l" },
	{ "port 465: the facts are courieresmtpd's, though both pass through the same memory",
	  "tls l on 465 PAD=0123456789012345678901234 'BLOCK=of couriertls' BLOCK_IP=127.0.0.9; "
	  "smtpd s below l on 465 'BLOCK=of courieresmtpd' BLOCK_IP=127.0.0.2 "
	  "BLOCK_ZONE=bl.example; open s; "
	  "facts 'BLOCK=of courieresmtpd' BLOCK_IP=127.0.0.2 BLOCK_ZONE=bl.example" },

	{ "facts: listed by TXT",
	  "smtpd s 'BLOCK=Listed, 192.0.2.7' BLOCK_IP=127.0.0.2 BLOCK_ZONE=bl.example "
	  "'BLOCK_TXT=Listed, 192.0.2.7'; "
	  "open s; facts 'BLOCK=Listed, 192.0.2.7' BLOCK_IP=127.0.0.2 BLOCK_ZONE=bl.example" },
	{ "facts: a zone without BLOCK",
	  "smtpd s BLOCK_IP=127.0.0.2 BLOCK_ZONE=bl.example; open s; "
	  "facts BLOCK_IP=127.0.0.2 BLOCK_ZONE=bl.example" },
	{ "facts: an -allow hit",
	  "smtpd s BLOCK= BLOCK_IP=127.0.0.2; open s; facts BLOCK_IP=127.0.0.2" },
	{ "facts: empty values", "smtpd s BLOCK= BLOCK_IP= BLOCK_ZONE=; open s; facts" },
	{ "facts: a relay client", "smtpd s RELAYCLIENT=; open s; facts relay" },
	{ "facts: a relay client with a suffix",
	  "smtpd s RELAYCLIENT=@relay BLOCK=x; open s; facts BLOCK=x relay" },
	{ "facts: not quite a relay client",
	  "smtpd s RELAYCLIENTS=1 NORELAYCLIENT=; open s; facts" },
	{ "facts: the first of two", "smtpd s BLOCK=1 BLOCK=2; open s; facts BLOCK=1" },
	{ "facts: TLS from the start", "smtpd s ESMTP_TLS=1; open s; facts tls" },
	{ "facts: no TLS from the start", "smtpd s ESMTP_TLS=0; open s; facts" },
	{ "facts: TLS left open", "smtpd s ESMTP_TLS=; open s; facts" },

	{ "identity: replaced by an upgrade",
	  "know t; smtpd s exe '" FAKE_SMTPD " (deleted)'; open s = 0" },
	{ "identity: before its exec", "know t; smtpd s exe " FAKE_TCPD "; open s = EAGAIN" },
	{ "identity: submit", "know t; submit s below t; open s = EPERM" },
	{ "identity: couriertls with nothing below", "know t; tls s; open s = EAGAIN" },
	{ "identity: a shell", "know t; smtpd s exe /bin/sh; open s = EPERM" },
	{ "identity: a longer name", "know t; smtpd s exe /bin/courieresmtpd2; open s = EPERM" },
	{ "identity: a shorter name", "know t; smtpd s exe /bin/courieresmtp; open s = EPERM" },
	{ "identity: a name longer than any",
	  "know t; smtpd s exe /bin/courieresmtpd-0123456789012345678901; open s = EPERM" },
	{ "identity: a directory of that name",
	  "know t; smtpd s exe /tmp/courieresmtpd/sh; open s = EPERM" },
	{ "identity: another user's", "know t; smtpd s uid 1241; open s = EPERM" },
	{ "identity: root's", "know t; smtpd s uid 0; open s = EPERM" },
	{ "identity: courier's by its real uid only", "know t; smtpd s uid 1233; open s = EPERM" },
	{ "identity: orphaned", "know t; smtpd s below 1; open s = EPERM" },
	{ "identity: no kernel's parent", "know t; smtpd s below 77; open s = EPERM" },
	{ "identity: a kernel thread", "know t; smtpd s exe none; open s = ESRCH" },

	{ "parent: a shell",
	  "know t; smtpd p below 1 exe /bin/sh; smtpd s below p; open s = EPERM" },
	{ "parent: another user's couriertcpd",
	  "know t; smtpd p below 1 uid 1235 exe " FAKE_TCPD "; smtpd s below p; open s = EPERM" },
	{ "parent: a container's couriertcpd",
	  "know t; smtpd p below 1 container exe " FAKE_TCPD "; smtpd s below p; open s = EPERM" },
	{ "parent: a courieresmtpd", "know t; smtpd p below 1; smtpd s below p; open s = EPERM" },
	{ "parent: a child of couriertcpd before its exec",
	  "know t; smtpd p exe " FAKE_TCPD "; smtpd s below p; open s = EPERM" },
	{ "parent: a couriertcpd that is known is not read",
	  "smtpd s; know t; lose t status; open s = 0" },
	{ "parent: above another user's process nothing is read",
	  "smtpd p below 1 exe " FAKE_TCPD "; trap p; tls l below p uid 1235; smtpd s below l; "
	  "open s = EPERM; lookers 0" },
	{ "parent: it has exited",
	  "tcpd u; know u; smtpd s below u; open s = 0; end u; open s = EPERM" },

	/* If couriertls is named, it may have another child later. */
	{ "couriertls above: its address may be written otherwise",
	  SMTPS "tls l ip 192.0.2.7 on 465; open s = 0; open l = 0" },
	{ "couriertls above: another user's",
	  SMTPS "tls l on 465 uid 1235; open s = EPERM; open l = EPERM" },
	{ "couriertls above: another address",
	  SMTPS "tls l ip 192.0.2.8 on 465; open s = EPERM; open l = EAGAIN" },
	{ "couriertls above: another port",
	  SMTPS "tls l port 41704 on 465; open s = EPERM; open l = EAGAIN" },
	{ "couriertls above: another local port", SMTPS "tls l; open s = EPERM; open l = EAGAIN" },
	{ "couriertls above: no peer",
	  SMTPS "tls l raw PATH=/bin; open s = EPERM; open l = EAGAIN" },
	{ "couriertls above: no couriertcpd above it",
	  SMTPS "tls l on 465 below 1; open s = EPERM; open l = EPERM" },
	{ "couriertls above: another one above it",
	  SMTPS "tls m on 465; tls l below m on 465; open s = EPERM" },
	{ "couriertls without a child",
	  "tls c; open_handshake c = 0; is c; smtpd x below c; open_handshake c = EAGAIN; "
	  "open_handshake x = EPERM" },
	{ "couriertls that is another program", "tls c exe /bin/sh; open_handshake c = EPERM" },
	{ "couriertls of another user", "tls c uid 1; open_handshake c = EPERM" },
	{ "couriertls during the handshake, and when it has forked",
	  "know t; tls l on 465; open l = EAGAIN; tls s below l on 465; open l = EAGAIN" },

	{ "environment: IPv4 on a dual socket",
	  ENV("::ffff:192.0.2.7", "41703") "; client 192.0.2.7 41703 25" },
	{ "environment: IPv4", ENV("192.0.2.7", "41703") "; client 192.0.2.7 41703 25" },
	{ "environment: IPv6", ENV("2001:db8::7", "41703") "; client 2001:db8::7 41703 25" },
	{ "environment: port 1", ENV("192.0.2.7", "1") "; client 192.0.2.7 1 25" },
	{ "environment: port 65535", ENV("192.0.2.7", "65535") "; client 192.0.2.7 65535 25" },
	{ "environment: port 587", "smtpd s port 2 on 587; open s; client 192.0.2.7 2 587" },
	{ "environment: the first of two addresses",
	  ENV("192.0.2.7 TCPREMOTEIP=192.0.2.8", "41703") "; client 192.0.2.7 41703 25" },
	{ "environment: no address",
	  "smtpd s raw PATH=/bin TCPREMOTEPORT=41703 TCPLOCALPORT=25; open s = EPERM" },
	{ "environment: no port",
	  "smtpd s raw TCPREMOTEIP=192.0.2.7 TCPLOCALPORT=25; open s = EPERM" },
	{ "environment: no local port",
	  "smtpd s raw TCPREMOTEIP=192.0.2.7 TCPREMOTEPORT=41703; open s = EPERM" },
	{ "environment: an empty address", ENV("", "41703") " = EPERM" },
	{ "environment: no real address", ENV("192.0.2.256", "41703") " = EPERM" },
	{ "environment: a host name", ENV("host.example", "41703") " = EPERM" },
	{ "environment: an empty port", NO_PORT("") },
	{ "environment: port 0", NO_PORT("0") },
	{ "environment: port 65536", NO_PORT("65536") },
	{ "environment: a port with more behind", NO_PORT("25x") },
	{ "environment: a port of six digits", NO_PORT("000025") },
	{ "environment: a negative port", NO_PORT("-1") },
	{ "environment: a port beyond all numbers", NO_PORT("99999999999999999999999") },
	{ "environment: a port that wraps", NO_PORT("18446744073709551641") },
	{ "environment: a port that wraps the other way", NO_PORT("-18446744073709551591") },
	{ "environment: a port with a sign", NO_PORT("+41703") },
	{ "environment: a port behind a blank", NO_PORT(" 41703") },
	{ "environment: nothing", "smtpd s raw; open s = ESRCH" },
	{ "environment: too large", "know t; smtpd s; fill s; open s = E2BIG" },

	{ "gone: the tree has another process with its PID",
	  "know t; smtpd s; open s; end s; open s = ESRCH" },
	{ "gone: no PID", "open 0 = EPERM; open -1 = EPERM" },
	{ "gone: it exits when its status is being read",
	  "know t; smtpd s; open s; during status of s kill s; open s = ESRCH" },
	{ "gone: it exits when its environment is being read",
	  "know t; smtpd s; open s; during environ of s kill s; open s = ESRCH" },
	{ "gone: another smtpd has its PID when its environment is being read",
	  "know t; smtpd s; "
	  "during status of s kill s and lose s environ and smtpd s ip 198.51.100.9 port 5; "
	  "open s = ESRCH" },
	{ "gone: its couriertls exits when that is being read",
	  SMTPS "open s; during environ of l kill l; open s = ESRCH" },

	{ "descriptors: none", "smtpd s; limit 3; open s = EMFILE" },
	{ "descriptors: the last are the logger's, and those before them are for looks",
	  SMTPS "open s; may_stay = 1; fd_end +5; may_stay = 1; fd_end +4; may_stay = 0; "
	  "fd_end +1; open s = 0; fd_end +0; open s = EMFILE; may_be s = 0; fd_end 3; "
	  "may_be s = EMFILE" },
	/* Two pidfds and one more, for an environment, at once. */
	{ "descriptors: they run out in the middle", SMTPS "open s; done; squeeze s >= 7" },

	/* A read could hang. A process of courier's below one of its sessions may be one of
	 * port 465, if that session is a couriertls: that is read, and the process is not. */
	{ "not read: another user's", "smtpd s; smtpd x uid 1235; " UNREAD },
	{ "not read: root's", "smtpd s; smtpd x uid 0; " UNREAD },
	{ "not read: orphaned", "smtpd s; smtpd x below 1; " UNREAD },
	{ "not read: below a session", "smtpd s; smtpd x below s; " UNREAD },
	{ "not read: below another user's process",
	  "smtpd s; smtpd p uid 1235 exe " FAKE_TCPD "; smtpd x below p; " UNREAD },
	{ "may be courier's by the uid alone, and without a look",
	  "smtpd x; trap x; may_be x = 0; smtpd x uid 1235; trap x; may_be x = EPERM; "
	  "may_be 1 = EPERM; may_be 0 = EPERM; drop x; may_be x = ESRCH; lookers 0" },
	{ "a session that was taken over is waited for once",
	  "know t; smtpd s; trap s; open s = ETIMEDOUT; begin; open s = EBUSY; pin s = EBUSY; "
	  "hint s = EBUSY; may_be s = 0; quick; release s = 1; lookers 0; smtpd s; open s = 0" },
	{ "a couriertls that was taken over is waited for once, whichever is named",
	  SMTPS "trap l; open s = ETIMEDOUT; open l = EBUSY; release l = 1; lookers 0" },

	{ "submit: the same text", KNOWS("submit m BLOCK=Listed", "0") },
	{ "submit: replaced by an upgrade",
	  KNOWS("submit m BLOCK=Listed exe '/lib/courier/submit (deleted)'", "0") },
	{ "submit: after a login", KNOWS("submit m BLOCK= BLOCK_TXT=Listed", "EPERM") },
	{ "submit: no text", KNOWS("submit m BLOCK_TXT=Listed", "EPERM") },
	{ "submit: a longer text", KNOWS("submit m BLOCK=Listed!", "EPERM") },
	{ "submit: a shorter text", KNOWS("submit m BLOCK=Liste", "EPERM") },
	{ "submit: another program", KNOWS("submit m BLOCK=Listed exe /bin/sh", "EPERM") },
	{ "submit: before its exec", KNOWS("submit m BLOCK=Listed exe " FAKE_SMTPD, "EPERM") },
	{ "submit: a kernel thread", KNOWS("submit m BLOCK=Listed exe none", "EPERM") },
	{ "submit: any of two may have given the reply",
	  "smtpd s; submit p exe /bin/sh; submit m BLOCK=Listed; open s; "
	  "submit_knows Listed = 0; unlist p; submit q exe /bin/sh; submit_knows Listed = 0" },
	{ "submit: its smtpd has exited, it is another process' child",
	  "smtpd s; submit m BLOCK=Listed; open s; submit_knows Listed = 0; end s; "
	  "submit_knows Listed = ESRCH" },
	{ "submit: it stays pinned",
	  LISTED "submit m BLOCK=Listed; submit_knows Listed = 0; has_submit = 1; "
	  "recheck_submit = 0; submit_knows 'Listed too' = EPERM; has_submit = 0; "
	  "submit_knows Listed = 0; end m; recheck_submit = ESRCH" },
	{ "submit: not read if it is another user's",
	  TRAPPED_SUBMIT("submit m uid 1235 BLOCK=Listed", "EPERM", "EPERM", "0", "1") },
	{ "submit: not read if it is another's child",
	  TRAPPED_SUBMIT("submit m below t BLOCK=Listed", "EPERM", "EPERM", "0", "1") },
	{ "submit: waited for once if it was taken over",
	  TRAPPED_SUBMIT("submit m BLOCK=Listed", "ETIMEDOUT", "EBUSY", "1", "0") },

	{ "pinned: a check never waits, and reads no process that may hang",
	  LISTED "submit m BLOCK=Listed; submit_knows Listed; trap t s m; begin; recheck = 0; "
	  "facts BLOCK=Listed; recheck_submit = 0; quick; release s = 0; release m = 0; "
	  "release t = 0; end m; recheck_submit = ESRCH; forget; recheck_submit = ESRCH" },
	{ "pinned: the parent and the uid count as they are now",
	  LISTED "smtpd s below 1; recheck = EPERM; smtpd s uid 1235; recheck = EPERM; "
	  "smtpd s; recheck = 0" },
	/* poll(2) refuses more descriptors than a process may have. */
	{ "pinned: a failed call says nothing about the process",
	  LISTED "submit m BLOCK=Listed; submit_knows Listed; limit 0; may_be s = EMFILE; limit 0; "
	  "recheck = EMFILE; limit 0; recheck_submit = EINVAL; recheck = 0; recheck_submit = 0; "
	  "limit 0; submit_knows Listed = EMFILE" },
	{ "results that are a failed call",
	  "failed EMFILE = 1; failed ENFILE = 1; failed ENOMEM = 1; failed EINTR = 1; "
	  "failed ETIMEDOUT = 1; failed EBUSY = 1; failed EIO = 1; failed EINVAL = 1" },
	{ "results that are not",
	  "failed 0 = 0; failed 7 = 0; failed ESRCH = 0; failed EPERM = 0; failed EACCES = 0; "
	  "failed EAGAIN = 0; failed ENXIO = 0; failed ENODATA = 0; failed ENOSYS = 0; "
	  "failed E2BIG = 0" },
	{ "taken from one owner to another", SMTPS "open s; take; is s l" },

	{ "proxy: none", "smtpd s; open s; behind_proxy = 0" },
	{ "proxy: it has named the client",
	  "tcpd t -haproxy=15; smtpd s " NAMED "; open s; behind_proxy = 1; take; "
	  "behind_proxy = 1; smtpd s " NAMED " BLOCK=x; pin s; recheck; behind_proxy = 1" },
	{ "proxy: on port 465",
	  "tcpd t -haproxy=/port=465; tls l " NAMED "; open_handshake l; behind_proxy = 1; "
	  "smtpd s below l " NAMED "; open s; behind_proxy = 1; open l; is s l; "
	  "behind_proxy = 1" },
	{ "proxy: of other ports only", "tcpd t -haproxy=/port=26; smtpd s; open s; "
	  "behind_proxy = 0" },
	/* What the client's ident server said, to courier before 1.3. */
	{ "proxy: a client cannot claim it", "smtpd s " NAMED "; open s; behind_proxy = 0" },
	{ "proxy: nor where courier ignores the option",
	  "tcpd t -haproxy; smtpd s " NAMED "; open s; behind_proxy = 0" },
	{ "proxy: nor for another listener",
	  "know t; tcpd x -haproxy=15; know x; smtpd s " NAMED "; open s; behind_proxy = 0" },
	{ "proxy: another text", "tcpd t -haproxy=15; smtpd s TCPREMOTEINFO=proxy; open s; "
	  "behind_proxy = 0" },

	{ "hint: courieresmtpd", "smtpd s; hint s; hinted 192.0.2.7 41703 25" },
	{ "hint: listed", "smtpd s BLOCK=Listed; hint s; hinted 192.0.2.7 41703 25 listed" },
	{ "hint: listed nowhere", "smtpd s BLOCK=; hint s; hinted 192.0.2.7 41703 25" },
	{ "hint: a relay client",
	  "smtpd s RELAYCLIENT=; hint s; hinted 192.0.2.7 41703 25 relay" },
	{ "hint: couriertls", "tls s; hint s; hinted 192.0.2.7 41703 25" },
	{ "hint: replaced by an upgrade",
	  "smtpd s exe '" FAKE_SMTPD " (deleted)'; hint s; hinted 192.0.2.7 41703 25" },
	{ "hint: before its exec", "smtpd s raw PATH=/bin exe " FAKE_TCPD "; hint s = EAGAIN" },
	{ "hint: before its exec, with an environment",
	  "smtpd s exe " FAKE_TCPD "; hint s = EAGAIN" },
	{ "hint: names no peer", "smtpd s raw PATH=/bin; hint s = ENODATA" },
	{ "hint: another program", "smtpd s exe /bin/sh; hint s = ENODATA" },
	{ "hint: no process", "hint 4243 = ESRCH" },

	{ "orphans: below init, and below couriertcpd's own parent; no more than asked for",
	  "know t; orphans 4 = 0; tls l below 1; tls m below 1; orphans 1 l m = 1; "
	  "orphans 4 l m = 2; unlist l m; tcpd t below y; process y exe /lib/systemd uid 0; "
	  "children y l; orphans 4 l = 1" },
	{ "orphans: of other users not read; one that hangs does not hide the others",
	  "tls a below 1 uid 1235; tls b below 1; tls l below 1; trap a b; orphans 4 l = 1; "
	  "release a = 0; release b = 1; lookers 1" },
	{ "served: by one that cannot be read, and when they cannot be listed",
	  "smtpd s; open s; done; served port 41704 = 0; spare 0; served port 41704 = 1; "
	  "trap s; served port 41704 = 1; release s = 1" },

	{ "real: port 25",
	  "real; plain s 'BLOCK=511 Listed'; open s; is s; client 192.0.2.7 41703 25; "
	  "facts 'BLOCK=511 Listed'; open t = EPERM; open self = EPERM; upgrade; open s = 0" },
	{ "real: pinned it is proven again until it exits, and after an upgrade",
	  "real; plain s 'BLOCK=511 Listed' BLOCK_ZONE=bl.example; pin s; is s; "
	  "facts 'BLOCK=511 Listed' BLOCK_ZONE=bl.example; client 192.0.2.7 41703 25; upgrade; "
	  "recheck = 0; facts 'BLOCK=511 Listed' BLOCK_ZONE=bl.example; uid +1; "
	  "recheck = EPERM; uid -1; kill s; recheck = ESRCH" },
	{ "real: pinned, the facts read then count",
	  "real; plain s ESMTP_TLS=1 RELAYCLIENT= BLOCK=x; pin s; recheck = 0; "
	  "facts BLOCK=x relay tls" },
	{ "real: pinned until its parent exits",
	  "real; plain s BLOCK=x; pin s; recheck = 0; kill t; recheck = EPERM; living s = 1" },
	/* On 465 there are two processes, and only one could be pinned. */
	{ "real: not pinned",
	  "real; plain p; pin p; pinned = 0; smtps s l on 465 BLOCK=x; pin s = EPERM; pin l = 0; "
	  "pinned = 0; pin self = EPERM; pin t = EPERM; forked f; pin f = EAGAIN" },
	{ "real: port 465", "real; smtps s l on 465; open s; is s l; open l; is s l" },
	{ "real: before and after exec",
	  "real; forked s; open s = EAGAIN; hint s = EAGAIN; exec; hint s = 0; open s; is s" },
	{ "real: its couriertls of STARTTLS is found, also when it has exited",
	  "real; starttls a b ip ::ffff:192.0.2.8; starttls c d port 41704; "
	  "starttls e f on 587; starttls g h ip 2001:db8::7; smtps i j; starttls s l; open s; "
	  "is s; orphans 4 l = 1; orphans 0 = 0; kill s; orphans 4 l = 1; kill l; orphans 4 = 0" },
	{ "real: a couriertls left behind is not one of a later connection",
	  "real; starttls s l; plain o port 41704; open s; served = 1; kill s; served = 0; "
	  "starttls u v; served = 1" },
	{ "real: that user has no couriertcpd", "root; plain s; uid +1; open s = EPERM" },
	{ "real: it is hidden",
	  "root; plain s; as nobody; open s = EACCES; as nobody; hint s = EACCES" },
	{ "real: couriertls of another user's",
	  "root; starttls s l; open s; uid +1; orphans 4 = 0" },
};

TEST_SCRIPTS(scripts)

/* The kernel's name for the connection of a real process. */

static struct tcp_pair connection;
static struct tcp_reset reset;
static struct procfs real_procfs;
static struct smtpd_rules rules;
static struct smtpd_peer end;	/* as the server sees it */

static void open_connection(void)
{
	reset = (struct tcp_reset)TCP_RESET_NONE;
	want_int(procfs_init(&real_procfs, PROCFS_DEFAULT_ROOT), 0);
	rules = (struct smtpd_rules){ .procfs = &real_procfs, .reset = &reset };
	tcp_pair_open(&connection);
	end = (struct smtpd_peer){ .port = connection.client_port,
				   .local_port = connection.server_port };
	want_int(addr_parse("127.0.0.1", 9, &end.addr), 0);
	end.local = end.addr;
}

static void close_connection(void)
{
	tcp_reset_done(&reset);
	tcp_pair_close(&connection);
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	want_int(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
	want_int(cookie != 0, true);
	return cookie;
}

TEST(cookie_of_a_connection)
{
	struct smtpd_peer other;
	pid_t pid;

	open_connection();
	pid = waiter_start_with(connection.server, STDIN_FILENO);
	want_int(smtpd_cookie(&rules, pid, &end) == cookie_of(connection.server), true);
	/* The other end of the same connection is another socket. */
	other = end;
	other.port = end.local_port;
	other.local_port = end.port;
	want_int(smtpd_cookie(&rules, pid, &other), 0);
	other = end;
	other.port++;
	want_int(smtpd_cookie(&rules, pid, &other), 0);
	other = end;
	other.local.family = 0;
	want_int(smtpd_cookie(&rules, pid, &other), 0);
	rules.reset = NULL;
	want_int(smtpd_cookie(&rules, pid, &end), 0);
	waiter_end(pid);
	close_connection();
}

/* Its environment names a connection, and it has another one. */
TEST(cookie_of_another_connection)
{
	pid_t pid;
	int i;

	open_connection();
	for (i = 0; i < 2; i++) {
		pid = waiter_start_with(i ? connection.client : connection.listener, STDIN_FILENO);
		want_int(smtpd_cookie(&rules, pid, &end), 0);
		waiter_end(pid);
	}
	want_int(smtpd_cookie(&rules, pid, &end), 0);
	close_connection();
}

/* The session's standard input is a connection from 127.0.0.1, or was one. */
static const struct end_row {
	const char *label, *ip, *option, *info;
	bool is_reset, want;
} end_rows[] = {
	{ "another host's address", "192.0.2.7", NULL, NULL, false, true },
	{ "the client's own", "127.0.0.1", NULL, NULL, false, false },
	{ "the client's own, mapped", "::ffff:127.0.0.1", NULL, NULL, false, false },
	{ "its packets come from the client, whatever was said", "127.0.0.1", "-haproxy=15",
	  NAMED_BY, false, false },
	{ "reset: it cannot tell", "192.0.2.7", "-haproxy=15", NAMED_BY, true, true },
	{ "reset: a client cannot claim to be behind a proxy", "192.0.2.7", NULL, NAMED_BY, true,
	  false },
	{ "reset: nor on another port of such a listener", "192.0.2.7", "-haproxy=/port=26", NULL,
	  true, false },
};

TEST_ROWS(far_end, end_rows)
{
	const char *const extra[] = { row->info, NULL };
	const struct peer peer = { row->ip, 41703, 25, extra };
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	char command_line[64] = "couriertcpd";
	struct tcp_pair pair;
	pid_t pid, tcpd;

	scene_open();
	tcp_pair_open(&pair);
	tcpd = waiter_start();
	pid = waiter_start_with(pair.server, STDIN_FILENO);
	fakeproc_put_tcpd(&scene.tree, tcpd);
	snprintf(command_line + 12, sizeof(command_line) - 12, "%s",
		 row->option ? row->option : "");
	fakeproc_write(&scene.tree, tcpd, "cmdline", command_line, sizeof(command_line));
	fakeproc_put_smtpd(&scene.tree, pid, tcpd, &peer);
	if (row->is_reset)
		want_int(connect(pair.server, &nowhere, sizeof(nowhere)), 0);
	want_int(smtpd_open(&scene.rules, pid, scene.scratch, &smtpd, &facts), 0);
	want_int(smtpd.behind_proxy, row->want);
	smtpd_done(&smtpd);
	waiter_end(pid);
	waiter_end(tcpd);
	tcp_pair_close(&pair);
	scene_close();
}
