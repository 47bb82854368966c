/* The nftables table that the module creates.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "blocklist/nftsetup.h"
#include "tool/check/checks.h"

#define MEND "smtpblockctl setup nftables --apply, or systemctl restart rsyslog"

/* The first thing missing of what a list needs; "": nothing. */
static const char *first_missing(const struct nftstate *state, int which)
{
	const struct nftstate_list *list = &state->lists[which];

	if (!state->table)
		return "there is no table inet " NFTTABLE_NAME;
	if (!state->chain)
		return "the table has no chain " NFTTABLE_CHAIN;
	if (!state->hooked)
		return "nothing that comes in goes through the chain " NFTTABLE_CHAIN;
	if (!list->set)
		return "the table has no set of that name";
	if (!list->usable)
		return "its set is not for such addresses, or has no timeouts";
	return "no rule looks at the set";
}

static void check_list(struct checks *checks, const struct settings *settings,
		       const struct nftstate *state, int which)
{
	static const char *const ids[] = { "list.ipv4", "list.ipv6" };
	const char *name = which == 0 ? settings->list : settings->list6;

	if (nftstate_is_as_wanted(state, which))
		check_ok(checks, ids[which], "table inet %s has the set %s and its rule",
			 NFTTABLE_NAME, name);
	else if (nftstate_works(state, which))
		check_warning(checks, ids[which], MEND,
			      "the set %s and its rule have other parameters than the action",
			      name);
	else
		check_broken(checks, ids[which], MEND, "nothing drops by the list %s: %s", name,
			     first_missing(state, which));
}

static void report_failed(struct checks *checks, int err)
{
	if (err == EPERM || err == EACCES)
		check_warning(checks, "kernel", "run smtpblockctl check as root",
			      "cannot tell what nftables has");
	else if (err == EPROTONOSUPPORT || err == EAFNOSUPPORT || err == EOPNOTSUPP)
		check_broken(checks, "kernel", "write backend=\"recent\" into the action",
			     "this kernel has no nf_tables");
	else
		check_warning(checks, "kernel", "", "cannot tell what nftables has: %s",
			      strerrordesc_np(err));
}

static void check_size(struct checks *checks, const struct settings *settings)
{
	long slots = courierconf_number(checks->host->esmtpd, "MAXDAEMONS", 0);

	if (slots > 0 && (unsigned long)slots > settings->list_size)
		check_warning(checks, "list.size", "write a higher listSize into the action",
			      "the set %s holds %u addresses, a wave can have %ld at once",
			      settings->list, settings->list_size, slots);
	else
		check_ok(checks, "list.size", "the set %s holds %u addresses", settings->list,
			 settings->list_size);
}

void check_nftables(struct checks *checks, const struct host_action *action)
{
	const struct settings *settings = &action->settings;
	const struct backend_config config = host_backend_config(checks->host, settings);
	struct nftstate state;
	int r;

	if (settings->backend != BACKEND_NFTABLES)
		return;
	check_size(checks, settings);
	r = nftsetup_look(&config, &state);
	if (r < 0) {
		report_failed(checks, -r);
		return;
	}
	check_ok(checks, "kernel", "nf_tables is there");
	check_list(checks, settings, &state, 0);
	check_list(checks, settings, &state, 1);
}
