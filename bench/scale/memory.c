/* The cost of the threshold's table: time per trigger and memory per address, by the number
 * of addresses. Prints one JSON object per line.
 *
 *   memory [--threshold N] [ADDRESSES]...
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/shared/program.h"
#include "policy/threshold.h"

#define WINDOW 86400
#define ROUNDS 3

struct pass {
	double first_ns, again_ns;
	unsigned long forgotten, reached, kb;
};

/* Resident memory in kB. */
static unsigned long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (!file || fscanf(file, "%*u %lu", &pages) != 1)
		die("/proc/self/statm");
	fclose(file);
	return pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

/* Scattered, as in a wave: consecutive ones are not neighbours in memory. */
static struct addr nth_addr(unsigned long n)
{
	const uint32_t x = (uint32_t)n * 2654435761u;

	return (struct addr){ .family = ADDR_IPV4,
			      .bytes = { (uint8_t)(1 + (x >> 24) % 126),
					 (uint8_t)(x >> 16), (uint8_t)(x >> 8),
					 (uint8_t)x } };
}

/* One trigger from each. Returns ns per trigger. */
static double hit_all(struct threshold *hits, unsigned long count, int64_t now, struct pass *p)
{
	double began = now_ns(CLOCK_MONOTONIC);
	unsigned long i;

	for (i = 0; i < count; i++) {
		struct addr addr = nth_addr(i);
		bool forgot = false;
		int r = threshold_hit(hits, &addr, 1, now, &forgot);

		if (r < 0)
			die("threshold_hit");
		p->forgotten += forgot;
		p->reached += r > 0;
	}
	return (now_ns(CLOCK_MONOTONIC) - began) / (double)count;
}

static struct pass measure(unsigned int threshold, unsigned long count)
{
	unsigned long before = resident();
	struct pass p = { 0 };
	struct threshold *hits;

	if (threshold_new(threshold, WINDOW, &hits) < 0)
		die("threshold_new");
	p.first_ns = hit_all(hits, count, 1000, &p);
	p.kb = resident() - before;
	p.again_ns = hit_all(hits, count, 2000, &p);
	threshold_free(hits);
	return p;
}

static void print_best(unsigned int threshold, unsigned long count)
{
	struct pass best = measure(threshold, count);
	int i;

	for (i = 1; i < ROUNDS; i++) {
		struct pass p = measure(threshold, count);

		if (p.first_ns < best.first_ns)
			best.first_ns = p.first_ns;
		if (p.again_ns < best.again_ns)
			best.again_ns = p.again_ns;
	}
	printf("{\"addresses\": %lu, \"first ns\": %.1f, \"again ns\": %.1f, "
	       "\"kB\": %lu, \"forgotten\": %lu, \"reached\": %lu}\n",
	       count, best.first_ns, best.again_ns, best.kb, best.forgotten,
	       best.reached);
}

int main(int argc, char **argv)
{
	unsigned int threshold = 2;
	int i = 1;

	if (argc > 2 && strcmp(argv[1], "--threshold") == 0) {
		threshold = (unsigned int)strtoul(argv[2], NULL, 10);
		i = 3;
	}
	for (; i < argc; i++)
		print_best(threshold, strtoul(argv[i], NULL, 10));
	return 0;
}
