/* Sends log lines to rsyslogd as fast as it takes them, then a marker, and prints the ns
 * from the first line to the marker's action.
 *
 *   flood --to unix:PATH|tcp:PORT [--lines N] [--kind reject|foreign]
 *         [--addresses N] BOARD
 *
 * A reject is a line of courieresmtpd with a new address, or one of --addresses (in
 * 100.64.0.0/10, which no host on the Internet has: RFC 6598); a foreign line is one of
 * another mail program. The marker (local7.alert) comes last; with one worker its action is
 * called when all lines are handled. The action writes the time to the board.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "bench/latency/board.h"
#include "bench/shared/program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LINE_SIZE 256
#define DEADLINE_MS 120000
/* A TCP sender writes this much at a time. */
#define CHUNK 65536

struct flood {
	const char *to;
	unsigned long lines, addresses;
	bool foreign, tcp;
	int fd;
	struct board *board;
	char *text;	/* all lines, each with a newline */
	size_t len;
};

static void print_addr(unsigned long n, char *buf, size_t size)
{
	snprintf(buf, size, "::ffff:100.%lu.%lu.%lu", 64 + (n >> 16 & 63),
		 n >> 8 & 255, n & 255);
}

/* Lines of courieresmtpd and imapd-ssl. */
static int format_text(const struct flood *f, unsigned long i, char *buf,
		       size_t size)
{
	unsigned long n = f->addresses ? i % f->addresses : i;
	char addr[40];

	print_addr(n, addr, sizeof(addr));
	if (f->foreign)
		return snprintf(buf, size,
				"imapd-ssl: ip=[%s], port=[%lu], couriertls: accept: "
				"error:0A00010B:SSL routines::wrong version number",
				addr, 1024 + i % 60000);
	return snprintf(buf, size,
			"courieresmtpd: error,relay=%s,port=%lu,from=<a@b.example>,"
			"to=<x@mx.lab>: 511 Listed in lab DNSBL",
			addr, 1024 + i % 60000);
}

/* A line as from syslog(3), and as from a relay, which adds the host. */
static void add_line(struct flood *f, const char *stamp, const char *pri,
		     const char *text)
{
	int n = snprintf(f->text + f->len, LINE_SIZE, "<%s>%s %s%s\n", pri, stamp,
			 f->tcp ? "mx " : "", text);

	if (n < 0 || n >= LINE_SIZE)
		die("a line is too long");
	f->len += (size_t)n;
}

static void make_lines(struct flood *f)
{
	char stamp[STAMP_SIZE], text[LINE_SIZE];
	unsigned long i;

	format_stamp(stamp);
	f->text = malloc((f->lines + 1) * LINE_SIZE);
	if (!f->text)
		die("memory");
	for (i = 0; i < f->lines; i++) {
		format_text(f, i, text, sizeof(text));
		add_line(f, stamp, "19", text);
	}
	add_line(f, stamp, "185", "burst: all lines were sent");
}

static int connect_tcp(const char *port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&sin, sizeof(sin)) < 0)
		die(port);
	return fd;
}

static void connect_to(struct flood *f)
{
	f->tcp = strncmp(f->to, "tcp:", 4) == 0;
	if (f->tcp)
		f->fd = connect_tcp(f->to + 4);
	else if (strncmp(f->to, "unix:", 5) == 0)
		f->fd = connect_log(f->to + 5);
	else
		die(f->to);
}

static void send_stream(const struct flood *f)
{
	size_t sent = 0;

	while (sent < f->len) {
		size_t left = f->len - sent;
		ssize_t n = send(f->fd, f->text + sent,
				 left < CHUNK ? left : CHUNK, 0);

		if (n < 0)
			die("send");
		sent += (size_t)n;
	}
}

static void send_datagrams(const struct flood *f)
{
	const char *line = f->text, *end = f->text + f->len;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		if (send(f->fd, line, (size_t)(newline - line), 0) < 0)
			die("send");
		line = newline + 1;
	}
}

/* The action writes the time; this only waits for it. */
static uint64_t wait_marker(const struct flood *f)
{
	int i;

	for (i = 0; i < DEADLINE_MS; i++) {
		uint64_t begun = atomic_load(&f->board->begun);

		if (begun)
			return begun;
		sleep_us(1000);
	}
	errno = ETIMEDOUT;
	die("the marker's action");
}

static void parse_option(struct flood *f, int option)
{
	switch (option) {
	case 't':
		f->to = optarg;
		break;
	case 'l':
		f->lines = strtoul(optarg, NULL, 10);
		break;
	case 'k':
		f->foreign = strcmp(optarg, "foreign") == 0;
		break;
	case 'a':
		f->addresses = strtoul(optarg, NULL, 10);
		break;
	default:
		exit(2);
	}
}

static void parse(int argc, char **argv, struct flood *f)
{
	static const struct option names[] = {
		{ "to", required_argument, NULL, 't' },
		{ "lines", required_argument, NULL, 'l' },
		{ "kind", required_argument, NULL, 'k' },
		{ "addresses", required_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		parse_option(f, option);
	if (argc - optind != 1 || !f->to || f->lines == 0) {
		fprintf(stderr, "flood --to unix:PATH|tcp:PORT [OPTION...] BOARD\n");
		exit(2);
	}
	f->board = board_map(argv[optind]);
	if (!f->board)
		die(argv[optind]);
}

int main(int argc, char **argv)
{
	struct flood f = { .lines = 200000 };
	uint64_t began;

	parse(argc, argv, &f);
	connect_to(&f);
	make_lines(&f);
	board_clear(f.board);
	began = board_now();
	if (f.tcp)
		send_stream(&f);
	else
		send_datagrams(&f);
	printf("%" PRIu64 "\n", wait_marker(&f) - began);
	return 0;
}
