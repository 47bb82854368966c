/* Writes addresses to the kernel's list, and rewrites them when the list was lost.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/blocklist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "lib/clock.h"

/* Retry interval for a missing list; a try costs one failing open(2). */
#define RETRY_MS 50
/* Retry interval for a list that is full or not writable. */
#define CALM_MS 5000
/* Check interval for a list with unexpired blocks. */
#define CHECK_MS 5000
/* After blocklist_check(), a list that appears within this time was not missing: at boot the
 * firewall may be loaded meanwhile. */
#define QUIET_MS 1000
/* Addresses written in one go, so that the background thread can do other work in between. */
#define FLUSH_MAX 1000
/* Addresses cached if the list has no limit, and beyond the capacity of a list that refuses
 * new ones when full. */
#define REMEMBER_MAX 65536
/* A block that is so much earlier than its unblock may have been written after it. */
#define LATE_MS 1000
/* One host of IPv6 has a whole /64, which may take this part of a list. */
#define NET_SHARE 8

/* One list and what is known about it. */
struct list_state {
	int family;
	enum alert missing, back, overflow;
	struct block_cache *cache;
	int64_t check_at;
	int64_t retry_at;	/* not before, for waiting addresses */
	int64_t quiet_until;	/* see QUIET_MS; 0: any time */
	bool recreated;		/* blocklist_check() found a recreated list */
	bool imported;		/* existing entries were imported */
	int rewrite;		/* addresses written since the list was missing */
	int64_t rewrote_at;	/* the last write of waiting addresses had ended */
};

/* An address that is to be blocked. */
struct pending_block {
	struct addr addr;
	int64_t at;
	struct counters *counters;	/* of the action that blocks it */
};

struct blocklist {
	const struct settings *settings;
	struct counters *counters;
	struct alerts *alerts;
	struct backend *backend;
	const atomic_int_least64_t *ends_at;	/* NULL: never */
	bool limited;		/* the lists' capacity is limited */
	bool nets_limited;	/* and so is what a /64 may have of it */
	struct list_state lists[2];
	struct pending_block batch[BACKEND_MANY];	/* not written yet, nor cached */
	size_t batched;
};

static struct list_state *list_state_of(struct blocklist *b, int family)
{
	return &b->lists[family == ADDR_IPV4 ? 0 : 1];
}

static int64_t ban_ms(const struct blocklist *b)
{
	return (int64_t)b->settings->ban_time * 1000;
}

static size_t block_cache_room(struct blocklist *b)
{
	size_t capacity = b->backend->ops->capacity(b->backend);

	b->limited = capacity < REMEMBER_MAX;
	if (!b->backend->ops->evicts_oldest && capacity < SIZE_MAX)
		return capacity + REMEMBER_MAX;
	return b->limited ? capacity : REMEMBER_MAX;
}

static void limit_nets(struct blocklist *b)
{
	static const struct addr ipv6 = { .family = ADDR_IPV6 };
	size_t capacity = b->backend->ops->capacity(b->backend);

	if (capacity == SIZE_MAX || settings_prefix(b->settings, &ipv6) <= 64)
		return;
	b->nets_limited = true;
	block_cache_limit_nets(list_state_of(b, ADDR_IPV6)->cache,
			       capacity < NET_SHARE ? 1 : capacity / NET_SHARE);
}

static int open_list_states(struct blocklist *b)
{
	static const struct list_state blank[2] = {
		{ .family = ADDR_IPV4, .missing = ALERT_LIST4,
		  .back = ALERT_LIST4_BACK, .overflow = ALERT_OVERFLOW4 },
		{ .family = ADDR_IPV6, .missing = ALERT_LIST6,
		  .back = ALERT_LIST6_BACK, .overflow = ALERT_OVERFLOW6 },
	};
	size_t room = block_cache_room(b);
	int i, r;

	for (i = 0; i < 2; i++) {
		b->lists[i] = blank[i];
		r = block_cache_new(room, &b->lists[i].cache);
		if (r < 0)
			return r;
	}
	limit_nets(b);
	/* An error of such a backend applies to both lists: raise one alert. */
	if (b->backend->ops->manages_list) {
		b->lists[1].missing = b->lists[0].missing;
		b->lists[1].back = b->lists[0].back;
	}
	return 0;
}

