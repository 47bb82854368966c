/* What setup has changed, and what was there before: /var/lib/omsmtpblock/setup. It is written
 * before a change is made, so an interrupted run is finished or taken back by the next one. The
 * package's purge reads it, too (debian/rsyslog-omsmtpblock.postrm).
 *
 * The file "manifest" has one line for each change, oldest first:
 *
 *   directory PATH     was created
 *   file N PATH        was written: N.after is its new content, N.before what it had; no
 *                      N.before: there was no file
 *   rule COMMAND       was inserted into the running firewall
 *   applied            the changes above are proven; those below may not have been made
 *
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_JOURNAL_H
#define SMTPBLOCKCTL_JOURNAL_H

#include <limits.h>

#include "tool/lib/command.h"
#include "tool/setup/files.h"

#define JOURNAL_DIR "/var/lib/omsmtpblock/setup"

enum journal_kind {
	JOURNAL_DIRECTORY,
	JOURNAL_FILE,
	JOURNAL_RULE,
};

struct journal_entry {
	enum journal_kind kind;
	unsigned int number;	/* JOURNAL_FILE */
	char *text;		/* the path, below the context's system_root, or the command */
	bool kept;		/* it could not be taken back */
};

struct journal {
	const struct context *context;
	char dir[PATH_MAX];
	int lock;		/* -1: not locked */
	struct journal_entry *entries;
	size_t count;
	size_t applied;		/* of them, those that are proven */
};

/* Read it; if there is none, it is empty. change: create the directory before that, and lock
 * it until journal_close(). Returns 0, and the caller calls journal_close(); -EBADMSG: it is
 * damaged; -EWOULDBLOCK: another run has it locked; -EPERM: its directory is not ours; -errno. */
int journal_open(const struct context *context, bool change, struct journal *ret_journal);
void journal_close(struct journal *journal);

/* Note a change that will be made; for a file its content before and after, too. Returns 0;
 * -ENOMEM; -errno. Nothing is in force before journal_write(). */
int journal_add(struct journal *journal, enum journal_kind kind, const char *text);
int journal_add_file(struct journal *journal, const char *path,
		     const struct files_content *before, const char *text, size_t len);

/* Read what a file was before the change, and after it. Returns as files_read(). */
int journal_before(const struct journal *journal, const struct journal_entry *entry,
		   struct files_content *ret_content);
int journal_after(const struct journal *journal, const struct journal_entry *entry,
		  struct files_content *ret_content);

/* Write the manifest, with the first applied entries as proven. Returns as files_write(). */
int journal_write(struct journal *journal, size_t applied);

/* Drop the entries from first on, except those that were kept. Call journal_write() then. */
void journal_drop(struct journal *journal, size_t first);

/* Remove all of it, the manifest first. Returns 0; -errno. */
int journal_remove(struct journal *journal);

/* The path on this host. Returns buf. */
char *journal_path(const struct context *context, const char *path, char buf[static PATH_MAX]);

#endif
