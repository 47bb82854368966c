/* Netlink to nf_tables, with the kernel's answers set by the test.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nftlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/nftspace.h"

#define NEWTABLE ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWTABLE)

/* The last request. */
static struct sent {
	struct nlmsghdr headers[256];
	unsigned int count;
	uint32_t genid;
} sent;

/* The answers: errors (0: an acknowledgement) for messages by their number in the request;
 * -1 ends. */
static struct answer {
	int number, err;
} answers[8];

static void take_apart(const void *data, size_t size)
{
	const struct nlmsghdr *nlh = data;
	const struct nlattr *attr;
	int left = (int)size;

	memset(&sent, 0, sizeof(sent));
	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		assert_true(sent.count < COUNT_OF(sent.headers));
		if (nlh->nlmsg_type == NFNL_MSG_BATCH_BEGIN &&
		    mnl_nlmsg_get_payload_len(nlh) > sizeof(struct nfgenmsg)) {
			attr = mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nfgenmsg));
			want_int(mnl_attr_get_type(attr), NFNL_BATCH_GENID);
			sent.genid = ntohl(mnl_attr_get_u32(attr));
		}
		sent.headers[sent.count++] = *nlh;
	}
	want_int(left, 0);
}

static size_t answer_as_said(const void *data, size_t size, char *buf, size_t room)
{
	char *at = buf;
	size_t i;

	(void)room;
	take_apart(data, size);
	for (i = 0; i < COUNT_OF(answers) && answers[i].number >= 0; i++)
		at = nftspace_error(at, sent.headers[answers[i].number].nlmsg_seq, answers[i].err);
	return (size_t)(at - buf);
}

static void say(int number, int err)
{
	size_t i = 0;

	while (answers[i].number >= 0)
		i++;
	assert_true(i + 1 < COUNT_OF(answers));
	answers[i] = (struct answer){ number, err };
	answers[i + 1].number = -1;
}

/* Of each point. */
static struct nftlink *nft;

static void before(void)
{
	nftspace_reset();
	nftspace_faults.answer = answer_as_said;
	answers[0].number = -1;
	want_int(nftlink_new(&nft), 0);
}

static void after(void)
{
	nftlink_free(nft);
}

TEST_EACH(before, after)

static void put(const char *name)
{
	struct nlmsghdr *nlh = nftlink_message(nft, NFT_MSG_NEWTABLE, NFPROTO_INET, NLM_F_CREATE);

	assert_non_null(nlh);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
}

/* A transaction of one message. */
static int commit_one(uint32_t genid)
{
	nftlink_begin(nft, genid);
	put("a");
	return nftlink_commit(nft, NULL, NULL);
}

/* Errors as "index:errno ". */
static void note(void *ctx, unsigned int index, int err)
{
	char *text = ctx;

	sprintf(text + strlen(text), "%u:%d ", index, err);
}

TEST(transaction_has_its_frame)
{
	nftlink_begin(nft, 0);
	put("a");
	put("a longer name");
	say(2, 0);
	want_int(nftlink_commit(nft, NULL, NULL), 0);
	want_int(sent.count, 4);
	want_int(sent.headers[0].nlmsg_type, NFNL_MSG_BATCH_BEGIN);
	want_int(sent.headers[1].nlmsg_type, NEWTABLE);
	want_int(sent.headers[2].nlmsg_type, NEWTABLE);
	want_int(sent.headers[3].nlmsg_type, NFNL_MSG_BATCH_END);
	/* One confirmation, of the last one. */
	want_int(sent.headers[1].nlmsg_flags & NLM_F_ACK, 0);
	want_int(sent.headers[2].nlmsg_flags & NLM_F_ACK, NLM_F_ACK);
	want_int(sent.headers[2].nlmsg_seq, sent.headers[1].nlmsg_seq + 1);
	want_int(sent.genid, 0);
}

TEST(transaction_names_its_generation)
{
	say(0, ERESTART);
	want_int(commit_one(4711), -ERESTART);
	want_int(sent.genid, 4711);
}

