/* Courier's settings: is courier there, and does it reject clients in a way the module
 * can act on?
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/check/checks.h"
#include "tool/check/slots_now.h"
#include "tool/lib/spawn.h"

#define WORD_SIZE 512

/* The meaning of the words in BLACKLISTS and TCPDOPTS (couriertcpd(8)). */
struct blocking {
	unsigned int zones;	/* number of -block= options */
	unsigned int set;	/* of these, those that set BLOCK to a text, by which submit
				 * rejects */
	unsigned int temporary;	/* of set, those with a 4xx reply */
	char silent[WORD_SIZE];	/* the first that does not set BLOCK */
	char bare[WORD_SIZE];	/* the first without a text of its own */
	char star[WORD_SIZE];	/* the first that sets BLOCK to "*" */
	unsigned int bares;	/* number of zones without a text */
	bool drop;
};

static const char *get(const struct host *host, const char *name)
{
	const char *value = courierconf_get(host->esmtpd, name);

	return value ? value : "";
}

static void keep_first(char kept[static WORD_SIZE], const char *word)
{
	if (kept[0] == '\0')
		snprintf(kept, WORD_SIZE, "%s", word);
}

/* As policy.c: a 4xx code, which courier then sends instead of 511. */
static bool is_temporary(const char *message)
{
	return message[0] == '4' && strspn(message, "0123456789") == 3;
}

/* -block=zone[=display_zone][,var[/n.n.n.n][,msg]]; var defaults to BLOCK. Without msg it
 * depends on the version: sets_text(). The msg "*" stands for the zone's TXT record, but not
 * behind an address: docheckblocklist() of courier's tcpd.c then sets BLOCK to "*". */
static void take_block(struct blocking *blocking, const char *word)
{
	const char *var = strchr(word, ',');
	size_t len = var ? strcspn(++var, ",/") : 0;
	const char *message = var ? strchr(var, ',') : NULL;

	blocking->zones++;
	if (var && (len != 5 || strncmp(var, "BLOCK", 5) != 0)) {
		keep_first(blocking->silent, word);
		return;
	}
	if (!message || message[1] == '\0') {
		blocking->bares++;
		keep_first(blocking->bare, word);
		return;
	}
	if (var[len] == '/' && strcmp(message, ",*") == 0)
		keep_first(blocking->star, word);
	blocking->set++;
	blocking->temporary += is_temporary(message + 1);
}

static void take_words(struct blocking *blocking, const char *value)
{
	char word[WORD_SIZE];

	while (courierconf_word(&value, word, sizeof(word)) > 0) {
		if (strncmp(word, "-block=", 7) == 0)
			take_block(blocking, word);
		else if (strncmp(word, "-drop", 5) == 0)
			blocking->drop = true;
	}
}

static void read_blocking(const struct host *host, struct blocking *ret_blocking)
{
	memset(ret_blocking, 0, sizeof(*ret_blocking));
	take_words(ret_blocking, get(host, "BLACKLISTS"));
	take_words(ret_blocking, get(host, "TCPDOPTS"));
	take_words(ret_blocking, get(host, "DROP"));
}

bool host_drops(const struct host *host)
{
	struct blocking blocking;

	if (!host->esmtpd)
		return false;
	read_blocking(host, &blocking);
	return blocking.drop;
}

/* --- independent of actions ---------------------------------------------- */

static void check_limits(struct checks *checks)
{
	const struct host *host = checks->host;
	long slots = courierconf_number(host->esmtpd, "MAXDAEMONS", 0);
	long each = courierconf_number(host->esmtpd, "MAXPERIP", 0);

	if (slots == 0)
		check_warning(checks, "courier.maxdaemons", "write MAXDAEMONS=300 into esmtpd",
			      "MAXDAEMONS is not set in %s", host->esmtpd_path);
	else
		check_ok(checks, "courier.maxdaemons", "%ld connections at a time", slots);
	if (slots == 0)
		return;
	if (each == 0 || each >= slots)
		check_warning(checks, "courier.maxperip",
			      "write a MAXPERIP far below MAXDAEMONS into esmtpd",
			      "one address can take all %ld connections", slots);
	else
		check_ok(checks, "courier.maxperip", "%ld of them from one address", each);
}

