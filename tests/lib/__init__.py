# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What the privileged scenarios share: one module for each role.

A scenario runs in its own namespaces (see isolate.py). Its network namespace is the mail
host, "mx"; the clients live in a second one, "world".
"""
