/* Parse iptables rules and follow a packet through them.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/read/iptables_save.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"

/* Longest name of a chain or list, NUL included (XT_EXTENSION_MAXNAMELEN is 29; a list has
 * at most 200). */
#define NAME_SIZE 208
#define WORDS_MAX 128

/* Deepest chain of jumps. A real ruleset has no loops; this ends malformed input. */
#define DEPTH_MAX 32
#define STEPS_MAX 1000000UL

enum state {
	STATE_NEW = 1,
	STATE_ESTABLISHED = 2,
};

struct rule {
	char table[32];
	char chain[NAME_SIZE];
	char target[NAME_SIZE];	/* "": none */
	bool target_is_goto;
	bool never;		/* no TCP packet from outside matches */
	bool some;		/* further conditions: only some packets match */
	unsigned int states;	/* enum state, or'ed; 0: no condition */
	const char *ports;	/* "25,465:587"; NULL: any. Points into words */
	bool not_ports;
	bool sets;		/* --set: adds sources to the list without a condition */
	char list[NAME_SIZE];	/* list of a recent match; "": none */
	struct iptables_save_recent recent;
	char *words;		/* the line, split into words; owned */
};

struct iptables_save {
	struct rule *rules;
	size_t count;
};

/* The words of the rule being read, and the position. */
struct words {
	char *word[WORDS_MAX];
	size_t count, at;
	bool inverted;		/* a ! precedes the option */
};

/* The state of one packet. */
struct walk {
	const struct iptables_save *rules;
	const char *table;
	const char *list;
	uint16_t port;
	enum state state;
	unsigned long steps;
	const struct rule *reached;	/* the rule that names the list */
	const struct rule *ended;	/* the rule that accepted or dropped it */
};

/* --- reading ------------------------------------------------------------- */

/* A quoted word, as iptables-save writes comments. */
static char *unquote(char *at)
{
	char *to = at;

	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
		*to++ = *at;
	}
	if (*at)
		at++;
	*to = '\0';
	return at;
}

static void split(char *line, struct words *words)
{
	words->count = words->at = 0;
	for (;;) {
		char *word;

		line += strspn(line, " \t\r");
		if (*line == '\0' || words->count == WORDS_MAX)
			return;
		word = line;
		if (*line == '"')
			line = unquote(line);
		else
			line += strcspn(line, " \t\r");
		words->word[words->count++] = word;
		if (*line == '\0')
			return;
		*line++ = '\0';
	}
}

/* The option's value: the words up to the next option. */
static const char *argument(struct words *words)
{
	if (words->at < words->count && words->word[words->at][0] != '-' &&
	    strcmp(words->word[words->at], "!") != 0)
		return words->word[words->at++];
	return "";
}

