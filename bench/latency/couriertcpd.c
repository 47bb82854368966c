/* A stand-in for couriertcpd in the latency bench: it keeps a number of smtpds alive, makes
 * one after the other log a reject, and prints when that took effect.
 *
 *   couriertcpd [--children N] [--warm-up N] [--samples N] [--burst N]
 *               [--pace US] [--addresses N] [--first N] [--connect 0|1]
 *               BOARD COURIERESMTPD LANE...
 *
 * A lane is one path for a line, SOCKET,WHO,END,TAG,START,LIST:
 *   SOCKET       the socket to which the line is sent
 *   oldest|newest  which smtpd logs: the oldest, or the one just started
 *   term|note    the end of the sample: the smtpd's SIGTERM; or the time that the action
 *                writes to the board (then the smtpd is terminated here)
 *   plain|pid    the line's tag
 *   silent|started  whether every smtpd logs its start there too, as courier's do
 *   unlisted|listed  whether the line leads to a write to the list, before or after the end
 *
 * The lanes take turns of --burst lines each, so that other load on the machine affects all
 * of them. A line of output is a sample: the number of its lane, and ns from the smtpd's
 * send(2) to the floor action, to the list and to the SIGTERM; "-" if that did not happen.
 *
 * Between two samples, whatever the lane: one smtpd has exited, another one is started in
 * its place, and there is a pause of --pace us. The oldest is children * pace old.
 *
 * Every smtpd has its own client address (198.18.0.0/15, reserved for benchmarks by RFC
 * 2544), from --first on, or one of --addresses. With --connect 1 it has a connection from
 * there to 192.0.2.25 port 25, whose other end stays open until the smtpd is replaced: the
 * host must have both addresses. Otherwise its socket is not connected.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "bench/latency/board.h"
#include "bench/shared/program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/array.h"

/* A sample that takes longer has failed. */
#define DEADLINE_MS 30000
#define START_MS 30000
/* Give up after this many failed samples. */
#define MISSED_MAX 5

#define LANES_MAX 16

/* The server's end of the smtpds' connections. */
#define OUR_IP "192.0.2.25"
#define OUR_PORT 25

struct lane {
	char *socket;
	bool newest, note, pid_in_tag, started, listed;
};

struct options {
	unsigned long children, warm_up, samples, burst, pace, addresses, first, connect;
};

struct smtpd {
	pid_t pid;
	int client;		/* the other end of its connection, or -1 */
};

struct tcpd {
	struct options o;
	struct lane lanes[LANES_MAX];
	unsigned int lane_count;
	/* An smtpd's command: its executable, the board, all sockets. */
	char *smtpd[LANES_MAX + 3];
	struct board *board;
	struct smtpd *children;	/* a ring; oldest first */
	unsigned long first, serial, missed;	/* serial number of the next smtpd */
	int listener;		/* --connect */
};

/* An smtpd's client. */
struct peer {
	char ip[32];
	uint16_t port;
};

/* A variable as couriertcpd and its DNSBL lookup set it. */
__attribute__((format(printf, 2, 3)))
static void set(const char *name, const char *format, ...)
{
	char value[128];
	va_list ap;

	va_start(ap, format);
	vsnprintf(value, sizeof(value), format, ap);
	va_end(ap);
	if (setenv(name, value, 1) < 0)
		die("setenv");
}

static struct peer next_peer(const struct tcpd *t)
{
	struct peer peer = { .port = (uint16_t)(1024 + t->serial % 64000) };
	unsigned long n = t->serial;

	if (t->o.addresses)
		n %= t->o.addresses;
	snprintf(peer.ip, sizeof(peer.ip), "198.%lu.%lu.%lu", 18 + (n >> 16 & 1),
		 n >> 8 & 255, n & 255);
	return peer;
}

static void set_connection(const struct peer *peer)
{
	const char *ip = peer->ip;

	set("TCPREMOTEIP", "::ffff:%s", ip);
	set("TCPREMOTEPORT", "%u", (unsigned int)peer->port);
	set("TCPREMOTEHOST", "softdnserr");
	set("TCPLOCALIP", "::ffff:" OUR_IP);
	set("TCPLOCALPORT", "%d", OUR_PORT);
	set("TCPLOCALHOST", "mx.lab");
	set("BLOCK_ZONE", "bl.lab");
	set("BLOCK_IP", "127.0.0.2");
	set("BLOCK", "Listed in lab DNSBL, %s", ip);
	set("BLOCK_TXT", "Listed in lab DNSBL, %s", ip);
}

/* In the new smtpd: the signals that it waits for are already blocked. */
static void become_smtpd(const struct tcpd *t, const struct peer *peer, int server)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (server >= 0 && dup2(server, STDIN_FILENO) < 0)
		die("dup2");
	set_connection(peer);
	execv(t->smtpd[0], t->smtpd);
	die(t->smtpd[0]);
}

