/* What there is on this host that the module has to do with: rsyslog's configuration,
 * courier's, and the processes of both. Read once, for questions about it.
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
	const struct rsyslog_conf_item *item; /* NULL: there is none, and these are the
					      * defaults */
	struct settings settings;
	char error[RSYSLOG_CONF_ERROR_SIZE]; /* its parameters are wrong; "": they are
					     * not, and the settings hold */
};

#define HOST_DAEMONS_MAX 16

struct host_daemon {
	pid_t pid;		/* 0: none */
	ino_t netns;		/* 0: may not be looked at */
	time_t started;		/* 0: not known */
	uid_t uid;
};

struct host {
	const struct context *context;
	struct procfs procfs;
	struct looks *looks;
	ino_t netns;		/* ours; 0: not known */
	struct rsyslog_conf *conf; /* NULL: it cannot be read, and .. */
	char conf_error[RSYSLOG_CONF_ERROR_SIZE]; /* .. why */
	struct host_action *actions;	/* at least one */
	size_t action_count;
	struct courierconf *esmtpd;	/* NULL: it cannot be read, and .. */
	char esmtpd_path[PATH_MAX];
	int esmtpd_error;		/* .. -errno */
	struct host_daemon rsyslogd;	/* in our network namespace, if one is there; and
					 * root's */
	struct host_daemon tcpds[HOST_DAEMONS_MAX]; /* that listen: no child of another;
						     * the same of namespaces; and of
						     * an action's courierUser */
	size_t tcpd_count;
	bool hidden;	/* there are processes whose executable we may not see */
};

/* Look at everything. What is not there is told by the fields, not an error. Returns
 * 0; -ENOMEM. host_close() must follow in both cases. context must outlive it. */
int host_open(struct host *host, const struct context *context);
void host_close(struct host *host);

/* What a backend is told for these settings, which must outlive it. */
struct backend_config host_backend_config(const struct host *host,
					  const struct settings *settings);

/* The file, or directory, of this path below the context's system_root. Returns buf. */
char *host_path(const struct host *host, const char *path, char buf[static PATH_MAX]);

/* A small file of the system's as text, cut at size. Returns its length; -errno. */
ssize_t host_read(const char *path, char *buf, size_t size);

/* What rsyslogd gives its rights away by; NULL: nothing. */
const struct rsyslog_conf_item *host_privilege_drop(const struct host *host);

/* Time of the last change of a file; 0: none can be told. */
time_t host_changed(const char *path);

/* The item that loads a module; NULL: none does. */
const struct rsyslog_conf_item *host_module(const struct host *host, const char *name);

/* Does imuxsock take /dev/log, or what journald hands on? */
bool host_takes_socket(const struct rsyslog_conf_item *imuxsock);

/* Does the sender's PID come with every line of courier's, if only in the tag? A local
 * user can forge the tag, a client of courier's cannot. */
bool host_knows_pids(const struct host *host);

#endif
