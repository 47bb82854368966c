/* The rules of iptables that give recent's lists a meaning.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cidr.h"
#include "tool/check/checks.h"
#include "tool/lib/program.h"
#include "tool/read/ruleset.h"

/* What differs between the families. */
struct family {
	int family;
	const char *program;
	const char *save[2];	/* the second is tried where the rule is not in the first */
	const char *id, *id_order, *id_seconds, *id_mask;
};

static const struct family families[] = {
	{ ADDR_IPV4, "iptables", { "iptables-save", "iptables-legacy-save" },
	  "rule.ipv4", "rule.order.ipv4", "rule.seconds.ipv4", "rule.mask.ipv4" },
	{ ADDR_IPV6, "ip6tables", { "ip6tables-save", "ip6tables-legacy-save" },
	  "rule.ipv6", "rule.order.ipv6", "rule.seconds.ipv6", "rule.mask.ipv6" },
};

/* One list of one action. */
struct question {
	struct checks *checks;
	const struct settings *settings;
	const struct family *family;
	const char *list;
	unsigned int prefix;
	uint16_t port;			/* one of the action's */
	char type[CHECK_TYPE_SIZE];	/* the rule as it should be */
};

static char *format_mask(const struct question *question, char *buf, size_t size)
{
	struct addr mask = { .family = (uint8_t)question->family->family };
	char text[ADDR_TEXT_SIZE];

	memset(mask.bytes, 0xff, addr_bits(&mask) / 8);
	mask = cidr_mask(&mask, question->prefix);
	snprintf(buf, size, "%s", addr_format(&mask, text));
	return buf;
}

/* In front of all others, where nothing can accept a packet before. */
static void format_rule(struct question *question)
{
	struct addr any = { .family = (uint8_t)question->family->family };
	char mask[ADDR_TEXT_SIZE], option[ADDR_TEXT_SIZE + 16] = "";

	if (question->prefix != addr_bits(&any))
		snprintf(option, sizeof(option), " --mask %s",
			 format_mask(question, mask, sizeof(mask)));
	snprintf(question->type, sizeof(question->type),
		 "%s -I INPUT -p tcp --dport %d -m recent --name %s%s --update --seconds %u "
		 "-j DROP",
		 question->family->program, question->port, question->list, option,
		 question->settings->ban_time);
}

/* Ask one of the programs. Returns 0, or -errno; -EPERM: it told nothing. */
static int ask(const struct question *question, const char *program,
	       struct ruleset_answer *ret_answer)
{
	char *const argv[] = { (char *)(uintptr_t)program, NULL };
	struct ruleset *ruleset = NULL;
	char *output;
	size_t len;
	int r = program_run(question->checks->site->context->programs, argv, &output, &len);

	if (r < 0)
		return r;
	if (r == 0)
		r = len < PROGRAM_OUTPUT_MAX ? ruleset_parse(output, len, &ruleset) : -EFBIG;
	else
		r = -EPERM;
	free(output);
	if (r < 0)
		return r;
	ruleset_ask(ruleset, question->list, question->port, ret_answer);
	ruleset_free(ruleset);
	return 0;
}

/* Rules of iptables-nft and iptables-legacy stand side by side, and each program shows
 * its own only. */
static int ask_both(const struct question *question, struct ruleset_answer *ret_answer)
{
	struct ruleset_answer other;
	int r = ask(question, question->family->save[0], ret_answer);

	if (r == 0 && ret_answer->exists)
		return 0;
	if (ask(question, question->family->save[1], &other) == 0 && (r < 0 || other.exists)) {
		*ret_answer = other;
		return 0;
	}
	return r;
}

/* What makes a rule another one than it should be; "": nothing. */
static const char *fault(const struct ruleset_recent *rule)
{
	if (!rule->drops)
		return "does not drop";
	if (rule->rdest)
		return "looks at the destination (--rdest), not at who sends";
	if (rule->hitcount > 1)
		return "wants several stamps (--hitcount), the module sets one";
	return "";
}

