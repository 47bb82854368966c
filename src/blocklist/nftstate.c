/* The state of our nftables table in the kernel.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nftstate.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"

/* Tries if other programs change the ruleset during a read. */
#define TRIES_MAX 5

/* A read in progress. */
struct look {
	const struct nfttable *table;
	struct nftstate *state;
	int which;
};

static int no_such(int r)
{
	return r == -ENOENT ? 0 : r;
}

static int take_table(void *ctx, const struct nlmsghdr *nlh)
{
	struct look *look = ctx;
	struct nftnl_table *t = nftnl_table_alloc();

	if (!t)
		return -ENOMEM;
	if (nftnl_table_nlmsg_parse(nlh, t) == 0) {
		look->state->table = true;
		look->state->table_handle =
			nftnl_table_get_u64(t, NFTNL_TABLE_HANDLE);
	}
	nftnl_table_free(t);
	return 0;
}

static int look_for_table(struct nftlink *link, struct look *look)
{
	struct nlmsghdr *nlh = nftlink_question(link, NFT_MSG_GETTABLE,
						NFPROTO_INET, 0);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFTTABLE_NAME);
	return no_such(nftlink_ask(link, take_table, look));
}

/* The admin may change the chain's priority and policy. */
static int take_chain(void *ctx, const struct nlmsghdr *nlh)
{
	struct look *look = ctx;
	struct nftnl_chain *c = nftnl_chain_alloc();
	const char *type;

	if (!c)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(nlh, c) == 0) {
		type = nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE);
		look->state->chain = true;
		look->state->hooked =
			type && strcmp(type, "filter") == 0 &&
			nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM) ==
				NF_INET_LOCAL_IN;
	}
	nftnl_chain_free(c);
	return 0;
}

static int look_for_chain(struct nftlink *link, struct look *look)
{
	struct nlmsghdr *nlh = nftlink_question(link, NFT_MSG_GETCHAIN,
						NFPROTO_INET, 0);

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, NFTTABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, NFTTABLE_CHAIN);
	return no_such(nftlink_ask(link, take_chain, look));
}

static void judge_set(const struct look *look, const struct nftnl_set *s)
{
	const struct nfttable_list *wanted = &look->table->lists[look->which];
	struct nftstate_list *list = &look->state->lists[look->which];
	uint32_t flags = nftnl_set_get_u32(s, NFTNL_SET_FLAGS);

	list->set = true;
	list->set_handle = nftnl_set_get_u64(s, NFTNL_SET_HANDLE);
	list->usable = (flags & NFTTABLE_SET_FLAGS) == NFTTABLE_SET_FLAGS &&
		       nftnl_set_get_u32(s, NFTNL_SET_KEY_TYPE) ==
			       nfttable_key_type(wanted->family) &&
		       nftnl_set_get_u32(s, NFTNL_SET_KEY_LEN) ==
			       nfttable_key_size(wanted->family);
	list->as_wanted = list->usable &&
			  nftnl_set_get_u32(s, NFTNL_SET_DESC_SIZE) ==
				  look->table->size &&
			  nftnl_set_get_u64(s, NFTNL_SET_TIMEOUT) ==
				  (uint64_t)look->table->ban_time * 1000;
}

static int take_set(void *ctx, const struct nlmsghdr *nlh)
{
	const struct look *look = ctx;
	struct nftnl_set *s = nftnl_set_alloc();

	if (!s)
		return -ENOMEM;
	if (nftnl_set_nlmsg_parse(nlh, s) == 0)
		judge_set(look, s);
	nftnl_set_free(s);
	return 0;
}

static int look_for_set(struct nftlink *link, struct look *look)
{
	struct nlmsghdr *nlh = nftlink_question(link, NFT_MSG_GETSET, NFPROTO_INET,
						0);

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, NFTTABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME,
			  look->table->lists[look->which].name);
	return no_such(nftlink_ask(link, take_set, look));
}

static int take_comment(const struct nftnl_udata *attr, void *data)
{
	const char **ret_text = data;
	const char *text = nftnl_udata_get(attr);
	uint8_t len = nftnl_udata_len(attr);

	if (nftnl_udata_type(attr) == NFTNL_UDATA_RULE_COMMENT && len > 0 &&
	    text[len - 1] == '\0')
		*ret_text = text;
	return 0;
}

/* The rule's comment, NULL if it has none. */
static const char *comment_of(const struct nftnl_rule *rule)
{
	const char *text = NULL;
	const void *data;
	uint32_t len;

	data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &len);
	if (data)
		nftnl_udata_parse(data, len, take_comment, &text);
	return text;
}

static void judge_rule(const struct look *look, int which,
		       const struct nftnl_rule *rule, const char *comment)
{
	struct nftstate_list *list = &look->state->lists[which];
	char wanted[NFTTABLE_COMMENT_SIZE];

	nfttable_comment(look->table, which, false, wanted);
	if (strncmp(comment, wanted, strlen(wanted)) != 0)
		return;
	if (list->rules < NFTSTATE_RULES_MAX)
		list->rule_handles[list->rules] =
			nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
	list->rules++;
	nfttable_comment(look->table, which, true, wanted);
	list->rule_as_wanted = list->rules == 1 && strcmp(comment, wanted) == 0;
}

