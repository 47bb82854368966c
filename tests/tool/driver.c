/* smtpblockctl on a host that consists of files: the first argument is the directory. Its clocks
 * stand still, and nftables is a file.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocklist/nftsetup.h"
#include "tool/lib/command.h"

static const char *root;

int __wrap_nftsetup_look(const struct backend_config *config, struct nftstate *ret_state);

/* What nftables has, according to the host's file "nftables": "error ERRNO", or for each family
 * "as-wanted", "works", "no-rule" or "no-set". No file: there is no table. */
int __wrap_nftsetup_look(const struct backend_config *config, struct nftstate *ret_state)
{
	char path[512], words[2][16] = { "", "" };
	FILE *file;
	int i;

	(void)config;
	memset(ret_state, 0, sizeof(*ret_state));
	snprintf(path, sizeof(path), "%.400s/nftables", root);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%15s %15s", words[0], words[1]) == 2 && strcmp(words[0], "error") == 0)
		i = -(int)strtol(words[1], NULL, 10);
	else
		i = 0;
	fclose(file);
	ret_state->table = ret_state->chain = ret_state->hooked = true;
	for (int which = 0; which < 2; which++) {
		struct nftstate_list *list = &ret_state->lists[which];
		const char *word = words[which];

		list->set = list->usable = strcmp(word, "no-set") != 0;
		list->rules = list->set && strcmp(word, "no-rule") != 0;
		list->as_wanted = list->rule_as_wanted = strcmp(word, "as-wanted") == 0;
	}
	return i;
}

/* Write a path on the host to *at and move *at behind it. */
static const char *put(char **at, const char *path)
{
	char *text = *at;

	*at += snprintf(text, 512, "%.400s%s", root, path) + 1;
	return text;
}

int main(int argc, char **argv)
{
	static char paths[7 * 512];
	char *at = paths;
	struct context context = { .out = stdout, .err = stderr };

	if (argc < 2)
		return STATUS_USAGE;
	root = argv[1];
	context.config = put(&at, "/etc/rsyslog.conf");
	context.proc_root = put(&at, "/proc");
	context.net_root = put(&at, "/proc/net");
	context.module_root = put(&at, "/sys/module");
	context.courier_etc = put(&at, "/etc/courier");
	context.system_root = argv[1];
	context.programs = put(&at, "/sbin");
	argv[1] = argv[0];
	return smtpblockctl(&context, argc - 1, argv + 1);
}