int blocklist_new(const struct settings *settings, const char *net_root,
		  const char *module_root, struct counters *counters, struct alerts *alerts,
		  struct blocklist **ret_blocklist)
{
	const struct backend_config config =
		backend_config_of(settings, net_root, module_root);
	struct blocklist *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->settings = settings;
	b->counters = counters;
	b->alerts = alerts;
	r = backend_ops(settings->backend)->open(&config, &b->backend);
	if (r == 0)
		r = open_list_states(b);
	if (r < 0) {
		blocklist_free(b);
		return r;
	}
	*ret_blocklist = b;
	return 0;
}

void blocklist_end_at(struct blocklist *blocklist, const atomic_int_least64_t *ends_at)
{
	blocklist->ends_at = ends_at;
}

bool blocklist_serves(const struct blocklist *blocklist, const struct settings *settings)
{
	const struct settings *own = blocklist->settings;

	return own->backend == settings->backend && own->dry_run == settings->dry_run &&
	       strcmp(own->list, settings->list) == 0 && strcmp(own->list6, settings->list6) == 0;
}

void blocklist_free(struct blocklist *blocklist)
{
	if (!blocklist)
		return;
	block_cache_free(blocklist->lists[0].cache);
	block_cache_free(blocklist->lists[1].cache);
	if (blocklist->backend)
		blocklist->backend->ops->free(blocklist->backend);
	free(blocklist);
}

/* What does not happen while an action blocks an address. */
static void count(struct blocklist *b, enum counter id)
{
	counters_add_alone(b->counters, id, 1);
}

static void count_unblocked(void *ctx, const struct block_cache_entry *entry)
{
	(void)entry;
	count(ctx, COUNTER_UNBLOCKED);
}

/* The list was recreated: rewrite every block that has not expired. */
static void mark_all_unwritten(struct blocklist *b, struct list_state *list_state, int64_t now)
{
	block_cache_all_wait(list_state->cache, now - ban_ms(b));
}

static bool is_ending(const struct blocklist *b)
{
	return b->ends_at && atomic_load(b->ends_at) != 0;
}

/* The list cannot be written. */
static void report_missing(struct blocklist *b, struct list_state *list_state, int err, int64_t now)
{
	if (err != ENOENT || now >= list_state->quiet_until || is_ending(b))
		alerts_raise(b->alerts, list_state->missing, err);
}

/* The list could not be written. */
static void note_failure(struct blocklist *b, struct list_state *list_state, int err, int64_t now)
{
	if (err == ECANCELED)
		return;
	if (err == ENFILE) {
		alerts_raise(b->alerts, list_state->overflow, 0);
		return;
	}
	count(b, COUNTER_BACKEND_ERRORS);
	alerts_clear(b->alerts, list_state->back);
	report_missing(b, list_state, err, now);
}

/* The list was written, and nothing waits. */
static void note_success(struct blocklist *b, struct list_state *list_state)
{
	int rewrite = list_state->rewrite;

	list_state->rewrite = 0;
	if (alerts_clear(b->alerts, list_state->missing))
		alerts_raise(b->alerts, list_state->back, rewrite);
}

/* An address that is being blocked, and its place in the cache. */
struct block {
	const struct addr *addr;
	int64_t at;
	struct counters *counters;
	struct list_state *list_state;
	struct block_cache_place place;	/* in its cache */
};

/* The place is valid until the cache changes. */
static struct block as_block(struct blocklist *b, const struct pending_block *pending)
{
	struct list_state *list_state = list_state_of(b, pending->addr.family);

	return (struct block){
		.addr = &pending->addr,
		.at = pending->at,
		.counters = pending->counters,
		.list_state = list_state,
		.place = block_cache_find(list_state->cache, &pending->addr),
	};
}

static void count_block(const struct block *block, enum counter id)
{
	counters_add_alone(block->counters, id, 1);
}

/* The block has evicted an entry from the cache. */
static void note_evicted(struct blocklist *b, const struct block *block,
			 const struct block_cache_entry *evicted)
{
	if (evicted->waiting) {
		count_block(block, COUNTER_LOST);
	} else if (b->limited && b->backend->ops->evicts_oldest &&
		   block->at - evicted->blocked_at < ban_ms(b)) {
		count_block(block, COUNTER_OVERFLOWS);
		alerts_raise(b->alerts, block->list_state->overflow, 0);
	}
}

