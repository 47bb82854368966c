/* smtpblockctl on this host.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "blocklist/backend.h"
#include "lib/procfs.h"
#include "tool/lib/command.h"
#include "tool/lib/spawn.h"

int main(int argc, char **argv)
{
	struct context context = {
		.out = stdout,
		.err = stderr,
		.terminal = isatty(STDOUT_FILENO),
		.config = "/etc/rsyslog.conf",
		.proc_root = PROCFS_DEFAULT_ROOT,
		.net_root = BACKEND_NET_ROOT,
		.module_root = BACKEND_MODULE_ROOT,
		.courier_etc = "/etc/courier",
		.system_root = "",
		.programs = SPAWN_DIRS,
	};

	return smtpblockctl(&context, argc, argv);
}
