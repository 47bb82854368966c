/* What existing rules of xt_recent ask of the action.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "tool/lib/recent.h"
#include "tool/lib/spawn.h"
#include "tool/setup/plan.h"

#define LIMIT_MS 30000

/* --- what existing rules of xt_recent ask for ------------------------------ */

/* The word behind an option in this line of iptables-save; false: it has none. */
static bool option_of(const char *line, size_t len, const char *option, char value[static 64])
{
	const char *at = memmem(line, len, option, strlen(option));
	size_t n;

	if (!at)
		return false;
	at += strlen(option);
	n = strcspn(at, " \n");
	if (n == 0 || n >= 64)
		return false;
	memcpy(value, at, n);
	value[n] = '\0';
	return true;
}

/* The rule's line; NULL: no rule names the list. */
static const char *rule_line(const char *rules, const char *list, size_t *ret_len)
{
	char value[64];

	while (*rules) {
		size_t len = strcspn(rules, "\n");

		if (option_of(rules, len, " --name ", value) && strcmp(value, list) == 0 &&
		    memmem(rules, len, " -j ", 4)) {
			*ret_len = len;
			return rules;
		}
		rules += len + (rules[len] == '\n');
	}
	return NULL;
}

static unsigned int count_bits(const struct addr *mask)
{
	unsigned int bits = 0;
	size_t i;

	for (i = 0; i < addr_bits(mask) / 8; i++)
		bits += (unsigned int)__builtin_popcount(mask->bytes[i]);
	return bits;
}

/* Addresses are written as the rule compares them, for as long as it drops. */
static void follow_rule(struct settings *wanted, int family, const char *line, size_t len)
{
	const struct addr any = { .family = (uint8_t)family };
	unsigned int *prefix = family == ADDR_IPV4 ? &wanted->ipv4_prefix : &wanted->ipv6_prefix;
	unsigned long seconds;
	char value[64];
	struct addr mask;

	if (option_of(line, len, " --mask ", value) &&
	    addr_parse(value, strlen(value), &mask) == 0 && mask.family == family &&
	    count_bits(&mask) != settings_prefix(wanted, &any))
		*prefix = count_bits(&mask);
	seconds = option_of(line, len, " --seconds ", value) ? strtoul(value, NULL, 10) : 0;
	if (seconds > 0 && seconds < UINT32_MAX)
		wanted->ban_time = (unsigned int)seconds;
}

static void follow_list(struct plan *plan, struct settings *wanted, int family)
{
	const char *const argv[] = { family == ADDR_IPV4 ? "iptables-save" : "ip6tables-save",
				     NULL };
	const char *list = settings_list(wanted, family), *line;
	char *rules = NULL;
	size_t len;

	if (!recent_has_list(plan->host->context, list))
		return;
	if (spawn_run_for(plan->host->context->programs, argv, LIMIT_MS, &rules,
			      &len) != 0)
		plan_unknown(plan, "the rule of the list %s: %s shows no rules", list, argv[0]);
	else if ((line = rule_line(rules, list, &len)) != NULL)
		follow_rule(wanted, family, line, len);
	free(rules);
}

void plan_follow(struct plan *plan)
{
	struct settings wanted = plan->host->actions[0].settings;
	int backend = wanted.backend;

	/* The default of a prefix depends on it. */
	wanted.backend = BACKEND_RECENT;
	if (!plan->host->actions[0].item) {
		follow_list(plan, &wanted, ADDR_IPV6);
		follow_list(plan, &wanted, ADDR_IPV4);
	}
	wanted.backend = backend;
	plan->wanted = wanted;
}
