/* The capabilities that an action needs, and what this process has of them.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_CAPABILITIES_H
#define SMTPBLOCK_CAPABILITIES_H

#include <linux/capability.h>
#include <stdint.h>

#include "policy/settings.h"

/* Sets of capabilities(7) are masks of these. */
#define CAPABILITIES_BIT(capability) (UINT64_C(1) << (capability))

/* To look at courier's processes: who they are and what their environment says
 * (ptrace(2), PTRACE_MODE_READ), which is a file that only its owner may read. */
#define CAPABILITIES_LOOK (CAPABILITIES_BIT(CAP_SYS_PTRACE) | CAPABILITIES_BIT(CAP_DAC_READ_SEARCH))

/* What takes a capability away. */
enum capabilities_cause {
	CAPABILITIES_CAUSE_UNIT,	/* the bounding set: systemd's unit, as a rule */
	CAPABILITIES_CAUSE_DROP,	/* another user than root: $PrivDropToUser */
	CAPABILITIES_CAUSE_OTHER,	/* neither: AppArmor, SELinux, a namespace */
};

/* What an action with these settings needs where rsyslogd is not courier's user:
 * the least. To write the lists of xt_recent takes CAP_DAC_OVERRIDE, as their
 * files are root's. */
uint64_t capabilities_needed(const struct settings *settings);

/* Those of needed that are not in held. CAP_DAC_OVERRIDE, if held, is good for
 * CAP_DAC_READ_SEARCH too. */
uint64_t capabilities_lacking(uint64_t needed, uint64_t held);

/* What the calling thread has in effect; 0 where that cannot be told. */
uint64_t capabilities_held(void);

/* Why a capability that is wanted may not be there. Any thread. */
enum capabilities_cause capabilities_cause(int capability);

/* Let what is permitted survive the change of the calling thread's user
 * (PR_SET_KEEPCAPS of prctl(2)). Returns 0 or -errno. */
int capabilities_keep(void);

/* After that: what is permitted of needed comes into effect, for the calling
 * thread and those that it will start; all else is given up. Returns 0 or
 * -errno. */
int capabilities_take(uint64_t needed);

#endif
