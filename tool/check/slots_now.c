/* The slots in use and the limit of each couriertcpd.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tool/check/slots_now.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than the command line of any start script. */
#define CMDLINE_SIZE 4096

static const char maxprocs[] = "-maxprocs=";

/* Accepts "25", "smtp", "192.0.2.1.25,465"; couriertcpd takes no other characters. */
static void take_port(struct slots_now *count, const char *word)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.,:_-[]";

	if (word[strspn(word, allowed)] == '\0')
		snprintf(count->port, sizeof(count->port), "%s", word);
}

/* The last one counts, as for courier. */
static void take_proxy(struct slots_now *count, const char *word)
{
	static const char option[] = "-haproxy";
	const char *value = word + sizeof(option) - 1;

	if (strncmp(word, option, sizeof(option) - 1) != 0 || (*value != '\0' && *value != '='))
		return;
	count->proxy = *value ? tcpd_parse_proxy(value + 1) : TCPD_PROXY_NONE;
	count->proxy_ignored = count->proxy == TCPD_PROXY_NONE;
}

/* The options come first, then the port, then the program that serves it. */
static void read_cmdline(const struct host *host, struct slots_now *count)
{
	char text[CMDLINE_SIZE], *word, *end;
	ssize_t len;

	len = looks_read(host->looks, count->pid, "cmdline", text, sizeof(text) - 1);
	if (len <= 0)
		return;
	text[len] = '\0';
	end = text + len;
	for (word = text + strlen(text) + 1; word < end; word += strlen(word) + 1) {
		if (strncmp(word, maxprocs, strlen(maxprocs)) == 0)
			count->max = strtol(word + strlen(maxprocs), NULL, 10);
		take_proxy(count, word);
		if (word[0] != '-') {
			take_port(count, word);
			return;
		}
	}
}

/* With -stderrlogger, couriertcpd has courierlogger as a child, which uses no slot. */
static bool is_logger(const struct host *host, pid_t pid)
{
	struct procfs_status status;

	/* A process chooses its name, but that is enough for a count, and reading it does
	 * not block. */
	return procfs_read_status(&host->procfs, pid, &status) == 0 &&
	       strcmp(status.comm, "courierlogger") == 0;
}

static bool count_one(const struct host *host, struct slots_now *count)
{
	pid_t *children = NULL;
	ssize_t n, i;

	n = procfs_read_children(&host->procfs, count->pid, &children);
	if (n < 0)
		return false;
	for (i = 0; i < n; i++)
		count->used += !is_logger(host, children[i]);
	free(children);
	read_cmdline(host, count);
	if (count->max <= 0)
		count->max = courierconf_number(host->esmtpd, "MAXDAEMONS", 0);
	return true;
}

void slots_now_describe(const struct host *host, pid_t pid, struct slots_now *ret_listener)
{
	*ret_listener = (struct slots_now){ .pid = pid };
	read_cmdline(host, ret_listener);
}

size_t slots_now_read(const struct host *host,
		      struct slots_now ret_counts[static HOST_DAEMONS_MAX])
{
	size_t i, count = 0;

	for (i = 0; i < host->tcpd_count; i++) {
		ret_counts[count] = (struct slots_now){ .pid = host->tcpds[i].pid };
		if (count_one(host, &ret_counts[count]))
			count++;
	}
	return count;
}