static int take_rule(void *ctx, const struct nlmsghdr *nlh)
{
	const struct look *look = ctx;
	struct nftnl_rule *rule = nftnl_rule_alloc();
	const char *comment = NULL;
	int i;

	if (!rule)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(nlh, rule) == 0)
		comment = comment_of(rule);
	for (i = 0; i < 2 && comment; i++)
		judge_rule(look, i, rule, comment);
	nftnl_rule_free(rule);
	return 0;
}

static int look_for_rules(struct nftlink *link, struct look *look)
{
	struct nlmsghdr *nlh = nftlink_question(link, NFT_MSG_GETRULE,
						NFPROTO_INET, NLM_F_DUMP);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, NFTTABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, NFTTABLE_CHAIN);
	return no_such(nftlink_ask(link, take_rule, look));
}

/* May also return -EINTR: the ruleset changed meanwhile. */
static int read_once(struct nftlink *link, struct look *look)
{
	int r;

	memset(look->state, 0, sizeof(*look->state));
	r = nftlink_generation(link, &look->state->genid);
	if (r == 0)
		r = look_for_table(link, look);
	if (r < 0 || !look->state->table)
		return r;
	r = look_for_chain(link, look);
	for (look->which = 0; look->which < 2 && r == 0; look->which++)
		r = look_for_set(link, look);
	if (r == 0 && look->state->chain)
		r = look_for_rules(link, look);
	return r;
}

int nftstate_read(struct nftlink *link, const struct nfttable *table,
		  struct nftstate *ret_state)
{
	struct look look = { .table = table, .state = ret_state };
	int i, r = -EINTR;

	for (i = 0; i < TRIES_MAX && r == -EINTR; i++)
		r = read_once(link, &look);
	return r == -EINTR ? -EAGAIN : r;
}

bool nftstate_works(const struct nftstate *state, int which)
{
	const struct nftstate_list *list = &state->lists[which];

	return state->table && state->hooked && list->usable && list->rules > 0;
}

bool nftstate_is_as_wanted(const struct nftstate *state, int which)
{
	const struct nftstate_list *list = &state->lists[which];

	return nftstate_works(state, which) && list->as_wanted &&
	       list->rule_as_wanted;
}

/* --- addresses ----------------------------------------------------------- */

struct reading {
	struct nftstate_addresses *to;
	int family;
	int err;
};

static int take_element(struct nftnl_set_elem *element, void *data)
{
	struct reading *reading = data;
	struct nftstate_addresses *to = reading->to;
	struct nftstate_address *a;
	const void *key;
	uint32_t size;

	key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &size);
	if (!key || size != nfttable_key_size(reading->family) ||
	    !nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_EXPIRATION))
		return 0;
	a = array_add(&to->all, &to->count);
	if (!a) {
		reading->err = -ENOMEM;
		return -ENOMEM;
	}
	a->addr.family = (uint8_t)reading->family;
	memcpy(a->addr.bytes, key, size);
	a->left = (int64_t)nftnl_set_elem_get_u64(element,
						  NFTNL_SET_ELEM_EXPIRATION);
	if (a->left <= 0)
		to->count--;
	return 0;
}

static int take_elements(void *ctx, const struct nlmsghdr *nlh)
{
	struct reading *reading = ctx;
	struct nftnl_set *s = nftnl_set_alloc();

	if (!s)
		return -ENOMEM;
	if (nftnl_set_elems_nlmsg_parse(nlh, s) == 0)
		nftnl_set_elem_foreach(s, take_element, reading);
	nftnl_set_free(s);
	return reading->err;
}

static int read_addresses_once(struct nftlink *link, const char *name,
			       struct reading *reading)
{
	struct nlmsghdr *nlh = nftlink_question(link, NFT_MSG_GETSETELEM,
						NFPROTO_INET, NLM_F_DUMP);

	reading->to->count = 0;
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFTTABLE_NAME);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, name);
	return nftlink_ask(link, take_elements, reading);
}

int nftstate_read_addresses(struct nftlink *link, const struct nfttable *table,
			    int which, struct nftstate_addresses *ret_addresses)
{
	struct nftstate_addresses found = { .all = NULL };
	struct reading reading = { .to = &found,
				   .family = table->lists[which].family };
	int i, r = -EINTR;

	for (i = 0; i < TRIES_MAX && r == -EINTR; i++)
		r = read_addresses_once(link, table->lists[which].name, &reading);
	/* After -EINTR use what was read: other programs' changes are not about this set. */
	if (r < 0 && r != -EINTR) {
		free(found.all);
		return r;
	}
	*ret_addresses = found;
	return 0;
}
