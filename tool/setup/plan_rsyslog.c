/* The action in rsyslog's configuration.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <stdio.h>

#include "lib/text.h"
#include "tool/setup/plan.h"

#define HEADING                                                                            \
	"# Written by smtpblockctl setup; smtpblockctl setup --undo removes it. The "      \
	"parameters are\n# in omsmtpblock(5).\n"

/* The parameters that differ from the module's defaults. */
static void choose_parameters(const struct plan *plan, struct text_buf *parameters)
{
	const struct settings *usual = &plan->host->actions[0].settings, *wanted = &plan->wanted;

	if (usual->backend == BACKEND_RECENT && !plan_uses_recent(plan, usual, ADDR_IPV4) &&
	    !plan_uses_recent(plan, usual, ADDR_IPV6))
		text_append(parameters, " backend=\"nftables\"");
	if (wanted->ipv4_prefix != usual->ipv4_prefix)
		text_append(parameters, " ipv4Prefix=\"%u\"", wanted->ipv4_prefix);
	if (wanted->ipv6_prefix != usual->ipv6_prefix)
		text_append(parameters, " ipv6Prefix=\"%u\"", wanted->ipv6_prefix);
	if (wanted->ban_time != usual->ban_time)
		text_append(parameters, " banTime=\"%u\"", wanted->ban_time);
}

/* --- the action ------------------------------------------------------------ */

/* Does rsyslogd read files in /etc/rsyslog.d? */
static bool is_included(const struct host *host)
{
	char path[PATH_MAX];
	size_t i;

	host_path(host, PLAN_ACTION, path);
	for (i = 0; i < rsyslog_conf_count(host->conf); i++) {
		const struct rsyslog_conf_item *item = rsyslog_conf_at(host->conf, i);
		const char *file = item->kind == RSYSLOG_CONF_INCLUDE && !item->disabled
					   ? rsyslog_conf_value(item, "file")
					   : NULL;

		if (file && fnmatch(file, path, FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}

static void plan_action(struct plan *plan)
{
	const struct host *host = plan->host;
	bool loaded = host_module(host, "omsmtpblock") != NULL;
	char parameters[256], text[1024];
	struct text_buf buf = text_buf_of(parameters, sizeof(parameters));

	choose_parameters(plan, &buf);
	snprintf(text, sizeof(text), HEADING "%s%s%smail.err action(type=\"omsmtpblock\"%s)\n",
		 loaded ? "" : "module(load=\"omsmtpblock\"",
		 !loaded && host_privilege_drop(host) ? " keepCapabilities=\"on\"" : "",
		 loaded ? "" : ")\n", parameters);
	plan_write(plan, PLAN_ACTION, text, "rsyslog's configuration has no action of omsmtpblock");
	if (!is_included(host))
		plan_by_hand(plan, host->context->config, "include(file=\"/etc/rsyslog.d/*.conf\")",
			     "rsyslogd does not read /etc/rsyslog.d");
}

/* An action that the admin wrote, and what it needs besides. */
static void look_at_action(struct plan *plan)
{
	const struct host *host = plan->host;
	const struct rsyslog_conf_item *action = host->actions[0].item;
	const struct rsyslog_conf_item *module = host_module(host, "omsmtpblock");

	plan_found(plan, "%s line %u has the action", action->file, action->line);
	if (!module)
		plan_by_hand(plan, action->file, "module(load=\"omsmtpblock\")",
			     "the action needs the module: write this in front of it");
	else if (host_privilege_drop(host) &&
		 !rsyslog_conf_is_on(module, "keepCapabilities", false))
		plan_by_hand(plan, module->file,
			     "module(load=\"omsmtpblock\" keepCapabilities=\"on\")",
			     "rsyslogd drops root's rights: write this in line %u", module->line);
}

void plan_rsyslog(struct plan *plan)
{
	const struct host *host = plan->host;
	size_t i;

	if (!host->conf) {
		plan_unknown(plan, "rsyslog's configuration: %s", host->conf_error);
		return;
	}
	if (host->actions[0].item)
		look_at_action(plan);
	else
		plan_action(plan);
	for (i = 0; i < host->action_count; i++)
		if (host->actions[i].error[0])
			plan_by_hand(plan, host->actions[i].item->file, "", "%s",
				     host->actions[i].error);
	if (!host_module(host, "imuxsock") && !host_module(host, "imjournal"))
		plan_by_hand(plan, host->context->config, "module(load=\"imuxsock\")",
			     "rsyslogd does not read the log lines of this host");
}