static const struct answer_row {
	const char *label;
	struct answer answers[4];
	int want;
	const char *noted;
} answer_rows[] = {
	{ "all well", { { 3, 0 }, { -1, 0 } }, 0, "" },
	{ "no right", { { 0, EPERM }, { -1, 0 } }, -EPERM, "" },
	{ "no nf_tables", { { 0, EOPNOTSUPP }, { -1, 0 } }, -EOPNOTSUPP, "" },
	{ "the first", { { 1, ENOENT }, { 3, 0 }, { -1, 0 } }, -ENOENT, "0:2 " },
	{ "the last", { { 3, ENFILE }, { -1, 0 } }, -ENFILE, "2:23 " },
	{ "several", { { 1, ENFILE }, { 2, ENOENT }, { 3, EBUSY }, { -1, 0 } },
	  -ENFILE, "0:23 1:2 2:16 " },
	{ "nothing", { { -1, 0 } }, -EIO, "" },
};

TEST_ROWS(answers_are_reported, answer_rows)
{
	char noted[128] = "";
	int i;

	memcpy(answers, row->answers, sizeof(row->answers));
	nftlink_begin(nft, 0);
	for (i = 0; i < 3; i++)
		put("a");
	want_int(nftlink_commit(nft, note, noted), row->want);
	want_str(noted, row->noted);
}

/* An answer that comes too late, and one to another port. */
static size_t answer_to_others(const void *data, size_t size, char *buf, size_t room)
{
	char *at = buf;

	(void)room;
	take_apart(data, size);
	at = nftspace_error(at, sent.headers[0].nlmsg_seq - 1, EPERM);
	at = nftspace_error(at, sent.headers[sent.count - 1].nlmsg_seq + 1, EPERM);
	at = nftspace_error(at, sent.headers[1].nlmsg_seq, 0);
	return (size_t)(at - buf);
}

TEST(answers_to_others_are_left_out)
{
	nftspace_faults.answer = answer_to_others;
	want_int(commit_one(0), 0);
}

/* Only the first part of a message came. */
static size_t answer_in_part(const void *data, size_t size, char *buf, size_t room)
{
	(void)room;
	take_apart(data, size);
	nftspace_error(buf, sent.headers[1].nlmsg_seq, 0);
	return sizeof(struct nlmsghdr) + 2;
}

/* One that is too short for its type. */
static size_t answer_too_short(const void *data, size_t size, char *buf, size_t room)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	(void)room;
	take_apart(data, size);
	nlh->nlmsg_type = NLMSG_ERROR;
	nlh->nlmsg_seq = sent.headers[1].nlmsg_seq;
	return nlh->nlmsg_len;
}

TEST(partial_answers_are_none)
{
	nftspace_faults.answer = answer_in_part;
	want_int(commit_one(0), -EIO);
	nftspace_faults.answer = answer_too_short;
	want_int(commit_one(0), -EIO);
}

/* Until it can be opened each call tries, and returns the error. */
TEST(socket_is_tried_again)
{
	uint32_t genid = 0;

	nftspace_faults.open_err = EAFNOSUPPORT;
	want_int(nftlink_generation(nft, &genid), -EAFNOSUPPORT);
	nftspace_faults.open_err = EPROTONOSUPPORT;
	want_int(nftlink_generation(nft, &genid), -EPROTONOSUPPORT);
	nftspace_faults.open_err = 0;
	nftspace_faults.bind_err = EPERM;
	want_int(nftlink_generation(nft, &genid), -EPERM);
	nftspace_faults.bind_err = 0;
	say(0, 0);
	want_int(nftlink_generation(nft, &genid), 0);
	want_int(nftlink_generation(nft, &genid), 0);
	want_int(nftspace_opened, 2);
}

/* After lost errors the outstanding answers are not known. */
TEST(lost_answers_need_a_new_socket)
{
	uint32_t genid;

	say(0, 0);
	nftspace_faults.receive_err = ENOBUFS;
	want_int(nftlink_generation(nft, &genid), -ENOBUFS);
	nftspace_faults.receive_err = 0;
	want_int(nftlink_generation(nft, &genid), 0);
	want_int(nftspace_opened, 2);
}

TEST(interrupted_calls_are_repeated)
{
	uint32_t genid;

	say(0, 0);
	nftspace_faults.send_err = EINTR;
	nftspace_faults.send_times = 3;
	nftspace_faults.receive_err = EINTR;
	want_int(nftlink_generation(nft, &genid), 0);
	nftspace_faults.send_err = EMSGSIZE;
	nftspace_faults.send_times = 0;
	want_int(nftlink_generation(nft, &genid), -EMSGSIZE);
}

