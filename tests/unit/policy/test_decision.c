/* The order of the questions: each row changes one answer, and the first answer that
 * prevents a block is the verdict.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "policy/decision.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "policy/gateways.h"
#include "tests/unit/support.h"

#define REPLY "511 Listed by bl.example"

/* The host's address; NULL: none. */
static const char *host_address;

int __wrap_getifaddrs(struct ifaddrs **ret_list);
int __wrap_getifaddrs(struct ifaddrs **ret_list)
{
	static struct sockaddr_in own = { .sin_family = AF_INET };
	static struct ifaddrs list = { .ifa_addr = (struct sockaddr *)&own };

	if (host_address)
		inet_pton(AF_INET, host_address, &own.sin_addr);
	*ret_list = host_address ? &list : NULL;
	return 0;
}

void __wrap_freeifaddrs(struct ifaddrs *list);
void __wrap_freeifaddrs(struct ifaddrs *list)
{
	(void)list;
}

int __wrap_gateways_foreach(gateways_fn *fn, void *ctx);
int __wrap_gateways_foreach(gateways_fn *fn, void *ctx)
{
	(void)fn;
	(void)ctx;
	return 0;
}

/* The client is 192.0.2.7, and its /24 is blocked. Without anything else it is blocked. */
static const struct row {
	const char *label;
	const char *own, *allow_file, *set;	/* in short: "name=value" */
	enum proof proof;
	int severity;
	const char *block;		/* of the session.. */
	bool relay_client;		/* ..as well */
	bool is_ending, limits, is_blocked;
	enum verdict verdict;
	enum reason reason;
} rows[] = {
	{ .label = "nothing prevents it", .proof = PROOF_SESSION, .block = "Listed by bl.example",
	  .verdict = VERDICT_BLOCK, .reason = REASON_TRIGGERED },
	{ .label = "the line comes first", .own = "192.0.2.7", .severity = 6,
	  .verdict = VERDICT_NOT_A_TRIGGER, .reason = REASON_SEVERITY },
	{ .label = "then the host", .own = "192.0.2.7", .allow_file = "192.0.2.7",
	  .verdict = VERDICT_EXEMPT, .reason = REASON_OWN_ADDRESS },
	{ .label = "then the allow list", .allow_file = "192.0.2.7", .proof = PROOF_SESSION,
	  .relay_client = true,
	  .verdict = VERDICT_EXEMPT, .reason = REASON_ALLOW_LIST },
	{ .label = "then relay clients", .proof = PROOF_SESSION, .relay_client = true,
	  .block = "Listed by bl.example", .own = "192.0.2.8",
	  .verdict = VERDICT_EXEMPT, .reason = REASON_RELAY_CLIENT },
	{ .label = "then the proof", .own = "192.0.2.8",
	  .verdict = VERDICT_UNPROVEN, .reason = REASON_TRIGGERED },
	{ .label = "the session is not listed", .proof = PROOF_SESSION, .own = "192.0.2.8",
	  .verdict = VERDICT_NOT_A_TRIGGER, .reason = REASON_NOT_LISTED },
	{ .label = "by the reply", .proof = PROOF_REPLY, .set = "replyPattern=Listed by",
	  .verdict = VERDICT_BLOCK, .reason = REASON_TRIGGERED },
	{ .label = "another reply", .proof = PROOF_REPLY, .set = "replyPattern=Refused",
	  .own = "192.0.2.8", .verdict = VERDICT_NOT_A_TRIGGER, .reason = REASON_PATTERN },
	{ .label = "an address has no reply", .proof = PROOF_REPLY, .set = "input=address",
	  .severity = 6, .verdict = VERDICT_BLOCK, .reason = REASON_TRIGGERED },
	{ .label = "judged before", .proof = PROOF_JUDGED,
	  .verdict = VERDICT_BLOCK, .reason = REASON_TRIGGERED },
	{ .label = "then repeats", .proof = PROOF_JUDGED, .is_ending = true, .own = "192.0.2.8",
	  .verdict = VERDICT_NOT_A_TRIGGER, .reason = REASON_REPEATED },
	{ .label = "then the host beside it", .proof = PROOF_JUDGED, .own = "192.0.2.8",
	  .limits = true, .set = "threshold=2",
	  .verdict = VERDICT_EXEMPT, .reason = REASON_ALLOWED_NEIGHBOUR },
	{ .label = "or the allow list", .proof = PROOF_JUDGED, .set = "allow=192.0.2.200",
	  .verdict = VERDICT_EXEMPT, .reason = REASON_ALLOWED_NEIGHBOUR },
	{ .label = "or its file", .proof = PROOF_JUDGED, .allow_file = "192.0.2.0/28",
	  .verdict = VERDICT_EXEMPT, .reason = REASON_ALLOW_LIST },
	{ .label = "or its file, beside it", .proof = PROOF_JUDGED, .allow_file = "192.0.2.9",
	  .verdict = VERDICT_EXEMPT, .reason = REASON_ALLOWED_NEIGHBOUR },
	{ .label = "beyond the prefix", .proof = PROOF_JUDGED, .own = "192.0.3.7",
	  .allow_file = "192.0.1.7", .verdict = VERDICT_BLOCK, .reason = REASON_TRIGGERED },
	{ .label = "then the threshold", .proof = PROOF_JUDGED, .set = "threshold=2",
	  .limits = true,
	  .verdict = VERDICT_NOT_A_TRIGGER, .reason = REASON_BELOW_THRESHOLD },
	{ .label = "which workers do not know", .proof = PROOF_JUDGED, .set = "threshold=2",
	  .verdict = VERDICT_BLOCK, .reason = REASON_TRIGGERED },
	{ .label = "within the limits", .proof = PROOF_JUDGED, .limits = true,
	  .verdict = VERDICT_BLOCK, .reason = REASON_TRIGGERED },
};

