# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What the parts of the bench share."""
