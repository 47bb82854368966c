/* The contents of our nftables table.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nfttable.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/cidr.h"

/* Change this with the form of the rule, so that older rules are replaced. */
#define RULE_VERSION 1

/* nft's own numbers for its data types (include/datatype.h of nftables). Without them nft
 * cannot print the set. */
enum {
	TYPE_IPADDR = 7,
	TYPE_IP6ADDR = 8,
	TYPE_INET_SERVICE = 13,
};

/* The name of an anonymous set; the kernel inserts the number. */
#define UNNAMED_SET "__set%d"

/* Offsets, in bytes, of the header fields that the rule matches. */
#define TCP_DPORT_OFFSET 2
#define IPV4_SADDR_OFFSET 12
#define IPV6_SADDR_OFFSET 8

/* Identifies a set within a transaction. */
static uint32_t set_id(int which)
{
	return (uint32_t)which + 1;
}

/* Identifies the set of a rule's ports within a transaction. */
static uint32_t ports_id(int which)
{
	return (uint32_t)which + 3;
}

static int copy_name(struct nfttable_list *list, const char *name)
{
	size_t len = strlen(name);

	if (len >= sizeof(list->name))
		return -ENAMETOOLONG;
	memcpy(list->name, name, len + 1);
	return 0;
}

int nfttable_init(struct nfttable *table, const struct backend_config *config)
{
	int r;

	memset(table, 0, sizeof(*table));
	table->lists[0].family = ADDR_IPV4;
	table->lists[0].prefix = config->ipv4_prefix;
	table->lists[1].family = ADDR_IPV6;
	table->lists[1].prefix = config->ipv6_prefix;
	table->ban_time = config->ban_time;
	table->size = config->list_size;
	table->ports = *config->ports;
	r = copy_name(&table->lists[0], config->list);
	return r < 0 ? r : copy_name(&table->lists[1], config->list6);
}

uint32_t nfttable_key_type(int family)
{
	return family == ADDR_IPV4 ? TYPE_IPADDR : TYPE_IP6ADDR;
}

uint32_t nfttable_key_size(int family)
{
	return family == ADDR_IPV4 ? 4 : 16;
}

static bool is_masked(const struct nfttable_list *list)
{
	return list->prefix < nfttable_key_size(list->family) * 8;
}

/* The mask as an address. */
static struct addr mask_of(const struct nfttable_list *list)
{
	struct addr ones = { .family = (uint8_t)list->family };

	memset(ones.bytes, 0xff, nfttable_key_size(list->family));
	return cidr_mask(&ones, list->prefix);
}

/* FNV-1a: distinguishes settings; not meant to resist attacks. */
static uint32_t hash_in(uint32_t hash, uint32_t number)
{
	int i;

	for (i = 0; i < 4; i++) {
		hash = (hash ^ (number & 0xff)) * 16777619U;
		number >>= 8;
	}
	return hash;
}

static uint32_t hash_of(const struct nfttable *table, int which)
{
	const struct nfttable_list *list = &table->lists[which];
	uint32_t hash = 2166136261U;
	unsigned int i;

	hash = hash_in(hash, RULE_VERSION);
	hash = hash_in(hash, (uint32_t)list->family);
	hash = hash_in(hash, list->prefix);
	hash = hash_in(hash, table->ban_time);
	hash = hash_in(hash, table->size);
	for (i = 0; i < table->ports.count; i++)
		hash = hash_in(hash, table->ports.list[i]);
	return hash;
}

char *nfttable_comment(const struct nfttable *table, int which, bool with_hash,
		       char buf[static NFTTABLE_COMMENT_SIZE])
{
	int n = snprintf(buf, NFTTABLE_COMMENT_SIZE, "omsmtpblock %s ",
			 table->lists[which].name);

	if (with_hash)
		snprintf(buf + n, NFTTABLE_COMMENT_SIZE - (size_t)n, "%08x",
			 hash_of(table, which));
	return buf;
}

/* --- messages ----------------------------------------------------------- */

static void put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(nlh, type, htonl(value));
}