/* An address could not be written; r is the result of block_cache_put_at(). */
static void count_wait(const struct block *block, int r, int err)
{
	if (r < 0)
		count_block(block, COUNTER_LOST);
	else if (err == ENFILE && r != BLOCK_CACHE_WAITING)
		count_block(block, COUNTER_OVERFLOWS);
	else if (r == BLOCK_CACHE_NEW || r == BLOCK_CACHE_NEW_EVICTED)
		count_block(block, COUNTER_WAITED);
}

/* Returns as block_cache_put(). */
static int cache_block(struct blocklist *b, const struct block *block, bool waiting)
{
	struct block_cache_entry evicted;
	int r;

	r = block_cache_put_at(block->list_state->cache, &block->place, block->addr, block->at,
			       waiting, &evicted);
	if (r == BLOCK_CACHE_NEW_EVICTED)
		note_evicted(b, block, &evicted);
	return r;
}

/* result is what the backend returned. */
static void record(struct blocklist *b, const struct block *block, int result)
{
	struct list_state *list_state = block->list_state;
	int r;

	if (result == BACKEND_WRITTEN_ANEW)
		mark_all_unwritten(b, list_state, block->at);
	r = cache_block(b, block, result < 0);
	if (result < 0) {
		count_wait(block, r, -result);
		note_failure(b, list_state, -result, block->at);
		return;
	}
	count_block(block, r == BLOCK_CACHE_KNOWN ? COUNTER_RENEWALS : COUNTER_BLOCKS);
	if (r == BLOCK_CACHE_WAITING)
		list_state->rewrite++;
	/* Waiting addresses are written first, and counted in the message. */
	if (block_cache_waiting(list_state->cache) == 0)
		note_success(b, list_state);
}

/* Somebody has taken the address off the list; what is batched comes later. */
static void note_removed(void *ctx, const struct addr *addr)
{
	const struct cidr net = { *addr, (uint8_t)addr_bits(addr) };
	struct blocklist *b = ctx;

	block_cache_forget(list_state_of(b, addr->family)->cache, &net, INT64_MAX, count_unblocked,
			   b);
}

/* Forget what was removed, before a list that was recreated gets it back, and before the next block
 * of the address, which would count as a renewal. */
static void learn_removals(struct blocklist *b)
{
	if (b->backend->ops->removals)
		b->backend->ops->removals(b->backend, note_removed, b);
}

static size_t at_a_time(const struct blocklist *b)
{
	return b->backend->ops->add_many ? BACKEND_MANY : 1;
}

/* Is there no time to write any more? */
static bool is_over(const struct blocklist *b)
{
	int64_t end = b->ends_at ? atomic_load(b->ends_at) : 0;

	return end != 0 && clock_ms() >= end;
}

/* Write up to at_a_time() addresses. The results are the backend's; -ECANCELED: is_over(). */
static void write_many(struct blocklist *b, const struct backend_block *many, size_t count,
		       int *ret_results)
{
	const struct backend_ops *ops = b->backend->ops;
	size_t i;

	if (is_over(b))
		for (i = 0; i < count; i++)
			ret_results[i] = -ECANCELED;
	else if (ops->add_many)
		ops->add_many(b->backend, many, count, ret_results);
	else if (count > 0)
		ret_results[0] = ops->add(b->backend, many);
}

/* If the address's /64 has its share of the list, take its oldest block off. */
static void make_room(struct blocklist *b, const struct pending_block *pending)
{
	const struct block block = as_block(b, pending);
	struct block_cache_entry dropped;

	if (!block_cache_drop_neighbour(block.list_state->cache, &block.place, block.addr,
					&dropped))
		return;
	count_block(&block, COUNTER_OVERFLOWS);
	if (dropped.written && !is_over(b))
		(void)b->backend->ops->drop(b->backend, &dropped.addr);
}

/* Returns the state of the last one. */
static enum block_state write_batch(struct blocklist *b)
{
	struct backend_block many[BACKEND_MANY] = { { .stay = 0 } };
	size_t n = b->batched, i;
	int results[BACKEND_MANY];
	struct block block;

