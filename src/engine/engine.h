/* The engine of one action: a log line in, an address on the list and a child
 * ended.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#ifndef SMTPBLOCK_ENGINE_H
#define SMTPBLOCK_ENGINE_H

#include <sys/types.h>

#include "blocklist/backend.h"
#include "engine/background.h"
#include "policy/policy.h"
#include "policy/settings.h"
#include "status/counters.h"
#include "status/events.h"

struct engine;

/* One worker thread's own memory. */
struct engine_worker;

/* Something for the admin, one line without a newline. severity is syslog's.
 * Called in the background thread and in engine_start(); in a worker's where the
 * background thread stands still. */
typedef void engine_log_fn(void *ctx, int severity, const char *text);

/* A DNSBL zone freed its first slot: its name, and where it is counted from now on.
 * Both are valid as long as the engine is. Called in the background thread. */
typedef void engine_zone_fn(void *ctx, const char *zone, const atomic_uint_least64_t *saved);

/* What the engine is given besides its settings. */
struct engine_environment {
	struct background *background;	/* outlives the engine */
	engine_log_fn *log;		/* NULL: silent */
	void *log_ctx;
	engine_zone_fn *zone;		/* NULL: nobody wants to know */
	void *zone_ctx;
	struct events *events;		/* is told of blocks; NULL: nobody is.. */
	void *listener;			/* ..with this; both outlive the engine */
	bool check_rights;		/* tell what rights this process lacks */
	const char *net_root;		/* as in struct backend_config */
	const char *module_root;
};

/* One message. The texts are the caller's and need not be terminated. */
struct engine_message {
	int severity;		/* syslog's; COURIERLOG_SEVERITY_ANY: unknown */
	int64_t age;		/* s since it was logged; 0: unknown */
	const char *tag;	/* the program's name */
	size_t tag_len;
	const char *text;	/* behind the tag */
	size_t text_len;
	/* The sender as the kernel told whoever received the message. PID 0:
	 * it did not. */
	pid_t attested_pid;
	bool has_uid;
	uid_t uid;
	const char *exe;	/* the executable's path.. */
	size_t exe_len;		/* ..or 0 when it is not known */
	/* A PID that anybody may have put there; 0: none. */
	pid_t hint_pid;
};

/* What became of a line. */
struct engine_outcome {
	enum verdict verdict;
	enum reason reason;
	/* It takes a search: the background thread decides. verdict is BLOCK then, and
	 * nothing was done yet. */
	bool deferred;
};

/* Takes the settings over (they are empty afterwards), which must have passed
 * settings_check(). No thread, no descriptor, no side effect. Returns 0 or
 * -ENOMEM. The caller owns a reference. */
int engine_new(struct settings *settings, struct engine **ret_engine);

/* One more owner; returns engine. Any thread. */
struct engine *engine_ref(struct engine *engine);

/* One owner less; the last one frees it. NULL is allowed. Any thread; the last
 * one not while the background thread runs. */
void engine_unref(struct engine *engine);

/* Open the backend, find courier's user, tell what is missing. After the fork,
 * with the background thread open and not started yet. Returns 0; -ENOMEM; -errno. */
int engine_start(struct engine *engine, const struct engine_environment *environment);

/* Do nothing more, as if it had not been started: for where something that it needs
 * could not be. Before the first worker. */
void engine_stop(struct engine *engine);

/* Returns 0 or -ENOMEM. The caller owns; it holds no reference. */
int engine_worker_new(struct engine *engine, struct engine_worker **ret_worker);
void engine_worker_free(struct engine_worker *worker);

/* Handle one message. Any number of threads, each with a worker of its own, none
 * of which may be cancelled within. Waits for nothing. Does nothing without a
 * successful engine_start(). worker may be NULL where there is no memory for one: then
 * the background thread decides what it can, and the rest is refused. */
struct engine_outcome engine_handle(struct engine *engine, struct engine_worker *worker,
				    const struct engine_message *msg);

/* Handle one address: the text of an action with input="address", otherwise as
 * above. */
struct engine_outcome engine_handle_address(struct engine *engine, const char *text,
					    size_t len);

/* HUP: read allowFile and open the lists anew, say again what is still wrong, and log
 * the counters. Courier's user is looked up again only while he is not known, which is
 * done every 10 s without a HUP too: if his uid changes, rsyslogd wants a restart. Any
 * thread; done by the background thread. */
void engine_hup(struct engine *engine);

/* What it was made with, and what it has counted; valid as long as it is. Any
 * thread. */
const struct settings *engine_settings(const struct engine *engine);
const struct counters *engine_counters(const struct engine *engine);

#endif
