/* Sends the client a reply with the reason why its session ends.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtp_reply.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/text.h"

/* RFC 5321 4.5.3.1.5: a reply line has at most 512 bytes. */
#define LINE_SIZE 512

/* The text after "511 " or "550-", if it begins with such a code. */
static const char *after_code(const char *text)
{
	if (strspn(text, "0123456789") == 3 && (text[3] == ' ' || text[3] == '-'))
		return text + 4;
	return text;
}

static int put_text(char line[static LINE_SIZE], const char *text, enum smtp_reply kind)
{
	const size_t size = LINE_SIZE - 2;

	if (kind == SMTP_REPLY_421)
		return snprintf(line, size, "421 4.7.0 Too many connections, try again later");
	if (kind == SMTP_REPLY_554)
		return snprintf(line, size, "554 5.7.1 %s", after_code(text));
	if (after_code(text) == text)
		return snprintf(line, size, "511 %s", text);
	return snprintf(line, size, "%.3s %s", text, after_code(text));
}

static size_t format(char line[static LINE_SIZE], const char *text, enum smtp_reply kind)
{
	int n = put_text(line, text, kind);
	size_t len = n < LINE_SIZE - 2 ? (size_t)n : LINE_SIZE - 3;

	text_clean(line, len, line, LINE_SIZE);
	line[len++] = '\r';
	line[len++] = '\n';
	return len;
}

/* With STARTTLS the descriptor is a socket to couriertls. Nothing may be written to that. */
static int check_socket(int fd)
{
	socklen_t size = sizeof(int);
	int domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return -ENOTCONN;
	return domain == AF_INET || domain == AF_INET6 ? 0 : -ENOTCONN;
}

/* Closing a socket with unread data makes the kernel send a reset, which may make the client
 * drop the reply. */
static void drop_unread(int fd)
{
	char unread[4096];
	int i;

	for (i = 0; i < 16; i++)
		if (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) <= 0)
			return;
}

static int send_line(int fd, const char *text, enum smtp_reply kind)
{
	char line[LINE_SIZE];
	size_t len = format(line, text, kind);
	const int on = 1;

	/* Otherwise the reply waits for the acknowledgement of the previous one, which the
	 * block drops. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (send(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	drop_unread(fd);
	return 0;
}

int smtp_reply_send(const struct smtpd_rules *rules, const struct smtpd *smtpd,
		    const struct smtpd_facts *facts, enum smtp_reply kind)
{
	int fd, r;

	if (facts->tls || smtpd->tls.fd >= 0 || !facts->block)
		return -ENOTCONN;
	fd = looker_get_fd(rules->looker, smtpd->process.pid, smtpd->process.fd, STDOUT_FILENO);
	if (fd < 0)
		return fd;
	r = check_socket(fd);
	if (r == 0)
		r = send_line(fd, facts->block, kind);
	close(fd);
	return r;
}