	learn_removals(b);
	b->batched = 0;
	for (i = 0; i < n; i++) {
		make_room(b, &b->batch[i]);
		block = as_block(b, &b->batch[i]);
		many[i] = (struct backend_block){
			.addr = *block.addr,
			.stay = ban_ms(b),
			.known = block_cache_knows(block.list_state->cache, &block.place),
		};
	}
	write_many(b, many, n, results);
	for (i = 0; i < n; i++) {
		block = as_block(b, &b->batch[i]);
		record(b, &block, results[i]);
	}
	if (results[n - 1] < 0)
		return BLOCK_WAITING;
	return many[n - 1].known ? BLOCK_RENEWED : BLOCK_ADDED;
}

/* Does an address of the same /64 wait in the batch, which the cache does not know yet? */
static bool has_neighbour(const struct blocklist *b, const struct addr *addr)
{
	size_t i;

	for (i = 0; b->nets_limited && addr->family == ADDR_IPV6 && i < b->batched; i++)
		if (b->batch[i].addr.family == ADDR_IPV6 &&
		    memcmp(b->batch[i].addr.bytes, addr->bytes, 8) == 0)
			return true;
	return false;
}

/* The same address twice in one call is an error of nftables: the second one only renews what the
 * batch will write. */
static bool renew_batched(struct blocklist *b, struct counters *counters, const struct addr *addr,
			  int64_t now)
{
	size_t i;

	for (i = 0; i < b->batched; i++)
		if (addr_compare(&b->batch[i].addr, addr) == 0)
			break;
	if (i == b->batched)
		return false;
	b->batch[i].at = now;
	counters_add_alone(counters, COUNTER_RENEWALS, 1);
	return true;
}

enum block_state blocklist_add(struct blocklist *blocklist, struct counters *counters,
			       const struct addr *addr, int64_t now, bool at_once)
{
	if (renew_batched(blocklist, counters, addr, now))
		return at_once ? write_batch(blocklist) : BLOCK_QUEUED;
	if (has_neighbour(blocklist, addr))
		write_batch(blocklist);
	blocklist->batch[blocklist->batched++] =
		(struct pending_block){ .addr = *addr, .at = now, .counters = counters };
	if (at_once || at_a_time(blocklist) == 1)
		return write_batch(blocklist);
	if (blocklist->batched == BACKEND_MANY)
		write_batch(blocklist);
	return BLOCK_QUEUED;
}

void blocklist_flush(struct blocklist *blocklist)
{
	if (blocklist->batched > 0)
		write_batch(blocklist);
}

bool blocklist_has(struct blocklist *blocklist, const struct addr *addr, int64_t now)
{
	const struct block_cache *cache = list_state_of(blocklist, addr->family)->cache;
	const struct block_cache_place place = block_cache_find(cache, addr);
	size_t i;

	for (i = 0; i < blocklist->batched; i++)
		if (addr_compare(&blocklist->batch[i].addr, addr) == 0)
			return true;
	return block_cache_has(cache, &place, now - ban_ms(blocklist));
}

unsigned int blocklist_ban_time(const struct blocklist *blocklist)
{
	return blocklist->settings->ban_time;
}

size_t blocklist_waiting(const struct blocklist *blocklist)
{
	return block_cache_waiting(blocklist->lists[0].cache) +
	       block_cache_waiting(blocklist->lists[1].cache);
}

/* The next waiting addresses that fit into one call. Drops those whose block has expired. */
static size_t next_waiting(struct blocklist *b, struct list_state *list_state, int64_t now,
			   struct block_cache_entry entries[BACKEND_MANY], size_t *ret_expired)
{
	size_t n, i, kept = 0;

	n = block_cache_longest_waiting(list_state->cache, at_a_time(b), entries);
	for (i = 0; i < n; i++) {
		if (now - entries[i].blocked_at < ban_ms(b)) {
			entries[kept++] = entries[i];
			continue;
		}
		block_cache_lost(list_state->cache, &entries[i].addr);
		count(b, COUNTER_LOST);
	}
	*ret_expired = n - kept;
	return kept;
}

/* Write waiting addresses for the rest of their block. Their block may be later than now:
 * calls to the backend take time. */
static void write_waiting(struct blocklist *b, const struct block_cache_entry *entries,
			  size_t count, int64_t now, int *ret_results)
{
	struct backend_block many[BACKEND_MANY];
	int64_t age;
	size_t i;

	for (i = 0; i < count; i++) {
		age = now - entries[i].blocked_at;
		many[i] = (struct backend_block){
			.addr = entries[i].addr,
			.stay = ban_ms(b) - (age > 0 ? age : 0),
		};
	}
	if (count > 0)
		write_many(b, many, count, ret_results);
}

