/* Shared by the unit tests: test points from tables, comparisons that print got and want,
 * failing allocations, temporary files and a stand-in for the kernel's lists.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SUPPORT_H
#define TESTS_UNIT_SUPPORT_H

/* cmocka.h needs these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "lib/array.h"
#include "tests/unit/fixture.h"

/* Test points. TEST(name) { ... } is one; the points of a program run in the order of its
 * file, and its main() is in support.c. */
#define TEST(name) TEST_NEEDING(suite_nothing, name)

/* A point that is skipped where missing() returns what it needs and is missing here; NULL:
 * nothing is. */
#define TEST_NEEDING(missing, name)                                            \
	static void name(void);                                                \
	static void name##_point(void **point_)                                \
	{                                                                      \
		(void)point_;                                                  \
		name();                                                        \
	}                                                                      \
	static void __attribute__((constructor)) name##_is_a_point(void)       \
	{                                                                      \
		suite_add_needing(missing, name##_point, NULL, "%s", #name);   \
	}                                                                      \
	static void name(void)

/* A point for each row of an array; the test finds it in row. The elements have a label.. */
#define TEST_ROWS(name, rows) TEST_ROWS_AS(name, rows, "%s", row->label)

/* ..or what to print in its place. */
#define TEST_ROWS_AS(name, rows, ...)                                          \
	TEST_ROWS_NEEDING(suite_nothing, name, rows, __VA_ARGS__)

#define TEST_ROWS_NEEDING(missing, name, rows, format, ...)                    \
	static void name(const __typeof__((rows)[0]) *row);                    \
	static void name##_point(void **point_)                                 \
	{                                                                      \
		name(*point_);                                                 \
	}                                                                      \
	static void __attribute__((constructor)) name##_has_points(void)       \
	{                                                                      \
		const __typeof__((rows)[0]) *row;                              \
									       \
		for (row = (rows); row < (rows) + COUNT_OF(rows); row++)       \
			suite_add_needing(missing, name##_point, row,          \
					  "%s: " format, #name, __VA_ARGS__);  \
	}                                                                      \
	static void name(const __typeof__((rows)[0]) *row)

/* Call before() ahead of each point of the program, and after() behind it unless the point
 * failed. */
#define TEST_EACH(before, after)                                               \
	static void __attribute__((constructor)) before##_each(void)           \
	{                                                                      \
		suite_each(before, after);                                     \
	}

/* What the macros call. They exit if there is no memory. The test finds the row in *state. The
 * name is copied and must not contain '#', which TAP would read as a directive. The points run
 * in a separate process, which guard.h kills when one takes too long. */
void suite_each(void (*before)(void), void (*after)(void));
void suite_add(CMUnitTestFunction test, const void *row, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
void suite_add_needing(const char *(*missing)(void), CMUnitTestFunction test, const void *row,
		       const char *name, ...) __attribute__((format(printf, 4, 5)));
const char *suite_nothing(void);

/* Comparisons: a difference is printed as got and want, and fails the test. The text says
 * what the test was about when it failed; NULL: nothing. */
extern const char *support_context;
void support_want_int(intmax_t got, intmax_t want, const char *what,
		      const char *file, int line);
void support_want_str(const char *got, const char *want, const char *what,
		      const char *file, int line);
void support_want_mem(const void *got, const void *want, size_t size,
		      const char *what, const char *file, int line);

#define want_int(got, want)                                                    \
	support_want_int((intmax_t)(got), (intmax_t)(want), #got, __FILE__,    \
			 __LINE__)
/* NULL equals only NULL. */
#define want_str(got, want) \
	support_want_str(got, want, #got, __FILE__, __LINE__)
#define want_mem(got, want, size) \
	support_want_mem(got, want, size, #got, __FILE__, __LINE__)

/* Set "name=value name=value", for values without blanks; each is accepted. */
struct settings;
void support_set(struct settings *settings, const char *text);

/* A sequence of numbers that is the same in every run; state is the seed and must not be
 * 0. */
uint64_t support_random(uint64_t *state);

/* A copy of exactly len bytes, so that a sanitizer detects every access beyond. The caller
 * frees. */
char *support_exact_copy(const void *bytes, size_t len);

/* Lines of a file in tests/data, each with count fields separated by '|', which the last
 * field may contain. Empty lines and those that begin with '#' are skipped. In every field
 * \xHH is a byte, \{N:TEXT} TEXT N times, \\ a backslash. */
#define CORPUS_FIELDS 8

struct corpus_line {
	unsigned int number;	/* in the file, from 1 */
	struct corpus_field {
		char *text;	/* terminated, but may contain NUL too */
		size_t len;
	} fields[CORPUS_FIELDS];
};

struct corpus {
	const char *name;
	struct corpus_line *lines;
	size_t count;
};

/* A point for each line of such a file, which the test finds in row. */
#define TEST_CORPUS(name, file, fields_)                                        \
	static void name(const struct corpus_line *row);                       \
	static void name##_point(void **point_)                                 \
	{                                                                      \
		name(*point_);                                                 \
	}                                                                      \
	static void __attribute__((constructor)) name##_has_points(void)       \
	{                                                                      \
		static struct corpus corpus;                                   \
		const struct corpus_line *row;                                 \
									       \
		corpus_read(&corpus, file, fields_);                           \
		for (row = corpus.lines; row < corpus.lines + corpus.count; row++) \
			suite_add(name##_point, row, "%s: %s, line %u", #name, file,   \
				  row->number);                                \
	}                                                                      \
	static void name(const struct corpus_line *row)

/* Exits if the file is missing or not of that form. */
void corpus_read(struct corpus *corpus, const char *name, size_t fields);
void corpus_free(struct corpus *corpus);

/* Failing allocations: from now on the nth calloc(3) or reallocarray(3) of the code under
 * test returns NULL; 0: none does. Only in programs that are linked with the --wrap options
 * of Makefile.am. */
void memory_fail(unsigned int nth);

/* Was that allocation requested? Afterwards allocations work again. */
bool memory_failed(void);

/* Make each allocation of attempt() fail in turn, until an attempt has no more of them. A
 * failed attempt must return -ENOMEM and leave nothing behind, the last one must return 0.
 * Returns how many failed. */
unsigned int memory_fail_each(int (*attempt)(void *data), void *data);

/* Write a file, creating the directories in its path. */
void temp_file_write(const char *path, const char *text);

/* The whole file, terminated; NULL if there is none. The caller frees. */
char *temp_file_read(const char *path);

/* The kernel's lists (xt_recent), imitated by plain files in a temporary directory. As in
 * the kernel, a write must be one command at offset 0 (else ESPIPE) and a valid one (else
 * EINVAL), and a descriptor whose list was removed is dead: EINVAL from lseek(2), EIO from
 * write(2). Needs the --wrap options of Makefile.am. */
struct fakelists {
	char *dir;
	char net_root[128];	/* for struct backend_config */
	char module_root[128];
};

void fakelists_open(struct fakelists *lists);
void fakelists_close(struct fakelists *lists);

/* Create an empty list, remove it. path is "xt_recent/NAME", or on old kernels
 * "ipt_recent/NAME". */
void fakelists_make(const struct fakelists *lists, const char *path);
void fakelists_remove(const struct fakelists *lists, const char *path);

/* The commands that were written to the list, each with a newline; NULL if there is no
 * such list. The caller frees. */
char *fakelists_text(const struct fakelists *lists, const char *path);

/* Compare and free it. */
void support_want_list(const struct fakelists *lists, const char *path,
		       const char *want, const char *file, int line);
#define want_list(lists, path, want) \
	support_want_list(lists, path, want, __FILE__, __LINE__)

/* Set ip_list_tot of that module ("xt_recent"), as its file shows it. */
void fakelists_limit(const struct fakelists *lists, const char *module,
		     const char *text);

/* Make the next count writes to any list fail with this errno; with 0 they are short. */
void fakelists_fail_writes(int err, unsigned int count);

/* How often a list was successfully opened since fakelists_open(). */
unsigned int fakelists_opened(void);

#endif
