/* Scripts about courier's processes.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scene.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORDS_MAX 40

struct actor {
	char name[16], ip[64];	/* the client's */
	unsigned int port;
	pid_t pid, parent;
	bool put, listed, ended;
};

struct scene scene;
static struct {
	const char *steps;
	void (*before)(void), (*after)(void);
} common;
static struct verb {
	const char *name;
	int (*run)(char **args);
} verbs[160];
static size_t verb_count;
static struct actor actors[64];
static size_t actor_count, marked;
static int64_t begun;

/* What is about the next step alone. */
static struct {
	const char *limit, *spare;
	bool pending, nobody, starved;
	char **moment_steps;
	struct fake_moment moment;
	struct rlimit old;
} next;

/* --- words --- */

const char *scene_option(char **args, const char *word, const char *otherwise)
{
	for (; *args; args++)
		if (strcmp(*args, word) == 0 && args[1])
			return args[1];
	return otherwise;
}

bool scene_has(char **args, const char *word)
{
	while (*args && strcmp(*args, word) != 0)
		args++;
	return *args != NULL;
}

static unsigned int number_option(char **args, const char *word, unsigned int otherwise)
{
	const char *text = scene_option(args, word, NULL);

	return text ? (unsigned int)strtoul(text, NULL, 10) : otherwise;
}

int scene_number(const char *text)
{
	int i;

	for (i = 1; i < 140; i++)
		if ((strerrorname_np(i) && strcmp(strerrorname_np(i), text) == 0) ||
		    (sigabbrev_np(i) && strcmp(sigabbrev_np(i), text) == 0))
			return i;
	return atoi(text);
}

int scene_want_words(const char *got, char **args)
{
	char want[512] = "";
	size_t used = 0;

	for (; *args; args++)
		used += (size_t)snprintf(want + used, sizeof(want) - used, "%s%s",
					 used ? " " : "", *args);
	want_str(got, want);
	return 0;
}

static struct actor *find_actor(const char *name, pid_t pid)
{
	size_t i;

	for (i = 0; i < actor_count; i++)
		if (name ? strcmp(actors[i].name, name) == 0 : actors[i].pid == pid)
			return &actors[i];
	return NULL;
}

static struct actor *add_actor(const char *name, pid_t pid)
{
	struct actor *a = &actors[actor_count++];

	want_int(actor_count <= COUNT_OF(actors), true);
	*a = (struct actor){ .pid = pid, .ended = scene.real };
	snprintf(a->name, sizeof(a->name), "%s", name);
	return a;
}

static bool is_number(const char *name)
{
	return strspn(name, "-0123456789") == strlen(name);
}

static struct actor *get_actor(const char *name)
{
	struct actor *a = find_actor(name, 0);

	if (a)
		return a;
	a = add_actor(name, is_number(name) ? (pid_t)atoi(name) : waiter_start());
	a->ended = is_number(name);
	return a;
}

pid_t scene_pid(const char *name)
{
	if (strcmp(name, "self") == 0)
		return getpid();
	if (is_number(name))
		return (pid_t)atoi(name);
	return get_actor(name)->pid;
}

struct addr scene_addr(char **args)
{
	const char *ip = scene_option(args, "ip", NULL);
	struct addr addr;

	if (!ip)
		ip = get_actor(args[0])->ip;
	want_int(addr_parse(ip, strlen(ip), &addr), 0);
	return addr;
}

uint16_t scene_port(char **args)
{
	return (uint16_t)number_option(args, "port", get_actor(args[0])->port);
}

/* --- processes --- */

/* The variables, each NAME=VALUE, up to a NULL. */
static const char *const *variables(char **args)
{
	static const char *found[WORDS_MAX];
	size_t n = 0;

	for (; *args; args++)
		if (strchr(*args, '=') && (*args)[0] != '-')
			found[n++] = *args;
	found[n] = NULL;
	return found;
}

/* A word that is none of the options is a mistake. */
static void want_options(char **args)
{
	static const char *const values[] = { "below", "exe", "comm", "uid", "ip", "port", "on" };
	size_t i;

	for (; *args; args++) {
		for (i = 0; i < COUNT_OF(values) && strcmp(*args, values[i]) != 0; i++)
			;
		if (i < COUNT_OF(values))
			args++;
		else if (!strchr(*args, '=') && (*args)[0] != '-' && strcmp(*args, "raw") != 0 &&
			 strcmp(*args, "container") != 0)
			want_str(*args, "an option");
	}
}

