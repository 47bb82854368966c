# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What the parts of the bench share, besides what the integration tests have in lib."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests/integration"))
