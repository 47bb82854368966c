/* A whole engine on invented processes and lists.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/processes.h"

#define SUBMIT "/usr/lib/courier/courier/submit"

/* courierUser="root": its uid is 0 wherever the tests run. */
#define COURIER_UID 0

static const char *const listed_env[] = {
	"BLOCK=" LISTED, "BLOCK_IP=127.0.0.2", "BLOCK_ZONE=dnsbl.example", NULL,
};

static void put(struct harness *e, pid_t pid, const char *exe, pid_t ppid,
		const struct peer *peer)
{
	char env[4096];
	struct fake_process p = {
		.pid = pid, .exe = exe, .ppid = ppid, .uid = COURIER_UID,
	};

	if (peer) {
		p.env = env;
		p.env_len = peer_environment(peer, env, sizeof(env));
	}
	fakeproc_put(&e->tree, &p);
}

static struct peer the_peer(const char *const *extra)
{
	return (struct peer){ "::ffff:" PEER, PEER_PORT, 25, extra };
}

void harness_smtpd_env(struct harness *e, const char *const *extra)
{
	const struct peer peer = the_peer(extra);

	put(e, e->smtpd, FAKE_SMTPD, e->tcpd, &peer);
	fakeproc_children(&e->tree, e->smtpd, &e->submit, 1);
}

void harness_submit_env(struct harness *e, const char *const *extra)
{
	const struct peer peer = the_peer(extra);

	put(e, e->submit, SUBMIT, e->smtpd, &peer);
}

pid_t harness_add_child(struct harness *e, const struct peer *peer)
{
	const pid_t pid = waiter_start(), all[2] = { e->smtpd, pid };

	put(e, pid, FAKE_SMTPD, e->tcpd, peer);
	fakeproc_children(&e->tree, e->tcpd, all, 2);
	return pid;
}

void harness_add_submit(struct harness *e, pid_t pid, pid_t smtpd, const struct peer *peer)
{
	put(e, pid, SUBMIT, smtpd, peer);
	fakeproc_children(&e->tree, smtpd, &pid, 1);
}

void harness_open(struct harness *e)
{
	memset(e, 0, sizeof(*e));
	pthread_mutex_init(&e->lock, NULL);
	fakelists_open(&e->lists);
	fakelists_make(&e->lists, "xt_recent/spammer");
	fakelists_make(&e->lists, "xt_recent/spammer6");
	fakelists_limit(&e->lists, "xt_recent", "100\n");
	fakeproc_open(&e->tree);
	e->tcpd = waiter_start();
	e->smtpd = waiter_start();
	e->submit = waiter_start();
	put(e, e->tcpd, FAKE_TCPD, 1, NULL);
	fakeproc_children(&e->tree, e->tcpd, &e->smtpd, 1);
	harness_smtpd_env(e, listed_env);
	harness_submit_env(e, listed_env);
	want_int(settings_init(&e->settings), 0);
	harness_set(e, "courierUser", "root");
	harness_set(e, "terminate.delay", "0");
	/* Sessions wait for their line. */
	harness_set(e, "early", "off");
	harness_set(e, "pressure", "0");
}

void harness_set(struct harness *e, const char *name, const char *value)
{
	char wrong[512] = "";
	int r = settings_set(&e->settings, name, value, wrong, sizeof(wrong));

	want_str(wrong, "");
	want_int(r, 0);
}

/* Called by the background thread. */
static void hear(void *ctx, int severity, const char *text)
{
	struct harness *e = ctx;
	size_t used;

	(void)severity;
	pthread_mutex_lock(&e->lock);
	used = strlen(e->said);
	snprintf(e->said + used, sizeof(e->said) - used, "%s\n", text);
	pthread_mutex_unlock(&e->lock);
}

unsigned int harness_said(struct harness *e, const char *text)
{
	unsigned int n = 0;
	const char *at;

	pthread_mutex_lock(&e->lock);
	for (at = strstr(e->said, text); at; at = strstr(at + 1, text))
		n++;
	pthread_mutex_unlock(&e->lock);
	return n;
}

void harness_want_said(struct harness *e, const char *text)
{
	if (SOON(harness_said(e, text) > 0))
		return;
	print_message("# said: %s# want: %s\n", e->said, text);
	fail();
}

/* The first job of each pass: the engine's part of the one before has ended. */
static int64_t count_pass(void *data, int64_t now)
{
	struct harness *e = data;

	(void)now;
	atomic_fetch_add(&e->passes, 1);
	return INT64_MAX;
}

