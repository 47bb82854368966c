/* Draw the curves of a replay as text and as SVG.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/replay/chart.h"

#include <string.h>

#include "lib/array.h"
#include "tool/read/syslog_time.h"

/* The model may exceed the limit; the host cannot. */
static uint32_t value_at(const struct chart *p, enum course course, unsigned int point)
{
	uint32_t taken = p->curve.taken[course][point];

	return p->limit && taken > p->limit ? p->limit : taken;
}

static uint32_t top_of(const struct chart *p)
{
	if (p->limit)
		return p->limit;
	return p->peak ? p->peak : 1;
}

/* --- text --- */

#define COLUMNS 64U
#define ROWS 10U

/* The maximum of the points of a column; every column has at least one. */
static uint32_t column_value(const struct chart *p, enum course course, unsigned int column)
{
	unsigned int points = p->curve.points, i = column * points / COLUMNS;
	unsigned int end = (column + 1) * points / COLUMNS;
	uint32_t most = 0, value;

	do {
		value = value_at(p, course, i);
		if (value > most)
			most = value;
	} while (++i < end);
	return most;
}

static char cell(const struct chart *p, unsigned int column, uint32_t above)
{
	if (column_value(p, COURSE_WITH, column) > above)
		return '=';
	return column_value(p, COURSE_WITHOUT, column) > above ? '#' : ' ';
}

static void print_row(FILE *out, const struct chart *p, unsigned int row)
{
	uint32_t top = top_of(p), above = (uint32_t)((uint64_t)top * row / ROWS);
	char cells[COLUMNS + 1];
	unsigned int column;
	size_t len = COLUMNS;

	for (column = 0; column < COLUMNS; column++)
		cells[column] = cell(p, column, above);
	while (len > 0 && cells[len - 1] == ' ')
		len--;
	cells[len] = '\0';
	if (row == ROWS - 1)
		fprintf(out, "%6u |%s\n", top, cells);
	else
		fprintf(out, "       |%s\n", cells);
}

void chart_print(FILE *out, const struct chart *chart)
{
	const struct timeline_curve *c = &chart->curve;
	int64_t end = c->start + c->seconds * c->points;
	char line[COLUMNS + 1], from[SYSLOG_TIME_TEXT_SIZE], to[SYSLOG_TIME_TEXT_SIZE];
	unsigned int row;

	if (c->points == 0)
		return;
	for (row = ROWS; row-- > 0;)
		print_row(out, chart, row);
	memset(line, '-', COLUMNS);
	line[COLUMNS] = '\0';
	fprintf(out, "     0 +%s\n", line);
	syslog_time_format(c->start, from);
	syslog_time_format(end, to);
	fprintf(out, "        %-*s%s\n", (int)(COLUMNS - strlen(to)), from, to);
	fputs("        # slots in use without the module, = with it\n", out);
}

/* --- SVG --- */

#define WIDTH 900
#define HEIGHT 420
#define LEFT 64
#define RIGHT 24
#define TOP 76
#define BOTTOM 48

struct scale {
	double x, y;		/* pixels per second and per slot */
	double top;		/* slots at the upper edge */
	int64_t start, end;
};

static double x_of(const struct scale *s, int64_t time)
{
	return LEFT + (double)(time - s->start) * s->x;
}

static double y_of(const struct scale *s, double slots)
{
	return HEIGHT - BOTTOM - slots * s->y;
}

static struct scale make_scale(const struct chart *p)
{
	const struct timeline_curve *c = &p->curve;
	struct scale s = { .start = c->start, .end = c->start + c->seconds * c->points };

	if (s.end <= s.start)
		s.end = s.start + 1;
	s.top = top_of(p) * 1.08;
	s.x = (WIDTH - LEFT - RIGHT) / (double)(s.end - s.start);
	s.y = (HEIGHT - TOP - BOTTOM) / s.top;
	return s;
}

static void draw_slot_tick(FILE *out, const struct scale *s, uint32_t slots)
{
	double y = y_of(s, slots);

	fprintf(out,
		"<path class=\"grid\" d=\"M%d,%.1fH%d\"/>"
		"<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%u</text>\n",
		LEFT, y, WIDTH - RIGHT, LEFT - 8, y + 4, slots);
}

/* Labels in steps of 1, 2 or 5 times a power of 10, at most six. */
static void draw_slot_axis(FILE *out, const struct scale *s)
{
	static const uint32_t factors[] = { 1, 2, 5 };
	uint32_t power = 1, step = 1, slots;
	unsigned int i = 0;

	while (s->top / step > 6) {
		i = (i + 1) % 3;
		power *= i == 0 ? 10 : 1;
		step = factors[i] * power;
	}
	for (slots = 0; slots <= s->top; slots += step)
		draw_slot_tick(out, s, slots);
}

