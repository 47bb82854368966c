/* Facts about a process from /proc.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/fakeproc.h"
#include "tests/unit/guard.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

/* A PID in trees that need no real process. */
#define PID 4242

/* Of each point: a tree with one process, PID; and the system's. */
static struct fakeproc tree;
static struct procfs fake, real;
static size_t descriptors;

static void before(void)
{
	const struct fake_process p = {
		.pid = PID, .exe = FAKE_SMTPD, .ppid = 41, .uid = FAKE_UID,
	};

	descriptors = descriptors_open();
	fakeproc_open(&tree);
	want_int(procfs_init(&fake, tree.root), 0);
	want_int(procfs_init(&real, PROCFS_DEFAULT_ROOT), 0);
	fakeproc_put(&tree, &p);
}

static void after(void)
{
	fakeproc_close(&tree);
	want_int(descriptors_open(), descriptors);
}

TEST_EACH(before, after)

TEST(init_takes_what_fits)
{
	char root[sizeof(real.root) + 1];

	memset(root, '/', sizeof(root));
	root[sizeof(real.root)] = '\0';
	want_int(procfs_init(&real, root), -ENAMETOOLONG);
	root[sizeof(real.root) - 1] = '\0';
	want_int(procfs_init(&real, root), 0);
	want_str(real.root, root);
}

/* status */

#define UIDS(n) "Uid:\t1\t" n "\t3\t4\n"

static const struct status_row {
	const char *label, *text;
	int result;
	pid_t ppid;
	uid_t uid;
} status_rows[] = {
	{ "the effective uid", "Name:\tx\nPPid:\t41\n" UIDS("1234") "Gid:\t7\n", 0, 41, 1234 },
	{ "the highest uid", "Name:\tx\nPPid:\t1\n" UIDS("4294967294"), 0, 1, 4294967294U },
	{ "the highest PID", "Name:\tx\nPPid:\t4194304\n" UIDS("0"), 0, 4194304, 0 },
	{ "no parent", "Name:\tx\nPPid:\t0\n" UIDS("5"), 0, 0, 5 },
	{ "a name like a label", "Name:\tUid:\t0 0\nPPid:\t41\n" UIDS("9"), 0, 41, 9 },
	{ "an escaped newline in the name",
	  "Name:\tx\\nUid:\t0\t0\\nPPid:\t8\nPPid:\t41\n" UIDS("9"), 0, 41, 9 },
	{ "empty", "", -EIO, 0, 0 },
	{ "no parent line", "Name:\tx\n" UIDS("9"), -EIO, 0, 0 },
	{ "no uid line", "Name:\tx\nPPid:\t41\nGid:\t1\t2\t3\t4\n", -EIO, 0, 0 },
	{ "no number", "Name:\tx\nPPid:\tx\n" UIDS("9"), -EIO, 0, 0 },
	{ "one uid only", "Name:\tx\nPPid:\t41\nUid:\t1\n", -EIO, 0, 0 },
	{ "cut short", "Name:\tx\nPPid:", -EIO, 0, 0 },
};

TEST_ROWS(status, status_rows)
{
	struct procfs_status got = { .ppid = -7, .uid = 77 };

	fakeproc_write(&tree, PID, "status", row->text, strlen(row->text));
	want_int(procfs_read_status(&fake, PID, &got), row->result);
	want_int(got.ppid, row->result == 0 ? row->ppid : -7);
	want_int(got.uid, row->result == 0 ? row->uid : 77);
}

static const struct comm_row {
	const char *label, *text, *want;
} comm_rows[] = {
	{ "a program", "Name:\tcouriertcpd\n", "couriertcpd" },
	{ "the longest", "Name:\tcourieresmtpd-1\n", "courieresmtpd-1" },
	{ "of a kernel thread, longer", "Name:\tkworker/0:1-events\n", "kworker/0:1-eve" },
	{ "with blanks", "Name:\t a b\n", " a b" },
	{ "an escaped newline", "Name:\ta\\nb\n", "a\\nb" },
	{ "empty", "Name:\t\n", "" },
	{ "not the first line", "Umask:\t0022\nName:\tx\n", "" },
};

