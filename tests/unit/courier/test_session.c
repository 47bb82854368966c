/* Which smtpd serves this address and port?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/scene.h"

static struct session_finder *finder;
static struct smtpd smtpd;	/* of the last session_verify() */
static struct smtpd_facts facts;

static void before(void)
{
	smtpd = (struct smtpd)SMTPD_NONE;
	want_int(session_new(scene.tree.root, scene.rules.looker, FAKE_UID, &finder), 0);
}

static void after(void)
{
	smtpd_done(&smtpd);
	session_free(finder);
}

SCENE("tcpd t; smtpd a ip ::ffff:192.0.2.1 port 1001 BLOCK=Listed; "
      "smtpd b ip 2001:db8::2 port 1002; process x uid 1235", before, after)

/* --- verbs --- */

static pid_t pid_option(char **args, const char *word)
{
	return scene_pid(scene_option(args, word, "0"));
}

/* A line about P's client, attested or hinted to be of other processes; P is the result. */
VERB(find)
{
	const struct session_query query = {
		.addr = scene_addr(args), .port = scene_port(args),
		.attested = pid_option(args, "attested"), .hint = pid_option(args, "hint"),
		.confirms = scene_has(args, "confirms"), .defers = scene_has(args, "defers"),
	};
	struct smtpd found = SMTPD_NONE;
	struct smtpd_facts unused;
	int r = session_find(finder, &query, scene.scratch, &found, &unused);

	if (r == 0)
		want_int(found.process.pid, scene_pid(args[0]));
	smtpd_done(&found);
	return r;
}

VERB_IS(refresh, session_refresh(finder, scene_has(args, "thorough")))
VERB_DO(hold, session_hold(finder))

/* All that can be known, and pinned. */
VERB(look)
{
	want_int(session_refresh(finder, true), 0);
	return verb_hold(args);
}

VERB_DO(learn, session_learn(finder))
VERB_DO(let_go, session_let_go(finder))

VERB(verify)
{
	const pid_t pid = scene_pid(args[0]);
	const struct addr addr = scene_addr(args);
	int r = session_verify(finder, pid, &addr, scene_port(args), scene.scratch, &smtpd, &facts);

	want_int(smtpd.process.pid, r == 0 ? pid : 0);
	return r;
}

VERB(confirmed)
{
	static struct smtpd_scratch second_scratch;
	int r = session_check_submit(finder, &smtpd, &facts, &second_scratch);

	want_str(facts.block, "Listed");
	return r;
}

VERB(candidates)
{
	const struct addr addr = scene_addr(args);
	const int max = atoi(scene_option(args, "max", "4"));
	pid_t pids[5] = { 0 };
	const int port = atoi(scene_option(args, "port", "0"));
	size_t n = session_candidates(finder, &addr, (uint16_t)port, pids, (size_t)max);

	want_int(pids[0], n ? scene_pid(args[0]) : 0);
	want_int(pids[max], 0);
	return (int)n;
}

VERB_IS(has_tcpds, session_has_tcpds(finder))

VERB(knows_relay)
{
	const struct addr addr = scene_addr(args);

	return session_knows_relay_client(finder, &addr);
}

VERB_IS(may_be, session_may_be_couriers(finder, scene_pid(args[0])))

VERB(make)
{
	struct session_finder *made = NULL;
	int r = session_new(scene.tree.root, scene.rules.looker, FAKE_UID, &made);

	/* Untouched on failure. */
	want_int(made != NULL, r == 0);
	session_free(made);
	return r;
}

/* --- scripts --- */

#define CONFIRMS(submit, result) submit "; verify a; confirmed = " result
#define RELAY "smtpd b ip 2001:db8::2 port 1002 RELAYCLIENT="

