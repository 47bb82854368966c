/* Parse a line of a log file: its header and where the message begins.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/syslog_line.h"

#include <string.h>
#include <syslog.h>

#include "courier/courierlog.h"
#include "lib/array.h"
#include "lib/cursor.h"

/* Longest tag; rsyslog cuts far below this. */
#define TAG_MAX 64
/* Longest host name, RFC 1035 2.3.4. */
#define HOST_MAX 255

static bool is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

static bool is_letter(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* Parses a number of exactly this many digits, whatever follows, between low and high. */
static bool take_value(struct cursor *c, unsigned int digits, int low, int high,
		       int *ret_value)
{
	size_t left = cursor_left(c);
	struct cursor tried = cursor_of(c->at, left < digits ? left : digits);
	int64_t n;

	if (!cursor_take_digits(&tried, digits, digits, &n) || n < low || n > high)
		return false;
	c->at = tried.at;
	*ret_value = (int)n;
	return true;
}

/* Parses one of the words and the character after it. Returns its index, or -1. */
static int take_word(struct cursor *c, const char *const *words, int count, char behind)
{
	struct cursor tried;
	int i;

	for (i = 0; i < count; i++) {
		tried = *c;
		if (cursor_take(&tried, words[i]) && cursor_take_char(&tried, behind)) {
			*c = tried;
			return i;
		}
	}
	return -1;
}

/* --- priority --- */

/* Parses <FACILITY * 8 + SEVERITY>, RFC 3164 4.1.1. */
static bool take_number_priority(struct cursor *c, struct syslog_line *line)
{
	struct cursor tried = *c;
	int64_t n;

	if (!cursor_take_char(&tried, '<') || !cursor_take_digits(&tried, 1, 3, &n) || n > 191 ||
	    !cursor_take_char(&tried, '>'))
		return false;
	*c = tried;
	line->severity = (int)(n & 7);
	return true;
}

/* Parses FACILITY.SEVERITY and the character behind it. */
static bool take_word_priority(struct cursor *c, char behind, struct syslog_line *line)
{
	static const char *const facilities[] = {
		"kern",	    "user",   "mail",	"daemon", "auth",   "syslog", "lpr",
		"news",	    "uucp",   "cron",	"authpriv", "ftp",  "local0", "local1",
		"local2",   "local3", "local4", "local5", "local6", "local7",
	};
	static const char *const severities[] = { "emerg",   "alert",  "crit", "err",
						  "warning", "notice", "info", "debug",
						  "warn" };
	struct cursor tried = *c;
	int severity;

	if (take_word(&tried, facilities, COUNT_OF(facilities),
		      '.') < 0)
		return false;
	severity = take_word(&tried, severities, 9, behind);
	if (severity < 0)
		return false;
	*c = tried;
	line->severity = severity < 8 ? severity : LOG_WARNING;
	return true;
}

/* Parses <FACILITY.SEVERITY>, in numbers or words, and a blank: FreeBSD's syslogd writes this
 * behind the time with -v or -vv. */
static void take_bsd_priority(struct cursor *c, struct syslog_line *line)
{
	struct cursor tried = *c, numbers;
	struct syslog_line found = *line;
	int64_t facility, severity;

	if (!cursor_take_char(&tried, '<'))
		return;
	numbers = tried;
	if (cursor_take_digits(&numbers, 1, 2, &facility) && cursor_take_char(&numbers, '.') &&
	    cursor_take_digits(&numbers, 1, 1, &severity) && severity <= 7 &&
	    cursor_take_char(&numbers, '>')) {
		found.severity = (int)severity;
		tried = numbers;
	} else if (!take_word_priority(&tried, '>', &found)) {
		return;
	}
	if (!cursor_take_char(&tried, ' '))
		return;
	*line = found;
	*c = tried;
}

/* --- time --- */

int64_t syslog_line_days(int year, int month, int day)
{
	/* The year begins in March here, so the leap day is its last day. */
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
	       719468;
}

static int64_t wall_seconds(const struct syslog_line_wall *w)
{
	return syslog_line_days(w->year, w->month, w->day) * 86400 + w->hour * 3600 +
	       w->minute * 60 + w->second;
}

/* Parses a dot and any number of digits. */
static bool take_fraction(struct cursor *c)
{
	const char *p = c->at + 1;

	if (!cursor_sees(c, '.') || p == c->end || !is_digit(*p))
		return false;
	while (p < c->end && is_digit(*p))
		p++;
	c->at = p;
	return true;
}

/* Parses HH:MM:SS and a fraction, which is ignored. */
static bool take_clock(struct cursor *c, struct syslog_line_wall *w)
{
	struct cursor tried = *c;

	if (!take_value(&tried, 2, 0, 23, &w->hour) || !cursor_take_char(&tried, ':') ||
	    !take_value(&tried, 2, 0, 59, &w->minute) || !cursor_take_char(&tried, ':') ||
	    !take_value(&tried, 2, 0, 60, &w->second))
		return false;
	*c = tried;
	take_fraction(c);
	return true;
}

/* Parses Nov 23 12:00:00; the day is padded with a blank or zero. */
static bool take_traditional(struct cursor *c, struct syslog_line *line)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct syslog_line_wall w = { .year = 0 };
	struct cursor tried = *c;

	w.month = take_word(&tried, months, 12, ' ') + 1;
	if (w.month == 0)
		return false;
	if (!take_value(&tried, 2, 1, 31, &w.day) &&
	    !(cursor_take_char(&tried, ' ') && take_value(&tried, 1, 1, 9, &w.day)))
		return false;
	if (!cursor_take_char(&tried, ' ') || !take_clock(&tried, &w))
		return false;
	*c = tried;
	line->stamp = SYSLOG_LINE_WALL;
	line->wall = w;
	return true;
}

