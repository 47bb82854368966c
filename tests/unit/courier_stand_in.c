/* Stands in for couriertcpd, couriertls or courieresmtpd, depending on its name: starts the
 * same processes in the same order and with the same parents, and then waits to be
 * terminated. See processes.h.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/courier_stand_in.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENTRIES_MAX 64

/* The directory of this executable and the others. */
static char directory[200];

static void tell(char role)
{
	struct stand_in_report report = { .pid = getpid(), .role = role };

	if (write(STAND_IN_REPORT, &report, sizeof(report)) != sizeof(report))
		_exit(1);
}

/* Wait until a signal terminates this process, or the test has exited. */
static void wait_for_end(void)
{
	struct pollfd hold = { .fd = STAND_IN_HOLD, .events = POLLIN };

	while (poll(&hold, 1, -1) < 0)
		;
	_exit(0);
}

static void become(const char *name, const char *mode, char *const env[])
{
	char path[sizeof(directory) + 32];
	char *const argv[] = { (char *)(uintptr_t)name, (char *)(uintptr_t)mode,
			       NULL };

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	execve(path, argv, env);
	_exit(1);
}

/* The client's connection: a socket of the right kind. */
static void take_connection(int domain)
{
	int fd = socket(domain, SOCK_STREAM, 0);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		_exit(1);
	close(fd);
}

/* The environment block of a request. */
static void split_env(char *block, size_t len, char *env[static ENTRIES_MAX])
{
	size_t at, n = 0;

	for (at = 0; at < len && n < ENTRIES_MAX - 1; at += strlen(block + at) + 1)
		env[n++] = block + at;
	env[n] = NULL;
}

/* The process that couriertcpd forks for a connection. */
static void connection(char kind, char *const env[])
{
	char byte;

	/* courieresmtpd starts with the socket that couriertcpd accepted. */
	take_connection(AF_INET);
	if (kind == STAND_IN_FORKED) {
		tell(STAND_IN_FORKED);
		if (read(STAND_IN_GATE, &byte, 1) != 1)
			_exit(1);
	}
	if (kind == STAND_IN_SMTPS)
		become("couriertls", "smtps", env);
	become("courieresmtpd", kind == STAND_IN_STARTTLS ? "starttls" : "plain",
	       env);
}

static void run_tcpd(void)
{
	static char block[65536];
	char *env[ENTRIES_MAX];
	ssize_t n;
	pid_t pid;

	/* Reaps its children without waiting for them. */
	signal(SIGCHLD, SIG_IGN);
	tell(STAND_IN_TCPD);
	while ((n = read(STAND_IN_CONTROL, block, sizeof(block) - 1)) > 0) {
		block[n] = '\0';
		pid = fork();
		if (pid == 0) {
			close(STAND_IN_CONTROL);
			split_env(block + 1, (size_t)n - 1, env);
			connection(block[0], env);
		}
	}
	_exit(0);
}

/* couriertls -tcpd on port 465: the child of couriertcpd, and the parent. */
static void run_tls_above(char *const env[])
{
	if (fork() == 0) {
		take_connection(AF_UNIX);
		become("courieresmtpd", "plain", env);
	}
	tell(STAND_IN_TLS);
}

/* STARTTLS: couriertls is forked twice, so that it is an orphan. */
static void start_tls_apart(char *const env[])
{
	pid_t pid = fork();

	if (pid == 0) {
		if (fork() == 0)
			become("couriertls", "apart", env);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && kill(pid, 0) == 0)
		;
	take_connection(AF_UNIX);
}

static void run_smtpd(const char *mode, char *const env[])
{
	if (strcmp(mode, "starttls") == 0)
		start_tls_apart(env);
	tell(STAND_IN_SMTPD);
}

static const char *find_directory(void)
{
	ssize_t n = readlink("/proc/self/exe", directory, sizeof(directory) - 1);
	char *slash;

	if (n < 0)
		_exit(1);
	directory[n] = '\0';
	slash = strrchr(directory, '/');
	*slash = '\0';
	return slash + 1;
}

int main(int argc, char *argv[], char *env[])
{
	const char *name = find_directory(), *mode = argc > 1 ? argv[1] : "";

	if (strcmp(name, "couriertcpd") == 0)
		run_tcpd();
	else if (strcmp(name, "courieresmtpd") == 0)
		run_smtpd(mode, env);
	else if (strcmp(mode, "smtps") == 0)
		run_tls_above(env);
	else
		tell(STAND_IN_TLS);
	wait_for_end();
	return 0;
}