static void note_rewritten(struct blocklist *b, struct list_state *list_state,
			   const struct block_cache_entry *entry)
{
	block_cache_written(list_state->cache, &entry->addr, entry->blocked_at);
	count(b, entry->written ? COUNTER_REPLAYED : COUNTER_BLOCKS);
	list_state->rewrite++;
	list_state->rewrote_at = clock_ms();
}

/* Write some waiting addresses. Returns 1 if there were any, 0 if none waits, -errno if the
 * list cannot be written. */
static int rewrite_some(struct blocklist *b, struct list_state *list_state, int64_t now)
{
	struct block_cache_entry entries[BACKEND_MANY];
	int results[BACKEND_MANY], r = 0;
	size_t count, expired, i;

	count = next_waiting(b, list_state, now, entries, &expired);
	write_waiting(b, entries, count, now, results);
	/* A recreated list has lost even the addresses that count as written. */
	for (i = 0; i < count; i++)
		if (results[i] == BACKEND_WRITTEN_ANEW)
			mark_all_unwritten(b, list_state, now);
	for (i = 0; i < count; i++) {
		if (results[i] >= 0)
			note_rewritten(b, list_state, &entries[i]);
		else if (r == 0)
			r = results[i];
	}
	return r < 0 ? r : count + expired > 0;
}

/* Only a missing xt_recent list can reappear at any moment. */
static int64_t pace(const struct blocklist *b, int err)
{
	return err == -ENFILE || b->backend->ops->manages_list ? CALM_MS : RETRY_MS;
}

/* Write all waiting addresses. Returns when to run again. */
static int64_t rewrite(struct blocklist *b, struct list_state *list_state, int64_t now)
{
	size_t i;
	int r = 1;

	if (now < list_state->retry_at)
		return list_state->retry_at;
	if (block_cache_waiting(list_state->cache) > 0)
		learn_removals(b);
	for (i = 0; i < FLUSH_MAX && r > 0; i += at_a_time(b))
		r = rewrite_some(b, list_state, now);
	if (r > 0)
		return now;
	if (r < 0) {
		if (r != -ENFILE && r != -ECANCELED)
			report_missing(b, list_state, -r, now);
		if (pace(b, r) > RETRY_MS)
			list_state->retry_at = now + pace(b, r);
		return now + pace(b, r);
	}
	if (list_state->rewrite > 0)
		note_success(b, list_state);
	return INT64_MAX;
}

/* Is there any unexpired block? */
static bool has_live_blocks(const struct blocklist *b, const struct list_state *list_state,
			    int64_t now)
{
	const struct block_cache_entry *newest = block_cache_newest(list_state->cache);

	return newest && now - newest->blocked_at < ban_ms(b);
}

/* Check that the list still is the one that the blocks were written to. Returns when to
 * check again; INT64_MAX if there are no blocks to lose. */
static int64_t look_at(struct blocklist *b, struct list_state *list_state, int64_t now)
{
	int r = BACKEND_WRITTEN;

	if (list_state->recreated)
		mark_all_unwritten(b, list_state, now);
	list_state->recreated = false;
	if (!b->backend->ops->manages_list && !has_live_blocks(b, list_state, now))
		return INT64_MAX;
	if (now >= list_state->check_at) {
		list_state->check_at = now + CHECK_MS;
		learn_removals(b);
		r = b->backend->ops->check(b->backend, list_state->family);
		if (r != BACKEND_WRITTEN)
			mark_all_unwritten(b, list_state, now);
	}
	if (r < 0)
		note_failure(b, list_state, -r, now);
	return list_state->check_at;
}

static int check_list(struct blocklist *b, struct list_state *list_state, int64_t now)
{
	int r = b->backend->ops->check(b->backend, list_state->family);

	list_state->recreated = list_state->recreated || r == BACKEND_WRITTEN_ANEW;
	if (r < 0)
		note_failure(b, list_state, -r, now);
	return r;
}