/* couriertcpd reads esmtpd only at its start. */
static void check_restart(struct checks *checks)
{
	const struct host *host = checks->host;
	time_t changed = host_changed(host->esmtpd_path);
	size_t i;

	for (i = 0; i < host->tcpd_count; i++)
		if (host->tcpds[i].started && changed > host->tcpds[i].started + 2)
			check_warning(checks, "courier.restart",
				      "systemctl restart courier-mta",
				      "%s was changed after couriertcpd (PID %d) was started",
				      host->esmtpd_path, (int)host->tcpds[i].pid);
}

static void check_running(struct checks *checks)
{
	const struct host *host = checks->host;

	if (host->tcpd_count == 0)
		check_broken(checks, "courier.running", "systemctl start courier-mta",
			     "there is no couriertcpd");
	else
		check_ok(checks, "courier.running", "couriertcpd runs, PID %d",
			 (int)host->tcpds[0].pid);
}

void check_courier(struct checks *checks)
{
	const struct host *host = checks->host;

	check_running(checks);
	if (!host->esmtpd) {
		check_warning(checks, "courier.config",
			      host->esmtpd_error == -EACCES ? "run smtpblockctl check as root"
							    : "",
			      "cannot tell how courier is set up: %s: %s", host->esmtpd_path,
			      strerrordesc_np(-host->esmtpd_error));
		return;
	}
	if (courierconf_unsure(host->esmtpd))
		check_warning(checks, "courier.config", "",
			      "%s has more in it than settings: what follows may differ",
			      host->esmtpd_path);
	check_restart(checks);
	check_limits(checks);
}

/* --- what an action needs ------------------------------------------------ */

static void check_user(struct checks *checks, const struct settings *settings)
{
	const struct host *host = checks->host;
	uid_t uid;
	size_t i;

	if (settings_courier_uid(settings, &uid) < 0) {
		check_broken(checks, "courier.user", "write courierUser=\"USER\" into the action",
			     "there is no user %s", settings->courier_user);
		return;
	}
	for (i = 0; i < host->tcpd_count; i++) {
		if (host->tcpds[i].uid == uid)
			continue;
		check_broken(
			checks, "courier.user",
			"write courierUser=\"USER\" into the action, as ps -C couriertcpd "
			"shows it",
			"couriertcpd (PID %d) runs with uid %u, not as %s (%u): its children "
			"prove nothing",
			(int)host->tcpds[i].pid, (unsigned int)host->tcpds[i].uid,
			settings->courier_user, (unsigned int)uid);
		return;
	}
	if (host->tcpd_count > 0)
		check_ok(checks, "courier.user", "it runs as %s", settings->courier_user);
}

/* Do the trigger or verify need the BLOCK that a DNSBL listing sets in an smtpd? */
static bool wants_block(const struct settings *settings)
{
	return settings->trigger == TRIGGER_DNSBL || settings->trigger == TRIGGER_CONNECT;
}

#define BLACKLISTS_EXAMPLE "write BLACKLISTS='-block=ZONE,BLOCK,*' into esmtpd, and restart courier"

/* courier's version as one number, 1.0.16 as 10016; 0: unknown. */
static unsigned int courier_version(const struct host *host)
{
	const char *const argv[] = { "courier", "--version", NULL };
	unsigned int major, minor, patch = 0, version = 0;
	char *output;
	size_t len;
	int r = spawn_run(host->context->programs, argv, &output, &len);

	if (r < 0)
		return 0;
	if (r == 0 && sscanf(output, "Courier %3u.%2u.%2u", &major, &minor, &patch) >= 2)
		version = major * 10000 + minor * 100 + patch;
	free(output);
	return version;
}

/* Does courier set BLOCK to a text of its own for a zone without one? From 1.0.14 to 1.1.2 it
 * did not (courier-libs, commits 8dafc1a and e04bac5). */
static bool sets_text(unsigned int version)
{
	return version < 10014 || version > 10102;
}

