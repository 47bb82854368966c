/* A whole engine on invented processes and lists, for tests of the engine and its parts.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine.h"
#include "tests/unit/fakeproc.h"
#include "tests/unit/support.h"

/* The peer of the connection that always exists, and courier's log line for its reject. */
#define PEER "198.51.100.7"
#define PEER_PORT 41703
#define LISTED "Listed in test DNSBL"
#define REJECT_FOR(ip, port, reply) \
	"error,relay=::ffff:" ip ",port=" port ",from=<a@b.example>,to=<c@d.example>: " reply
#define STARTED "started,ip=[::ffff:" PEER "],port=[41703]"
#define REJECT REJECT_FOR(PEER, "41703", "511 " LISTED)

struct harness {
	struct fakelists lists;
	struct fakeproc tree;
	pid_t tcpd, smtpd, submit;	/* real processes that only wait */
	struct background *background;
	atomic_uint passes;		/* of the background thread through its jobs */
	struct engine *block;
	struct engine_worker *worker;
	struct settings settings;	/* until harness_start() */
	bool check_rights;		/* report missing capabilities; the same */
	pthread_mutex_t lock;		/* said */
	char said[8192];		/* messages to the admin, one per line */
};

/* Create the processes (couriertcpd, courieresmtpd for PEER with BLOCK=LISTED, its submit),
 * both lists with room for 100, and settings with courierUser="root". Does not start the
 * engine. */
void harness_open(struct harness *e);

/* Set a parameter before the start; a wrong one fails the test. */
void harness_set(struct harness *e, const char *name, const char *value);

/* Replace the environment of the courieresmtpd, or of its submit: "NAME=value" up to a
 * NULL. */
void harness_smtpd_env(struct harness *e, const char *const *extra);
void harness_submit_env(struct harness *e, const char *const *extra);

/* Add a courieresmtpd for that peer, a real process that waits. */
pid_t harness_add_child(struct harness *e, const struct peer *peer);

/* Make a waiting process the submit of that smtpd. */
void harness_add_submit(struct harness *e, pid_t pid, pid_t smtpd, const struct peer *peer);

void harness_start(struct harness *e);

/* Pass a line of severity err to the engine; attested is the sender's PID, or 0. */
struct engine_outcome harness_hand(struct harness *e, const char *text, pid_t attested);

/* Pass the line about that smtpd's start, of severity info. */
void harness_started(struct harness *e, pid_t attested);

/* Wait until the smtpd is pinned. */
void harness_want_pinned(struct harness *e);

/* harness_hand(); if the line is to be blocked, wait until the background thread has handled
 * it. */
struct engine_outcome harness_line(struct harness *e, const char *text, pid_t attested);

/* Wait for a message with this text in it. */
void harness_want_said(struct harness *e, const char *text);

/* The number of such messages. */
unsigned int harness_said(struct harness *e, const char *text);

/* A counter's value; wait for a value. */
uint64_t harness_count(const struct harness *e, enum counter id);
void harness_want_soon(struct harness *e, enum counter id, uint64_t want);

/* Stop the background thread; by then all pending signals have been sent. */
void harness_stop(struct harness *e);

/* Stop it and terminate all processes. */
void harness_close(struct harness *e);

#endif