static const struct script scripts[] = {
	{ "attested", "look; find a attested a = 0" },
	{ "attested, no port in the line", "look; find a port 0 attested a = 0" },
	{ "attested, takes a look", "find a attested a = EAGAIN" },
	{ "attested, not listed", "look; find b attested b = EAGAIN" },
	{ "attested serves another address", "look; find a ip 192.0.2.9 attested a = EAGAIN" },
	{ "attested serves another port", "look; find a port 1009 attested a = EAGAIN" },
	{ "attested has another uid: nothing else is tried",
	  "look; find a attested x hint a = EPERM" },
	{ "attested has exited", "end a; find a attested a = ESRCH" },
	/* A hint alone may be of another process by now. */
	{ "attested: no submit has to confirm it", "look; find a attested a confirms = 0" },
	{ "hint", "look; find a hint a = 0" },
	{ "hint, takes a look", "find a hint a = EAGAIN" },
	{ "hint serves another address: nothing else is tried", "look; find a hint b = EAGAIN" },
	{ "hint has another uid: nothing else is tried", "look; find a hint x = EPERM" },
	{ "hint has exited", "end x; find a hint x = EAGAIN" },
	{ "pinned", "look; find a = 0" },
	{ "known and not pinned", "look; find b = EAGAIN" },
	{ "not known", "find a = EAGAIN" },
	{ "another port", "look; find a port 1009 = EAGAIN" },
	{ "no port: there may be more", "look; find a port 0 = EAGAIN" },
	{ "one port of the peer's, connected to two of ours",
	  "look; find a = 0; smtpd b ip ::ffff:192.0.2.1 port 1001 on 587 BLOCK=Listed; look; "
	  "find a = EAGAIN" },
	{ "the next step may be deferred: nothing is removed",
	  "look; find a defers = EAGAIN; find a = 0" },

	{ "verified", "verify a = 0" },
	{ "verified for any port", "verify a port 0 = 0" },
	{ "verified, IPv6, not listed", "verify b = 0" },
	{ "not verified: another address", "verify a ip 192.0.2.9 = ENXIO" },
	{ "not verified: another port", "verify a port 1009 = ENXIO" },
	{ "not verified: another program", "verify x ip 192.0.2.1 port 1001 = EPERM" },
	{ "not verified: couriertcpd", "verify t ip 192.0.2.1 port 1001 = EPERM" },

	{ "pinned it is not read again, and found by the first line only",
	  "look; exe a /bin/sh; find a attested a = 0; find a attested a = EAGAIN" },
	{ "pinned smtpds are released",
	  "look; find a attested a = 0; mark; look; more = 1; let_go; more = 0; refresh; hold; "
	  "more = 1" },
	{ "a thorough refresh finds new tcpds",
	  "has_tcpds = 0; refresh; find a = EAGAIN; look; has_tcpds = 1; find a = 0" },
	{ "learns the latest smtpd, without couriertcpd's children",
	  "unlist a b; learn; find a = EAGAIN; newest a 10; learn; find a = 0" },
	/* Its DNSBL takes a while: it is older than the last look when it has exec'd. */
	{ "learns an smtpd before its exec",
	  "exe a " FAKE_TCPD "; newest a; learn; find a = EAGAIN; exe a " FAKE_SMTPD "; "
	  "newest a 1000; learn; find a = 0" },
	{ "candidates of an address",
	  "refresh thorough; candidates a = 1; candidates a port 7 = 0" },
	{ "candidates: no more than there is room for",
	  "smtpd b ip ::ffff:192.0.2.1 port 1002; refresh thorough; candidates b = 2; "
	  "candidates b max 1 = 1" },

	{ "submit knows the listing", CONFIRMS("submit m below a BLOCK=Listed", "0") },
	{ "submit after a login", CONFIRMS("submit m below a BLOCK=", "EPERM") },
	{ "submit with another text", CONFIRMS("submit m below a 'BLOCK=Listed too'", "EPERM") },
	{ "submit that knows nothing", CONFIRMS("submit m below a raw PATH=/bin", "EPERM") },
	{ "submit is another program",
	  CONFIRMS("submit m below a BLOCK=Listed exe /bin/cat", "EPERM") },
	{ "no submit", "verify a; confirmed = EPERM" },
	{ "a line without credentials leaves an smtpd to which a login is offered",
	  "look; smtpd b ip ::ffff:192.0.2.3 port 1003 BLOCK=Listed ESMTPAUTH=PLAIN; look; "
	  "find b ip 192.0.2.3 port 1003 hint b confirms = EAGAIN; "
	  "find b ip 192.0.2.3 port 1003 attested b confirms = 0; find a hint a confirms = 0" },
	{ "relay client is known",
	  RELAY "; knows_relay b = 0; refresh thorough; mark; knows_relay b = 1; "
	  "knows_relay a = 0; knows_relay a ip 192.0.2.9 = 0; more = 0" },
	{ "relay client has another uid by now, or has exited",
	  RELAY "; refresh thorough; " RELAY " uid 1235; knows_relay b = 0; end b; "
	  "knows_relay b = 0" },
	{ "may be courier's by the uid alone", "may_be a = 1; may_be x = 0; may_be 0 = 0" },
	{ "no memory", "starved; make >= 3" },
};

TEST_SCRIPTS(scripts)

TEST(overlong_proc_root_is_refused)
{
	char root[4096];

	memset(root, 'x', sizeof(root) - 1);
	root[sizeof(root) - 1] = '\0';
	finder = NULL;
	want_int(session_new(root, NULL, FAKE_UID, &finder), -ENAMETOOLONG);
	want_int(finder == NULL, true);
	session_free(finder);
}
