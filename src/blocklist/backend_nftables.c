/* The nftables backend: sets in a table of our own, written over netlink. Needs no program
 * and no rule of the admin.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocklist/nftnews.h"
#include "blocklist/nftsetup.h"

/* How often a transaction is rebuilt from the addresses that have no result yet. */
#define ROUNDS_MAX 4

/* Number of messages that renew an address. */
#define STEPS 3

/* The smallest listSize to recommend. */
#define SIZE_ADVISED 65536

/* Marks an address that has no result yet. */
#define PENDING 1000

struct nftables {
	struct backend backend;
	struct nfttable table;
	struct nftlink *link;
	struct nftnews *news;
	bool keep_foreign_table; /* its creator decides how long an address is blocked */
	bool settled;		/* the table was set up exactly, once */
	struct nftstate state;	/* at the last look */
	bool recreated[2];		/* the set was recreated; not yet returned */
};

static struct nftables *of(struct backend *backend)
{
	return (struct nftables *)backend;
}

static int which_of(int family)
{
	return family == ADDR_IPV4 ? 0 : 1;
}

static int nftables_open(const struct backend_config *config,
			 struct backend **ret_backend)
{
	struct nftables *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->backend.ops = &backend_nftables_ops;
	b->keep_foreign_table = config->keep_foreign_table;
	r = nfttable_init(&b->table, config);
	if (r == 0)
		r = nftlink_new(&b->link);
	if (r == 0)
		r = nftnews_new(&b->news);
	if (r < 0) {
		nftlink_free(b->link);
		free(b);
		return r;
	}
	*ret_backend = &b->backend;
	return 0;
}

static void nftables_free(struct backend *backend)
{
	struct nftables *b = of(backend);

	if (!b)
		return;
	nftnews_free(b->news);
	nftlink_free(b->link);
	free(b);
}

/* Note for each set whether it was recreated. */
static void note_recreated(struct nftables *b, const struct nftstate *state)
{
	bool same_table = state->table_handle == b->state.table_handle;
	int i;

	for (i = 0; i < 2 && b->settled; i++)
		if (!same_table || state->lists[i].set_handle !=
					   b->state.lists[i].set_handle)
			b->recreated[i] = true;
	b->state = *state;
	b->settled = true;
}

/* Make sure that the table exists. The first time it must be exactly as configured, unless
 * foreign tables are kept; later it only has to work. */
static int ensure(struct nftables *b)
{
	struct nftstate state;
	int r;

	r = nftsetup_ensure(b->link, &b->table,
			    b->settled || b->keep_foreign_table ? NFTSETUP_WORKING
								: NFTSETUP_EXACT,
			    &state);
	if (r == 0)
		note_recreated(b, &state);
	return r;
}

/* Report once that the set was recreated. */
static int written_result(struct nftables *b, int family)
{
	bool recreated = b->recreated[which_of(family)];

	b->recreated[which_of(family)] = false;
	return recreated ? BACKEND_WRITTEN_ANEW : BACKEND_WRITTEN;
}

/* If no rule has changed since the last look, there is nothing to check. */
static int nftables_check(struct backend *backend, int family)
{
	struct nftables *b = of(backend);
	uint32_t genid = 0;
	int r;

	r = nftlink_generation(b->link, &genid);
	if (r == 0 && (!b->settled || genid != b->state.genid))
		r = ensure(b);
	return r < 0 ? r : written_result(b, family);
}

/* --- adding -------------------------------------------------------------- */

/* A transaction and its results, per address. */
struct round {
	const struct backend_block *blocks;
	int *results;
	bool renew[BACKEND_MANY];	/* it is already in the set */
	struct {
		unsigned int block, step;
	} messages[BACKEND_MANY * STEPS];
	unsigned int count;		/* number of messages */
	bool missing;			/* the set is probably missing */
	bool retry;			/* another try makes sense */
};

/* Before Linux 6.12 a timeout is renewed only by removing the address and adding it again.
 * Add it first, because removing a missing one is an error. The transaction is atomic, so
 * packets never pass in between, and a full set takes the address back. */
