/* What courier's log lines say.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/courierlog.h"

#include <string.h>

#include "lib/cursor.h"

/* courier cuts every field at this many characters and appends "...". */
#define FIELD_MAX 128

static bool is_addr_char(char ch)
{
	/* In ASCII the colon follows the nine. */
	return (ch >= '0' && ch <= ':') || ch == '.' ||
	       ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f');
}

static bool take_addr(struct cursor *c, struct addr *ret_addr)
{
	size_t taken = addr_scan(c->at, cursor_left(c), ret_addr);
	const char *p = c->at;

	if (taken > 0) {
		c->at += taken;
		return true;
	}
	while (p < c->end && is_addr_char(*p))
		p++;
	if (addr_parse(c->at, (size_t)(p - c->at), ret_addr) < 0)
		return false;
	c->at = p;
	return true;
}

static bool take_port(struct cursor *c, uint16_t *ret_port)
{
	struct cursor tried = *c;
	int64_t n;

	if (!cursor_take_number(&tried, 5, &n) || n == 0 || n > UINT16_MAX)
		return false;
	*c = tried;
	*ret_port = (uint16_t)n;
	return true;
}

/* A CODE with a blank, a dash or nothing after it. The cursor stays: the reply begins with
 * the code. */
static bool see_reply(const struct cursor *c, struct courierlog_line *line)
{
	struct cursor look = *c;
	int64_t code;

	if (!cursor_take_number(&look, 3, &code) || code < 100)
		return false;
	if (!cursor_at_end(&look) && *look.at != ' ' && *look.at != '-')
		return false;
	line->code = (uint16_t)code;
	line->reply = c->at;
	line->reply_len = cursor_left(c);
	return true;
}

/* Client text stands between the address and the reply. courier replaces every ':' in it
 * with a blank, so the first ':' ends it. */
static bool scan_reject(struct cursor *c, struct courierlog_line *line)
{
	const char *colon = memchr(c->at, ':', cursor_left(c));

	if (!colon || !cursor_sees(c, ','))
		return false;
	c->at = colon + 1;
	if (!cursor_take_char(c, ' ') || !see_reply(c, line))
		return false;
	line->kind = COURIERLOG_REJECT;
	return true;
}

/* The text of an error of courieresmtpd's own, without a code. */
static bool is_text(const struct cursor *c)
{
	static const char mark[] = "\",cmd:";

	return !cursor_at_end(c) && *c->at != '"' && (*c->at < '0' || *c->at > '9') &&
	       memmem(c->at, cursor_left(c), mark, strlen(mark));
}

/* ident=".." is raw text and may contain anything, including quotes. The first ",msg=" is
 * taken as its end. A forged one misstates only the reply to that same client. */
static bool scan_error(struct cursor *c, struct courierlog_line *line)
{
	static const char mark[] = "\",msg=\"";
	struct cursor at = *c;

	if (cursor_take(&at, ",ident=\"")) {
		const char *p = memmem(at.at, cursor_left(&at), mark, strlen(mark));

		if (!p)
			return false;
		at.at = p + strlen(mark);
	} else if (!cursor_take(&at, ",msg=\"")) {
		return false;
	}
	if (!see_reply(&at, line) && !is_text(&at))
		return false;
	line->kind = COURIERLOG_ERROR;
	return true;
}

/* The text after "error,". */
static bool scan_relay(struct cursor *c, int severity,
		       struct courierlog_line *line)
{
	if (!cursor_take(c, "relay=") || !take_addr(c, &line->addr))
		return false;
	if (cursor_take(c, ",port=") && !take_port(c, &line->port))
		return false;
	if (severity != COURIERLOG_SEVERITY_ERR && scan_error(c, line))
		return true;
	if (severity > COURIERLOG_SEVERITY_ERR)
		return false;
	return scan_reject(c, line);
}

static bool scan_started(struct cursor *c, struct courierlog_line *line)
{
	if (!take_addr(c, &line->addr) || !cursor_take_char(c, ']'))
		return false;
	if (cursor_take(c, ",port=[") &&
	    (!take_port(c, &line->port) || !cursor_take_char(c, ']')))
		return false;
	line->kind = COURIERLOG_STARTED;
	return cursor_at_end(c);
}

static bool scan_dropped(struct cursor *c, struct courierlog_line *line)
{
	line->kind = COURIERLOG_DROPPED;
	return take_addr(c, &line->addr) && cursor_at_end(c);
}

static bool scan_pressure(struct cursor *c, struct courierlog_line *line)
{
	line->kind = COURIERLOG_PRESSURE;
	if (cursor_take(c, "Maximum connection limit reached for "))
		return take_addr(c, &line->addr) && cursor_at_end(c);
	if (!cursor_take_number(c, 9, &line->active) || !cursor_take_char(c, ' '))
		return false;
	line->full = cursor_take(c, "maximum ");
	return cursor_take(c, "active connections.") && cursor_at_end(c);
}

static inline struct cursor trimmed(const char *msg, size_t len)
{
	struct cursor c = cursor_of(msg, len);

	while (cursor_sees(&c, ' '))
		c.at++;
	while (!cursor_at_end(&c) && (c.end[-1] == ' ' || c.end[-1] == '\n'))
		c.end--;
	return c;
}

