/* Print the results of a replay, for people or as JSON.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/replay/report.h"

#include <errno.h>
#include <stdlib.h>

#include "tool/read/syslog_time.h"
#include "tool/replay/chart.h"

/* One row of the table of hosts: an address or a prefix. */
struct row {
	struct cidr target;
	const struct simulate_host *host;
};

static struct chart picture_of(const struct report *r)
{
	const struct timeline *timeline = simulation_slots(r->simulation);

	return (struct chart){ .curve = timeline_curve(timeline),
				 .limit = r->limit,
				 .peak = timeline_peak(timeline, COURSE_WITHOUT) };
}

static uint32_t peak(const struct report *r, enum course course)
{
	uint32_t taken = timeline_peak(simulation_slots(r->simulation), course);

	return r->limit && taken > r->limit ? r->limit : taken;
}

static int64_t seconds_full(const struct report *r, enum course course)
{
	return timeline_seconds(simulation_slots(r->simulation), course, r->limit);
}

static uint64_t slot_time(const struct report *r, enum course course)
{
	return timeline_time(simulation_slots(r->simulation), course,
			     r->limit ? r->limit : TIMELINE_MAX);
}

/* Seconds with more slots in use than exist: the model was wrong there. */
static int64_t seconds_beyond(const struct report *r)
{
	return r->limit ? timeline_seconds(simulation_slots(r->simulation), COURSE_WITHOUT,
					   r->limit + 1)
			: 0;
}

/* --- addresses --- */

static int compare_slot_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int64_t tx = x->host->slot_time[COURSE_WITHOUT], ty = y->host->slot_time[COURSE_WITHOUT];

	if (tx != ty)
		return tx < ty ? 1 : -1;
	return addr_compare(&x->target.net, &y->target.net);
}

static int compare_block(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->host->first_block != y->host->first_block)
		return x->host->first_block < y->host->first_block ? -1 : 1;
	return addr_compare(&x->target.net, &y->target.net);
}

/* Collect all hosts, or only the blocked ones. The caller frees *ret_rows. */
static int collect(const struct report *r, bool blocked, struct row **ret_rows,
		   size_t *ret_count)
{
	const struct lru *hosts = simulation_hosts(r->simulation);
	const struct settings *settings = simulation_settings(r->simulation);
	const struct simulate_host *host;
	const void *key;
	struct row *rows = calloc(lru_count(hosts) + 1UL, sizeof(*rows));
	size_t count = 0;
	uint32_t i;

	if (!rows)
		return -ENOMEM;
	for (i = 0; i < lru_count(hosts); i++) {
		host = lru_at(hosts, i, &key);
		if (blocked && host->blocks == 0)
			continue;
		rows[count].target.net = *(const struct addr *)key;
		rows[count].target.prefix = (uint8_t)settings_prefix(settings, key);
		rows[count++].host = host;
	}
	qsort(rows, count, sizeof(*rows), blocked ? compare_block : compare_slot_time);
	*ret_rows = rows;
	*ret_count = count;
	return 0;
}

/* Format an address, or the prefix if prefixes are blocked. */
static const char *name_of(const struct row *row, char text[static CIDR_TEXT_SIZE])
{
	if (row->target.prefix == addr_bits(&row->target.net))
		return addr_format(&row->target.net, text);
	return cidr_format(&row->target, text);
}

/* --- text --- */

static void print_head(FILE *out, const struct report *r)
{
	const struct simulate_totals *t = simulation_totals(r->simulation);
	char from[SYSLOG_TIME_TEXT_SIZE], until[SYSLOG_TIME_TEXT_SIZE];

	fprintf(out, "%s to %s: %lu lines, %lu from courier, %u addresses\n\n",
		syslog_time_format(r->from, from), syslog_time_format(r->until, until),
		r->lines, t->lines, lru_count(simulation_hosts(r->simulation)));
}

static void print_pair(FILE *out, const char *what, unsigned long without,
		       unsigned long with)
{
	fprintf(out, "%-34s %12lu %12lu\n", what, without, with);
}

static void print_single(FILE *out, const char *what, unsigned long with)
{
	fprintf(out, "%-34s %12s %12lu\n", what, "-", with);
}

static void print_summary(FILE *out, const struct report *r)
{
	const struct simulate_totals *t = simulation_totals(r->simulation);
	char text[64];

	fprintf(out, "%-34s %12s %12s\n", "", "without", "with module");
	print_pair(out, "slots in use at the peak", peak(r, COURSE_WITHOUT),
		   peak(r, COURSE_WITH));
	snprintf(text, sizeof(text), "seconds with all %u in use", r->limit);
	if (r->limit)
		print_pair(out, text, (unsigned long)seconds_full(r, COURSE_WITHOUT),
			   (unsigned long)seconds_full(r, COURSE_WITH));
	print_pair(out, "slot time, s", slot_time(r, COURSE_WITHOUT),
		   slot_time(r, COURSE_WITH));
	print_pair(out, "connections", t->connections, t->connections - t->kept_out);
	print_single(out, "addresses blocked", t->hosts_blocked);
	print_single(out, "smtpd processes terminated", t->ended);
	fputc('\n', out);
}

