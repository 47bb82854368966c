/* Facts about a process from /proc.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "lib/procfs.h"

#include <errno.h>
#include <fcntl.h>
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
#include <unistd.h>

#include "tests/unit/fakeproc.h"
#include "tests/unit/processes.h"
#include "tests/unit/support.h"

/* A PID in trees that need no real process. */
#define PID 4242

/* A tree with one process, PID. */
struct fixture {
	struct fakeproc tree;
	struct procfs procfs;
	size_t descriptors;
};

static void fixture_open(struct fixture *f)
{
	const struct fake_process p = {
		.pid = PID, .exe = FAKE_SMTPD, .ppid = 41, .uid = FAKE_UID,
	};

	f->descriptors = descriptors_open();
	fakeproc_open(&f->tree);
	want_int(procfs_init(&f->procfs, f->tree.root), 0);
	fakeproc_put(&f->tree, &p);
}

static void fixture_close(struct fixture *f)
{
	fakeproc_close(&f->tree);
	want_int(descriptors_open(), f->descriptors);
}

static void real_init(struct procfs *procfs)
{
	want_int(procfs_init(procfs, PROCFS_DEFAULT_ROOT), 0);
}

TEST(init_takes_what_fits)
{
	struct procfs procfs;
	char root[sizeof(procfs.root) + 1];

	memset(root, '/', sizeof(root));
	root[sizeof(procfs.root)] = '\0';
	want_int(procfs_init(&procfs, root), -ENAMETOOLONG);
	root[sizeof(procfs.root) - 1] = '\0';
	want_int(procfs_init(&procfs, root), 0);
	want_str(procfs.root, root);
}

/* status */

struct status_row {
	const char *label;
	const char *text;
	int result;
	pid_t ppid;
	uid_t uid;
};

#define UIDS(n) "Uid:\t1\t" n "\t3\t4\n"

static const struct status_row status_rows[] = {
	{ "the effective uid", "Name:\tx\nPPid:\t41\n" UIDS("1234") "Gid:\t7\n",
	  0, 41, 1234 },
	{ "the highest uid", "Name:\tx\nPPid:\t1\n" UIDS("4294967294"), 0, 1,
	  4294967294U },
	{ "the highest PID", "Name:\tx\nPPid:\t4194304\n" UIDS("0"), 0, 4194304,
	  0 },
	{ "no parent", "Name:\tx\nPPid:\t0\n" UIDS("5"), 0, 0, 5 },
	{ "a name like a label", "Name:\tUid:\t0 0\nPPid:\t41\n" UIDS("9"), 0,
	  41, 9 },
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
	struct fixture f;

	fixture_open(&f);
	fakeproc_write(&f.tree, PID, "status", row->text, strlen(row->text));
	want_int(procfs_read_status(&f.procfs, PID, &got), row->result);
	want_int(got.ppid, row->result == 0 ? row->ppid : -7);
	want_int(got.uid, row->result == 0 ? row->uid : 77);
	fixture_close(&f);
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
	struct fixture f;
	char text[256];
	int n;

	fixture_open(&f);
	memset(&got, 'y', sizeof(got));
	n = snprintf(text, sizeof(text), "%sPPid:\t41\n" UIDS("9"), row->text);
	fakeproc_write(&f.tree, PID, "status", text, (size_t)n);
	want_int(procfs_read_status(&f.procfs, PID, &got), 0);
	want_str(got.comm, row->want);
	fixture_close(&f);
}

TEST(status_of_this_process)
{
	struct procfs_status got;
	struct procfs procfs;

	real_init(&procfs);
	want_int(procfs_read_status(&procfs, getpid(), &got), 0);
	want_int(got.ppid, getppid());
	want_int(got.uid, geteuid());
	want_str(got.comm, "test_procfs");
}

/* A process may name itself as it likes. */
TEST(status_of_a_process_with_a_forged_name)
{
	static const char *const names[] = { "x\nUid:\t7\t7\t7", "x\nPPid:\t7",
					     "\nUid:\t7\t7\n", "\\\nUid:\t7\t7" };
	char before[16] = "";
	struct procfs_status got;
	struct procfs procfs;
	size_t i;

	real_init(&procfs);
	prctl(PR_GET_NAME, before);
	for (i = 0; i < COUNT_OF(names); i++) {
		prctl(PR_SET_NAME, names[i]);
		want_int(procfs_read_status(&procfs, getpid(), &got), 0);
		want_int(got.ppid, getppid());
		want_int(got.uid, geteuid());
	}
	prctl(PR_SET_NAME, before);
}