TEST_ROWS(status_comm, comm_rows)
{
	struct procfs_status got;
	char text[256];
	int n;

	memset(&got, 'y', sizeof(got));
	n = snprintf(text, sizeof(text), "%sPPid:\t41\n" UIDS("9"), row->text);
	fakeproc_write(&tree, PID, "status", text, (size_t)n);
	want_int(procfs_read_status(&fake, PID, &got), 0);
	want_str(got.comm, row->want);
}

static void want_this_process(int r, const struct procfs_status *status)
{
	want_int(r, 0);
	want_int(status->ppid, getppid());
	want_int(status->uid, geteuid());
}

static int pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	want_int(fd >= 0, true);
	return fd;
}

/* By its PID, by a pidfd, and by its PID where the kernel has no pidfd that answers. */
static void want_status(const char *comm)
{
	int fd = pidfd_of(getpid());
	struct procfs_status got;

	want_this_process(procfs_read_status(&real, getpid(), &got), &got);
	if (comm)
		want_str(got.comm, comm);
	want_this_process(procfs_read_status_held(&real, fd, getpid(), &got), &got);
	want_this_process(procfs_read_status_held(&real, -1, getpid(), &got), &got);
	close(fd);
}

TEST(status_of_this_process)
{
	want_status("test_procfs");
}

/* A process may name itself as it likes. */
TEST(status_of_a_process_with_a_forged_name)
{
	static const char *const names[] = { "x\nUid:\t7\t7\t7", "x\nPPid:\t7",
					     "\nUid:\t7\t7\n", "\\\nUid:\t7\t7" };
	char usual[16] = "";
	size_t i;

	prctl(PR_GET_NAME, usual);
	for (i = 0; i < COUNT_OF(names); i++) {
		prctl(PR_SET_NAME, names[i]);
		want_status(NULL);
	}
	prctl(PR_SET_NAME, usual);
}

TEST_AS_ROOT(status_has_the_effective_uid)
{
	want_int(seteuid(NOBODY_UID), 0);
	want_status(NULL);
	want_int(seteuid(0), 0);
}

/* PIDFD_GET_INFO came with Linux 6.13. */
static bool kernel_tells_of_pidfds(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	return major > 6 || (major == 6 && minor >= 13);
}

TEST(status_of_a_pinned_process_reads_no_file)
{
	unsigned int opened = fakelists_opened();
	struct procfs_status got;
	int fd = pidfd_of(getpid());

	want_int(procfs_read_status_held(&real, fd, getpid(), &got), 0);
	want_int(fakelists_opened() - opened, kernel_tells_of_pidfds() ? 0 : 1);
	close(fd);
}

TEST(status_of_a_pinned_process_reads_another_tree)
{
	struct procfs_status got;
	int fd = pidfd_of(getpid());

	want_int(procfs_read_status_held(&fake, fd, PID, &got), 0);
	want_int(got.ppid, 41);
	want_int(got.uid, FAKE_UID);
	close(fd);
}

TEST(status_of_a_pinned_process_that_is_missing)
{
	struct procfs_status got;
	pid_t pid = waiter_start();
	int fd = pidfd_of(pid);

	waiter_end(pid);
	want_int(procfs_read_status_held(&real, fd, pid, &got), -ESRCH);
	close(fd);
}

/* exe */

static const struct exe_row {
	const char *label, *target;
	int result;
	const char *name;
} exe_rows[] = {
	{ "courier's", FAKE_SMTPD, 0, "courieresmtpd" },
	{ "replaced by an upgrade", FAKE_SMTPD " (deleted)", 0, "courieresmtpd" },
	{ "in a directory with that name", "/tmp/courieresmtpd/sh", 0, "sh" },
	{ "with more behind the name", "/usr/bin/courieresmtpd-1", 0, "courieresmtpd-1" },
	{ "deleted in the middle of the name", "/x/a (deleted)b", 0, "a (deleted)b" },
	{ "without a directory", "memfd:x", 0, "memfd:x" },
	{ "the longest name", "/bin/a234567890123456789012345678901", 0,
	  "a234567890123456789012345678901" },
	{ "a longer one", "/bin/a2345678901234567890123456789012", -ENAMETOOLONG, "" },
	{ "the longest one, deleted", "/bin/a234567890123456789012345678901 (deleted)", 0,
	  "a234567890123456789012345678901" },
};

