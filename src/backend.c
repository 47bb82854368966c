/* Where a blocked address goes: one ops table a backend.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "backend.h"

static const struct backend_ops *const all[] = {
	[BACKEND_RECENT] = &backend_recent_ops,
	[BACKEND_NFTABLES] = &backend_nftables_ops,
	[BACKEND_NULL] = &backend_null_ops,
};

const struct backend_ops *backend_ops(int kind)
{
	return all[kind];
}
