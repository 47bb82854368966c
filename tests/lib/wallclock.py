# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A time of day of rsyslogd's own. The machine's is not touched."""

import os
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


class WallClock:
    """`words` are to be put in front of rsyslogd, which then has this clock."""

    def __init__(self, directory):
        library, self._offset = Path(directory) / "wallclock.so", Path(directory) / "wallclock"
        subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-g", "-o", library, SOURCE],
                       check=True)
        self.set(0)
        self.words = ("env", f"LD_PRELOAD={library}", f"OMSMTPBLOCK_WALLCLOCK={self._offset}")

    def set(self, seconds):
        """It is ahead of the machine's by so many seconds."""
        # In place, as rsyslogd has mapped the file.
        descriptor = os.open(self._offset, os.O_RDWR | os.O_CREAT, 0o644)
        os.pwrite(descriptor, struct.pack("=q", seconds), 0)
        os.close(descriptor)
