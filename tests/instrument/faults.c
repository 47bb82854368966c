/* One fault of each kind that an instrument must notice, in a module that is built only to prove
 * it: see tests/instrument/bites. Never in the installed module.
 *
 * The linker puts __wrap_engine_handle() in front of the engine's function, see ld(1). The
 * environment variable OMSMTPBLOCK_FAULT names the fault that it commits at every line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

struct engine_outcome __real_engine_handle(struct engine *engine, struct engine_worker *worker,
					   const struct engine_message *msg);
struct engine_outcome __wrap_engine_handle(struct engine *engine, struct engine_worker *worker,
					   const struct engine_message *msg);

/* volatile, so that the compiler cannot optimize the faults away. */
static char *volatile block;
static volatile int number;
static volatile unsigned int shared;

static void leak(void)
{
	block = malloc(64);
	block = NULL;
}

static void overflow(void)
{
	block = malloc(64);
	block[64] = 1;
	free(block);
}

static void use_after_free(void)
{
	block = malloc(64);
	free(block);
	number = block[0];
}

static void undefined(void)
{
	number = INT_MAX;
	number++;
}

static void race(void)
{
	shared++;
}

static const struct {
	const char *name;
	void (*commit)(void);
} faults[] = {
	{ "leak", leak },
	{ "overflow", overflow },
	{ "use_after_free", use_after_free },
	{ "undefined", undefined },
	{ "race", race },
};

struct engine_outcome __wrap_engine_handle(struct engine *engine, struct engine_worker *worker,
					   const struct engine_message *msg)
{
	const char *wanted = getenv("OMSMTPBLOCK_FAULT");
	size_t i;

	for (i = 0; wanted && i < sizeof(faults) / sizeof(faults[0]); i++)
		if (strcmp(wanted, faults[i].name) == 0)
			faults[i].commit();
	return __real_engine_handle(engine, worker, msg);
}