/* The client by the options, which are behind the names of the processes. */
static struct peer take_client(char **options, struct actor *a)
{
	const struct peer peer = {
		.ip = scene_option(options, "ip", "::ffff:192.0.2.7"),
		.port = number_option(options, "port", 41703),
		.local_port = number_option(options, "on", 25),
		.extra = variables(options),
	};

	want_options(options);
	snprintf(a->ip, sizeof(a->ip), "%s", peer.ip);
	a->port = peer.port;
	return peer;
}

static size_t raw_environment(char **args, char *env, size_t size)
{
	const char *const *v;
	size_t used = 0;

	for (v = variables(args); *v; v++)
		used += (size_t)snprintf(env + used, size - used, "%s", *v) + 1;
	return used;
}

static void write_command_line(pid_t pid, const char *exe, char **args)
{
	char text[512];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s", exe) + 1;

	for (; *args; args++)
		if ((*args)[0] == '-')
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", *args) + 1;
	fakeproc_write(&scene.tree, pid, "cmdline", text, used);
}

static void write_children(pid_t parent)
{
	const struct actor *above = find_actor(NULL, parent);
	pid_t pids[COUNT_OF(actors)];
	size_t n = 0, i;

	if (parent != 1 && (!above || !above->put))
		return;
	for (i = 0; i < actor_count; i++)
		if (actors[i].listed && actors[i].parent == parent)
			pids[n++] = actors[i].pid;
	fakeproc_children(&scene.tree, parent, pids, n);
}

static int put(char **args, const char *exe, const char *parent, bool has_client)
{
	struct actor *a = get_actor(args[0]);
	const pid_t old = a->parent;
	const struct peer peer = take_client(args + 1, a);
	char env[4096];
	struct fake_process p = {
		.pid = a->pid, .env = env, .exe = scene_option(args, "exe", exe),
		.comm = scene_option(args, "comm", NULL),
		.ppid = scene_pid(scene_option(args, "below", parent)),
		.uid = number_option(args, "uid", FAKE_UID),
		.other_netns = scene_has(args, "container"),
	};

	if (strcmp(p.exe, "none") == 0)
		p.exe = NULL;
	if (scene_has(args, "raw"))
		p.env_len = raw_environment(args, env, sizeof(env));
	else if (has_client)
		p.env_len = peer_environment(&peer, env, sizeof(env));
	else
		p.env = NULL;
	fakeproc_put(&scene.tree, &p);
	if (p.exe)
		write_command_line(a->pid, p.exe, args + 1);
	a->parent = p.ppid;
	a->put = a->listed = true;
	write_children(old);
	write_children(a->parent);
	write_children(a->pid);
	return 0;
}

VERB_IS(tcpd, put(args, FAKE_TCPD, "1", false))
VERB_IS(smtpd, put(args, FAKE_SMTPD, "t", true))
VERB_IS(tls, put(args, FAKE_TLS, "t", true))
VERB_IS(submit, put(args, "/usr/lib/courier/courier/submit", "s", true))
VERB_IS(process, put(args, "/bin/sh", "1", false))
VERB_DO(waiter, get_actor(args[0]))

static int start(char **args, char kind)
{
	const bool tls = kind == STAND_IN_STARTTLS || kind == STAND_IN_SMTPS;
	struct actor *a = add_actor(args[0], 0);
	const struct peer peer = take_client(args + (tls ? 2 : 1), a);
	const struct connection c = courier_connect(&scene.courier, kind, &peer);

	a->pid = c.smtpd;
	if (tls)
		add_actor(args[1], c.tls);
	return 0;
}

VERB_IS(plain, start(args, STAND_IN_PLAIN))
VERB_IS(starttls, start(args, STAND_IN_STARTTLS))
VERB_IS(smtps, start(args, STAND_IN_SMTPS))
VERB_IS(forked, start(args, STAND_IN_FORKED))
VERB_DO(exec, courier_exec(&scene.courier))
VERB_DO(upgrade, courier_upgrade(&scene.courier))

static int set_listed(char **args, bool listed)
{
	for (; *args; args++) {
		struct actor *a = get_actor(*args);

		a->listed = listed;
		write_children(a->parent);
	}
	return 0;
}

VERB_IS(list, set_listed(args, true))
VERB_IS(unlist, set_listed(args, false))

VERB(children)
{
	pid_t pids[WORDS_MAX];
	size_t n = 0;

	for (; args[n + 1]; n++)
		pids[n] = scene_pid(args[n + 1]);
	fakeproc_children(&scene.tree, scene_pid(args[0]), pids, n);
	return 0;
}

