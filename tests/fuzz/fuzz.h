/* What the fuzz targets share. Each is libFuzzer's LLVMFuzzerTestOneInput() in a
 * file of its own; tests/fuzz/run links it with libFuzzer, make check with
 * fuzz_main.c, which runs it over its corpus.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libFuzzer's interface: run one input. Returns 0; a target aborts if an invariant is broken. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Called once before the first input; 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Check an invariant. Unlike assert(3), in every build. */
#define FUZZ_CHECK(condition)                                                  \
	do {                                                                   \
		if (!(condition))                                              \
			fuzz_broken(#condition, __FILE__, __LINE__);           \
	} while (0)

/* Print the broken invariant and call abort(3). */
_Noreturn void fuzz_broken(const char *what, const char *file, int line);

/* A copy of exactly len bytes, so that a sanitizer detects every access beyond. The caller
 * frees. */
char *fuzz_copy(const void *bytes, size_t len);

/* The same, terminated; NULs within become blanks. */
char *fuzz_string(const void *bytes, size_t len);

/* An input that is consumed from its start. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

/* The next byte; 0 at the end. */
uint8_t fuzz_byte(struct fuzz_input *in);

/* The next line, without its newline. False at the end. */
bool fuzz_line(struct fuzz_input *in, const char **ret_text, size_t *ret_len);

#endif