struct fixture {
	struct settings settings;
	struct policy policy;
	struct reply_regex_scratch *regex;
	char *dir;
};

static void set(struct settings *settings, const char *pair)
{
	const char *value = strchr(pair, '=');
	char name[40], wrong[256];

	snprintf(name, sizeof(name), "%.*s", (int)(value - pair), pair);
	want_int(settings_set(settings, name, value + 1, wrong, sizeof(wrong)), 0);
}

static void setup(struct fixture *f, const struct row *row)
{
	char path[256], wrong[ALLOWFILE_ERROR_SIZE];

	f->dir = temp_dir_new();
	snprintf(path, sizeof(path), "%s/allow", f->dir);
	temp_file_write(path, row->allow_file ? row->allow_file : "");
	want_int(settings_init(&f->settings), 0);
	set(&f->settings, "ipv4Prefix=24");
	if (row->set)
		set(&f->settings, row->set);
	host_address = row->own;
	f->policy.settings = &f->settings;
	want_int(local_addrs_new(&f->policy.local_addrs), 0);
	want_int(local_addrs_refresh(f->policy.local_addrs), 0);
	want_int(allowfile_new(path, &f->policy.allow_file, wrong), 0);
	want_int(reply_regex_scratch_new(f->settings.reply_pattern, &f->regex), 0);
}

static void teardown(struct fixture *f)
{
	reply_regex_scratch_free(f->regex);
	allowfile_free(f->policy.allow_file);
	local_addrs_free(f->policy.local_addrs);
	settings_done(&f->settings);
	temp_dir_remove(f->dir);
}

static const struct courierlog_line reject = {
	.kind = COURIERLOG_REJECT,
	.addr = { .family = ADDR_IPV4, .bytes = { 192, 0, 2, 7 } },
	.port = 41703,
	.code = 511,
	.reply = REPLY,
	.reply_len = sizeof(REPLY) - 1,
};

TEST_ROWS(first_answer_counts, rows)
{
	const struct smtpd_facts facts = {
		.block = row->block,
		.relay_client = row->relay_client,
	};
	struct limits limits;
	struct decision d;
	struct fixture f;

	setup(&f, row);
	want_int(limits_init(&limits, &f.settings), 0);
	d = decide(&f.policy, &(struct known){
		.line = &reject,
		.severity = row->severity ? row->severity : COURIERLOG_SEVERITY_ERR,
		.proof = row->proof,
		.facts = &facts,
		.regex = f.regex,
		.is_ending = row->is_ending,
		.limits = row->limits ? &limits : NULL,
	});
	want_int(d.verdict, row->verdict);
	want_int(d.reason, row->reason);
	limits_done(&limits);
	teardown(&f);
}

/* maxBlocks="1": a renewal is free, a refused block closes the interval once. */
TEST(limits_come_last)
{
	static const struct row row = { .set = "maxBlocks=1" };
	struct limits limits;
	struct fixture f;
	struct known known = {
		.line = &reject,
		.severity = COURIERLOG_SEVERITY_ANY,
		.proof = PROOF_JUDGED,
		.limits = &limits,
	};

	setup(&f, &row);
	want_int(limits_init(&limits, &f.settings), 0);
	known.is_blocked = true;
	want_int(decide(&f.policy, &known).verdict, VERDICT_BLOCK);
	known.is_blocked = false;
	want_int(decide(&f.policy, &known).verdict, VERDICT_BLOCK);
	want_int(decide(&f.policy, &known).reason, REASON_BUDGET);
	want_int(limits.closes, true);
	want_int(decide(&f.policy, &known).reason, REASON_BUDGET);
	want_int(limits.closes, false);
	known.is_blocked = true;
	want_int(decide(&f.policy, &known).verdict, VERDICT_BLOCK);
	limits_done(&limits);
	teardown(&f);
}

static const struct addr_row {
	const char *label, *own, *allow_file;
	enum reason reason;
} addr_rows[] = {
	{ "nobody", NULL, NULL, REASON_TRIGGERED },
	{ "the host", "192.0.2.7", NULL, REASON_OWN_ADDRESS },
	{ "allowFile", NULL, "192.0.2.7", REASON_ALLOW_LIST },
	{ "a neighbour", NULL, "192.0.2.8", REASON_ALLOWED_NEIGHBOUR },
};

TEST_ROWS(addresses_alone, addr_rows)
{
	const struct row own = { .own = row->own, .allow_file = row->allow_file };
	struct fixture f;

	setup(&f, &own);
	want_int(decide_address(&f.policy, &reject.addr).reason, row->reason);
	teardown(&f);
}
