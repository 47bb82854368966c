/* Preloaded into rsyslogd by tests/faults/allocations.py: makes chosen allocations fail if
 * their caller is the module. The board, a file mapped by both, has the module's address
 * range and the numbers of the allocations; they are counted there.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The same as in allocations.py. */
struct board {
	_Atomic uint64_t begin, end;	/* the module's code */
	_Atomic uint64_t fails, last;	/* from this one to that one; 0: none */
	_Atomic uint64_t count, failed;
	_Atomic uint64_t caller;	/* of the first that failed, from the code's begin */
};

static struct board *board;

/* The C library's own functions, whose usual names are replaced here. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

__attribute__((constructor)) static void map_board(void)
{
	const char *path = getenv("FAULTS_BOARD");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = MAP_FAILED;

	if (fd >= 0) {
		map = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (map == MAP_FAILED)
		abort();
	board = map;
}

/* Does this allocation fail? */
static bool fails(const void *caller)
{
	uint64_t at = (uintptr_t)caller, n;

	if (!board || at < board->begin || at >= board->end)
		return false;
	n = atomic_fetch_add(&board->count, 1) + 1;
	if (n < board->fails || n > board->last)
		return false;
	if (atomic_fetch_add(&board->failed, 1) == 0)
		board->caller = at - board->begin;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (fails(__builtin_return_address(0)))
		return NULL;
	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(old, bytes);
}
