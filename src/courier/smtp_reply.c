/* Sends the client a reply with the reason why its session ends.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "courier/smtp_reply.h"

#include <errno.h>
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

static size_t format(char line[static LINE_SIZE], const char *text)
{
	int n = snprintf(line, LINE_SIZE - 2, "554 5.7.1 %s", after_code(text));
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

static int send_line(int fd, const char *text)
{
	char line[LINE_SIZE];
	size_t len = format(line, text);

	if (send(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

int smtp_reply_send(const struct smtpd_rules *rules, const struct smtpd *smtpd,
		    const struct smtpd_facts *facts)
{
	int fd, r;

	if (facts->tls || smtpd->tls.fd >= 0 || !facts->block)
		return -ENOTCONN;
	fd = looker_get_fd(rules->looker, smtpd->process.pid, smtpd->process.fd, STDOUT_FILENO);
	if (fd < 0)
		return fd;
	r = check_socket(fd);
	if (r == 0)
		r = send_line(fd, facts->block);
	close(fd);
	return r;
}