static void put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t value)
{
	mnl_attr_put_u64(nlh, type, htobe64(value));
}

static struct nlmsghdr *message(struct nftlink *link, uint16_t type,
				uint16_t flags)
{
	return nftlink_message(link, type, NFPROTO_INET, flags);
}

int nfttable_put_table(struct nftlink *link)
{
	struct nlmsghdr *nlh = message(link, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	if (!nlh)
		return -ENOBUFS;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFTTABLE_NAME);
	put_u32(nlh, NFTA_TABLE_FLAGS, 0);
	return 0;
}

int nfttable_put_chain(struct nftlink *link)
{
	struct nlmsghdr *nlh = message(link, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nlattr *hook;

	if (!nlh)
		return -ENOBUFS;
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, NFTTABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, NFTTABLE_CHAIN);
	hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	put_u32(nlh, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_IN);
	put_u32(nlh, NFTA_HOOK_PRIORITY, (uint32_t)NFTTABLE_PRIORITY);
	mnl_attr_nest_end(nlh, hook);
	put_u32(nlh, NFTA_CHAIN_POLICY, NF_ACCEPT);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	return 0;
}

int nfttable_put_set(struct nftlink *link, const struct nfttable *table, int which)
{
	const struct nfttable_list *list = &table->lists[which];
	struct nlmsghdr *nlh = message(link, NFT_MSG_NEWSET, NLM_F_CREATE);
	struct nlattr *desc;

	if (!nlh)
		return -ENOBUFS;
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, NFTTABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, list->name);
	put_u32(nlh, NFTA_SET_FLAGS, NFTTABLE_SET_FLAGS);
	put_u32(nlh, NFTA_SET_KEY_TYPE, nfttable_key_type(list->family));
	put_u32(nlh, NFTA_SET_KEY_LEN, nfttable_key_size(list->family));
	put_u32(nlh, NFTA_SET_ID, set_id(which));
	put_u64(nlh, NFTA_SET_TIMEOUT, (uint64_t)table->ban_time * 1000);
	desc = mnl_attr_nest_start(nlh, NFTA_SET_DESC);
	put_u32(nlh, NFTA_SET_DESC_SIZE, table->size);
	mnl_attr_nest_end(nlh, desc);
	return 0;
}

int nfttable_drop_set(struct nftlink *link, const char *name)
{
	struct nlmsghdr *nlh = message(link, NFT_MSG_DELSET, 0);

	if (!nlh)
		return -ENOBUFS;
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, NFTTABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, name);
	return 0;
}

int nfttable_drop_rule(struct nftlink *link, uint64_t handle)
{
	struct nlmsghdr *nlh = message(link, NFT_MSG_DELRULE, 0);

	if (!nlh)
		return -ENOBUFS;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, NFTTABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, NFTTABLE_CHAIN);
	put_u64(nlh, NFTA_RULE_HANDLE, handle);
	return 0;
}

/* The beginning of a message about elements of a set. */
static struct nlmsghdr *elements(struct nftlink *link, uint16_t type,
				 uint16_t flags, const char *name)
{
	struct nlmsghdr *nlh = message(link, type, flags);

	if (nlh) {
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFTTABLE_NAME);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, name);
	}
	return nlh;
}

/* One element; timeout in ms, 0: the set's default. */
static void put_element(struct nlmsghdr *nlh, const void *key, size_t size,
			uint64_t timeout)
{
	struct nlattr *element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	struct nlattr *data = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, size, key);
	mnl_attr_nest_end(nlh, data);
	if (timeout != 0)
		put_u64(nlh, NFTA_SET_ELEM_TIMEOUT, timeout);
	mnl_attr_nest_end(nlh, element);
}

static int put_one(struct nftlink *link, uint16_t type, uint16_t flags,
		   const char *name, const struct addr *addr, uint64_t timeout)
{
	struct nlmsghdr *nlh = elements(link, type, flags, name);
	struct nlattr *list;

	if (!nlh)
		return -ENOBUFS;
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	put_element(nlh, addr->bytes, nfttable_key_size(addr->family), timeout);
	mnl_attr_nest_end(nlh, list);
	return 0;
}

