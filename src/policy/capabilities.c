/* The capabilities that an action needs, and those that this process has.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/capabilities.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's three capability sets, in two halves (capget(2)). */
struct sets {
	struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3];
};

static int get_sets(struct sets *ret_sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &header, ret_sets->half) < 0 ? -errno : 0;
}

static int set_sets(const struct sets *sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capset, &header, sets->half) < 0 ? -errno : 0;
}

static uint64_t join(uint32_t low, uint32_t high)
{
	return low | (uint64_t)high << 32;
}

uint64_t capabilities_needed(const struct settings *settings)
{
	bool ends = settings_end_children(settings);
	/* To terminate a session its process must be verified, even with verify="none". */
	bool looks = settings->verify != VERIFY_NONE || ends;
	bool writes = !settings->dry_run;
	uint64_t needed = 0;

	if (looks)
		needed |= CAPABILITIES_LOOK;
	if (ends)
		needed |= CAPABILITIES_BIT(CAP_KILL);
	if (writes && settings->backend == BACKEND_RECENT)
		needed |= CAPABILITIES_BIT(CAP_DAC_OVERRIDE);
	if ((writes && settings->backend == BACKEND_NFTABLES) ||
	    (ends && settings->terminate_reset))
		needed |= CAPABILITIES_BIT(CAP_NET_ADMIN);
	return needed;
}

uint64_t capabilities_lacking(uint64_t needed, uint64_t held)
{
	if (held & CAPABILITIES_BIT(CAP_DAC_OVERRIDE))
		held |= CAPABILITIES_BIT(CAP_DAC_READ_SEARCH);
	return needed & ~held;
}

uint64_t capabilities_held(void)
{
	struct sets sets;

	if (get_sets(&sets) < 0)
		return 0;
	return join(sets.half[0].effective, sets.half[1].effective);
}

enum capabilities_cause capabilities_cause(int capability)
{
	if (prctl(PR_CAPBSET_READ, (unsigned long)capability, 0, 0, 0) == 0)
		return CAPABILITIES_CAUSE_UNIT;
	return geteuid() != 0 ? CAPABILITIES_CAUSE_DROP : CAPABILITIES_CAUSE_OTHER;
}

int capabilities_keep(void)
{
	return prctl(PR_SET_KEEPCAPS, 1UL, 0, 0, 0) < 0 ? -errno : 0;
}

/* CAP_DAC_OVERRIDE includes CAP_DAC_READ_SEARCH: take it if the latter is not permitted, as
 * in some bounding sets, and drop the latter if both are needed. */
static uint64_t choose(uint64_t needed, uint64_t permitted)
{
	const uint64_t strong = CAPABILITIES_BIT(CAP_DAC_OVERRIDE);
	const uint64_t weak = CAPABILITIES_BIT(CAP_DAC_READ_SEARCH);

	if ((needed & weak) && !(permitted & weak))
		needed |= strong;
	if (needed & permitted & strong)
		needed &= ~weak;
	return needed & permitted;
}

int capabilities_take(uint64_t needed)
{
	struct sets sets;
	unsigned int i;
	int r;

	r = get_sets(&sets);
	if (r < 0)
		return r;
	needed = choose(needed, join(sets.half[0].permitted, sets.half[1].permitted));
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets.half[i].effective = (uint32_t)(needed >> (32 * i));
		sets.half[i].permitted = sets.half[i].effective;
		sets.half[i].inheritable = 0;
	}
	r = set_sets(&sets);
	prctl(PR_SET_KEEPCAPS, 0UL, 0, 0, 0);
	return r;
}
