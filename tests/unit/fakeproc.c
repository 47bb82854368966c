/* A tree of files that looks like /proc.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fakeproc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/fixture.h"

#define PATH_SIZE 256

static void path_of(const struct fakeproc *tree, pid_t pid, const char *file,
		    char path[static PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%d/%s", tree->root, (int)pid, file);
}

/* By pwrite(2), since some tests redirect write(2) to the kernel's list (see struct
 * fakelists). */
static void write_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t done = 0;
	ssize_t n;

	must(fd >= 0, path);
	while (done < len) {
		n = pwrite(fd, (const char *)bytes + done, len - done,
			   (off_t)done);
		must(n > 0, path);
		done += (size_t)n;
	}
	close(fd);
}

/* The namespaces: files with different inode numbers. */
static void namespace_path(const struct fakeproc *tree, bool other,
			   char path[static PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s", tree->root, other ? "other" : "ours");
}

void fakeproc_open(struct fakeproc *tree)
{
	const struct fake_process self = {
		.pid = getpid(), .exe = "/usr/sbin/rsyslogd", .ppid = 1,
	};
	char path[PATH_SIZE];

	tree->root = temp_dir_new();
	namespace_path(tree, false, path);
	write_file(path, "", 0);
	namespace_path(tree, true, path);
	write_file(path, "", 0);
	fakeproc_put(tree, &self);
}

void fakeproc_close(struct fakeproc *tree)
{
	temp_dir_remove(tree->root);
	tree->root = NULL;
}

static void make_dir(const struct fakeproc *tree, pid_t pid, const char *name)
{
	char path[PATH_SIZE];

	path_of(tree, pid, name, path);
	must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
}

static void make_dirs(const struct fakeproc *tree, pid_t pid)
{
	char task[32];

	make_dir(tree, pid, "");
	make_dir(tree, pid, "ns");
	make_dir(tree, pid, "task");
	snprintf(task, sizeof(task), "task/%d", (int)pid);
	make_dir(tree, pid, task);
}

/* The name that execve(2) gives a process: the executable without its directory, cut. */
static int name_of(const struct fake_process *p, const char **ret_name)
{
	const char *slash = p->exe ? strrchr(p->exe, '/') : NULL;

	*ret_name = p->comm ? p->comm : slash ? slash + 1 : "kthreadd";
	return (int)strcspn(*ret_name, " ");
}

/* The first lines, as Linux writes them; the others do not matter. */
static void put_status(const struct fakeproc *tree,
		       const struct fake_process *p)
{
	unsigned int uid = p->uid, real = p->uid + 1;
	const char *name;
	char text[512];
	int n = name_of(p, &name);

	n = snprintf(text, sizeof(text),
		     "Name:\t%.*s\nUmask:\t0022\nState:\tS (sleeping)\n"
		     "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n"
		     "Uid:\t%u\t%u\t%u\t%u\nGid:\t7\t7\t7\t7\nFDSize:\t64\n",
		     n < 15 ? n : 15, name, (int)p->pid, (int)p->pid, (int)p->ppid,
		     real, uid, real, uid);
	fakeproc_write(tree, p->pid, "status", text, (size_t)n);
}

/* No options. */
static void put_command_line(const struct fakeproc *tree, const struct fake_process *p)
{
	const char *text = p->exe ? p->exe : "";

	fakeproc_write(tree, p->pid, "cmdline", text, p->exe ? strlen(text) + 1 : 0);
}

static void put_namespace(const struct fakeproc *tree,
			  const struct fake_process *p)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	namespace_path(tree, p->other_netns, from);
	path_of(tree, p->pid, "ns/net", to);
	unlink(to);
	must(link(from, to) == 0, to);
}

/* Opening a pipe for writing waits for a reader. */
static void remove_trap(const struct fakeproc *tree, pid_t pid)
{
	char path[PATH_SIZE];
	struct stat st;

	path_of(tree, pid, "environ", path);
	if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		must(unlink(path) == 0, path);
}

