/* A courieresmtpd process that is pinned and verified to be courier's.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_SMTPD_H
#define SMTPBLOCK_SMTPD_H

#include "courier/tcpd.h"
#include "lib/addr.h"
#include "lib/looker.h"
#include "lib/pidref.h"
#include "lib/tcp_reset.h"

/* What is needed to verify that a process is courier's. */
struct smtpd_rules {
	const struct procfs *procfs;
	struct looker *looker;
	struct tcpd_list *tcpds;
	struct tcp_reset *reset;	/* for smtpd_cookie(); NULL: no cookies */
	uid_t uid;		/* courier's */
	int fd_end;		/* see pidref_end(); 0: no limit */
};

/* Buffer for what is read of a process. Texts in smtpd_facts point into it. One per
 * thread. */
struct smtpd_scratch {
	struct procfs_look look;
};

/* One connection, according to the environment of its processes. */
struct smtpd_peer {
	struct addr addr;	/* TCPREMOTEIP */
	uint16_t port;		/* TCPREMOTEPORT */
	uint16_t local_port;	/* TCPLOCALPORT */
	struct addr local;	/* TCPLOCALIP; family 0: not set */
};

/* The processes of one connection. On port 465 couriertls is the parent of courieresmtpd
 * and the child of couriertcpd. It takes the slot, so it must be terminated too. */
struct smtpd {
	struct pidref process;	/* courieresmtpd */
	struct pidref tls;	/* couriertls above it, or PIDREF_NONE */
	struct smtpd_peer peer;
	pid_t parent;		/* couriertcpd or, on port 465, couriertls */
	pid_t tcpd;		/* couriertcpd */
	uint64_t cookie;	/* of the connection, see smtpd_cookie(); 0: unknown */
	bool behind_proxy;	/* its client's packets come from another host, a proxy that
				 * has named the peer (-haproxy) */
	struct pidref submit;	/* of smtpd_check_submit(): has the same BLOCK */
	struct smtpd_env *env;	/* of smtpd_pin(): a copy of the facts; else NULL */
};

/* Facts from the environment, as it was at exec. The texts are valid until the scratch is
 * used again. */
struct smtpd_facts {
	bool relay_client;	/* RELAYCLIENT is set: the client may relay */
	bool tls;		/* ESMTP_TLS: TLS from the start of the connection */
	bool offers_login;	/* ESMTPAUTH or ESMTPAUTH_TLS is not empty: courier answers
				 * AUTH with more than 535 */
	const char *block;	/* BLOCK, not empty; NULL: not listed */
	const char *block_ip;	/* BLOCK_IP or NULL */
	const char *block_zone;	/* BLOCK_ZONE or NULL */
	const char *access_file;	/* ACCESSFILE or NULL: in courier's directory */
};

#define SMTPD_NONE { .process = PIDREF_NONE, .tls = PIDREF_NONE,   \
		     .submit = PIDREF_NONE, .env = NULL }

/* The functions below check the uid and the parent first, by calls that no process can
 * delay. They read more only of a process with courier's uid in the expected place. That may
 * take LOOKER_WAIT_MS, so they are not for workers unless they say so. */

/* Is this result of one of the functions below a failed call that may succeed later, such
 * as -EMFILE, -ENOMEM, -EINTR or -EBUSY? Such a result says nothing about the process. Any
 * thread. */
bool smtpd_call_failed(int r);

/* May this smtpd stay pinned? Otherwise its descriptors are needed for looks at other
 * processes. Any thread. */
bool smtpd_may_stay(const struct smtpd_rules *rules, const struct smtpd *smtpd);

/* Does this process have courier's uid? Returns 0: yes; -EPERM: no; -ESRCH: no such
 * process; -errno. For workers too. */
int smtpd_may_be(const struct smtpd_rules *rules, pid_t pid);

/* Pin a process and verify it: its parent is a couriertcpd, or courier's couriertls for the
 * same peer below a couriertcpd; all of them have courier's uid; its executable is named
 * courieresmtpd; its environment names a peer. If pid is that couriertls, its courieresmtpd
 * is opened.
 * Returns 0 and the caller owns *ret_smtpd; -ESRCH: it has exited; -EAGAIN: it has not
 * exec'd courieresmtpd yet; -EPERM: it is another process; -EACCES: no permission to look
 * (CAP_SYS_PTRACE); -ETIMEDOUT, -EBUSY: see looker_look(); -EMFILE; -errno. On failure
 * nothing stays pinned. */
int smtpd_open(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
	       struct smtpd *ret_smtpd, struct smtpd_facts *ret_facts);

/* Pin and verify a couriertls below a couriertcpd that has no courieresmtpd yet, because the TLS
 * handshake is not over: it becomes ret_smtpd->process. Returns as smtpd_open(); -EPERM: it is
 * another process; -EAGAIN: it has a child. */
int smtpd_open_handshake(const struct smtpd_rules *rules, pid_t pid,
			 struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
			 struct smtpd_facts *ret_facts);

