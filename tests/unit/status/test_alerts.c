/* Alerts for the admin: each once, until the fault is over.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "status/alerts.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/support.h"

static const struct alerts quiet;

static void no_alert_at_first(void **state)
{
	struct alerts n = quiet;
	enum alert id;
	int detail;

	(void)state;
	want_int(alerts_next(&n, &id, &detail), false);
}

static void raised_once_with_its_detail(void **state)
{
	struct alerts n = quiet;
	enum alert id = ALERT_COUNT;
	int detail = 0;

	(void)state;
	want_int(alerts_raise(&n, ALERT_LIST6, ENOENT), true);
	want_int(alerts_raise(&n, ALERT_LIST6, EACCES), false);
	want_int(alerts_next(&n, &id, &detail), true);
	want_int(id, ALERT_LIST6);
	want_int(detail, ENOENT);
	want_int(alerts_raise(&n, ALERT_LIST6, ENOENT), false);
	want_int(alerts_next(&n, &id, &detail), false);
}

static void each_condition_on_its_own(void **state)
{
	struct alerts n = quiet;
	enum alert first, second;
	int detail;

	(void)state;
	alerts_raise(&n, ALERT_SIGNAL, EPERM);
	alerts_raise(&n, ALERT_LIST4, ENOENT);
	want_int(alerts_next(&n, &first, &detail), true);
	want_int(alerts_next(&n, &second, &detail), true);
	want_int(first + second, ALERT_SIGNAL + ALERT_LIST4);
	want_int(alerts_next(&n, &first, &detail), false);
}

static void clear_returns_whether_it_was_raised(void **state)
{
	struct alerts n = quiet;
	enum alert id;
	int detail;

	(void)state;
	want_int(alerts_clear(&n, ALERT_LIST4), false);
	alerts_raise(&n, ALERT_LIST4, ENOENT);
	want_int(alerts_clear(&n, ALERT_LIST4), false);
	want_int(alerts_next(&n, &id, &detail), false);
	alerts_raise(&n, ALERT_LIST4, ENOENT);
	alerts_next(&n, &id, &detail);
	want_int(alerts_clear(&n, ALERT_LIST4), true);
	want_int(alerts_clear(&n, ALERT_LIST4), false);
}

static void comes_again_after_it_was_fixed(void **state)
{
	struct alerts n = quiet;
	enum alert id;
	int detail = 0;

	(void)state;
	alerts_raise(&n, ALERT_LIST4, ENOENT);
	alerts_next(&n, &id, &detail);
	alerts_clear(&n, ALERT_LIST4);
	want_int(alerts_raise(&n, ALERT_LIST4, EACCES), true);
	want_int(alerts_next(&n, &id, &detail), true);
	want_int(detail, EACCES);
}

static void comes_again_after_reset(void **state)
{
	struct alerts n = quiet;
	enum alert id;
	int detail;

	(void)state;
	alerts_raise(&n, ALERT_USER, 0);
	alerts_next(&n, &id, &detail);
	alerts_reset(&n);
	want_int(alerts_next(&n, &id, &detail), false);
	want_int(alerts_raise(&n, ALERT_USER, 0), true);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, no_alert_at_first);
	SUITE_TEST(suite, raised_once_with_its_detail);
	SUITE_TEST(suite, each_condition_on_its_own);
	SUITE_TEST(suite, clear_returns_whether_it_was_raised);
	SUITE_TEST(suite, comes_again_after_it_was_fixed);
	SUITE_TEST(suite, comes_again_after_reset);
	return suite_run(suite, "notices");
}
