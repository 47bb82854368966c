/* The latency bench's board: a file mapped by the stand-in smtpds, the floor action and
 * the list's clock. Each writes there when it saw the current line.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Times are ns of CLOCK_MONOTONIC, the same for all processes; 0: not yet. */
struct board {
	_Atomic uint64_t sent;		/* the smtpd is about to send the line */
	_Atomic uint64_t begun;		/* the floor action was called */
	_Atomic uint64_t listed;	/* the write to the list has returned */
	_Atomic uint64_t signalled;	/* the smtpd has received SIGTERM */
	_Atomic pid_t ready;		/* the smtpd that is ready to log */
	_Atomic unsigned int lane;	/* the socket to log to */
	_Atomic bool pid_in_tag;	/* and how */
};

/* Map the board in the file at path, a page of zeros. Any number of processes may do so.
 * NULL with errno set on error. */
struct board *board_map(const char *path);

/* Clear the times of the last line. */
void board_clear(struct board *board);

/* Now. */
uint64_t board_now(void);

#endif
