/* rsyslog's configuration as the tool sees it: modules, inputs, actions and the filters
 * before them. It is read, not validated: rsyslogd -N1 does that.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RSYSLOG_CONF_H
#define SMTPBLOCKCTL_RSYSLOG_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/settings.h"

struct rsyslog_conf;

/* Limits: what exceeds them is skipped and recorded as a problem (see below). */
#define RSYSLOG_CONF_FILE_MAX (4L << 20)	/* bytes of one file */
#define RSYSLOG_CONF_FILES_MAX 1000	/* all files */
#define RSYSLOG_CONF_OBJECTS_MAX 100000
#define RSYSLOG_CONF_DEPTH_MAX 64	/* nested blocks, nested includes */

#define RSYSLOG_CONF_ERROR_SIZE 512

enum rsyslog_conf_kind {
	RSYSLOG_CONF_MODULE,	/* module(load="imuxsock" ..), or $ModLoad imuxsock with the
				 * single parameter load */
	RSYSLOG_CONF_INPUT,	/* input(..) */
	RSYSLOG_CONF_ACTION,	/* action(..) */
	RSYSLOG_CONF_RULESET,	/* ruleset(..), followed by its statements */
	RSYSLOG_CONF_INCLUDE,	/* include(..), or $IncludeConfig with the single parameter
				 * file; followed by the included items */
	RSYSLOG_CONF_OBJECT,	/* any other: global(..), main_queue(..), template(..) */
	RSYSLOG_CONF_DIRECTIVE,	/* $SystemLogRateLimitInterval 5: name and text */
	RSYSLOG_CONF_STATEMENT,	/* stop, call x, set $.x = 1; actions in the old form,
				 * -/var/log/mail.log, @host, ~ : text holds it */
};

struct rsyslog_conf_param {
	const char *name;	/* as written */
	size_t count;		/* number of values: 2 for ["a", "b"] */
	const char *const *values; /* escapes resolved */
	unsigned int line;
};

enum rsyslog_conf_condition {
	RSYSLOG_CONF_SELECTOR,	/* mail.err */
	RSYSLOG_CONF_PROPERTY,	/* :msg, contains, "x" */
	RSYSLOG_CONF_IF,	/* the expression between if and then */
	RSYSLOG_CONF_ELSE,	/* the same expression; must be false */
	RSYSLOG_CONF_FOREACH,	/* what is in the parentheses of foreach */
};

struct rsyslog_conf_filter {
	enum rsyslog_conf_condition condition;
	const char *text;	/* as written; blanks and comments become one blank */
	const struct rsyslog_conf_filter *outer;	/* must hold, too; NULL: no other */
};

struct rsyslog_conf_item {
	enum rsyslog_conf_kind kind;
	const char *name;	/* "action", "global"; DIRECTIVE: without the $;
				 * STATEMENT: "" */
	const char *text;	/* DIRECTIVE, STATEMENT; else "" */
	size_t count;		/* of params, in the order of the file */
	const struct rsyslog_conf_param *params;
	const struct rsyslog_conf_filter *filter; /* NULL: every message */
	const char *ruleset;	/* the ruleset around it; "": the default one */
	bool disabled;		/* config.enabled="off" */
	const char *file;
	unsigned int line;	/* of its first character, from 1 */
};

/* Read the file and its includes. Anything that cannot be parsed is skipped and recorded as
 * a problem, as is a missing include. A relative include is searched in the directory /, as
 * rsyslogd does if an init system starts it. Returns 0 and the caller owns *ret_conf;
 * -ENOMEM; -errno if path itself cannot be read, with one sentence in errbuf. */
int rsyslog_conf_read(const char *path, struct rsyslog_conf **ret_conf,
		      char errbuf[static RSYSLOG_CONF_ERROR_SIZE]);

/* As rsyslog_conf_read(), from text. name is the file name for messages. text need not end
 * with NUL. Returns 0 or -ENOMEM. */
int rsyslog_conf_read_text(const char *text, size_t len, const char *name,
			   struct rsyslog_conf **ret_conf);

/* NULL is allowed. Frees the items and all they point to. */
void rsyslog_conf_free(struct rsyslog_conf *conf);

/* The number of items, in the order in which rsyslogd reads them. */
size_t rsyslog_conf_count(const struct rsyslog_conf *conf);
const struct rsyslog_conf_item *rsyslog_conf_at(const struct rsyslog_conf *conf, size_t i);

/* A problem as "FILE line N: what", i = 0, 1, ...; NULL after the last. */
const char *rsyslog_conf_problem(const struct rsyslog_conf *conf, size_t i);

/* The first value of a parameter; names are compared without case, as rsyslog does. If a
 * name is given twice, the first one counts. NULL: not given. */
const char *rsyslog_conf_value(const struct rsyslog_conf_item *item, const char *name);

/* Is the parameter on? otherwise: the result if it is not given. */
bool rsyslog_conf_is_on(const struct rsyslog_conf_item *item, const char *name, bool otherwise);

/* Is it an enabled action that writes a file of a fixed name, by omfile or in the old form?
 * Then path gets the name without the template. */
bool rsyslog_conf_file(const struct rsyslog_conf_item *item, char *path, size_t size);

/* The ruleset that a statement calls; NULL: it is no call. */
const char *rsyslog_conf_called(const struct rsyslog_conf_item *item);

/* The next enabled MODULE, INPUT or ACTION (kind) of this type ("imuxsock", "omsmtpblock"),
 * searched from item *from on, which is advanced. NULL: no more. */
const struct rsyslog_conf_item *rsyslog_conf_next(const struct rsyslog_conf *conf,
						  enum rsyslog_conf_kind kind, const char *type,
						  size_t *from);

/* The settings of an action(type="omsmtpblock" ..) as the module would read them, by
 * settings_set() and settings_check(). Returns 0 and the caller calls settings_done();
 * -EINVAL with "FILE line N: why" in errbuf; -ENOMEM. */
int rsyslog_conf_settings(const struct rsyslog_conf_item *item, struct settings *ret_settings,
			  char errbuf[static RSYSLOG_CONF_ERROR_SIZE]);

#endif
