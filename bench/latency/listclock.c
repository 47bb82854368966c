/* Records when an address is on the kernel's list. Loaded into rsyslogd with LD_PRELOAD, it
 * wraps write(2) of the C library and records the time when a write to a file of xt_recent
 * has returned. By then the address is on the list: the write adds it, under the list's
 * lock.
 *
 * A process that polls the list would see it too, but would take that lock while it reads,
 * and use one processor. This costs two comparisons per write, and one clock_gettime(2) per
 * block.
 *
 * With nftables it wraps sendto(2): the kernel has finished a batch when that returns
 * (nfnetlink_rcv() of its net/netfilter/nfnetlink.c).
 *
 * OMSMTPBLOCK_BENCH_BOARD names the board. Without it nothing is recorded.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "bench/latency/board.h"

#include <dlfcn.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef ssize_t write_fn(int fd, const void *buf, size_t len);
typedef ssize_t sendto_fn(int fd, const void *buf, size_t len, int flags,
			  const struct sockaddr *to, socklen_t to_len);

static struct board *board;
static write_fn *next_write;
static sendto_fn *next_sendto;
static _Atomic int list_fd = -1;

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("OMSMTPBLOCK_BENCH_BOARD");

	next_write = (write_fn *)dlsym(RTLD_NEXT, "write");
	next_sendto = (sendto_fn *)dlsym(RTLD_NEXT, "sendto");
	if (path)
		board = board_map(path);
}

/* Is it a file of xt_recent? Resolved once: the module keeps it open. */
static bool is_list(int fd)
{
	char link[64], path[256];
	ssize_t n;

	if (fd == atomic_load(&list_fd))
		return true;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	if (!strstr(path, "/net/xt_recent/"))
		return false;
	atomic_store(&list_fd, fd);
	return true;
}

__attribute__((visibility("default")))
ssize_t write(int fd, const void *buf, size_t len)
{
	ssize_t n = next_write(fd, buf, len);
	uint64_t now;
	int err = errno;

	/* An added address has a plus sign in front of it. */
	if (n > 1 && board && *(const char *)buf == '+') {
		now = board_now();
		if (is_list(fd))
			atomic_store(&board->listed, now);
	}
	errno = err;
	return n;
}

/* The check whether the table exists is not a batch. */
static bool is_batch(const void *buf, size_t len, const struct sockaddr *to)
{
	const struct nlmsghdr *message = buf;

	return to && to->sa_family == AF_NETLINK && len > sizeof(*message) &&
	       message->nlmsg_type == NFNL_MSG_BATCH_BEGIN;
}

__attribute__((visibility("default")))
ssize_t sendto(int fd, const void *buf, size_t len, int flags,
	       const struct sockaddr *to, socklen_t to_len)
{
	ssize_t n = next_sendto(fd, buf, len, flags, to, to_len);
	int err = errno;

	if (n > 0 && board && is_batch(buf, len, to))
		atomic_store(&board->listed, board_now());
	errno = err;
	return n;
}
