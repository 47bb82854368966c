/* The rules of iptables that give recent's lists a meaning.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cidr.h"
#include "tool/check/checks.h"
#include "tool/lib/spawn.h"
#include "tool/read/iptables_save.h"

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
struct lookup_request {
	struct checks *checks;
	const struct settings *settings;
	const struct family *family;
	const char *list;
	unsigned int prefix;
	uint16_t port;			/* one of the action's */
	char type[CHECK_TYPE_SIZE];	/* the rule as it should be */
};

static char *format_mask(const struct lookup_request *lookup_request, char *buf, size_t size)
{
	struct addr mask = { .family = (uint8_t)lookup_request->family->family };
	char text[ADDR_TEXT_SIZE];

	memset(mask.bytes, 0xff, addr_bits(&mask) / 8);
	mask = cidr_mask(&mask, lookup_request->prefix);
	snprintf(buf, size, "%s", addr_format(&mask, text));
	return buf;
}

/* In front of all others, where nothing can accept a packet before. */
static void format_rule(struct lookup_request *lookup_request)
{
	struct addr any = { .family = (uint8_t)lookup_request->family->family };
	char mask[ADDR_TEXT_SIZE], option[ADDR_TEXT_SIZE + 16] = "";

	if (lookup_request->prefix != addr_bits(&any))
		snprintf(option, sizeof(option), " --mask %s",
			 format_mask(lookup_request, mask, sizeof(mask)));
	snprintf(lookup_request->type, sizeof(lookup_request->type),
		 "%s -I INPUT -p tcp --dport %d -m recent --name %s%s --update --seconds %u "
		 "-j DROP",
		 lookup_request->family->program, lookup_request->port, lookup_request->list,
		 option, lookup_request->settings->ban_time);
}

/* Ask one of the programs. Returns 0, or -errno; -EPERM: it told nothing. */
static int ask(const struct lookup_request *lookup_request, const char *program,
	       struct iptables_save_answer *ret_answer)
{
	char *const argv[] = { (char *)(uintptr_t)program, NULL };
	struct iptables_save *rules = NULL;
	char *output;
	size_t len;
	int r = spawn_run(lookup_request->checks->host->context->programs, argv, &output, &len);

	if (r < 0)
		return r;
	if (r == 0)
		r = len < SPAWN_OUTPUT_MAX ? iptables_save_parse(output, len, &rules) : -EFBIG;
	else
		r = -EPERM;
	free(output);
	if (r < 0)
		return r;
	iptables_save_ask(rules, lookup_request->list, lookup_request->port, ret_answer);
	iptables_save_free(rules);
	return 0;
}

/* Rules of iptables-nft and iptables-legacy stand side by side, and each program shows
 * its own only. */
static int ask_both(const struct lookup_request *lookup_request,
		    struct iptables_save_answer *ret_answer)
{
	struct iptables_save_answer other;
	int r = ask(lookup_request, lookup_request->family->save[0], ret_answer);

	if (r == 0 && ret_answer->exists)
		return 0;
	if (ask(lookup_request, lookup_request->family->save[1], &other) == 0 &&
	    (r < 0 || other.exists)) {
		*ret_answer = other;
		return 0;
	}
	return r;
}

/* What makes a rule another one than it should be; "": nothing. */
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

static void check_mask(struct lookup_request *lookup_request,
		       const struct iptables_save_recent *rule)
{
	struct addr any = { .family = (uint8_t)lookup_request->family->family };
	struct addr want, got;
	char mask[ADDR_TEXT_SIZE];

	format_mask(lookup_request, mask, sizeof(mask));
	if (rule->mask[0] == '\0' && lookup_request->prefix == addr_bits(&any))
		return;
	if (addr_parse(mask, strlen(mask), &want) == 0 &&
	    addr_parse(rule->mask, strlen(rule->mask), &got) == 0 &&
	    addr_compare(&want, &got) == 0)
		return;
	check_broken(
		lookup_request->checks, lookup_request->family->id_mask, lookup_request->type,
		"the rule of %s compares under the mask %s, addresses are written for /%u: "
		"they never match",
		lookup_request->list, rule->mask[0] ? rule->mask : "of one host",
		lookup_request->prefix);
}

