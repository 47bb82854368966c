/* Sets up our nftables table.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/nftsetup.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cidr.h"

/* Tries if other programs change rules at the same time; the second last one ignores the
 * generation. */
#define TRIES_MAX 6

/* Addresses restored in one transaction. */
#define PUT_MAX 128

/* What has to be done about one list. */
struct change {
	bool drop_rules, drop_set, make_set, make_rule;
	struct nftstate_addresses kept;
};

/* If any parameter differs, set and rule are both recreated: addresses may need another mask. */
static struct change plan(const struct nftstate *state, int which,
			  enum nftsetup_demand demand)
{
	const struct nftstate_list *list = &state->lists[which];
	bool fits = demand == NFTSETUP_EXACT ?
			    nftstate_is_as_wanted(state, which) :
			    list->usable;
	struct change c = { .drop_rules = false };

	if (nftstate_works(state, which) && fits)
		return c;
	c.make_set = !fits;
	c.drop_set = c.make_set && list->set;
	c.drop_rules = c.make_set && list->rules > 0;
	c.make_rule = c.drop_rules || list->rules == 0;
	return c;
}

static bool is_nothing(const struct change *c)
{
	return !c->make_set && !c->make_rule;
}

static int put_drops(struct nftlink *link, const struct nfttable *table,
		     const struct nftstate *state, const struct change changes[2])
{
	unsigned int n;
	int i, r = 0;

	for (i = 0; i < 2; i++) {
		const struct nftstate_list *list = &state->lists[i];

		for (n = 0; changes[i].drop_rules && r == 0 && n < list->rules &&
			    n < NFTSTATE_RULES_MAX;
		     n++)
			r = nfttable_drop_rule(link, list->rule_handles[n]);
		if (r == 0 && changes[i].drop_set)
			r = nfttable_drop_set(link, table->lists[i].name);
	}
	return r;
}

static int put_makes(struct nftlink *link, const struct nfttable *table,
		     const struct nftstate *state, const struct change changes[2])
{
	int i, r;

	r = nfttable_put_table(link);
	if (r == 0 && !state->chain)
		r = nfttable_put_chain(link);
	for (i = 0; i < 2; i++) {
		if (r == 0 && changes[i].make_set)
			r = nfttable_put_set(link, table, i);
		if (r == 0 && changes[i].make_rule)
			r = nfttable_put_rule(link, table, i);
	}
	return r;
}

/* One transaction, so that no intermediate state is visible. */
static int commit_changes(struct nftlink *link, const struct nfttable *table,
			  const struct nftstate *state,
			  const struct change changes[2], bool any_generation)
{
	int r;

	nftlink_begin(link, any_generation ? 0 : state->genid);
	r = put_drops(link, table, state, changes);
	if (r == 0)
		r = put_makes(link, table, state, changes);
	return r < 0 ? r : nftlink_commit(link, NULL, NULL);
}

/* Restore the next addresses. Returns how many, or -errno. */
static int put_some_back(struct nftlink *link, const struct nfttable *table,
			 int which, const struct nftstate_address *all,
			 size_t count)
{
	const struct nfttable_list *list = &table->lists[which];
	struct addr addr;
	size_t i;
	int r = 0;

	nftlink_begin(link, 0);
	for (i = 0; i < count && i < PUT_MAX && r == 0; i++) {
		addr = cidr_mask(&all[i].addr, list->prefix);
		r = nfttable_put_address(link, list->name, &addr,
					 (uint64_t)all[i].left);
	}
	if (r == 0)
		r = nftlink_commit(link, NULL, NULL);
	return r < 0 ? r : (int)i;
}

/* Restore the addresses. If the new set is smaller, those that fit. */
static int put_back(struct nftlink *link, const struct nfttable *table, int which,
		    const struct nftstate_addresses *kept)
{
	size_t done = 0;
	int r;

	while (done < kept->count) {
		r = put_some_back(link, table, which, kept->all + done,
				  kept->count - done);
		if (r < 0)
			return r == -ENFILE ? 0 : r;
		done += (size_t)r;
	}
	return 0;
}

/* Save the addresses of the sets that will be replaced. */
static int keep(struct nftlink *link, const struct nfttable *table,
		const struct nftstate *state, struct change changes[2])
{
	int i, r = 0;

	for (i = 0; i < 2 && r == 0; i++)
		if (changes[i].drop_set && state->lists[i].usable)
			r = nftstate_read_addresses(link, table, i,
						    &changes[i].kept);
	return r;
}

static int change(struct nftlink *link, const struct nfttable *table,
		  const struct nftstate *state, struct change changes[2],
		  bool any_generation)
{
	int i, r;

	if (state->chain && !state->hooked)
		return -EEXIST;
	r = keep(link, table, state, changes);
	if (r == 0)
		r = commit_changes(link, table, state, changes, any_generation);
	for (i = 0; i < 2; i++) {
		if (r == 0)
			r = put_back(link, table, i, &changes[i].kept);
		free(changes[i].kept.all);
	}
	return r;
}

/* Returns 1: nothing to do; 0: done; -errno. */
static int ensure_once(struct nftlink *link, const struct nfttable *table,
		       enum nftsetup_demand demand, bool any_generation,
		       struct nftstate *state)
{
	struct change changes[2];
	int i, r;

	r = nftstate_read(link, table, state);
	if (r < 0)
		return r;
	for (i = 0; i < 2; i++)
		changes[i] = plan(state, i, demand);
	if (is_nothing(&changes[0]) && is_nothing(&changes[1]))
		return 1;
	return change(link, table, state, changes, any_generation);
}

/* Returns whether anything was changed, or -errno. */
static int ensure(struct nftlink *link, const struct nfttable *table,
		  enum nftsetup_demand demand, struct nftstate *ret_state)
{
	int changed = 0, i, r = 0;

	for (i = 0; i < TRIES_MAX; i++) {
		r = ensure_once(link, table, demand, i == TRIES_MAX - 2,
				ret_state);
		if (r == 1)
			return changed;
		if (r == 0)
			changed = 1;
		else if (r != -ERESTART && r != -ENOENT)
			return r;
	}
	return -EAGAIN;
}

int nftsetup_ensure(struct nftlink *link, const struct nfttable *table,
		    enum nftsetup_demand demand, struct nftstate *ret_state)
{
	int r = ensure(link, table, demand, ret_state);

	return r < 0 ? r : 0;
}

/* The table and a link, for one call of the tool. */
static int open_both(const struct backend_config *config, struct nfttable *table,
		     struct nftlink **ret_link)
{
	int r = nfttable_init(table, config);

	return r < 0 ? r : nftlink_new(ret_link);
}

int nftsetup_apply(const struct backend_config *config, bool *ret_changed)
{
	struct nftlink *link = NULL;
	struct nfttable table;
	struct nftstate state;
	int r;

	r = open_both(config, &table, &link);
	if (r == 0)
		r = ensure(link, &table, NFTSETUP_EXACT, &state);
	nftlink_free(link);
	if (r < 0)
		return r;
	*ret_changed = r > 0;
	return 0;
}

int nftsetup_look(const struct backend_config *config, struct nftstate *ret_state)
{
	struct nftlink *link = NULL;
	struct nfttable table;
	struct nftstate state;
	int r;

	r = open_both(config, &table, &link);
	if (r == 0)
		r = nftstate_read(link, &table, &state);
	nftlink_free(link);
	if (r == 0)
		*ret_state = state;
	return r;
}
