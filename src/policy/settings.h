/* The parameters of one action: their names, defaults, bounds and values.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SETTINGS_H
#define SMTPBLOCK_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/prefix_set.h"
#include "lib/reply_regex.h"

/* Which lines trigger a block. */
enum trigger {
	TRIGGER_DNSBL,		/* a reject with the smtpd's BLOCK text */
	TRIGGER_REJECT,		/* any 5xx reject */
	TRIGGER_CONNECT,	/* an smtpd with a BLOCK has started */
	TRIGGER_AUTH,		/* a failed login: 535 */
	TRIGGER_RELAY,		/* an attempt to relay: 513 */
	TRIGGER_PROTOCOL,	/* not an SMTP command: 502 */
};

/* The proof that is required before an address is blocked. */
enum verify {
	VERIFY_CHILD,		/* a running smtpd serves the address */
	VERIFY_SENDER,		/* or the kernel says courier logged the line */
	VERIFY_NONE,		/* the line is enough */
};

enum backend_kind {
	BACKEND_RECENT,
	BACKEND_NFTABLES,
	BACKEND_NULL,
};

/* XT_RECENT_NAME_LEN of linux/netfilter/xt_recent.h, NUL included. */
#define SETTINGS_LIST_SIZE 200
/* With nftables the list's name is part of a comment of at most 128 bytes
 * (NFTNL_UDATA_COMMENT_MAXLEN of libnftnl). NUL included. */
#define SETTINGS_NFT_NAME_SIZE 101
/* LOGIN_NAME_MAX of limits.h, NUL included. */
#define SETTINGS_USER_SIZE 256

/* The kind of messages that the action gets. */
enum input {
	INPUT_COURIER,		/* courier's log lines */
	INPUT_ADDRESS,		/* ADDR [PORT], already decided elsewhere */
};

#define SETTINGS_PATH_SIZE 256
#define SETTINGS_TEMPLATE_SIZE 128
#define SETTINGS_RULESET_SIZE 128

/* The maximum of listSize. */
#define SETTINGS_LIST_SIZE_MAX 16777216

/* TCP ports: ascending, without duplicates. */
#define SETTINGS_PORTS_MAX 64

struct settings_ports {
	unsigned int count;
	uint16_t list[SETTINGS_PORTS_MAX];
};

struct settings {
	int backend;			/* enum backend_kind */
	char list[SETTINGS_LIST_SIZE];
	char list6[SETTINGS_LIST_SIZE];
	unsigned int list_size;		/* size of a set (nftables) */
	struct settings_ports ports;	/* that the rules drop (nftables) */
	bool ports_set;
	int trigger;			/* enum trigger */
	struct reply_regex *reply_pattern;	/* owned */
	unsigned int threshold;		/* triggers.. */
	unsigned int window;		/* ..in this many s */
	unsigned int ban_time;		/* s */
	unsigned int ipv4_prefix;	/* leading bits that are blocked */
	unsigned int ipv6_prefix;	/* 0: unset, see settings_prefix() */
	bool terminate;
	unsigned int terminate_delay;	/* ms */
	int terminate_signal;		/* SIGTERM .. */
	unsigned int terminate_kill_after; /* ms, 0: never */
	bool terminate_reset;
	bool connect_reply;
	bool early;			/* see engine/watch.h */
	unsigned int pressure;		/* % of a listener's slots; 0: off */
	bool rules_set;			/* early or pressure was written */
	int verify;			/* enum verify */
	char courier_user[SETTINGS_USER_SIZE];
	bool courier_user_set;
	struct prefix_set *allow;	/* owned */
	char allow_file[SETTINGS_PATH_SIZE]; /* "": none */
	bool block_behind_proxy;	/* else that is left to the proxy */
	unsigned int max_blocks;	/* new blocks.. */
	unsigned int max_blocks_interval; /* ..in this many s */
	bool dry_run;
	int input;			/* enum input */
	char template_name[SETTINGS_TEMPLATE_SIZE]; /* "": built in */
	char event_ruleset[SETTINGS_RULESET_SIZE]; /* "": none */
	char stats_name[SETTINGS_LIST_SIZE]; /* "": that of the list */
};

/* How a value is written in the configuration. */
enum settings_type {
	SETTINGS_BOOL,		/* on, off */
	SETTINGS_UINT,		/* within min..max */
	SETTINGS_WORD,		/* one of the row's words */
	SETTINGS_TEXT,		/* min..max bytes that the row accepts */
	SETTINGS_PATTERN,	/* a PCRE2 expression */
	SETTINGS_CIDRS,		/* prefixes; an array */
	SETTINGS_PORTS,		/* TCP ports; an array */
};

struct settings_word {
	const char *word;	/* NULL ends the list */
	int value;
};

/* One parameter. The table of rows is the only list of parameters. */
struct settings_row {
	const char *name;
	enum settings_type type;
	const char *default_text;	/* NULL: none */
	size_t offset;			/* of the field in struct settings */
	unsigned int min, max;		/* UINT: the value; TEXT: its length */
	const char *unit;		/* UINT: "ms"; NULL: a plain number */
	const struct settings_word *words; /* WORD */
	bool (*accepts)(const char *text); /* TEXT; NULL: any text */
	const char *hint;		/* TEXT: what to write instead */
};

/* Is this an array parameter, set once for each value? */
bool settings_is_list(const struct settings_row *row);

/* The rows in the order of the manual; *ret_count is their number. */
const struct settings_row *settings_rows(size_t *ret_count);

/* Defaults. Returns 0, or -ENOMEM with nothing to free. */
int settings_init(struct settings *settings);

/* Free what the fields own; not settings itself. A second call does nothing. */
void settings_done(struct settings *settings);

/* Set one parameter from its text. name is compared without case, as rsyslog
 * does. Returns 0; -ENOENT: no such parameter; -EINVAL: errbuf says what was
 * written, what is wrong with it and what is allowed; -ENOMEM. On failure the
 * parameter keeps its value. */
int settings_set(struct settings *settings, const char *name, const char *value,
		 char *errbuf, size_t errbuf_size);

/* Check all parameters together, once they are set. Returns 0, or -EINVAL with the reason
 * in errbuf. Seals the allow list. */
int settings_check(struct settings *settings, char *errbuf, size_t errbuf_size);

/* Warnings about settings that are allowed but weaken protection or are probably a mistake,
 * one sentence for each which = 0, 1, ... Returns NULL after the last. */
const char *settings_warning(const struct settings *settings,
			     unsigned int which);

/* Do both actions write to a list of the same name, with another value of a parameter that
 * belongs to the list? Returns the sentence for the admin, in buf, or NULL. */
#define SETTINGS_CLASH_SIZE 512
char *settings_clash(const struct settings *earlier, const struct settings *later,
		     char buf[static SETTINGS_CLASH_SIZE]);

/* Are sessions terminated at all? Not with dryRun. Any thread. */
bool settings_end_children(const struct settings *settings);

/* The number of leading bits that are blocked for this address: ipv4Prefix or ipv6Prefix. */
unsigned int settings_prefix(const struct settings *settings,
			     const struct addr *addr);

/* The name of the list for addresses of this enum addr_family. */
const char *settings_list(const struct settings *settings, int family);

/* The word for a value of a WORD parameter, as in "backend=recent"; NULL if there is none. */
const char *settings_word(const char *name, int value);

/* Look up the uid of courierUser in the system's user database, which may read files or use
 * the network: not for workers. Returns 0; -ENOENT: no such user; -errno. */
int settings_courier_uid(const struct settings *settings, uid_t *ret_uid);

#endif
