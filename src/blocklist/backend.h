/* Backends: where a blocked address is written. One ops table per backend.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_BACKEND_H
#define SMTPBLOCK_BACKEND_H

#include "lib/addr.h"
#include "policy/settings.h"

/* Embedded as the first member by each backend. */
struct backend {
	const struct backend_ops *ops;
};

/* A backend's parameters, valid during the call to open. */
struct backend_config {
	const char *list;		/* of IPv4 addresses */
	const char *list6;		/* of IPv6 addresses */
	unsigned int ban_time;		/* s */
	unsigned int ipv4_prefix;	/* addresses are masked to these */
	unsigned int ipv6_prefix;
	unsigned int list_size;		/* nftables: size of a set */
	const struct settings_ports *ports; /* nftables: that the rules drop */
	bool keep_foreign_table;	/* nftables: keep a working table even if its
					 * parameters differ; for the tool */
	const char *net_root;		/* normally /proc/net */
	const char *module_root;	/* normally /sys/module */
};

#define BACKEND_NET_ROOT "/proc/net"
#define BACKEND_MODULE_ROOT "/sys/module"

enum backend_result {
	BACKEND_WRITTEN,
	/* Written, but to another list than before: addresses written earlier are gone. */
	BACKEND_WRITTEN_ANEW,
};

/* One address to block. */
struct backend_block {
	struct addr addr;
	int64_t stay;		/* ms, up to ban_time; ignored by recent */
	bool known;		/* probably on the list already: a hint */
};

/* The most that add_many takes in one call. */
#define BACKEND_MANY 32

/* One entry of a list. Times in ms, relative to when it was read. */
struct backend_entry {
	struct addr addr;
	int64_t age;		/* since the block or the last dropped packet */
	int64_t left;		/* until its packets pass again; <= 0: they do, but the
				 * kernel still has the entry (recent) */
};

typedef int backend_entry_fn(void *ctx, const struct backend_entry *entry);

typedef void backend_removed_fn(void *ctx, const struct addr *addr);

/* Not thread-safe. Calls block only in system calls, nftables' until other programs'
 * transactions end. There is one list per family (enum addr_family), and one missing list does not
 * affect the other. */
struct backend_ops {
	const char *name;

	/* The backend creates its lists itself. An empty list is monitored too; an error
	 * applies to both families; existing entries are imported at start (foreach). */
	bool manages_list;

	/* A full list silently drops its oldest entry for a new one. Otherwise it refuses
	 * the new one: -ENFILE. */
	bool evicts_oldest;

	/* The list need not exist. Returns 0, -ENOMEM or -ENAMETOOLONG. The caller owns
	 * *ret_backend. */
	int (*open)(const struct backend_config *config,
		    struct backend **ret_backend);

	/* Block the address, or renew its block. Returns an enum backend_result; -ENOENT:
	 * there is no list; -ENFILE: it is full; -EACCES, -EPERM: no right to write it;
	 * -errno. */
	int (*add)(struct backend *backend, const struct backend_block *block);

	/* Add up to BACKEND_MANY addresses at once; ret_results gets a result for each.
	 * NULL if that is not cheaper. */
	void (*add_many)(struct backend *backend,
			 const struct backend_block *blocks, size_t count,
			 int *ret_results);

	/* Does the list exist, is it writable and the same as before? Returns as add.
	 * Changes nothing, except that a backend with .manages_list creates what is
	 * missing. */
	int (*check)(struct backend *backend, int family);

	/* Take the address off the list if it is there, without reading the list. Returns 0;
	 * -errno as add. */
	int (*drop)(struct backend *backend, const struct addr *addr);

	/* Remove the address. Returns 0; -ESRCH: it is not on the list; -errno as add. For
	 * the tool only. */
	int (*remove)(struct backend *backend, const struct addr *addr);

	/* Call fn for each address, of both families, that was taken off since the last call by
	 * hand or by other programs, as far as the kernel reports it. A renewal counts as none.
	 * Never waits. NULL: the kernel does not report it. */
	void (*removals)(struct backend *backend, backend_removed_fn *fn, void *ctx);

	/* Remove all addresses of the family. Returns 0; -errno as add. */
	int (*flush)(struct backend *backend, int family);

	/* Call fn with each entry of the family, in the kernel's order, until fn returns a
	 * value other than 0, which is returned then. Slow; with recent it also delays
	 * packets in the kernel, so the module does not use it there. Returns 0; -errno as
	 * add. */
	int (*foreach)(struct backend *backend, int family, backend_entry_fn *fn, void *ctx);

	/* The largest number of addresses on a list; SIZE_MAX: no limit. */
	size_t (*capacity)(struct backend *backend);

	/* One sentence for the admin: what is wrong with the list, and the command that
	 * fixes it. err is a positive errno as returned by add; ENOSPC: the list is too
	 * small. Returns buf. */
	char *(*advice)(const struct backend *backend, int family, int err,
			char *buf, size_t size);

	void (*free)(struct backend *backend);	/* NULL is allowed */
};

/* The backend parameters of an action, with keep_foreign_table unset. The result refers to
 * the settings and the two roots. Any thread. */
struct backend_config backend_config_of(const struct settings *settings,
					const char *net_root,
					const char *module_root);

/* The ops of a backend kind (enum backend_kind). */
const struct backend_ops *backend_ops(int kind);

extern const struct backend_ops backend_recent_ops;
extern const struct backend_ops backend_nftables_ops;
extern const struct backend_ops backend_null_ops;

#endif