VERB_DO(lose, fakeproc_remove(&scene.tree, scene_pid(args[0]), args[1]))
VERB_DO(exe, fakeproc_exe(&scene.tree, scene_pid(args[0]), args[1]))
VERB_DO(newest,
	fakeproc_last_pid(&scene.tree, scene_pid(args[0]) + (args[1] ? atoi(args[1]) : 0)))
VERB_DO(drop, fakeproc_drop(&scene.tree, scene_pid(args[0])))

VERB(trap)
{
	looker_set_wait(scene.rules.looker, HANGS_MS);
	for (; *args; args++)
		fakeproc_trap(&scene.tree, scene_pid(*args));
	return 0;
}

VERB_IS(release, fakeproc_release(&scene.tree, scene_pid(args[0])))

VERB(end)
{
	struct actor *a;

	for (; *args; args++) {
		a = get_actor(*args);
		waiter_end(a->pid);
		a->ended = true;
	}
	return 0;
}

VERB(kill)
{
	const pid_t pid = scene_pid(args[0]);

	return kill(pid, SIGKILL) == 0 && has_ended_soon(pid) ? 0 : -EIO;
}

VERB_DO(stop, process_stop(scene_pid(args[0])))
VERB_IS(go, kill(scene_pid(args[0]), SIGCONT))
VERB_IS(living, is_living(scene_pid(args[0])))
VERB_DO(mark, marked = descriptors_open())
VERB_IS(more, (int)(descriptors_open() - marked))
VERB_IS(lookers, threads_ended_soon(scene.threads + (size_t)atoi(args[0])) ? 0 : -EIO)
VERB_DO(begin, begun = clock_ms())
VERB_IS(quick, clock_ms() - begun < HANGS_MS ? 0 : -ETIMEDOUT)

/* --- steps --- */

void scene_add_verb(const char *name, int (*run)(char **args))
{
	must(verb_count < COUNT_OF(verbs), "too many verbs");
	verbs[verb_count++] = (struct verb){ name, run };
}

static int run_words(char **words)
{
	size_t i;

	for (i = 0; i < verb_count; i++)
		if (strcmp(verbs[i].name, words[0]) == 0)
			return verbs[i].run(words + 1);
	want_str(words[0], "a verb");
	return -ENOSYS;
}

static int attempt(void *words)
{
	const int r = run_words(words);

	return r < 0 ? r : 0;
}

/* In the thread of the moment: steps with "and" between them. */
static void run_moment(void *data)
{
	char **words = data, **at;

	for (at = words; *at; at++) {
		if (strcmp(*at, "and") != 0)
			continue;
		*at = NULL;
		run_words(words);
		words = at + 1;
	}
	run_words(words);
}

static void set_limit(void)
{
	struct rlimit low;
	int lowest = dup(STDERR_FILENO);

	close(lowest);
	want_int(getrlimit(RLIMIT_NOFILE, &next.old), 0);
	low = next.old;
	low.rlim_cur = next.limit ? (rlim_t)atoi(next.limit) : (rlim_t)(lowest + atoi(next.spare));
	want_int(setrlimit(RLIMIT_NOFILE, &low), 0);
}

static int run_conditioned(char **words)
{
	int r;

	if (next.limit || next.spare)
		set_limit();
	if (next.nobody)
		user_become(NOBODY_UID);
	r = next.starved ? (int)memory_fail_each(attempt, words) : run_words(words);
	if (next.nobody)
		user_back();
	if (next.limit || next.spare)
		want_int(setrlimit(RLIMIT_NOFILE, &next.old), 0);
	if (next.moment_steps)
		want_int(fakeproc_came(&next.moment), true);
	memset(&next, 0, sizeof(next));
	return r;
}

/* Is it a step about the next one? */
static bool is_condition(char **words, size_t count)
{
	static char *steps[WORDS_MAX];

	if (strcmp(words[0], "limit") == 0 && count == 2) {
		next.limit = words[1];
	} else if (strcmp(words[0], "spare") == 0 && count == 2) {
		next.spare = words[1];
	} else if (strcmp(words[0], "as") == 0 && count == 2) {
		next.nobody = true;
	} else if (strcmp(words[0], "starved") == 0 && count == 1) {
		next.starved = true;
	} else if (strcmp(words[0], "during") == 0) {
		memcpy(steps, words + 4, sizeof(steps) - 4 * sizeof(*steps));
		next.moment_steps = steps;
		fakeproc_at(&scene.tree, scene_pid(words[3]), words[1], run_moment, steps,
			    &next.moment);
	} else {
		return false;
	}
	next.pending = true;
	return true;
}

