/* Finds and verifies the process that serves a client's address and port.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/session.h"

#include <errno.h>
#include <stdlib.h>

#include "courier/new_pids.h"
#include "courier/session_signs.h"
#include "courier/smtpd_index.h"
#include "lib/clock.h"

/* Most relay client connections of one address that a worker checks. */
#define RELAY_CLIENTS_MAX 8

/* Look for other couriertcpds this often, to know whether they have a proxy, and rest for this many
 * times the time that takes. */
#define PROXY_EVERY_MS 1000
#define PROXY_REST 1000

struct session_finder {
	struct procfs procfs;
	struct tcpd_list *tcpds;
	struct tcp_reset reset;
	struct smtpd_rules rules;
	struct smtpd_index *index;
	struct new_pids new_pids;
	enum tcpd_proxy proxy;	/* of session_proxy().. */
	int64_t proxy_at;	/* ..which looks again then */
};

int session_new(const char *proc_root, struct looker *looker, uid_t courier_uid,
		struct session_finder **ret_finder)
{
	struct session_finder *finder = calloc(1, sizeof(*finder));
	int r;

	if (!finder)
		return -ENOMEM;
	finder->reset = (struct tcp_reset)TCP_RESET_NONE;
	r = procfs_init(&finder->procfs, proc_root);
	if (r == 0)
		r = tcpd_new(&finder->procfs, looker, courier_uid, &finder->tcpds);
	finder->rules = (struct smtpd_rules){ .procfs = &finder->procfs,
					      .looker = looker,
					      .tcpds = finder->tcpds,
					      .reset = &finder->reset,
					      .uid = courier_uid,
					      .fd_end = pidref_end() };
	if (r == 0)
		r = smtpd_index_new(&finder->rules, &finder->index);
	if (r < 0) {
		session_free(finder);
		return r;
	}
	*ret_finder = finder;
	return 0;
}

void session_free(struct session_finder *finder)
{
	if (!finder)
		return;
	smtpd_index_free(finder->index);
	tcpd_free(finder->tcpds);
	tcp_reset_done(&finder->reset);
	free(finder);
}

const struct smtpd_rules *session_rules(const struct session_finder *finder)
{
	return &finder->rules;
}

/* Take an smtpd that is pinned already. Any result but 0 only means that the background
 * thread has to look. */
static int find_pinned(struct session_finder *finder, pid_t pid, const struct session_query *q,
		       struct smtpd_scratch *scratch, struct smtpd *smtpd,
		       struct smtpd_facts *facts)
{
	bool without_login = q->confirms && !q->attested;
	int r;

	if (q->defers ||
	    !smtpd_index_withdraw(finder->index, pid, &q->addr, q->port, without_login, smtpd))
		return -EAGAIN;
	r = smtpd_recheck(&finder->rules, smtpd, scratch, facts);
	if (r < 0)
		smtpd_done(smtpd);
	return r;
}

int session_verify(struct session_finder *finder, pid_t pid, const struct addr *addr,
		   uint16_t port, struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
		   struct smtpd_facts *ret_facts)
{
	const struct session_query any = { .addr = *addr, .port = port };
	struct smtpd smtpd = SMTPD_NONE;
	int r;

	r = find_pinned(finder, pid, &any, scratch, &smtpd, ret_facts);
	if (r < 0)
		r = smtpd_open(&finder->rules, pid, scratch, &smtpd, ret_facts);
	if (r < 0)
		return r;
	if (addr_compare(&smtpd.peer.addr, addr) != 0 || (port && smtpd.peer.port != port)) {
		smtpd_done(&smtpd);
		return -ENXIO;
	}
	*ret_smtpd = smtpd_take(&smtpd);
	return 0;
}

/* The line names its process. */
static int find_named(struct session_finder *finder, const struct session_query *q,
		      struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
		      struct smtpd_facts *ret_facts)
{
	pid_t pid = q->attested ? q->attested : q->hint;
	int r;

	if (find_pinned(finder, pid, q, scratch, ret_smtpd, ret_facts) == 0)
		return 0;
	r = smtpd_may_be(&finder->rules, pid);
	if (r == -ESRCH && q->attested)
		return r;
	return r == -EPERM ? r : -EAGAIN;
}

int session_find(struct session_finder *finder, const struct session_query *query,
		 struct smtpd_scratch *scratch, struct smtpd *ret_smtpd,
		 struct smtpd_facts *ret_facts)
{
	pid_t pid;

