/* Where packets are dropped: lists of xt_recent with their rules, now and after a reboot; or the
 * module's nftables table, which needs nothing.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blocklist/nftsetup.h"
#include "lib/array.h"
#include "tool/lib/iptables.h"
#include "tool/lib/recent.h"
#include "tool/lib/spawn.h"
#include "tool/lib/systemctl.h"
#include "tool/setup/plan.h"

/* Below this the size of a list is worth a file. */
#define CAPACITY_MIN 1000

/* Where a firewall keeps the rules that it loads at boot. */
struct firewall {
	const char *name;
	bool (*is_used)(const struct plan *plan);
	const char *path[2];	/* IPv4, IPv6 */
	/* The file's text with the rule in front of those that accept packets; text is NULL
	 * if there is no file. The caller frees it; NULL: it has no place for the rule. */
	char *(*add)(const char *text, const char *rule, int family);
};

/* --- the files of firewalls ------------------------------------------------ */

/* The text with a line inserted at this place of it. */
static char *insert_at(const char *text, const char *at, const char *line)
{
	char *whole;

	if (!at || asprintf(&whole, "%.*s%s\n%s", (int)(at - text), text, line, at) < 0)
		return NULL;
	return whole;
}

/* The first line that begins with this word; NULL: none. */
static const char *find_line(const char *text, const char *word)
{
	while (text && *text) {
		if (strncmp(text, word, strlen(word)) == 0)
			return text;
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return NULL;
}

/* The input of iptables-restore. */
static char *add_saved(const char *text, const char *rule, int family)
{
	const char *table = text ? find_line(text, "*filter") : NULL;
	const char *commit = table ? find_line(table, "COMMIT") : NULL;
	const char *first = table ? find_line(table, "-A INPUT ") : NULL;
	char line[800], *whole;

	(void)family;
	snprintf(line, sizeof(line), "-A INPUT %s", rule);
	if (commit)
		return insert_at(text, first && first < commit ? first : commit, line);
	if (asprintf(&whole, "%s*filter\n:INPUT ACCEPT [0:0]\n%s\nCOMMIT\n", text ? text : "",
		     line) < 0)
		return NULL;
	return whole;
}

/* ufw accepts packets of established connections at the top of this chain. */
static char *add_ufw(const char *text, const char *rule, int family)
{
	const char *chain = family == ADDR_IPV4 ? "-A ufw-before-input " : "-A ufw6-before-input ";
	char line[800];

	snprintf(line, sizeof(line), "%s%s", chain, rule);
	return text ? insert_at(text, find_line(text, chain), line) : NULL;
}

/* firewalld's own chains come after those of iptables. */
static char *add_firewalld(const char *text, const char *rule, int family)
{
	char line[800], *whole;

	snprintf(line, sizeof(line),
		 "  <rule ipv=\"%s\" table=\"filter\" chain=\"INPUT\" priority=\"0\">%s</rule>",
		 family == ADDR_IPV4 ? "ipv4" : "ipv6", rule);
	if (text)
		return insert_at(text, strstr(text, "</direct>"), line);
	if (asprintf(&whole, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<direct>\n%s\n"
			     "</direct>\n", line) < 0)
		return NULL;
	return whole;
}

static bool uses_ufw(const struct plan *plan)
{
	char path[PATH_MAX];

	return host_mentions(host_path(plan->host, "/etc/ufw/ufw.conf", path),
			     "\nENABLED=yes") == 1;
}

/* Does the property of the unit have this value? */
static bool unit_is(const struct plan *plan, const char *unit, const char *key, const char *value)
{
	char *text;
	bool is;

	if (systemctl_show(plan->host->context, unit, key, &text) < 0)
		return false;
	is = systemctl_is(text, key, value);
	free(text);
	return is;
}

static bool uses_firewalld(const struct plan *plan)
{
	return unit_is(plan, "firewalld.service", "ActiveState", "active");
}

static bool uses_persistent(const struct plan *plan)
{
	char path[PATH_MAX];

	return access(host_path(plan->host,
				"/usr/share/netfilter-persistent/plugins.d/15-ip4tables", path),
		      F_OK) == 0;
}

static const struct firewall firewalls[] = {
	{ "ufw", uses_ufw, { "/etc/ufw/before.rules", "/etc/ufw/before6.rules" }, add_ufw },
	{ "firewalld", uses_firewalld,
	  { "/etc/firewalld/direct.xml", "/etc/firewalld/direct.xml" }, add_firewalld },
	{ "netfilter-persistent", uses_persistent,
	  { "/etc/iptables/rules.v4", "/etc/iptables/rules.v6" }, add_saved },
};

static const struct firewall *find_firewall(const struct plan *plan)
{
	size_t i;

	for (i = 0; i < COUNT_OF(firewalls); i++)
		if (firewalls[i].is_used(plan))
			return &firewalls[i];
	return NULL;
}

/* --- which backend --------------------------------------------------------- */

/* Can the module have its own table? Without permission to ask: yes. */
static bool has_nftables(const struct plan *plan, const struct settings *settings)
{
	const struct backend_config config = host_backend_config(plan->host, settings);
	struct nftstate state;
	int r = nftsetup_look(&config, &state);

	return r != -EPROTONOSUPPORT && r != -EAFNOSUPPORT && r != -EOPNOTSUPP;
}

bool plan_uses_recent(const struct plan *plan, const struct settings *settings, int family)
{
	/* Without an action the settings are defaults, which nobody has chosen. */
	bool chosen = plan->host->actions[0].item != NULL;

	if (chosen && settings->backend == BACKEND_RECENT)
		return true;
	if (chosen && (settings->backend == BACKEND_NFTABLES || settings->backend == BACKEND_NULL))
		return false;
	return recent_has_list(plan->host->context, settings_list(settings, family)) ||
	       !has_nftables(plan, settings);
}

/* --- rules ----------------------------------------------------------------- */

/* Does the text have a rule that names this list? */
static bool names_list(const char *text, const char *list)
{
	size_t len = strlen(list);
	const char *at = text;

	while ((at = strstr(at, "--name ")) != NULL) {
		at += 7;
		if (strncmp(at, list, len) == 0 && strchr(" \n\t<", at[len]))
			return true;
	}
	return false;
}

/* The rule without "iptables -I INPUT ". */
static const char *rule_of(const struct iptables_rule *rule)
{
	return strstr(rule->text, " INPUT ") + strlen(" INPUT ");
}

static void write_rules(struct plan *plan, const struct firewall *firewall,
			const struct target *target, const char *path, const char *text)
{
	char *whole = text ? strdup(text) : NULL, *next;
	struct iptables_rule rule;
	unsigned int i;

	/* Each one goes in front of those before. */
	for (i = iptables_rules(target); i-- > 0;) {
		iptables_make(target, i, &rule);
		next = firewall->add(whole, rule_of(&rule), target->family);
		free(whole);
		whole = next;
		if (!whole)
			break;
	}
	if (whole)
		plan_write(plan, path, whole, "%s loads its rules from it at boot, and none names "
			   "the list %s", firewall->name, target->name);
	else
		plan_by_hand(plan, path, rule.text, "%s loads its rules from it at boot. Put this "
			     "rule in front of those that accept packets", firewall->name);
	free(whole);
}

static void plan_boot(struct plan *plan, const struct firewall *firewall,
		      const struct target *target)
{
	const char *path = firewall->path[target->family == ADDR_IPV6];
	char *text = NULL;
	int r = plan_text(plan, path, &text);

	if (r == -EACCES)
		plan_unknown(plan, "the rules that %s loads at boot: %s", firewall->name, path);
	else if (r < 0 && r != -ENOENT)
		plan_by_hand(plan, path, "", "it cannot be read: %s", strerrordesc_np(-r));
	else if (text && names_list(text, target->name))
		plan_found(plan, "%s has the rule of the list %s in %s", firewall->name,
			   target->name, path);
	else
		write_rules(plan, firewall, target, path, text);
	free(text);
}

static void plan_unknown_boot(struct plan *plan, const struct target *target, bool there)
{
	struct iptables_rule rule;

	if (there) {
		plan_found(plan, "a rule names the list %s; what inserts it at boot is not known "
			   "here", target->name);
		return;
	}
	iptables_make(target, 0, &rule);
	plan_by_hand(plan, "", rule.text, "a reboot removes the rule of the list %s, because this "
		     "host has neither ufw nor firewalld nor netfilter-persistent: run this at "
		     "boot", target->name);
}

static void plan_live(struct plan *plan, const struct target *target)
{
	const char *program = target->family == ADDR_IPV4 ? "iptables" : "ip6tables";
	struct iptables_rule rule;
	unsigned int i;

	if (!spawn_is_there(plan->host->context->programs, program)) {
		plan_by_hand(plan, "", "apt install iptables",
			     "no rule names the list %s, and there is no %s", target->name,
			     program);
		return;
	}
	for (i = iptables_rules(target); i-- > 0;) {
		iptables_make(target, i, &rule);
		plan_insert(plan, rule.text, "no rule names the list %s", target->name);
	}
}

static void plan_list(struct plan *plan, const struct target *target)
{
	const struct firewall *firewall = find_firewall(plan);
	bool there = recent_has_list(plan->host->context, target->name);

	if (!there)
		plan_live(plan, target);
	if (firewall)
		plan_boot(plan, firewall, target);
	else
		plan_unknown_boot(plan, target, there);
}

/* --- the size of lists ----------------------------------------------------- */

/* The parameter of the loaded module, or its default; -EACCES: only root may read it. */
static int capacity_of(const struct context *context)
{
	char path[PATH_MAX], text[32];
	ssize_t len;

	snprintf(path, sizeof(path), "%s/xt_recent/parameters/ip_list_tot", context->module_root);
	len = host_read(path, text, sizeof(text));
	if (len == -EACCES)
		return -EACCES;
	return len > 0 ? (int)strtol(text, NULL, 10) : 100;
}

static void plan_capacity(struct plan *plan)
{
	const struct context *context = plan->host->context;
	int capacity = capacity_of(context);

	if (capacity == -EACCES)
		plan_unknown(plan, "how many addresses a list holds");
	else if (capacity >= CAPACITY_MIN)
		plan_found(plan, "a list of xt_recent holds %d addresses", capacity);
	else if (recent_is_built_in(context))
		plan_by_hand(plan, "the kernel's command line", "xt_recent.ip_list_tot=5000",
			     "a list of xt_recent holds %d addresses, a wave has thousands",
			     capacity);
	else
		plan_write(plan, PLAN_MODPROBE, "options xt_recent ip_list_tot=5000\n",
			   "a list of xt_recent holds %d addresses, a wave has thousands. In force "
			   "when the kernel loads xt_recent the next time, after a reboot at the "
			   "latest", capacity);
}

/* --- all ------------------------------------------------------------------- */

static bool plan_action(struct plan *plan, const struct settings *settings)
{
	static const int families[] = { ADDR_IPV4, ADDR_IPV6 };
	struct target_action action = { .settings = *settings };
	bool any = false;
	size_t i;

	action.settings.backend = BACKEND_RECENT;
	for (i = 0; i < COUNT_OF(families); i++) {
		struct target target = { .action = &action, .family = families[i],
					 .name = settings_list(settings, families[i]) };

		if (!plan_uses_recent(plan, settings, families[i]))
			continue;
		plan_list(plan, &target);
		any = true;
	}
	return any;
}

void plan_firewall(struct plan *plan)
{
	const struct host *host = plan->host;
	bool any = false;
	size_t i;

	if (!host->actions[0].item)
		any = plan_action(plan, &plan->wanted);
	for (i = 0; host->actions[0].item && i < host->action_count; i++)
		if (!host->actions[i].error[0])
			any |= plan_action(plan, &host->actions[i].settings);
	if (any)
		plan_capacity(plan);
	else
		plan_found(plan, "packets are dropped by the module's own nftables table; no rule "
				 "has to be set up");
}
