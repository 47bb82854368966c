/* What setup would change on this host, and what it leaves to the admin.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_PLAN_H
#define SMTPBLOCKCTL_PLAN_H

#include "tool/check/host.h"
#include "tool/setup/files.h"

#define PLAN_REASON_SIZE 320

#define PLAN_DROP_IN "/etc/systemd/system/rsyslog.service.d/omsmtpblock.conf"
#define PLAN_APPARMOR "/etc/apparmor.d/rsyslog.d/omsmtpblock"
#define PLAN_ACTION "/etc/rsyslog.d/omsmtpblock.conf"
#define PLAN_MODPROBE "/etc/modprobe.d/omsmtpblock.conf"

/* A file as it is and as it should be. */
struct plan_file {
	const char *path;	/* below the context's system_root; constant text */
	struct files_content before;
	char *text;		/* the whole new content, terminated by NUL */
	char reason[PLAN_REASON_SIZE];
};

/* A rule to insert into the running firewall. */
struct plan_rule {
	char command[640];	/* "iptables -I INPUT .." */
	char reason[PLAN_REASON_SIZE];
};

enum plan_note_kind {
	PLAN_FOUND,	/* what was found, and is as it should be */
	PLAN_BY_HAND,	/* what the admin has to write; setup does not */
	PLAN_UNKNOWN,	/* what could not be read */
};

struct plan_note {
	enum plan_note_kind kind;
	char *why;
	char *where;	/* PLAN_BY_HAND: the file, or "" */
	char *line;	/* PLAN_BY_HAND: what to write or type, or "" */
};

struct plan {
	const struct host *host;
	struct settings wanted;	/* of the action that setup writes; owns nothing */
	struct plan_file *files;
	size_t file_count;
	struct plan_rule *rules;
	size_t rule_count;
	struct plan_note *notes;
	size_t note_count;
	bool applies;		/* the plan will be made, so systemd may be told to read its
				 * files */
	bool has_systemd;
	bool restart;		/* rsyslogd does not run with what the files say */
	bool out_of_memory;	/* something is missing */
};

/* Look at the host, and plan. applies: systemd is first told to read files that were changed since
 * it did. Call plan_done() afterwards. */
void plan_make(struct plan *plan, const struct host *host, bool applies);
void plan_done(struct plan *plan);

/* --- for the topics -------------------------------------------------------- */

/* Each looks at one subject and adds to the plan. The first one sets plan->wanted. */
void plan_follow(struct plan *plan);
void plan_rsyslog(struct plan *plan);
void plan_unit(struct plan *plan);
void plan_apparmor(struct plan *plan);
void plan_firewall(struct plan *plan);
void plan_courier(struct plan *plan);

/* The text of a file as planned so far, or as it is. Returns 0, and the caller frees *ret_text;
 * -ENOENT; otherwise as files_read(). */
int plan_text(struct plan *plan, const char *path, char **ret_text);

/* Plan that the file has this text; nothing is planned if it has it. Where the file is a
 * conffile of a package, or cannot be written safely, that is noted for the admin instead. */
void plan_write(struct plan *plan, const char *path, const char *text, const char *reason, ...)
	__attribute__((format(printf, 4, 5)));

/* Plan to run the command, which inserts a rule. */
void plan_insert(struct plan *plan, const char *command, const char *reason, ...)
	__attribute__((format(printf, 3, 4)));

/* Note what the kind of note says, see above. */
void plan_found(struct plan *plan, const char *why, ...) __attribute__((format(printf, 2, 3)));
void plan_unknown(struct plan *plan, const char *why, ...) __attribute__((format(printf, 2, 3)));
void plan_by_hand(struct plan *plan, const char *where, const char *line, const char *why, ...)
	__attribute__((format(printf, 4, 5)));

/* Does the action block addresses of the family (enum addr_family) by a list of xt_recent? If
 * not, by the module's nftables table. */
bool plan_uses_recent(const struct plan *plan, const struct settings *settings, int family);

#endif
