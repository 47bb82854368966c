/* Alerts for the admin: each once, until the fault is over.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "tests/unit/want_alert.h"

static struct alerts n;

static void before(void)
{
	n = (struct alerts){ 0 };
}

TEST_EACH(before, NULL)

TEST(raised_once_with_its_detail)
{
	want_no_alert(&n);
	want_int(alerts_raise(&n, ALERT_LIST6, ENOENT), true);
	want_int(alerts_raise(&n, ALERT_LIST6, EACCES), false);
	want_alert(&n, ALERT_LIST6, ENOENT);
	want_int(alerts_raise(&n, ALERT_LIST6, ENOENT), false);
	want_no_alert(&n);
}

TEST(each_condition_on_its_own)
{
	alerts_raise(&n, ALERT_SIGNAL, EPERM);
	alerts_raise(&n, ALERT_LIST4, ENOENT);
	want_alert(&n, ALERT_LIST4, ENOENT);
	want_alert(&n, ALERT_SIGNAL, EPERM);
	want_no_alert(&n);
}

/* It returns whether the alert was reported; the alert comes again afterwards. */
TEST(cleared)
{
	want_int(alerts_clear(&n, ALERT_LIST4), false);
	alerts_raise(&n, ALERT_LIST4, ENOENT);
	want_int(alerts_clear(&n, ALERT_LIST4), false);
	want_no_alert(&n);
	alerts_raise(&n, ALERT_LIST4, ENOENT);
	want_alert(&n, ALERT_LIST4, ENOENT);
	want_int(alerts_clear(&n, ALERT_LIST4), true);
	want_int(alerts_clear(&n, ALERT_LIST4), false);
	want_int(alerts_raise(&n, ALERT_LIST4, EACCES), true);
	want_alert(&n, ALERT_LIST4, EACCES);
}

TEST(comes_again_after_reset)
{
	alerts_raise(&n, ALERT_USER, 0);
	want_alert(&n, ALERT_USER, 0);
	alerts_reset(&n);
	want_no_alert(&n);
	want_int(alerts_raise(&n, ALERT_USER, 0), true);
}