/* Wait until the smtpd is ready to log. */
static void wait_ready(const struct tcpd *t, pid_t pid)
{
	int status, i;

	for (i = 0; i < START_MS * 10; i++) {
		if (atomic_load(&t->board->ready) == pid)
			return;
		if (waitpid(pid, &status, WNOHANG) == pid) {
			errno = ECHILD;
			die("a child ended at its start");
		}
		sleep_us(100);
	}
	errno = ETIMEDOUT;
	die("start of a child");
}

static int bound_socket(const char *ip, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	inet_pton(AF_INET, ip, &sin.sin_addr);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&sin, sizeof(sin)) < 0)
		die(ip);
	return fd;
}

/* Both ends; -1 and -1 without --connect. */
static void connect_peer(const struct tcpd *t, const struct peer *peer, int *ret_client,
			 int *ret_server)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(OUR_PORT) };

	*ret_client = *ret_server = -1;
	if (!t->o.connect)
		return;
	inet_pton(AF_INET, OUR_IP, &to.sin_addr);
	*ret_client = bound_socket(peer->ip, peer->port);
	if (connect(*ret_client, (const struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	*ret_server = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);
	if (*ret_server < 0)
		die("accept");
}

static struct smtpd spawn(struct tcpd *t)
{
	const struct peer peer = next_peer(t);
	struct smtpd smtpd;
	int server;

	connect_peer(t, &peer, &smtpd.client, &server);
	smtpd.pid = fork();
	if (smtpd.pid == 0)
		become_smtpd(t, &peer, server);
	if (smtpd.pid < 0)
		die("fork");
	if (server >= 0)
		close(server);
	t->serial++;
	wait_ready(t, smtpd.pid);
	return smtpd;
}

/* In the place of one that has exited. */
static void replace(struct tcpd *t, struct smtpd *smtpd)
{
	if (smtpd->client >= 0)
		close(smtpd->client);
	*smtpd = spawn(t);
}

/* Wait until that smtpd exits. False: it did not in time. */
static bool wait_end(pid_t pid)
{
	const struct timespec deadline = { .tv_sec = DEADLINE_MS / 1000 };
	sigset_t set;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	do {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (status != 0) {
				errno = ECHILD;
				die("a child has failed");
			}
			return true;
		}
	} while (sigtimedwait(&set, NULL, &deadline) > 0 || errno == EINTR);
	return false;
}

/* Wait for a time on the board. Polls rarely, so that polling does not disturb the
 * measurement. */
static bool wait_note(const _Atomic uint64_t *note)
{
	int i;

	for (i = 0; i < DEADLINE_MS / 2; i++) {
		if (atomic_load(note))
			return true;
		sleep_us(2000);
	}
	return false;
}

static void end_child(pid_t pid, int signal)
{
	int status;

	kill(pid, signal);
	waitpid(pid, &status, 0);
}

/* Make the smtpd log, and wait for the effect. False: there was none. */
static bool take_sample(struct tcpd *t, const struct lane *lane, pid_t pid)
{
	bool good;

	board_clear(t->board);
	atomic_store(&t->board->lane, (unsigned int)(lane - t->lanes));
	atomic_store(&t->board->pid_in_tag, lane->pid_in_tag);
	if (kill(pid, SIGUSR1) < 0)
		die("kill");
	if (lane->note) {
		good = wait_note(&t->board->begun);
		end_child(pid, SIGKILL);
		return good;
	}
	good = wait_end(pid);
	if (!good)
		end_child(pid, SIGKILL);
	/* The module may signal before it writes. */
	return good && atomic_load(&t->board->signalled) &&
	       (!lane->listed || wait_note(&t->board->listed));
}

static void print_since(uint64_t sent, uint64_t time, char end)
{
	if (time >= sent && sent > 0)
		printf("%" PRIu64 "%c", time - sent, end);
	else
		printf("-%c", end);
}

static void print_sample(const struct tcpd *t)
{
	const struct board *b = t->board;
	uint64_t sent = atomic_load(&b->sent);

	printf("%u ", atomic_load(&b->lane));
	print_since(sent, atomic_load(&b->begun), ' ');
	print_since(sent, atomic_load(&b->listed), ' ');
	print_since(sent, atomic_load(&b->signalled), '\n');
}

/* The smtpd that logs next: its place in the ring. */
static struct smtpd *choose(struct tcpd *t, const struct lane *lane)
{
	unsigned long n = t->o.children;
	unsigned long at = lane->newest ? (t->first + n - 1) % n : t->first;

	if (!lane->newest)
		t->first = (t->first + 1) % n;
	return &t->children[at];
}

static void note_missed(struct tcpd *t, const struct lane *lane)
{
	t->missed++;
	fprintf(stderr, "couriertcpd: nothing came of a line to %s in %d ms\n",
		lane->socket, DEADLINE_MS);
}

