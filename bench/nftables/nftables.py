# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The cost of a block with backend="nftables", and whether it depends on their number.

    sudo bench/run nftables [-- OPTION...]

  alone      one address with one message to the kernel and its answer, unbatched,
             as with occasional lines; renewed: one that is blocked already
  many       32 addresses with one message, as in a wave; of 100,000 the first
             tenth and the last
  wave       with the module's own work: queue, cache of blocks, counters
  look       the check whether the table still exists, if no rule was changed

Each round has its own network namespace. The figures are processor time, including the
kernel's for sets, transactions and timeouts.
"""

import json
import subprocess
from statistics import median

from shared.partfile import Wrong

OPTIONS = {"rounds": (5, "how many"), "count": (100000, "addresses")}


def one_round(options):
    command = ["unshare", "--net", options.programs / "nftblocks", str(options.count)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if result.returncode:
        raise Wrong(f"nftblocks: status {result.returncode}: {result.stderr[-1000:]}")
    found = json.loads(result.stdout)
    tenths = found.pop("many by tenths")
    return found | {"many, first tenth": tenths[0], "many, last tenth": tenths[-1],
                    "tenths": tenths}


def judge(rounds, goals):
    for what, row, most in (("one address of many", "many, last tenth", 4),
                            ("one address of a wave", "wave", 4),
                            ("one address alone, unbatched", "alone", 8)):
        goals.at_most(what, median(each[row] for each in rounds) / 1000, most, "us", 2)
    goals.at_most("the last tenth against the first", median(
        each["many, last tenth"] / each["many, first tenth"] for each in rounds), 1.5, "times", 2)


def measure(options, goals):
    rounds = [one_round(options) for _ in range(options.rounds)]
    judge(rounds, goals)
    return {"rounds": rounds}
