/* The iptables rules of recent lists.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/check/checks.h"
#include "tool/lib/iptables.h"
#include "tool/read/iptables_save.h"

/* What differs between IPv4 and IPv6. */
struct family {
	int family;
	const char *save[2];	/* the second one is run if the rule is not in the first */
	const char *id, *id_order, *id_seconds, *id_mask;
};

static const struct family families[] = {
	{ ADDR_IPV4, { "iptables-save", "iptables-legacy-save" },
	  "rule.ipv4", "rule.order.ipv4", "rule.seconds.ipv4", "rule.mask.ipv4" },
	{ ADDR_IPV6, { "ip6tables-save", "ip6tables-legacy-save" },
	  "rule.ipv6", "rule.order.ipv6", "rule.seconds.ipv6", "rule.mask.ipv6" },
};

/* One list of one action, and one of the action's ports. */
struct rule_check {
	struct checks *checks;
	const struct settings *settings;
	const struct family *family;
	struct target target;
	const char *list;
	uint16_t port;
	struct iptables_rule right;	/* the rule that is needed */
	const char *type;		/* the command that inserts it */
};

static int ask(const struct rule_check *rule_check, const char *program,
	       struct iptables_save_answer *ret_answer)
{
	struct iptables_save *rules;
	int r = iptables_read(rule_check->checks->host->context, program, &rules);

	if (r < 0)
		return r;
	iptables_save_ask(rules, rule_check->list, rule_check->port, ret_answer);
	iptables_save_free(rules);
	return 0;
}

/* The rules of iptables-nft and iptables-legacy coexist, and each program shows only its
 * own. */
static int ask_both(const struct rule_check *rule_check,
		    struct iptables_save_answer *ret_answer)
{
	struct iptables_save_answer other;
	int r = ask(rule_check, rule_check->family->save[0], ret_answer);

	if (r == 0 && ret_answer->exists)
		return 0;
	if (ask(rule_check, rule_check->family->save[1], &other) == 0 &&
	    (r < 0 || other.exists)) {
		*ret_answer = other;
		return 0;
	}
	return r;
}

/* What is wrong with a rule; "": nothing. */
static const char *fault(const struct iptables_save_recent *rule)
{
	if (!rule->drops)
		return "does not drop";
	if (rule->rdest)
		return "looks at the destination (--rdest), not at who sends";
	if (rule->hitcount > 1)
		return "wants several stamps (--hitcount), the module sets one";
	return "";
}

static void check_mask(struct rule_check *rule_check,
		       const struct iptables_save_recent *rule)
{
	const struct addr any = { .family = (uint8_t)rule_check->family->family };

	if (!iptables_is_mask(&rule_check->target, rule->mask))
		check_broken(rule_check->checks, rule_check->family->id_mask, rule_check->type,
			     "the rule of %s compares under the mask %s, addresses are written "
			     "for /%u: they never match",
			     rule_check->list, rule->mask[0] ? rule->mask : "of one host",
			     settings_prefix(rule_check->settings, &any));
}

static void check_seconds(struct rule_check *rule_check,
			  const struct iptables_save_recent *rule)
{
	const char *id = rule_check->family->id_seconds;

	if (rule->seconds != rule_check->settings->ban_time)
		check_warning(rule_check->checks, id, rule_check->type,
			      "the rule of %s drops for %u s%s, banTime is %u s",
			      rule_check->list, rule->seconds,
			      rule->seconds ? "" : " (for ever)",
			      rule_check->settings->ban_time);
	if (!rule->update)
		check_warning(
			rule_check->checks, id, rule_check->type,
			"the rule of %s only looks (--rcheck): who keeps trying is let in "
			"after %u s",
			rule_check->list, rule->seconds);
}

static void check_order(struct rule_check *rule_check,
			const struct iptables_save_answer *answer)
{
	if (answer->established == IPTABLES_REACHED)
		check_ok(rule_check->checks, rule_check->family->id_order,
			 "packets of open connections come to it too");
	else
		check_broken(rule_check->checks, rule_check->family->id_order,
			     rule_check->type,
			     "the rule of %s stands behind one that accepts open connections, "
			     "which go on: %s",
			     rule_check->list, answer->before);
}

static void report_not_reached(struct rule_check *rule_check,
			       const struct iptables_save_answer *answer)
{
	static const char *const how[] = {
		[IPTABLES_REACHED] = "",
		[IPTABLES_ACCEPTED] = "one before it accepts them: ",
		[IPTABLES_STOPPED] = "one before it drops them all: ",
		[IPTABLES_MISSED] = "no rule of INPUT leads to it",
	};

	check_broken(rule_check->checks, rule_check->family->id, rule_check->type,
		     "connections to port %d never come to the rule of %s: %s%s",
		     rule_check->port, rule_check->list, how[answer->new_connections],
		     answer->before);
}

static void judge(struct rule_check *rule_check,
		  const struct iptables_save_answer *answer)
{
	const char *wrong = fault(&answer->rule);

	if (!answer->exists) {
		check_broken(rule_check->checks, rule_check->family->id,
			     rule_check->type, "no rule looks at the list %s",
			     rule_check->list);
		return;
	}
	if (answer->new_connections != IPTABLES_REACHED) {
		report_not_reached(rule_check, answer);
		return;
	}
	if (*wrong) {
		check_broken(rule_check->checks, rule_check->family->id,
			     rule_check->type, "the rule of %s %s: %s",
			     rule_check->list, wrong, answer->rule.text);
		return;
	}
	check_ok(rule_check->checks, rule_check->family->id,
		 "connections to port %d come to: %s", rule_check->port, answer->rule.text);
	check_order(rule_check, answer);
	check_mask(rule_check, &answer->rule);
	check_seconds(rule_check, &answer->rule);
}

static bool has_list(const struct rule_check *rule_check)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/xt_recent/%s",
		 rule_check->checks->host->context->net_root, rule_check->list);
	return access(path, F_OK) == 0;
}

static void check_port(struct rule_check *rule_check)
{
	struct iptables_save_answer answer;
	const struct family *family = rule_check->family;
	int r;

	iptables_make_for(&rule_check->target, &rule_check->port, 1, &rule_check->right);
	rule_check->type = rule_check->right.text;
	r = ask_both(rule_check, &answer);
	if (r == 0)
		judge(rule_check, &answer);
	else if (r == -ENOENT)
		check_warning(rule_check->checks, family->id, "apt install iptables",
			      "cannot tell: there is no %s", family->save[0]);
	else
		check_warning(rule_check->checks, family->id,
			      "run smtpblockctl check as root",
			      "cannot tell: %s shows no rules", family->save[0]);
}

static void check_family(struct rule_check *rule_check)
{
	const struct settings_ports *ports = &rule_check->settings->ports;
	unsigned int i;

	/* A missing list was reported before: it has no rule. */
	if (!has_list(rule_check))
		return;
	for (i = 0; i < ports->count; i++) {
		rule_check->port = ports->list[i];
		check_port(rule_check);
	}
}

void check_rules(struct checks *checks, const struct host_action *action)
{
	const struct target_action one = { .settings = action->settings };
	size_t i;

	if (action->settings.backend != BACKEND_RECENT)
		return;
	for (i = 0; i < 2; i++) {
		const char *list = settings_list(&action->settings, families[i].family);
		struct rule_check rule_check = {
			.checks = checks,
			.settings = &action->settings,
			.family = &families[i],
			.target = { .action = &one, .family = families[i].family, .name = list },
			.list = list,
		};

		check_family(&rule_check);
	}
}
