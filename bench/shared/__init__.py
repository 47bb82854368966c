# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What the parts of the bench share, besides lib of the integration tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))