TEST_ROWS(exe, exe_rows)
{
	char name[PROCFS_NAME_SIZE] = "";

	fakeproc_exe(&tree, PID, row->target);
	want_int(procfs_read_exe(&fake, PID, name), row->result);
	want_str(name, row->name);
}

/* A kernel thread has none. */
TEST(exe_missing)
{
	char name[PROCFS_NAME_SIZE];

	fakeproc_remove(&tree, PID, "exe");
	want_int(procfs_read_exe(&fake, PID, name), -ESRCH);
}

TEST(exe_of_this_process)
{
	char name[PROCFS_NAME_SIZE];

	want_int(procfs_read_exe(&real, getpid(), name), 0);
	want_str(name, "test_procfs");
}

static const struct peer somebody = {
	.ip = "::ffff:192.0.2.7", .port = 41703, .local_port = 25,
};

static ssize_t environ_of(const struct peer *peer, char want[static PROCFS_ENVIRON_SIZE])
{
	return (ssize_t)peer_environment(peer, want, PROCFS_ENVIRON_SIZE);
}

/* Its executable and environment, however many pages that has in the process: each alone,
 * and all at once. */
static void want_child(const struct peer *peer)
{
	static char env[PROCFS_ENVIRON_SIZE], want[PROCFS_ENVIRON_SIZE];
	static struct procfs_look got, copy;
	ssize_t n = environ_of(peer, want);
	char name[PROCFS_NAME_SIZE];
	struct courier courier;
	struct connection c;
	struct stat st;

	courier_start(&courier);
	c = courier_plain(&courier, peer);
	want_int(procfs_read_exe(&real, courier.tcpd, name), 0);
	want_str(name, "couriertcpd");
	courier_upgrade(&courier);
	want_int(procfs_read_exe(&real, c.smtpd, name), 0);
	want_str(name, "courieresmtpd");
	want_int(procfs_read_environ(&real, c.smtpd, env), n);
	want_mem(env, want, (size_t)n);
	want_int(procfs_look(&real, c.smtpd, true, &got), 0);
	courier_stop(&courier);
	want_str(got.name, "courieresmtpd");
	want_int(got.env_len, n);
	want_mem(got.env, want, (size_t)n);
	want_int(stat("/proc/self/ns/net", &st), 0);
	want_int(got.netns == st.st_ino, true);
	memset(&copy, 'y', sizeof(copy));
	procfs_look_copy(&got, &copy);
	want_mem(&copy, &got, offsetof(struct procfs_look, env) + (size_t)n + 1);
	/* No more than is in use. */
	want_int(copy.env[n + 1], 'y');
}

TEST(a_real_child)
{
	want_child(&somebody);
}

TEST(a_real_child_with_a_large_environment)
{
	static char filler[6000];
	static const char *const extra[] = { filler, filler, filler, filler, "LAST=1", NULL };
	const struct peer peer = { .ip = "192.0.2.7", .port = 7, .local_port = 25,
				   .extra = extra };

	memset(filler, 'x', sizeof(filler) - 1);
	filler[1] = '=';
	want_child(&peer);
}

/* environ */

/* Text without a final NUL (a process can overwrite its environment) is terminated all the
 * same. */
static const struct environ_row {
	const char *label;
	size_t len;
	ssize_t want;
} environ_rows[] = {
	{ "empty", 0, 0 },
	{ "short", 7, 7 },
	{ "the longest", PROCFS_ENVIRON_SIZE - 2, PROCFS_ENVIRON_SIZE - 2 },
	{ "a longer one", PROCFS_ENVIRON_SIZE, -E2BIG },
	{ "longer than the buffer", PROCFS_ENVIRON_SIZE + 1, -E2BIG },
};

TEST_ROWS(environ_is_read, environ_rows)
{
	static char text[PROCFS_ENVIRON_SIZE + 1], got[PROCFS_ENVIRON_SIZE];
	ssize_t n;

	memset(text, 'x', sizeof(text));
	memset(got, 'y', sizeof(got));
	fakeproc_write(&tree, PID, "environ", text, row->len);
	n = procfs_read_environ(&fake, PID, got);
	want_int(n, row->want);
	if (n >= 0) {
		want_mem(got, text, row->len);
		want_int(got[n], 0);
	}
}

