/* An inventory of what matters to the module on this host: the configuration of rsyslog
 * and courier, and the processes of both. Read once.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_HOST_H
#define SMTPBLOCKCTL_HOST_H

#include <limits.h>
#include <stdint.h>

#include "blocklist/backend.h"
#include "lib/procfs.h"
#include "policy/settings.h"
#include "tool/check/looks.h"
#include "tool/lib/command.h"
#include "tool/read/courierconf.h"
#include "tool/read/rsyslog_conf.h"

/* One action(type="omsmtpblock"). */
struct host_action {
	const struct rsyslog_conf_item *item; /* NULL: there is no action, and the settings
					       * are the defaults */
	struct settings settings;
	char error[RSYSLOG_CONF_ERROR_SIZE]; /* why its parameters are wrong; "": they are
					      * valid, and settings holds them */
};

#define HOST_DAEMONS_MAX 16

struct host_daemon {
	pid_t pid;		/* 0: none */
	ino_t netns;		/* 0: no permission */
	time_t started;		/* 0: unknown */
	uid_t uid;
};

struct host {
	const struct context *context;
	struct procfs procfs;
	struct looks *looks;
	ino_t netns;		/* our own; 0: unknown */
	struct rsyslog_conf *conf; /* NULL: it cannot be read, for the reason in conf_error */
	char conf_error[RSYSLOG_CONF_ERROR_SIZE];
	struct host_action *actions;	/* at least one */
	size_t action_count;
	struct courierconf *esmtpd;	/* NULL: it cannot be read, for the reason in
					 * esmtpd_error */
	char esmtpd_path[PATH_MAX];
	int esmtpd_error;		/* -errno */
	struct host_daemon rsyslogd;	/* one in our network namespace is preferred, then one
					 * of root */
	struct host_daemon tcpds[HOST_DAEMONS_MAX]; /* couriertcpd processes that are no child
						     * of another one; those in our network
						     * namespace and of an action's
						     * courierUser are preferred */
	size_t tcpd_count;
	bool hidden;	/* some processes' executables cannot be read: no permission */
};

/* Read everything. Fields show what is missing; it is no error. Returns 0; -ENOMEM. Call
 * host_close() in both cases. The caller keeps context until then. */
int host_open(struct host *host, const struct context *context);
void host_close(struct host *host);

/* The backend's configuration for these settings, which the caller keeps as long. */
struct backend_config host_backend_config(const struct host *host,
					  const struct settings *settings);

/* Format the path of a file or directory below the context's system_root. Returns buf. */
char *host_path(const struct host *host, const char *path, char buf[static PATH_MAX]);

/* Read a small system file as text, cut at size. Returns its length; -errno. */
ssize_t host_read(const char *path, char *buf, size_t size);

/* Does the file have that text in it? Returns 1 or 0; -errno. */
int host_mentions(const char *path, const char *text);

/* The setting by which rsyslogd drops privileges; NULL: none. */
const struct rsyslog_conf_item *host_privilege_drop(const struct host *host);

/* Time of a file's last change; 0: unknown. */
time_t host_changed(const char *path);

/* The item that loads a module; NULL: none. */
const struct rsyslog_conf_item *host_module(const struct host *host, const char *name);

/* Does imuxsock read /dev/log, or journald's forward socket? */
bool host_takes_socket(const struct rsyslog_conf_item *imuxsock);

/* Do all of courier's lines have the sender's PID, at least in the tag? A local user can
 * forge the tag, a client of courier cannot. */
bool host_knows_pids(const struct host *host);

#endif
