/* Shared by the unit tests.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/settings.h"
#include "tests/unit/guard.h"

/* --- test points --- */

struct point {
	char *name;
	CMUnitTestFunction test;
	const void *row;
	const char *(*missing)(void);
};

/* The points of the program, and what is called for each; may be NULL. */
static struct {
	struct point *points;
	size_t count;
	void (*before)(void), (*after)(void);
} suite;

/* Without memory or a disk nothing can be tested: report that in TAP. */
static void give_up(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(99);
}

void suite_each(void (*before)(void), void (*after)(void))
{
	suite.before = before;
	suite.after = after;
}

const char *suite_nothing(void)
{
	return NULL;
}

static void append(struct point point, const char *name, va_list args)
	__attribute__((format(printf, 2, 0)));

static void append(struct point point, const char *name, va_list args)
{
	size_t count = suite.count + 1;
	struct point *points = realloc(suite.points, count * sizeof(*points));

	if (!points || vasprintf(&point.name, name, args) < 0)
		give_up("suite");
	if (strchr(point.name, '#'))
		give_up("a '#' in the name of a point");
	points[suite.count] = point;
	suite.points = points;
	suite.count = count;
}

void suite_add(CMUnitTestFunction test, const void *row, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	append((struct point){ .test = test, .row = row }, name, args);
	va_end(args);
}

void suite_add_needing(const char *(*missing)(void), CMUnitTestFunction test, const void *row,
		       const char *name, ...)
{
	va_list args;

	va_start(args, name);
	append((struct point){ .test = test, .row = row, .missing = missing }, name, args);
	va_end(args);
}

static void skipped(void **state)
{
	(void)state;
}

/* cmocka's own skip() prints "not ok", which automake counts as a failure. */
static void skip_point(struct point *point, const char *missing)
{
	char *name = point->name;

	if (asprintf(&point->name, "%s # SKIP %s", name, missing) < 0)
		give_up("name of a point");
	free(name);
	point->test = skipped;
	point->row = NULL;
}

static void run_point(void **state)
{
	const struct point *point = *state;

	guard_point(point->name);
	*state = (void *)(uintptr_t)point->row;
	if (suite.before)
		suite.before();
	point->test(state);
	if (suite.after)
		suite.after();
}

/* The same points in cmocka's form. */
static struct CMUnitTest *make_tests(void)
{
	struct CMUnitTest *tests = calloc(suite.count, sizeof(*tests));
	size_t i;

	if (!tests)
		give_up("suite");
	for (i = 0; i < suite.count; i++) {
		const char *missing = suite.points[i].missing ? suite.points[i].missing() : NULL;

		if (missing)
			skip_point(&suite.points[i], missing);
		tests[i].name = suite.points[i].name;
		tests[i].test_func = run_point;
		tests[i].initial_state = &suite.points[i];
	}
	return tests;
}

int main(void)
{
	struct CMUnitTest *tests = make_tests();
	int failed;
	size_t i;

	guard_start();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = _cmocka_run_group_tests(program_invocation_short_name, tests, suite.count, NULL,
					 NULL);
	guard_point("end");
	for (i = 0; i < suite.count; i++)
		free(suite.points[i].name);
	free(suite.points);
	free(tests);
	return failed == 0 ? 0 : 1;
}

/* --- comparisons --- */

const char *support_context;

static void fail_at(const char *file, int line)
{
	if (support_context)
		print_message("# at: %s\n", support_context);
	support_context = NULL;
	_fail(file, line);
}

void support_want_int(intmax_t got, intmax_t want, const char *what,
		      const char *file, int line)
{
	if (got == want)
		return;
	print_message("# %s: got %jd, want %jd\n", what, got, want);
	fail_at(file, line);
}

/* As a TAP line, with unprintable characters escaped. */
static void print_text(const char *what, const char *text)
{
	print_message("#   %s ", what);
	if (!text)
		print_message("NULL");
	else
		print_message("\"");
	for (; text && *text; text++) {
		unsigned char ch = (unsigned char)*text;

		print_message(ch < ' ' || ch >= 0x7f ? "\\x%02x" : "%c", ch);
	}
	print_message(text ? "\"\n" : "\n");
}

void support_want_str(const char *got, const char *want, const char *what,
		      const char *file, int line)
{
	if (got == want || (got && want && strcmp(got, want) == 0))
		return;
	print_message("# %s:\n", what);
	print_text("got ", got);
	print_text("want", want);
	fail_at(file, line);
}