static int put_renewed(struct nftlink *link, const char *name,
		       const struct addr *addr, uint64_t timeout)
{
	int r;

	r = nfttable_put_address(link, name, addr, 0);
	if (r == 0)
		r = nfttable_drop_address(link, name, addr);
	return r < 0 ? r : nfttable_put_address(link, name, addr, timeout);
}

static int put_block(struct nftables *b, struct round *round, unsigned int i)
{
	const struct backend_block *block = &round->blocks[i];
	const char *name = b->table.lists[which_of(block->addr.family)].name;
	const int64_t ban = (int64_t)b->table.ban_time * 1000;
	bool own_time = block->stay < ban || b->keep_foreign_table;
	uint64_t timeout = own_time ? (uint64_t)block->stay : 0;
	unsigned int step, steps = round->renew[i] ? STEPS : 1;

	for (step = 0; step < steps; step++) {
		round->messages[round->count].block = i;
		round->messages[round->count++].step = step;
	}
	return round->renew[i] ? put_renewed(b->link, name, &block->addr, timeout) :
				 nfttable_put_new_address(b->link, name,
							  &block->addr, timeout);
}

/* Use the first error of each address; later ones follow from it. ENOENT may also come from
 * an address that expired meanwhile. ENFILE on re-adding a removed address only means that
 * others were refused: recent kernels count removed ones until the end of the transaction. */
static void note_error(void *ctx, unsigned int index, int err)
{
	struct round *round = ctx;
	unsigned int i;

	if (index >= round->count)
		return;
	i = round->messages[index].block;
	if (round->results[i] != PENDING)
		return;
	if (err == ENOENT) {
		round->missing = true;
	} else if (err == EEXIST) {
		round->renew[i] = round->retry = true;
	} else if (err != ENFILE || round->messages[index].step == 0) {
		round->results[i] = -err;
		round->retry = true;
	}
}

/* Try the addresses that have no result yet. Returns 0 if all were written, 1 if another
 * try makes sense, otherwise -errno. */
static int try_pending(struct nftables *b, struct round *round, size_t count)
{
	unsigned int i;
	int r = 0;

	round->count = 0;
	round->missing = round->retry = false;
	nftlink_begin(b->link, 0);
	for (i = 0; i < count && r == 0; i++)
		if (round->results[i] == PENDING)
			r = put_block(b, round, i);
	if (r == 0 && round->count > 0)
		r = nftlink_commit(b->link, note_error, round);
	if (r == 0)
		return 0;
	if (round->missing)
		r = ensure(b);
	return r == 0 || round->retry ? 1 : r;
}

static void nftables_add_many(struct backend *backend,
			      const struct backend_block *blocks, size_t count,
			      int *ret_results)
{
	struct round round = { .blocks = blocks, .results = ret_results };
	struct nftables *b = of(backend);
	int i, r = 1;
	size_t n;

	for (n = 0; n < count; n++) {
		ret_results[n] = PENDING;
		round.renew[n] = blocks[n].known;
	}
	for (i = 0; i < ROUNDS_MAX && r > 0; i++)
		r = try_pending(b, &round, count);
	for (n = 0; n < count; n++)
		if (ret_results[n] == PENDING)
			ret_results[n] = r == 0 ?
						 written_result(b, blocks[n].addr.family) :
					 r < 0 ? r :
						 -EAGAIN;
}

static int nftables_add(struct backend *backend, const struct backend_block *block)
{
	int result;

	nftables_add_many(backend, block, 1, &result);
	return result;
}

/* --- for people ---------------------------------------------------------- */

/* Returns -ENOENT if the address is missing, or the set. */
static int drop(struct nftables *b, const struct addr *addr)
{
	int r;

	nftlink_begin(b->link, 0);
	r = nfttable_drop_address(b->link, b->table.lists[which_of(addr->family)].name, addr);
	return r == 0 ? nftlink_commit(b->link, NULL, NULL) : r;
}

static int nftables_drop(struct backend *backend, const struct addr *addr)
{
	int r = drop(of(backend), addr);

	return r == -ENOENT ? 0 : r;
}

