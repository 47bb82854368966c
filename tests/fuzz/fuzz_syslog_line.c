/* Lines of log files: any text, and any text after a header.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "courier/courierlog.h"
#include "tool/read/syslog_line.h"
#include "tool/read/syslog_time.h"

static void check_wall(const struct syslog_line_wall *w)
{
	FUZZ_CHECK(w->year >= 0 && w->year <= 9999);
	FUZZ_CHECK(w->month >= 1 && w->month <= 12 && w->day >= 1 && w->day <= 31);
	FUZZ_CHECK(w->hour >= 0 && w->hour <= 23 && w->minute >= 0 && w->minute <= 59);
	FUZZ_CHECK(w->second >= 0 && w->second <= 60);
}

/* The message ends where the line ends; the tag is before it. */
static void check_line(const struct syslog_line *l, const char *line, size_t len)
{
	const char *end = l->text + l->text_len;

	FUZZ_CHECK(l->text >= line && end <= line + len);
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	FUZZ_CHECK(end >= line + len);
	FUZZ_CHECK(l->severity >= COURIERLOG_SEVERITY_ANY && l->severity <= 7);
	FUZZ_CHECK(l->pid >= 0);
	FUZZ_CHECK((l->tag == NULL) == (l->tag_len == 0));
	if (l->tag)
		FUZZ_CHECK(l->tag >= line && l->tag + l->tag_len <= l->text);
	if (l->stamp == SYSLOG_LINE_WALL)
		check_wall(&l->wall);
}

/* Times do not go back, whatever the lines say. */
static void check_times(const struct syslog_line *first, const struct syslog_line *second)
{
	struct syslog_time clock;
	int64_t a, b;

	syslog_time_init(&clock, 1700000000);
	FUZZ_CHECK(syslog_time_read(&clock, first, &a) ==
		   (first->stamp != SYSLOG_LINE_NO_STAMP));
	if (!syslog_time_read(&clock, second, &b))
		FUZZ_CHECK(second->stamp == SYSLOG_LINE_NO_STAMP);
	else if (first->stamp != SYSLOG_LINE_NO_STAMP)
		FUZZ_CHECK(b >= a);
}

/* All that follows a header is the message, even if it looks like another header. */
static void check_behind(const char *header, int severity, const char *text, size_t len)
{
	size_t skip = strlen(header);
	char *line = malloc(skip + len + 1);
	struct syslog_line found;

	FUZZ_CHECK(line);
	memcpy(line, header, skip);
	memcpy(line + skip, text, len);
	syslog_line_parse(line, skip + len, &found);
	check_line(&found, line, skip + len);
	FUZZ_CHECK(found.severity == severity && found.pid == 7);
	FUZZ_CHECK(found.tag_len == 13 && memcmp(found.tag, "courieresmtpd", 13) == 0);
	/* The blank may be the header's or the message's. */
	FUZZ_CHECK(found.text == line + skip || found.text + 1 == line + skip);
	free(line);
}

static void check_headers(const char *text, size_t len)
{
	check_behind("Nov 23 12:00:00 mx courieresmtpd[7]: ", COURIERLOG_SEVERITY_ANY, text, len);
	check_behind("<19>Nov  3 12:00:00 courieresmtpd[7]: ", 3, text, len);
	check_behind("<22>1 - mx courieresmtpd 7 - [a b=\"\\\"]\"] ", 6, text, len);
	check_behind("mail.err courieresmtpd[7]: ", 3, text, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = fuzz_copy(data, size);
	struct syslog_line found, shorter;

	syslog_line_parse(line, size, &found);
	check_line(&found, line, size);
	syslog_line_parse(line, size / 2, &shorter);
	check_line(&shorter, line, size / 2);
	check_times(&found, &shorter);
	check_times(&shorter, &found);
	check_headers(line, size);
	free(line);
	return 0;
}
