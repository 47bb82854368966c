/* The cost of a lookup in the allow list, by the number of its entries, and of reading
 * the file. Prints a table; the machine should be idle otherwise. The test that the cost
 * hardly grows counts comparisons:
 * tests/unit/lib/test_prefix_set.c.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/shared/program.h"
#include "lib/array.h"
#include "policy/allowfile.h"

/* Lookups per round. The best round counts, as other processes only add time. */
#define LOOKUPS 1000000
#define ROUNDS 7

static const unsigned int sizes[] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Every 16th address from 10.0.0.0 on, so that a lookup among them is in the set
 * once in sixteen times. */
static struct addr nth_addr(uint32_t n)
{
	return (struct addr){ .family = ADDR_IPV4,
			      .bytes = { (uint8_t)(10 + (n >> 24)),
					 (uint8_t)(n >> 16), (uint8_t)(n >> 8),
					 (uint8_t)n } };
}

static void write_file(const char *path, unsigned int count)
{
	FILE *file = fopen(path, "w");
	char text[ADDR_TEXT_SIZE];
	unsigned int i;

	if (!file)
		die("the file cannot be written");
	for (i = 0; i < count; i++) {
		const struct addr addr = nth_addr(i * 16);

		fprintf(file, "%s\n", addr_format(&addr, text));
	}
	if (fclose(file) != 0)
		die("the file cannot be written");
}

/* The time of LOOKUPS lookups, in ns, with addresses from all parts of the list. */
static double time_round(struct allowfile *file, unsigned int count, bool ask,
			 unsigned int *ret_found)
{
	uint32_t state = 1;
	double began = now_ns(CLOCK_MONOTONIC);
	unsigned int i;

	*ret_found = 0;
	for (i = 0; i < LOOKUPS; i++) {
		const uint32_t n = next_random(&state) % (count * 16);
		const struct cidr host = { .net = nth_addr(n), .prefix = 32 };

		*ret_found += ask ? allowfile_overlaps(file, &host) :
				    host.net.bytes[3] & 1;
	}
	return now_ns(CLOCK_MONOTONIC) - began;
}

static double best_of(struct allowfile *file, unsigned int count, bool ask)
{
	double best = 0, took;
	unsigned int i, found;

	for (i = 0; i < ROUNDS; i++) {
		took = time_round(file, count, ask, &found);
		if (found == 0)
			die("nothing was found");
		if (i == 0 || took < best)
			best = took;
	}
	return best / LOOKUPS;
}

static void measure(const char *path, unsigned int count)
{
	char wrong[ALLOWFILE_ERROR_SIZE];
	struct allowfile *file;
	double began, read_ms;

	write_file(path, count);
	began = now_ns(CLOCK_MONOTONIC);
	if (allowfile_new(path, &file, wrong) < 0)
		die(wrong);
	read_ms = (now_ns(CLOCK_MONOTONIC) - began) / 1e6;
	/* Without the time of the loop itself. */
	printf("%9u %12.1f %12.1f\n", count,
	       best_of(file, count, true) - best_of(file, count, false), read_ms);
	allowfile_free(file);
}

int main(void)
{
	char path[] = "/tmp/allow-lookup-XXXXXX";
	int fd = mkstemp(path);
	size_t i;

	if (fd < 0)
		die("no temporary file");
	close(fd);
	printf("%9s %12s %12s\n", "entries", "ns a lookup", "ms to read");
	for (i = 0; i < COUNT_OF(sizes); i++)
		measure(path, sizes[i]);
	unlink(path);
	return 0;
}