/* The kernel's part of procfs_look(): an open file is bound to one program image, not to the
 * PID. */
static ssize_t read_again(int fd, char *buf)
{
	want_int(lseek(fd, 0, SEEK_SET), 0);
	return read(fd, buf, PROCFS_ENVIRON_SIZE);
}

static int open_environ(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

TEST(open_environ_is_bound_to_the_program)
{
	static char got[PROCFS_ENVIRON_SIZE];
	struct courier courier;
	int first, second;
	pid_t pid;

	courier_start(&courier);
	pid = courier_forked(&courier, &somebody);
	first = open_environ(pid);
	want_int(read_again(first, got) > 0, true);
	courier_exec(&courier);
	want_int(read_again(first, got), 0);
	second = open_environ(pid);
	want_int(read_again(second, got) > 0, true);
	want_int(kill(pid, SIGKILL), 0);
	want_int(has_ended_soon(pid), true);
	want_int(read_again(second, got), 0);
	close(first);
	close(second);
	courier_stop(&courier);
}

#define ENV(text) text, sizeof(text)

static const struct getenv_row {
	const char *label, *env;
	size_t len;
	const char *want;	/* of BLOCK */
} getenv_rows[] = {
	{ "the only one", ENV("BLOCK=511 x"), "511 x" },
	{ "the last one", ENV("A=1\0BLOCK=y"), "y" },
	{ "the first of two", ENV("BLOCK=1\0BLOCK=2"), "1" },
	{ "empty", ENV("BLOCK=\0A=1"), "" },
	{ "missing", ENV("A=1\0B=2"), NULL },
	{ "a longer name", ENV("BLOCK_IP=127.0.0.2"), NULL },
	{ "a shorter name", ENV("BLOC=1"), NULL },
	{ "the end of a name", ENV("XBLOCK=1"), NULL },
	{ "no equals sign", ENV("BLOCK\0BLOCK2=1"), NULL },
	{ "in a value", ENV("A=BLOCK=1\0B=\nBLOCK=2"), NULL },
	{ "in a value, then for real", ENV("A= BLOCK=1\0BLOCK=2"), "2" },
	{ "after an empty entry", ENV("\0\0BLOCK=2"), "2" },
	{ "other case", ENV("block=1"), NULL },
	{ "cut off at its end", ENV("A=1\0BLOCK"), NULL },
	{ "no environment", "", 0, NULL },
	{ "behind the end", "A=1\0BLOCK=2", 4, NULL },
};

TEST_ROWS(getenv_finds, getenv_rows)
{
	/* As procfs_read_environ() leaves it: one NUL more. */
	char *env = calloc(1, row->len + 1);

	assert_non_null(env);
	memcpy(env, row->env, row->len);
	want_str(procfs_getenv(env, row->len, "BLOCK"), row->want);
	free(env);
}

/* All of it at once. */

static const char large[PROCFS_ENVIRON_SIZE];

static const struct look_row {
	const char *label, *exe, *env;
	size_t env_len;
	int want;
	const char *name;
	ssize_t want_len;
} look_rows[] = {
	{ "a child", FAKE_SMTPD, ENV("A=1\0B=2"), 0, "courieresmtpd", 8 },
	{ "replaced by an upgrade", FAKE_SMTPD " (deleted)", ENV("A=1"), 0, "courieresmtpd", 4 },
	{ "without a NUL at its end", FAKE_SMTPD, "A=1", 3, 0, "courieresmtpd", 3 },
	{ "a name longer than any", "/bin/a2345678901234567890123456789012", ENV("A=1"), 0, "", 4 },
	{ "a large environment", FAKE_SMTPD, large, sizeof(large), 0, "courieresmtpd", -E2BIG },
	{ "a kernel thread", NULL, ENV("A=1"), -ESRCH, NULL, 0 },
	{ "nothing to read any more", FAKE_SMTPD, "", 0, -ESRCH, NULL, 0 },
};

TEST_ROWS(look, look_rows)
{
	static struct procfs_look got;
	ino_t netns;

	memset(&got, 'y', sizeof(got));
	fakeproc_put(&tree, &(struct fake_process){
		.pid = PID + 1, .exe = row->exe, .env = row->env,
		.env_len = row->env_len });
	want_int(procfs_look(&fake, PID + 1, true, &got), row->want);
	if (row->want < 0)
		return;
	want_str(got.name, row->name);
	want_int(got.env_len, row->want_len);
	if (row->want_len >= 0) {
		want_mem(got.env, row->env, row->env_len);
		want_int(got.env[row->want_len], 0);
	}
	want_int(procfs_read_netns(&fake, getpid(), &netns), 0);
	want_int(got.netns == netns, true);
}

/* Executable and namespace alone: the environment is not even opened. */
TEST(look_without_environment)
{
	static struct procfs_look got;

	fakeproc_trap(&tree, PID);
	fakeproc_exe(&tree, PID, FAKE_TCPD);
	want_int(procfs_look(&fake, PID, false, &got), 0);
	want_str(got.name, "couriertcpd");
	want_int(got.env_len, -ENODATA);
}

/* It is opened first and read last, so that the name in between is of the same program. */
TEST(look_opens_first_and_reads_last)
{
	static struct procfs_look got;

	/* This executable gives -EINVAL. */
	fakeproc_trap(&tree, PID);
	fakeproc_remove(&tree, PID, "environ");
	want_int(procfs_look(&fake, PID, true, &got), -ESRCH);
	fakeproc_write(&tree, PID, "environ", "", 0);
	want_int(procfs_look(&fake, PID, true, &got), -EINVAL);
}

TEST(look_without_descriptors)
{
	static struct procfs_look got;
	struct rlimit old, none = { .rlim_cur = 3 };
	int r;

	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = procfs_look(&fake, PID, true, &got);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
}

/* fdinfo */

static const struct fdinfo_row {
	const char *label, *text;	/* NULL: there is no such descriptor */
	int want;
	ino_t inode;
} fdinfo_rows[] = {
	{ "as the kernel writes it", "pos:\t0\nflags:\t02\nmnt_id:\t10\nino:\t51966\n", 0, 51966 },
	{ "the largest", "pos:\t0\nino:\t18446744073709551615\n", 0, (ino_t)-1 },
	{ "before Linux 5.14", "pos:\t0\nflags:\t02\nmnt_id:\t10\n", -EIO, 0 },
	{ "no number", "pos:\t0\nino:\tx\n", -EIO, 0 },
	{ "a longer label", "pos:\t0\nxino:\t7\n", -EIO, 0 },
	{ "empty", "", -EIO, 0 },
	{ "no such descriptor", NULL, -ESRCH, 0 },
};

TEST_ROWS(fdinfo, fdinfo_rows)
{
	char path[256];
	ino_t got = 0;

	snprintf(path, sizeof(path), "%s/%d/fdinfo", tree.root, PID);
	want_int(mkdir(path, 0755), 0);
	if (row->text)
		fakeproc_write(&tree, PID, "fdinfo/7", row->text, strlen(row->text));
	want_int(procfs_read_fd_inode(&fake, PID, 7, &got), row->want);
	want_int(got == row->inode, true);
}

TEST(fdinfo_of_a_real_process)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;
	pid_t pid = waiter_start();
	ino_t got = 0;

	want_int(fstat(fd, &st), 0);
	want_int(procfs_read_fd_inode(&real, pid, fd, &got), 0);
	want_int(got == st.st_ino, true);
	want_int(procfs_read_fd_inode(&real, pid, 4000, &got), -ESRCH);
	waiter_end(pid);
	close(fd);
}