/* Zones without a text. Returns true if they reject clients. */
static bool check_bare(struct checks *checks, const struct blocking *blocking)
{
	unsigned int version = courier_version(checks->host);

	if (version == 0)
		check_warning(checks, "courier.blacklists", BLACKLISTS_EXAMPLE,
			      "%s has no text: courier 1.0.14 to 1.1.2 (Debian 12) then rejects "
			      "nobody", blocking->bare);
	else if (!sets_text(version))
		check_broken(checks, "courier.blacklists", BLACKLISTS_EXAMPLE,
			     "%s has no text, and courier %u.%u.%u then rejects nobody for it",
			     blocking->bare, version / 10000, version / 100 % 100, version % 100);
	return version != 0 && sets_text(version);
}

static void check_blacklists(struct checks *checks, struct blocking *blocking)
{
	const char *path = checks->host->esmtpd_path;

	if (blocking->bares > 0) {
		if (!check_bare(checks, blocking))
			return;
		blocking->set += blocking->bares;
	}
	if (blocking->zones == 0)
		check_broken(checks, "courier.blacklists", BLACKLISTS_EXAMPLE,
			     "%s asks no DNSBL (BLACKLISTS), so nobody is rejected for one", path);
	else if (blocking->set == 0)
		check_broken(checks, "courier.blacklists", BLACKLISTS_EXAMPLE,
			     "%s does not set BLOCK, so nobody is rejected", blocking->silent);
	else if (blocking->set == blocking->temporary)
		check_broken(checks, "courier.blacklists", BLACKLISTS_EXAMPLE,
			     "all zones in %s give a reply of 4xx, for which nobody is blocked",
			     path);
	else if (blocking->set < blocking->zones)
		check_warning(checks, "courier.blacklists", BLACKLISTS_EXAMPLE,
			      "%s does not set BLOCK, so nobody is rejected for it",
			      blocking->silent);
	else if (blocking->star[0] != '\0')
		check_warning(checks, "courier.blacklists",
			      "write a text in place of the * into esmtpd, and restart courier",
			      "%s rejects with \"511 *\": behind an address courier does not put "
			      "the TXT record in place of the *", blocking->star);
	else
		check_ok(checks, "courier.blacklists", "%u DNSBL%s, each sets BLOCK",
			 blocking->zones, blocking->zones == 1 ? "" : "s");
}

/* With -drop, an smtpd exits before the module can read its BLOCK. */
static void check_drop(struct checks *checks, const struct settings *settings,
		       const struct blocking *blocking)
{
	if (!blocking->drop)
		return;
	if (settings->verify == VERIFY_CHILD)
		check_broken(checks, "courier.drop",
			     "take -drop out of esmtpd, or write verify=\"sender\" into the "
			     "action and have rsyslog pass on the sender's credentials  "
			     "(" CHECK_TRADE ")",
			     "courier drops listed connections itself (-drop): their children are "
			     "gone before they can prove anything");
	else if (settings->trigger != TRIGGER_DNSBL)
		check_warning(checks, "courier.drop", "write trigger=\"dnsbl\" into the action",
			      "courier drops listed connections itself (-drop), and this action "
			      "does not look at those lines");
	else
		check_ok(checks, "courier.drop",
			 "courier drops listed connections itself (-drop), verify=\"%s\" allows "
			 "for it",
			 settings_word("verify", settings->verify));
}

static void check_tarpit(struct checks *checks, const struct settings *settings,
			 const struct blocking *blocking)
{
	if (settings->trigger != TRIGGER_DNSBL || blocking->drop)
		return;
	if (courierconf_number(checks->host->esmtpd, "TARPIT", 0) == 0)
		check_ok(checks, "courier.tarpit", "rejects are logged at once (TARPIT=0)");
	else if (settings->early && settings->verify != VERIFY_NONE)
		check_ok(checks, "courier.tarpit",
			 "rejects are logged 8 s late (TARPIT=1), but listed sessions end "
			 "before that (early=\"on\")");
	else
		check_warning(checks, "courier.tarpit",
			      settings->early ? "write TARPIT=0 into esmtpd" :
						"write early=\"on\" into the action, or TARPIT=0 "
						"into esmtpd",
			      "with TARPIT=1 a reject is logged 8 s late and later: a wave holds "
			      "its connections that long");
}