TEST_AS_ROOT(status_has_the_effective_uid)
{
	struct procfs_status got;
	struct procfs procfs;

	real_init(&procfs);
	user_become(NOBODY_UID);
	want_int(procfs_read_status(&procfs, getpid(), &got), 0);
	user_back();
	want_int(got.uid, NOBODY_UID);
}

/* The same for a pinned process. */

static int hold(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	want_int(fd >= 0, true);
	return fd;
}

TEST(status_of_a_pinned_process)
{
	struct procfs_status got;
	struct procfs procfs;
	pid_t pid = waiter_start();
	int fd = hold(pid);

	real_init(&procfs);
	want_int(procfs_read_status_held(&procfs, fd, pid, &got), 0);
	want_int(got.ppid, getpid());
	want_int(got.uid, geteuid());
	close(fd);
	waiter_end(pid);
}

TEST_AS_ROOT(status_of_a_pinned_process_has_the_effective_uid)
{
	struct procfs_status got;
	struct procfs procfs;
	int fd = hold(getpid());

	real_init(&procfs);
	want_int(seteuid(NOBODY_UID), 0);
	want_int(procfs_read_status_held(&procfs, fd, getpid(), &got), 0);
	want_int(seteuid(0), 0);
	want_int(got.ppid, getppid());
	want_int(got.uid, NOBODY_UID);
	close(fd);
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
	struct procfs procfs;
	int fd = hold(getpid());

	real_init(&procfs);
	want_int(procfs_read_status_held(&procfs, fd, getpid(), &got), 0);
	want_int(fakelists_opened() - opened, kernel_tells_of_pidfds() ? 0 : 1);
	close(fd);
}

TEST(status_of_a_pinned_process_with_an_older_kernel)
{
	struct procfs_status got;
	struct procfs procfs;

	real_init(&procfs);
	want_int(procfs_read_status_held(&procfs, -1, getpid(), &got), 0);
	want_int(got.ppid, getppid());
	want_int(got.uid, geteuid());
}

TEST(status_of_a_pinned_process_reads_another_tree)
{
	struct procfs_status got;
	struct fixture f;
	int fd;

	fixture_open(&f);
	fd = hold(getpid());
	want_int(procfs_read_status_held(&f.procfs, fd, PID, &got), 0);
	want_int(got.ppid, 41);
	want_int(got.uid, FAKE_UID);
	close(fd);
	fixture_close(&f);
}

TEST(status_of_a_pinned_process_that_is_missing)
{
	struct procfs_status got;
	struct procfs procfs;
	pid_t pid = waiter_start();
	int fd = hold(pid);

	real_init(&procfs);
	waiter_end(pid);
	want_int(procfs_read_status_held(&procfs, fd, pid, &got), -ESRCH);
	close(fd);
}

/* exe */

struct exe_row {
	const char *label;
	const char *target;
	int result;
	const char *name;
};

static const struct exe_row exe_rows[] = {
	{ "courier's", FAKE_SMTPD, 0, "courieresmtpd" },
	{ "replaced by an upgrade", FAKE_SMTPD " (deleted)", 0, "courieresmtpd" },
	{ "in a directory with that name", "/tmp/courieresmtpd/sh", 0, "sh" },
	{ "with more behind the name", "/usr/bin/courieresmtpd-1", 0,
	  "courieresmtpd-1" },
	{ "deleted in the middle of the name", "/x/a (deleted)b", 0,
	  "a (deleted)b" },
	{ "without a directory", "memfd:x", 0, "memfd:x" },
	{ "the longest name", "/bin/a234567890123456789012345678901", 0,
	  "a234567890123456789012345678901" },
	{ "a longer one", "/bin/a2345678901234567890123456789012",
	  -ENAMETOOLONG, "" },
	{ "the longest one, deleted",
	  "/bin/a234567890123456789012345678901 (deleted)", 0,
	  "a234567890123456789012345678901" },
};

TEST_ROWS(exe, exe_rows)
{
	char name[PROCFS_NAME_SIZE] = "";
	struct fixture f;

	fixture_open(&f);
	fakeproc_exe(&f.tree, PID, row->target);
	want_int(procfs_read_exe(&f.procfs, PID, name), row->result);
	want_str(name, row->name);
	fixture_close(&f);
}