static void print_bytes(const char *what, const uint8_t *bytes, size_t size)
{
	size_t i;

	print_message("#   %s", what);
	for (i = 0; i < size; i++)
		print_message(" %02x", bytes[i]);
	print_message("\n");
}

void support_want_mem(const void *got, const void *want, size_t size,
		      const char *what, const char *file, int line)
{
	if (size == 0 || memcmp(got, want, size) == 0)
		return;
	print_message("# %s:\n", what);
	print_bytes("got ", got, size);
	print_bytes("want", want, size);
	fail_at(file, line);
}

void support_set(struct settings *settings, const char *text)
{
	char copy[512], wrong[512] = "", *save = NULL, *name, *value;

	snprintf(copy, sizeof(copy), "%s", text);
	for (name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		value = strchr(name, '=');
		*value++ = '\0';
		want_int(settings_set(settings, name, value, wrong, sizeof(wrong)), 0);
		want_str(wrong, "");
	}
}

void must(bool done, const char *what)
{
	if (done)
		return;
	print_message("# %s: %s\n", what, strerror(errno));
	fail();
}

uint64_t support_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

char *support_exact_copy(const void *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);

	if (!copy)
		give_up("copy");
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

/* --- lines of tests/data --- */

static void bad_corpus(const struct corpus *corpus, unsigned int number)
{
	printf("Bail out! %s:%u: not of the form that the file tells of\n",
	       corpus->name, number);
	exit(99);
}

static void field_append(struct corpus_field *field, const char *text,
			 size_t len)
{
	char *grown = realloc(field->text, field->len + len + 1);

	if (!grown)
		give_up("corpus");
	memcpy(grown + field->len, text, len);
	field->text = grown;
	field->len += len;
	grown[field->len] = '\0';
}

/* The escape after a backslash. Returns its end, NULL if it is not a valid escape. */
static const char *take_escape(struct corpus_field *field, const char *at);

/* Append [at, end) to the field, with escapes resolved. False: an escape is wrong. */
static bool unescape(struct corpus_field *field, const char *at, const char *end)
{
	field_append(field, "", 0);
	while (at && at < end) {
		size_t plain = strcspn(at, "\\");

		if (plain > (size_t)(end - at))
			plain = (size_t)(end - at);
		field_append(field, at, plain);
		at += plain;
		if (at < end)
			at = take_escape(field, at + 1);
	}
	return at == end;
}

/* Allocate it all first: growing it piece by piece would be slow. */
static void append_times(struct corpus_field *field, unsigned long times,
			 const struct corpus_field *once)
{
	char *all = malloc(times * once->len + 1);
	unsigned long i;

	if (!all)
		give_up("corpus");
	for (i = 0; i < times; i++)
		memcpy(all + i * once->len, once->text, once->len);
	field_append(field, all, times * once->len);
	free(all);
}

static const char *take_repeated(struct corpus_field *field, const char *at)
{
	struct corpus_field once = { NULL, 0 };
	const char *end = strchr(at, '}');
	unsigned long times;
	char *colon;

	times = strtoul(at, &colon, 10);
	if (!end || *colon != ':' || !unescape(&once, colon + 1, end))
		return NULL;
	append_times(field, times, &once);
	free(once.text);
	return end + 1;
}

static const char *take_escape(struct corpus_field *field, const char *at)
{
	unsigned int value;
	char byte;

	if (*at == '\\') {
		field_append(field, at, 1);
		return at + 1;
	}
	if (*at == '{')
		return take_repeated(field, at + 1);
	if (*at != 'x' || sscanf(at + 1, "%2x", &value) != 1)
		return NULL;
	byte = (char)value;
	field_append(field, &byte, 1);
	return at + 3;
}

static void read_fields(const struct corpus *corpus, struct corpus_line *line,
			const char *at, size_t fields)
{
	const char *end;
	size_t i;

	for (i = 0; i < fields; i++) {
		end = i + 1 < fields ? strchr(at, '|') : at + strlen(at);
		if (!end || !unescape(&line->fields[i], at, end))
			bad_corpus(corpus, line->number);
		at = end + 1;
	}
}

static struct corpus_line *next_line(struct corpus *corpus, unsigned int number)
{
	size_t count = corpus->count + 1;
	struct corpus_line *lines;

