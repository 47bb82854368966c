/* The engine of one action: takes log lines, blocks addresses and terminates sessions.
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

/* Memory of one worker thread. */
struct engine_worker;

/* Log one line for the admin, without a newline. severity is syslog's. Called in the
 * background thread and in engine_start(), and by a worker while the background thread is
 * stalled. */
typedef void engine_log_fn(void *ctx, int severity, const char *text);

/* Called when a listing in a DNSBL zone has freed a slot for the first time: the zone's
 * name and its counter, both valid as long as the engine. Called in the background thread. */
typedef void engine_zone_fn(void *ctx, const char *zone, const atomic_uint_least64_t *saved);

/* What the engine needs besides its settings. */
struct engine_environment {
	struct background *background;	/* outlives the engine */
	engine_log_fn *log;		/* NULL: silent */
	void *log_ctx;
	engine_zone_fn *zone;		/* NULL: not wanted */
	void *zone_ctx;
	struct events *events;		/* gets an event for each block; NULL: none.. */
	void *listener;			/* ..with this listener; both outlive the engine */
	bool check_rights;		/* report missing rights of this process */
	const char *net_root;		/* as in struct backend_config */
	const char *module_root;
};

/* One message. The caller owns the texts, which need not be NUL-terminated. */
struct engine_message {
	int severity;		/* syslog's; COURIERLOG_SEVERITY_ANY: unknown */
	int64_t age;		/* s since it was logged; 0: unknown */
	const char *tag;	/* the program's name */
	size_t tag_len;
	const char *text;	/* after the tag */
	size_t text_len;
	/* The sender's credentials, from the kernel. PID 0: there are none. */
	pid_t attested_pid;
	bool has_uid;
	uid_t uid;
	const char *exe;	/* the executable's path.. */
	size_t exe_len;		/* ..0: unknown */
	/* A PID that anybody may have written into the message; 0: none. */
	pid_t hint_pid;
};

/* What became of a line. The rest of VERDICT_BLOCK is the background thread's: to ask the
 * limits, to block and to terminate. */
struct engine_outcome {
	enum verdict verdict;
	enum reason reason;
	bool deferred;		/* VERDICT_BLOCK: and to find the session first */
};

/* Create what rsyslogd may not create once it has given root's rights up: the directory of
 * unblocks. For root. */
void engine_prepare(void);

/* Takes the settings over (they are empty afterwards), which must have passed
 * settings_check(). No thread, no descriptor, no side effect. Returns 0 or -ENOMEM. The
 * caller owns a reference. */
int engine_new(struct settings *settings, struct engine **ret_engine);

/* Take a reference; returns engine. Any thread. */
struct engine *engine_ref(struct engine *engine);

/* Drop a reference; the last one frees the engine. NULL is allowed. Any thread; the last
 * one not while the background thread runs. */
void engine_unref(struct engine *engine);

/* For rsyslogd -N1: what the admin should know if a couriertcpd that runs takes its clients from a
 * proxy; otherwise NULL. Reads all processes of courierUser's; background need not be opened. */
const char *engine_notice_of_proxy(const struct engine *engine, struct background *background);

/* Open the backend, resolve courier's user, and report what is missing. Call after
 * rsyslogd's fork, with the background thread opened but not started. Returns 0; -ENOMEM;
 * -errno. */
int engine_start(struct engine *engine, const struct engine_environment *environment);

/* Ignore all messages from now on, as if never started: start-up failed elsewhere. Call
 * before the first worker exists. */
void engine_stop(struct engine *engine);

/* The memory of one worker. It takes no reference. Returns 0 or -ENOMEM. The caller owns. */
int engine_worker_new(struct engine *engine, struct engine_worker **ret_worker);
void engine_worker_free(struct engine_worker *worker);

/* Handle one message. Does not wait. Any number of threads may call it, each with its own
 * worker; none may be cancelled inside. Does nothing without a successful engine_start().
 * worker may be NULL if there was no memory for one: the background thread then decides what
 * it can, and the rest is refused. */
struct engine_outcome engine_handle(struct engine *engine, struct engine_worker *worker,
				    const struct engine_message *msg);

/* Handle one message of an action with input="address"; otherwise as above. */
struct engine_outcome engine_handle_address(struct engine *engine, const char *text,
					    size_t len);

/* The number of blocks that the background thread still has to make, apart from sessions that
 * have to be found first. Any thread. */
size_t engine_left(const struct engine *engine);

/* HUP: read allowFile again, reopen the lists, report again what is still wrong, and log
 * the counters. Courier's user is looked up only while it is unknown (also every 10 s
 * without a HUP): restart rsyslogd if the user's uid changes. Any thread; the background
 * thread does the work. */
void engine_hup(struct engine *engine);

/* The engine's settings and counters, valid as long as the engine. Any thread. */
const struct settings *engine_settings(const struct engine *engine);
const struct counters *engine_counters(const struct engine *engine);

#endif
