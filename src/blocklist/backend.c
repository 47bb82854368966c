/* Backends: where a blocked address is written.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/backend.h"

static const struct backend_ops *const all[] = {
	[BACKEND_RECENT] = &backend_recent_ops,
	[BACKEND_NFTABLES] = &backend_nftables_ops,
	[BACKEND_NULL] = &backend_null_ops,
};

const struct backend_ops *backend_ops(int kind)
{
	return all[kind];
}

struct backend_config backend_config_of(const struct settings *settings,
					const char *net_root,
					const char *module_root)
{
	static const struct addr ipv6 = { .family = ADDR_IPV6 };

	return (struct backend_config){
		.list = settings->list,
		.list6 = settings->list6,
		.ban_time = settings->ban_time,
		.ipv4_prefix = settings->ipv4_prefix,
		.ipv6_prefix = settings_prefix(settings, &ipv6),
		.list_size = settings->list_size,
		.ports = &settings->ports,
		.net_root = net_root,
		.module_root = module_root,
	};
}
