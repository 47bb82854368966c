/* The alerts that the code under test has raised.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_WANT_ALERT_H
#define TESTS_UNIT_WANT_ALERT_H

#include "status/alerts.h"
#include "tests/unit/support.h"

/* The next alert is this one, with this detail. */
static inline void want_alert(struct alerts *alerts, enum alert id, int detail)
{
	enum alert got_id = ALERT_COUNT;
	int got_detail = -1;

	want_int(alerts_next(alerts, &got_id, &got_detail), true);
	want_int(got_id, id);
	want_int(got_detail, detail);
}

static inline void want_no_alert(struct alerts *alerts)
{
	enum alert id = ALERT_COUNT;
	int detail;

	want_int(alerts_next(alerts, &id, &detail), false);
	want_int(id, ALERT_COUNT);
}

#endif