/* Clients can log lines of the info form through it, with the PID of their own smtpd. */
static void check_dialog(struct checks *checks, const struct settings *settings)
{
	bool count = settings->trigger == TRIGGER_AUTH || settings->trigger == TRIGGER_PROTOCOL;

	if (courierconf_number(checks->host->esmtpd, "ESMTP_LOG_DIALOG", 0) == 0)
		return;
	if (settings->verify == VERIFY_NONE && (count || settings->trigger == TRIGGER_CONNECT))
		check_broken(checks, "courier.dialog",
			     "write ESMTP_LOG_DIALOG=0 into esmtpd, or verify=\"child\" into the "
			     "action",
			     "clients can log any line (ESMTP_LOG_DIALOG=1), and with "
			     "verify=\"none\" have anybody blocked");
	else if (count && !host_knows_pids(checks->host))
		check_broken(checks, "courier.dialog",
			     "write ESMTP_LOG_DIALOG=0 into esmtpd, or  "
			     "SysSock.UsePIDFromSystem=\"on\"  where imuxsock is loaded",
			     "clients can log any line (ESMTP_LOG_DIALOG=1), and without the "
			     "sender's PID have any client that is connected blocked");
	else
		check_warning(checks, "courier.dialog", "write ESMTP_LOG_DIALOG=0 into esmtpd",
			      "clients can log any line (ESMTP_LOG_DIALOG=1), and fill the log in "
			      "a wave");
}

static void check_proxy_of(struct checks *checks, const struct settings *settings,
			   const struct slots_now *listener)
{
	const char *port = *listener->port ? listener->port : "?";
	const char *who = listener->proxy == TCPD_PROXY_ALL ? "" : "some ";

	if (listener->proxy_ignored)
		check_warning(checks, "courier.proxy",
			      "write -haproxy=15 into TCPDOPTS in esmtpd, and restart courier",
			      "courier ignores -haproxy without a value (port %s): it takes a "
			      "proxy for the client", port);
	else if (settings->block_behind_proxy)
		check_ok(checks, "courier.proxy",
			 "%sclients of port %s come through a proxy (-haproxy), and are blocked "
			 "here (blockBehindProxy)", who, port);
	else if (settings->event_ruleset[0])
		check_ok(checks, "courier.proxy",
			 "%sclients of port %s come through a proxy (-haproxy): their blocks are "
			 "left to it, %s can tell it", who, port, settings->event_ruleset);
	else
		check_warning(checks, "courier.proxy",
			      "write eventRuleset=\"...\" into the action to tell the proxy, see "
			      "\"Behind a proxy\" in omsmtpblock(5)",
			      "%sclients of port %s come through a proxy (-haproxy): they are not "
			      "blocked here, and nothing tells the proxy", who, port);
}

static void check_proxy(struct checks *checks, const struct settings *settings)
{
	const struct host *host = checks->host;
	struct slots_now listener;
	size_t i;

	for (i = 0; i < host->tcpd_count; i++) {
		slots_now_describe(host, host->tcpds[i].pid, &listener);
		if (listener.proxy != TCPD_PROXY_NONE || listener.proxy_ignored)
			check_proxy_of(checks, settings, &listener);
	}
}

void check_courier_action(struct checks *checks, const struct host_action *action)
{
	const struct settings *settings = &action->settings;
	struct blocking blocking;

	if (settings->input != INPUT_COURIER)
		return;
	if (settings->verify != VERIFY_NONE)
		check_user(checks, settings);
	check_proxy(checks, settings);
	if (!checks->host->esmtpd)
		return;
	read_blocking(checks->host, &blocking);
	if (wants_block(settings))
		check_blacklists(checks, &blocking);
	check_drop(checks, settings, &blocking);
	check_tarpit(checks, settings, &blocking);
	check_dialog(checks, settings);
}
