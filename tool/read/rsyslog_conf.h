/* rsyslog's configuration as the tool sees it: what is loaded, what comes in, which
 * actions there are and what stands in front of them. It is read, not checked: that
 * is for rsyslogd -N1.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCKCTL_RSYSLOG_CONF_H
#define SMTPBLOCKCTL_RSYSLOG_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/settings.h"

struct rsyslog_conf;

/* Bounds: what is beyond them is left out and is a problem (see below). */
#define RSYSLOG_CONF_FILE_MAX (4L << 20)	/* bytes of one file */
#define RSYSLOG_CONF_FILES_MAX 1000	/* files in all */
#define RSYSLOG_CONF_OBJECTS_MAX 100000
#define RSYSLOG_CONF_DEPTH_MAX 64	/* blocks in blocks, includes in includes */

#define RSYSLOG_CONF_ERROR_SIZE 512

enum rsyslog_conf_kind {
	RSYSLOG_CONF_MODULE,	/* module(load="imuxsock" ..) or $ModLoad imuxsock,
				 * which then has the one parameter load */
	RSYSLOG_CONF_INPUT,	/* input(..) */
	RSYSLOG_CONF_ACTION,	/* action(..) */
	RSYSLOG_CONF_RULESET,	/* ruleset(..), in front of what stands in it */
	RSYSLOG_CONF_INCLUDE,	/* include(..) or $IncludeConfig, which then has the
				 * one parameter file; in front of what is included */
	RSYSLOG_CONF_OBJECT,	/* any other: global(..), main_queue(..), template(..) */
	RSYSLOG_CONF_DIRECTIVE,	/* $SystemLogRateLimitInterval 5: name and text */
	RSYSLOG_CONF_STATEMENT,	/* stop, call x, set $.x = 1; and actions in the old
				 * form: -/var/log/mail.log, @host, ~ : text */
};

struct rsyslog_conf_param {
	const char *name;	/* as written */
	size_t count;		/* of values: of ["a", "b"] 2 */
	const char *const *values; /* escapes resolved */
	unsigned int line;
};

enum rsyslog_conf_condition {
	RSYSLOG_CONF_SELECTOR,	/* mail.err */
	RSYSLOG_CONF_PROPERTY,	/* :msg, contains, "x" */
	RSYSLOG_CONF_IF,	/* the expression between if and then */
	RSYSLOG_CONF_ELSE,	/* the same expression, which must not hold */
	RSYSLOG_CONF_FOREACH,	/* what stands in the parentheses of foreach */
};

struct rsyslog_conf_filter {
	enum rsyslog_conf_condition condition;
	const char *text;	/* as written; blanks and comments are one blank */
	const struct rsyslog_conf_filter *outer;	/* must hold too; NULL: no other */
};

struct rsyslog_conf_item {
	enum rsyslog_conf_kind kind;
	const char *name;	/* "action", "global"; DIRECTIVE: without the $;
				 * STATEMENT: "" */
	const char *text;	/* DIRECTIVE, STATEMENT; else "" */
	size_t count;		/* of params, in the order of the file */
	const struct rsyslog_conf_param *params;
	const struct rsyslog_conf_filter *filter; /* NULL: every message */
	const char *ruleset;	/* it stands in this one; "": the default one */
	bool disabled;		/* config.enabled="off" */
	const char *file;
	unsigned int line;	/* of its first character, from 1 */
};

/* Read the file and what it includes. What cannot be understood is skipped and is a
 * problem; so is an include that is not there. A relative include is looked for in
 * the directory / as rsyslogd, started by an init system, does. Returns 0 and the caller owns
 * *ret_conf; -ENOMEM; -errno if path itself cannot be read, and then errbuf says so
 * in one sentence. */
int rsyslog_conf_read(const char *path, struct rsyslog_conf **ret_conf,
		      char errbuf[static RSYSLOG_CONF_ERROR_SIZE]);

/* The same from text, as if it stood in a file of that name, which is only for
 * messages. text need not end with NUL. Returns 0 or -ENOMEM. */
int rsyslog_conf_read_text(const char *text, size_t len, const char *name,
			   struct rsyslog_conf **ret_conf);

/* NULL is allowed. Items and all they point to go with it. */
void rsyslog_conf_free(struct rsyslog_conf *conf);

/* In the order in which rsyslogd comes across them. */
size_t rsyslog_conf_count(const struct rsyslog_conf *conf);
const struct rsyslog_conf_item *rsyslog_conf_at(const struct rsyslog_conf *conf, size_t i);

/* "FILE line N: what", i = 0, 1, ...; NULL after the last. */
const char *rsyslog_conf_problem(const struct rsyslog_conf *conf, size_t i);

/* The (first) value of a parameter, its name compared without case as rsyslog does;
 * of a name that is given twice, the first. NULL: it is not given. */
const char *rsyslog_conf_value(const struct rsyslog_conf_item *item, const char *name);

/* Is it on? otherwise: what holds where the parameter is not given. */
bool rsyslog_conf_is_on(const struct rsyslog_conf_item *item, const char *name, bool otherwise);

/* Is it an action that writes a file whose name is not made of the message: by omfile,
 * or in the old form? Then path has the name, without the template; disabled ones
 * are none. */
bool rsyslog_conf_file(const struct rsyslog_conf_item *item, char *path, size_t size);

/* The ruleset that a statement calls; NULL: it is no call. */
const char *rsyslog_conf_called(const struct rsyslog_conf_item *item);

/* The next module that is loaded, input or action that is of this type ("imuxsock",
 * "omsmtpblock"), from item *from on, which is moved behind it. kind is MODULE,
 * INPUT or ACTION; disabled ones are left out. NULL: no more. */
const struct rsyslog_conf_item *rsyslog_conf_next(const struct rsyslog_conf *conf,
						  enum rsyslog_conf_kind kind, const char *type,
						  size_t *from);

/* The settings of an action(type="omsmtpblock" ..), as the module would take them:
 * by settings_set() and settings_check(). Returns 0 and the caller calls
 * settings_done(); -EINVAL with "FILE line N: why" in errbuf; -ENOMEM. */
int rsyslog_conf_settings(const struct rsyslog_conf_item *item, struct settings *ret_settings,
			  char errbuf[static RSYSLOG_CONF_ERROR_SIZE]);

#endif
