/* What the processes of a session show.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/session_signs.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/fakeproc.h"
#include "tests/unit/support.h"

#define SUBMIT "/usr/lib/courier/courier/submit"

/* Nothing is pinned, so invented PIDs will do. */
enum { TCPD = 100, SMTPD = 200, OLD = 301, NEW = 302 };

struct fixture {
	struct fakeproc tree;
	struct procfs procfs;
	struct smtpd_rules rules;
	struct smtpd_scratch scratch;
};

static void setup(struct fixture *f)
{
	static const struct peer peer = { "::ffff:192.0.2.1", 1001, 25, NULL };

	memset(f, 0, sizeof(*f));
	fakeproc_open(&f->tree);
	fakeproc_put_smtpd(&f->tree, SMTPD, TCPD, &peer);
	want_int(procfs_init(&f->procfs, f->tree.root), 0);
	f->rules.procfs = &f->procfs;
	f->rules.uid = FAKE_UID;
	f->rules.looker = patient_looker(&f->procfs);
}

static void teardown(struct fixture *f)
{
	want_int(looker_free(f->rules.looker), true);
	fakeproc_close(&f->tree);
}

static void put(struct fixture *f, pid_t pid, const char *exe, pid_t ppid, const char *env,
		size_t len)
{
	const struct fake_process p = { .pid = pid, .exe = exe, .ppid = ppid,
					.uid = FAKE_UID, .env = env, .env_len = len };

	fakeproc_put(&f->tree, &p);
}

#define ENV(text) text, sizeof(text)

static const struct submit_row {
	const char *label, *exe, *env;
	size_t env_len;
	pid_t ppid;
	int want;
	struct session_submit submit;
} submit_rows[] = {
	{ "listed", SUBMIT, ENV("BLOCK=Listed"), SMTPD, 0, { NEW, true, false, true } },
	{ "logged in", SUBMIT, ENV("BLOCK=\0RELAYCLIENT="), SMTPD, 0,
	  { NEW, true, true, false } },
	{ "neither", SUBMIT, ENV("A=b"), SMTPD, 0, { NEW, true, false, false } },
	{ "not exec'd yet", FAKE_SMTPD, ENV("BLOCK=Listed"), SMTPD, 0,
	  { NEW, false, false, false } },
	{ "another program", "/bin/cat", ENV("BLOCK=Listed"), SMTPD, 0, { 0 } },
	{ "of another smtpd", SUBMIT, ENV("BLOCK=Listed"), SMTPD + 1, 0, { 0 } },
};

TEST_ROWS(reads_submit, submit_rows)
{
	struct session_submit submit = { .pid = 0 };
	const pid_t children[] = { NEW };
	struct fixture f;

	setup(&f);
	put(&f, NEW, row->exe, row->ppid, row->env, row->env_len);
	fakeproc_children(&f.tree, SMTPD, children, 1);
	want_int(session_signs_submit(&f.rules, SMTPD, &f.scratch, &submit), row->want);
	want_int(submit.pid, row->submit.pid);
	want_int(submit.known, row->submit.known);
	want_int(submit.relays, row->submit.relays);
	want_int(submit.blocks, row->submit.blocks);
	teardown(&f);
}

/* After a login the old submit is still there for a moment. */
TEST(newest_submit_counts)
{
	struct session_submit submit = { .pid = 0 };
	const pid_t children[] = { OLD, NEW };
	struct fixture f;

	setup(&f);
	put(&f, OLD, SUBMIT, SMTPD, ENV("BLOCK=Listed"));
	put(&f, NEW, SUBMIT, SMTPD, ENV("BLOCK=\0RELAYCLIENT="));
	fakeproc_children(&f.tree, SMTPD, children, 1);
	want_int(session_signs_submit(&f.rules, SMTPD, &f.scratch, &submit), 0);
	want_int(submit.pid, OLD);
	fakeproc_children(&f.tree, SMTPD, children, 2);
	want_int(session_signs_submit(&f.rules, SMTPD, &f.scratch, &submit), 0);
	want_int(submit.pid, NEW);
	want_int(submit.relays, true);
	fakeproc_children(&f.tree, SMTPD, NULL, 0);
	want_int(session_signs_submit(&f.rules, SMTPD, &f.scratch, &submit), 0);
	want_int(submit.pid, 0);
	want_int(submit.relays, false);
	teardown(&f);
}

/* Its environment does not change, so it is read once. */
TEST(known_submit_is_not_read_again)
{
	struct session_submit submit = { .pid = 0 };
	const pid_t children[] = { NEW };
	struct fixture f;

	setup(&f);
	put(&f, NEW, SUBMIT, SMTPD, ENV("BLOCK=Listed"));
	fakeproc_children(&f.tree, SMTPD, children, 1);
	want_int(session_signs_submit(&f.rules, SMTPD, &f.scratch, &submit), 0);
	fakeproc_exe(&f.tree, NEW, "/bin/cat");
	want_int(session_signs_submit(&f.rules, SMTPD, &f.scratch, &submit), 0);
	want_int(submit.blocks, true);
	teardown(&f);
}

TEST(exited_smtpd)
{
	struct session_submit submit = { .pid = NEW, .known = true, .blocks = true };
	struct fixture f;

	setup(&f);
	fakeproc_drop(&f.tree, SMTPD);
	want_int(session_signs_submit(&f.rules, SMTPD, &f.scratch, &submit), -ESRCH);
	want_int(submit.pid, 0);
	teardown(&f);
}

