/* Addresses on their way to the kernel's lists, which files imitate. The tests set the
 * time. A missing list is tried again after 50 ms, and the lists are checked every 5000 ms.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/blocklist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKEND_NAME "recent"
#include "tests/unit/blocklist_steps.h"

static struct fakelists lists;

static void before(void)
{
	counters = (struct counters){ 0 };
	alerts = (struct alerts){ 0 };
	written_at = 0;
	fakelists_open(&lists);
	want_int(settings_init(&settings), 0);
}

static void after(void)
{
	blocklist_free(blocklist);
	blocklist = NULL;
	settings_done(&settings);
	fakelists_close(&lists);
}

SCENE(NULL, before, after)

/* --- verbs --- */

static int make_blocklist(void *ret_blocklist)
{
	return blocklist_new(&settings, lists.net_root, lists.module_root, &counters, &alerts,
			     ret_blocklist);
}

/* Without lists. The module's lists have room for 100, and a block lasts 600 s. */
VERB(open)
{
	char limit[16];

	support_set(&settings, scene_option(args, "with", "banTime=600"));
	snprintf(limit, sizeof(limit), "%s", scene_option(args, "room", "100"));
	fakelists_limit(&lists, "xt_recent", limit);
	return make_blocklist(&blocklist);
}

/* "4", "6", or "old" for IPv4's of an old kernel. */
static const char *path_of(const char *list)
{
	return *list == '4' ? "xt_recent/spammer" :
	       *list == '6' ? "xt_recent/spammer6" : "ipt_recent/spammer";
}

VERB(make)
{
	for (; *args; args++)
		fakelists_make(&lists, path_of(*args));
	return 0;
}

VERB_DO(remove, fakelists_remove(&lists, path_of(args[0])))

/* A reload of the firewall. */
VERB_DO(recreate, (fakelists_remove(&lists, path_of(args[0])),
		   fakelists_make(&lists, path_of(args[0]))))

VERB_IS(add, add_block(args, false))

/* Not errors of the backend: the number of tries of a missing list is not specified. */
VERB(counted)
{
	atomic_store(&counters.values[COUNTER_BACKEND_ERRORS], 0);
	return want_counted(args);
}

/* The commands on a list; their number. */
VERB(on)
{
	char *text = fakelists_text(&lists, path_of(args[0])), *at;
	int r;

	for (at = text; *at; at++)
		if (*at == '\n')
			*at = at[1] ? ' ' : '\0';
	r = scene_want_words(text, args + 1);
	free(text);
	return r;
}

static int lines(const char *path)
{
	char *text = fakelists_text(&lists, path), *at;
	int n = 0;

	for (at = text; at && *at; at++)
		n += *at == '\n';
	free(text);
	return n;
}

VERB_IS(lines, lines(path_of(args[0])))
VERB_IS(opened, (int)fakelists_opened())

/* The next N writes fail; 0: they are short. */
VERB_DO(fail, fakelists_fail_writes(scene_number(args[0]), (unsigned int)atoi(args[1])))

VERB(mode)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", lists.net_root, path_of("4"));
	return chmod(path, (mode_t)strtoul(args[0], NULL, 8));
}

/* root may write anything, so another user acts. */
VERB_IS(become, geteuid() == 0 || atoi(args[0]) == 0 ? seteuid((uid_t)atoi(args[0])) : 0)

/* Add addresses until memory for one more was requested, which was not there. */
static unsigned int added;

VERB(add_until_memory_fails)
{
	struct addr addr;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		addr = numbered(i);
		memory_fail(1);
		blocklist_add(blocklist, &counters, &addr, 0, false);
		added = i + 1;
		if (memory_failed())
			return 0;
	}
	return -ENOMEM;
}

/* How many of them are not on the list, and not counted as blocked. */
VERB_IS(not_written, (int)added - lines(path_of("4")))
VERB_IS(not_counted, (int)(added - counters_get(&counters, COUNTER_BLOCKS)))

/* --- scripts --- */

#define LISTS "open; make 4 6; "
#define LIST4 "open; make 4; "