static int64_t time_step(int64_t span)
{
	static const int64_t steps[] = { 1,    2,    5,	   10,	  15,	 30,	60,    120,
					 300,  600,  900,  1800,  3600,	 7200,	10800, 21600,
					 43200, 86400, 172800, 604800 };
	int64_t step = steps[0];
	unsigned int i;

	for (i = 1; span / step > 8 && i < COUNT_OF(steps); i++)
		step = steps[i];
	while (span / step > 8)
		step *= 2;
	return step;
}

/* Labels at round times in this host's zone. */
static void draw_time_axis(FILE *out, const struct scale *s)
{
	int64_t step = time_step(s->end - s->start), offset = syslog_time_offset(s->start);
	int64_t past = (s->start + offset) % step, time;
	char text[SYSLOG_TIME_TEXT_SIZE];

	if (past < 0)
		past += step;
	for (time = s->start + (past ? step - past : 0); time <= s->end; time += step)
		fprintf(out,
			"<path class=\"axis\" d=\"M%.1f,%dv5\"/><text class=\"tick\" "
			"x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
			x_of(s, time), HEIGHT - BOTTOM, x_of(s, time), HEIGHT - BOTTOM + 20,
			syslog_time_format_tick(time, step, text));
	fprintf(out, "<path class=\"axis\" d=\"M%d,%dH%d\"/>\n", LEFT, HEIGHT - BOTTOM,
		WIDTH - RIGHT);
}

/* Draws steps: a point's value holds for all of its seconds. */
static void draw_steps(FILE *out, const struct chart *p, const struct scale *s,
		       enum course course)
{
	const struct timeline_curve *c = &p->curve;
	uint32_t value, last = 0;
	unsigned int i;

	fprintf(out, "M%d,%.1f", LEFT, y_of(s, 0));
	for (i = 0; i < c->points; i++) {
		value = value_at(p, course, i);
		if (value == last)
			continue;
		fprintf(out, "H%.1fV%.1f", x_of(s, c->start + c->seconds * i),
			y_of(s, value));
		last = value;
	}
	fprintf(out, "H%.1f", x_of(s, c->start + c->seconds * c->points));
}

static void draw_curve(FILE *out, const struct chart *p, const struct scale *s,
		       enum course course, const char *name)
{
	fprintf(out, "<path class=\"%s area\" d=\"", name);
	draw_steps(out, p, s, course);
	fprintf(out, "V%.1fZ\"/>\n<path class=\"%s\" d=\"", y_of(s, 0), name);
	draw_steps(out, p, s, course);
	fputs("\"/>\n", out);
}

static void draw_limit(FILE *out, const struct chart *p, const struct scale *s)
{
	if (!p->limit)
		return;
	fprintf(out,
		"<path class=\"limit\" d=\"M%d,%.1fH%d\"/>"
		"<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">"
		"all %u slots in use</text>\n",
		LEFT, y_of(s, p->limit), WIDTH - RIGHT, WIDTH - RIGHT,
		y_of(s, p->limit) - 6, p->limit);
}

static void draw_legend(FILE *out, const char *title)
{
	fprintf(out, "<text class=\"title\" x=\"%d\" y=\"26\">%s</text>\n", LEFT, title);
	fprintf(out,
		"<path class=\"without\" d=\"M%d,46h22\"/><text x=\"%d\" y=\"50\">"
		"without the module</text>\n"
		"<path class=\"with\" d=\"M%d,46h22\"/><text x=\"%d\" y=\"50\">"
		"with it</text>\n",
		LEFT, LEFT + 28, LEFT + 180, LEFT + 208);
	fprintf(out,
		"<text class=\"tick\" transform=\"translate(16,%d) rotate(-90)\" "
		"text-anchor=\"middle\">slots in use</text>\n",
		(TOP + HEIGHT - BOTTOM) / 2);
}

void chart_draw(FILE *out, const struct chart *chart, const char *title)
{
	const struct scale s = make_scale(chart);

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
		"role=\"img\" font-family=\"sans-serif\" font-size=\"13\">\n"
		"<title>%s</title>\n",
		WIDTH, HEIGHT, title);
	/* The grey tones have the same contrast on white and on black. */
	fputs("<style>text{fill:#777}.title{font-size:15px;font-weight:bold}"
	      ".tick{font-size:12px}path{fill:none;stroke-width:2}"
	      ".grid{stroke:#888;stroke-opacity:.3;stroke-width:1}"
	      ".axis{stroke:#888;stroke-width:1}"
	      ".limit{stroke:#888;stroke-dasharray:6 4;stroke-width:1.5}"
	      ".without{stroke:#d1495b}.with{stroke:#2a7fb8}"
	      ".area{stroke:none;fill-opacity:.18}"
	      ".without.area{fill:#d1495b}.with.area{fill:#2a7fb8}</style>\n",
	      out);
	draw_slot_axis(out, &s);
	draw_time_axis(out, &s);
	draw_limit(out, chart, &s);
	draw_curve(out, chart, &s, COURSE_WITHOUT, "without");
	draw_curve(out, chart, &s, COURSE_WITH, "with");
	draw_legend(out, title);
	fputs("</svg>\n", out);
}
