/* Loaded before rsyslogd's libraries: moves its time of day, without touching the machine's. The
 * file that OMSMTPBLOCK_WALLCLOCK names has the offset in seconds (tests/lib/wallclock.py). All
 * other clocks are the kernel's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset;

static __attribute__((constructor)) void map_offset(void)
{
	const char *path = getenv("OMSMTPBLOCK_WALLCLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		abort();
	close(fd);
	offset = map;
}

static time_t moved(time_t seconds)
{
	return seconds + (time_t)(offset ? *offset : 0);
}

int clock_gettime(clockid_t id, struct timespec *ret_time)
{
	int r = (int)syscall(SYS_clock_gettime, id, ret_time);

	if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ret_time->tv_sec = moved(ret_time->tv_sec);
	return r;
}

int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
	int r = (int)syscall(SYS_gettimeofday, ret_time, zone);

	if (r == 0 && ret_time)
		ret_time->tv_sec = moved(ret_time->tv_sec);
	return r;
}

time_t time(time_t *ret_time)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	if (ret_time)
		*ret_time = now.tv_sec;
	return now.tv_sec;
}

/* imuxsock takes a message's time from the kernel. */
ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t (*real)(int, struct msghdr *, int) =
		(ssize_t (*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg");
	ssize_t n = real(fd, msg, flags);
	struct cmsghdr *cmsg = n < 0 ? NULL : CMSG_FIRSTHDR(msg);
	struct timeval stamp;

	for (; cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_TIMESTAMP)
			continue;
		memcpy(&stamp, CMSG_DATA(cmsg), sizeof(stamp));
		stamp.tv_sec = moved(stamp.tv_sec);
		memcpy(CMSG_DATA(cmsg), &stamp, sizeof(stamp));
	}
	return n;
}