/* Children, processes, namespaces. */

static void want_children(const pid_t *want, size_t count)
{
	pid_t *got;

	want_int(procfs_read_children(&fake, PID, &got), count);
	want_int(count == 0, got == NULL);
	want_mem(got, want, count * sizeof(*want));
	free(got);
}

TEST(children_of_a_tree)
{
	enum { MANY = 10000 };
	static pid_t want[MANY];
	char file[40];
	int i;

	want_children(NULL, 0);
	for (i = 0; i < MANY; i++)
		want[i] = 100000 + i * 7;
	fakeproc_children(&tree, PID, want, 1);
	want_children(want, 1);
	fakeproc_children(&tree, PID, want, MANY);
	want_children(want, MANY);
	/* Numbers of other lengths, so that a read ends at each possible place. */
	for (i = 0; i < MANY; i++)
		want[i] = i % 3 ? i + 1 : 1000000 + i;
	fakeproc_children(&tree, PID, want, MANY);
	want_children(want, MANY);
	/* Without a blank at the end. */
	snprintf(file, sizeof(file), "task/%d/children", PID);
	fakeproc_write(&tree, PID, file, "5 67", 4);
	want_children((const pid_t[]){ 5, 67 }, 2);
}

/* Both are in the list, which is freed. */
static void want_both(pid_t *pids, ssize_t n, pid_t a, pid_t b)
{
	unsigned int found = 0;
	ssize_t i;

	for (i = 0; i < n; i++)
		found += pids[i] == a || pids[i] == b;
	want_int(found, 2);
	free(pids);
}

