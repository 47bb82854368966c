/* Signs of what a session is doing, from /proc, before courier logs anything about it.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/session_signs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* submit.C of courier opens aliases.dat once MAIL is accepted, and esmtpacceptmailfor.dat at the
 * first recipient, before it looks at BLOCK. Both stay open. */
enum file { FILE_ALIASES, FILE_ACCEPTMAILFOR, FILES };

static const char *const file_names[FILES] = { "aliases.dat", "esmtpacceptmailfor.dat" };

/* Returns 0 if the child is a submit or will be one; -EPERM, -ESRCH: it is none. */
static int read_submit(const struct smtpd_rules *rules, pid_t smtpd, pid_t pid,
		       struct smtpd_scratch *scratch, struct session_submit *submit)
{
	struct smtpd_facts facts;
	int r;

	if (submit->pid == pid && submit->known)
		return 0;
	*submit = (struct session_submit){ .pid = 0 };
	r = smtpd_read_submit(rules, smtpd, pid, scratch, &facts);
	if (r == -EPERM || r == -ESRCH)
		return r;
	submit->pid = pid;
	submit->known = r == 0;
	submit->relays = r == 0 && facts.relay_client;
	submit->blocks = r == 0 && facts.block;
	return r == -EAGAIN ? 0 : r;
}

int session_signs_submit(const struct smtpd_rules *rules, pid_t smtpd,
			 struct smtpd_scratch *scratch, struct session_submit *submit)
{
	int r = -ESRCH;
	pid_t *pids;
	ssize_t n;

	n = procfs_read_children(rules->procfs, smtpd, &pids);
	if (n < 0) {
		*submit = (struct session_submit){ .pid = 0 };
		return (int)n;
	}
	/* The newest child is the last one. */
	while (n > 0 && (r == -EPERM || r == -ESRCH))
		r = read_submit(rules, smtpd, pids[--n], scratch, submit);
	free(pids);
	if (r != -EPERM && r != -ESRCH)
		return r;
	*submit = (struct session_submit){ .pid = 0 };
	return 0;
}

static int read_slots(const struct procfs *procfs, pid_t tcpd, void *data)
{
	return procfs_read_option(procfs, tcpd, "-maxprocs=", data);
}

/* A read of the command line takes the mmap_lock, which other threads of the process, or another
 * one that reads its memory, may hold for long: hence looker_call(). */
bool session_signs_slots(const struct smtpd_rules *rules, pid_t tcpd, unsigned int *ret_slots)
{
	unsigned int slots = 0;
	int r = looker_call(rules->looker, tcpd, read_slots, &slots, sizeof(slots));

	*ret_slots = r == 0 ? slots : 0;
	return r == 0 || r == -ENODATA;
}

/* For looker_call(). */
struct progress_call {
	pid_t submit;
	unsigned int files;
	bool sleeps;
};

static int read_progress(const struct procfs *procfs, pid_t smtpd, void *data)
{
	struct progress_call *call = data;
	int r;

	r = procfs_read_wait(procfs, smtpd);
	if (r < 0)
		return r;
	call->sleeps = r == PROCFS_WAIT_SLEEP;
	return procfs_find_files(procfs, call->submit, file_names, FILES, &call->files);
}

int session_signs_progress(const struct smtpd_rules *rules, pid_t smtpd, pid_t submit,
			   struct session_progress *ret_progress)
{
	struct progress_call call = { .submit = submit };
	int r;

	r = looker_call(rules->looker, smtpd, read_progress, &call, sizeof(call));
	if (r < 0)
		return r;
	*ret_progress = (struct session_progress){
		.sleeps = call.sleeps,
		.mail = call.files & 1U << FILE_ALIASES,
		.recipient = call.files & 1U << FILE_ACCEPTMAILFOR,
	};
	return 0;
}

static int read_wait(const struct procfs *procfs, pid_t smtpd, void *data)
{
	enum procfs_wait *wait = data;
	int r = procfs_read_wait(procfs, smtpd);

	if (r < 0)
		return r;
	*wait = (enum procfs_wait)r;
	return 0;
}

static int wait_of(const struct smtpd_rules *rules, pid_t smtpd)
{
	enum procfs_wait wait = PROCFS_WAIT_OTHER;
	int r = looker_call(rules->looker, smtpd, read_wait, &wait, sizeof(wait));

	return r < 0 ? r : (int)wait;
}

int session_signs_is_idle(const struct smtpd_rules *rules, pid_t smtpd)
{
	int r = wait_of(rules, smtpd);

	return r < 0 ? r : r != PROCFS_WAIT_OTHER;
}

int session_signs_in_tarpit(const struct smtpd_rules *rules, pid_t smtpd)
{
	int r = wait_of(rules, smtpd);

	return r < 0 ? r : r == PROCFS_WAIT_SLEEP;
}

/* For looker_call(): the path is what the process says, and may be on a file system that does
 * not answer. */
struct file_call {
	char path[1024];
	bool is_missing;
};

static int look_for_file(const struct procfs *procfs, pid_t smtpd, void *data)
{
	struct file_call *call = data;

	(void)procfs;
	(void)smtpd;
	call->is_missing = access(call->path, F_OK) < 0 && errno == ENOENT;
	return 0;
}

/* Does courier have this file? If that is unknown, suppose that it has. */
static bool has_file(const struct smtpd_rules *rules, pid_t smtpd, const char *access_file,
		     enum file file)
{
	const char *slash = access_file ? strrchr(access_file, '/') : NULL;
	struct file_call call = { .is_missing = false };
	int n;

	if (!slash)
		return true;
	n = snprintf(call.path, sizeof(call.path), "%.*s/%s", (int)(slash - access_file),
		     access_file, file_names[file]);
	if (n < 0 || (size_t)n >= sizeof(call.path))
		return true;
	return looker_call(rules->looker, smtpd, look_for_file, &call, sizeof(call)) < 0 ||
	       !call.is_missing;
}

bool session_signs_is_refused(const struct smtpd_rules *rules, pid_t smtpd,
			      const struct session_progress *progress, const char *access_file)
{
	if (!progress->sleeps)
		return false;
	return progress->recipient ||
	       (progress->mail && !has_file(rules, smtpd, access_file, FILE_ACCEPTMAILFOR));
}

bool session_signs_has_mail(const struct smtpd_rules *rules, pid_t smtpd,
			    const struct session_progress *progress, const char *access_file)
{
	if (progress->mail || progress->recipient)
		return true;
	return !has_file(rules, smtpd, access_file, FILE_ALIASES) &&
	       !has_file(rules, smtpd, access_file, FILE_ACCEPTMAILFOR);
}