/* Is an smtpd of smtpd_pin() unchanged: alive, with courier's uid and the same parent? The
 * facts are the copy made then, which stays valid: they are those of its exec, and
 * courieresmtpd does not exec another program. Two system calls that do not wait: for
 * workers. Returns 0; -ESRCH: it has exited; -EPERM: it has changed; -errno: a call failed,
 * which says nothing about the process. */
int smtpd_recheck(const struct smtpd_rules *rules, const struct smtpd *smtpd,
		  struct smtpd_scratch *scratch, struct smtpd_facts *ret_facts);

/* The kernel's socket cookie of the connection on the standard input of pid, which is the
 * client's connection in couriertls or, without one, in courieresmtpd. Found by the ends in
 * peer, and returned only if the inode number of that socket is the one in
 * /proc/PID/fdinfo. The caller must have pinned pid, and check afterwards that it is alive.
 * Returns 0 if there is no such connection, without sock_diag(7), and before Linux 5.14,
 * which has no inode number in fdinfo. */
uint64_t smtpd_cookie(const struct smtpd_rules *rules, pid_t pid,
		      const struct smtpd_peer *peer);

/* Release the copy of the facts and the submit. */
void smtpd_forget_held(struct smtpd *smtpd);

/* Does a submit of this smtpd have exactly this BLOCK? submit is what rejects mail. After a
 * login it is started with an empty BLOCK, while the environment of courieresmtpd still
 * shows the old one. block must not point into scratch.
 * Returns 0: it is pinned as smtpd->submit; -EPERM: there is none; -EACCES; -errno. */
int smtpd_check_submit(const struct smtpd_rules *rules, struct smtpd *smtpd,
		       const char *block, struct smtpd_scratch *scratch);

/* Is smtpd->submit still alive? Returns 0; -ESRCH: it has exited, or none is pinned; -errno. */
int smtpd_recheck_submit(const struct smtpd *smtpd);

/* Read a child of the smtpd with this PID, without pinning it. Returns 0: it is a submit with
 * these facts; -EAGAIN: it has not exec'd submit yet; -EPERM: it is another process; -ESRCH: it
 * has exited; -EACCES; -ETIMEDOUT, -EBUSY; -errno. */
int smtpd_read_submit(const struct smtpd_rules *rules, pid_t smtpd, pid_t pid,
		      struct smtpd_scratch *scratch, struct smtpd_facts *ret_facts);

/* Find the couriertls processes of a peer that are not below a couriertcpd: STARTTLS starts
 * couriertls with init as its parent, and it stays when courieresmtpd exits. Searches the
 * children of init and of the couriertcpds' parents, which may be subreapers. Each match is
 * pinned and verified by its name, uid and environment. Returns their number, at most max;
 * the caller owns them. */
int smtpd_find_orphan_tls(const struct smtpd_rules *rules, const struct smtpd_peer *peer,
			  struct smtpd_scratch *scratch, struct pidref *ret_refs, size_t max);

/* Does a child of a couriertcpd serve this peer? If the peer's session has ended, then a
 * later connection has the same ports, and an orphaned couriertls may belong to that one.
 * Also true if it cannot be determined. Reads all children of the couriertcpds. */
bool smtpd_is_served(const struct smtpd_rules *rules, const struct smtpd_peer *peer,
		     struct smtpd_scratch *scratch);

/* What the index stores about a process of courier's. */
struct smtpd_hint {
	struct smtpd_peer peer;
	struct smtpd_facts facts;
	bool is_tls;		/* it is the couriertls of port 465 */
	bool names_proxy;	/* TCPREMOTEINFO says that a proxy has named the peer */
};

/* Read a process without pinning it: good enough for an index, not to terminate it. slots.h
 * decides by it whether somebody is logged in from an entry, and with that whether the entry is
 * blocked. The texts are valid until the scratch is used again. Returns 0; -ESRCH; -EAGAIN: it
 * has not exec'd yet; -ENODATA: it is another program, or names no peer; -EPERM: it is not a
 * child of a couriertcpd; -EACCES; -ETIMEDOUT, -EBUSY; -errno. */
int smtpd_read_hint(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
		    struct smtpd_hint *ret_hint);

/* The same; and if the process is a courieresmtpd with a BLOCK, pin and verify it as smtpd_open()
 * does before a line is about it, and keep a copy of its facts, so that a later smtpd_recheck()
 * suffices. Otherwise *ret_smtpd is not written. Returns as smtpd_read_hint() and smtpd_open(). */
int smtpd_pin(const struct smtpd_rules *rules, pid_t pid, struct smtpd_scratch *scratch,
	      struct smtpd *ret_smtpd, struct smtpd_hint *ret_hint);

/* Are the address and both ports equal? Any thread. */
bool smtpd_same_peer(const struct smtpd_peer *a, const struct smtpd_peer *b);

/* Unpin all processes. Any thread. */
void smtpd_done(struct smtpd *smtpd);

/* Move ownership: *smtpd has nothing pinned afterwards. Any thread. */
struct smtpd smtpd_take(struct smtpd *smtpd);

#endif
