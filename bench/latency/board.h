/* The latency bench's blackboard: a file mapped by the stand-in children, by
 * the floor action and by the list's clock, where each notes when it saw the
 * one line that is under way.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Times are ns of CLOCK_MONOTONIC, the same for all processes; 0: not yet. */
struct board {
	_Atomic uint64_t sent;		/* the child is about to send the line */
	_Atomic uint64_t begun;		/* the floor action was called */
	_Atomic uint64_t listed;	/* the write to the list came back */
	_Atomic uint64_t signalled;	/* the child has its SIGTERM */
	_Atomic pid_t ready;		/* the child that can be told to log */
	_Atomic unsigned int lane;	/* where it shall log: which socket */
	_Atomic bool pid_in_tag;	/* and how */
};

/* Map the board in the file at path, a page of zeros. Any number of processes
 * may. NULL with errno set if that fails. */
struct board *board_map(const char *path);

/* Rub out the times of the last line. */
void board_clear(struct board *board);

/* Now. */
uint64_t board_now(void);

#endif