static int nftables_remove(struct backend *backend, const struct addr *addr)
{
	struct nftables *b = of(backend);
	struct nftstate state;
	int which = which_of(addr->family), r;

	r = drop(b, addr);
	if (r != -ENOENT)
		return r;
	/* Which one is missing: the address, or the set? */
	r = nftstate_read(b->link, &b->table, &state);
	if (r < 0)
		return r;
	return state.lists[which].set ? -ESRCH : -ENOENT;
}

static int nftables_flush(struct backend *backend, int family)
{
	struct nftables *b = of(backend);
	int r;

	nftlink_begin(b->link, 0);
	r = nfttable_drop_addresses(b->link,
				    b->table.lists[which_of(family)].name);
	return r < 0 ? r : nftlink_commit(b->link, NULL, NULL);
}

static void nftables_removals(struct backend *backend, backend_removed_fn *fn, void *ctx)
{
	const struct nftables *b = of(backend);

	nftnews_read(b->news, &b->table, fn, ctx);
}

static int nftables_foreach(struct backend *backend, int family, backend_entry_fn *fn,
			    void *ctx)
{
	struct nftables *b = of(backend);
	struct nftstate_addresses found;
	struct backend_entry entry;
	size_t i;
	int r;

	r = nftstate_read_addresses(b->link, &b->table, which_of(family), &found);
	if (r < 0)
		return r;
	for (i = 0; i < found.count && r == 0; i++) {
		entry.addr = found.all[i].addr;
		entry.left = found.all[i].left;
		entry.age = (int64_t)b->table.ban_time * 1000 - entry.left;
		if (entry.age < 0)
			entry.age = 0;
		r = fn(ctx, &entry);
	}
	free(found.all);
	return r;
}

static size_t nftables_capacity(struct backend *backend)
{
	return of(backend)->table.size;
}

static void advise_rights(int err, char *buf, size_t size)
{
	snprintf(buf, size,
		 "no permission to change nftables (%s): run rsyslogd as root and add  "
		 "CapabilityBoundingSet=CAP_NET_ADMIN  and  "
		 "RestrictAddressFamilies=AF_NETLINK  to its unit (type  systemctl edit "
		 "rsyslog  and write both below [Service])",
		 strerrordesc_np(err));
}

static void advise_size(const struct nftables *b, int which, char *buf, size_t size)
{
	unsigned int more = b->table.size < SIZE_ADVISED / 4 ? SIZE_ADVISED :
			    b->table.size < SETTINGS_LIST_SIZE_MAX / 4 ?
							       b->table.size * 4 :
							       SETTINGS_LIST_SIZE_MAX;

	snprintf(buf, size,
		 "the set %s is full with %u addresses and accepts no new ones: write  "
		 "listSize=\"%u\"  into the action and restart rsyslogd",
		 b->table.lists[which].name, b->table.size, more);
}

static char *nftables_advice(const struct backend *backend, int family, int err,
			     char *buf, size_t size)
{
	const struct nftables *b = (const struct nftables *)backend;

	switch (err) {
	case EPERM:
	case EACCES:
	case EAFNOSUPPORT:
		advise_rights(err, buf, size);
		break;
	case EPROTONOSUPPORT:
	case EOPNOTSUPP:
		snprintf(buf, size,
			 "this kernel has no nftables: type  modprobe nf_tables , "
			 "or write backend=\"recent\" into the action");
		break;
	case ENOSPC:
		advise_size(b, which_of(family), buf, size);
		break;
	case EEXIST:
	case EBUSY:
		snprintf(buf, size,
			 "the table inet " NFTTABLE_NAME " has foreign contents that "
			 "are in the way: type  nft delete table inet " NFTTABLE_NAME);
		break;
	default:
		snprintf(buf, size,
			 "the table inet " NFTTABLE_NAME " cannot be written: %s",
			 strerrordesc_np(err));
	}
	return buf;
}

const struct backend_ops backend_nftables_ops = {
	.name = "nftables",
	.manages_list = true,
	.open = nftables_open,
	.add = nftables_add,
	.add_many = nftables_add_many,
	.check = nftables_check,
	.drop = nftables_drop,
	.remove = nftables_remove,
	.removals = nftables_removals,
	.flush = nftables_flush,
	.foreach = nftables_foreach,
	.capacity = nftables_capacity,
	.advice = nftables_advice,
	.free = nftables_free,
};