static void want_result(int r, const char *relation, const char *want)
{
	char got[32];

	if (relation[0] == '>' && r >= atoi(want))
		return;
	snprintf(got, sizeof(got), "%d", r);
	want_str(r < 0 ? strerrorname_np(-r) : got, want);
}

static size_t split(char *text, char **words)
{
	size_t n = 0;
	char end_mark;

	while (*(text += strspn(text, " ")) && n < WORDS_MAX - 1) {
		end_mark = *text == '\'' ? '\'' : ' ';
		text += end_mark == '\'';
		words[n++] = text;
		text += strcspn(text, (char[]){ end_mark, '\0' });
		if (*text)
			*text++ = '\0';
	}
	words[n] = NULL;
	return n;
}

static void run_step(char *text)
{
	char *words[WORDS_MAX] = { NULL }, *relation = NULL, *want = NULL;
	size_t n = split(text, words);
	int r;

	if (n == 0 || is_condition(words, n))
		return;
	if (n > 2 && strchr("=>", words[n - 2][0])) {
		relation = words[n - 2];
		want = words[n - 1];
		words[n - 2] = NULL;
	}
	r = run_conditioned(words);
	if (relation)
		want_result(r, relation, want);
	else
		want_int(r >= 0, true);
}

static void run_steps(const char *text)
{
	char *copy = support_exact_copy(text, strlen(text) + 1), *rest = copy, *step;

	while ((step = strsep(&rest, ";"))) {
		support_context = text + (step - copy);
		run_step(step);
	}
	want_int(next.pending, false);
	support_context = NULL;
	free(copy);
}

/* --- a scene --- */

static void open_rules(struct smtpd_rules *rules, uid_t uid)
{
	*rules = (struct smtpd_rules){ .procfs = &scene.procfs, .uid = uid };
	rules->looker = patient_looker(&scene.procfs);
	want_int(tcpd_new(&scene.procfs, rules->looker, uid, &rules->tcpds), 0);
}

static void open_files(void)
{
	fakeproc_open(&scene.tree);
	fakeproc_put(&scene.tree, &(struct fake_process){ .pid = 1, .exe = "/sbin/init" });
	want_int(procfs_init(&scene.procfs, scene.tree.root), 0);
	open_rules(&scene.rules, FAKE_UID);
}

static void open_scene(bool real)
{
	scene = (struct scene){ .real = real };
	memset(&next, 0, sizeof(next));
	actor_count = 0;
	scene.descriptors = descriptors_open();
	scene.threads = threads_running();
	scene.scratch = malloc(sizeof(*scene.scratch));
	assert_non_null(scene.scratch);
	if (real) {
		want_int(procfs_init(&scene.procfs, PROCFS_DEFAULT_ROOT), 0);
		open_rules(&scene.rules, geteuid());
		courier_start(&scene.courier);
		add_actor("t", scene.courier.tcpd);
	} else if (common.steps) {
		open_files();
		run_steps(common.steps);
	}
	if (common.before)
		common.before();
}

void scene_open(void)
{
	open_scene(false);
}

static void close_processes(void)
{
	size_t i;

	for (i = 0; i < actor_count; i++)
		if (!actors[i].ended)
			waiter_end(actors[i].pid);
	if (scene.real)
		courier_stop(&scene.courier);
	tcpd_free(scene.rules.tcpds);
	want_int(looker_free(scene.rules.looker), true);
	want_int(threads_ended_soon(scene.threads), true);
	if (!scene.real)
		fakeproc_close(&scene.tree);
}

void scene_close(void)
{
	if (common.after)
		common.after();
	if (scene.real || common.steps)
		close_processes();
	free(scene.scratch);
	want_int(descriptors_open(), scene.descriptors);
}

void scene_set_common(const char *steps, void (*before)(void), void (*after)(void))
{
	common.steps = steps;
	common.before = before;
	common.after = after;
}

static bool begins_with(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0 && text[strlen(word)] == ';';
}

static void run_script(void **state)
{
	const struct script *script = *state;
	const bool real = begins_with(script->text, "real") || begins_with(script->text, "root");

	open_scene(real);
	run_steps(script->text + (real ? strlen("real;") : 0));
	scene_close();
}

void scene_add_points(const struct script *scripts, size_t count)
{
	const struct script *s;

	for (s = scripts; s < scripts + count; s++)
		suite_add_needing(begins_with(s->text, "root") ? needs_root : suite_nothing,
				  run_script, s, "%s", s->label);
}