/* One list is missing, and the other one is not. */
#define ONE_MISSING(there, missing, addr, other)                                               \
	"open; make " there "; add " addr " 0; add " other " 1; on " there " +" other "; "     \
	"run 2 52; alert list" missing " ENOENT; no_alert; make " missing "; run 52; "         \
	"on " missing " +" addr "; on " there " +" other "; alert list" missing "_back 1; "    \
	"counted blocks=2 waited=1"

#define FAILED_WRITE(err, alert)                                                               \
	LISTS "add 192.0.2.1 0; fail " err " 2; add 192.0.2.2 1; count backend_errors = 1; "   \
	"alert list4 " alert "; run 2 52; run 52; on 4 +192.0.2.1 +192.0.2.2; "                \
	"alert list4_back 1; counted blocks=2 waited=1"

static const struct script scripts[] = {
	{ "written and renewed",
	  LISTS "add 192.0.2.7 0; add 2001:db8::7 1; counted blocks=2; add 192.0.2.7 2; "
	  "counted blocks=2 renewals=1; on 4 +192.0.2.7 +192.0.2.7; on 6 +2001:db8::7; no_alert" },
	{ "blocked addresses are known until the block is over, written or not",
	  LIST4 "has 192.0.2.1 0 = 0; add 192.0.2.1 0 added; add 2001:db8::1 2 waits; "
	  "has 192.0.2.1 599999 = 1; has 192.0.2.1 600000 = 0; has 2001:db8::1 600001 = 1; "
	  "add 192.0.2.1 599999 renewed; has 192.0.2.1 1199998 = 1" },
	{ "nothing to do without blocks",
	  LISTS "run 0 never; run 123456 never; opened = 0" },
	{ "lists are checked while blocks are live",
	  LISTS "add 192.0.2.7 1000; run 1000 6000; add 192.0.2.8 2000; run 2000 6000; "
	  "run 6000 11000; run 601999 606999; run 602000 never; add 192.0.2.7 700000; "
	  "run 700000 705000" },
	{ "each list is checked by itself",
	  LISTS "add 192.0.2.7 0; run 0 5000; add 2001:db8::7 100; run 100 5000; run 5000 5100" },

	/* --- a missing list --- */

	/* Counted once, reported once. */
	{ "waits for a missing list",
	  "open; add 192.0.2.7 0; count backend_errors = 1; alert list4 ENOENT; add 192.0.2.7 10; "
	  "counted waited=1; run 20 70; run 70 120; no_alert; make 4; run 120 5020; "
	  "on 4 +192.0.2.7; counted blocks=1 waited=1; alert list4_back 1; no_alert" },
	{ "each gap is reported",
	  "open; add 192.0.2.7 0; alert list4 ENOENT; make 4; run 50; alert list4_back 1; "
	  "remove 4; add 192.0.2.8 100; alert list4 ENOENT; make 4; run 150; alert list4_back 2; "
	  "lines 4 = 2; no_alert" },
	/* The gap was not reported, so its end is not reported either. */
	{ "short gap is not reported",
	  "open; add 192.0.2.7 0; make 4; run 50; on 4 +192.0.2.7; no_alert" },
	{ "waiting blocks are reported when all are back",
	  "open; add 192.0.2.7 0; add 192.0.2.8 1; alert list4 ENOENT; make 4; add 192.0.2.9 2; "
	  "no_alert; run 3; on 4 +192.0.2.9 +192.0.2.7 +192.0.2.8; alert list4_back 2; "
	  "counted blocks=3 waited=2" },
	{ "return without waiting blocks is reported by the next one",
	  "open with banTime=1; add 192.0.2.7 0; alert list4 ENOENT; run 1000 never; no_alert; "
	  "make 4; add 192.0.2.8 1001; alert list4_back 0; counted blocks=1 waited=1 lost=1" },
	{ "a missing IPv4 list never stops the other",
	  ONE_MISSING("6", "4", "192.0.2.7", "2001:db8::7") },
	{ "a missing IPv6 list never stops the other",
	  ONE_MISSING("4", "6", "2001:db8::7", "192.0.2.7") },
	{ "old kernel's list serves",
	  "open; add 192.0.2.7 0; make old; run 50; add 192.0.2.8 60; "
	  "on old +192.0.2.7 +192.0.2.8" },
	/* That is its first block, no renewal. */
	{ "waiting address is written by its next line",
	  "open; add 192.0.2.7 0 waits; make 4; add 192.0.2.7 10 added; counted blocks=1 waited=1; "
	  "run 50; on 4 +192.0.2.7; counted blocks=1 waited=1" },
	/* The queue is limited, and drops the oldest. */
	{ "too many wait",
	  "open room 2; add 192.0.2.1 0; add 192.0.2.2 1; add 192.0.2.3 2; "
	  "counted waited=3 lost=1; "
	  "alert list4 ENOENT; no_alert; make 4; run 50; on 4 +192.0.2.2 +192.0.2.3; "
	  "counted blocks=2 waited=3 lost=1" },

	/* --- a recreated list --- */

	/* Not before it is checked again. */
	{ "recreated list gets all, oldest first",
	  LISTS "add 192.0.2.1 0; add 192.0.2.2 1; add 192.0.2.3 2; add 192.0.2.1 3; "
	  "add 2001:db8::7 4; run 5; recreate 4; run 5004 5005; on 4; run 5005 10005; "
	  "on 4 +192.0.2.2 +192.0.2.3 +192.0.2.1; on 6 +2001:db8::7; "
	  "counted blocks=4 renewals=1 replayed=3; no_alert" },
	{ "block notices a recreated list",
	  LISTS "add 192.0.2.1 0; add 192.0.2.2 1; run 2; recreate 4; add 192.0.2.3 3; "
	  "on 4 +192.0.2.3; run 3; on 4 +192.0.2.3 +192.0.2.1 +192.0.2.2; "
	  "counted blocks=3 replayed=2" },
	/* The one that is renewed is on the new list already. */
	{ "renewal notices a recreated list",
	  LISTS "add 192.0.2.1 0; add 192.0.2.2 1; run 2; recreate 4; add 192.0.2.1 3; run 3; "
	  "on 4 +192.0.2.1 +192.0.2.2; counted blocks=2 renewals=1 replayed=1" },
	/* Found by the check: nothing else came. */
	{ "list missing for a while gets all",
	  LISTS "add 192.0.2.1 0; run 0; remove 4; run 5000 5050; alert list4 ENOENT; "
	  "add 192.0.2.2 5010; make 4; run 5050; on 4 +192.0.2.1 +192.0.2.2; alert list4_back 2; "
	  "counted blocks=2 waited=1 replayed=1" },
	{ "recreated again while blocks are being put back",
	  "open room 5000; make 4; many 1500 0; recreate 4; run 1 1; lines 4 = 1000; recreate 4; "
	  "run 2 2; run 3 5001; lines 4 = 1500" },
	{ "only unexpired blocks are put back",
	  "open with banTime=10; make 4; add 192.0.2.1 0; add 192.0.2.2 8000; run 8000; "
	  "recreate 4; run 13000; on 4 +192.0.2.2; counted blocks=2 replayed=1" },
	/* No step of the background thread's is so long that others wait for it. */
	{ "many are put back in steps",
	  "open room 5000; many 2500 0; alert list4 ENOENT; make 4; run 10 10; lines 4 = 1000; "
	  "no_alert; run 11 11; lines 4 = 2000; run 12 5010; lines 4 = 2500; "
	  "alert list4_back 2500; counted blocks=2500 waited=2500" },

	/* --- unblocked by hand --- */

	/* The list's own entries are not touched: whoever unblocks removes them. */
	{ "unblocked address is not put back",
	  LISTS "add 192.0.2.1 0; add 192.0.2.2 1; add 2001:db8::1 2; run 3; "
	  "unblock 192.0.2.1 2000; unblock 2001:db8::1 2000; has 192.0.2.1 2000 = 0; "
	  "has 192.0.2.2 2000 = 1; recreate 4; recreate 6; run 5003; on 4 +192.0.2.2; on 6; "
	  "counted blocks=3 replayed=1 unblocked=2; add 192.0.2.1 6000 added; "
	  "on 4 +192.0.2.2 +192.0.2.1; unblock 192.0.2.1 8000; "
	  "counted blocks=4 replayed=1 unblocked=3" },
	{ "later block stays",
	  LIST4 "add 192.0.2.1 0; add 192.0.2.1 2001; unblock 192.0.2.1 2000; "
	  "has 192.0.2.1 3000 = 1; unblock 192.0.2.1 2000; recreate 4; run 7001; on 4 +192.0.2.1; "
	  "count unblocked = 0" },
	{ "all addresses are unblocked",
	  LISTS "many 50 0; add 2001:db8::1 0; run 0; unblock 0.0.0.0/0 2000; run 2000; "
	  "recreate 4; recreate 6; run 5000; on 4; on 6 +2001:db8::1; count unblocked = 50; "
	  "unblock ::/0 9000; recreate 6; run 10000 never; on 6; count unblocked = 51" },
	{ "unblocked address waits no longer",
	  "open; add 192.0.2.1 0; add 192.0.2.2 1; unblock 192.0.2.1 10; make 4; run 50; "
	  "on 4 +192.0.2.2; counted blocks=1 waited=2 unblocked=1" },
	{ "other lists are none of ours",
	  LISTS "add 192.0.2.1 0; unblock 192.0.2.1 9 on spammer6; unblock 192.0.2.1 9 on spam; "
	  "unblock 192.0.2.1 9 of nftables; unblock ::/0 9 on spammer; unblock 192.0.2.2 9; "
	  "has 192.0.2.1 10 = 1; count unblocked = 0" },
	/* The unblock came while the module wrote; or it may have. */
	{ "unblocked address that was put back meanwhile is taken off",
	  LIST4 "add 192.0.2.1 0; recreate 4; run 5000; on 4 +192.0.2.1; unblock 192.0.2.1 4000; "
	  "on 4 +192.0.2.1 -192.0.2.1" },
	/* The write ended later than the unblock. */
	{ "unblocked address is taken off though its write took long",
	  LIST4 "add 192.0.2.1 0; recreate 4; writes_until 5400; run 5000; "
	  "unblock 192.0.2.1 5400; on 4 +192.0.2.1 -192.0.2.1" },
	/* Of the unblock the module may hear later. */
	{ "unblocked address is taken off though the list is run meanwhile",
	  LIST4 "add 192.0.2.1 0; recreate 4; run 5000; run 5001; run 5002; "
	  "unblock 192.0.2.1 4000; on 4 +192.0.2.1 -192.0.2.1" },
	{ "unblocked address that was put back before is not",
	  LIST4 "add 192.0.2.1 0; recreate 4; run 5000; unblock 192.0.2.1 5001; "
	  "on 4 +192.0.2.1; count unblocked = 1" },
	{ "unblocked address that was just blocked is taken off",
	  LIST4 "add 192.0.2.1 0; add 192.0.2.2 0; unblock 192.0.2.1 999; unblock 192.0.2.2 1000; "
	  "on 4 +192.0.2.1 +192.0.2.2 -192.0.2.1" },

	/* --- a block ends while it waits --- */

	{ "list comes just before the block's end",
	  "open with banTime=1; add 192.0.2.7 0; make 4; run 999; on 4 +192.0.2.7; "
	  "counted blocks=1 waited=1" },
	{ "list comes at the block's end",
	  "open with banTime=1; add 192.0.2.7 0; make 4; run 1000; on 4; counted waited=1 lost=1" },
	{ "list comes long after the block's end",
	  "open with banTime=1; add 192.0.2.7 0; make 4; run 99999; on 4; "
	  "counted waited=1 lost=1" },
	/* A lost block was never on a list: the address' next block is a new one. */
	{ "lost address comes again",
	  "open with banTime=1; add 192.0.2.7 0; run 1000; counted waited=1 lost=1; make 4; "
	  "add 192.0.2.7 2000; on 4 +192.0.2.7; counted blocks=1 waited=1 lost=1" },
	{ "lost address waits again",
	  "open with banTime=1; add 192.0.2.7 0; run 1000; add 192.0.2.7 2000; "
	  "counted waited=2 lost=1; make 4; run 2050; counted blocks=1 waited=2 lost=1" },

	/* --- a full list --- */

	/* A renewal needs no room. */
	{ "overflow is reported once",
	  "open room 3; make 4; many 3 0; run 0; counted blocks=3; add 192.0.2.4 1; "
	  "counted blocks=4 overflows=1; alert overflow4 0; add 192.0.2.5 2; "
	  "counted blocks=5 overflows=2; no_alert; add 192.0.2.5 3; "
	  "counted blocks=5 renewals=1 overflows=2" },
	{ "overflow of IPv6 is reported",
	  "open room 1; make 6; add 2001:db8::1 0; add 2001:db8:0:1::2 1; "
	  "counted blocks=2 overflows=1; alert overflow6 0; no_alert" },
	/* One host of IPv6 has a whole /64. A renewal needs no room; an address that was taken
	 * off is new again. */
	{ "a /64 of IPv6 gets an eighth",
	  "open room 20; make 6; add 2001:db8:0:8::1 0; add 2001:db8:0:7::1 1; "
	  "add 2001:db8:0:7::2 2; add 2001:db8:0:7::3 3; add 2001:db8:0:7::4 4; "
	  "on 6 +2001:db8:0:8::1 +2001:db8:0:7::1 +2001:db8:0:7::2 -2001:db8:0:7::1 "
	  "+2001:db8:0:7::3 -2001:db8:0:7::2 +2001:db8:0:7::4; counted blocks=5 overflows=2; "
	  "add 2001:db8:0:7::3 10; counted blocks=5 renewals=1 overflows=2; "
	  "add 2001:db8:0:7::1 11; counted blocks=6 renewals=1 overflows=3; "
	  "has 2001:db8:0:7::4 12 = 0; has 2001:db8:0:7::3 12 = 1; has 2001:db8:0:8::1 12 = 1; "
	  "no_alert" },
	/* Where a block is a /64 or more, each one is of another host; IPv4 has no such nets. */
	{ "other blocks have no neighbours", LISTS "many 100 0; counted blocks=100" },
	/* Taken off while they wait, too, and never put back. */
	{ "a /64 of IPv6 gets an eighth of a missing list",
	  "open room 16; add 2001:db8:0:7::1 1; add 2001:db8:0:7::2 2; add 2001:db8:0:7::3 3; "
	  "add 2001:db8:0:7::4 4; make 6; run 100; on 6 +2001:db8:0:7::3 +2001:db8:0:7::4; "
	  "recreate 6; run 5100; on 6 +2001:db8:0:7::3 +2001:db8:0:7::4" },
	/* An address whose block is over may be forgotten. */
	{ "no room while the oldest block lasts",
	  "open room 1 with banTime=1; make 4; add 192.0.2.1 0; add 192.0.2.2 999; "
	  "counted blocks=2 overflows=1" },
	{ "room when the oldest block is over",
	  "open room 1 with banTime=1; make 4; add 192.0.2.1 0; add 192.0.2.2 1000; "
	  "counted blocks=2" },
	{ "room for 100 by default",
	  "open room ''; make 4; many 100 0; counted blocks=100; add 192.0.2.1 0; "
	  "counted blocks=101 overflows=1" },

	/* --- a failing write --- */

	{ "removed meanwhile, repeated", FAILED_WRITE("EIO", "ENOENT") },
	{ "taken in part, repeated", FAILED_WRITE("0", "ENOENT") },
	{ "no memory, repeated", FAILED_WRITE("ENOMEM", "ENOMEM") },
	{ "refused, repeated", FAILED_WRITE("EINVAL", "EINVAL") },
	{ "missing capability is reported",
	  LISTS "mode 0400; become 65534; add 192.0.2.7 0; run 1; become 0; alert list4 EACCES; "
	  "counted waited=1; mode 0600; run 51; on 4 +192.0.2.7; alert list4_back 1" },
	/* Not remembered, and on the list all the same. */
	{ "block without memory is written",
	  "open room 500; make 4; add_until_memory_fails; not_written = 0; not_counted = 0" },
	/* It cannot wait, and the others wait on. */
	{ "block without memory and list is lost",
	  "open room 500; add_until_memory_fails; make 4; run 50; not_written = 1; "
	  "not_counted = 1; "
	  "count lost = 1" },

	{ "check reports what is missing for a second",
	  "open; check 0; count backend_errors = 2; run 0 1000; run 999 1000; no_alert; "
	  "run 1000 never; alert list4 ENOENT; alert list6 ENOENT; no_alert" },
	{ "list that comes within a second was not missing",
	  "open; check 0; add 192.0.2.7 10 waits; run 10 60; make 4 6; run 60 1000; "
	  "on 4 +192.0.2.7; run 1000; no_alert; counted blocks=1 waited=1" },
	{ "one of two comes",
	  "open; check 0; make 4; run 1000 never; alert list6 ENOENT; make 6; "
	  "add 2001:db8::7 1001; alert list6_back 0; no_alert" },
	{ "block that waits for a second",
	  "open; check 0; add 192.0.2.7 10; run 990 1000; no_alert; run 1000 1050; "
	  "alert list4 ENOENT; alert list6 ENOENT; no_alert" },
	/* A user's access is not given by a firewall. */
	{ "what is forbidden is reported at once",
	  LISTS "mode 0400; become 65534; check 0; become 0; alert list4 EACCES; "
	  "alert list6 EACCES; no_alert" },
	{ "check changes nothing",
	  LISTS "check 0; no_alert; on 4; on 6; count backend_errors = 0; counted" },
	/* Renewals differ from blocks while the addresses are remembered; forgetting one is not
	 * an overflow of a list without a limit. */
	{ "null backend takes all",
	  "open with backend=null; add 10.0.0.1 0; add 10.0.0.1 1; counted blocks=1 renewals=1; "
	  "many 70000 2; count backend_errors = 0; count blocks = 70000; count overflows = 0" },
};
TEST_SCRIPTS(scripts)