/* A kernel thread has none. */
TEST(exe_missing)
{
	char name[PROCFS_NAME_SIZE];
	struct fixture f;

	fixture_open(&f);
	fakeproc_remove(&f.tree, PID, "exe");
	want_int(procfs_read_exe(&f.procfs, PID, name), -ESRCH);
	fixture_close(&f);
}

TEST(exe_of_this_process)
{
	char name[PROCFS_NAME_SIZE];
	struct procfs procfs;

	real_init(&procfs);
	want_int(procfs_read_exe(&procfs, getpid(), name), 0);
	want_str(name, "test_procfs");
}

static const struct peer somebody = {
	.ip = "::ffff:192.0.2.7", .port = 41703, .local_port = 25,
};

TEST(exe_of_a_real_child)
{
	char name[PROCFS_NAME_SIZE];
	struct connection c;
	struct courier courier;
	struct procfs procfs;

	real_init(&procfs);
	courier_start(&courier);
	c = courier_plain(&courier, &somebody);
	want_int(procfs_read_exe(&procfs, courier.tcpd, name), 0);
	want_str(name, "couriertcpd");
	courier_upgrade(&courier);
	want_int(procfs_read_exe(&procfs, c.smtpd, name), 0);
	want_str(name, "courieresmtpd");
	courier_stop(&courier);
}

/* environ */

TEST(environ_bounds)
{
	static char big[PROCFS_ENVIRON_SIZE + 1], got[PROCFS_ENVIRON_SIZE];
	struct fixture f;

	fixture_open(&f);
	memset(big, 'x', sizeof(big));
	big[PROCFS_ENVIRON_SIZE - 3] = '\0';
	fakeproc_write(&f.tree, PID, "environ", big, PROCFS_ENVIRON_SIZE - 2);
	want_int(procfs_read_environ(&f.procfs, PID, got),
		 PROCFS_ENVIRON_SIZE - 2);
	want_mem(got, big, PROCFS_ENVIRON_SIZE - 2);
	want_int(got[PROCFS_ENVIRON_SIZE - 2], 0);
	big[PROCFS_ENVIRON_SIZE - 3] = 'x';
	fakeproc_write(&f.tree, PID, "environ", big, PROCFS_ENVIRON_SIZE);
	want_int(procfs_read_environ(&f.procfs, PID, got), -E2BIG);
	fakeproc_write(&f.tree, PID, "environ", big, sizeof(big));
	want_int(procfs_read_environ(&f.procfs, PID, got), -E2BIG);
	fixture_close(&f);
}

TEST(environ_empty)
{
	static char got[PROCFS_ENVIRON_SIZE];
	struct fixture f;

	fixture_open(&f);
	fakeproc_write(&f.tree, PID, "environ", "", 0);
	got[0] = 'x';
	want_int(procfs_read_environ(&f.procfs, PID, got), 0);
	want_int(got[0], 0);
	fixture_close(&f);
}

/* Text without a final NUL (a process can overwrite its environment) is terminated all the
 * same. */
TEST(environ_is_terminated)
{
	static char got[PROCFS_ENVIRON_SIZE];
	struct fixture f;

	fixture_open(&f);
	memset(got, 'y', sizeof(got));
	fakeproc_write(&f.tree, PID, "environ", "A=1\0B=2", 7);
	want_int(procfs_read_environ(&f.procfs, PID, got), 7);
	want_mem(got, "A=1\0B=2", 8);
	fixture_close(&f);
}

TEST(environ_of_a_real_child)
{
	static char got[PROCFS_ENVIRON_SIZE];
	char want[1024];
	struct connection c;
	struct courier courier;
	struct procfs procfs;
	ssize_t n;

	real_init(&procfs);
	courier_start(&courier);
	c = courier_plain(&courier, &somebody);
	n = procfs_read_environ(&procfs, c.smtpd, got);
	want_int(n, peer_environment(&somebody, want, sizeof(want)));
	want_mem(got, want, (size_t)n);
	courier_stop(&courier);
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
	int before, after;
	pid_t pid;

	courier_start(&courier);
	pid = courier_forked(&courier, &somebody);
	before = open_environ(pid);
	want_int(read_again(before, got) > 0, true);
	courier_exec(&courier);
	want_int(read_again(before, got), 0);
	after = open_environ(pid);
	want_int(read_again(after, got) > 0, true);
	want_int(kill(pid, SIGKILL), 0);
	want_int(has_ended_soon(pid), true);
	want_int(read_again(after, got), 0);
	close(before);
	close(after);
	courier_stop(&courier);
}

