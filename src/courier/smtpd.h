/* A courieresmtpd child that is held fast and proven to be courier's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SMTPD_H
#define SMTPBLOCK_SMTPD_H

#include "courier/tcpd.h"
#include "lib/addr.h"
#include "lib/looker.h"
#include "lib/pidref.h"
#include "lib/tcp_reset.h"

/* What is needed to tell a child of courier's. */
struct smtpd_rules {
	const struct procfs *procfs;
	struct looker *looker;
	struct tcpd_list *tcpds;
	struct tcp_reset *reset;	/* for smtpd_cookie(); NULL: there is none */
	uid_t uid;		/* courier's */
	int fd_end;		/* see pidref_end(); 0: there is none */
};

/* Room for what is looked at, which a child's texts point into. One for a thread. */
struct smtpd_scratch {
	struct procfs_look look;
};

/* One connection, as the environment of its processes names it. */
struct smtpd_peer {
	struct addr addr;	/* TCPREMOTEIP */
	uint16_t port;		/* TCPREMOTEPORT */
	uint16_t local_port;	/* TCPLOCALPORT */
	struct addr local;	/* TCPLOCALIP; family 0 where it is not named */
};

/* The processes of one connection. On port 465 couriertls stands between
 * couriertcpd and courieresmtpd and is what takes the slot: it has to end too. */
struct smtpd {
	struct pidref process;	/* courieresmtpd */
	struct pidref tls;	/* couriertls above it, or PIDREF_NONE */
	struct smtpd_peer peer;
	pid_t parent;		/* the listener's or, on port 465, couriertls' */
	uint64_t cookie;	/* of its connection, see smtpd_cookie(); 0: not known */
	struct pidref submit;	/* of smtpd_pin_submit(), which knows its BLOCK */
	pid_t other_submit;	/* which does not know it, as was seen then; 0: none was */
	struct smtpd_env *env;		/* its facts; else NULL */
};

/* What its environment says, as it was at its exec; the texts live in the
 * scratch until its next use. */
struct smtpd_facts {
	bool relay_client;	/* RELAYCLIENT is set: an own host */
	bool tls;		/* ESMTP_TLS: the port speaks TLS from the start */
	const char *block;	/* BLOCK, not empty; NULL: not listed */
	const char *block_ip;	/* BLOCK_IP or NULL */
	const char *block_zone;	/* BLOCK_ZONE or NULL */
};

#define SMTPD_NONE { .process = PIDREF_NONE, .tls = PIDREF_NONE,   \
		     .submit = PIDREF_NONE, .env = NULL }

/* Everything below asks identity first: uid and parent, by calls that return at once
 * whatever the process does. Only of a process of courier's uid that is below a listener
 * more is asked, and that may take LOOKER_WAIT_MS: not for workers, where nothing else
 * is said. */

/* Does the result of one of these functions say nothing about the process, as a call
 * failed that may succeed later? -EMFILE, -ENOMEM, -EINTR, -EBUSY and so on. */
bool smtpd_call_failed(int r);

/* May the child be held for longer? Else its descriptors are needed for the looks at
 * others. Any thread. */
bool smtpd_may_stay(const struct smtpd_rules *rules, const struct smtpd *smtpd);

/* Can this process be one of courier's at all, by its uid? Returns 0: it can; -EPERM: it
 * cannot; -ESRCH: there is none; -errno. For workers too. */
int smtpd_may_be(const struct smtpd_rules *rules, pid_t pid);

/* Pin the process and prove it: its parent is one of the listeners, or a couriertls of
 * courier's for the same peer whose parent is one; all have courier's uid; its executable
 * is named courieresmtpd; its environment names a peer. pid may also be that couriertls
 * itself: its courieresmtpd is meant.
 * Returns 0 and the caller owns *ret_child; -ESRCH: it is gone; -EAGAIN: it
 * has not exec'd courieresmtpd yet; -EPERM: it is something else; -EACCES: we
 * may not look (CAP_SYS_PTRACE); -ETIMEDOUT, -EBUSY: see looker_look(); -EMFILE;
 * -errno. On failure nothing is pinned. */
int smtpd_open(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
	       struct smtpd *ret_child, struct smtpd_facts *ret_facts);

/* The same of one that no line was about yet, and so that little is left to do when
 * one is: smtpd_recheck(). For children that a listener has itself, not for port
 * 465. Returns as smtpd_open(). */