static const struct progress_row {
	const char *label, *wchan, *syscall;
	const char *files[2];
	struct session_progress want;
} progress_rows[] = {
	{ "before MAIL", "poll_schedule_timeout", NULL, { NULL, NULL },
	  { false, false, false } },
	{ "after MAIL", "poll_schedule_timeout", NULL, { "/etc/courier/aliases.dat", NULL },
	  { false, true, false } },
	{ "AUTH after MAIL: the tarpit", "hrtimer_nanosleep", NULL,
	  { "/etc/courier/aliases.dat", NULL }, { true, true, false } },
	{ "refused: the tarpit", "hrtimer_nanosleep", NULL,
	  { "/etc/courier/aliases.dat", "/etc/courier/esmtpacceptmailfor.dat" },
	  { true, true, true } },
	{ "a file that was replaced", "hrtimer_nanosleep.constprop.0", NULL,
	  { "/etc/courier/aliases.dat (deleted)",
	    "/etc/courier/esmtpacceptmailfor.dat (deleted)" }, { true, true, true } },
	{ "no wchan in this kernel", "0", "230 0x0 0x0 0x7ffd\n",
	  { "/etc/courier/aliases.dat", NULL }, { true, true, false } },
	{ "it runs", "0", "running\n", { "/etc/courier/aliases.dat", NULL },
	  { false, true, false } },
	{ "another name", "hrtimer_nanosleeping", NULL,
	  { "/etc/courier/my-aliases.dat", "aliases.dat/x" }, { false, false, false } },
};

static void put_progress(struct fixture *f, const struct progress_row *row)
{
	int i;

	put(f, NEW, SUBMIT, SMTPD, ENV("BLOCK=Listed"));
	fakeproc_link(&f->tree, NEW, 0, "pipe:[4711]");
	for (i = 0; i < 2 && row->files[i]; i++)
		fakeproc_link(&f->tree, NEW, 4 + i, row->files[i]);
	fakeproc_sleep(&f->tree, SMTPD, row->wchan, 1);
	if (row->syscall)
		fakeproc_write(&f->tree, SMTPD, "syscall", row->syscall,
			       strlen(row->syscall));
}

TEST_ROWS(reads_progress, progress_rows)
{
	struct session_progress progress;
	struct fixture f;

	setup(&f);
	put_progress(&f, row);
	want_int(session_signs_progress(&f.rules, SMTPD, NEW, &progress), 0);
	want_int(progress.sleeps, row->want.sleeps);
	want_int(progress.mail, row->want.mail);
	want_int(progress.recipient, row->want.recipient);
	teardown(&f);
}

/* Which of the two files courier has: 'a', 'e'. */
static const struct meaning_row {
	const char *label, *has;
	struct session_progress progress;
	bool refused, mail;
} meaning_rows[] = {
	{ "nothing yet", "ae", { true, false, false }, false, false },
	{ "MAIL, and AUTH", "ae", { true, true, false }, false, true },
	{ "a recipient", "ae", { true, true, true }, true, true },
	{ "a recipient, no tarpit", "ae", { false, true, true }, false, true },
	{ "MAIL, recipients leave no sign", "a", { true, true, false }, true, true },
	{ "nothing yet, recipients leave no sign", "a", { true, false, false }, false, false },
	{ "MAIL leaves no sign", "e", { true, false, false }, false, false },
	{ "a recipient, MAIL leaves no sign", "e", { true, false, true }, true, true },
	{ "nothing leaves a sign", "", { true, false, false }, false, true },
};

/* The process names the directory, which may be on a file system that does not answer: the
 * thread that asks must not wait for it. */
static pthread_t asker;
static atomic_bool asks_itself;

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);

int __wrap_access(const char *path, int mode)
{
	if (pthread_equal(asker, pthread_self()))
		asks_itself = true;
	return __real_access(path, mode);
}

TEST_ROWS(has_a_meaning, meaning_rows)
{
	char access_file[300];
	struct fixture f;

	setup(&f);
	fakeproc_put_tcpd(&f.tree, TCPD);
	snprintf(access_file, sizeof(access_file), "%s/%d/smtpaccess", f.tree.root, TCPD);
	if (strchr(row->has, 'a'))
		fakeproc_write(&f.tree, TCPD, "aliases.dat", "", 0);
	if (strchr(row->has, 'e'))
		fakeproc_write(&f.tree, TCPD, "esmtpacceptmailfor.dat", "", 0);
	asker = pthread_self();
	want_int(session_signs_is_refused(&f.rules, SMTPD, &row->progress, access_file),
		 row->refused);
	want_int(session_signs_has_mail(&f.rules, SMTPD, &row->progress, access_file), row->mail);
	want_int(asks_itself, false);
	teardown(&f);
}

/* Where courier's directory is not known, both files are supposed to be there. */
TEST(unknown_directory)
{
	const struct session_progress mail = { true, true, false }, none = { true, false, false };
	const struct smtpd_rules rules = { .looker = NULL };

	want_int(session_signs_is_refused(&rules, SMTPD, &mail, NULL), false);
	want_int(session_signs_is_refused(&rules, SMTPD, &mail, "smtpaccess"), false);
	want_int(session_signs_has_mail(&rules, SMTPD, &none, NULL), false);
}
