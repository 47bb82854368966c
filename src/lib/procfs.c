/* Reads /proc.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/array.h"

/* Root, "/", a PID of ten digits, "/" and a file name, at most "task/PID/children". */
#define PATH_SIZE (sizeof(((struct procfs *)NULL)->root) + 48)

/* PID_MAX_LIMIT: the limit of every PID namespace. */
#define PID_LARGEST (1UL << 22)

/* The kernel returns at most a page in one read of a file with many lines. */
#define CHUNK_SIZE 4096

/* PIDFD_GET_INFO and its struct of linux/pidfd.h, as in Linux 6.13, for older headers. Later
 * kernels accept this size too. */
struct pidfd_info_v0 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};

#define PIDFD_GET_INFO_V0 _IOWR(0xff, 11, struct pidfd_info_v0)
#define PIDFD_INFO_PID_V0 1U	/* the PIDs are there */
#define PIDFD_INFO_CREDS_V0 2U	/* so are the uids */

/* An array of PIDs that grows. */
struct pids {
	pid_t *pids;
	size_t count;
};

/* A position in a text buffer. end is the place of the NUL. */
struct text {
	char *at;
	const char *end;
};

static void put(struct text *t, const char *bytes, size_t len)
{
	size_t room = (size_t)(t->end - t->at);

	if (len > room)
		len = room;
	memcpy(t->at, bytes, len);
	t->at += len;
}

static void put_pid(struct text *t, pid_t pid)
{
	char digits[12];
	unsigned int n = (unsigned int)pid, i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	put(t, digits + i, sizeof(digits) - i);
}

/* Not snprintf(3), which took a tenth of the instructions of a block. */
static void make_path(char path[static PATH_SIZE], const struct procfs *procfs,
		      pid_t pid, const char *file)
{
	struct text t = { path, path + PATH_SIZE - 1 };

	put(&t, procfs->root, strlen(procfs->root));
	put(&t, "/", 1);
	put_pid(&t, pid);
	put(&t, "/", 1);
	put(&t, file, strlen(file));
	*t.at = '\0';
}

/* For a process that has exited, open fails with ENOENT and read with ESRCH. */
static int gone(int err)
{
	return err == ENOENT ? -ESRCH : -err;
}

int procfs_init(struct procfs *procfs, const char *root)
{
	int n = snprintf(procfs->root, sizeof(procfs->root), "%s", root);

	return n < 0 || (size_t)n >= sizeof(procfs->root) ? -ENAMETOOLONG : 0;
}

