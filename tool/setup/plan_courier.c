/* courier's settings, which setup shows and never writes: which DNSBL to ask is the admin's choice.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "tool/setup/plan.h"

#define WORD_SIZE 512
#define RESTART "systemctl restart courier-mta"

/* courier's default, for a small host. */
#define SLOTS_DEFAULT 40
#define SLOTS 300

/* A word of BLACKLISTS with the variable BLOCK and a text, by which courier rejects:
 * -block=zone[=display_zone][,var[/n.n.n.n][,msg]] (couriertcpd(8)). Returns whether it
 * differs. */
static bool complete(const char *word, char *buf, size_t size)
{
	const char *var = strchr(word, ','), *text = var ? strchr(var + 1, ',') : NULL;
	size_t zone = strcspn(word, ",");
	const char *address = var ? memchr(var, '/', text ? (size_t)(text - var) : strlen(var))
				  : NULL;
	int address_len = address ? (int)strcspn(address, ",") : 0;

	if (strncmp(word, "-block=", 7) != 0 ||
	    (var && strncmp(var, ",BLOCK", 6) == 0 && strchr("/,", var[6]) && text && text[1])) {
		snprintf(buf, size, strchr(word, ' ') ? "\"%s\"" : "%s", word);
		return false;
	}
	snprintf(buf, size, "%.*s,BLOCK%.*s,*", (int)zone, word, address_len,
		 address ? address : "");
	return true;
}

/* The line as it should be; false: it needs no change. */
static bool correct_blacklists(const char *value, char *line, size_t size)
{
	struct text_buf text = text_buf_of(line, size);
	char word[WORD_SIZE], right[WORD_SIZE + 16];
	bool changed = false;

	text_append(&text, "BLACKLISTS='");
	while (courierconf_word(&value, word, sizeof(word)) > 0) {
		changed |= complete(word, right, sizeof(right));
		text_append(&text, "%s%s", line[text.used - 1] == '\'' ? "" : " ", right);
	}
	text_append(&text, "'");
	return changed;
}

static void plan_blacklists(struct plan *plan)
{
	const struct host *host = plan->host;
	const char *value = courierconf_get(host->esmtpd, "BLACKLISTS");
	const char *options = courierconf_get(host->esmtpd, "TCPDOPTS");
	char line[2048];

	if (options && strstr(options, "-block="))
		return;
	if (!value || !strstr(value, "-block="))
		plan_by_hand(plan, host->esmtpd_path, "BLACKLISTS='-block=ZONE,BLOCK,*'",
			     "courier asks no DNSBL, so nobody is rejected for one. Write the one "
			     "of your choice for ZONE");
	else if (correct_blacklists(value, line, sizeof(line)))
		plan_by_hand(plan, host->esmtpd_path, line,
			     "courier rejects only by the variable BLOCK and a text; * is the "
			     "DNSBL's own");
}

static void plan_slots(struct plan *plan)
{
	const struct host *host = plan->host;
	long slots = courierconf_number(host->esmtpd, "MAXDAEMONS", SLOTS_DEFAULT);
	long network = courierconf_number(host->esmtpd, "MAXPERC", 0);
	char line[64];

	if (slots <= SLOTS_DEFAULT) {
		snprintf(line, sizeof(line), "MAXDAEMONS=%d", SLOTS);
		plan_by_hand(plan, host->esmtpd_path, line,
			     "courier serves %ld connections at a time, which is little for a wave",
			     slots);
		slots = SLOTS;
	}
	if (network > 0 && network < slots)
		return;
	snprintf(line, sizeof(line), "MAXPERC=%ld", slots / 10);
	plan_by_hand(plan, host->esmtpd_path, line, "one network of 256 addresses can take all %ld "
		     "connections", slots);
}

/* With TARPIT a reject is logged 8 s late; the default action does not wait for that. */
static void plan_tarpit(struct plan *plan)
{
	const struct host *host = plan->host;
	size_t i;

	if (courierconf_number(host->esmtpd, "TARPIT", 1) == 0)
		return;
	for (i = 0; i < host->action_count; i++)
		if (!host->actions[i].settings.early) {
			plan_by_hand(plan, host->esmtpd_path, "TARPIT=0",
				     "courier logs a reject 8 s late and later, and the action has "
				     "early=\"off\"");
			return;
		}
}

void plan_courier(struct plan *plan)
{
	const struct host *host = plan->host;
	size_t before = plan->note_count;

	if (!host->esmtpd) {
		plan_unknown(plan, "courier's settings: %s: %s", host->esmtpd_path,
			     strerrordesc_np(-host->esmtpd_error));
		return;
	}
	plan_blacklists(plan);
	plan_tarpit(plan);
	plan_slots(plan);
	if (plan->note_count > before)
		plan_by_hand(plan, "", RESTART, "courier reads its settings when it starts");
}
