/* Calls the engine as the plugin does, so that its instructions and system calls can be
 * counted without rsyslogd's.
 *
 *   drive [--set NAME=VALUE]... [--count N] [--skip N] [--kind reject|foreign]
 *         [--age S] [--listen SOCKET] [--board FILE] [--anonymous] [--pretend]
 *
 * Without --listen the messages are made here: rejects with different addresses, or lines
 * of another program, logged --age seconds ago. With it they come from smtpds over SOCKET,
 * with the senders' PIDs from the kernel, as with imuxsock, unless --anonymous; the board
 * records when each is handled.
 *
 * --pretend is for a valgrind that does not support pidfds: eventfds stand in for them.
 *
 * The first --skip messages do not count. The others are handled in handle_record(), for
 * callgrind's --toggle-collect, and between two calls of getppid(2) in the main thread,
 * for strace. At the end it waits until every smtpd is terminated, and prints the
 * counters.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bench/latency/board.h"
#include "bench/shared/program.h"
#include "plugin/message.h"

#define RECORD_SIZE 1024
#define DEADLINE_MS 20000

struct drive {
	unsigned long count, skip;
	long age;
	bool foreign, anonymous;
	const char *socket;
	struct board *board;	/* NULL: none */
	int fd;
	struct settings settings;
	enum message_form form;
	struct background *background;
	struct engine *engine;
	struct engine_worker *worker;
	unsigned long deferred;
};

/* The process that an eventfd stands for, by descriptor; 0: none. */
#define PRETENDED_MAX 1024

static bool pretend;
static _Atomic pid_t pretended[PRETENDED_MAX];

static long pretend_open(pid_t pid)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd >= PRETENDED_MAX) {
		close(fd);
		errno = EMFILE;
		return -1;
	}
	if (fd >= 0)
		pretended[fd] = pid;
	return fd;
}

/* Like a pidfd, it is readable once the process has exited. */
static long pretend_signal(int fd, int signal)
{
	if (fd < 0 || fd >= PRETENDED_MAX || !pretended[fd] ||
	    kill(pretended[fd], signal) < 0)
		return -1;
	return eventfd_write(fd, 1);
}

long __real_syscall(long number, long a, long b, long c, long d);
long __wrap_syscall(long number, ...);

/* The system calls that src/ makes by number (-Wl,--wrap). */
long __wrap_syscall(long number, ...)
{
	long args[4];
	va_list ap;
	int i;

	va_start(ap, number);
	for (i = 0; i < 4; i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (pretend && number == SYS_pidfd_open)
		return pretend_open((pid_t)args[0]);
	if (pretend && number == SYS_pidfd_send_signal)
		return pretend_signal((int)args[0], (int)args[1]);
	return __real_syscall(number, args[0], args[1], args[2], args[3]);
}

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	errno = -r;
	die(what);
}

/* The same as the plugin's doAction. */
static void handle(struct drive *d, const char *record)
{
	struct engine_message msg;

	message_parse(d->form, record, (int64_t)time(NULL), &msg);
	d->deferred += engine_handle(d->engine, d->worker, &msg).deferred;
}

/* Two names for it, so that callgrind can tell those that count. The comments keep
 * the compiler from calling the end of one a jump, and both the same. */
__attribute__((noinline)) static void handle_record(struct drive *d,
						    const char *record)
{
	handle(d, record);
	__asm__ volatile("# counted" ::: "memory");
}

__attribute__((noinline)) static void skip_record(struct drive *d,
						  const char *record)
{
	handle(d, record);
	__asm__ volatile("# skipped" ::: "memory");
}

static void handle_nth(struct drive *d, unsigned long i, const char *record)
{
	if (i < d->skip)
		skip_record(d, record);
	else
		handle_record(d, record);
}

