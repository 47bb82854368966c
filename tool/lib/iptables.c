/* The iptables rules of recent lists.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/iptables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "tool/lib/spawn.h"
#include "tool/read/iptables_save.h"

/* Most words of a rule's command, including the added -w. */
#define WORDS_MAX 32

static const char *program_of(const struct target *target)
{
	return target->family == ADDR_IPV4 ? "iptables" : "ip6tables";
}

/* The mask of a block; all ones for single hosts. */
static struct addr mask_of(const struct target *target)
{
	struct addr ones = { .family = (uint8_t)target->family };

	memset(ones.bytes, 0xff, addr_bits(&ones) / 8);
	return cidr_mask(&ones, settings_prefix(&target->action->settings, &ones));
}

unsigned int iptables_rules(const struct target *target)
{
	unsigned int count = target->action->settings.ports.count;

	return (count + IPTABLES_PORTS_MAX - 1) / IPTABLES_PORTS_MAX;
}

static void append_ports(struct text_buf *text, const struct iptables_rule *rule)
{
	unsigned int i;

	text_append(text, rule->port_count == 1 ? " --dport" : " -m multiport --dports");
	for (i = 0; i < rule->port_count; i++)
		text_append(text, "%s%u", i ? "," : " ", rule->ports[i]);
}

static void append_list(struct text_buf *text, const struct target *target)
{
	struct addr mask = mask_of(target);
	unsigned int prefix = settings_prefix(&target->action->settings, &mask);
	char mask_text[ADDR_TEXT_SIZE];

	text_append(text, " -m recent --name %s", target->name);
	if (prefix != addr_bits(&mask))
		text_append(text, " --mask %s", addr_format(&mask, mask_text));
	text_append(text, " --update --seconds %u -j DROP", target->action->settings.ban_time);
}

void iptables_make_for(const struct target *target, const uint16_t *ports, unsigned int count,
		       struct iptables_rule *ret_rule)
{
	struct text_buf text = text_buf_of(ret_rule->text, sizeof(ret_rule->text));

	ret_rule->target = target;
	ret_rule->ports = ports;
	ret_rule->port_count = count;
	text_append(&text, "%s -I INPUT -p tcp", program_of(target));
	append_ports(&text, ret_rule);
	append_list(&text, target);
}

void iptables_make(const struct target *target, unsigned int which,
		   struct iptables_rule *ret_rule)
{
	const struct settings_ports *ports = &target->action->settings.ports;
	unsigned int first = which * IPTABLES_PORTS_MAX, left = ports->count - first;

	iptables_make_for(target, ports->list + first,
			  left < IPTABLES_PORTS_MAX ? left : IPTABLES_PORTS_MAX, ret_rule);
}

/* --- existing rules -------------------------------------------------------- */

int iptables_read(const struct context *context, const char *program,
		  struct iptables_save **ret_rules)
{
	const char *const argv[] = { program, NULL };
	char *output;
	size_t len;
	int r = spawn_run(context->programs, argv, &output, &len);

	if (r < 0)
		return r;
	if (r > 0)
		r = -EACCES;
	else
		r = len < SPAWN_OUTPUT_MAX ? iptables_save_parse(output, len, ret_rules) : -EFBIG;
	free(output);
	return r;
}

bool iptables_is_mask(const struct target *target, const char *text)
{
	struct addr want = mask_of(target), got;

	if (*text == '\0')
		return settings_prefix(&target->action->settings, &want) == addr_bits(&want);
	return addr_parse(text, strlen(text), &got) == 0 && addr_compare(&got, &want) == 0;
}

static bool is_in_force(const struct iptables_save *rules, const struct target *target,
			uint16_t port)
{
	struct iptables_save_answer answer;

	iptables_save_ask(rules, target->name, port, &answer);
	return answer.exists && answer.rule.update && answer.rule.drops && !answer.rule.rdest &&
	       answer.rule.hitcount <= 1 &&
	       answer.rule.seconds == target->action->settings.ban_time &&
	       iptables_is_mask(target, answer.rule.mask) &&
	       answer.new_connections == IPTABLES_REACHED &&
	       answer.established == IPTABLES_REACHED;
}

int iptables_is_there(const struct context *context, const struct iptables_rule *rule)
{
	struct iptables_save *rules = NULL;
	unsigned int i;
	bool four = rule->target->family == ADDR_IPV4;
	int r = iptables_read(context, four ? "iptables-save" : "ip6tables-save", &rules);

	if (r < 0)
		return r;
	for (i = 0, r = 1; i < rule->port_count && r == 1; i++)
		r = is_in_force(rules, rule->target, rule->ports[i]);
	iptables_save_free(rules);
	return r;
}

/* --- changes --------------------------------------------------------------- */

/* Run the rule's command with this operation in place of -I, and with -w added, which waits for
 * the lock of other iptables processes. Returns the exit status; -ENOENT; -errno. */
static int change(const struct context *context, const struct iptables_rule *rule,
		  const char *operation)
{
	char text[sizeof(rule->text)], *word, *rest = NULL, *output = NULL;
	const char *argv[WORDS_MAX];
	size_t count = 0, len = 0;
	int r;

	memcpy(text, rule->text, sizeof(text));
	for (word = strtok_r(text, " ", &rest); word && count < WORDS_MAX - 2;
	     word = strtok_r(NULL, " ", &rest)) {
		argv[count++] = strcmp(word, "-I") == 0 ? operation : word;
		if (count == 1)
			argv[count++] = "-w";
	}
	argv[count] = NULL;
	r = spawn_run(context->programs, argv, &output, &len);
	free(output);
	return r;
}

int iptables_insert(const struct context *context, const struct iptables_rule *rule)
{
	int r = change(context, rule, "-I");

	return r > 0 ? -EIO : r;
}

int iptables_delete(const struct context *context, const struct iptables_rule *rule)
{
	int r = change(context, rule, "-D");

	return r > 0 ? -EIO : r;
}

int iptables_is_exactly(const struct context *context, const struct iptables_rule *rule)
{
	int r = change(context, rule, "-C");

	return r < 0 ? r : r == 0;
}