int nfttable_put_address(struct nftlink *link, const char *name,
			 const struct addr *addr, uint64_t timeout)
{
	return put_one(link, NFT_MSG_NEWSETELEM, NLM_F_CREATE, name, addr,
		       timeout);
}

int nfttable_put_new_address(struct nftlink *link, const char *name,
			     const struct addr *addr, uint64_t timeout)
{
	return put_one(link, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, name,
		       addr, timeout);
}

int nfttable_drop_address(struct nftlink *link, const char *name,
			  const struct addr *addr)
{
	return put_one(link, NFT_MSG_DELSETELEM, 0, name, addr, 0);
}

int nfttable_drop_addresses(struct nftlink *link, const char *name)
{
	return elements(link, NFT_MSG_DELSETELEM, 0, name) ? 0 : -ENOBUFS;
}

/* --- the rule ------------------------------------------------------------ */

/* One expression of the rule under construction. */
struct expression {
	struct nlattr *element, *data;
};

static struct expression expression_start(struct nlmsghdr *nlh, const char *name)
{
	struct expression e;

	e.element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	return e;
}

static void expression_end(struct nlmsghdr *nlh, struct expression e)
{
	mnl_attr_nest_end(nlh, e.data);
	mnl_attr_nest_end(nlh, e.element);
}

static void put_data(struct nlmsghdr *nlh, uint16_t type, const void *data,
		     size_t size)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, size, data);
	mnl_attr_nest_end(nlh, nest);
}

static void load_meta(struct nlmsghdr *nlh, uint32_t key)
{
	struct expression e = expression_start(nlh, "meta");

	put_u32(nlh, NFTA_META_KEY, key);
	put_u32(nlh, NFTA_META_DREG, NFT_REG_1);
	expression_end(nlh, e);
}

