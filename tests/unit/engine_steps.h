/* Steps of scripts about a whole engine (scene.h, harness.h). Processes are "smtpd", "submit",
 * "tcpd", "second" and "gone", one that has exited. TEXT may be "reject" or "started".
 *
 *	set NAME VALUE...	parameters, before the start
 *	env P VARIABLE...	the environment of smtpd or submit
 *	second [port N] [ip IP] [on N] VARIABLE...	add a courieresmtpd
 *	start, halt, hup	the engine
 *	line TEXT [from P] [VERDICT]	harness_line(), and its verdict
 *	hand TEXT [from P] [deferred|done]	harness_hand()
 *	message TEXT [from P] [uid N] [exe PATH] [age N] [severity N] [VERDICT] [done]
 *	started [from P], pinned	harness_started(), harness_want_pinned()
 *	stranger		make submit an smtpd of another user
 *	soon NAME N, count NAME	wait for a counter's value; its value
 *	says TEXT, said TEXT	wait for a message; how many there are
 *	lives P..., ends P...
 *	make L, remove L	a list, "4" or "6"
 *	on L COMMAND...		what was written to it
 *
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_ENGINE_STEPS_H
#define TESTS_UNIT_ENGINE_STEPS_H

#include <stdlib.h>
#include <string.h>

#include "tests/unit/harness.h"
#include "tests/unit/processes.h"
#include "tests/unit/scene.h"

/* A line about all smtpds of the peer. */
#define WITHOUT_PORT "'error,relay=::ffff:" PEER ",from=<a>: 511 " LISTED "'"

/* Of each script. */
static struct harness h;
static pid_t second;

static void engine_steps_open(void)
{
	second = 0;
	harness_open(&h);
}

static void engine_steps_close(void)
{
	harness_close(&h);
	if (second)
		waiter_end(second);
}

static pid_t gone_pid(void)
{
	const pid_t pid = waiter_start();

	waiter_end(pid);
	return pid;
}

static pid_t pid_of(const char *name)
{
	if (strcmp(name, "gone") == 0)
		return gone_pid();
	return strcmp(name, "smtpd") == 0 ? h.smtpd :
	       strcmp(name, "submit") == 0 ? h.submit :
	       strcmp(name, "tcpd") == 0 ? h.tcpd : second;
}

static pid_t sender_of(char **args)
{
	const char *name = scene_option(args, "from", NULL);

	return name ? pid_of(name) : 0;
}

static const char *text_of(const char *word)
{
	return strcmp(word, "reject") == 0 ? REJECT : strcmp(word, "started") == 0 ? STARTED : word;
}

static enum counter counter_of(const char *name)
{
	unsigned int i = 0;

	while (strcmp(counters_name((enum counter)i), name) != 0)
		want_int(++i < COUNTER_COUNT, true);
	return (enum counter)i;
}

/* The last word, if it is a verdict. */
static void want_verdict(enum verdict got, char **args)
{
	static const char *const names[] = {
		[VERDICT_BLOCK] = "blocks",
		[VERDICT_NOT_A_TRIGGER] = "ignored",
		[VERDICT_EXEMPT] = "exempt",
		[VERDICT_UNPROVEN] = "unproven",
	};
	size_t i;

	for (i = 0; i < COUNT_OF(names); i++)
		if (scene_has(args, names[i]))
			want_str(names[got], names[i]);
}

VERB(set)
{
	for (; *args; args += 2)
		harness_set(&h, args[0], args[1]);
	return 0;
}

VERB(env)
{
	if (strcmp(args[0], "smtpd") == 0)
		harness_smtpd_env(&h, (const char *const *)(args + 1));
	else
		harness_submit_env(&h, (const char *const *)(args + 1));
	return 0;
}

VERB(second)
{
	static const char *extra[40];
	size_t n = 0;
	char **at;
	const struct peer peer = {
		.ip = scene_option(args, "ip", "::ffff:" PEER),
		.port = (unsigned int)atoi(scene_option(args, "port", "41999")),
		.local_port = (unsigned int)atoi(scene_option(args, "on", "25")),
		.extra = extra,
	};

	for (at = args; *at; at++)
		if (strchr(*at, '='))
			extra[n++] = *at;
	extra[n] = NULL;
	second = harness_add_child(&h, &peer);
	return 0;
}

VERB_DO(start, harness_start(&h))
VERB_DO(halt, harness_stop(&h))
VERB_DO(hup, engine_hup(h.block))

VERB(line)
{
	want_verdict(harness_line(&h, text_of(args[0]), sender_of(args + 1)).verdict, args + 1);
	return 0;
}

VERB(hand)
{
	const bool deferred = harness_hand(&h, text_of(args[0]), sender_of(args + 1)).deferred;

	want_int(!scene_has(args, "deferred") || deferred, true);
	want_int(!scene_has(args, "done") || !deferred, true);
	return 0;
}

/* A line with what the kernel knows of its sender: uid, exe; or with an age, or a severity. */
VERB(message)
{
	const char *exe = scene_option(args, "exe", "");
	const struct engine_message msg = {
		.tag = "courieresmtpd", .tag_len = strlen("courieresmtpd"),
		.severity = atoi(scene_option(args, "severity", "3")),
		.age = atoi(scene_option(args, "age", "0")),
		.text = text_of(args[0]), .text_len = strlen(text_of(args[0])),
		.has_uid = scene_has(args, "uid"),
		.uid = (uid_t)atoi(scene_option(args, "uid", "0")),
		.exe = exe, .exe_len = strlen(exe),
		.attested_pid = sender_of(args),
	};
	const struct engine_outcome out = engine_handle(h.block, h.worker, &msg);

	want_verdict(out.verdict, args + 1);
	want_int(!scene_has(args, "done") || !out.deferred, true);
	return 0;
}

/* Its submit is the smtpd of another user. */
VERB_DO(stranger, fakeproc_put(&h.tree, &(struct fake_process){
	.pid = h.submit, .exe = FAKE_SMTPD, .ppid = h.smtpd, .uid = 1 }))

VERB_DO(started, harness_started(&h, sender_of(args)))
VERB_DO(pinned, harness_want_pinned(&h))
VERB_DO(soon, harness_want_soon(&h, counter_of(args[0]), (uint64_t)atoi(args[1])))
VERB_IS(count, (int)harness_count(&h, counter_of(args[0])))
VERB_DO(says, harness_want_said(&h, args[0]))
VERB_IS(said, (int)harness_said(&h, args[0]))

VERB(lives)
{
	for (; *args; args++)
		want_int(is_living(pid_of(*args)), true);
	return 0;
}

VERB(ends)
{
	for (; *args; args++)
		want_int(has_ended_soon(pid_of(*args)), true);
	return 0;
}

static const char *path_of(const char *list)
{
	return *list == '4' ? "xt_recent/spammer" : "xt_recent/spammer6";
}

VERB_DO(make, fakelists_make(&h.lists, path_of(args[0])))
VERB_DO(remove, fakelists_remove(&h.lists, path_of(args[0])))

VERB(on)
{
	char *text = fakelists_text(&h.lists, path_of(args[0])), *at;
	int r;

	for (at = text; *at; at++)
		if (*at == '\n')
			*at = at[1] ? ' ' : '\0';
	r = scene_want_words(text, args + 1);
	free(text);
	return r;
}

#endif
