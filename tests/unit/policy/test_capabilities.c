/* The capabilities that an action needs, and those that this process has.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/capabilities.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/guard.h"
#include "tests/unit/support.h"

#define BIT CAPABILITIES_BIT
#define STRONG BIT(CAP_DAC_OVERRIDE)
#define WEAK BIT(CAP_DAC_READ_SEARCH)
#define TRACE BIT(CAP_SYS_PTRACE)
#define KILLS BIT(CAP_KILL)
#define NET BIT(CAP_NET_ADMIN)

static const struct row {
	const char *label, *set;
	uint64_t want;
} rows[] = {
	{ "defaults", "", TRACE | WEAK | KILLS | STRONG | NET },
	{ "nftables", "backend=nftables", TRACE | WEAK | KILLS | NET },
	{ "nftables, no reset", "backend=nftables terminate.reset=off",
	  TRACE | WEAK | KILLS | NET },
	{ "null, no reset", "backend=null terminate.reset=off", TRACE | WEAK | KILLS },
	{ "no reset", "terminate.reset=off", TRACE | WEAK | KILLS | STRONG },
	{ "no terminate", "terminate=off", TRACE | WEAK | STRONG },
	{ "sender", "verify=sender", TRACE | WEAK | KILLS | STRONG | NET },
	{ "the line proves, children end", "verify=none", TRACE | WEAK | KILLS | STRONG | NET },
	{ "the line proves, children end, nftables",
	  "verify=none backend=nftables", TRACE | WEAK | KILLS | NET },
	{ "an address, children end", "verify=none input=address",
	  TRACE | WEAK | KILLS | STRONG | NET },
	{ "no process is read", "verify=none terminate=off", STRONG },
	{ "no process is read, nftables", "verify=none terminate=off backend=nftables", NET },
	{ "no process is read, dry run", "verify=none dryRun=on", 0 },
	{ "dry run", "dryRun=on", TRACE | WEAK },
	{ "dry run, nftables", "dryRun=on backend=nftables", TRACE | WEAK },
};

TEST_ROWS(needs, rows)
{
	struct settings settings;

	want_int(settings_init(&settings), 0);
	support_set(&settings, row->set);
	want_int(capabilities_needed(&settings), row->want);
	settings_done(&settings);
}

static const struct lacking_row {
	const char *label;
	uint64_t needed, held, want;
} lacking_rows[] = {
	{ "nothing needed", 0, 0, 0 },
	{ "none present", TRACE | WEAK, 0, TRACE | WEAK },
	{ "all present", TRACE | KILLS, TRACE | KILLS | NET, 0 },
	{ "one lacking", TRACE | KILLS, TRACE, KILLS },
	{ "the stronger does", TRACE | WEAK, TRACE | STRONG, 0 },
	{ "the weaker does not", STRONG, WEAK, STRONG },
};

TEST_ROWS(lacks, lacking_rows)
{
	want_int(capabilities_lacking(row->needed, row->held), row->want);
}

/* A process that may give up capabilities and change its user. */
static const char *root(void)
{
	const uint64_t wanted = TRACE | WEAK | STRONG | KILLS | BIT(CAP_SETPCAP) | BIT(CAP_SETUID);

	return geteuid() || capabilities_lacking(wanted, capabilities_held()) ? "root" : NULL;
}

/* The test's body in a forked process, which may change its user; its status is the result. */
static void in_process(int (*what)(const void *data), const void *data)
{
	pid_t pid = guard_fork();
	int status;

	if (pid == 0)
		_exit(what(data));
	want_int(waitpid(pid, &status, 0), pid);
	want_int(WIFEXITED(status), true);
	want_int(WEXITSTATUS(status), 0);
}

static const struct take_row {
	const char *label;
	uint64_t unbound;	/* is not in the bounding set.. */
	bool keep;		/* ..that keeps its permitted capabilities.. */
	uint64_t needed, want;	/* ..and then takes this */
} take_rows[] = {
	{ "without keeping", 0, false, TRACE | KILLS, 0 },
	{ "two", 0, true, TRACE | KILLS, TRACE | KILLS },
	{ "none", 0, true, 0, 0 },
	{ "the weaker is enough", 0, true, TRACE | WEAK, TRACE | WEAK },
	{ "the weaker is not to be had", WEAK, true, TRACE | WEAK, TRACE | STRONG },
	{ "with the stronger, the weaker is not taken", 0, true, STRONG | WEAK, STRONG },
	{ "what is not to be had is left out", KILLS, true, TRACE | KILLS, TRACE },
};

/* At an exec root loses capabilities outside its bounding set; done by hand here. */
static int leave(uint64_t unbound)
{
	return unbound ? capabilities_take(capabilities_held() & ~unbound) : 0;
}

static int drop_and_take(const void *data)
{
	const struct take_row *row = data;

	if (leave(row->unbound) < 0 || (row->keep && capabilities_keep() < 0))
		return 2;
	if (setuid(65534) < 0)
		return 3;
	if (capabilities_held() != 0)
		return 4;
	if (capabilities_take(row->needed) < 0)
		return 5;
	if (prctl(PR_GET_KEEPCAPS) != 0)
		return 6;
	return capabilities_held() == row->want ? 0 : 7;
}

TEST_ROWS_NEEDING(root, takes, take_rows, "%s", row->label)
{
	in_process(drop_and_take, row);
}

/* Programs that are started must not inherit the kept capabilities. */
static int inherit_and_take(const void *data)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	(void)data;
	if (syscall(SYS_capget, &head, sets) < 0)
		return 2;
	sets[0].inheritable = (uint32_t)(TRACE | KILLS);
	if (syscall(SYS_capset, &head, sets) < 0)
		return 3;
	if (capabilities_take(TRACE) < 0)
		return 4;
	if (syscall(SYS_capget, &head, sets) < 0)
		return 5;
	return sets[0].inheritable == 0 && sets[1].inheritable == 0 ? 0 : 6;
}

TEST_NEEDING(root, leaves_nothing_to_inherit)
{
	in_process(inherit_and_take, NULL);
}

static int find_causes(const void *data)
{
	(void)data;
	if (prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0) < 0)
		return 2;
	if (capabilities_cause(CAP_KILL) != CAPABILITIES_CAUSE_UNIT)
		return 3;
	if (capabilities_cause(CAP_SYS_PTRACE) != CAPABILITIES_CAUSE_OTHER)
		return 4;
	if (setuid(65534) < 0)
		return 5;
	if (capabilities_cause(CAP_KILL) != CAPABILITIES_CAUSE_UNIT)
		return 6;
	return capabilities_cause(CAP_SYS_PTRACE) == CAPABILITIES_CAUSE_DROP ? 0 : 7;
}

TEST_NEEDING(root, causes)
{
	in_process(find_causes, NULL);
}