void harness_start(struct harness *e)
{
	const struct background_job count = { .run = count_pass, .data = e };
	struct engine_environment environment = {
		.log = hear,
		.log_ctx = e,
		.check_rights = e->check_rights,
		.net_root = e->lists.net_root,
		.module_root = e->lists.module_root,
	};
	char wrong[640] = "";

	want_int(settings_check(&e->settings, wrong, sizeof(wrong)), 0);
	want_int(engine_new(&e->settings, &e->block), 0);
	want_int(background_new(e->tree.root, &e->background), 0);
	want_int(background_open(e->background), 0);
	environment.background = e->background;
	want_int(background_add_job(e->background, &count), 0);
	want_int(engine_start(e->block, &environment), 0);
	want_int(background_start(e->background), 0);
	want_int(engine_worker_new(e->block, &e->worker), 0);
}

static struct engine_outcome hand(struct harness *e, const char *text, int severity,
				  pid_t attested)
{
	const struct engine_message msg = {
		.severity = severity,
		.tag = "courieresmtpd",
		.tag_len = strlen("courieresmtpd"),
		.text = text,
		.text_len = strlen(text),
		.attested_pid = attested,
		.exe = "",
	};

	return engine_handle(e->block, e->worker, &msg);
}

struct engine_outcome harness_hand(struct harness *e, const char *text, pid_t attested)
{
	return hand(e, text, COURIERLOG_SEVERITY_ERR, attested);
}

void harness_started(struct harness *e, pid_t attested)
{
	fakeproc_last_pid(&e->tree, e->submit);
	want_int(hand(e, STARTED, COURIERLOG_SEVERITY_INFO, attested).verdict,
		 VERDICT_NOT_A_TRIGGER);
}

/* Wait for the end of what the background thread does now. */
static bool await_pass(struct harness *e)
{
	const unsigned int before = atomic_load(&e->passes);

	background_wake(e->background);
	return SOON(atomic_load(&e->passes) != before);
}

/* A read pins it too, for about 100 us, and a worker finds it only when the pass that pinned it has
 * put it into the index: it must be pinned before and after its end. */
void harness_want_pinned(struct harness *e)
{
	want_int(SOON(is_pinned_by_us(e->smtpd) && await_pass(e) && is_pinned_by_us(e->smtpd)),
		 true);
}

/* The sum of all outcomes of which a trigger has exactly one. */
static uint64_t answers(const struct harness *e)
{
	static const enum counter ids[] = {
		COUNTER_ALLOWED, COUNTER_NOT_LISTED, COUNTER_DNSBL_ERRORS,
		COUNTER_BELOW_THRESHOLD, COUNTER_REPEATED, COUNTER_REFUSED_SENDER,
		COUNTER_REFUSED_GONE, COUNTER_REFUSED_NO_CHILD, COUNTER_REFUSED_RIGHTS,
		COUNTER_REFUSED_FAILED, COUNTER_REFUSED_BUSY, COUNTER_REFUSED_BUDGET,
		COUNTER_PATTERN_LIMIT, COUNTER_WOULD_BLOCK, COUNTER_BLOCKS,
		COUNTER_RENEWALS, COUNTER_WAITED, COUNTER_PROXIED,
	};
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < COUNT_OF(ids); i++)
		sum += harness_count(e, ids[i]);
	return sum;
}

struct engine_outcome harness_line(struct harness *e, const char *text, pid_t attested)
{
	const uint64_t before = answers(e);
	struct engine_outcome out = harness_hand(e, text, attested);

	if (out.verdict == VERDICT_BLOCK)
		want_int(SOON(answers(e) > before), true);
	return out;
}

uint64_t harness_count(const struct harness *e, enum counter id)
{
	return counters_get(engine_counters(e->block), id);
}

void harness_want_soon(struct harness *e, enum counter id, uint64_t want)
{
	if (!SOON(harness_count(e, id) == want))
		print_message("# %s\n", counters_name(id));
	want_int(harness_count(e, id), want);
}

void harness_stop(struct harness *e)
{
	if (e->background)
		background_stop(e->background);
}

void harness_close(struct harness *e)
{
	harness_stop(e);
	engine_worker_free(e->worker);
	engine_unref(e->block);
	background_free(e->background);
	settings_done(&e->settings);
	waiter_end(e->tcpd);
	waiter_end(e->smtpd);
	waiter_end(e->submit);
	fakeproc_close(&e->tree);
	fakelists_close(&e->lists);
	pthread_mutex_destroy(&e->lock);
}
