/* A private nf_tables, in a network namespace, and its netlink with faults.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/nftspace.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *enter(void)
{
	char *said;
	bool works;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return "no right to make a network namespace";
	said = nftspace_run("list ruleset");
	works = *said == '\0';
	free(said);
	return works ? NULL : "no nftables here, or no program nft";
}

const char *nftspace_enter(void)
{
	static const char *missing;
	static bool entered;

	if (!entered)
		missing = enter();
	entered = true;
	return missing;
}

/* Quoted for the shell. */
static char *vrun(const char *format, va_list args)
	__attribute__((format(printf, 1, 0)));

static char *vrun(const char *format, va_list args)
{
	char command[2048] = "PATH=$PATH:/usr/sbin:/sbin nft ", *text = NULL;
	size_t used = strlen(command), room = 0;
	FILE *pipe;
	ssize_t n;

	n = vsnprintf(command + used, sizeof(command) - used, format, args);
	assert_true(n > 0 && (size_t)n + used + 6 < sizeof(command));
	strcat(command, " 2>&1");
	pipe = popen(command, "r");
	assert_non_null(pipe);
	if (getdelim(&text, &room, '\0', pipe) < 0) {
		free(text);
		text = strdup("");
	}
	pclose(pipe);
	return text;
}

char *nftspace_run(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = vrun(format, args);
	va_end(args);
	return text;
}

void nftspace_do(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = vrun(format, args);
	va_end(args);
	want_str(text, "");
	free(text);
}

const struct backend_config nftspace_config = {
	.list = "a",
	.list6 = "b",
	.ban_time = 600,
	.ipv4_prefix = 32,
	.ipv6_prefix = 128,
	.list_size = 1000,
	.ports = &(const struct settings_ports){ 1, { 25 } },
};

void nftspace_load(const struct nfttable *table)
{
	char *dir = temp_dir_new(), path[256], text[4096];

	nfttable_text(table, text, sizeof(text));
	snprintf(path, sizeof(path), "%s/table.nft", dir);
	temp_file_write(path, text);
	nftspace_do("-f '%s'", path);
	temp_dir_remove(dir);
}

bool nftspace_has(const char *text)
{
	char *ruleset = nftspace_run("list ruleset");
	bool has = strstr(ruleset, text) != NULL;

	free(ruleset);
	return has;
}

/* --- faults -------------------------------------------------------------- */

struct nftspace_faults nftspace_faults;
unsigned int nftspace_opened, nftspace_sent;

/* An invented answer, until it is received. */
static char answer[64 * 1024];
static size_t answered;
static bool made_up, receive_fails;

void nftspace_reset(void)
{
	nftspace_faults = (struct nftspace_faults){ .open_err = 0 };
	nftspace_opened = nftspace_sent = 0;
	answered = 0;
	made_up = receive_fails = false;
}

void nftspace_clean(void)
{
	nftspace_reset();
	if (nftspace_enter() == NULL)
		nftspace_do("flush ruleset");
}

struct mnl_socket *__real_mnl_socket_open2(int bus, int flags);
struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags);
int __real_mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid);
int __wrap_mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid);
ssize_t __real_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf, size_t len);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf, size_t len);
ssize_t __real_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);

struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags)
{
	if (nftspace_faults.open_err) {
		errno = nftspace_faults.open_err;
		return NULL;
	}
	nftspace_opened++;
	return __real_mnl_socket_open2(bus, flags);
}

int __wrap_mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	if (nftspace_faults.bind_err) {
		errno = nftspace_faults.bind_err;
		return -1;
	}
	return __real_mnl_socket_bind(nl, groups, pid);
}

static bool send_fails(void)
{
	if (!nftspace_faults.send_err)
		return false;
	errno = nftspace_faults.send_err;
	if (nftspace_faults.send_times > 0 && --nftspace_faults.send_times == 0)
		nftspace_faults.send_err = 0;
	return true;
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf, size_t len)
{
	if (send_fails())
		return -1;
	nftspace_sent++;
	if (nftspace_faults.before && --nftspace_faults.before_nth == 0) {
		nftspace_faults.before();
		nftspace_faults.before = NULL;
	}
	receive_fails = nftspace_faults.receive_err != 0;
	made_up = nftspace_faults.answer != NULL;
	if (!made_up)
		return __real_mnl_socket_sendto(nl, buf, len);
	answered = nftspace_faults.answer(buf, len, answer, sizeof(answer));
	return (ssize_t)len;
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	size_t n = answered;

	if (receive_fails) {
		receive_fails = false;
		errno = nftspace_faults.receive_err;
		return -1;
	}
	if (!made_up)
		return __real_mnl_socket_recvfrom(nl, buf, size);
	answered = 0;
	errno = EAGAIN;
	assert_true(n <= size);
	memcpy(buf, answer, n);
	return n > 0 ? (ssize_t)n : -1;
}

char *nftspace_error(char *at, uint32_t seq, int err)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));

	nlh->nlmsg_type = NLMSG_ERROR;
	nlh->nlmsg_seq = seq;
	e->error = -err;
	return at + NLMSG_ALIGN(nlh->nlmsg_len);
}