TEST(transaction_has_a_limit)
{
	struct nlmsghdr *nlh;
	char name[1001];
	int count = 0;

	memset(name, 'x', 1000);
	name[1000] = '\0';
	nftlink_begin(nft, 0);
	while ((nlh = nftlink_message(nft, NFT_MSG_NEWTABLE, NFPROTO_INET, 0))) {
		mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
		count++;
	}
	want_int(count > 50 && count < 64, true);
	say(count, 0);
	want_int(nftlink_commit(nft, NULL, NULL), 0);
	want_int(sent.count, count + 2);
}

/* A dump in two parts: three messages and the end. */
static struct dump {
	uint16_t flags;		/* of the second message */
	bool whole;
} dump;

static size_t answer_dump(const void *data, size_t size, char *buf, size_t room)
{
	struct nlmsghdr *nlh;
	char *at = buf;
	int i;

	(void)room;
	take_apart(data, size);
	for (i = 0; i < (dump.whole ? 4 : 3); i++) {
		nlh = mnl_nlmsg_put_header(at);
		nlh->nlmsg_type = i == 3 ? NLMSG_DONE : NEWTABLE;
		nlh->nlmsg_seq = sent.headers[0].nlmsg_seq;
		nlh->nlmsg_flags = i == 1 ? dump.flags : 0;
		mnl_nlmsg_put_extra_header(nlh, 4);
		at += nlh->nlmsg_len;
	}
	return (size_t)(at - buf);
}

static int ask(nftlink_answer_fn *fn, int *count)
{
	nftspace_faults.answer = answer_dump;
	*count = 0;
	nftlink_question(nft, NFT_MSG_GETTABLE, NFPROTO_INET, NLM_F_DUMP);
	return nftlink_ask(nft, fn, count);
}

static int count_all(void *ctx, const struct nlmsghdr *nlh)
{
	want_int(nlh->nlmsg_type, NEWTABLE);
	++*(int *)ctx;
	return 0;
}

static int stop_at_second(void *ctx, const struct nlmsghdr *nlh)
{
	(void)nlh;
	return ++*(int *)ctx == 2 ? -ENOMEM : 0;
}

TEST(dumps_are_read)
{
	int count;

	dump = (struct dump){ .whole = true };
	want_int(ask(count_all, &count), 0);
	want_int(count, 3);
	want_int(sent.headers[0].nlmsg_flags & NLM_F_ACK, 0);
	want_int(ask(stop_at_second, &count), -ENOMEM);
	want_int(count, 2);
	dump.flags = NLM_F_DUMP_INTR;
	want_int(ask(count_all, &count), -EINTR);
	dump = (struct dump){ .whole = false };
	want_int(ask(count_all, &count), -EIO);
}

TEST(failing_query)
{
	say(0, ENOENT);
	nftlink_question(nft, NFT_MSG_GETTABLE, NFPROTO_INET, 0);
	want_int(nftlink_ask(nft, NULL, NULL), -ENOENT);
	want_int(sent.headers[0].nlmsg_flags & NLM_F_ACK, NLM_F_ACK);
}

static size_t answer_generation(const void *data, size_t size, char *buf, size_t room)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	(void)room;
	take_apart(data, size);
	nlh->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN;
	nlh->nlmsg_seq = sent.headers[0].nlmsg_seq;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	mnl_attr_put_u16(nlh, NFTA_GEN_PROC_PID, 7);
	mnl_attr_put_u32(nlh, NFTA_GEN_ID, htonl(258));
	return (size_t)(nftspace_error(buf + nlh->nlmsg_len, nlh->nlmsg_seq, 0) -
			buf);
}

TEST(generation_is_reported)
{
	uint32_t genid = 0;

	nftspace_faults.answer = answer_generation;
	want_int(nftlink_generation(nft, &genid), 0);
	want_int(genid, 258);
}

static int make(void *data)
{
	struct nftlink *link;
	int r = nftlink_new(&link);

	(void)data;
	if (r == 0)
		nftlink_free(link);
	return r;
}

TEST(survives_lack_of_memory)
{
	want_int(memory_fail_each(make, NULL), 3);
	nftlink_free(NULL);
}