/* Parses Z, +01:00, +0100 or +01. */
static bool take_zone(struct cursor *c, int *ret_offset)
{
	struct cursor tried = *c;
	int hours, minutes = 0, sign = 1;

	*ret_offset = 0;
	if (cursor_take_char(c, 'Z'))
		return true;
	if (cursor_take_char(&tried, '-'))
		sign = -1;
	else if (!cursor_take_char(&tried, '+'))
		return false;
	if (!take_value(&tried, 2, 0, 23, &hours))
		return false;
	*c = tried;
	cursor_take_char(&tried, ':');
	if (take_value(&tried, 2, 0, 59, &minutes))
		*c = tried;
	*ret_offset = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* Parses RFC 3339, 5.6; a blank may replace the T. */
static bool take_iso(struct cursor *c, struct syslog_line *line)
{
	struct syslog_line_wall w = { .year = 0 };
	struct cursor tried = *c;
	int offset;

	if (!take_value(&tried, 4, 1, 9999, &w.year) || !cursor_take_char(&tried, '-') ||
	    !take_value(&tried, 2, 1, 12, &w.month) || !cursor_take_char(&tried, '-') ||
	    !take_value(&tried, 2, 1, 31, &w.day))
		return false;
	if (!cursor_take_char(&tried, 'T') && !cursor_take_char(&tried, ' '))
		return false;
	if (!take_clock(&tried, &w))
		return false;
	line->stamp = SYSLOG_LINE_WALL;
	line->wall = w;
	if (take_zone(&tried, &offset)) {
		line->stamp = SYSLOG_LINE_EPOCH;
		line->epoch = wall_seconds(&w) - offset;
	}
	*c = tried;
	return true;
}

/* Parses seconds since the epoch with a fraction. */
static bool take_unix(struct cursor *c, struct syslog_line *line)
{
	struct cursor tried = *c;
	int64_t n;

	if (!cursor_take_digits(&tried, 9, 10, &n) || !take_fraction(&tried))
		return false;
	*c = tried;
	line->stamp = SYSLOG_LINE_EPOCH;
	line->epoch = n;
	return true;
}

/* A time ends with a blank. */
static bool take_stamp(struct cursor *c, struct syslog_line *line)
{
	const struct syslog_line before = *line;
	struct cursor tried = *c;

	if ((take_traditional(&tried, line) || take_iso(&tried, line) ||
	     take_unix(&tried, line)) &&
	    cursor_take_char(&tried, ' ')) {
		*c = tried;
		return true;
	}
	*line = before;
	return false;
}

/* --- host and tag --- */

static bool is_tag_char(char ch)
{
	return is_digit(ch) || is_letter(ch) || (ch != '\0' && strchr("_.-/@()", ch));
}

static bool is_host_char(char ch)
{
	return is_digit(ch) || is_letter(ch) || (ch != '\0' && strchr("_.-:[]%@/", ch));
}

/* Parses up to max characters of a kind. Returns their number; 0: none, or more than max. */
static size_t take_chars(struct cursor *c, bool (*is_one)(char), size_t max)
{
	size_t n = 0;

	while (n < cursor_left(c) && is_one(c->at[n]))
		if (++n > max)
			return 0;
	c->at += n;
	return n;
}

static void take_pid(struct cursor *c, pid_t *ret_pid)
{
	struct cursor tried = *c;
	int64_t n;

	if (cursor_take_char(&tried, '[') && cursor_take_digits(&tried, 1, 10, &n) &&
	    cursor_take_char(&tried, ']') && n <= INT32_MAX) {
		*c = tried;
		*ret_pid = (pid_t)n;
	}
}

/* Parses TAG[PID]: and a blank or the end. */
static bool take_tag(struct cursor *c, struct syslog_line *line)
{
	struct cursor tried = *c;
	size_t len = take_chars(&tried, is_tag_char, TAG_MAX);
	pid_t pid = 0;

	if (len == 0)
		return false;
	take_pid(&tried, &pid);
	if (!cursor_take_char(&tried, ':') || (!cursor_at_end(&tried) && *tried.at != ' '))
		return false;
	line->tag = c->at;
	line->tag_len = len;
	line->pid = pid;
	*c = tried;
	return true;
}

/* Parses a host's name or address, and a blank. syslog-ng writes SOURCE@HOST or HOST/HOST
 * (chain_hostnames). */
static bool take_host(struct cursor *c)
{
	struct cursor tried = *c;

	if (take_chars(&tried, is_host_char, HOST_MAX) == 0 || !cursor_take_char(&tried, ' '))
		return false;
	*c = tried;
	return true;
}

/* --- RFC 5424 --- */

/* Parses a word of printable characters and a blank; "-" stands for none. */
static bool take_field(struct cursor *c, size_t max, const char **ret_at, size_t *ret_len)
{
	size_t n = 0;

	while (n < cursor_left(c) && c->at[n] > ' ' && c->at[n] != '\x7f' && n <= max)
		n++;
	if (n == 0 || n > max || n == cursor_left(c) || c->at[n] != ' ')
		return false;
	*ret_at = n == 1 && *c->at == '-' ? NULL : c->at;
	*ret_len = *ret_at ? n : 0;
	c->at += n + 1;
	return true;
}

/* Parses one [..] of structured data; it ends at the first ] outside of quotes. */
static bool take_element(struct cursor *c)
{
	struct cursor tried = *c;
	bool quoted = false;

	if (!cursor_take_char(&tried, '['))
		return false;
	for (; !cursor_at_end(&tried); tried.at++) {
		if (*tried.at == '\\' && quoted && cursor_left(&tried) > 1)
			tried.at++;
		else if (*tried.at == '"')
			quoted = !quoted;
		else if (*tried.at == ']' && !quoted) {
			c->at = tried.at + 1;
			return true;
		}
	}
	return false;
}

static bool take_structured_data(struct cursor *c)
{
	bool any = cursor_take_char(c, '-');

	if (!any)
		while (take_element(c))
			any = true;
	return any && (cursor_at_end(c) || cursor_take_char(c, ' '));
}

static pid_t to_pid(const char *text, size_t len)
{
	struct cursor c = { .at = text };
	int64_t n;

	if (!text)
		return 0;
	c.end = text + len;
	if (!cursor_take_digits(&c, 1, 10, &n) || !cursor_at_end(&c) || n > INT32_MAX)
		return 0;
	return (pid_t)n;
}

/* Parses what follows <PRI>: 1 TIME HOST APP PROCID MSGID STRUCTURED-DATA MESSAGE. */
static bool take_rfc5424(struct cursor *c, struct syslog_line *line)
{
	struct cursor tried = *c;
	struct syslog_line found = *line;
	const char *word;
	size_t len;

	if (!cursor_take(&tried, "1 "))
		return false;
	if (!cursor_take(&tried, "- ") && !take_stamp(&tried, &found))
		return false;
	if (!take_field(&tried, 255, &word, &len) ||
	    !take_field(&tried, 48, &found.tag, &found.tag_len) ||
	    !take_field(&tried, 128, &word, &len))
		return false;
	found.pid = to_pid(word, len);
	if (!take_field(&tried, 32, &word, &len) || !take_structured_data(&tried))
		return false;
	*line = found;
	*c = tried;
	return true;
}

/* --- the whole line --- */

static void take_header(struct cursor *c, struct syslog_line *line)
{
	bool numbered = take_number_priority(c, line);

	if (numbered && take_rfc5424(c, line))
		return;
	if (!numbered)
		take_word_priority(c, ' ', line);
	if (!take_stamp(c, line)) {
		take_tag(c, line);
		return;
	}
	take_bsd_priority(c, line);
	if (!take_tag(c, line) && take_host(c))
		take_tag(c, line);
}

void syslog_line_parse(const char *line, size_t len, struct syslog_line *ret_line)
{
	struct cursor c = cursor_of(line, len);

	if (!cursor_at_end(&c) && c.end[-1] == '\n')
		c.end--;
	if (!cursor_at_end(&c) && c.end[-1] == '\r')
		c.end--;
	*ret_line = (struct syslog_line){ .severity = COURIERLOG_SEVERITY_ANY };
	take_header(&c, ret_line);
	ret_line->text = c.at;
	ret_line->text_len = cursor_left(&c);
}

bool syslog_line_time(const char *text, size_t len, int64_t *ret_epoch)
{
	struct cursor c = cursor_of(text, len);
	struct syslog_line line = { .stamp = SYSLOG_LINE_NO_STAMP };

	if (!take_iso(&c, &line) || line.stamp != SYSLOG_LINE_EPOCH || !cursor_at_end(&c))
		return false;
	*ret_epoch = line.epoch;
	return true;
}