/* --- others --- */

TEST(advice_is_the_backends)
{
	char got[300] = "";

	before();
	support_set(&settings, "banTime=77");
	want_int(make_blocklist(&blocklist), 0);
	blocklist_advice(blocklist, ADDR_IPV6, ENOENT, got, sizeof(got));
	want_str(got,
		 "the list spammer6 does not exist because no firewall rule names it: "
		 "type  ip6tables -I INPUT -p tcp --dport 25 -m recent --name "
		 "spammer6 --update --seconds 77 -j DROP");
	after();
}

static const struct serves_row {
	const char *label, *other;
	bool want;
} serves_rows[] = {
	{ "the same", "", true },
	{ "another time, size and prefix", "banTime=7 listSize=9 ipv4Prefix=24", true },
	{ "another list", "list=other", false },
	{ "another list of IPv6", "list6=other6", false },
	{ "another backend", "backend=nftables", false },
	{ "nothing is written", "dryRun=on", false },
};

TEST_ROWS(serves_lists_of, serves_rows)
{
	struct settings other;

	before();
	want_int(settings_init(&other), 0);
	support_set(&other, row->other);
	want_int(make_blocklist(&blocklist), 0);
	want_int(blocklist_serves(blocklist, &other), row->want);
	settings_done(&other);
	after();
}

TEST(overlong_root_is_refused)
{
	char root[129];

	before();
	memset(root, 'r', sizeof(root));
	root[128] = '\0';
	want_int(blocklist_new(&settings, root, "m", &counters, &alerts, &blocklist),
		 -ENAMETOOLONG);
	want_int(blocklist == NULL, true);
	after();
}

static int make_and_free(void *data)
{
	struct blocklist *made = NULL;
	int r = make_blocklist(&made);

	(void)data;
	if (r == 0)
		blocklist_free(made);
	return r;
}

TEST(survives_lack_of_memory)
{
	before();
	want_int(memory_fail_each(make_and_free, NULL) >= 5, true);
	after();
}
