/* Alerts for the admin: each once, until the fault is over.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/alerts.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/support.h"

static const struct alerts quiet;

TEST(no_alert_at_first)
{
	struct alerts n = quiet;
	enum alert id;
	int detail;

	want_int(alerts_next(&n, &id, &detail), false);
}

TEST(raised_once_with_its_detail)
{
	struct alerts n = quiet;
	enum alert id = ALERT_COUNT;
	int detail = 0;

	want_int(alerts_raise(&n, ALERT_LIST6, ENOENT), true);
	want_int(alerts_raise(&n, ALERT_LIST6, EACCES), false);
	want_int(alerts_next(&n, &id, &detail), true);
	want_int(id, ALERT_LIST6);
	want_int(detail, ENOENT);
	want_int(alerts_raise(&n, ALERT_LIST6, ENOENT), false);
	want_int(alerts_next(&n, &id, &detail), false);
}

TEST(each_condition_on_its_own)
{
	struct alerts n = quiet;
	enum alert first, second;
	int detail;

	alerts_raise(&n, ALERT_SIGNAL, EPERM);
	alerts_raise(&n, ALERT_LIST4, ENOENT);
	want_int(alerts_next(&n, &first, &detail), true);
	want_int(alerts_next(&n, &second, &detail), true);
	want_int(first + second, ALERT_SIGNAL + ALERT_LIST4);
	want_int(alerts_next(&n, &first, &detail), false);
}

TEST(clear_returns_whether_it_was_raised)
{
	struct alerts n = quiet;
	enum alert id;
	int detail;

	want_int(alerts_clear(&n, ALERT_LIST4), false);
	alerts_raise(&n, ALERT_LIST4, ENOENT);
	want_int(alerts_clear(&n, ALERT_LIST4), false);
	want_int(alerts_next(&n, &id, &detail), false);
	alerts_raise(&n, ALERT_LIST4, ENOENT);
	alerts_next(&n, &id, &detail);
	want_int(alerts_clear(&n, ALERT_LIST4), true);
	want_int(alerts_clear(&n, ALERT_LIST4), false);
}

TEST(comes_again_after_it_was_fixed)
{
	struct alerts n = quiet;
	enum alert id;
	int detail = 0;

	alerts_raise(&n, ALERT_LIST4, ENOENT);
	alerts_next(&n, &id, &detail);
	alerts_clear(&n, ALERT_LIST4);
	want_int(alerts_raise(&n, ALERT_LIST4, EACCES), true);
	want_int(alerts_next(&n, &id, &detail), true);
	want_int(detail, EACCES);
}

TEST(comes_again_after_reset)
{
	struct alerts n = quiet;
	enum alert id;
	int detail;

	alerts_raise(&n, ALERT_USER, 0);
	alerts_next(&n, &id, &detail);
	alerts_reset(&n);
	want_int(alerts_next(&n, &id, &detail), false);
	want_int(alerts_raise(&n, ALERT_USER, 0), true);
}
