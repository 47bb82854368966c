/* Alerts for the admin, each logged once until it is fixed.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/alerts.h"

enum {
	QUIET,
	RAISED,
	LOGGED,
};

bool alerts_raise(struct alerts *alerts, enum alert id, int detail)
{
	struct alert_state *n = &alerts->all[id];
	int quiet = QUIET;

	if (atomic_load_explicit(&n->state, memory_order_relaxed) != QUIET)
		return false;
	atomic_store(&n->detail, detail);
	return atomic_compare_exchange_strong(&n->state, &quiet, RAISED);
}

bool alerts_clear(struct alerts *alerts, enum alert id)
{
	struct alert_state *n = &alerts->all[id];

	if (atomic_load_explicit(&n->state, memory_order_relaxed) == QUIET)
		return false;
	return atomic_exchange(&n->state, QUIET) == LOGGED;
}

bool alerts_next(struct alerts *alerts, enum alert *ret_id, int *ret_detail)
{
	unsigned int i;

	for (i = 0; i < ALERT_COUNT; i++) {
		struct alert_state *n = &alerts->all[i];
		int raised = RAISED;

		if (!atomic_compare_exchange_strong(&n->state, &raised, LOGGED))
			continue;
		*ret_id = (enum alert)i;
		*ret_detail = atomic_load(&n->detail);
		return true;
	}
	return false;
}

void alerts_reset(struct alerts *alerts)
{
	unsigned int i;

	for (i = 0; i < ALERT_COUNT; i++)
		atomic_store(&alerts->all[i].state, QUIET);
}