static void load_payload(struct nlmsghdr *nlh, uint32_t base, uint32_t offset,
			 uint32_t size)
{
	struct expression e = expression_start(nlh, "payload");

	put_u32(nlh, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_u32(nlh, NFTA_PAYLOAD_BASE, base);
	put_u32(nlh, NFTA_PAYLOAD_OFFSET, offset);
	put_u32(nlh, NFTA_PAYLOAD_LEN, size);
	expression_end(nlh, e);
}

static void match(struct nlmsghdr *nlh, const void *data, size_t size)
{
	struct expression e = expression_start(nlh, "cmp");

	put_u32(nlh, NFTA_CMP_SREG, NFT_REG_1);
	put_u32(nlh, NFTA_CMP_OP, NFT_CMP_EQ);
	put_data(nlh, NFTA_CMP_DATA, data, size);
	expression_end(nlh, e);
}

static void match_meta(struct nlmsghdr *nlh, uint32_t key, uint8_t value)
{
	load_meta(nlh, key);
	match(nlh, &value, sizeof(value));
}

static void match_set(struct nlmsghdr *nlh, const char *name, uint32_t id)
{
	struct expression e = expression_start(nlh, "lookup");

	mnl_attr_put_strz(nlh, NFTA_LOOKUP_SET, name);
	put_u32(nlh, NFTA_LOOKUP_SREG, NFT_REG_1);
	put_u32(nlh, NFTA_LOOKUP_SET_ID, id);
	expression_end(nlh, e);
}

static void match_ports(struct nlmsghdr *nlh, const struct settings_ports *ports,
			int which)
{
	const uint16_t first = htons(ports->list[0]);

	match_meta(nlh, NFT_META_L4PROTO, IPPROTO_TCP);
	load_payload(nlh, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_DPORT_OFFSET,
		     sizeof(first));
	if (ports->count == 1)
		match(nlh, &first, sizeof(first));
	else
		match_set(nlh, UNNAMED_SET, ports_id(which));
}

static void mask(struct nlmsghdr *nlh, const struct nfttable_list *list)
{
	const struct addr bits = mask_of(list), none = { .family = 0 };
	const size_t size = nfttable_key_size(list->family);
	struct expression e = expression_start(nlh, "bitwise");

	put_u32(nlh, NFTA_BITWISE_SREG, NFT_REG_1);
	put_u32(nlh, NFTA_BITWISE_DREG, NFT_REG_1);
	put_u32(nlh, NFTA_BITWISE_LEN, (uint32_t)size);
	put_data(nlh, NFTA_BITWISE_MASK, bits.bytes, size);
	put_data(nlh, NFTA_BITWISE_XOR, none.bytes, size);
	expression_end(nlh, e);
}

/* The sender's address, masked. */
static void load_source(struct nlmsghdr *nlh, const struct nfttable_list *list)
{
	load_payload(nlh, NFT_PAYLOAD_NETWORK_HEADER,
		     list->family == ADDR_IPV4 ? IPV4_SADDR_OFFSET :
						 IPV6_SADDR_OFFSET,
		     nfttable_key_size(list->family));
	if (is_masked(list))
		mask(nlh, list);
}

static void renew(struct nlmsghdr *nlh, const struct nfttable *table, int which)
{
	struct expression e;

	load_source(nlh, &table->lists[which]);
	e = expression_start(nlh, "dynset");
	mnl_attr_put_strz(nlh, NFTA_DYNSET_SET_NAME, table->lists[which].name);
	put_u32(nlh, NFTA_DYNSET_SET_ID, set_id(which));
	put_u32(nlh, NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
	put_u32(nlh, NFTA_DYNSET_SREG_KEY, NFT_REG_1);
	put_u64(nlh, NFTA_DYNSET_TIMEOUT, (uint64_t)table->ban_time * 1000);
	expression_end(nlh, e);
}

static void count_and_drop(struct nlmsghdr *nlh)
{
	struct nlattr *data, *verdict;
	struct expression e;

	e = expression_start(nlh, "counter");
	expression_end(nlh, e);
	e = expression_start(nlh, "immediate");
	put_u32(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = mnl_attr_nest_start(nlh, NFTA_IMMEDIATE_DATA);
	verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
	put_u32(nlh, NFTA_VERDICT_CODE, NF_DROP);
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, data);
	expression_end(nlh, e);
}

static void put_expressions(struct nlmsghdr *nlh, const struct nfttable *table,
			    int which)
{
	const struct nfttable_list *list = &table->lists[which];
	struct nlattr *all = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);

	match_ports(nlh, &table->ports, which);
	match_meta(nlh, NFT_META_NFPROTO,
		   list->family == ADDR_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	load_source(nlh, list);
	match_set(nlh, list->name, set_id(which));
	renew(nlh, table, which);
	count_and_drop(nlh);
	mnl_attr_nest_end(nlh, all);
}

/* In nft's format: type, length with the NUL, text. */
static void put_comment(struct nlmsghdr *nlh, const struct nfttable *table,
			int which)
{
	char text[NFTTABLE_COMMENT_SIZE], data[NFTTABLE_COMMENT_SIZE + 2];
	size_t size;

	size = strlen(nfttable_comment(table, which, true, text)) + 1;
	data[0] = NFTNL_UDATA_RULE_COMMENT;
	data[1] = (char)size;
	memcpy(data + 2, text, size);
	mnl_attr_put(nlh, NFTA_RULE_USERDATA, size + 2, data);
}

/* The anonymous set of ports, which exists as long as its rule. */
static int put_ports(struct nftlink *link, const struct nfttable *table, int which)
{
	struct nlmsghdr *nlh = message(link, NFT_MSG_NEWSET, NLM_F_CREATE);
	struct nlattr *list;
	unsigned int i;
	uint16_t port;

	if (!nlh)
		return -ENOBUFS;
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, NFTTABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, UNNAMED_SET);
	put_u32(nlh, NFTA_SET_FLAGS, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT);
	put_u32(nlh, NFTA_SET_KEY_TYPE, TYPE_INET_SERVICE);
	put_u32(nlh, NFTA_SET_KEY_LEN, sizeof(port));
	put_u32(nlh, NFTA_SET_ID, ports_id(which));
	nlh = elements(link, NFT_MSG_NEWSETELEM, NLM_F_CREATE, UNNAMED_SET);
	if (!nlh)
		return -ENOBUFS;
	put_u32(nlh, NFTA_SET_ELEM_LIST_SET_ID, ports_id(which));
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (i = 0; i < table->ports.count; i++) {
		port = htons(table->ports.list[i]);
		put_element(nlh, &port, sizeof(port), 0);
	}
	mnl_attr_nest_end(nlh, list);
	return 0;
}

int nfttable_put_rule(struct nftlink *link, const struct nfttable *table,
		      int which)
{
	struct nlmsghdr *nlh;

	if (table->ports.count > 1 && put_ports(link, table, which) < 0)
		return -ENOBUFS;
	nlh = message(link, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	if (!nlh)
		return -ENOBUFS;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, NFTTABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, NFTTABLE_CHAIN);
	put_expressions(nlh, table, which);
	put_comment(nlh, table, which);
	return 0;
}

/* --- text ---------------------------------------------------------------- */

/* Appends to a buffer, and keeps counting when it is full. */
struct writer {
	char *buf;
	size_t size, used;
};

static void append(struct writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append(struct writer *w, const char *format, ...)
{
	size_t left = w->used < w->size ? w->size - w->used : 0;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(left > 0 ? w->buf + w->used : NULL, left, format, args);
	va_end(args);
	w->used += n > 0 ? (size_t)n : 0;
}

static void append_set(struct writer *w, const struct nfttable *table, int which)
{
	const struct nfttable_list *list = &table->lists[which];

	append(w,
	       "\tset %s {\n"
	       "\t\ttype %s\n"
	       "\t\tsize %u\n"
	       "\t\tflags dynamic,timeout\n"
	       "\t\ttimeout %us\n"
	       "\t}\n\n",
	       list->name, list->family == ADDR_IPV4 ? "ipv4_addr" : "ipv6_addr",
	    table->size, table->ban_time);
}

static void append_ports(struct writer *w, const struct settings_ports *ports)
{
	unsigned int i;

	if (ports->count == 1) {
		append(w, "%u", ports->list[0]);
		return;
	}
	for (i = 0; i < ports->count; i++)
		append(w, "%s%u", i == 0 ? "{ " : ", ", ports->list[i]);
	append(w, " }");
}

static void append_rule(struct writer *w, const struct nfttable *table, int which)
{
	const struct nfttable_list *list = &table->lists[which];
	char source[ADDR_TEXT_SIZE + 16], text[ADDR_TEXT_SIZE];
	char comment[NFTTABLE_COMMENT_SIZE];
	const struct addr bits = mask_of(list);

	snprintf(source, sizeof(source), "%s saddr%s%s",
		 list->family == ADDR_IPV4 ? "ip" : "ip6",
		 is_masked(list) ? " & " : "",
		 is_masked(list) ? addr_format(&bits, text) : "");
	append(w, "\t\ttcp dport ");
	append_ports(w, &table->ports);
	append(w,
	       " %s @%s update @%s { %s timeout %us } counter drop comment "
	       "\"%s\"\n",
	       source, list->name, list->name, source, table->ban_time,
	       nfttable_comment(table, which, true, comment));
}

size_t nfttable_text(const struct nfttable *table, char *buf, size_t size)
{
	struct writer w = { .buf = buf, .size = size };

	if (size > 0)
		buf[0] = '\0';
	append(&w, "table inet " NFTTABLE_NAME " {\n");
	append_set(&w, table, 0);
	append_set(&w, table, 1);
	append(&w,
	       "\tchain " NFTTABLE_CHAIN " {\n"
	       "\t\ttype filter hook input priority %d; policy accept;\n",
	       NFTTABLE_PRIORITY);
	append_rule(&w, table, 0);
	append_rule(&w, table, 1);
	append(&w, "\t}\n}\n");
	return w.used;
}