	lines = realloc(corpus->lines, count * sizeof(*lines));
	if (!lines)
		give_up("corpus");
	corpus->lines = lines;
	lines += corpus->count++;
	memset(lines, 0, sizeof(*lines));
	lines->number = number;
	return lines;
}

void corpus_read(struct corpus *corpus, const char *name, size_t fields)
{
	const char *dir = getenv("TEST_DATA");
	char *path, *text, *at, *line;
	unsigned int number = 0;

	*corpus = (struct corpus){ .name = name };
	if (asprintf(&path, "%s/%s", dir ? dir : "tests/data", name) < 0)
		give_up(name);
	text = at = temp_file_read(path);
	if (!text)
		give_up(path);
	free(path);
	while ((line = strsep(&at, "\n"))) {
		number++;
		if (*line && *line != '#')
			read_fields(corpus, next_line(corpus, number), line,
				    fields);
	}
	free(text);
	if (corpus->count == 0)
		bad_corpus(corpus, number);
}

void corpus_free(struct corpus *corpus)
{
	size_t i, j;

	for (i = 0; i < corpus->count; i++)
		for (j = 0; j < CORPUS_FIELDS; j++)
			free(corpus->lines[i].fields[j].text);
	free(corpus->lines);
}

/* Decrement unless 0; returns the old value. Any thread may call it, including the
 * background thread. */
static unsigned int count_down(atomic_uint *left)
{
	unsigned int n = atomic_load(left);

	while (n > 0 && !atomic_compare_exchange_weak(left, &n, n - 1))
		;
	return n;
}

/* --- failing allocations: the linker calls the __wrap_ functions in place of the C
 * library's, see --wrap in ld(1) --- */

static atomic_uint allocations_left;	/* until the one that fails; 0: none */
static atomic_bool allocation_failed;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

static bool this_one_fails(void)
{
	if (count_down(&allocations_left) != 1)
		return false;
	allocation_failed = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return this_one_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return this_one_fails() ? NULL : __real_reallocarray(old, count, size);
}

void memory_fail(unsigned int nth)
{
	allocations_left = nth;
	allocation_failed = false;
}

bool memory_failed(void)
{
	allocations_left = 0;
	return allocation_failed;
}

unsigned int memory_fail_each(int (*attempt)(void *data), void *data)
{
	unsigned int nth;
	int r;

	for (nth = 1; nth < 1000; nth++) {
		memory_fail(nth);
		r = attempt(data);
		if (!memory_failed()) {
			want_int(r, 0);
			return nth - 1;
		}
		want_int(r, -ENOMEM);
	}
	print_message("# the attempt has no end\n");
	fail();
	return 0;
}

/* --- temporary files --- */

char *temp_dir_new(void)
{
	const char *top = getenv("TMPDIR");
	char *dir;

	if (asprintf(&dir, "%s/smtpblock.XXXXXX", top && *top ? top : "/tmp") < 0)
		give_up("temporary directory");
	/* Accessible to others: tests drop privileges to be refused. */
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		give_up(dir);
	return dir;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void temp_dir_remove(char *dir)
{
	if (nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
		give_up(dir);
	free(dir);
}

static void make_parents(const char *path)
{
	char *copy = support_exact_copy(path, strlen(path) + 1), *slash = copy;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			give_up(copy);
		*slash = '/';
	}
	free(copy);
}

void temp_file_write(const char *path, const char *text)
{
	FILE *file;

	make_parents(path);
	file = fopen(path, "we");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		give_up(path);
}

char *temp_file_read(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &room, '\0', file) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(file);
	if (!text)
		give_up(path);
	return text;
}

/* --- the kernel's lists: an unlinked file stands for a list that was removed --- */

static struct {
	int err;
	atomic_uint count;
} failing_writes;
static atomic_uint opened;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
off_t __real_lseek(int fd, off_t offset, int whence);
off_t __wrap_lseek(int fd, off_t offset, int whence);
ssize_t __real_write(int fd, const void *buf, size_t size);
ssize_t __wrap_write(int fd, const void *buf, size_t size);

int __wrap_open(const char *path, int flags, ...)
{
	int fd, mode = 0;
	va_list args;

	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	fd = __real_open(path, flags, mode);
	if (fd >= 0)
		opened++;
	return fd;
}

