/* What the kernel reports of addresses that others remove from the sets.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nftnews.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/nftspace.h"

#define SET "inet omsmtpblock a"

static struct nfttable table;
static struct nftnews *news;

/* What was reported by the last read. */
static char got[4096];
static unsigned int count;

static void before(void)
{
	struct backend_config c = nftspace_config;

	c.list_size = 65536;
	nftspace_clean();
	want_int(nfttable_init(&table, &c), 0);
	want_int(nftnews_new(&news), 0);
	if (nftspace_enter() == NULL)
		nftspace_load(&table);
}

static void after(void)
{
	nftnews_free(news);
}

TEST_EACH(before, after)

static void note(void *ctx, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];

	(void)ctx;
	count++;
	if (strlen(got) + ADDR_TEXT_SIZE + 1 < sizeof(got))
		sprintf(got + strlen(got), "%s%s", *got ? " " : "", addr_format(addr, text));
}

static void want_news(const char *want)
{
	*got = '\0';
	count = 0;
	nftnews_read(news, &table, note, NULL);
	want_str(got, want);
}

/* From the first read on. */
TEST_NFT(removed)
{
	nftspace_do("add element " SET " { 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4 }");
	nftspace_do("delete element " SET " { 192.0.2.1 }");
	want_news("");
	nftspace_do("delete element " SET " { 192.0.2.2, 192.0.2.3 }");
	nftspace_do("add element inet omsmtpblock b { 2001:db8::7 }");
	nftspace_do("delete element inet omsmtpblock b { 2001:db8::7 }");
	want_news("192.0.2.2 192.0.2.3 2001:db8::7");
	want_news("");
	nftspace_do("flush set " SET);
	want_news("192.0.2.4");
}

/* As before Linux 6.12, in one transaction; also if its address was removed before. */
TEST_NFT(renewed)
{
	want_news("");
	nftspace_do("add element " SET " { 192.0.2.1, 192.0.2.2 }");
	nftspace_do("'delete element " SET " { 192.0.2.1 }; add element " SET " { 192.0.2.1 }'");
	want_news("");
	nftspace_do("'delete element " SET " { 192.0.2.1 }; delete element " SET " { 192.0.2.2 }; "
		    "add element " SET " { 192.0.2.2 }'");
	want_news("192.0.2.1");
	nftspace_do("'delete element " SET " { 192.0.2.2 }; add element " SET " { 192.0.2.3 }'");
	want_news("192.0.2.2");
}

/* These are reloads, whose addresses come back, or no concern of ours. */
static const struct other_row {
	const char *label, *nft;
} other_rows[] = {
	{ "ruleset", "flush ruleset" },
	{ "table", "delete table inet omsmtpblock" },
	{ "set", "'flush chain inet omsmtpblock input; delete set " SET "'" },
	{ "rules", "flush chain inet omsmtpblock input" },
	{ "set of another table", "'add table inet o; add set inet o a { type ipv4_addr; }; "
	  "add element inet o a { 192.0.2.1 }; delete element inet o a { 192.0.2.1 }'" },
	{ "set of another family", "'add table ip omsmtpblock; "
	  "add set ip omsmtpblock a { type ipv4_addr; }; add element ip omsmtpblock a "
	  "{ 192.0.2.1 }; delete element ip omsmtpblock a { 192.0.2.1 }'" },
	{ "another set", "'add set inet omsmtpblock c { type ipv4_addr; }; "
	  "add element inet omsmtpblock c { 192.0.2.1 }; "
	  "delete element inet omsmtpblock c { 192.0.2.1 }'" },
	{ "set of something else", "'flush ruleset; add table inet omsmtpblock; "
	  "add set inet omsmtpblock a { type inet_service; }; add element " SET " { 25 }; "
	  "delete element " SET " { 25 }'" },
};

TEST_NFT_ROWS(others_are_not_reported, other_rows)
{
	nftspace_do("add element " SET " { 192.0.2.1 }");
	want_news("");
	nftspace_do("%s", row->nft);
	want_news("");
}

/* Its time is over when a later transaction is made. */
TEST_NFT(expired)
{
	want_news("");
	nftspace_do("add element " SET " { 192.0.2.1 timeout 1ms }");
	while (nftspace_has("192.0.2.1"))
		;
	nftspace_do("add element " SET " { 192.0.2.2 }");
	want_news("");
}

/* More than the buffer takes: some are reported, and what comes later. */
TEST_NFT(flood)
{
	char *dir = temp_dir_new(), path[256], *text = NULL;
	unsigned int i, flood = 60000;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	for (i = 0; i < flood; i++)
		fprintf(file, "%s10.0.%u.%u", i ? ", " : "add element " SET " { ", i >> 8,
			i & 255);
	fprintf(file, " }\n");
	fclose(file);
	snprintf(path, sizeof(path), "%s/flood.nft", dir);
	temp_file_write(path, text);
	free(text);
	want_news("");
	nftspace_do("-f '%s'", path);
	nftnews_read(news, &table, note, NULL);
	want_int(count, 0);
	nftspace_do("flush set " SET);
	nftnews_read(news, &table, note, NULL);
	want_int(count >= 5000 && count < flood, true);
	nftspace_do("add element " SET " { 192.0.2.1 }");
	nftspace_do("delete element " SET " { 192.0.2.1 }");
	want_news("192.0.2.1");
	temp_dir_remove(dir);
}

/* Nothing is reported, and the next try is later. */
static const struct fault_row {
	const char *label;
	struct nftspace_faults faults;
} fault_rows[] = {
	{ "no netlink", { .open_err = EAFNOSUPPORT } },
	{ "no right", { .bind_err = EPERM } },
};

TEST_NFT_ROWS(faults, fault_rows)
{
	nftspace_faults = row->faults;
	want_news("");
	nftspace_reset();
	want_news("");
	want_int(nftspace_opened, 0);
}

TEST(survives_lack_of_memory)
{
	struct nftnews *other = NULL;

	memory_fail(1);
	want_int(nftnews_new(&other), -ENOMEM);
	want_int(memory_failed(), true);
	nftnews_free(NULL);
}
