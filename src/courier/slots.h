/* The slots of courier's listeners: the children of each couriertcpd, and what their sessions
 * show.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SLOTS_H
#define SMTPBLOCK_SLOTS_H

#include "courier/session_signs.h"
#include "lib/cidr.h"

enum slot_state {
	SLOT_FORKED,		/* has not exec'd yet: courier asks DNS about the client */
	SLOT_HANDSHAKE,		/* a couriertls without a courieresmtpd below it yet */
	SLOT_SESSION,		/* a courieresmtpd */
	SLOT_OTHER,		/* no session, or it could not be read */
};

struct slot {
	pid_t pid;		/* the child of couriertcpd, which takes the slot */
	pid_t smtpd;		/* courieresmtpd: the same, or on port 465 its child; or 0 */
	enum slot_state state;
	struct smtpd_peer peer;	/* valid in SLOT_HANDSHAKE and SLOT_SESSION, as the next three */
	bool relay_client;
	bool offers_login;
	bool listed;		/* slots_judge_fn said so */
	bool is_watched;	/* its submit is read: an entry with a listed session has it */
	bool has_login;		/* a login was seen, now or earlier */
	int64_t confirmed_at;	/* ms: slots_confirm() found no login; 0: it could not tell */
	bool has_changed;	/* it may have done something since the caller cleared this */
	/* Only the caller sets these. */
	bool ending;
	int64_t blocked_at;
	/* What else was seen. */
	struct session_submit submit;
	int64_t first_at;	/* ms: seen first */
	int64_t read_at;	/* its environment was read, in SLOT_SESSION that of the smtpd */
	int64_t submit_at;	/* submit was seen first, or, without one, there was none since;
				 * later, if slots_confirm() found the smtpd busy */
	int64_t active_at;	/* it ran on a CPU last */
	/* Private. */
	uint64_t cpu_time;
	bool is_settled;	/* nothing new can be read before it runs again */
	int64_t retry_at;	/* SLOT_OTHER: read it again; INT64_MAX: never */
};

/* What is known about the login of a session. */
enum slot_login {
	SLOT_LOGIN_NONE,
	SLOT_LOGIN_SEEN,
	SLOT_LOGIN_UNKNOWN,	/* too young or too busy to tell */
};

/* A submit without a login has to be seen twice, at least this far apart, unless slots_confirm()
 * finds the smtpd idle: just after a login the old submit may still be there. And only this long
 * without a submit is proof that there is no login: courieresmtpd stops one before it starts the
 * next one. */
#define SLOT_SAME_SUBMIT_MS 100
#define SLOT_NO_SUBMIT_MS 1000
/* What slots_confirm() saw holds for this long. */
#define SLOT_FRESH_MS 5

/* What is known at now, in ms. Any thread. */
enum slot_login slot_login(const struct slot *slot, int64_t now);

/* A couriertcpd. */
struct listener {
	pid_t tcpd;
	unsigned int max;	/* -maxprocs: the number of its slots; 0: unknown */
	bool max_known;		/* no need to read it again */
	struct slot *slots;	/* the oldest first */
	size_t count;
	bool in_wave, relieves;	/* only the caller sets these */
};

/* Is this session listed, and may it be acted on? Called once for each session. */
typedef bool slots_judge_fn(void *ctx, const struct addr *addr, const struct smtpd_facts *facts);

/* For one thread, not a worker. */
struct slots {
	slots_judge_fn *judge;
	void *ctx;
	unsigned int ipv4_prefix, ipv6_prefix;	/* of an entry on the list */
	pid_t but;		/* leave it unread if it is new; 0: none */
	struct listener *listeners;
	size_t count;
	size_t listed;		/* sessions */
	size_t unread;		/* in SLOT_FORKED and SLOT_HANDSHAKE */
	bool has_other_listeners;	/* than before the last refresh */
	bool is_incomplete;	/* children or a process could not be read: anybody may be there */
	pid_t last_pid;		/* the newest process of the system at the last refresh.. */
	bool is_last;		/* ..and at the one before: its parent surely has it in its list */
	struct smtpd_scratch scratch;
};

/* Read the children of the couriertcpds that rules knows, and of these the ones that are no
 * session yet. Costs one read of each couriertcpd's children, and of schedstat for each child that
 * has not exec'd yet or is in a TLS handshake. If no process of the system has started since, the
 * children are not read again, and sessions that have exited may still be there. Returns 0;
 * -ENOMEM; -EACCES, -errno: a process could not be read, the others were. */
int slots_find_new(struct slots *slots, const struct smtpd_rules *rules, int64_t now);

/* Read all children, and what the watched sessions do. Costs one read of schedstat for each; the
 * rest is read only if it has run since. */
int slots_refresh(struct slots *slots, const struct smtpd_rules *rules, int64_t now);

/* The session with this smtpd or slot PID, or NULL. Valid until the next refresh. */
struct slot *slots_find(const struct slots *slots, pid_t pid);

/* Read the sessions in this entry again, except that of one PID: what slots_login_in() takes for
 * proof that nobody has logged in has to hold at this moment. While the smtpd waits for its client
 * or in the tarpit, its submit is proof at once; while it is busy its login is unknown. */
void slots_confirm(struct slots *slots, const struct smtpd_rules *rules,
		   const struct cidr *entry, pid_t but, int64_t now);

/* The login of any session in this entry but the one of this PID (0: none): SEEN if one has, or
 * serves a relay client; UNKNOWN if one may have, or if the last refresh was incomplete. */
enum slot_login slots_login_in(const struct slots *slots, const struct cidr *entry, pid_t but,
			       int64_t now);

/* Free what slots owns. */
void slots_done(struct slots *slots);

#endif
