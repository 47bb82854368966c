/* A stand-in for courieresmtpd in the latency bench: it has the executable's name, user and
 * environment of a real one, and a submit below it. It logs one reject at SIGUSR1, and
 * writes to the board when it receives SIGTERM.
 *
 *   courieresmtpd BOARD [+]SOCKET...
 *
 * The board has the number of the socket. To those with a plus sign it first logs its
 * start. The line's time begins right before its send(2), so the time to format the line
 * is not in the figures. The PID in the tag is for the floor that has no other way to find
 * the process to signal; courier logs without it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "bench/latency/board.h"
#include "bench/shared/program.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct smtpd {
	struct board *board;
	char **sockets;		/* by lane */
	const char *ip;		/* TCPREMOTEIP */
	const char *port;	/* TCPREMOTEPORT */
	const char *block;	/* BLOCK */
};

static const char *need(const char *name)
{
	const char *value = getenv(name);

	if (!value) {
		fprintf(stderr, "courieresmtpd: no %s\n", name);
		exit(2);
	}
	return value;
}

static void format_tag(const struct smtpd *s, char *buf, size_t size)
{
	if (atomic_load(&s->board->pid_in_tag))
		snprintf(buf, size, "courieresmtpd[%d]", (int)getpid());
	else
		snprintf(buf, size, "courieresmtpd");
}

/* The line as from syslog(3). */
static size_t format_line(const struct smtpd *s, char *buf, size_t size)
{
	char stamp[STAMP_SIZE], tag[32];
	int n;

	format_tag(s, tag, sizeof(tag));
	format_stamp(stamp);
	n = snprintf(buf, size,
		     "<19>%s %s: error,relay=%s,port=%s,from=<a@b.example>,"
		     "to=<x@mx.lab>: 511 %s",
		     stamp, tag, s->ip, s->port, s->block);
	return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

static void log_reject(const struct smtpd *s)
{
	const char *path = s->sockets[atomic_load(&s->board->lane)];
	int log = connect_log(path + (*path == '+'));
	char line[1024];
	size_t len = format_line(s, line, sizeof(line));

	atomic_store(&s->board->sent, board_now());
	if (len == 0 || send(log, line, len, 0) < 0)
		die("send");
}

static void log_start(const struct smtpd *s)
{
	char line[256], stamp[STAMP_SIZE];
	char **path;
	int n, log;

	format_stamp(stamp);
	n = snprintf(line, sizeof(line),
		     "<22>%s courieresmtpd: started,ip=[%s],port=[%s]", stamp,
		     s->ip, s->port);
	for (path = s->sockets; *path; path++) {
		if (**path != '+')
			continue;
		log = connect_log(*path + 1);
		if (send(log, line, (size_t)n, 0) < 0)
			die("send");
		close(log);
	}
}

/* In the process that becomes submit: the program in the same directory, with a file of courier's
 * open, as MAIL has been accepted. */
static void become_submit(const char *self, int input)
{
	const char *slash = strrchr(self, '/');
	int len = slash ? (int)(slash - self) + 1 : 0;
	char path[256];

	snprintf(path, sizeof(path), "%.*saliases.dat", len, self);
	if (dup2(input, STDIN_FILENO) < 0 || open(path, O_RDONLY) < 0)
		die(path);
	snprintf(path, sizeof(path), "%.*ssubmit", len, self);
	execl(path, "submit", "-src=smtp", "-rfc3848=ESMTP", "esmtp",
	      "dns; world (softdnserr [198.18.0.1])", (char *)NULL);
	die(path);
}

/* Start submit; it exits with this process. The second pipe closes when it has exec'd. */
static void start_submit(const char *self)
{
	int input[2], started[2];
	char nothing;

	if (pipe2(input, O_CLOEXEC) < 0 || pipe2(started, O_CLOEXEC) < 0)
		die("pipe2");
	switch (fork()) {
	case -1:
		die("fork");
	case 0:
		become_submit(self, input[0]);
		break;
	default:
		close(input[0]);
		close(started[1]);
		if (read(started[0], &nothing, 1) != 0)
			die("submit");
		close(started[0]);
	}
}

/* Both signals have been blocked since before the exec: none is lost. */
static void serve(const struct smtpd *s)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	atomic_store(&s->board->ready, getpid());
	for (;;) {
		signal = sigwaitinfo(&set, NULL);
		if (signal == SIGUSR1)
			log_reject(s);
		if (signal == SIGTERM) {
			atomic_store(&s->board->signalled, board_now());
			_exit(0);
		}
	}
}

int main(int argc, char **argv)
{
	struct smtpd s = { .sockets = argv + 2 };

	if (argc < 3) {
		fprintf(stderr, "courieresmtpd BOARD SOCKET...\n");
		return 2;
	}
	s.board = board_map(argv[1]);
	if (!s.board)
		die(argv[1]);
	s.ip = need("TCPREMOTEIP");
	s.port = need("TCPREMOTEPORT");
	s.block = need("BLOCK");
	log_start(&s);
	start_submit(argv[0]);
	serve(&s);
	return 0;
}
