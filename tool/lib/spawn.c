/* Run another program.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/lib/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/pidref.h"

#define FIRST_SIZE 65536

/* LC_ALL=C: the output that we parse must not be translated. */
static char path_variable[] = "PATH=" SPAWN_DIRS;
static char locale_variable[] = "LC_ALL=C.UTF-8";
static char *const environment[] = { path_variable, locale_variable, NULL };

static int find(const char *dirs, const char *name, char path[static PATH_MAX])
{
	while (*dirs) {
		size_t len = strcspn(dirs, ":");
		int n = snprintf(path, PATH_MAX, "%.*s/%s", (int)len, dirs, name);

		if (n > 0 && n < PATH_MAX && access(path, X_OK) == 0)
			return 0;
		dirs += len + (dirs[len] == ':');
	}
	return -ENOENT;
}

/* err_fd: where stderr goes; -1: to /dev/null. */
static int start(const char *path, const char *const argv[], int out, int err_fd,
		 pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err != 0)
		return -err;
	err = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (err == 0)
		err = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (err == 0 && err_fd >= 0)
		err = posix_spawn_file_actions_adddup2(&actions, err_fd, STDERR_FILENO);
	else if (err == 0)
		err = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
						       O_WRONLY, 0);
	if (err == 0)
		err = posix_spawn(ret_pid, path, &actions, NULL,
				  (char *const *)(uintptr_t)argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

/* Waits for output until the deadline of clock_ms(); 0: none. */
static bool wait_for_output(int fd, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int64_t left = deadline - clock_ms();

	if (deadline == 0)
		return true;
	return left > 0 && poll(&poll_fd, 1, (int)left) > 0;
}

/* Reads to the end, so that the program never blocks on the pipe; excess output is
 * discarded. */
static int read_all(int fd, int64_t deadline, char **ret_text, size_t *ret_len)
{
	char *text = NULL;
	size_t len = 0, size = 0;
	ssize_t n;

	for (;;) {
		if (size - len < 2) {
			char *larger;

			size = size ? 2 * size : FIRST_SIZE;
			larger = realloc(text, size);
			if (!larger) {
				free(text);
				return -ENOMEM;
			}
			text = larger;
		}
		if (!wait_for_output(fd, deadline)) {
			free(text);
			return -ETIMEDOUT;
		}
		n = read(fd, text + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len > SPAWN_OUTPUT_MAX)
			len = SPAWN_OUTPUT_MAX;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int wait_for_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* Our child, which is not reaped yet. */
static void end_child(pid_t pid)
{
	struct pidref ref = PIDREF_NONE;

	if (pidref_open(pid, &ref) == 0)
		(void)pidref_signal(&ref, SIGKILL);
	pidref_done(&ref);
}

static int collect(pid_t pid, int fd, int64_t deadline, char **ret_output, size_t *ret_len)
{
	char *output = NULL;
	size_t len = 0;
	int r = read_all(fd, deadline, &output, &len), status;

	if (r == -ETIMEDOUT)
		end_child(pid);
	status = wait_for_end(pid);

	if (r == 0 && status >= 0) {
		*ret_output = output;
		*ret_len = len;
		return status;
	}
	free(output);
	return r < 0 ? r : status;
}

static int run(const char *dirs, const char *const argv[], bool errors, int64_t deadline,
	       char **ret_output, size_t *ret_len)
{
	char path[PATH_MAX];
	int fds[2];
	pid_t pid;
	int r = find(dirs, argv[0], path);

	if (r < 0)
		return r;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	r = start(path, argv, fds[1], errors ? fds[1] : -1, &pid);
	close(fds[1]);
	if (r == 0)
		r = collect(pid, fds[0], deadline, ret_output, ret_len);
	close(fds[0]);
	return r;
}

int spawn_run(const char *dirs, const char *const argv[], char **ret_output, size_t *ret_len)
{
	return run(dirs, argv, false, 0, ret_output, ret_len);
}

int spawn_run_for(const char *dirs, const char *const argv[], unsigned int ms,
		  char **ret_output, size_t *ret_len)
{
	return run(dirs, argv, true, clock_ms() + ms, ret_output, ret_len);
}

bool spawn_is_there(const char *dirs, const char *name)
{
	char path[PATH_MAX];

	return find(dirs, name, path) == 0;
}