TEST(children_of_this_process)
{
	pid_t a = waiter_start(), b = waiter_start(), *got;

	want_int(procfs_read_children(&real, getpid(), &got), 2);
	want_both(got, 2, a, b);
	waiter_end(a);
	waiter_end(b);
	want_int(procfs_read_children(&real, getpid(), &got), 0);
}

TEST(list_has_the_processes_only)
{
	static const char *const others[] = { "self", "sys", "12x", "-5", "0", "x12" };
	char path[256];
	pid_t *got;
	size_t i;

	for (i = 0; i < COUNT_OF(others); i++) {
		snprintf(path, sizeof(path), "%s/%s", tree.root, others[i]);
		want_int(mkdir(path, 0755), 0);
	}
	want_int(procfs_list(&fake, &got), 2);
	want_both(got, 2, PID, getpid());
}

TEST(list_of_the_system)
{
	pid_t *got, waiter = waiter_start();
	ssize_t n = procfs_list(&real, &got);

	want_both(got, n, getpid(), waiter);
	waiter_end(waiter);
}

TEST(list_without_a_tree)
{
	pid_t *got;

	want_int(procfs_init(&real, "/nonexistent"), 0);
	want_int(procfs_list(&real, &got), -ENOENT);
}

static const struct last_pid_row {
	const char *label, *text;	/* NULL: there is no file */
	int want;
	pid_t pid;
} last_pid_rows[] = {
	{ "as the kernel writes it", "0.20 0.18 0.12 1/80 11206\n", 0, 11206 },
	{ "the largest", "9.00 9.00 9.00 100/4000 4194303\n", 0, 4194303 },
	{ "none", "0.20 0.18 0.12 1/80 0\n", -EIO, 0 },
	{ "negative", "0.20 0.18 0.12 1/80 -1\n", -EIO, 0 },
	{ "too large", "0.20 0.18 0.12 1/80 99999999999\n", -EIO, 0 },
	{ "no number", "0.20 0.18 0.12 1/80\n", -EIO, 0 },
	{ "no newline", "0.20 0.18 0.12 1/80 11206", -EIO, 0 },
	{ "no blank", "11206\n", -EIO, 0 },
	{ "empty", "", -EIO, 0 },
	{ "no file", NULL, -ESRCH, 0 },
};

TEST_ROWS(last_pid, last_pid_rows)
{
	pid_t pid = 0;

	if (row->text)
		fakeproc_loadavg(&tree, row->text);
	want_int(procfs_read_last_pid(&fake, &pid), row->want);
	want_int(pid, row->pid);
}

/* Other processes get PIDs too, but ours is close to the last one: it is the last one itself,
 * unless another process was faster each time. */
TEST(last_pid_of_the_system)
{
	pid_t mine = 0, last = -1;
	int tries;

	for (tries = 0; tries < 1000 && last != mine; tries++) {
		mine = waiter_start();
		want_int(procfs_read_last_pid(&real, &last), 0);
		waiter_end(mine);
	}
	want_int(last, mine);
}

TEST(namespaces)
{
	const struct fake_process other = {
		.pid = PID + 1, .exe = FAKE_SMTPD, .other_netns = true,
	};
	ino_t ours, same, differs;

	fakeproc_put(&tree, &other);
	want_int(procfs_read_netns(&fake, getpid(), &ours), 0);
	want_int(procfs_read_netns(&fake, PID, &same), 0);
	want_int(procfs_read_netns(&fake, PID + 1, &differs), 0);
	want_int(ours == same, true);
	want_int(ours == differs, false);
}