	if (query->attested || query->hint)
		return find_named(finder, query, scratch, ret_smtpd, ret_facts);
	/* Without a port there may be more smtpds than the index has. */
	if (query->port == 0 ||
	    smtpd_index_find(finder->index, &query->addr, query->port, &pid, 1) != 1)
		return -EAGAIN;
	return find_pinned(finder, pid, query, scratch, ret_smtpd, ret_facts) == 0 ? 0 : -EAGAIN;
}

bool session_may_be_couriers(const struct session_finder *finder, pid_t pid)
{
	return smtpd_may_be(&finder->rules, pid) == 0;
}

bool session_knows_relay_client(struct session_finder *finder, const struct addr *addr)
{
	pid_t pids[RELAY_CLIENTS_MAX];
	size_t n, i;

	n = smtpd_index_find_relay_clients(finder->index, addr, pids, RELAY_CLIENTS_MAX);
	for (i = 0; i < n; i++)
		if (smtpd_may_be(&finder->rules, pids[i]) == 0)
			return true;
	return false;
}

int session_check_submit(struct session_finder *finder, struct smtpd *smtpd,
			 const struct smtpd_facts *facts, struct smtpd_scratch *scratch)
{
	return smtpd_check_submit(&finder->rules, smtpd, facts->block, scratch);
}

/* The newest submit has to be the one with the BLOCK: after a login it is another one. */
static int check_newest(struct session_finder *finder, const struct smtpd *smtpd,
			struct smtpd_scratch *scratch)
{
	struct session_submit submit = { .pid = smtpd->submit.pid, .known = true };
	int r = session_signs_submit(&finder->rules, smtpd->process.pid, scratch, &submit);

	return r == 0 && submit.pid != smtpd->submit.pid ? -EPERM : r;
}

int session_check_mail(struct session_finder *finder, struct smtpd *smtpd,
		       const struct smtpd_facts *facts, struct smtpd_scratch *scratch)
{
	struct session_progress progress;
	int r;

	r = session_check_submit(finder, smtpd, facts, scratch);
	if (r == 0)
		r = check_newest(finder, smtpd, scratch);
	if (r == 0)
		r = session_signs_progress(&finder->rules, smtpd->process.pid, smtpd->submit.pid,
					   &progress);
	if (r == 0 && !session_signs_has_mail(&finder->rules, smtpd->process.pid, &progress,
					      facts->access_file))
		r = -EPERM;
	/* If both are alive, then what was read is theirs. */
	if (r == 0)
		r = smtpd_recheck_submit(smtpd);
	return r == 0 ? pidref_check(&smtpd->process) : r;
}

int session_refresh(struct session_finder *finder, bool thorough)
{
	int r;

	if (thorough) {
		smtpd_index_forget(finder->index);
		r = tcpd_scan(finder->tcpds);
		if (r < 0)
			return r;
	}
	r = smtpd_index_refresh(finder->index);
	return r < 0 ? r : 0;
}

void session_hold(struct session_finder *finder)
{
	smtpd_index_hold(finder->index);
}

void session_let_go(struct session_finder *finder)
{
	smtpd_index_let_go(finder->index);
}

int session_try(struct session_finder *finder, bool signals)
{
	return tcpd_try(finder->tcpds, signals);
}

void session_learn(struct session_finder *finder)
{
	pid_t pids[NEW_PIDS_MAX], last;
	size_t n, i;

	if (procfs_read_last_pid(&finder->procfs, &last) < 0)
		return;
	n = new_pids_take(&finder->new_pids, last, pids);
	for (i = 0; i < n; i++)
		if (smtpd_index_learn(finder->index, pids[i]) == -EAGAIN)
			new_pids_wait(&finder->new_pids, pids[i]);
}

enum tcpd_proxy session_proxy(struct session_finder *finder)
{
	int64_t now = clock_ms(), start;

	if (now >= finder->proxy_at) {
		start = clock_cpu_us();
		finder->proxy = tcpd_scan(finder->tcpds) > 0 ? tcpd_proxy_of_all(finder->tcpds) :
							      TCPD_PROXY_NONE;
		finder->proxy_at = now + clock_later((clock_cpu_us() - start) * PROXY_REST / 1000,
						     PROXY_EVERY_MS);
	}
	return finder->proxy;
}

bool session_has_tcpds(struct session_finder *finder)
{
	pid_t pids[TCPD_MAX];

	return tcpd_pids(finder->tcpds, pids) > 0;
}

size_t session_candidates(struct session_finder *finder, const struct addr *addr, uint16_t port,
			  pid_t *ret_pids, size_t max)
{
	size_t n = smtpd_index_find(finder->index, addr, port, ret_pids, max);

	return n < max ? n : max;
}
