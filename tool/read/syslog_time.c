/* The times of the lines of a log.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/syslog_time.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR 3600
#define DAY 86400
/* Lines may be out of order by this many seconds: loggers and their threads swap lines. */
#define TOLERANCE 60

void syslog_time_init(struct syslog_time *clock, int64_t now)
{
	memset(clock, 0, sizeof(*clock));
	clock->today = now;
}

static bool same_hour(const struct syslog_line_wall *a, const struct syslog_line_wall *b)
{
	return a->year == b->year && a->month == b->month && a->day == b->day &&
	       a->hour == b->hour;
}

static time_t make_time(const struct syslog_line_wall *w, int dst)
{
	struct tm tm = {
		.tm_year = w->year - 1900,
		.tm_mon = w->month - 1,
		.tm_mday = w->day,
		.tm_hour = w->hour,
		.tm_isdst = dst,
	};

	return mktime(&tm);
}

/* Looking up the zone is slow, so it is done once per hour of the log. */
static void look_up_hour(struct syslog_time *c, const struct syslog_line_wall *w)
{
	time_t start = make_time(w, -1), later;
	struct tm tm;

	/* If the hour exists twice, take the first one, in summer time. */
	if (localtime_r(&start, &tm) && tm.tm_isdst == 0) {
		later = start - HOUR;
		if (localtime_r(&later, &tm) && tm.tm_hour == w->hour)
			start = later;
	}
	later = start + HOUR;
	c->hour_twice = localtime_r(&later, &tm) && tm.tm_hour == w->hour;
	c->hour_starts = start;
	c->hour = *w;
}

static int64_t in_local_time(struct syslog_time *c, const struct syslog_line_wall *w)
{
	int64_t time;

	if (!same_hour(&c->hour, w))
		look_up_hour(c, w);
	time = c->hour_starts + w->minute * 60 + w->second;
	if (c->hour_twice && c->started && time < c->last - TOLERANCE)
		time += HOUR;
	return time;
}

/* The year in which the day is nearest to that time. */
static int nearest_year(const struct syslog_line_wall *w, int64_t time)
{
	int year = (int)(1970 + time / (365 * DAY + DAY / 4)), best = year, tried;
	int64_t gap, best_gap = INT64_MAX;

	for (tried = year - 1; tried <= year + 1; tried++) {
		gap = llabs(syslog_line_days(tried, w->month, w->day) * DAY + w->hour * HOUR -
			    time);
		if (gap < best_gap) {
			best = tried;
			best_gap = gap;
		}
	}
	return best;
}

static int guess_year(const struct syslog_time *c, const struct syslog_line_wall *w)
{
	int year;

	if (c->started)
		return nearest_year(w, c->last);
	year = nearest_year(w, c->today);
	return syslog_line_days(year, w->month, w->day) * DAY > c->today + DAY ? year - 1
									       : year;
}

bool syslog_time_read(struct syslog_time *clock, const struct syslog_line *line,
		      int64_t *ret_time)
{
	struct syslog_line_wall wall = line->wall;
	int64_t time;

	if (line->stamp == SYSLOG_LINE_NO_STAMP)
		return false;
	if (wall.year == 0)
		wall.year = guess_year(clock, &wall);
	time = line->stamp == SYSLOG_LINE_EPOCH ? line->epoch : in_local_time(clock, &wall);
	if (clock->started && time < clock->last - TOLERANCE)
		clock->late++;
	if (!clock->started || time > clock->last)
		clock->last = time;
	clock->started = true;
	*ret_time = clock->last;
	return true;
}

/* Local time at that time; the epoch if it is out of range. */
static struct tm local_time(int64_t time)
{
	time_t seconds = (time_t)time;
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		return tm;
	return (struct tm){ .tm_mday = 1, .tm_year = 70 };
}

const char *syslog_time_format(int64_t time, char text[static SYSLOG_TIME_TEXT_SIZE])
{
	const struct tm tm = local_time(time);

	strftime(text, SYSLOG_TIME_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
	return text;
}

/* strftime(3) can write the zone only as +0100. */
const char *syslog_time_format_iso(int64_t time, char text[static SYSLOG_TIME_TEXT_SIZE])
{
	const struct tm tm = local_time(time);
	size_t len = strftime(text, SYSLOG_TIME_TEXT_SIZE - 1, "%Y-%m-%dT%H:%M:%S%z", &tm);

	if (len > 5) {
		memmove(text + len - 1, text + len - 2, 3);
		text[len - 2] = ':';
	}
	return text;
}

const char *syslog_time_format_tick(int64_t time, int64_t step,
				    char text[static SYSLOG_TIME_TEXT_SIZE])
{
	const struct tm tm = local_time(time);

	if (step >= DAY)
		strftime(text, SYSLOG_TIME_TEXT_SIZE, "%m-%d", &tm);
	else if (step >= 60)
		strftime(text, SYSLOG_TIME_TEXT_SIZE, "%H:%M", &tm);
	else
		strftime(text, SYSLOG_TIME_TEXT_SIZE, "%H:%M:%S", &tm);
	return text;
}

int64_t syslog_time_offset(int64_t time)
{
	return local_time(time).tm_gmtoff;
}