/* Look again at a list that was missing at blocklist_check(). Returns the time of that look. */
static int64_t look_again(struct blocklist *b, struct list_state *list_state, int64_t now)
{
	if (list_state->quiet_until == 0)
		return INT64_MAX;
	if (now < list_state->quiet_until && !is_ending(b))
		return list_state->quiet_until;
	list_state->quiet_until = 0;
	check_list(b, list_state, now);
	return INT64_MAX;
}

int64_t blocklist_run(struct blocklist *blocklist, int64_t now)
{
	int64_t next = INT64_MAX;
	int i;

	if (blocklist->settings->dry_run)
		return INT64_MAX;
	blocklist_flush(blocklist);
	if (is_over(blocklist))
		return INT64_MAX;
	for (i = 0; i < 2; i++) {
		next = clock_earlier(next, look_again(blocklist, &blocklist->lists[i], now));
		next = clock_earlier(next, look_at(blocklist, &blocklist->lists[i], now));
		next = clock_earlier(next, rewrite(blocklist, &blocklist->lists[i], now));
	}
	return next;
}

/* --- unblocks ------------------------------------------------------------- */

struct forgetting {
	struct blocklist *blocklist;
	const struct list_state *list_state;
	int64_t at;
};

/* If the address was written after it had been taken off, take it off again. */
static void note_forgotten(void *ctx, const struct block_cache_entry *entry)
{
	const struct forgetting *forgetting = ctx;
	struct blocklist *b = forgetting->blocklist;

	count(b, COUNTER_UNBLOCKED);
	if (entry->written &&
	    (forgetting->list_state->rewrote_at >= forgetting->at ||
	     forgetting->at - entry->blocked_at < LATE_MS))
		(void)b->backend->ops->drop(b->backend, &entry->addr);
}

void blocklist_unblock(struct blocklist *blocklist, const struct unblock *unblock)
{
	const int family = unblock->net.net.family;
	struct forgetting forgetting = {
		.blocklist = blocklist,
		.list_state = list_state_of(blocklist, family),
		.at = unblock->at,
	};

	if (strcmp(unblock->backend, blocklist->backend->ops->name) != 0 ||
	    strcmp(unblock->list, settings_list(blocklist->settings, family)) != 0)
		return;
	block_cache_forget(forgetting.list_state->cache, &unblock->net, unblock->at,
			   note_forgotten, &forgetting);
}

/* --- at start ------------------------------------------------------------- */

/* The entries of a list. */
struct found {
	struct backend_entry *all;
	size_t count;
};

static int take_found(void *ctx, const struct backend_entry *entry)
{
	struct found *found = ctx;
	struct backend_entry *added = array_add(&found->all, &found->count);

	if (!added)
		return -ENOMEM;
	*added = *entry;
	return 0;
}

static int older_first(const void *a, const void *b)
{
	const struct backend_entry *x = a, *y = b;

	return (x->left > y->left) - (x->left < y->left);
}

/* Import the blocks of an earlier rsyslogd. If they cannot be read they still block; they
 * only count as new when they are renewed. */
static void import_existing(struct blocklist *b, struct list_state *list_state, int64_t now)
{
	struct found found = { .all = NULL };
	struct block_cache_entry evicted;
	size_t i;

	list_state->imported = true;
	b->backend->ops->foreach(b->backend, list_state->family, take_found, &found);
	if (found.count > 0)
		qsort(found.all, found.count, sizeof(*found.all), older_first);
	for (i = 0; i < found.count; i++)
		block_cache_put(list_state->cache, &found.all[i].addr,
				now + found.all[i].left - ban_ms(b), false, &evicted);
	free(found.all);
}

void blocklist_check(struct blocklist *blocklist, int64_t now)
{
	const struct backend_ops *ops = blocklist->backend->ops;
	int i, r;

	/* From here on, before the entries are read. */
	learn_removals(blocklist);
	for (i = 0; i < 2; i++) {
		struct list_state *list_state = &blocklist->lists[i];

		list_state->quiet_until = now + QUIET_MS;
		r = check_list(blocklist, list_state, now);
		if (r != -ENOENT)
			list_state->quiet_until = 0;
		if (r >= 0 && ops->manages_list && !list_state->imported)
			import_existing(blocklist, list_state, now);
	}
}

char *blocklist_advice(struct blocklist *blocklist, int family, int err, char *buf, size_t size)
{
	return blocklist->backend->ops->advice(blocklist->backend, family, err, buf, size);
}
