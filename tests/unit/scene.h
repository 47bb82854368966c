/* Tests as scripts, most of them about courier's processes. A script sets up processes,
 * changes them, calls the functions under test and names their results:
 *
 *	smtpd s BLOCK=Listed; open s = 0; smtpd s uid 1235; open s = EPERM
 *
 * Steps are separated by ';'. A step is a verb with its arguments, then '=' or '>=' and the
 * expected result: a number or the name of an error. Without one, any result except an error
 * is accepted. A word that contains blanks is put in single quotes.
 *
 * Every name is a process: a real process that only waits, and the files that the invented
 * /proc has for its PID. A number is a PID, "self" is the test program. A script that begins
 * with "real" uses the stand-ins for courier's processes (processes.h) and the real /proc;
 * "t" is their couriertcpd. A script that begins with "root" does the same, and is skipped
 * unless root runs it.
 *
 * Courier's uid is 1234. The verbs of all scripts:
 *
 *	tcpd P, smtpd P, tls P, submit P, process P	add P to /proc, or replace it
 *	plain P, starttls P TLS, smtps P TLS	make a connection (real)
 *	forked P, exec		fork a process for a connection; let it exec (real)
 *	upgrade			remove the executables (real)
 *	waiter P		start a process that only waits (real)
 *  The options of these: below PARENT; exe PATH; comm NAME; uid N; container: another network
 *  namespace; ip IP, port N: the client; on N: the local port; NAME=VALUE: a variable of the
 *  environment; raw: the environment has no other variables; -OPTION: of the command line.
 *
 *	unlist P..., list P...	remove P from its parent's children, add it again
 *	children P C...		set the children of P, until the next change
 *	lose P FILE		remove a file of P
 *	exe P PATH		change the executable of P
 *	newest P [N]		the last PID that was assigned is that of P, plus N
 *	drop P			remove P from /proc; the process stays alive
 *	trap P...		a read of P hangs (fakeproc_trap())
 *	release P		let a reader of P go on; 0: there was none
 *	end P..., kill P	terminate P and reap it; terminate it and leave a zombie
 *	stop P, go P		stop P with SIGSTOP; continue it
 *	living P		1: the process is alive
 *	mark, more		count the open descriptors; the number opened since then
 *	lookers N		wait until N more looker threads run than at the start
 *	begin, quick		fail if a read that hangs was waited for between these two
 *
 *  Conditions for the next step alone:
 *	limit N, spare N	a limit of N descriptors; of N besides the open ones
 *	as nobody		run it as another user
 *	during FILE of P STEP [and STEP]...	take these steps while it reads FILE of P
 *	starved			fail each of its allocations in turn; returns their number
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
 * "real", and what to do ahead of the script and behind it. Where steps is NULL they need no
 * processes, and there is no /proc. */
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

/* "EPERM", "TERM" or a number. */
int scene_number(const char *text);

/* Fails unless the words are these, with a blank between them. */
int scene_want_words(const char *got, char **args);

#endif
