/* The cost of a block with the nftables backend: alone, many at a time, renewed, and with
 * many in the set already.
 *
 *	nftblocks [COUNT]
 *
 * Changes the table of this network namespace, which should be a private one. Prints one
 * JSON object; times are nanoseconds of processor time per address, in the program and in
 * the kernel.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/shared/program.h"
#include "blocklist/backend.h"
#include "blocklist/blocklist.h"
#include "lib/clock.h"

#define ops (&backend_nftables_ops)
#define TENTHS 10
#define ALONE 2000

/* Processor time, in the program and in the kernel. */
static double cpu_ns(void)
{
	return now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void want(int r, const char *what)
{
	if (r >= 0)
		return;
	errno = -r;
	die(what);
}

static struct addr numbered(unsigned int net, unsigned int n)
{
	return (struct addr){ .family = ADDR_IPV4,
			      .bytes = { (uint8_t)net, (uint8_t)(n >> 16),
					 (uint8_t)(n >> 8), (uint8_t)n } };
}

static struct backend *open_backend(unsigned int size)
{
	const struct settings_ports ports = { 1, { 25 } };
	const struct backend_config config = {
		.list = "bench",
		.list6 = "bench6",
		.ban_time = 600,
		.ipv4_prefix = 32,
		.ipv6_prefix = 128,
		.list_size = size,
		.ports = &ports,
	};
	struct backend *b;

	want(ops->open(&config, &b), "open");
	want(ops->check(b, ADDR_IPV4), "set up");
	want(ops->flush(b, ADDR_IPV4), "flush");
	return b;
}

/* One by one, addresses from first on in that net. */
static double add_alone(struct backend *b, unsigned int net, unsigned int first,
			unsigned int count, bool known)
{
	struct backend_block block = { .stay = 600000, .known = known };
	double began = cpu_ns();
	unsigned int i;

	for (i = first; i < first + count; i++) {
		block.addr = numbered(net, i);
		want(ops->add(b, &block), "add");
	}
	return (cpu_ns() - began) / count;
}

static double add_many(struct backend *b, unsigned int net, unsigned int first,
		       unsigned int count)
{
	struct backend_block many[BACKEND_MANY];
	int results[BACKEND_MANY];
	double began = cpu_ns();
	unsigned int i, n;

	for (i = first; i < first + count; i += BACKEND_MANY) {
		for (n = 0; n < BACKEND_MANY; n++)
			many[n] = (struct backend_block){
				.addr = numbered(net, i + n), .stay = 600000 };
		ops->add_many(b, many, BACKEND_MANY, results);
		for (n = 0; n < BACKEND_MANY; n++)
			want(results[n], "add many");
	}
	return (cpu_ns() - began) / count;
}

/* As the background thread does. */
struct wave {
	struct settings settings;
	struct counters counters;
	struct alerts alerts;
	struct blocklist *blocklist;
};

static void wave_open(struct wave *w)
{
	char wrong[256];

	want(settings_init(&w->settings), "settings");
	want(settings_set(&w->settings, "backend", "nftables", wrong, sizeof(wrong)),
	     "backend");
	want(settings_set(&w->settings, "listSize", "1000000", wrong, sizeof(wrong)),
	     "listSize");
	want(blocklist_new(&w->settings, BACKEND_NET_ROOT, BACKEND_MODULE_ROOT, &w->counters,
			   &w->alerts, &w->blocklist),
	     "blocks");
	blocklist_check(w->blocklist, 0);
}

static double add_wave(unsigned int count)
{
	static struct wave w;
	struct addr addr;
	unsigned int i;
	double ns;

	wave_open(&w);
	ns = cpu_ns();
	for (i = 0; i < count; i++) {
		addr = numbered(12, i);
		blocklist_add(w.blocklist, &w.counters, &addr, clock_ms(), false);
	}
	blocklist_flush(w.blocklist);
	ns = (cpu_ns() - ns) / count;
	want(counters_get(&w.counters, COUNTER_BLOCKS) == count ? 0 : -EIO, "blocks");
	blocklist_free(w.blocklist);
	settings_done(&w.settings);
	return ns;
}

static double look(struct backend *b)
{
	double began = cpu_ns();
	int i;

	for (i = 0; i < ALONE; i++)
		want(ops->check(b, ADDR_IPV4), "check");
	return (cpu_ns() - began) / ALONE;
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 1 ? (unsigned int)atoi(argv[1]) : 100000, i, part;
	struct backend *b;

	part = count / TENTHS / BACKEND_MANY * BACKEND_MANY;
	b = open_backend(4 * count + 10 * ALONE);
	add_alone(b, 9, 0, ALONE, false);
	printf("{\"alone\": %.0f, ", add_alone(b, 10, 0, ALONE, false));
	printf("\"renewed\": %.0f, ", add_alone(b, 10, 0, ALONE, true));
	printf("\"look\": %.0f, ", look(b));
	want(ops->flush(b, ADDR_IPV4), "flush");
	printf("\"count\": %u, \"many by tenths\": [", part * TENTHS);
	for (i = 0; i < TENTHS; i++)
		printf("%s%.0f", i > 0 ? ", " : "", add_many(b, 11, i * part, part));
	printf("], \"alone at the end\": %.0f, ",
	       add_alone(b, 10, 0, ALONE, false));
	ops->free(b);
	printf("\"wave\": %.0f}\n", add_wave(count));
	return 0;
}
