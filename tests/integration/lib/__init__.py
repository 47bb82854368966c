# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What the privileged scenarios are made of: one module a role.

A scenario runs in namespaces of its own (see isolate.py). Its own network
namespace is the mail host, "mx"; the clients live in a second one, "world".
"""
