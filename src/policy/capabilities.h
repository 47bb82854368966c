/* The capabilities that an action needs, and those that this process has.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_CAPABILITIES_H
#define SMTPBLOCK_CAPABILITIES_H

#include <linux/capability.h>
#include <stdint.h>

#include "policy/settings.h"

/* Sets of capabilities(7) are masks of these bits. */
#define CAPABILITIES_BIT(capability) (UINT64_C(1) << (capability))

/* Needed to read courier's processes: /proc/PID/environ is readable by its owner only, and
 * ptrace(2)'s PTRACE_MODE_READ applies. */
#define CAPABILITIES_LOOK (CAPABILITIES_BIT(CAP_SYS_PTRACE) | CAPABILITIES_BIT(CAP_DAC_READ_SEARCH))

/* What takes a capability away. */
enum capabilities_cause {
	CAPABILITIES_CAUSE_UNIT,	/* the bounding set, usually that of systemd's unit */
	CAPABILITIES_CAUSE_DROP,	/* not root: $PrivDropToUser */
	CAPABILITIES_CAUSE_OTHER,	/* neither: AppArmor, SELinux, a namespace */
};

/* The least that an action with these settings needs if rsyslogd does not run as courier's
 * user. Writing xt_recent lists takes CAP_DAC_OVERRIDE, because root owns their files. */
uint64_t capabilities_needed(const struct settings *settings);

/* Capabilities that are in needed and not in held. CAP_DAC_OVERRIDE in held counts as
 * CAP_DAC_READ_SEARCH too. */
uint64_t capabilities_lacking(uint64_t needed, uint64_t held);

/* The calling thread's effective set; 0 if it cannot be read. */
uint64_t capabilities_held(void);

/* Why this process may be missing the capability. Any thread. */
enum capabilities_cause capabilities_cause(int capability);

/* Keep the permitted set when the calling thread changes its user (PR_SET_KEEPCAPS of
 * prctl(2)). Returns 0 or -errno. */
int capabilities_keep(void);

/* After the change of user: make effective what is needed and permitted, for the calling
 * thread and threads it will start, and give up everything else. Returns 0 or -errno. */
int capabilities_take(uint64_t needed);

#endif