/* A record as from the plugin's template. pid 0: no credentials. */
static void format_record(const struct drive *d, pid_t pid, uid_t uid,
			  const char *tag, const char *text,
			  char record[static RECORD_SIZE])
{
	const char *exe = pid ? "/usr/lib/courier/courier/courieresmtpd" : "";
	char sender[128] = "", user[16] = "";
	int n;

	if (pid) {
		snprintf(sender, sizeof(sender), "%d", (int)pid);
		snprintf(user, sizeof(user), "%u", (unsigned int)uid);
	}
	if (d->form == MESSAGE_SENDER)
		snprintf(sender + strlen(sender), sizeof(sender) - strlen(sender),
			 "\x1f%s\x1f%s\x1f\x1f", user, exe);
	n = snprintf(record, RECORD_SIZE,
		     "imuxsock\x1f" "3\x1f%lld\x1f%s\x1f\x1f-\x1f%s\x1f%s",
		     (long long)time(NULL) - d->age, sender, tag, text);
	if (n < 0 || n >= RECORD_SIZE)
		die("a record is too long");
}

static void make_record(const struct drive *d, unsigned long i,
			char record[static RECORD_SIZE])
{
	char text[256], addr[40];

	snprintf(addr, sizeof(addr), "::ffff:100.%lu.%lu.%lu", 64 + (i >> 16 & 63),
		 i >> 8 & 255, i & 255);
	if (d->foreign)
		snprintf(text, sizeof(text),
			 " ip=[%s], port=[%lu], couriertls: accept: "
			 "error:0A00010B:SSL routines::wrong version number",
			 addr, 1024 + i % 60000);
	else
		snprintf(text, sizeof(text),
			 " error,relay=%s,port=%lu,from=<a@b.example>,"
			 "to=<x@mx.lab>: 511 Listed in lab DNSBL",
			 addr, 1024 + i % 60000);
	format_record(d, 0, 0, d->foreign ? "imapd-ssl" : "courieresmtpd", text,
		      record);
}

static void mark(void)
{
	syscall(SYS_getppid);
}

/* Made beforehand, so that making them is not counted. */
static void drive_made(struct drive *d)
{
	unsigned long n = d->skip + d->count, i;
	char (*records)[RECORD_SIZE] = calloc(n, sizeof(*records));

	if (!records)
		die("memory");
	for (i = 0; i < n; i++)
		make_record(d, i, records[i]);
	for (i = 0; i < n; i++) {
		if (i == d->skip)
			mark();
		handle_nth(d, i, records[i]);
	}
	mark();
	free(records);
}