static void check_mask(struct question *question, const struct ruleset_recent *rule)
{
	struct addr any = { .family = (uint8_t)question->family->family };
	struct addr want, got;
	char mask[ADDR_TEXT_SIZE];

	format_mask(question, mask, sizeof(mask));
	if (rule->mask[0] == '\0' && question->prefix == addr_bits(&any))
		return;
	if (addr_parse(mask, strlen(mask), &want) == 0 &&
	    addr_parse(rule->mask, strlen(rule->mask), &got) == 0 &&
	    addr_compare(&want, &got) == 0)
		return;
	check_broken(question->checks, question->family->id_mask, question->type,
		     "the rule of %s compares under the mask %s, addresses are written for /%u: "
		     "they never match",
		     question->list, rule->mask[0] ? rule->mask : "of one host",
		     question->prefix);
}

static void check_seconds(struct question *question, const struct ruleset_recent *rule)
{
	const char *id = question->family->id_seconds;

	if (rule->seconds != question->settings->ban_time)
		check_warning(question->checks, id, question->type,
			      "the rule of %s drops for %u s%s, banTime is %u s", question->list,
			      rule->seconds, rule->seconds ? "" : " (for ever)",
			      question->settings->ban_time);
	if (!rule->update)
		check_warning(question->checks, id, question->type,
			      "the rule of %s only looks (--rcheck): who keeps trying is let in "
			      "after %u s",
			      question->list, rule->seconds);
}

static void check_order(struct question *question, const struct ruleset_answer *answer)
{
	if (answer->established == RULESET_REACHED)
		check_ok(question->checks, question->family->id_order,
			 "packets of open connections come to it too");
	else
		check_broken(question->checks, question->family->id_order, question->type,
			     "the rule of %s stands behind one that accepts open connections, "
			     "which go on: %s",
			     question->list, answer->before);
}

static void say_not_reached(struct question *question, const struct ruleset_answer *answer)
{
	static const char *const how[] = {
		[RULESET_REACHED] = "",
		[RULESET_ACCEPTED] = "one before it accepts them: ",
		[RULESET_STOPPED] = "one before it drops them all: ",
		[RULESET_MISSED] = "no rule of INPUT leads to it",
	};

	check_broken(question->checks, question->family->id, question->type,
		     "connections to port %d never come to the rule of %s: %s%s", question->port,
		     question->list, how[answer->new_connections], answer->before);
}

static void judge(struct question *question, const struct ruleset_answer *answer)
{
	const char *wrong = fault(&answer->rule);

	if (!answer->exists) {
		check_broken(question->checks, question->family->id, question->type,
			     "no rule looks at the list %s", question->list);
		return;
	}
	if (answer->new_connections != RULESET_REACHED) {
		say_not_reached(question, answer);
		return;
	}
	if (*wrong) {
		check_broken(question->checks, question->family->id, question->type,
			     "the rule of %s %s: %s", question->list, wrong, answer->rule.text);
		return;
	}
	check_ok(question->checks, question->family->id, "connections to port %d come to: %s",
		 question->port, answer->rule.text);
	check_order(question, answer);
	check_mask(question, &answer->rule);
	check_seconds(question, &answer->rule);
}

static bool has_list(const struct question *question)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/xt_recent/%s", question->checks->site->context->net_root,
		 question->list);
	return access(path, F_OK) == 0;
}

static void check_port(struct question *question)
{
	struct ruleset_answer answer;
	const struct family *family = question->family;
	int r;

	format_rule(question);
	r = ask_both(question, &answer);
	if (r == 0)
		judge(question, &answer);
	else if (r == -ENOENT)
		check_warning(question->checks, family->id, "apt install iptables",
			      "cannot tell: there is no %s", family->save[0]);
	else
		check_warning(question->checks, family->id, "run smtpblockctl check as root",
			      "cannot tell: %s shows no rules", family->save[0]);
}

static void check_family(struct question *question)
{
	const struct settings_ports *ports = &question->settings->ports;
	unsigned int i;

	/* Without a list there is no rule: that was said. */
	if (!has_list(question))
		return;
	for (i = 0; i < ports->count; i++) {
		question->port = ports->list[i];
		check_port(question);
	}
}

void check_rules(struct checks *checks, const struct site_action *action)
{
	const struct settings *settings = &action->settings;
	size_t i;

	if (settings->backend != BACKEND_RECENT)
		return;
	for (i = 0; i < 2; i++) {
		bool four = families[i].family == ADDR_IPV4;
		struct question question = {
			.checks = checks,
			.settings = settings,
			.family = &families[i],
			.list = four ? settings->list : settings->list6,
			.prefix = four ? settings->ipv4_prefix : settings->ipv6_prefix,
		};

		check_family(&question);
	}
}
