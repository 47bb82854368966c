/* A whole engine on invented processes and lists: for tests of what it is made
 * of, and of itself.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <pthread.h>

#include "engine/engine.h"
#include "tests/unit/fakeproc.h"
#include "tests/unit/support.h"

/* The peer of the connection that is always there, and what courier logs when it
 * rejects him. */
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
	pid_t tcpd, smtpd, submit;	/* real processes that wait */
	struct background *background;
	struct engine *block;
	struct engine_worker *worker;
	struct settings settings;	/* until harness_start() */
	bool check_rights;		/* tell what rights are missing; the same */
	pthread_mutex_t lock;		/* said */
	char said[8192];		/* what the admin was told, a line each */
};

/* The processes (couriertcpd, courieresmtpd for PEER with BLOCK=LISTED, its
 * submit), both lists with room for 100, and settings with courierUser="root".
 * Nothing has started. */
void harness_open(struct harness *e);

/* Set a parameter before the start; a wrong one ends the test. */
void harness_set(struct harness *e, const char *name, const char *value);

/* Another environment for the courieresmtpd, or its submit: "NAME=value" up to a
 * NULL. */
void harness_smtpd_env(struct harness *e, const char *const *extra);
void harness_submit_env(struct harness *e, const char *const *extra);

/* One more courieresmtpd for that peer, a real process that waits. */
pid_t harness_add_child(struct harness *e, const struct peer *peer);

void harness_start(struct harness *e);

/* Hand over a line of severity err; attested is the sender's PID, or 0. */
struct engine_outcome harness_hand(struct harness *e, const char *text, pid_t attested);

/* Hand over the line with which that child starts, of severity info. */
void harness_started(struct harness *e, pid_t attested);

/* Wait until the child, and with submit its submit, is pinned. */
void harness_want_pinned(const struct harness *e, bool submit);

/* harness_hand(), and wait for what the background thread makes of it if it is deferred. */
struct engine_outcome harness_line(struct harness *e, const char *text, pid_t attested);

/* Wait until the admin has been told something with this text in it. */
void harness_want_said(struct harness *e, const char *text);

/* How often he has been. */
unsigned int harness_said(struct harness *e, const char *text);

/* A counter's value, and the wait for one. */
uint64_t harness_count(const struct harness *e, enum counter id);
void harness_want_soon(struct harness *e, enum counter id, uint64_t want);

/* Stop the background thread: every child that was to be signalled is. */
void harness_stop(struct harness *e);

/* Stop it and end all processes. */
void harness_close(struct harness *e);

#endif
