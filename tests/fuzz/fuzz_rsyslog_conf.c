/* rsyslog's configuration, as smtpblockctl reads it: any text. Files that it includes are left to
 * the tests: they would be the machine's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/array.h"
#include "tool/read/rsyslog_conf.h"
#include "tool/read/rsyslog_filter.h"

static const struct specimen specimens[] = {
	{ .facility = 2, .severity = 3, .program = "courieresmtpd", .message = "error,relay=" },
	{ .facility = 2, .severity = 6, .program = "courieresmtpd", .message = "started,ip=" },
};

static bool includes(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i + 7 <= len; i++)
		if (strncasecmp(text + i, "include", 7) == 0)
			return true;
	return false;
}

static void check_filter(const struct rsyslog_conf_filter *filter)
{
	size_t i;

	for (i = 0; i < COUNT_OF(specimens); i++) {
		enum answer answer = rsyslog_filter_passes(filter, &specimens[i]);

		FUZZ_CHECK(answer >= ANSWER_NO && answer <= ANSWER_YES);
	}
	FUZZ_CHECK(!filter || filter->text);
}

static void check_settings(const struct rsyslog_conf_item *item)
{
	char wrong[RSYSLOG_CONF_ERROR_SIZE] = "";
	struct settings settings;
	int r = rsyslog_conf_settings(item, &settings, wrong);

	FUZZ_CHECK(memchr(wrong, '\0', sizeof(wrong)));
	if (r == 0)
		settings_done(&settings);
	else
		FUZZ_CHECK(wrong[0]);
}

static void check_item(const struct rsyslog_conf_item *item, size_t len)
{
	char file[256];
	size_t i;

	FUZZ_CHECK(item->name && item->text && item->ruleset && item->file);
	FUZZ_CHECK(item->line >= 1 && item->line <= len + 1);
	for (i = 0; i < item->count; i++)
		FUZZ_CHECK(rsyslog_conf_value(item, item->params[i].name));
	if (rsyslog_conf_file(item, file, sizeof(file)))
		FUZZ_CHECK(memchr(file, '\0', sizeof(file)));
	(void)rsyslog_conf_called(item);
	check_filter(item->filter);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size);
	const struct rsyslog_conf_item *item;
	struct rsyslog_conf *conf;
	size_t i, from = 0;

	if (!includes(text, size)) {
		FUZZ_CHECK(rsyslog_conf_read_text(text, size, "text", &conf) == 0);
		for (i = 0; i < rsyslog_conf_count(conf); i++)
			check_item(rsyslog_conf_at(conf, i), size);
		for (i = 0; rsyslog_conf_problem(conf, i); i++)
			FUZZ_CHECK(strncmp(rsyslog_conf_problem(conf, i), "text", 4) == 0);
		while ((item = rsyslog_conf_next(conf, RSYSLOG_CONF_ACTION, "omsmtpblock", &from)))
			check_settings(item);
		rsyslog_conf_free(conf);
	}
	free(text);
	return 0;
}