int smtpd_pin(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
	      struct smtpd *ret_child, struct smtpd_facts *ret_facts);

/* Pin its submit, too, for smtpd_recheck_submit(). Returns 0; -EPERM: it has none yet
 * that knows the child's BLOCK; -EACCES; -EMFILE; -errno. */
int smtpd_pin_submit(const struct smtpd_rules *rules, struct smtpd *smtpd,
		     struct smtpd_scratch *scratch);

/* Is one of smtpd_pin() what it was: alive, of courier's uid, below the same listener?
 * The facts are those of then, as they are of its exec, and courieresmtpd does not exec
 * anything else. Two system calls that return at once: for workers. Returns 0; -ESRCH:
 * it has ended; -EPERM; -errno: a call failed, which says nothing about it. */
int smtpd_recheck(const struct smtpd_rules *rules, const struct smtpd *smtpd,
		  struct smtpd_scratch *scratch, struct smtpd_facts *ret_facts);

/* Is the submit of smtpd_pin_submit() still there? Returns at once: for workers.
 * Returns 0; -ESRCH: it is not, or none was pinned; -errno. */
int smtpd_recheck_submit(const struct smtpd *smtpd);

/* The kernel's own name for the connection that the process has as its standard input, if
 * its ends are those of peer: the two are asked for by different ways and have to agree.
 * couriertls has the client there, or courieresmtpd where no couriertls is. pid has to be
 * pinned, and be seen alive afterwards. 0: there is none (sock_diag(7), and the inode number
 * in fdinfo since Linux 5.14). */
uint64_t smtpd_cookie(const struct smtpd_rules *rules, pid_t pid,
		      const struct smtpd_peer *peer);

/* Let go of what smtpd_pin() has besides the process itself. */
void smtpd_forget_held(struct smtpd *smtpd);

/* Does a submit of this child know the peer to be listed, by this very text? It is
 * submit that gives the reject, and after a login it is started with an empty
 * BLOCK, while the child's own environment still shows the old one. block may be
 * a text of the child's scratch; scratch is another one.
 * Returns 0; -EPERM: there is none; -EACCES; -errno. */
int smtpd_check_submit(const struct smtpd_rules *rules, const struct smtpd *smtpd,
		       const char *block, struct smtpd_scratch *scratch);

/* The couriertls processes that serve a peer apart from any courieresmtpd: with
 * STARTTLS couriertls is started so that init is its parent, and it stays when
 * courieresmtpd ends. Looks through the children of the process that took the
 * listeners in (their parent) and of init. Each one is pinned and proven by name,
 * uid and environment. Returns their number, at most max, owned by the caller;
 * -errno. Not in a worker. */
int smtpd_find_orphan_tls(const struct smtpd_rules *rules, const struct smtpd_peer *peer,
			  struct smtpd_scratch *scratch, struct pidref *ret_refs, size_t max);

/* Does a child of a listener serve that peer? After the end of the one that did, it is a
 * later connection's from the same port, and a couriertls may be of that one. True as
 * well where it cannot be known. Looks at all children of the listeners. Not in a
 * worker. */
bool smtpd_is_served(const struct smtpd_rules *rules, const struct smtpd_peer *peer,
		     struct smtpd_scratch *scratch);

/* What can be seen of a process of courier's by its PID alone. */
struct smtpd_hint {
	struct smtpd_peer peer;
	bool listed;		/* BLOCK is not empty */
	bool relay_client;	/* RELAYCLIENT is set */
};

/* Look at it without pinning it: good for an index, not for a decision. Returns 0;
 * -ESRCH; -EAGAIN: it has not exec'd yet; -ENODATA: it names no peer; -EPERM: it is no
 * child of a listener's; -EACCES; -ETIMEDOUT, -EBUSY; -errno. */
int smtpd_read_hint(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
		    struct smtpd_hint *ret_glimpse);

/* Are these the two ends of one connection? Any thread. */
bool smtpd_same_peer(const struct smtpd_peer *a, const struct smtpd_peer *b);

/* Let go of all processes. */
void smtpd_done(struct smtpd *smtpd);

/* Move ownership: *child holds nothing afterwards. */
struct smtpd smtpd_take(struct smtpd *smtpd);

#endif
