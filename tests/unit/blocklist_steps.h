/* Steps of scripts about a blocklist (scene.h). Times are in ms.
 *
 *	run T [NEXT]		the next run is wanted at NEXT, or never
 *	writes_until T		the next run's writes take until then
 *	check T			blocklist_check()
 *	has ADDR T		1: it was blocked before
 *	many N T		block N other addresses, none at once
 *	alert NAME DETAIL	the next alert: list4, list4_back, overflow4, or of IPv6
 *	no_alert
 *	unblock NET T [on LIST] [of BACKEND]
 *	count NAME		a counter
 *
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_BLOCKLIST_STEPS_H
#define TESTS_UNIT_BLOCKLIST_STEPS_H

#include <stdlib.h>
#include <string.h>

#include "blocklist/blocklist.h"
#include "tests/unit/scene.h"
#include "tests/unit/want_alert.h"

/* Of each script. */
static struct blocklist *blocklist;
static struct settings settings;
static struct counters counters;
static struct alerts alerts;

/* The time at which blocklist.c sees the end of a write. */
static int64_t written_at;
int64_t __wrap_clock_ms(void);

int64_t __wrap_clock_ms(void)
{
	return written_at;
}

static struct addr addr_of(const char *text)
{
	struct addr addr;

	want_int(addr_parse(text, strlen(text), &addr), 0);
	return addr;
}

/* 10.X.Y.Z. */
static struct addr numbered(unsigned int n)
{
	return (struct addr){ .family = ADDR_IPV4,
			      .bytes = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8),
					 (uint8_t)n } };
}

/* "ADDR T [STATE]". */
static int add_block(char **args, bool at_once)
{
	static const char *const states[] = {
		[BLOCK_ADDED] = "added",
		[BLOCK_RENEWED] = "renewed",
		[BLOCK_WAITING] = "waits",
		[BLOCK_QUEUED] = "queued",
	};
	const struct addr addr = addr_of(args[0]);
	const enum block_state state = blocklist_add(blocklist, &counters, &addr,
						     atoi(args[1]), at_once);

	if (args[2])
		want_str(states[state], args[2]);
	return 0;
}

static int want_counted(char **args)
{
	char text[COUNTERS_FORMAT_SIZE];

	return scene_want_words(counters_format(&counters, text, sizeof(text)), args);
}

static bool was_blocked(const char *text, int64_t now)
{
	const struct addr addr = addr_of(text);

	return blocklist_has(blocklist, &addr, now);
}

VERB_IS(has, was_blocked(args[0], atoi(args[1])))
VERB_DO(check, blocklist_check(blocklist, atoi(args[0])))

static int64_t run_at(int64_t now)
{
	if (written_at < now)
		written_at = now;
	return blocklist_run(blocklist, now);
}

VERB_DO(writes_until, written_at = atoi(args[0]))

VERB(run)
{
	const int64_t next = run_at(atoi(args[0]));

	if (args[1])
		want_int(next, strcmp(args[1], "never") == 0 ? INT64_MAX : atoi(args[1]));
	return 0;
}

VERB(many)
{
	struct addr addr;
	unsigned int i;

	for (i = 0; i < (unsigned int)atoi(args[0]); i++) {
		addr = numbered(i);
		blocklist_add(blocklist, &counters, &addr, atoi(args[1]), false);
	}
	return 0;
}

VERB(alert)
{
	static const struct {
		const char *name;
		enum alert id;
	} names[] = {
		{ "list4", ALERT_LIST4 },
		{ "list6", ALERT_LIST6 },
		{ "list4_back", ALERT_LIST4_BACK },
		{ "list6_back", ALERT_LIST6_BACK },
		{ "overflow4", ALERT_OVERFLOW4 },
		{ "overflow6", ALERT_OVERFLOW6 },
	};
	size_t i = 0;

	while (strcmp(names[i].name, args[0]) != 0)
		want_int(++i < COUNT_OF(names), true);
	want_alert(&alerts, names[i].id, scene_number(args[1]));
	return 0;
}

VERB_DO(no_alert, want_no_alert(&alerts))

VERB(unblock)
{
	struct unblock unblock = { .at = atoi(args[1]) };
	int family;

	want_int(cidr_parse(args[0], strlen(args[0]), &unblock.net), 0);
	family = unblock.net.net.family;
	strcpy(unblock.backend, scene_option(args, "of", BACKEND_NAME));
	strcpy(unblock.list, scene_option(args, "on", settings_list(&settings, family)));
	blocklist_unblock(blocklist, &unblock);
	return 0;
}

VERB(count)
{
	unsigned int i = 0;

	while (strcmp(counters_name((enum counter)i), args[0]) != 0)
		want_int(++i < COUNTER_COUNT, true);
	return (int)counters_get(&counters, (enum counter)i);
}

#endif