TEST(namespace_of_this_process)
{
	struct stat st;
	ino_t got;

	want_int(stat("/proc/self/ns/net", &st), 0);
	want_int(procfs_read_netns(&real, getpid(), &got), 0);
	want_int(got == st.st_ino, true);
}

/* Missing files, unreadable files, and no memory, for all functions. */

/* What the functions return for facts that any user can read, and for the others. */
static void want_all(const struct procfs *procfs, pid_t pid, int open, int hidden)
{
	static char env[PROCFS_ENVIRON_SIZE];
	char name[PROCFS_NAME_SIZE];
	struct procfs_status st;
	pid_t *pids;
	ino_t inode;

	want_int(procfs_read_status(procfs, pid, &st), open);
	want_int(procfs_read_children(procfs, pid, &pids), open);
	want_int(procfs_read_exe(procfs, pid, name), hidden);
	want_int(procfs_read_environ(procfs, pid, env), hidden);
	want_int(procfs_read_netns(procfs, pid, &inode), hidden);
	want_int(procfs_read_fd_inode(procfs, pid, STDIN_FILENO, &inode), hidden);
}

TEST(no_such_process)
{
	pid_t gone = waiter_start();

	waiter_end(gone);
	want_all(&fake, PID + 1, -ESRCH, -ESRCH);
	want_all(&real, gone, -ESRCH, -ESRCH);
}

TEST_AS_ROOT(no_right_to_look)
{
	pid_t pid = waiter_start();
	char path[256];

	snprintf(path, sizeof(path), "%s/%d", tree.root, PID);
	want_int(chmod(path, 0700), 0);
	user_become(NOBODY_UID);
	want_all(&fake, PID, -EACCES, -EACCES);
	want_all(&real, pid, 0, -EACCES);
	user_back();
	waiter_end(pid);
}

TEST(a_zombie_has_no_executable)
{
	char name[PROCFS_NAME_SIZE];
	pid_t pid = waiter_start();

	kill(pid, SIGKILL);
	want_int(has_ended_soon(pid), true);
	want_int(procfs_read_exe(&real, pid, name), -ESRCH);
	waiter_end(pid);
}

static int read_lists(void *data)
{
	pid_t *pids;
	ssize_t n = procfs_read_children(data, PID, &pids);

	if (n >= 0) {
		free(pids);
		n = procfs_list(data, &pids);
	}
	if (n >= 0)
		free(pids);
	return n < 0 ? (int)n : 0;
}

TEST(no_memory)
{
	static pid_t many[1000];
	int i;

	for (i = 0; i < 1000; i++)
		many[i] = i + 1;
	fakeproc_children(&tree, PID, many, 1000);
	want_int(memory_fail_each(read_lists, &fake) > 1, true);
}

static const struct cpu_time_row {
	const char *label, *text;
	int want;
	uint64_t ns;
} cpu_time_rows[] = {
	{ "as the kernel writes it", "2712884 2823983 9\n", 0, 2712884 },
	{ "more than 32 bits", "9000000000000 0 1\n", 0, 9000000000000 },
	{ "no number", "x 0 1\n", -EIO, 0 },
	{ "empty", "", -EIO, 0 },
};

TEST_ROWS(cpu_time, cpu_time_rows)
{
	uint64_t ns = 0;

	fakeproc_write(&tree, PID, "schedstat", row->text, strlen(row->text));
	want_int(procfs_read_cpu_time(&fake, PID, &ns), row->want);
	want_int(ns == row->ns, true);
}

/* The real one grows. */
TEST(cpu_time_of_this_process)
{
	volatile unsigned long work = 0;
	uint64_t first, later = 0;

	want_int(procfs_read_cpu_time(&real, getpid(), &first), 0);
	while (later <= first && work++ < 1000000)
		want_int(procfs_read_cpu_time(&real, getpid(), &later), 0);
	want_int(later > first, true);
	want_int(procfs_read_cpu_time(&real, 1 << 30, &later), -ESRCH);
}

