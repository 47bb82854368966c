/* smtpblockctl inside a test.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/tool/ctl.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/lib/command.h"

int __wrap_getifaddrs(struct ifaddrs **ret_list);
void __wrap_freeifaddrs(struct ifaddrs *list);

/* The host's only address: this machine's own must not matter. */
int __wrap_getifaddrs(struct ifaddrs **ret_list)
{
	static struct sockaddr_in own = { .sin_family = AF_INET };
	static struct ifaddrs list = { .ifa_addr = (struct sockaddr *)&own };

	inet_pton(AF_INET, CTL_HOST, &own.sin_addr);
	*ret_list = &list;
	return 0;
}

void __wrap_freeifaddrs(struct ifaddrs *list)
{
	(void)list;
}

struct ctl ctl;

void ctl_open(void)
{
	ctl = (struct ctl){ .status = -1 };
	setenv("TZ", "UTC0", 1);
	fakelists_open(&ctl.lists);
	ctl.dir = ctl.lists.dir;
	snprintf(ctl.run, sizeof(ctl.run), "%s/run", ctl.dir);
	must(mkdir(ctl.run, 0755) == 0, ctl.run);
	snprintf(ctl.config, sizeof(ctl.config), "%s/rsyslog.conf", ctl.dir);
	snprintf(ctl.proc_root, sizeof(ctl.proc_root), "%s/proc", ctl.dir);
	snprintf(ctl.courier_etc, sizeof(ctl.courier_etc), "%s/courier", ctl.dir);
}

void ctl_close(void)
{
	free(ctl.out);
	free(ctl.err);
	fakelists_close(&ctl.lists);
}

void ctl_write(const char *path, const char *text)
{
	char *whole;

	if (asprintf(&whole, "%s/%s", ctl.dir, path) < 0)
		return;
	temp_file_write(whole, text);
	free(whole);
}

void ctl_configure(const char *text)
{
	ctl_write("rsyslog.conf", text);
}

void ctl_show(const char *path, const char *addr, unsigned int age)
{
	unsigned long seen = (1UL << 32) - 300 * CTL_HZ + (CTL_UP - age) * CTL_HZ;
	char *before = fakelists_text(&ctl.lists, path), *text, whole[512];

	if (asprintf(&text, "%ssrc=%s ttl: 0 last_seen: %lu oldest_pkt: 1 %lu\n",
		     before ? before : "", addr, seen, seen) < 0)
		return;
	snprintf(whole, sizeof(whole), "net/%s", path);
	ctl_write(whole, text);
	free(before);
	free(text);
}

/* Split the words in place. Returns their number. */
static int split(char *words, char **argv, int max)
{
	int argc = 0;
	char *word, *rest = NULL;

	for (word = strtok_r(words, " ", &rest); word && argc < max - 1;
	     word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

/* Replace the directory's name, which is another one in every run. */
static char *without_dir(char *text)
{
	size_t len = strlen(ctl.dir), used = 0;
	char *clean = calloc(1, strlen(text) + 1), *p = text;

	while (clean && *p) {
		if (strncmp(p, ctl.dir, len) == 0) {
			memcpy(clean + used, "DIR", 3);
			used += 3;
			p += len;
		} else {
			clean[used++] = *p++;
		}
	}
	free(text);
	return clean;
}

void ctl_run(const char *words)
{
	size_t out_len, err_len;
	struct context context = {
		.terminal = ctl.terminal,
		.config = ctl.config,
		.proc_root = ctl.proc_root,
		.net_root = ctl.lists.net_root,
		.module_root = ctl.lists.module_root,
		.courier_etc = ctl.courier_etc,
		.system_root = ctl.dir,
		.programs = ctl.programs,
	};
	char *argv[32], *copy;

	free(ctl.out);
	free(ctl.err);
	if (asprintf(&copy, "smtpblockctl %s", words) < 0)
		return;
	context.out = open_memstream(&ctl.out, &out_len);
	context.err = open_memstream(&ctl.err, &err_len);
	ctl.status = smtpblockctl(&context, split(copy, argv, 32), argv);
	fclose(context.out);
	fclose(context.err);
	free(copy);
	ctl.out = without_dir(ctl.out);
	ctl.err = without_dir(ctl.err);
}

void support_want_run(const char *words, int status, const char *out, const char *err,
		      const char *file, int line)
{
	ctl_run(words);
	support_want_str(ctl.err, err, words, file, line);
	support_want_str(ctl.out, out, words, file, line);
	support_want_int(ctl.status, status, words, file, line);
}

void support_want_golden(const char *words, const char *name, const char *file, int line)
{
	const char *sources = getenv("SOURCES"), *update = getenv("GOLDEN_UPDATE");
	char path[512], *want;

	snprintf(path, sizeof(path), "%s/tests/tool/golden/%s", sources ? sources : ".", name);
	ctl_run(words);
	if (update && strcmp(update, "yes") == 0)
		temp_file_write(path, ctl.out);
	want = temp_file_read(path);
	support_want_str(ctl.err, "", words, file, line);
	support_want_str(ctl.out, want, words, file, line);
	support_want_int(ctl.status, 0, words, file, line);
	free(want);
}
