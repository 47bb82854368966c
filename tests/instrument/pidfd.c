/* Loaded before rsyslogd's libraries, under a valgrind that does not support the pidfd system
 * calls. The scenario makes these calls instead; it listens on the socket that OMSMTPBLOCK_PIDFD
 * names (tests/lib/pidfd.py). All other calls go to the C library.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* As in tests/lib/pidfd.py. A descriptor may be sent along. */
struct request {
	int64_t number, first, second;
};

struct answer {
	int64_t result, error;
};

/* Room for one descriptor. */
union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static bool is_ours(long number)
{
	return number == SYS_pidfd_open || number == SYS_pidfd_send_signal ||
	       number == SYS_pidfd_getfd;
}

static int connect_broker(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = getenv("OMSMTPBLOCK_PIDFD");
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (!path || fd < 0 || strlen(path) >= sizeof(sun.sun_path))
		abort();
	memcpy(sun.sun_path, path, strlen(path));
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0)
		abort();
	return fd;
}

/* fd < 0: no descriptor is sent along. */
static void send_request(int broker, struct request *request, int fd)
{
	struct iovec iov = { request, sizeof(*request) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { .bytes = "" };
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	if (sendmsg(broker, &msg, MSG_NOSIGNAL) != sizeof(*request))
		abort();
}

/* Returns what the system call returned; a descriptor is one of ours. */
static long receive_answer(int broker)
{
	struct answer answer = { -1, EIO };
	struct iovec iov = { &answer, sizeof(answer) };
	union control control = { .bytes = "" };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(broker, &msg, MSG_CMSG_CLOEXEC) != sizeof(answer))
		abort();
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg) {
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
		return fd;
	}
	if (answer.result < 0)
		errno = (int)answer.error;
	return (long)answer.result;
}

static long ask(long number, const long *args)
{
	struct request request = { number, args[0], args[1] };
	int broker = connect_broker(), error;
	long result;

	send_request(broker, &request,
		     number == SYS_pidfd_open ? -1 : (int)args[0]);
	result = receive_answer(broker);
	error = errno;
	close(broker);
	errno = error;
	return result;
}

long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long args[6];
	va_list list;
	int i;

	va_start(list, number);
	for (i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	if (is_ours(number))
		return ask(number, args);
	return real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