/* Print when the host was blocked, if it was. */
static void print_block(FILE *out, const struct simulate_host *host)
{
	char from[SYSLOG_TIME_TEXT_SIZE], until[SYSLOG_TIME_TEXT_SIZE];

	if (host->blocks)
		fprintf(out, "  %s  %s\n", syslog_time_format(host->first_block, from),
			syslog_time_format(host->blocked_until, until));
	else
		fputs("  -\n", out);
}

static void print_host(FILE *out, const struct row *row)
{
	const struct simulate_host *host = row->host;
	char name[CIDR_TEXT_SIZE];

	fprintf(out, "%-18s %11lu %8lu %9lld %9lld", name_of(row, name), host->connections,
		host->kept_out, (long long)host->slot_time[COURSE_WITHOUT],
		(long long)host->slot_time[COURSE_WITH]);
	print_block(out, host);
}

static int print_hosts(FILE *out, const struct report *r)
{
	struct row *rows;
	size_t count, i;
	int e;

	if (r->top == 0)
		return 0;
	e = collect(r, false, &rows, &count);
	if (e < 0)
		return e;
	fprintf(out, "\n%30s %8s %19s\n", "", "KEPT", "SLOT TIME, s");
	fprintf(out, "%-18s %11s %8s %9s %9s  %-19s  %s\n", "ADDRESS", "CONNECTIONS", "OUT",
		"WITHOUT", "WITH", "BLOCKED", "UNTIL");
	for (i = 0; i < count && i < r->top; i++)
		print_host(out, &rows[i]);
	if (count > r->top)
		fprintf(out, "and %zu more (see --top)\n", count - r->top);
	free(rows);
	return 0;
}

static void print_limit_note(FILE *out, const struct report *r)
{
	const struct simulate_totals *t = simulation_totals(r->simulation);
	int64_t beyond = seconds_beyond(r);

	if (r->limit == 0)
		fputs("The number of slots is unknown; set it with --max N.\n", out);
	else
		fprintf(out, "%u slots (%s).\n", r->limit, r->limit_source);
	if (beyond > 0)
		fprintf(out, "In %lld seconds the estimate exceeds the number of slots: --session "
			     "or --idle is\ntoo long, or several couriertcpd processes log here.\n",
			(long long)beyond);
	if (t->active > peak(r, COURSE_WITHOUT))
		fprintf(out, "courier itself counted %lu connections, more than the estimate: "
			     "--session or\n--idle is too short.\n",
			t->active);
	else if (t->active)
		fprintf(out, "courier itself counted up to %lu connections.\n", t->active);
}

static void print_notes(FILE *out, const struct report *r)
{
	const struct simulate_totals *t = simulation_totals(r->simulation);
	unsigned long forgotten = lru_forgotten(simulation_hosts(r->simulation));

	fprintf(out, "\nThe log does not show when a connection ends. Assumed: %lld s after its "
		     "start, or\n%lld s after its last error (--session, --idle).\n",
		(long long)r->model.session, (long long)r->model.idle);
	print_limit_note(out, r);
	if (t->full_address)
		fprintf(out, "%lu times courier refused an address that used all its slots.\n",
			t->full_address);
	if (t->over_budget)
		fprintf(out, "%lu triggers exceeded maxBlocks.\n", t->over_budget);
	if (forgotten)
		fprintf(out, "%lu addresses were dropped to make room for newer ones.\n",
			forgotten);
	if (r->late)
		fprintf(out, "%lu lines are out of order; each gets the time of the line "
			     "before.\n",
			r->late);
	if (r->unstamped)
		fprintf(out, "%lu lines have no time and are ignored.\n", r->unstamped);
}

int report_print(FILE *out, const struct report *report)
{
	const struct chart chart = picture_of(report);
	int r;

	print_head(out, report);
	print_summary(out, report);
	chart_print(out, &chart);
	r = print_hosts(out, report);
	print_notes(out, report);
	return r;
}

/* --- JSON: all texts are constants, addresses or times --- */

static void json_course(FILE *out, const struct report *r, enum course course,
			const char *name)
{
	fprintf(out, "\"%s\":{\"peak\":%u,", name, peak(r, course));
	if (r->limit)
		fprintf(out, "\"seconds_full\":%lld,", (long long)seconds_full(r, course));
	else
		fputs("\"seconds_full\":null,", out);
	fprintf(out, "\"slot_time\":%llu},\n",
		(unsigned long long)slot_time(r, course));
}

