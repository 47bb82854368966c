/* The latency bench's board.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "bench/latency/board.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct board *board_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *board;

	if (fd < 0)
		return NULL;
	board = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	close(fd);
	return board == MAP_FAILED ? NULL : board;
}

void board_clear(struct board *board)
{
	atomic_store(&board->sent, 0);
	atomic_store(&board->begun, 0);
	atomic_store(&board->listed, 0);
	atomic_store(&board->signalled, 0);
}

uint64_t board_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