/* It is read with one call, however many pages it has in the process. */
TEST(environ_of_many_pages)
{
	static char got[PROCFS_ENVIRON_SIZE], want[PROCFS_ENVIRON_SIZE], filler[6000];
	const char *const extra[] = { filler, filler, filler, filler, "LAST=1", NULL };
	const struct peer peer = { .ip = "192.0.2.7", .port = 7, .local_port = 25,
				   .extra = extra };
	struct connection c;
	struct courier courier;
	struct procfs procfs;
	ssize_t n;

	memset(filler, 'x', sizeof(filler) - 1);
	filler[1] = '=';
	real_init(&procfs);
	courier_start(&courier);
	c = courier_plain(&courier, &peer);
	n = procfs_read_environ(&procfs, c.smtpd, got);
	want_int(n, peer_environment(&peer, want, sizeof(want)));
	want_mem(got, want, (size_t)n);
	courier_stop(&courier);
}

struct getenv_row {
	const char *label;
	const char *env;
	size_t len;
	const char *want;	/* of BLOCK */
};

#define ENV(text) text, sizeof(text)

static const struct getenv_row getenv_rows[] = {
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

static const struct look_row {
	const char *label, *exe;
	const char *env;
	size_t env_len;
	int want;
	const char *name;
	ssize_t want_len;
} look_rows[] = {
	{ "a child", FAKE_SMTPD, ENV("A=1\0B=2"), 0, "courieresmtpd", 8 },
	{ "replaced by an upgrade", FAKE_SMTPD " (deleted)", ENV("A=1"), 0,
	  "courieresmtpd", 4 },
	{ "without a NUL at its end", FAKE_SMTPD, "A=1", 3, 0, "courieresmtpd", 3 },
	{ "a name longer than any", "/bin/a2345678901234567890123456789012", ENV("A=1"),
	  0, "", 4 },
	{ "a kernel thread", NULL, ENV("A=1"), -ESRCH, NULL, 0 },
	{ "nothing to read any more", FAKE_SMTPD, "", 0, -ESRCH, NULL, 0 },
};

TEST_ROWS(look, look_rows)
{
	static struct procfs_look got;
	struct fixture f;
	ino_t netns;

	fixture_open(&f);
	memset(&got, 'y', sizeof(got));
	fakeproc_put(&f.tree, &(struct fake_process){
		.pid = PID + 1, .exe = row->exe, .env = row->env,
		.env_len = row->env_len });
	want_int(procfs_look(&f.procfs, PID + 1, true, &got), row->want);
	if (row->want == 0) {
		want_str(got.name, row->name);
		want_int(got.env_len, row->want_len);
		want_mem(got.env, row->env, row->env_len);
		want_int(got.env[row->want_len], 0);
		want_int(procfs_read_netns(&f.procfs, getpid(), &netns), 0);
		want_int(got.netns == netns, true);
	}
	fixture_close(&f);
}

/* Executable and namespace alone: the environment is not even opened. */
TEST(look_without_environment)
{
	static struct procfs_look got;
	struct fixture f;

	fixture_open(&f);
	fakeproc_trap(&f.tree, PID);
	fakeproc_exe(&f.tree, PID, FAKE_TCPD);
	want_int(procfs_look(&f.procfs, PID, false, &got), 0);
	want_str(got.name, "couriertcpd");
	want_int(got.env_len, -ENODATA);
	fixture_close(&f);
}

TEST(look_at_a_large_environment)
{
	static char big[PROCFS_ENVIRON_SIZE];
	static struct procfs_look got;
	struct fixture f;

	fixture_open(&f);
	memset(big, 'x', sizeof(big));
	fakeproc_write(&f.tree, PID, "environ", big, sizeof(big));
	want_int(procfs_look(&f.procfs, PID, true, &got), 0);
	want_int(got.env_len, -E2BIG);
	want_str(got.name, "courieresmtpd");
	fixture_close(&f);
}

/* It is opened first and read last, so that the name in between is of the same program. */
TEST(look_opens_first_and_reads_last)
{
	static struct procfs_look got;
	struct fixture f;

	fixture_open(&f);
	/* This executable gives -EINVAL. */
	fakeproc_trap(&f.tree, PID);
	fakeproc_remove(&f.tree, PID, "environ");
	want_int(procfs_look(&f.procfs, PID, true, &got), -ESRCH);
	fakeproc_write(&f.tree, PID, "environ", "", 0);
	want_int(procfs_look(&f.procfs, PID, true, &got), -EINVAL);
	fixture_close(&f);
}

TEST(look_at_a_real_child)
{
	static struct procfs_look got, copy;
	char want[1024];
	struct connection c;
	struct courier courier;
	struct procfs procfs;
	struct stat st;
	ssize_t n;

	real_init(&procfs);
	courier_start(&courier);
	c = courier_plain(&courier, &somebody);
	want_int(procfs_look(&procfs, c.smtpd, true, &got), 0);
	n = (ssize_t)peer_environment(&somebody, want, sizeof(want));
	want_str(got.name, "courieresmtpd");
	want_int(got.env_len, n);
	want_mem(got.env, want, (size_t)n);
	want_int(stat("/proc/self/ns/net", &st), 0);
	want_int(got.netns == st.st_ino, true);
	memset(&copy, 'y', sizeof(copy));
	procfs_look_copy(&got, &copy);
	want_str(copy.name, got.name);
	want_int(copy.netns == got.netns, true);
	want_int(copy.env_len, n);
	want_mem(copy.env, got.env, (size_t)n + 1);
	/* No more than is in use. */
	want_int(copy.env[n + 1], 'y');
	courier_stop(&courier);
}

TEST(look_without_descriptors)
{
	static struct procfs_look got;
	struct rlimit old, none;
	struct fixture f;
	int r;

	fixture_open(&f);
	want_int(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	want_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = procfs_look(&f.procfs, PID, true, &got);
	want_int(setrlimit(RLIMIT_NOFILE, &old), 0);
	want_int(r, -EMFILE);
	fixture_close(&f);
}

/* fdinfo */

static const struct fdinfo_row {
	const char *label, *text;	/* NULL: there is no such descriptor */
	int want;
	ino_t inode;
} fdinfo_rows[] = {
	{ "as the kernel writes it", "pos:\t0\nflags:\t02\nmnt_id:\t10\nino:\t51966\n", 0,
	  51966 },
	{ "the largest", "pos:\t0\nino:\t18446744073709551615\n", 0, (ino_t)-1 },
	{ "before Linux 5.14", "pos:\t0\nflags:\t02\nmnt_id:\t10\n", -EIO, 0 },
	{ "no number", "pos:\t0\nino:\tx\n", -EIO, 0 },
	{ "a longer label", "pos:\t0\nxino:\t7\n", -EIO, 0 },
	{ "empty", "", -EIO, 0 },
	{ "no such descriptor", NULL, -ESRCH, 0 },
};

TEST_ROWS(fdinfo, fdinfo_rows)
{
	struct fixture f;
	char path[256];
	ino_t got = 0;

	fixture_open(&f);
	snprintf(path, sizeof(path), "%s/%d/fdinfo", f.tree.root, PID);
	want_int(mkdir(path, 0755), 0);
	if (row->text)
		fakeproc_write(&f.tree, PID, "fdinfo/7", row->text, strlen(row->text));
	want_int(procfs_read_fd_inode(&f.procfs, PID, 7, &got), row->want);
	want_int(got == row->inode, true);
	fixture_close(&f);
}

TEST(fdinfo_of_a_real_process)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct procfs procfs;
	struct stat st;
	ino_t got = 0;
	pid_t pid;

	real_init(&procfs);
	pid = waiter_start();
	want_int(fstat(fd, &st), 0);
	want_int(procfs_read_fd_inode(&procfs, pid, fd, &got), 0);
	want_int(got == st.st_ino, true);
	want_int(procfs_read_fd_inode(&procfs, pid, 4000, &got), -ESRCH);
	waiter_end(pid);
	want_int(procfs_read_fd_inode(&procfs, pid, fd, &got), -ESRCH);
	close(fd);
}

TEST_AS_ROOT(fdinfo_of_a_hidden_process)
{
	struct procfs procfs;
	pid_t pid = waiter_start();
	ino_t inode;
	int r;

	real_init(&procfs);
	user_become(NOBODY_UID);
	r = procfs_read_fd_inode(&procfs, pid, STDIN_FILENO, &inode);
	user_back();
	waiter_end(pid);
	want_int(r, -EACCES);
}

/* Children, processes, namespaces. */

TEST(children_of_a_tree)
{
	enum { MANY = 10000 };
	static pid_t want[MANY];
	struct fixture f;
	pid_t *got;
	int i;

	fixture_open(&f);
	want_int(procfs_read_children(&f.procfs, PID, &got), 0);
	assert_null(got);
	for (i = 0; i < MANY; i++)
		want[i] = 100000 + i * 7;
	fakeproc_children(&f.tree, PID, want, 1);
	want_int(procfs_read_children(&f.procfs, PID, &got), 1);
	want_int(got[0], 100000);
	free(got);
	fakeproc_children(&f.tree, PID, want, MANY);
	want_int(procfs_read_children(&f.procfs, PID, &got), MANY);
	want_mem(got, want, sizeof(want));
	free(got);
	/* Numbers of other lengths, so that a read ends at each possible place. */
	for (i = 0; i < MANY; i++)
		want[i] = i % 3 ? i + 1 : 1000000 + i;
	fakeproc_children(&f.tree, PID, want, MANY);
	want_int(procfs_read_children(&f.procfs, PID, &got), MANY);
	want_mem(got, want, sizeof(want));
	free(got);
	fixture_close(&f);
}

TEST(children_without_a_blank_at_the_end)
{
	char file[40];
	struct fixture f;
	pid_t *got;

	fixture_open(&f);
	snprintf(file, sizeof(file), "task/%d/children", PID);
	fakeproc_write(&f.tree, PID, file, "5 67", 4);
	want_int(procfs_read_children(&f.procfs, PID, &got), 2);
	want_int(got[0], 5);
	want_int(got[1], 67);
	free(got);
	fixture_close(&f);
}

static bool contains(const pid_t *pids, ssize_t n, pid_t pid)
{
	ssize_t i;

	for (i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

TEST(children_of_this_process)
{
	struct procfs procfs;
	pid_t a, b, *got;
	ssize_t n;

	real_init(&procfs);
	a = waiter_start();
	b = waiter_start();
	n = procfs_read_children(&procfs, getpid(), &got);
	want_int(n, 2);
	want_int(contains(got, n, a) && contains(got, n, b), true);
	free(got);
	waiter_end(a);
	waiter_end(b);
	want_int(procfs_read_children(&procfs, getpid(), &got), 0);
}

TEST(list_has_the_processes_only)
{
	static const char *const others[] = { "self", "sys", "12x", "-5", "0",
					      "x12" };
	struct fixture f;
	char path[256];
	pid_t *got;
	ssize_t n;
	size_t i;

	fixture_open(&f);
	for (i = 0; i < COUNT_OF(others); i++) {
		snprintf(path, sizeof(path), "%s/%s", f.tree.root, others[i]);
		want_int(mkdir(path, 0755), 0);
	}
	n = procfs_list(&f.procfs, &got);
	want_int(n, 2);
	want_int(contains(got, n, PID) && contains(got, n, getpid()), true);
	free(got);
	fixture_close(&f);
}

TEST(list_of_the_system)
{
	pid_t *got, waiter = waiter_start();
	struct procfs procfs;
	ssize_t n;

	real_init(&procfs);
	n = procfs_list(&procfs, &got);
	want_int(n >= 2, true);
	want_int(contains(got, n, getpid()) && contains(got, n, waiter), true);
	free(got);
	waiter_end(waiter);
}

TEST(list_without_a_tree)
{
	struct procfs procfs;
	pid_t *got;

	want_int(procfs_init(&procfs, "/nonexistent"), 0);
	want_int(procfs_list(&procfs, &got), -ENOENT);
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
	struct fixture f;
	pid_t pid = 0;

	fixture_open(&f);
	if (row->text)
		fakeproc_loadavg(&f.tree, row->text);
	want_int(procfs_read_last_pid(&f.procfs, &pid), row->want);
	want_int(pid, row->pid);
	fixture_close(&f);
}

/* Other processes get PIDs too, but ours is close to the last one: it is the last one itself,
 * unless another process was faster each time. */
TEST(last_pid_of_the_system)
{
	struct procfs procfs;
	pid_t mine = 0, last = -1;
	int tries;

	real_init(&procfs);
	for (tries = 0; tries < 1000 && last != mine; tries++) {
		mine = waiter_start();
		want_int(procfs_read_last_pid(&procfs, &last), 0);
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
	struct fixture f;

	fixture_open(&f);
	fakeproc_put(&f.tree, &other);
	want_int(procfs_read_netns(&f.procfs, getpid(), &ours), 0);
	want_int(procfs_read_netns(&f.procfs, PID, &same), 0);
	want_int(procfs_read_netns(&f.procfs, PID + 1, &differs), 0);
	want_int(ours == same, true);
	want_int(ours == differs, false);
	fixture_close(&f);
}

TEST(namespace_of_this_process)
{
	struct procfs procfs;
	struct stat st;
	ino_t got;

	real_init(&procfs);
	want_int(stat("/proc/self/ns/net", &st), 0);
	want_int(procfs_read_netns(&procfs, getpid(), &got), 0);
	want_int(got == st.st_ino, true);
}

/* Missing files, unreadable files, and no memory, for all functions. */

struct answers {
	ssize_t status, exe, environ, children, netns;
};

static void ask_all(const struct procfs *procfs, pid_t pid, struct answers *ret)
{
	static char env[PROCFS_ENVIRON_SIZE];
	char name[PROCFS_NAME_SIZE];
	struct procfs_status st;
	pid_t *pids;
	ino_t inode;

	ret->status = procfs_read_status(procfs, pid, &st);
	ret->exe = procfs_read_exe(procfs, pid, name);
	ret->environ = procfs_read_environ(procfs, pid, env);
	ret->children = procfs_read_children(procfs, pid, &pids);
	ret->netns = procfs_read_netns(procfs, pid, &inode);
	if (ret->children > 0)
		free(pids);
}

static void want_all(const struct answers *got, int want)
{
	want_int(got->status, want);
	want_int(got->exe, want);
	want_int(got->environ, want);
	want_int(got->children, want);
	want_int(got->netns, want);
}

TEST(no_such_process)
{
	pid_t gone = waiter_start();
	struct procfs procfs;
	struct answers got;
	struct fixture f;

	fixture_open(&f);
	ask_all(&f.procfs, PID + 1, &got);
	want_all(&got, -ESRCH);
	fixture_close(&f);
	waiter_end(gone);
	real_init(&procfs);
	ask_all(&procfs, gone, &got);
	want_all(&got, -ESRCH);
}

TEST_AS_ROOT(no_right_to_look)
{
	struct answers got;
	struct fixture f;
	char path[256];

	fixture_open(&f);
	snprintf(path, sizeof(path), "%s/%d", f.tree.root, PID);
	want_int(chmod(path, 0700), 0);
	user_become(NOBODY_UID);
	ask_all(&f.procfs, PID, &got);
	user_back();
	want_all(&got, -EACCES);
	fixture_close(&f);
}

/* As in the kernel, any user can read parent and uid. */
TEST_AS_ROOT(no_right_to_look_at_a_real_process)
{
	struct procfs procfs;
	struct answers got;
	pid_t pid = waiter_start();

	real_init(&procfs);
	user_become(NOBODY_UID);
	ask_all(&procfs, pid, &got);
	user_back();
	waiter_end(pid);
	want_int(got.status, 0);
	want_int(got.exe, -EACCES);
	want_int(got.environ, -EACCES);
	want_int(got.netns, -EACCES);
}

TEST(a_zombie_has_no_executable)
{
	char name[PROCFS_NAME_SIZE];
	struct procfs procfs;
	pid_t pid = waiter_start();

	real_init(&procfs);
	kill(pid, SIGKILL);
	want_int(has_ended_soon(pid), true);
	want_int(procfs_read_exe(&procfs, pid, name), -ESRCH);
	waiter_end(pid);
}

static int read_many(void *data)
{
	const struct procfs *procfs = data;
	pid_t *pids;
	ssize_t n = procfs_read_children(procfs, PID, &pids);

	if (n >= 0)
		free(pids);
	return n < 0 ? (int)n : 0;
}

static int list_all(void *data)
{
	const struct procfs *procfs = data;
	pid_t *pids;
	ssize_t n = procfs_list(procfs, &pids);

	if (n >= 0)
		free(pids);
	return n < 0 ? (int)n : 0;
}

TEST(no_memory)
{
	static pid_t many[1000];
	struct fixture f;
	int i;

	for (i = 0; i < 1000; i++)
		many[i] = i + 1;
	fixture_open(&f);
	fakeproc_children(&f.tree, PID, many, 1000);
	want_int(memory_fail_each(read_many, &f.procfs) > 0, true);
	want_int(memory_fail_each(list_all, &f.procfs) > 0, true);
	fixture_close(&f);
}