static void copy(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && strncmp(list, word, n) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

static void take_states(struct rule *rule, const char *names, bool inverted)
{
	unsigned int states = 0;

	if (has_word(names, "NEW"))
		states |= STATE_NEW;
	if (has_word(names, "ESTABLISHED"))
		states |= STATE_ESTABLISHED;
	if (inverted)
		states ^= STATE_NEW | STATE_ESTABLISHED;
	rule->states = states;
	rule->never |= states == 0;
}

static void take_protocol(struct rule *rule, const char *name, bool inverted)
{
	bool tcp = strcmp(name, "tcp") == 0 || strcmp(name, "6") == 0;
	bool all = strcmp(name, "all") == 0 || strcmp(name, "0") == 0;

	if ((tcp || all) == inverted)
		rule->never = true;
}

static void take_interface(struct rule *rule, const char *name, bool inverted)
{
	if (strcmp(name, "lo") != 0)
		rule->some = true;
	else if (!inverted)
		rule->never = true;
}

static bool take_recent(struct rule *rule, const char *option, struct words *words)
{
	struct iptables_save_recent *recent = &rule->recent;

	if (strcmp(option, "--name") == 0)
		copy(rule->list, sizeof(rule->list), argument(words));
	else if (strcmp(option, "--seconds") == 0)
		recent->seconds = (unsigned int)strtoul(argument(words), NULL, 10);
	else if (strcmp(option, "--hitcount") == 0)
		recent->hitcount = (unsigned int)strtoul(argument(words), NULL, 10);
	else if (strcmp(option, "--mask") == 0)
		copy(recent->mask, sizeof(recent->mask), argument(words));
	else if (strcmp(option, "--rdest") == 0)
		recent->rdest = true;
	else if (strcmp(option, "--update") == 0)
		recent->update = true;
	else if (strcmp(option, "--set") == 0)
		rule->sets = true;
	else
		return false;
	return true;
}

/* Options that add no condition. */
static bool is_no_match(const char *option)
{
	static const char *const names[] = {
		"-m", "--match", "--comment", "--rsource", "--rcheck", "--reject-with", "-c",
	};
	size_t i;

	for (i = 0; i < COUNT_OF(names); i++)
		if (strcmp(option, names[i]) == 0)
			return true;
	return false;
}

static void take_ports(struct rule *rule, const char *ports, bool inverted)
{
	rule->ports = ports;
	rule->not_ports = inverted;
}

static bool is_any(const char *option, const char *a, const char *b)
{
	return strcmp(option, a) == 0 || strcmp(option, b) == 0;
}

static void take_target(struct rule *rule, const char *option, const char *name)
{
	rule->target_is_goto = is_any(option, "-g", "--goto");
	copy(rule->target, sizeof(rule->target), name);
}

static void take_option(struct rule *rule, struct words *words)
{
	const char *option = words->word[words->at++];
	bool inverted = words->inverted;

	if (is_any(option, "-j", "-g") || is_any(option, "--jump", "--goto"))
		take_target(rule, option, argument(words));
	else if (is_any(option, "-p", "--protocol"))
		take_protocol(rule, argument(words), inverted);
	else if (is_any(option, "-i", "--in-interface"))
		take_interface(rule, argument(words), inverted);
	else if (is_any(option, "--dport", "--dports"))
		take_ports(rule, argument(words), inverted);
	else if (is_any(option, "--ctstate", "--state"))
		take_states(rule, argument(words), inverted);
	else if (is_no_match(option))
		argument(words);
	else if (!take_recent(rule, option, words) || inverted)
		rule->some = true;
}

static void take_words(struct rule *rule, struct words *words)
{
	while (words->at < words->count) {
		words->inverted = strcmp(words->word[words->at], "!") == 0;
		words->at += words->inverted;
		if (words->at == words->count)
			return;
		if (words->word[words->at][0] == '-')
			take_option(rule, words);
		else
			words->at++;
	}
}

static bool is_drop(const char *target)
{
	return is_any(target, "DROP", "REJECT") || strcmp(target, "TARPIT") == 0;
}

static void finish(struct rule *rule, const char *line)
{
	if (rule->sets)
		rule->list[0] = '\0';
	copy(rule->recent.text, sizeof(rule->recent.text), line);
	rule->recent.drops = is_drop(rule->target);
}

/* Parses "-A CHAIN ...". */
static int add_rule(struct iptables_save *rules, const char *table, const char *line)
{
	struct rule *rule = array_add(&rules->rules, &rules->count);
	struct words words = { .count = 0 };

	if (!rule)
		return -ENOMEM;
	rule->words = strdup(line);
	if (!rule->words)
		return -ENOMEM;
	split(rule->words, &words);
	words.at = 1;
	copy(rule->table, sizeof(rule->table), table);
	copy(rule->chain, sizeof(rule->chain), argument(&words));
	take_words(rule, &words);
	finish(rule, line);
	return 0;
}

static int take_line(struct iptables_save *rules, char table[static 32], const char *line)
{
	if (line[0] == '*')
		copy(table, 32, line + 1);
	else if (strncmp(line, "-A ", 3) == 0)
		return add_rule(rules, table, line);
	return 0;
}

static int take_lines(struct iptables_save *rules, char *text)
{
	char table[32] = "";
	char *line, *rest = text;
	int r = 0;

	while (r == 0 && (line = strsep(&rest, "\n")) != NULL)
		r = take_line(rules, table, line);
	return r;
}

int iptables_save_parse(const char *text, size_t len, struct iptables_save **ret_ruleset)
{
	struct iptables_save *rules = calloc(1, sizeof(*rules));
	char *lines = strndup(text, len);
	int r = rules && lines ? 0 : -ENOMEM;

	if (r == 0)
		r = take_lines(rules, lines);
	free(lines);
	if (r < 0) {
		iptables_save_free(rules);
		return r;
	}
	*ret_ruleset = rules;
	return 0;
}

void iptables_save_free(struct iptables_save *rules)
{
	size_t i;

	if (!rules)
		return;
	for (i = 0; i < rules->count; i++)
		free(rules->rules[i].words);
	free(rules->rules);
	free(rules);
}

/* --- following a packet -------------------------------------------------- */

/* Parses "25,465:587,submission". iptables-save prints no names of services, so these match
 * nothing. */
static bool ports_match(const char *ports, uint16_t port)
{
	while (*ports) {
		char *end;
		unsigned long first = strtoul(ports, &end, 10), last = first;

		if (*end == ':')
			last = strtoul(end + 1, &end, 10);
		if (first <= port && port <= last)
			return true;
		ports = end + strcspn(end, ",");
		ports += *ports == ',';
	}
	return false;
}

static bool can_match(const struct rule *rule, const struct walk *walk)
{
	if (rule->never)
		return false;
	if (rule->states && !(rule->states & walk->state))
		return false;
	return !rule->ports || ports_match(rule->ports, walk->port) != rule->not_ports;
}

/* Does every packet like this one match? */
static bool must_match(const struct rule *rule)
{
	return !rule->some && rule->list[0] == '\0';
}

static enum iptables_save_way walk_chain(struct walk *walk, const char *chain,
					 unsigned int depth);

static bool ends_walk(struct walk *walk, const struct rule *rule, enum iptables_save_way *way)
{
	if (strcmp(rule->target, "ACCEPT") == 0)
		*way = IPTABLES_ACCEPTED;
	else if (is_drop(rule->target))
		*way = IPTABLES_STOPPED;
	else
		return false;
	if (!must_match(rule))
		return false;
	walk->ended = rule;
	return true;
}

/* Returns whether the packet leaves this chain. */
static bool step(struct walk *walk, const struct rule *rule, unsigned int depth,
		 enum iptables_save_way *way)
{
	if (strcmp(rule->list, walk->list) == 0) {
		walk->reached = rule;
		*way = IPTABLES_REACHED;
		return true;
	}
	if (ends_walk(walk, rule, way))
		return true;
	if (strcmp(rule->target, "RETURN") == 0)
		return must_match(rule);
	*way = walk_chain(walk, rule->target, depth + 1);
	if (*way == IPTABLES_MISSED)
		return rule->target_is_goto && must_match(rule);
	return *way == IPTABLES_REACHED || must_match(rule);
}

static enum iptables_save_way walk_chain(struct walk *walk, const char *chain,
					 unsigned int depth)
{
	enum iptables_save_way way = IPTABLES_MISSED;
	size_t i;

	if (depth == DEPTH_MAX || *chain == '\0')
		return IPTABLES_MISSED;
	for (i = 0; i < walk->rules->count && walk->steps < STEPS_MAX; i++) {
		const struct rule *rule = &walk->rules->rules[i];

		walk->steps++;
		if (strcmp(rule->table, walk->table) != 0 || strcmp(rule->chain, chain) != 0)
			continue;
		way = IPTABLES_MISSED;
		if (can_match(rule, walk) && step(walk, rule, depth, &way))
			return way;
	}
	return IPTABLES_MISSED;
}

/* Follows the chains in the kernel's order to the first one with a rule for the list. If
 * none has one, the result is what filter's INPUT does with the packet. */
static enum iptables_save_way walk_all(struct walk *walk)
{
	static const char *const chains[][2] = {
		{ "raw", "PREROUTING" },
		{ "mangle", "PREROUTING" },
		{ "mangle", "INPUT" },
		{ "filter", "INPUT" },
	};
	enum iptables_save_way way = IPTABLES_MISSED;
	size_t i;

	for (i = 0; i < COUNT_OF(chains); i++) {
		walk->table = chains[i][0];
		walk->ended = NULL;
		way = walk_chain(walk, chains[i][1], 0);
		if (way == IPTABLES_REACHED || way == IPTABLES_STOPPED)
			return way;
	}
	return way;
}

static const struct rule *find_list(const struct iptables_save *rules, const char *list)
{
	size_t i;

	for (i = 0; i < rules->count; i++)
		if (strcmp(rules->rules[i].list, list) == 0)
			return &rules->rules[i];
	return NULL;
}

void iptables_save_ask(const struct iptables_save *rules, const char *list, uint16_t port,
		       struct iptables_save_answer *ret_answer)
{
	struct walk fresh = { .rules = rules, .list = list, .port = port,
			      .state = STATE_NEW };
	struct walk later = { .rules = rules, .list = list, .port = port,
			      .state = STATE_ESTABLISHED };
	const struct rule *rule = find_list(rules, list);
	const struct rule *ended;

	memset(ret_answer, 0, sizeof(*ret_answer));
	ret_answer->exists = rule != NULL;
	ret_answer->new_connections = rule ? walk_all(&fresh) : IPTABLES_MISSED;
	ret_answer->established = rule ? walk_all(&later) : IPTABLES_MISSED;
	if (fresh.reached)
		rule = fresh.reached;
	if (rule)
		ret_answer->rule = rule->recent;
	ended = ret_answer->new_connections == IPTABLES_REACHED ? later.ended : fresh.ended;
	if (ended)
		copy(ret_answer->before, sizeof(ret_answer->before), ended->recent.text);
}
