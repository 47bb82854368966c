/* Where a blocked address goes: one ops table a backend.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BACKEND_H
#define SMTPBLOCK_BACKEND_H

#include "lib/addr.h"
#include "policy/settings.h"

/* Embedded as the first member by each backend. */
struct backend {
	const struct backend_ops *ops;
};

/* What a backend is told, valid during the call to open. */
struct backend_config {
	const char *list;		/* of IPv4 addresses */
	const char *list6;		/* of IPv6 addresses */
	unsigned int ban_time;		/* s */
	unsigned int ipv4_prefix;	/* addresses come masked to these */
	unsigned int ipv6_prefix;
	unsigned int list_size;		/* nftables: addresses a set holds */
	const struct settings_ports *ports; /* nftables: that are closed */
	bool keep_foreign_table;	/* nftables: leave a table that works as it is,
					 * whatever the above says; for people */
	const char *net_root;		/* normally /proc/net */
	const char *module_root;	/* normally /sys/module */
};

#define BACKEND_NET_ROOT "/proc/net"
#define BACKEND_MODULE_ROOT "/sys/module"

enum backend_result {
	BACKEND_WRITTEN,
	/* Written, and the list is not the one that was written to before: what
	 * had been put on that one is gone. */
	BACKEND_WRITTEN_ANEW,
};

/* One address to be blocked. */
struct backend_block {
	struct addr addr;
	int64_t stay;		/* ms, up to ban_time; recent ignores it */
	bool known;		/* it is on the list, as far as is known: a hint */
};

/* As many as add_many takes at a time. */
#define BACKEND_MANY 32

/* One address that the kernel holds. Times in ms, reckoned when it was asked. */
struct backend_entry {
	struct addr addr;
	int64_t age;		/* since the block or the last dropped packet */
	int64_t left;		/* until it gets through again; <= 0: it does,
				 * and is only not forgotten yet (recent) */
};

typedef int backend_entry_fn(void *ctx, const struct backend_entry *entry);

/* One thread at a time; no call waits for more than its system calls, which may be
 * long (waits). Families are enum addr_family: each has a list of its own, and one
 * missing never stops the other. */
struct backend_ops {
	const char *name;

	/* The backend makes its lists itself: they are looked after also while
	 * they are empty, what fails fails for both, and what they hold at the
	 * start (each) is known. */
	bool manages_list;

	/* A call may take as long as other programs hold something in the kernel: not
	 * for workers, unless it is urgent. */
	bool may_block;

	/* A full list lets its oldest entry go for a new one, without a word;
	 * otherwise it takes no new one: -ENFILE. */
	bool evicts_oldest;

	/* Makes no demand on the list: it may be missing. Returns 0, -ENOMEM
	 * or -ENAMETOOLONG. The caller owns *ret_backend. */
	int (*open)(const struct backend_config *config,
		    struct backend **ret_backend);

	/* Block the address, or renew its block. Returns an enum
	 * backend_result; -ENOENT: there is no list; -ENFILE: it is full;
	 * -EACCES, -EPERM: no right to write it; -errno. */
	int (*add)(struct backend *backend, const struct backend_block *block);

	/* The same for up to BACKEND_MANY of them at once, which is cheaper;
	 * ret_results gets an answer for each. NULL: it is not. */
	void (*add_many)(struct backend *backend,
			 const struct backend_block *blocks, size_t count,
			 int *ret_results);

	/* Is the list there and writable, and the same as before? Returns as
	 * add. Changes nothing, but for what a backend makes itself. */
	int (*check)(struct backend *backend, int family);

	/* Take the address off the list. Returns 0; -ESRCH: it is not on it;
	 * -errno as add. Not for the module: for people. */
	int (*remove)(struct backend *backend, const struct addr *addr);

	/* Take all of that family off. Returns 0; -errno as add. */
	int (*flush)(struct backend *backend, int family);

	/* Call fn with each address of that family that the kernel holds, in
	 * the kernel's order, until fn returns other than 0, which is returned
	 * then. Slow, and with recent in the way of the kernel's packets: not
	 * for the module. Returns 0; -errno as add. */
	int (*foreach)(struct backend *backend, int family, backend_entry_fn *fn, void *ctx);

	/* How many addresses the list holds; SIZE_MAX: no limit. */
	size_t (*capacity)(struct backend *backend);

	/* One sentence for the admin: what is wrong, in terms of this backend,
	 * and the exact command that mends it. err is a positive errno as add
	 * returned it; ENOSPC: the list is too small. Returns buf. */
	char *(*advice)(const struct backend *backend, int family, int err,
			char *buf, size_t size);

	void (*free)(struct backend *backend);	/* NULL is allowed */
};

/* What a backend is told of an action: all but keep_foreign_table. Borrows the settings and the
 * two roots. Any thread. */
struct backend_config backend_config_of(const struct settings *settings,
					const char *net_root,
					const char *module_root);

/* The ops of a backend kind (enum backend_kind). */
const struct backend_ops *backend_ops(int kind);

extern const struct backend_ops backend_recent_ops;
extern const struct backend_ops backend_nftables_ops;
extern const struct backend_ops backend_null_ops;

#endif
