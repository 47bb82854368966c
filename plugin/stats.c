/* An action's counters in impstats.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/stats.h"

#include <stdio.h>
#include <stdlib.h>

#include "rsyslog.h"
#include "module-template.h"
#include "obj.h"
#include "statsobj.h"

DEFobjCurrIf(obj)
DEFobjCurrIf(statsobj)

static bool have_statsobj;

struct stats {
	statsobj_t *object;
};

void stats_open(void)
{
	DEFiRet;

	if (objGetObjInterface(&obj) != RS_RET_OK)
		return;
	iRet = objUse(statsobj, CORE_COMPONENT);
	have_statsobj = iRet == RS_RET_OK;
	if (!have_statsobj)
		dbgprintf("omsmtpblock: another interface of statsobj, no counters\n");
}

void stats_close(void)
{
	if (have_statsobj)
		objRelease(statsobj, CORE_COMPONENT);
	have_statsobj = false;
}

/* The object only reads: nothing resets the engine's counters. */
static rsRetVal add(statsobj_t *object, const char *name,
		    const atomic_uint_least64_t *counter)
{
	return statsobj.AddCounter(object, (const uchar *)name, ctrType_IntCtr,
				   CTR_FLAG_NONE, (void *)(uintptr_t)counter);
}

static rsRetVal set_name(statsobj_t *object, const struct settings *settings)
{
	const char *name = settings->stats_name[0] ? settings->stats_name :
						     settings->list;
	DEFiRet;

	CHKiRet(statsobj.SetName(object, (uchar *)(uintptr_t)name));
	CHKiRet(statsobj.SetOrigin(object, (uchar *)(uintptr_t)"omsmtpblock"));
finalize_it:
	RETiRet;
}

static rsRetVal fill(statsobj_t *object, const struct engine *engine)
{
	const struct counters *counters = engine_counters(engine);
	unsigned int i;
	DEFiRet;

	CHKiRet(set_name(object, engine_settings(engine)));
	for (i = 0; i < COUNTER_COUNT; i++)
		CHKiRet(add(object, counters_name((enum counter)i),
			    &counters->values[i]));
	CHKiRet(statsobj.ConstructFinalize(object));
finalize_it:
	RETiRet;
}

struct stats *stats_new(const struct engine *engine)
{
	struct stats *s = have_statsobj ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	if (statsobj.Construct(&s->object) != RS_RET_OK ||
	    fill(s->object, engine) != RS_RET_OK) {
		stats_free(s);
		return NULL;
	}
	return s;
}

void stats_free(struct stats *stats)
{
	if (!stats)
		return;
	if (stats->object)
		statsobj.Destruct(&stats->object);
	free(stats);
}

void stats_add_zone(void *stats, const char *zone,
		    const atomic_uint_least64_t *saved)
{
	const struct stats *s = stats;
	char name[80];

	snprintf(name, sizeof(name), "saved.%s", zone);
	(void)add(s->object, name, saved);
}