static void listen_at(struct drive *d)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const int on = 1;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", d->socket);
	d->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (d->fd < 0 ||
	    setsockopt(d->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    bind(d->fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    chmod(d->socket, 0666) < 0)
		die(d->socket);
}

static struct ucred receive(const struct drive *d, char *buf, size_t size)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { buf, size - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	struct ucred sender = { .pid = 0 };
	ssize_t n = recvmsg(d->fd, &msg, 0);
	struct cmsghdr *c;

	if (n < 0)
		die("recvmsg");
	buf[n] = '\0';
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(&sender, CMSG_DATA(c), sizeof(sender));
	return sender;
}

static uint64_t counted(const struct drive *d, enum counter id)
{
	return counters_get(engine_counters(d->engine), id);
}

/* The background thread terminates every smtpd that has logged. */
static void wait_ended(const struct drive *d, bool terminate)
{
	int i;

	for (i = 0; terminate && i < DEADLINE_MS; i++) {
		if (counted(d, COUNTER_ENDED) >= d->skip + d->count)
			return;
		sleep_us(1000);
	}
	if (terminate)
		fprintf(stderr, "drive: not all children were ended\n");
}

/* The background thread blocks. */
static void wait_blocked(const struct drive *d)
{
	int i;

	for (i = 0; i < DEADLINE_MS && engine_left(d->engine) > 0; i++)
		sleep_us(1000);
}

/* Lines whose smtpd is not pinned, and blocks in quick succession, wait for the background
 * thread, which writes many at a time. */
static void wait_written(const struct drive *d)
{
	int i;

	for (i = 0; i < DEADLINE_MS; i++) {
		if (counted(d, COUNTER_BLOCKS) + counted(d, COUNTER_RENEWALS) +
			    counted(d, COUNTER_WAITED) +
			    counted(d, COUNTER_REFUSED_BUDGET) >=
		    counted(d, COUNTER_TRIGGERS))
			return;
		sleep_us(1000);
	}
	fprintf(stderr, "drive: not all addresses were written\n");
}

/* "<19>Mmm dd hh:mm:ss courieresmtpd: text" */
static void drive_received(struct drive *d)
{
	char line[RECORD_SIZE], record[RECORD_SIZE];
	unsigned long i, deferred;

	for (i = 0; i < d->skip + d->count; i++) {
		struct ucred sender;
		const char *text;

		if (i == d->skip)
			mark();
		sender = receive(d, line, sizeof(line));
		text = strstr(line, "courieresmtpd:");
		if (!text)
			die("a line that is no child's");
		format_record(d, d->anonymous ? 0 : sender.pid, sender.uid,
			      "courieresmtpd", text + strlen("courieresmtpd:"),
			      record);
		deferred = d->deferred;
		handle_nth(d, i, record);
		/* The smtpd may be terminated as soon as the board is updated. */
		if (d->deferred != deferred)
			wait_written(d);
		if (d->board)
			atomic_store(&d->board->begun, board_now());
	}
	mark();
}

static void say(void *ctx, int severity, const char *text)
{
	(void)ctx;
	(void)severity;
	fprintf(stderr, "drive: %s\n", text);
}

static void open_engine(struct drive *d)
{
	struct engine_environment environment = {
		.log = say,
		.net_root = BACKEND_NET_ROOT,
		.module_root = BACKEND_MODULE_ROOT,
	};
	char wrong[640];

	errno = EINVAL;
	if (settings_check(&d->settings, wrong, sizeof(wrong)) < 0)
		die(wrong);
	d->form = message_form_of(&d->settings);
	must(engine_new(&d->settings, &d->engine), "the engine");
	must(background_new(PROCFS_DEFAULT_ROOT, &d->background), "the background thread");
	must(background_open(d->background), "the background thread");
	environment.background = d->background;
	must(engine_start(d->engine, &environment), "the start");
	must(background_start(d->background), "the background thread's start");
	must(engine_worker_new(d->engine, &d->worker), "the worker");
}

static void close_engine(struct drive *d)
{
	background_stop(d->background);
	engine_worker_free(d->worker);
	engine_unref(d->engine);
	background_free(d->background);
}

static void set(struct drive *d, char *word)
{
	char *value = strchr(word, '='), wrong[512];

	errno = EINVAL;
	if (!value)
		die(word);
	*value++ = '\0';
	if (settings_set(&d->settings, word, value, wrong, sizeof(wrong)) < 0)
		die(wrong);
}

static void parse_option(struct drive *d, int option)
{
	switch (option) {
	case 's':
		set(d, optarg);
		break;
	case 'c':
		d->count = strtoul(optarg, NULL, 10);
		break;
	case 'n':
		d->skip = strtoul(optarg, NULL, 10);
		break;
	case 'k':
		d->foreign = strcmp(optarg, "foreign") == 0;
		break;
	case 'g':
		d->age = strtol(optarg, NULL, 10);
		break;
	case 'l':
		d->socket = optarg;
		break;
	case 'b':
		d->board = board_map(optarg);
		if (!d->board)
			die(optarg);
		break;
	case 'a':
		d->anonymous = true;
		break;
	case 'p':
		pretend = true;
		break;
	default:
		exit(2);
	}
}

static void parse(int argc, char **argv, struct drive *d)
{
	static const struct option names[] = {
		{ "set", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' },
		{ "skip", required_argument, NULL, 'n' },
		{ "kind", required_argument, NULL, 'k' },
		{ "age", required_argument, NULL, 'g' },
		{ "listen", required_argument, NULL, 'l' },
		{ "board", required_argument, NULL, 'b' },
		{ "anonymous", no_argument, NULL, 'a' },
		{ "pretend", no_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		parse_option(d, option);
	if (argc != optind) {
		fprintf(stderr, "drive: no arguments, only options\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct drive d = { .count = 1000 };
	char text[1024];

	must(settings_init(&d.settings), "settings");
	parse(argc, argv, &d);
	open_engine(&d);
	if (d.socket) {
		listen_at(&d);
		drive_received(&d);
		wait_blocked(&d);
		wait_ended(&d, engine_settings(d.engine)->terminate);
	} else {
		drive_made(&d);
		if (engine_settings(d.engine)->verify == VERIFY_NONE)
			wait_written(&d);
	}
	printf("%s\n", counters_format(engine_counters(d.engine), text, sizeof(text)));
	close_engine(&d);
	return 0;
}
