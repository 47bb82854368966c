/* Puts addresses on the kernel's list and sees that they get there.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocks.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* A list that is missing is tried this often: it costs an open(2) that fails. */
#define RETRY_MS 50
/* A list that blocks are due on is looked at this often. */
#define CHECK_MS 5000
/* Addresses put back at a time, so that the caretaker is not kept from others. */
#define FLUSH_MAX 1000
/* Addresses remembered for a backend whose list has no limit. */
#define REMEMBER_MAX 65536

/* One list and what is known of it. */
struct book {
	int family;
	enum notice missing, back, overflow;
	struct ledger *ledger;
	int64_t check_at;
	bool watched;		/* blocks_run() comes again by itself */
	bool anew;		/* blocks_check() met another list */
	int put_back;		/* addresses, since the list was missing */
};

struct blocks {
	const struct settings *settings;
	struct counters *counters;
	struct notices *notices;
	pthread_mutex_t lock;	/* backend and books */
	struct backend *backend;
	bool limited;		/* the lists hold just so many addresses */
	struct book books[2];
};

static struct book *book_of(struct blocks *b, int family)
{
	return &b->books[family == ADDR_IPV4 ? 0 : 1];
}

static int64_t ban_ms(const struct blocks *b)
{
	return (int64_t)b->settings->ban_time * 1000;
}

static int open_books(struct blocks *b)
{
	static const struct book blank[2] = {
		{ .family = ADDR_IPV4, .missing = NOTICE_LIST4,
		  .back = NOTICE_LIST4_BACK, .overflow = NOTICE_OVERFLOW4 },
		{ .family = ADDR_IPV6, .missing = NOTICE_LIST6,
		  .back = NOTICE_LIST6_BACK, .overflow = NOTICE_OVERFLOW6 },
	};
	size_t capacity = b->backend->ops->capacity(b->backend);
	int i, r;

	b->limited = capacity < REMEMBER_MAX;
	for (i = 0; i < 2; i++) {
		b->books[i] = blank[i];
		r = ledger_new(b->limited ? capacity : REMEMBER_MAX,
			       &b->books[i].ledger);
		if (r < 0)
			return r;
	}
	return 0;
}

int blocks_new(const struct settings *settings, const char *net_root,
	       const char *module_root, struct counters *counters,
	       struct notices *notices, struct blocks **ret_blocks)
{
	const struct backend_config config = {
		.list = settings->list,
		.list6 = settings->list6,
		.ban_time = settings->ban_time,
		.ipv4_prefix = settings->ipv4_prefix,
		.ipv6_prefix = settings->ipv6_prefix,
		.net_root = net_root,
		.module_root = module_root,
	};
	struct blocks *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->settings = settings;
	b->counters = counters;
	b->notices = notices;
	pthread_mutex_init(&b->lock, NULL);
	r = backend_ops(settings->backend)->open(&config, &b->backend);
	if (r == 0)
		r = open_books(b);
	if (r < 0) {
		blocks_free(b);
		return r;
	}
	*ret_blocks = b;
	return 0;
}

void blocks_free(struct blocks *blocks)
{
	if (!blocks)
		return;
	ledger_free(blocks->books[0].ledger);
	ledger_free(blocks->books[1].ledger);
	if (blocks->backend)
		blocks->backend->ops->free(blocks->backend);
	pthread_mutex_destroy(&blocks->lock);
	free(blocks);
}

/* The list is a new one: what is still due has to be put on it again. */
static bool start_over(struct blocks *b, struct book *book, int64_t now)
{
	return ledger_all_wait(book->ledger, now - ban_ms(b)) > 0;
}

/* The list could not be written. */
static bool note_failure(struct blocks *b, struct book *book, int err)
{
	counters_add(b->counters, COUNTER_BACKEND_ERRORS, 1);
	notices_clear(b->notices, book->back);
	return notices_raise(b->notices, book->missing, err);
}

/* With the lock held: the list could be written, and nothing waits. */
static bool note_success(struct blocks *b, struct book *book)
{
	int put_back = book->put_back;

	book->put_back = 0;
	return notices_clear(b->notices, book->missing) &&
	       notices_raise(b->notices, book->back, put_back);
}

/* An address had to make room. */
static bool note_evicted(struct blocks *b, struct book *book,
			 const struct ledger_entry *evicted, int64_t now)
{
	if (evicted->waiting) {
		counters_add(b->counters, COUNTER_LOST, 1);
		return false;
	}
	if (!b->limited || now - evicted->blocked_at >= ban_ms(b))
		return false;
	counters_add(b->counters, COUNTER_OVERFLOWS, 1);
	return notices_raise(b->notices, book->overflow, 0);
}

/* An address could not be written; r is what the ledger said of it. */
static void count_wait(struct blocks *b, int r)
{
	if (r < 0)
		counters_add(b->counters, COUNTER_LOST, 1);
	else if (r == LEDGER_NEW || r == LEDGER_NEW_EVICTED)
		counters_add(b->counters, COUNTER_WAITED, 1);
}