static void check_seconds(struct lookup_request *lookup_request,
			  const struct iptables_save_recent *rule)
{
	const char *id = lookup_request->family->id_seconds;

	if (rule->seconds != lookup_request->settings->ban_time)
		check_warning(lookup_request->checks, id, lookup_request->type,
			      "the rule of %s drops for %u s%s, banTime is %u s",
			      lookup_request->list, rule->seconds,
			      rule->seconds ? "" : " (for ever)",
			      lookup_request->settings->ban_time);
	if (!rule->update)
		check_warning(
			lookup_request->checks, id, lookup_request->type,
			"the rule of %s only looks (--rcheck): who keeps trying is let in "
			"after %u s",
			lookup_request->list, rule->seconds);
}

static void check_order(struct lookup_request *lookup_request,
			const struct iptables_save_answer *answer)
{
	if (answer->established == IPTABLES_REACHED)
		check_ok(lookup_request->checks, lookup_request->family->id_order,
			 "packets of open connections come to it too");
	else
		check_broken(lookup_request->checks, lookup_request->family->id_order,
			     lookup_request->type,
			     "the rule of %s stands behind one that accepts open connections, "
			     "which go on: %s",
			     lookup_request->list, answer->before);
}

static void say_not_reached(struct lookup_request *lookup_request,
			    const struct iptables_save_answer *answer)
{
	static const char *const how[] = {
		[IPTABLES_REACHED] = "",
		[IPTABLES_ACCEPTED] = "one before it accepts them: ",
		[IPTABLES_STOPPED] = "one before it drops them all: ",
		[IPTABLES_MISSED] = "no rule of INPUT leads to it",
	};

	check_broken(lookup_request->checks, lookup_request->family->id, lookup_request->type,
		     "connections to port %d never come to the rule of %s: %s%s",
		     lookup_request->port, lookup_request->list, how[answer->new_connections],
		     answer->before);
}

static void judge(struct lookup_request *lookup_request,
		  const struct iptables_save_answer *answer)
{
	const char *wrong = fault(&answer->rule);

	if (!answer->exists) {
		check_broken(lookup_request->checks, lookup_request->family->id,
			     lookup_request->type, "no rule looks at the list %s",
			     lookup_request->list);
		return;
	}
	if (answer->new_connections != IPTABLES_REACHED) {
		say_not_reached(lookup_request, answer);
		return;
	}
	if (*wrong) {
		check_broken(lookup_request->checks, lookup_request->family->id,
			     lookup_request->type, "the rule of %s %s: %s",
			     lookup_request->list, wrong, answer->rule.text);
		return;
	}
	check_ok(lookup_request->checks, lookup_request->family->id,
		 "connections to port %d come to: %s", lookup_request->port, answer->rule.text);
	check_order(lookup_request, answer);
	check_mask(lookup_request, &answer->rule);
	check_seconds(lookup_request, &answer->rule);
}

static bool has_list(const struct lookup_request *lookup_request)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/xt_recent/%s",
		 lookup_request->checks->host->context->net_root, lookup_request->list);
	return access(path, F_OK) == 0;
}

static void check_port(struct lookup_request *lookup_request)
{
	struct iptables_save_answer answer;
	const struct family *family = lookup_request->family;
	int r;

	format_rule(lookup_request);
	r = ask_both(lookup_request, &answer);
	if (r == 0)
		judge(lookup_request, &answer);
	else if (r == -ENOENT)
		check_warning(lookup_request->checks, family->id, "apt install iptables",
			      "cannot tell: there is no %s", family->save[0]);
	else
		check_warning(lookup_request->checks, family->id,
			      "run smtpblockctl check as root",
			      "cannot tell: %s shows no rules", family->save[0]);
}

static void check_family(struct lookup_request *lookup_request)
{
	const struct settings_ports *ports = &lookup_request->settings->ports;
	unsigned int i;

	/* Without a list there is no rule: that was said. */
	if (!has_list(lookup_request))
		return;
	for (i = 0; i < ports->count; i++) {
		lookup_request->port = ports->list[i];
		check_port(lookup_request);
	}
}

void check_rules(struct checks *checks, const struct host_action *action)
{
	const struct settings *settings = &action->settings;
	size_t i;

	if (settings->backend != BACKEND_RECENT)
		return;
	for (i = 0; i < 2; i++) {
		bool four = families[i].family == ADDR_IPV4;
		struct lookup_request lookup_request = {
			.checks = checks,
			.settings = settings,
			.family = &families[i],
			.list = four ? settings->list : settings->list6,
			.prefix = four ? settings->ipv4_prefix : settings->ipv6_prefix,
		};

		check_family(&lookup_request);
	}
}
