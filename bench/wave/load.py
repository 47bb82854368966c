# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The load of the machine before a wave and during it.

On a busy machine the wave is slower and longer. That changes none of its results, as long
as it fills the slots. If the machine cannot keep even that pace, a failed run says nothing
about the module.
"""

import dataclasses
import math
import os
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 1.0
# Below this share of the processors the wave comes more slowly, at most by SLOWEST.
ENOUGH, SLOWEST = 0.8, 4
# A failed run is the machine's fault if connections were tried later than LATE seconds, if
# programs got less than LITTLE of the processors, or if the hypervisor took over STOLEN.
LATE, LITTLE, STOLEN = 2.0, 0.3, 0.2

_SPIN = """
import sys, time
end, begun = time.monotonic() + float(sys.argv[1]), time.process_time()
while time.monotonic() < end: pass
print(time.process_time() - begun)
"""


def share():
    """The share of the processors' time that busy loops get, one on each processor."""
    processors = len(os.sched_getaffinity(0))
    spinning = [subprocess.Popen([sys.executable, "-I", "-c", _SPIN, str(SECONDS)],
                                 stdout=subprocess.PIPE, text=True) for _ in range(processors)]
    used = sum(float(program.communicate()[0]) for program in spinning)
    return min(1.0, used / (SECONDS * processors))


def average():
    return Path("/proc/loadavg").read_text().split()[0]


def slower(part):
    """The factor by which the wave is slower if programs get that share."""
    return 1 if part >= ENOUGH else min(SLOWEST, math.ceil(1 / max(part, 0.01)))


class Times:
    """Where the processors' time went between two calls."""

    def __init__(self):
        self._began = self._read()

    @staticmethod
    def _read():
        return [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]

    def idle_and_stolen(self):
        spent = [now - before for now, before in zip(self._read(), self._began)]
        whole = max(1, sum(spent))
        return (spent[3] + spent[4]) / whole, spent[7] / whole


@dataclasses.dataclass
class Load:
    """The machine around a run."""

    before: float       # shares
    after: float
    idle: float         # of the processors' time during the run
    stolen: float
    late: float         # seconds, the latest connection
    averages: tuple     # load averages, before and after

    def text(self):
        return (f"The machine: before the wave programs got {self.before:.0%} of its processors, "
                f"after it {self.after:.0%};\nmeanwhile {self.idle:.0%} of them was left over and "
                f"{self.stolen:.0%} was the hypervisor's. Load average {self.averages[0]}, then "
                f"{self.averages[1]}.\n")

    def faults(self):
        """Reasons to blame the machine if the run failed; empty if there are none."""
        found = []
        if self.late > LATE:
            found.append(f"connections were tried up to {self.late:.1f} s late")
        if min(self.before, self.after) < LITTLE:
            found.append(f"programs got {min(self.before, self.after):.0%} of its processors")
        if self.stolen > STOLEN:
            found.append(f"the hypervisor took {self.stolen:.0%} of its processors")
        return found