/* With the lock held. result is what the backend said. */
static bool record(struct blocks *b, struct book *book, const struct addr *addr,
		   int64_t now, int result)
{
	bool more = !book->watched;
	struct ledger_entry evicted;
	int r;

	if (result == BACKEND_WRITTEN_ANEW)
		more |= start_over(b, book, now);
	r = ledger_put(book->ledger, addr, now, result < 0, &evicted);
	if (r == LEDGER_NEW_EVICTED)
		more |= note_evicted(b, book, &evicted, now);
	if (result < 0) {
		count_wait(b, r);
		note_failure(b, book, -result);
		return true;
	}
	counters_add(b->counters,
		     r == LEDGER_KNOWN ? COUNTER_RENEWALS : COUNTER_BLOCKS, 1);
	if (r == LEDGER_WAITING)
		book->put_back++;
	/* What waits is put back first, and counted in the message. */
	if (ledger_waiting(book->ledger) == 0)
		more |= note_success(b, book);
	return more;
}

bool blocks_add(struct blocks *blocks, const struct addr *addr, int64_t now)
{
	struct book *book = book_of(blocks, addr->family);
	bool more;
	int r;

	pthread_mutex_lock(&blocks->lock);
	r = blocks->backend->ops->add(blocks->backend, addr);
	more = record(blocks, book, addr, now, r);
	pthread_mutex_unlock(&blocks->lock);
	return more;
}

/* With the lock held: write one that waits. */
static int write_waiting(struct blocks *b, struct book *book,
			 const struct ledger_entry *entry, int64_t now)
{
	const struct addr addr = entry->addr;
	enum counter counter = entry->written ? COUNTER_REPLAYED : COUNTER_BLOCKS;
	int r;

	r = b->backend->ops->add(b->backend, &addr);
	if (r < 0)
		return r;
	if (r == BACKEND_WRITTEN_ANEW)
		start_over(b, book, now);
	ledger_written(book->ledger, &addr);
	counters_add(b->counters, counter, 1);
	book->put_back++;
	return 0;
}

/* With the lock held: put one back that waits. Returns 1 if there was one, 0 if
 * none waits, -errno if the list cannot be written. */
static int put_one_back(struct blocks *b, struct book *book, int64_t now)
{
	const struct ledger_entry *entry = ledger_next_waiting(book->ledger);
	int r;

	if (!entry)
		return 0;
	if (now - entry->blocked_at >= ban_ms(b)) {
		/* By now it would be off the list again. */
		ledger_lost(book->ledger, &entry->addr);
		counters_add(b->counters, COUNTER_LOST, 1);
		return 1;
	}
	r = write_waiting(b, book, entry, now);
	return r < 0 ? r : 1;
}

/* Returns when to come again. */
static int64_t put_back(struct blocks *b, struct book *book, int64_t now)
{
	int i, r = 1;

	for (i = 0; i < FLUSH_MAX && r > 0; i++) {
		pthread_mutex_lock(&b->lock);
		r = put_one_back(b, book, now);
		pthread_mutex_unlock(&b->lock);
	}
	if (r > 0)
		return now;
	if (r < 0) {
		notices_raise(b->notices, book->missing, -r);
		return now + RETRY_MS;
	}
	pthread_mutex_lock(&b->lock);
	if (book->put_back > 0)
		note_success(b, book);
	pthread_mutex_unlock(&b->lock);
	return INT64_MAX;
}

/* With the lock held: is any block due, on a list that can be lost? */
static bool is_due(const struct blocks *b, const struct book *book, int64_t now)
{
	const struct ledger_entry *newest = ledger_newest(book->ledger);

	return newest && now - newest->blocked_at < ban_ms(b);
}

/* Is the list still the one that the blocks were put on? Returns when to look
 * again; INT64_MAX if nothing is due on it. */
static int64_t look_at(struct blocks *b, struct book *book, int64_t now)
{
	int r = BACKEND_WRITTEN;

	pthread_mutex_lock(&b->lock);
	book->watched = is_due(b, book, now);
	if (book->anew)
		start_over(b, book, now);
	book->anew = false;
	if (book->watched && now >= book->check_at) {
		book->check_at = now + CHECK_MS;
		r = b->backend->ops->check(b->backend, book->family);
		if (r != BACKEND_WRITTEN)
			start_over(b, book, now);
	}
	pthread_mutex_unlock(&b->lock);
	if (r < 0)
		note_failure(b, book, -r);
	return book->watched ? book->check_at : INT64_MAX;
}

int64_t blocks_run(struct blocks *blocks, int64_t now)
{
	int64_t next = INT64_MAX, due;
	int i;

	for (i = 0; i < 2; i++) {
		due = look_at(blocks, &blocks->books[i], now);
		if (due < next)
			next = due;
		due = put_back(blocks, &blocks->books[i], now);
		if (due < next)
			next = due;
	}
	return next;
}

void blocks_check(struct blocks *blocks)
{
	int i, r;

	for (i = 0; i < 2; i++) {
		struct book *book = &blocks->books[i];

		pthread_mutex_lock(&blocks->lock);
		r = blocks->backend->ops->check(blocks->backend, book->family);
		book->anew = book->anew || r == BACKEND_WRITTEN_ANEW;
		pthread_mutex_unlock(&blocks->lock);
		if (r < 0)
			note_failure(blocks, book, -r);
	}
}

char *blocks_advice(struct blocks *blocks, int family, int err, char *buf,
		    size_t size)
{
	return blocks->backend->ops->advice(blocks->backend, family, err, buf,
					    size);
}