/* Fill buf from fd. Returns the number of bytes; size: there may be more. */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t have = 0;
	ssize_t n;

	while (have < size) {
		n = read(fd, buf + have, size - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gone(errno);
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

/* For files that the kernel returns in one read if there is room, so that a second read would
 * return nothing. */
static ssize_t read_path(const char *path, char *buf, size_t size)
{
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return gone(errno);
	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		n = gone(errno);
	close(fd);
	return n;
}

/* For status, environ and fdinfo/N. */
static ssize_t read_file(const struct procfs *procfs, pid_t pid,
			 const char *file, char *buf, size_t size)
{
	char path[PATH_SIZE];

	make_path(path, procfs, pid, file);
	return read_path(path, buf, size);
}

/* The number in the given column, from 0, after a label at the start of a line. */
static int status_number(const char *text, const char *label, int column,
			 unsigned long *ret_number)
{
	const char *p = strstr(text, label);
	char *end;
	int i;

	if (!p)
		return -EIO;
	p += strlen(label);
	for (i = 0; i <= column; i++) {
		*ret_number = strtoul(p, &end, 10);
		if (end == p)
			return -EIO;
		p = end;
	}
	return 0;
}

/* Copy TEXT from the first line, "Name:\tTEXT". */
static void copy_comm(const char *text, char comm[static 16])
{
	static const char label[] = "Name:\t";
	size_t len = 0;

	if (strncmp(text, label, strlen(label)) == 0) {
		text += strlen(label);
		len = strcspn(text, "\n");
	}
	if (len > 15)
		len = 15;
	memcpy(comm, text, len);
	comm[len] = '\0';
}

int procfs_read_status(const struct procfs *procfs, pid_t pid,
		       struct procfs_status *ret_status)
{
	unsigned long ppid, uid;
	char text[2048];
	ssize_t n;

	n = read_file(procfs, pid, "status", text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	/* Both are in the first lines. The name before them cannot forge a label, as the
	 * kernel escapes a newline in it (proc(5)). */
	if (status_number(text, "\nPPid:", 0, &ppid) < 0 ||
	    status_number(text, "\nUid:", 1, &uid) < 0)
		return -EIO;
	ret_status->ppid = (pid_t)ppid;
	ret_status->uid = (uid_t)uid;
	copy_comm(text, ret_status->comm);
	return 0;
}

/* Read the status of the process that pidfd refers to. */
static int ask_pidfd(int pidfd, struct procfs_status *ret_status)
{
	const uint64_t wanted = PIDFD_INFO_PID_V0 | PIDFD_INFO_CREDS_V0;
	struct pidfd_info_v0 info = { .mask = wanted };

	if (ioctl(pidfd, PIDFD_GET_INFO_V0, &info) < 0)
		return -errno;
	if ((info.mask & wanted) != wanted)
		return -EOPNOTSUPP;
	ret_status->ppid = (pid_t)info.ppid;
	ret_status->uid = (uid_t)info.euid;
	ret_status->comm[0] = '\0';
	return 0;
}

int procfs_read_status_held(const struct procfs *procfs, int pidfd, pid_t pid,
			    struct procfs_status *ret_status)
{
	/* In a test's tree only the files count. If the ioctl fails, read the file. */
	if (strcmp(procfs->root, PROCFS_DEFAULT_ROOT) == 0 &&
	    ask_pidfd(pidfd, ret_status) == 0)
		return 0;
	return procfs_read_status(procfs, pid, ret_status);
}

static void cut_suffix(char *text, const char *suffix)
{
	size_t len = strlen(text), suffix_len = strlen(suffix);

	if (len > suffix_len && strcmp(text + len - suffix_len, suffix) == 0)
		text[len - suffix_len] = '\0';
}

int procfs_read_exe(const struct procfs *procfs, pid_t pid,
		    char ret_name[static PROCFS_NAME_SIZE])
{
	char path[PATH_SIZE], target[4096];
	const char *name;
	ssize_t n;

	make_path(path, procfs, pid, "exe");
	n = readlink(path, target, sizeof(target));
	if (n < 0)
		return gone(errno);
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	cut_suffix(target, " (deleted)");
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= PROCFS_NAME_SIZE)
		return -ENAMETOOLONG;
	memcpy(ret_name, name, strlen(name) + 1);
	return 0;
}

/* Add the last NUL. n is the result of the read. */
static ssize_t end_environ(char *env, ssize_t n)
{
	if (n < 0)
		return n;
	if (n == PROCFS_ENVIRON_SIZE - 1)
		return -E2BIG;
	env[n] = '\0';
	return n;
}

ssize_t procfs_read_environ(const struct procfs *procfs, pid_t pid,
			    char ret_environ[static PROCFS_ENVIRON_SIZE])
{
	return end_environ(ret_environ, read_file(procfs, pid, "environ", ret_environ,
						  PROCFS_ENVIRON_SIZE - 1));
}

/* Read the environment of the program image for which fd was opened. */
static ssize_t read_open_environ(int fd, char *env)
{
	ssize_t n;

	do
		n = read(fd, env, PROCFS_ENVIRON_SIZE - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return gone(errno);
	return n == 0 ? -ESRCH : end_environ(env, n);
}

static int look_around(const struct procfs *procfs, pid_t pid, struct procfs_look *look)
{
	int r = procfs_read_exe(procfs, pid, look->name);

	if (r == -ENAMETOOLONG)
		look->name[0] = '\0';
	else if (r < 0)
		return r;
	return procfs_read_netns(procfs, pid, &look->netns);
}

int procfs_look(const struct procfs *procfs, pid_t pid, bool environment,
		struct procfs_look *ret_look)
{
	char path[PATH_SIZE];
	int fd, r;

	ret_look->env_len = -ENODATA;
	if (!environment)
		return look_around(procfs, pid, ret_look);
	make_path(path, procfs, pid, "environ");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return gone(errno);
	r = look_around(procfs, pid, ret_look);
	if (r == 0)
		ret_look->env_len = read_open_environ(fd, ret_look->env);
	close(fd);
	if (r == 0 && ret_look->env_len < 0 && ret_look->env_len != -E2BIG)
		r = (int)ret_look->env_len;
	return r;
}

void procfs_look_copy(const struct procfs_look *from, struct procfs_look *to)
{
	memcpy(to->name, from->name, sizeof(to->name));
	to->netns = from->netns;
	to->env_len = from->env_len;
	if (from->env_len >= 0)
		memcpy(to->env, from->env, (size_t)from->env_len + 1);
}

int procfs_read_fd_inode(const struct procfs *procfs, pid_t pid, int fd,
			 ino_t *ret_inode)
{
	char file[32], text[512];
	unsigned long inode;
	ssize_t n;
	int r;

	snprintf(file, sizeof(file), "fdinfo/%d", fd);
	n = read_file(procfs, pid, file, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	r = status_number(text, "\nino:", 0, &inode);
	if (r == 0)
		*ret_inode = (ino_t)inode;
	return r;
}

const char *procfs_getenv(const char *env, size_t len, const char *name)
{
	size_t name_len = strlen(name), at = 0;

	while (at < len) {
		const char *entry = env + at;

		if (*entry == *name && strncmp(entry, name, name_len) == 0 &&
		    entry[name_len] == '=')
			return entry + name_len + 1;
		at += strlen(entry) + 1;
	}
	return NULL;
}

/* A bit that depends on the first two characters of a name. It rules out most of courier's
 * forty variables. */
static uint64_t beginning_of(const char *name)
{
	unsigned int first = (unsigned char)name[0];

	/* An empty entry has no second character. */
	return first ? (uint64_t)1 << ((first * 5 + (unsigned char)name[1]) % 64) : 0;
}

/* The names to look for, with their lengths. */
struct wanted {
	const char *const *names;
	size_t lengths[PROCFS_GETENV_MAX];
	size_t count;
	uint64_t beginnings;
};

static void want(struct wanted *w, const char *const *names, size_t count)
{
	size_t i;

	w->names = names;
	w->count = count < PROCFS_GETENV_MAX ? count : PROCFS_GETENV_MAX;
	w->beginnings = 0;
	for (i = 0; i < w->count; i++) {
		w->lengths[i] = strlen(names[i]);
		w->beginnings |= beginning_of(names[i]);
	}
}

/* If several entries have the same name, the first one counts. */
static void take_value(const struct wanted *w, const char *entry, const char **values)
{
	const char *equals = strchr(entry, '=');
	size_t len = equals ? (size_t)(equals - entry) : 0, i;

	for (i = 0; i < w->count; i++)
		if (w->lengths[i] == len && equals && !values[i] &&
		    memcmp(entry, w->names[i], len) == 0)
			values[i] = equals + 1;
}

void procfs_getenv_all(const char *env, size_t len, const char *const *names,
		       size_t count, const char **ret_values)
{
	struct wanted w;
	size_t at;

	want(&w, names, count);
	memset(ret_values, 0, count * sizeof(*ret_values));
	for (at = 0; at < len; at += strlen(env + at) + 1)
		if (beginning_of(env + at) & w.beginnings)
			take_value(&w, env + at, ret_values);
}

static int pids_add(struct pids *list, pid_t pid)
{
	pid_t *added = array_add(&list->pids, &list->count);

	if (!added)
		return -ENOMEM;
	*added = pid;
	return 0;
}

/* Give the array to the caller, or free it if result is an error. */
static ssize_t pids_take(struct pids *list, int result, pid_t **ret_pids)
{
	if (result < 0) {
		free(list->pids);
		return result;
	}
	*ret_pids = list->pids;
	return (ssize_t)list->count;
}

/* A number that was read in part. */
struct partial {
	bool digits;
	pid_t number;
};

/* Parse numbers separated by blanks. The last one may continue in the next chunk. */
static int pids_add_text(struct pids *list, struct partial *p, const char *text,
			 size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] >= '0' && text[i] <= '9') {
			p->number = p->number * 10 + (text[i] - '0');
			p->digits = true;
			continue;
		}
		if (p->digits && pids_add(list, p->number) < 0)
			return -ENOMEM;
		*p = (struct partial){ .digits = false };
	}
	return 0;
}

static int pids_add_file(struct pids *list, int fd)
{
	struct partial p = { .digits = false };
	char text[CHUNK_SIZE];
	ssize_t n;
	int r;

	do {
		n = read_all(fd, text, sizeof(text));
		if (n < 0)
			return (int)n;
		r = pids_add_text(list, &p, text, (size_t)n);
	} while (r == 0 && n == sizeof(text));
	/* End the last number, in case no blank follows it; the kernel writes one. */
	return r == 0 ? pids_add_text(list, &p, " ", 1) : r;
}

ssize_t procfs_read_children(const struct procfs *procfs, pid_t pid,
			     pid_t **ret_pids)
{
	struct pids list = { .pids = NULL };
	char path[PATH_SIZE], file[40];
	int fd, r;

	snprintf(file, sizeof(file), "task/%d/children", (int)pid);
	make_path(path, procfs, pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return gone(errno);
	r = pids_add_file(&list, fd);
	close(fd);
	return pids_take(&list, r, ret_pids);
}

/* loadavg has three averages, the counts of running and of all threads, and the PID. */
int procfs_read_last_pid(const struct procfs *procfs, pid_t *ret_pid)
{
	char path[PATH_SIZE], text[128];
	const char *word;
	unsigned long pid;
	ssize_t n;
	char *end;

	snprintf(path, sizeof(path), "%s/loadavg", procfs->root);
	n = read_path(path, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	word = strrchr(text, ' ');
	if (!word)
		return -EIO;
	pid = strtoul(word + 1, &end, 10);
	if (*end != '\n' || pid == 0 || pid > PID_LARGEST)
		return -EIO;
	*ret_pid = (pid_t)pid;
	return 0;
}

int procfs_read_cpu_time(const struct procfs *procfs, pid_t pid, uint64_t *ret_ns)
{
	char text[128], *end;
	ssize_t n;

	n = read_file(procfs, pid, "schedstat", text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	*ret_ns = strtoull(text, &end, 10);
	return end > text && *end == ' ' ? 0 : -EIO;
}

/* The text of a number of 32 bits at most. */
static int parse_number(const char *text, unsigned int *ret_number)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 9 || text[digits] != '\0')
		return -ENODATA;
	*ret_number = (unsigned int)strtoul(text, NULL, 10);
	return 0;
}

/* The text behind the last such option in a command line of n bytes and a NUL; or NULL. */
static const char *find_option(const char *text, size_t n, const char *option)
{
	size_t len = strlen(option), at;
	const char *found = NULL;

	for (at = 0; at < n; at += strlen(text + at) + 1)
		if (strncmp(text + at, option, len) == 0)
			found = text + at + len;
	return found;
}

int procfs_read_option_text(const struct procfs *procfs, pid_t pid, const char *option, char *buf,
			    size_t size)
{
	char text[CHUNK_SIZE];
	const char *found;
	ssize_t n;

	n = read_file(procfs, pid, "cmdline", text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	found = find_option(text, (size_t)n, option);
	if (!found)
		return -ENODATA;
	if (strlen(found) >= size)
		return -E2BIG;
	memcpy(buf, found, strlen(found) + 1);
	return 0;
}

int procfs_read_option(const struct procfs *procfs, pid_t pid, const char *option,
		       unsigned int *ret_number)
{
	char text[16];
	int r = procfs_read_option_text(procfs, pid, option, text, sizeof(text));

	if (r == 0)
		r = parse_number(text, ret_number);
	return r == -E2BIG ? -ENODATA : r;
}

/* The kernel's function in which a process sleeps, with and without inlining. The compiler may
 * have added a suffix such as ".constprop.0". */
static bool is_sleep(const char *wchan)
{
	size_t len = strcspn(wchan, ".");

	return (len == 17 && memcmp(wchan, "hrtimer_nanosleep", len) == 0) ||
	       (len == 12 && memcmp(wchan, "do_nanosleep", len) == 0);
}

/* The calls of this architecture; 32-bit ones have more since they have 64-bit times. */
static const struct {
	long number;
	enum procfs_wait wait;
} waiting_calls[] = {
	{ SYS_clock_nanosleep, PROCFS_WAIT_SLEEP },
	{ SYS_nanosleep, PROCFS_WAIT_SLEEP },
	{ SYS_pselect6, PROCFS_WAIT_INPUT },
	{ SYS_ppoll, PROCFS_WAIT_INPUT },
#ifdef SYS_select
	{ SYS_select, PROCFS_WAIT_INPUT },
#endif
#ifdef SYS_poll
	{ SYS_poll, PROCFS_WAIT_INPUT },
#endif
#ifdef SYS__newselect
	{ SYS__newselect, PROCFS_WAIT_INPUT },
#endif
#ifdef SYS_clock_nanosleep_time64
	{ SYS_clock_nanosleep_time64, PROCFS_WAIT_SLEEP },
	{ SYS_pselect6_time64, PROCFS_WAIT_INPUT },
	{ SYS_ppoll_time64, PROCFS_WAIT_INPUT },
#endif
};

static enum procfs_wait wait_of(long number)
{
	size_t i;

	for (i = 0; i < sizeof(waiting_calls) / sizeof(waiting_calls[0]); i++)
		if (waiting_calls[i].number == number)
			return waiting_calls[i].wait;
	return PROCFS_WAIT_OTHER;
}

/* syscall has the number of the call and its arguments, or "running". */
static int read_call(const struct procfs *procfs, pid_t pid)
{
	char text[256], *end;
	long number;
	ssize_t n;

	n = read_file(procfs, pid, "syscall", text, sizeof(text) - 1);
	if (n == -EPERM)
		return -EACCES;
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	number = strtol(text, &end, 10);
	return (int)(end > text ? wait_of(number) : PROCFS_WAIT_OTHER);
}

int procfs_read_wait(const struct procfs *procfs, pid_t pid)
{
	char text[128];
	ssize_t n;

	n = read_file(procfs, pid, "wchan", text, sizeof(text) - 1);
	if (n == -ESRCH)
		return -ESRCH;
	text[n > 0 ? n : 0] = '\0';
	/* It is "0" if it is hidden. */
	return is_sleep(text) ? (int)PROCFS_WAIT_SLEEP : read_call(procfs, pid);
}

/* The bit of the name that the path ends in, or 0. */
static unsigned int name_bit(const char *path, const char *const *names, size_t count)
{
	const char *slash = strrchr(path, '/');
	unsigned int i;

	for (i = 0; slash && i < count && i < PROCFS_FILES_MAX; i++)
		if (strcmp(slash + 1, names[i]) == 0)
			return 1U << i;
	return 0;
}

/* A descriptor may be closed in the meantime. */
static int find_files_in(DIR *dir, const char *const *names, size_t count,
			 unsigned int *ret_found)
{
	const struct dirent *entry;
	char target[4096];
	ssize_t n;

	*ret_found = 0;
	while ((entry = readdir(dir)) != NULL) {
		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (n < 0 && (errno == EACCES || errno == EPERM))
			return -EACCES;
		if (n <= 0)
			continue;
		target[n] = '\0';
		cut_suffix(target, " (deleted)");
		*ret_found |= name_bit(target, names, count);
	}
	return 0;
}

int procfs_find_files(const struct procfs *procfs, pid_t pid, const char *const *names,
		      size_t count, unsigned int *ret_found)
{
	char path[PATH_SIZE];
	DIR *dir;
	int r;

	make_path(path, procfs, pid, "fd");
	dir = opendir(path);
	if (!dir)
		return gone(errno);
	r = find_files_in(dir, names, count, ret_found);
	closedir(dir);
	return r;
}

int procfs_read_netns(const struct procfs *procfs, pid_t pid, ino_t *ret_netns)
{
	char path[PATH_SIZE];
	struct stat st;

	make_path(path, procfs, pid, "ns/net");
	if (stat(path, &st) < 0)
		return gone(errno);
	*ret_netns = st.st_ino;
	return 0;
}

static int pids_add_dir(struct pids *list, DIR *dir)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (pid <= 0 || *end != '\0')
			continue;
		if (pids_add(list, (pid_t)pid) < 0)
			return -ENOMEM;
	}
	return 0;
}

ssize_t procfs_list(const struct procfs *procfs, pid_t **ret_pids)
{
	struct pids list = { .pids = NULL };
	DIR *dir = opendir(procfs->root);
	int r;

	if (!dir)
		return -errno;
	r = pids_add_dir(&list, dir);
	closedir(dir);
	return pids_take(&list, r, ret_pids);
}