/* rsyslog's runtime/ratelimit.c: the line itself follows, cut at 800 characters, and "]". */
static bool take_summary(struct cursor *c, unsigned int *ret_times)
{
	struct cursor tried = *c;
	int64_t times;

	if (!cursor_take(&tried, "message repeated ") ||
	    !cursor_take_number(&tried, 9, &times) || times == 0 ||
	    !cursor_take(&tried, " times: [") || cursor_at_end(&tried) || tried.end[-1] != ']')
		return false;
	*c = trimmed(tried.at, cursor_left(&tried) - 1);
	*ret_times = (unsigned int)times;
	return true;
}

/* The line as courier logged it, and how often. */
static struct cursor unwrapped(const char *msg, size_t len, unsigned int *ret_times)
{
	struct cursor c = trimmed(msg, len);

	*ret_times = 1;
	if (cursor_sees(&c, 'm'))
		take_summary(&c, ret_times);
	return c;
}

bool courierlog_gives_reply(const char *msg, size_t len)
{
	static const char submitclient[] = "submitclient:";
	struct courierlog_line line = { .code = 0 };
	struct cursor at = unwrapped(msg, len, &line.times);
	const char *colon;

	if (cursor_take(&at, submitclient))
		return false;
	while ((colon = memchr(at.at, ':', cursor_left(&at))) != NULL) {
		at.at = colon + 1;
		if (cursor_take_char(&at, ' ') && cursor_sees(&at, '5') && see_reply(&at, &line))
			return true;
	}
	return false;
}

/* The first word selects the form. Returns false if the rest does not have that form. */
static bool scan_known(struct cursor *c, int severity, struct courierlog_line *line)
{
	if (cursor_take(c, "error,"))
		return scan_relay(c, severity, line);
	if (cursor_take(c, "started,ip=["))
		return scan_started(c, line);
	if (cursor_take(c, "dropped blocked connection from "))
		return scan_dropped(c, line);
	if (!scan_pressure(c, line))
		*line = (struct courierlog_line){ .kind = COURIERLOG_OTHER };
	return true;
}

/* Rejects nearly all lines of other programs by their first letter. */
static bool may_be_couriers(const struct cursor *c)
{
	return !cursor_at_end(c) && (*c->at == 'e' || *c->at == 's' || *c->at == 'd' ||
			       *c->at == 'M' || (*c->at >= '0' && *c->at <= '9'));
}

void courierlog_scan(const char *msg, size_t len, int severity,
		     struct courierlog_line *ret_line)
{
	unsigned int times;
	struct cursor c = unwrapped(msg, len, &times);

	*ret_line = (struct courierlog_line){ .kind = COURIERLOG_OTHER };
	if (may_be_couriers(&c) && !scan_known(&c, severity, ret_line))
		*ret_line = (struct courierlog_line){ .kind = COURIERLOG_UNKNOWN };
	ret_line->times = times;
}

void courierlog_scan_address(const char *text, size_t len,
			     struct courierlog_line *ret_line)
{
	struct courierlog_line line = { .kind = COURIERLOG_REJECT, .times = 1 };
	struct cursor c = trimmed(text, len);

	*ret_line = (struct courierlog_line){ .kind = COURIERLOG_UNKNOWN };
	if (!take_addr(&c, &line.addr))
		return;
	if (cursor_take_char(&c, ' ') && !take_port(&c, &line.port))
		return;
	if (cursor_at_end(&c))
		*ret_line = line;
}

/* The next character as lcclog.c logs it. At the end of the text returns 0 and does not
 * advance. */
static unsigned char next_logged(const char **text)
{
	unsigned char ch;

	while (**text == '\r')
		(*text)++;
	ch = (unsigned char)**text;
	if (ch == '\0')
		return 0;
	(*text)++;
	if (ch == '\n')
		return **text ? '/' : 0;
	return ch < ' ' ? '.' : ch;
}

/* 0 means that the text has ended, so a NUL in the reply does not match. */
static bool same_char(const char **text, char logged)
{
	unsigned char ch = next_logged(text);

	return ch != 0 && ch == (unsigned char)logged;
}

/* Are text and reply equal up to the end of reply, and does text end there too? */
static bool same_as_logged(const char *reply, size_t len, const char *text)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!same_char(&text, reply[i]))
			return false;
	/* courierlog_scan() has removed trailing blanks from the line. */
	while (*text == ' ' || *text == '\n' || *text == '\r')
		text++;
	return *text == '\0';
}

/* Is reply prefix and text, cut as courier cuts it? */
static bool same_when_cut(const char *reply, size_t len, const char *prefix,
			  const char *text)
{
	size_t skip = strlen(prefix), i;

	if (len != FIELD_MAX + 3 || memcmp(reply + FIELD_MAX, "...", 3) != 0)
		return false;
	if (memcmp(reply, prefix, skip) != 0)
		return false;
	for (i = skip; i < FIELD_MAX; i++)
		if (!same_char(&text, reply[i]))
			return false;
	return next_logged(&text) != 0;
}

static bool same_reply(const char *reply, size_t len, const char *prefix,
		       const char *text)
{
	size_t skip = strlen(prefix);

	if (same_when_cut(reply, len, prefix, text))
		return true;
	/* courier would have cut a longer one. */
	return len <= FIELD_MAX && len > skip && memcmp(reply, prefix, skip) == 0 &&
	       same_as_logged(reply + skip, len - skip, text);
}

bool courierlog_reply_is(const char *reply, size_t reply_len, const char *text)
{
	if (reply_len == 0 || *text == '\0')
		return false;
	return same_reply(reply, reply_len, "", text) ||
	       same_reply(reply, reply_len, "511 ", text);
}