/* One lane's turn. */
static void run_burst(struct tcpd *t, const struct lane *lane,
		      unsigned long lines, bool print)
{
	unsigned long i;
	struct smtpd *smtpd;

	for (i = 0; i < lines && t->missed <= MISSED_MAX; i++) {
		sleep_us(t->o.pace);
		smtpd = choose(t, lane);
		if (!take_sample(t, lane, smtpd->pid))
			note_missed(t, lane);
		else if (print)
			print_sample(t);
		replace(t, smtpd);
	}
}

static void run(struct tcpd *t)
{
	unsigned long done, lines;
	unsigned int i;

	for (i = 0; i < t->lane_count; i++)
		run_burst(t, &t->lanes[i], t->o.warm_up, false);
	for (done = 0; done < t->o.samples; done += lines) {
		lines = t->o.samples - done;
		if (lines > t->o.burst)
			lines = t->o.burst;
		for (i = 0; i < t->lane_count; i++)
			run_burst(t, &t->lanes[i], lines, true);
	}
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (end == text || *end || errno || n > 10000000) {
		fprintf(stderr, "couriertcpd: %s: want a number\n", text);
		exit(2);
	}
	return n;
}

/* One of two words, before the next comma: true for the second. */
static bool second_of(char **text, const char *first, const char *second)
{
	const char *word = strsep(text, ",");

	if (!word || (strcmp(word, first) != 0 && strcmp(word, second) != 0)) {
		fprintf(stderr, "couriertcpd: %s in a lane: want %s or %s\n",
			word ? word : "nothing", first, second);
		exit(2);
	}
	return strcmp(word, second) == 0;
}

/* As courieresmtpd expects it: with a plus sign in front if it logs its start. */
static char *smtpd_lane(const struct lane *lane)
{
	char *word;

	if (asprintf(&word, "%s%s", lane->started ? "+" : "", lane->socket) < 0)
		die("memory");
	return word;
}

static void add_lane(struct tcpd *t, char *text)
{
	struct lane *lane = &t->lanes[t->lane_count];

	lane->socket = strsep(&text, ",");
	lane->newest = second_of(&text, "oldest", "newest");
	lane->note = second_of(&text, "term", "note");
	lane->pid_in_tag = second_of(&text, "plain", "pid");
	lane->started = second_of(&text, "silent", "started");
	lane->listed = second_of(&text, "unlisted", "listed");
	t->smtpd[2 + t->lane_count++] = smtpd_lane(lane);
}

static void parse_options(int argc, char **argv, struct options *o)
{
	const struct {
		const char *name;
		unsigned long *field;
	} all[] = {
		{ "children", &o->children }, { "warm-up", &o->warm_up },
		{ "samples", &o->samples },   { "burst", &o->burst },
		{ "pace", &o->pace },	      { "addresses", &o->addresses },
		{ "first", &o->first },	      { "connect", &o->connect },
	};
	struct option names[COUNT_OF(all) + 1] = { { 0 } };
	int option;
	size_t i;

	for (i = 0; i < COUNT_OF(all); i++)
		names[i] = (struct option){ all[i].name, required_argument, NULL, (int)i + 1 };
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == '?')
			exit(2);
		*all[option - 1].field = number(optarg);
	}
}

static void parse(int argc, char **argv, struct tcpd *t)
{
	int i;

	parse_options(argc, argv, &t->o);
	if (argc - optind < 3 || argc - optind > LANES_MAX + 2 ||
	    t->o.children == 0 || t->o.burst == 0) {
		fprintf(stderr, "couriertcpd [OPTION...] BOARD COURIERESMTPD LANE...\n");
		exit(2);
	}
	t->smtpd[0] = argv[optind + 1];
	t->smtpd[1] = argv[optind];
	for (i = optind + 2; i < argc; i++)
		add_lane(t, argv[i]);
}

/* The smtpds unblock these for themselves; this process collects them one by one. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* An smtpd's standard input unless it is connected; and its descriptor. */
static void open_sockets(struct tcpd *t)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		die("socket");
	if (!t->o.connect)
		return;
	t->listener = bound_socket("0.0.0.0", OUR_PORT);
	if (listen(t->listener, 1) < 0)
		die("listen");
}

int main(int argc, char **argv)
{
	struct tcpd t = {
		.o = { .children = 300, .warm_up = 100, .samples = 1000,
		       .burst = 50, .pace = 5000 },
	};
	unsigned long i;

	parse(argc, argv, &t);
	t.board = board_map(t.smtpd[1]);
	t.children = calloc(t.o.children, sizeof(*t.children));
	if (!t.board || !t.children)
		die(t.smtpd[1]);
	t.serial = t.o.first;
	block_signals();
	open_sockets(&t);
	for (i = 0; i < t.o.children; i++)
		t.children[i] = spawn(&t);
	run(&t);
	for (i = 0; i < t.o.children; i++)
		end_child(t.children[i].pid, SIGKILL);
	return t.missed || fflush(stdout) ? 1 : 0;
}
