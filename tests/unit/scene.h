/* Tests as sentences: a script sets up processes of courier's, changes them, calls what is
 * tested, and names the result.
 *
 *	smtpd s BLOCK=Listed; open s = 0; uid s 1235; recheck = EPERM
 *
 * Steps are separated by ';'. A step is a verb with its arguments and, behind '=' or '>=',
 * the result: a number, or the name of an error; without it any result but an error is
 * right. A word with blanks has quotes (') around it.
 *
 * Any name is a process: a real one that only waits, and what the invented /proc shows for
 * it. A number is that PID. A script that begins with "real" works on real processes of
 * courier's (processes.h) in the real /proc, where "t" is the couriertcpd; one that begins
 * with "root" too, and needs root.
 *
 * Courier has uid 1234. Verbs of all scripts:
 *
 *	tcpd P, smtpd P, tls P, submit P, process P	put P into the tree, or replace it
 *	plain P, starttls P TLS, smtps P TLS	start a real connection
 *	forked P, exec				a real child of couriertcpd; it calls exec
 *	upgrade					replace the real executables
 * with: below P; exe PATH; comm NAME; uid N; container; ip IP, port N, on LOCALPORT; raw:
 *	the environment has only what is named; NAME=VALUE is a variable
 *	unlist P, list P	P is not, is among its parent's children
 *	children P C...		P has these, until the next change
 *	lose P FILE		remove a file of P
 *	exe P PATH		change P's executable
 *	newest P [N]		the PID that was assigned last is P's, or N more
 *	drop P			remove P from the tree; it lives
 *	trap P, release P	P hangs whoever reads it (fakeproc_trap()); 1: somebody was
 *	end P, kill P		end P and reap it; end it and leave a zombie
 *	living P		1: it lives
 *	mark, more		count the open descriptors; how many more there are
 *	lookers N		wait until N more threads look at processes than at the start
 *	begin, quick		nothing between them has waited for a process that hangs
 * Steps that are about the next one alone:
 *	limit N, spare N	N descriptors; N besides those that are open
 *	as nobody		as another user
 *	during FILE of P STEP [and STEP]	take STEP when it reads FILE of P
 *	starved			fail each allocation in turn; the result is their number
 *
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCENE_H
#define TESTS_SCENE_H

#include "courier/smtpd.h"
#include "tests/unit/fakeproc.h"
#include "tests/unit/support.h"

/* The scene of the script that runs. */
extern struct scene {
	bool real;
	struct fakeproc tree;
	struct courier courier;
	struct procfs procfs;
	struct smtpd_rules rules;
	struct smtpd_scratch *scratch;	/* exact, for sanitizers */
	size_t descriptors, threads;	/* at the start */
} scene;

/* VERB(name) { ... } is a verb. The arguments in args end with NULL. */
#define VERB(name)                                                             \
	static int verb_##name(char **args);                                   \
	static void __attribute__((constructor)) verb_##name##_is_one(void)    \
	{                                                                      \
		scene_add_verb(#name, verb_##name);                            \
	}                                                                      \
	static int verb_##name(__attribute__((unused)) char **args)
void scene_add_verb(const char *name, int (*run)(char **args));

/* One whose result is that of a call, or of none. */
#define VERB_IS(name, expression)       \
	VERB(name)                      \
	{                               \
		return (expression);    \
	}
#define VERB_DO(name, statement) VERB_IS(name, ((statement), 0))

/* What the scripts of a program have in common: steps before those of each script without
 * "real", and what to do ahead of the script and behind it. */
#define SCENE(steps, before, after)                                            \
	static void __attribute__((constructor)) scene_is_common(void)         \
	{                                                                      \
		scene_set_common(steps, before, after);                        \
	}
void scene_set_common(const char *steps, void (*before)(void), void (*after)(void));

struct script {
	const char *label, *text;
};

/* A point for each script; "root" ones are skipped for others. */
#define TEST_SCRIPTS(scripts)                                                  \
	static void __attribute__((constructor)) scripts##_are_points(void)    \
	{                                                                      \
		scene_add_points(scripts, COUNT_OF(scripts));                  \
	}
void scene_add_points(const struct script *scripts, size_t count);

/* For tests in C: an invented scene, and its end. */
void scene_open(void);
void scene_close(void);

/* A process by its name, and its client by the options "ip" and "port", else as put. */
pid_t scene_pid(const char *name);
struct addr scene_addr(char **args);
uint16_t scene_port(char **args);

/* The word behind this one, or otherwise; is this one there? */
const char *scene_option(char **args, const char *word, const char *otherwise);
bool scene_has(char **args, const char *word);

/* Fails unless the words are these, with a blank between them. */
int scene_want_words(const char *got, char **args);

#endif
