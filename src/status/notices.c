/* What the admin has to be told: each thing once, until it is mended.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/notices.h"

enum {
	QUIET,
	RAISED,
	SAID,
};

bool notices_raise(struct notices *notices, enum notice id, int detail)
{
	struct notice_state *n = &notices->all[id];
	int quiet = QUIET;

	if (atomic_load_explicit(&n->state, memory_order_relaxed) != QUIET)
		return false;
	atomic_store(&n->detail, detail);
	return atomic_compare_exchange_strong(&n->state, &quiet, RAISED);
}

bool notices_clear(struct notices *notices, enum notice id)
{
	struct notice_state *n = &notices->all[id];

	if (atomic_load_explicit(&n->state, memory_order_relaxed) == QUIET)
		return false;
	return atomic_exchange(&n->state, QUIET) == SAID;
}

bool notices_next(struct notices *notices, enum notice *ret_id, int *ret_detail)
{
	unsigned int i;

	for (i = 0; i < NOTICE_COUNT; i++) {
		struct notice_state *n = &notices->all[i];
		int raised = RAISED;

		if (!atomic_compare_exchange_strong(&n->state, &raised, SAID))
			continue;
		*ret_id = (enum notice)i;
		*ret_detail = atomic_load(&n->detail);
		return true;
	}
	return false;
}

void notices_reset(struct notices *notices)
{
	unsigned int i;

	for (i = 0; i < NOTICE_COUNT; i++)
		atomic_store(&notices->all[i].state, QUIET);
}
