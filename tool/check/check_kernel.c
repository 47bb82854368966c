/* What the kernel provides: lists and their modules.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blocklist/backend.h"
#include "lib/array.h"
#include "tool/check/checks.h"

/* The first kernel with pidfd_open(2). */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 3

static bool kernel_release(const struct host *host, char *release, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sys/kernel/osrelease", host->procfs.root);
	if (host_read(path, release, size) <= 0)
		return false;
	release[strcspn(release, "\n")] = '\0';
	return true;
}

static void check_pidfd(struct checks *checks)
{
	char release[128];
	unsigned int major, minor;

	if (!kernel_release(checks->host, release, sizeof(release)) ||
	    sscanf(release, "%u.%u", &major, &minor) != 2)
		return;
	if (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR))
		check_broken(checks, "kernel.pidfd", "install Linux 5.3 or later",
			     "Linux %s has no pidfd_open(2), without which nobody is ended",
			     release);
}

/* Do the kernel's module indexes name it? 1: yes, 0: no, -1: there is no index. */
static int is_available(const struct host *host, const char *module)
{
	static const char *const files[] = { "modules.dep", "modules.builtin" };
	char release[128], name[PATH_MAX], path[PATH_MAX], want[80];
	int answer = -1, r;
	size_t i;

	snprintf(want, sizeof(want), "/%s.ko", module);
	if (!kernel_release(host, release, sizeof(release)))
		return -1;
	for (i = 0; i < COUNT_OF(files) && answer != 1; i++) {
		snprintf(name, sizeof(name), "/lib/modules/%s/%s", release, files[i]);
		r = host_mentions(host_path(host, name, path), want);
		answer = r < 0 ? answer : r;
	}
	return answer;
}

static void check_module(struct checks *checks, const char *module, const char *instead)
{
	const struct context *context = checks->host->context;
	char path[PATH_MAX], net_path[PATH_MAX];
	int available;

	snprintf(path, sizeof(path), "%s/%s", context->module_root, module);
	snprintf(net_path, sizeof(net_path), "%s/%s", context->net_root, module);
	if (access(path, F_OK) == 0 || access(net_path, F_OK) == 0) {
		check_ok(checks, "kernel", "%s is there", module);
		return;
	}
	available = is_available(checks->host, module);
	if (available == 1)
		check_ok(checks, "kernel", "%s can be loaded", module);
	else if (available == 0)
		check_broken(checks, "kernel", instead, "this kernel has no %s", module);
	else
		check_warning(checks, "kernel", "modprobe the module",
			      "cannot tell: %s is not loaded, and there is no list of modules",
			      module);
}

void check_kernel(struct checks *checks, const struct host_action *action)
{
	check_pidfd(checks);
	if (action->settings.backend == BACKEND_RECENT)
		check_module(checks, "xt_recent",
			     "write backend=\"nftables\" into the action");
}

/* Has this host a global IPv6 address? Then clients may connect over IPv6. */
static bool has_ipv6(const struct host *host)
{
	char path[PATH_MAX], line[256];
	bool found = false;
	unsigned int scope;
	FILE *file;

	snprintf(path, sizeof(path), "%s/if_inet6", host->context->net_root);
	file = fopen(path, "re");
	/* Fields: address, index, length, scope (0: global), flags, interface. */
	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*s %*x %*x %x", &scope) == 1 && scope == 0;
	if (file)
		fclose(file);
	return found;
}

static bool has_list(const struct host *host, const char *name)
{
	static const char *const dirs[] = { "xt_recent", "ipt_recent" };
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", host->context->net_root, dirs[i],
			 name);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static struct backend *open_backend(const struct host *host, const struct settings *settings)
{
	const struct backend_config config = host_backend_config(host, settings);
	struct backend *backend = NULL;

	if (backend_ops(settings->backend)->open(&config, &backend) < 0)
		return NULL;
	return backend;
}

static void check_list(struct checks *checks, const struct settings *settings, int family)
{
	const char *name = settings_list(settings, family);
	const char *id = family == ADDR_IPV4 ? "list.ipv4" : "list.ipv6";

	if (has_list(checks->host, name))
		check_ok(checks, id, "the list %s is there", name);
	else if (family == ADDR_IPV4 || has_ipv6(checks->host))
		check_broken(checks, id, "smtpblockctl setup recent --apply",
			     "there is no list %s: no rule names it", name);
}

/* Connections that courier allows at a time, a lower bound of the addresses that a wave can
 * block. */
static void check_size(struct checks *checks, struct backend *backend, const char *list)
{
	long slots = courierconf_number(checks->host->esmtpd, "MAXDAEMONS", 0);
	size_t capacity = backend->ops->capacity(backend);

	if (capacity == SIZE_MAX)
		return;
	if (slots <= 0)
		check_warning(checks, "list.size", "",
			      "the list %s holds %zu addresses; cannot tell whether that is "
			      "enough: MAXDAEMONS is not known",
			      list, capacity);
	else if (capacity < (size_t)slots)
		check_warning(checks, "list.size",
			      "write  options xt_recent ip_list_tot=5000  into "
			      "/etc/modprobe.d/xt_recent.conf and load the module again, or, "
			      "where it is built in, boot with xt_recent.ip_list_tot=5000",
			      "the list %s holds %zu addresses, a wave can have %ld at once: "
			      "the oldest fall off untold",
			      list, capacity, slots);
	else
		check_ok(checks, "list.size", "the list %s holds %zu addresses, courier %ld "
			 "connections", list, capacity, slots);
}

void check_lists(struct checks *checks, const struct host_action *action)
{
	const struct settings *settings = &action->settings;
	struct backend *backend;

	if (settings->backend != BACKEND_RECENT)
		return;
	check_list(checks, settings, ADDR_IPV4);
	check_list(checks, settings, ADDR_IPV6);
	backend = open_backend(checks->host, settings);
	if (!backend) {
		checks->out_of_memory = true;
		return;
	}
	check_size(checks, backend, settings->list);
	backend->ops->free(backend);
}