void fakeproc_put(const struct fakeproc *tree, const struct fake_process *process)
{
	static const char some[] = "PATH=/usr/bin:/bin";

	remove_trap(tree, process->pid);
	make_dirs(tree, process->pid);
	put_status(tree, process);
	put_command_line(tree, process);
	put_namespace(tree, process);
	fakeproc_children(tree, process->pid, NULL, 0);
	if (process->exe)
		fakeproc_exe(tree, process->pid, process->exe);
	if (process->env)
		fakeproc_write(tree, process->pid, "environ", process->env,
			       process->env_len);
	else
		fakeproc_write(tree, process->pid, "environ", some, sizeof(some));
}

/* Add one entry and its NUL. */
static size_t put_env(char *block, size_t size, size_t at, const char *format,
		      ...) __attribute__((format(printf, 4, 5)));
static size_t put_env(char *block, size_t size, size_t at, const char *format,
		      ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(block + at, size - at, format, args);
	va_end(args);
	must(n >= 0 && (size_t)n < size - at, "environment");
	return at + (size_t)n + 1;
}

size_t peer_environment(const struct peer *peer, char *block, size_t size)
{
	size_t at = 0, i;

	at = put_env(block, size, at, "PATH=/usr/lib/courier/bin:/usr/bin");
	at = put_env(block, size, at, "TCPREMOTEIP=%s", peer->ip);
	at = put_env(block, size, at, "TCPREMOTEPORT=%u", peer->port);
	at = put_env(block, size, at, "TCPREMOTEHOST=softdnserr");
	at = put_env(block, size, at, "TCPLOCALIP=::ffff:192.0.2.1");
	at = put_env(block, size, at, "TCPLOCALPORT=%u", peer->local_port);
	for (i = 0; peer->extra && peer->extra[i]; i++)
		at = put_env(block, size, at, "%s", peer->extra[i]);
	return at;
}

void fakeproc_put_tcpd(const struct fakeproc *tree, pid_t pid)
{
	const struct fake_process p = {
		.pid = pid, .exe = FAKE_TCPD, .ppid = 1, .uid = FAKE_UID,
	};

	fakeproc_put(tree, &p);
}

void fakeproc_put_smtpd(const struct fakeproc *tree, pid_t pid, pid_t ppid,
			const struct peer *peer)
{
	char env[4096];
	const struct fake_process p = {
		.pid = pid, .exe = FAKE_SMTPD, .ppid = ppid, .uid = FAKE_UID, .env = env,
		.env_len = peer_environment(peer, env, sizeof(env)),
	};

	fakeproc_put(tree, &p);
}

void fakeproc_drop(const struct fakeproc *tree, pid_t pid)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	/* Rename it to a name that is not a process; fakeproc_close() removes it. */
	path_of(tree, pid, "", from);
	snprintf(to, sizeof(to), "%s/was-%d.XXXXXX", tree->root, (int)pid);
	must(mkdtemp(to) != NULL && rename(from, to) == 0, from);
}

void fakeproc_children(const struct fakeproc *tree, pid_t pid,
		       const pid_t *children, size_t count)
{
	char *text = malloc(count * 12 + 1), file[48];
	size_t at = 0, i;

	must(text != NULL, "children");
	for (i = 0; i < count; i++)
		at += (size_t)sprintf(text + at, "%d ", (int)children[i]);
	snprintf(file, sizeof(file), "task/%d/children", (int)pid);
	fakeproc_write(tree, pid, file, text, at);
	free(text);
}

void fakeproc_loadavg(const struct fakeproc *tree, const char *text)
{
	char path[PATH_SIZE];

	snprintf(path, PATH_SIZE, "%s/loadavg", tree->root);
	write_file(path, text, strlen(text));
}

void fakeproc_last_pid(const struct fakeproc *tree, pid_t pid)
{
	char text[64];

	snprintf(text, sizeof(text), "0.00 0.01 0.05 2/345 %d\n", (int)pid);
	fakeproc_loadavg(tree, text);
}