#define WORDS(text) text, sizeof(text)

static const struct option_row {
	const char *label, *text;
	size_t len;
	int want;
	unsigned int number;
} option_rows[] = {
	{ "among others", WORDS("couriertcpd\0-maxperip=5\0-maxprocs=40\0smtp"), 0, 40 },
	{ "none", WORDS("couriertcpd\0smtp"), -ENODATA, 0 },
	{ "no number", WORDS("couriertcpd\0-maxprocs=many"), -ENODATA, 0 },
	{ "too long", WORDS("couriertcpd\0-maxprocs=1234567890"), -ENODATA, 0 },
	{ "empty", WORDS(""), -ENODATA, 0 },
};

TEST_ROWS(option, option_rows)
{
	unsigned int number = 0;

	fakeproc_write(&tree, PID, "cmdline", row->text, row->len);
	want_int(procfs_read_option(&fake, PID, "-maxprocs=", &number), row->want);
	want_int(number, row->number);
}

static const struct text_row {
	const char *label, *text;
	size_t len;
	int want;
	const char *value;
} text_rows[] = {
	{ "among others", WORDS("couriertcpd\0-haproxy=5/port=25\0smtp"), 0, "5/port=25" },
	{ "the last one counts, as for courier", WORDS("couriertcpd\0-haproxy=5\0-haproxy=\0smtp"),
	  0, "" },
	{ "without a value", WORDS("couriertcpd\0-haproxy\0smtp"), -ENODATA, NULL },
	{ "as long as the buffer, with its NUL", WORDS("couriertcpd\0-haproxy=12345678901"), 0,
	  "12345678901" },
	{ "longer", WORDS("couriertcpd\0-haproxy=123456789012"), -E2BIG, NULL },
};

TEST_ROWS(option_text, text_rows)
{
	char value[12] = "before";

	fakeproc_write(&tree, PID, "cmdline", row->text, row->len);
	want_int(procfs_read_option_text(&fake, PID, "-haproxy=", value, sizeof(value)),
		 row->want);
	want_str(value, row->value ? row->value : "before");
}

static bool sleeps_now(void *data)
{
	return procfs_read_wait(&real, *(const pid_t *)data) == PROCFS_WAIT_SLEEP;
}

static bool polls_now(void *data)
{
	return procfs_read_wait(&real, *(const pid_t *)data) == PROCFS_WAIT_INPUT;
}

/* Processes that sleep as courier does, wait for a descriptor, and wait for something else. */
TEST_AS_ROOT(wait_of_a_process)
{
	pid_t waiter = waiter_start(), sleeper = guard_fork(), poller;

	if (sleeper == 0) {
		sleep(60);
		_exit(0);
	}
	poller = guard_fork();
	if (poller == 0)
		_exit(poll(NULL, 0, -1));
	want_int(soon(sleeps_now, &sleeper), true);
	want_int(soon(polls_now, &poller), true);
	want_int(procfs_read_wait(&real, waiter), PROCFS_WAIT_OTHER);
	waiter_end(poller);
	waiter_end(sleeper);
	waiter_end(waiter);
	want_int(procfs_read_wait(&real, waiter), -ESRCH);
}

TEST(files_of_this_process)
{
	static const char *const names[] = { "null", "no-such-file" };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	unsigned int found = 0;

	want_int(procfs_find_files(&real, getpid(), names, 2, &found), 0);
	want_int(found, 1);
	close(fd);
	want_int(procfs_find_files(&real, 1 << 30, names, 2, &found), -ESRCH);
}

/* Without CAP_SYS_PTRACE nothing is seen of another user's process. */
TEST_AS_ROOT(no_right_to_see)
{
	static const char *const names[] = { "null" };
	pid_t waiter = waiter_start(), pid = guard_fork();
	unsigned int found;
	int status;

	if (pid == 0)
		_exit(setuid(NOBODY_UID) == 0 &&
		      procfs_read_wait(&real, waiter) == -EACCES &&
		      procfs_find_files(&real, waiter, names, 1, &found) == -EACCES ? 0 : 1);
	want_int(waitpid(pid, &status, 0), pid);
	want_int(status, 0);
	waiter_end(waiter);
}