static void json_head(FILE *out, const struct report *r)
{
	char from[SYSLOG_TIME_TEXT_SIZE], until[SYSLOG_TIME_TEXT_SIZE];

	fprintf(out,
		"{\"from\":\"%s\",\"until\":\"%s\",\"lines\":%lu,\"courier_lines\":%lu,"
		"\"without_time\":%lu,\"out_of_order\":%lu,\n",
		syslog_time_format_iso(r->from, from), syslog_time_format_iso(r->until, until),
		r->lines, simulation_totals(r->simulation)->lines, r->unstamped, r->late);
	fprintf(out, "\"session\":%lld,\"idle\":%lld,", (long long)r->model.session,
		(long long)r->model.idle);
	if (r->limit)
		fprintf(out, "\"max\":%u,\"max_source\":\"%s\",", r->limit, r->limit_source);
	else
		fputs("\"max\":null,\"max_source\":null,", out);
	fprintf(out, "\"seconds_beyond_max\":%lld,\n", (long long)seconds_beyond(r));
}

static void json_totals(FILE *out, const struct report *r)
{
	const struct simulate_totals *t = simulation_totals(r->simulation);

	fprintf(out, "\"connections\":%lu,\"kept_out\":%lu,\"children_ended\":%lu,"
		     "\"blocks\":%lu,\"addresses\":%u,\"addresses_blocked\":%lu,"
		     "\"addresses_forgotten\":%lu,\"over_max_blocks\":%lu,\n",
		t->connections, t->kept_out, t->ended, t->blocks,
		lru_count(simulation_hosts(r->simulation)), t->hosts_blocked,
		lru_forgotten(simulation_hosts(r->simulation)), t->over_budget);
	fprintf(out, "\"courier\":{\"active\":%lu,\"maximum\":%lu,\"full\":%lu,"
		     "\"full_address\":%lu},\n",
		t->active, t->limit, t->full, t->full_address);
}

static void json_time(FILE *out, const char *name, const struct simulate_host *host,
		      int64_t time)
{
	char text[SYSLOG_TIME_TEXT_SIZE];

	if (host->blocks)
		fprintf(out, "\"%s\":\"%s\",", name, syslog_time_format_iso(time, text));
	else
		fprintf(out, "\"%s\":null,", name);
}

static void json_host(FILE *out, const struct row *row)
{
	const struct simulate_host *host = row->host;
	char name[CIDR_TEXT_SIZE];

	fprintf(out, "{\"ip\":\"%s\",", name_of(row, name));
	json_time(out, "from", host, host->first_block);
	json_time(out, "until", host, host->blocked_until);
	fprintf(out, "\"blocks\":%lu,\"connections\":%lu,\"kept_out\":%lu,"
		     "\"slot_time\":{\"without\":%lld,\"with\":%lld}}",
		host->blocks, host->connections, host->kept_out,
		(long long)host->slot_time[COURSE_WITHOUT],
		(long long)host->slot_time[COURSE_WITH]);
}

static int json_hosts(FILE *out, const struct report *r, const char *name, bool blocked,
		      size_t most)
{
	struct row *rows;
	size_t count, i;
	int e;

	e = collect(r, blocked, &rows, &count);
	if (e < 0)
		return e;
	fprintf(out, "\"%s\":[", name);
	for (i = 0; i < count && i < most; i++) {
		fputs(i ? ",\n" : "\n", out);
		json_host(out, &rows[i]);
	}
	fputs("],\n", out);
	free(rows);
	return 0;
}

static void json_curve(FILE *out, const struct report *r, enum course course,
		       const char *name)
{
	const struct timeline_curve curve = timeline_curve(simulation_slots(r->simulation));
	unsigned int i;
	uint32_t taken;

	fprintf(out, ",\n\"%s\":[", name);
	for (i = 0; i < curve.points; i++) {
		taken = curve.taken[course][i];
		fprintf(out, "%s%u", i ? "," : "",
			r->limit && taken > r->limit ? r->limit : taken);
	}
	fputc(']', out);
}

int report_json(FILE *out, const struct report *report)
{
	const struct timeline_curve curve =
		timeline_curve(simulation_slots(report->simulation));
	int r;

	json_head(out, report);
	json_course(out, report, COURSE_WITHOUT, "without");
	json_course(out, report, COURSE_WITH, "with");
	json_totals(out, report);
	r = json_hosts(out, report, "blocked", true, SIZE_MAX);
	if (r == 0)
		r = json_hosts(out, report, "top", false, report->top);
	fprintf(out, "\"curve\":{\"seconds\":%lld", (long long)curve.seconds);
	json_curve(out, report, COURSE_WITHOUT, "without");
	json_curve(out, report, COURSE_WITH, "with");
	fputs("}}\n", out);
	return r;
}

void report_draw(FILE *out, const struct report *report)
{
	const struct chart chart = picture_of(report);
	char title[128], from[SYSLOG_TIME_TEXT_SIZE], until[SYSLOG_TIME_TEXT_SIZE];

	snprintf(title, sizeof(title), "courier's slots, %s to %s",
		 syslog_time_format(report->from, from),
		 syslog_time_format(report->until, until));
	chart_draw(out, &chart, title);
}