void fakeproc_write(const struct fakeproc *tree, pid_t pid, const char *path,
		    const void *bytes, size_t len)
{
	char whole[PATH_SIZE];

	path_of(tree, pid, path, whole);
	write_file(whole, bytes, len);
}

void fakeproc_link(const struct fakeproc *tree, pid_t pid, int fd, const char *target)
{
	char name[32], path[PATH_SIZE];

	make_dir(tree, pid, "fd");
	snprintf(name, sizeof(name), "fd/%d", fd);
	path_of(tree, pid, name, path);
	unlink(path);
	if (target)
		must(symlink(target, path) == 0, path);
}

void fakeproc_sleep(const struct fakeproc *tree, pid_t pid, const char *wchan,
		    unsigned long cpu_time)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%lu 200 7\n", cpu_time);

	fakeproc_write(tree, pid, "schedstat", text, (size_t)n);
	fakeproc_write(tree, pid, "wchan", wchan, strlen(wchan));
	/* The call in which courieresmtpd waits for its client. */
	n = snprintf(text, sizeof(text), "%d 0x1 0x7ffd\n", SYS_pselect6);
	fakeproc_write(tree, pid, "syscall", text, (size_t)n);
}

void fakeproc_remove(const struct fakeproc *tree, pid_t pid, const char *path)
{
	char whole[PATH_SIZE];

	path_of(tree, pid, path, whole);
	must(unlink(whole) == 0, whole);
}

void fakeproc_exe(const struct fakeproc *tree, pid_t pid, const char *target)
{
	char path[PATH_SIZE];

	path_of(tree, pid, "exe", path);
	unlink(path);
	must(symlink(target, path) == 0, path);
}

static void put_fifo(const struct fakeproc *tree, pid_t pid, const char *file)
{
	char path[PATH_SIZE];

	path_of(tree, pid, file, path);
	must(unlink(path) == 0 || errno == ENOENT, path);
	must(mkfifo(path, 0644) == 0, path);
}

void fakeproc_trap(const struct fakeproc *tree, pid_t pid)
{
	put_fifo(tree, pid, "environ");
	put_fifo(tree, pid, "exe");
}

/* A thread that is opening it for reading already counts as a reader. */
bool fakeproc_release(const struct fakeproc *tree, pid_t pid)
{
	char path[PATH_SIZE];
	int fd;

	path_of(tree, pid, "environ", path);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	must(fd >= 0 || errno == ENXIO, path);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A pipe in place of the file: a reader waits until this thread writes. */
static void *moment_thread(void *data)
{
	struct fake_moment *m = data;
	int fd = open(m->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || __atomic_load_n(&m->over, __ATOMIC_ACQUIRE)) {
		close(fd);
		return NULL;
	}
	/* The next reader finds a plain file again. */
	unlink(m->path);
	write_file(m->path, m->text, m->len);
	m->happen(m->data);
	m->came = write(fd, m->text, m->len) == (ssize_t)m->len;
	close(fd);
	return NULL;
}

void fakeproc_at(const struct fakeproc *tree, pid_t pid, const char *file,
		 void (*happen)(void *data), void *data,
		 struct fake_moment *moment)
{
	ssize_t n;
	int fd;

	path_of(tree, pid, file, moment->path);
	fd = open(moment->path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0, moment->path);
	n = read(fd, moment->text, sizeof(moment->text));
	close(fd);
	must(n >= 0 && (size_t)n < sizeof(moment->text), moment->path);
	moment->len = (size_t)n;
	moment->happen = happen;
	moment->data = data;
	moment->came = false;
	moment->over = false;
	must(unlink(moment->path) == 0 && mkfifo(moment->path, 0644) == 0,
	     moment->path);
	must(pthread_create(&moment->thread, NULL, moment_thread, moment) == 0,
	     "thread");
}

bool fakeproc_came(struct fake_moment *moment)
{
	int fd;

	/* If it still waits, release it without the change. */
	__atomic_store_n(&moment->over, true, __ATOMIC_RELEASE);
	fd = open(moment->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	pthread_join(moment->thread, NULL);
	if (fd >= 0)
		close(fd);
	return moment->came;
}