/* Is it a list? If so, ret_removed tells whether it was removed. */
static bool is_list(int fd, bool *ret_removed)
{
	char link[64], path[512];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	path[n] = '\0';
	*ret_removed = st.st_nlink == 0;
	return strstr(path, "t_recent/") != NULL;
}

off_t __wrap_lseek(int fd, off_t offset, int whence)
{
	bool removed;

	if (is_list(fd, &removed) && removed) {
		errno = EINVAL;
		return -1;
	}
	return __real_lseek(fd, offset, whence);
}

/* "+ADDR", "-ADDR" or "/", up to a newline. */
static bool is_command(const char *text)
{
	char addr[64];
	uint8_t bytes[16];

	if (strcmp(text, "/") == 0)
		return true;
	if (text[0] != '+' && text[0] != '-')
		return false;
	snprintf(addr, sizeof(addr), "%.*s", (int)strcspn(text + 1, "\n"),
		 text + 1);
	return inet_pton(strchr(addr, ':') ? AF_INET6 : AF_INET, addr, bytes) == 1;
}

/* Append the command to the file; the offset moves as in the kernel. */
static ssize_t take_command(int fd, const char *text, size_t size)
{
	char line[80];
	struct stat st;
	int n;

	n = snprintf(line, sizeof(line), "%.*s\n", (int)strcspn(text, "\n"), text);
	if (fstat(fd, &st) < 0 || pwrite(fd, line, (size_t)n, st.st_size) != n)
		give_up("list");
	__real_lseek(fd, (off_t)size, SEEK_SET);
	return (ssize_t)size;
}

static ssize_t write_list(int fd, const void *buf, size_t size, bool removed)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)buf);
	if (count_down(&failing_writes.count) > 0) {
		errno = failing_writes.err;
		return errno ? -1 : (ssize_t)size / 2;
	}
	if (removed)
		errno = EIO;
	else if (__real_lseek(fd, 0, SEEK_CUR) != 0)
		errno = ESPIPE;
	else if (!is_command(text))
		errno = EINVAL;
	else
		return take_command(fd, text, size);
	return -1;
}

ssize_t __wrap_write(int fd, const void *buf, size_t size)
{
	bool removed;

	return is_list(fd, &removed) ? write_list(fd, buf, size, removed) :
				       __real_write(fd, buf, size);
}

void fakelists_open(struct fakelists *lists)
{
	lists->dir = temp_dir_new();
	snprintf(lists->net_root, sizeof(lists->net_root), "%s/net", lists->dir);
	snprintf(lists->module_root, sizeof(lists->module_root), "%s/module",
		 lists->dir);
	if (mkdir(lists->net_root, 0755) < 0)
		give_up(lists->net_root);
	fakelists_fail_writes(0, 0);
	opened = 0;
}

void fakelists_close(struct fakelists *lists)
{
	temp_dir_remove(lists->dir);
	lists->dir = NULL;
}

static char *list_path(const struct fakelists *lists, const char *path)
{
	char *whole;

	if (asprintf(&whole, "%s/%s", lists->net_root, path) < 0)
		give_up(path);
	return whole;
}

void fakelists_make(const struct fakelists *lists, const char *path)
{
	char *whole = list_path(lists, path);

	temp_file_write(whole, "");
	free(whole);
}

void fakelists_remove(const struct fakelists *lists, const char *path)
{
	char *whole = list_path(lists, path);

	if (unlink(whole) < 0)
		give_up(whole);
	free(whole);
}

char *fakelists_text(const struct fakelists *lists, const char *path)
{
	char *whole = list_path(lists, path), *text = temp_file_read(whole);

	free(whole);
	return text;
}

void support_want_list(const struct fakelists *lists, const char *path,
		       const char *want, const char *file, int line)
{
	char *got = fakelists_text(lists, path);

	support_want_str(got, want, path, file, line);
	free(got);
}

void fakelists_limit(const struct fakelists *lists, const char *module,
		     const char *text)
{
	char *path;

	if (asprintf(&path, "%s/%s/parameters/ip_list_tot", lists->module_root,
		     module) < 0)
		give_up(module);
	temp_file_write(path, text);
	free(path);
}

void fakelists_fail_writes(int err, unsigned int count)
{
	failing_writes.err = err;
	failing_writes.count = count;
}

unsigned int fakelists_opened(void)
{
	return opened;
}
