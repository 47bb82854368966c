# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""From the bench's JSON files to README and doc/performance.rst."""
