#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The cost of a block with backend="nftables", and whether it depends on their number.

    sudo bench/run nftables [-- [--rounds N] [--count N] [--json FILE]]

  alone      one address with one message to the kernel and its answer, unbatched,
             as with occasional lines; renewed: one that is blocked already
  many       32 addresses with one message, as in a wave; of 100,000 the first
             tenth and the last
  wave       with the module's own work: queue, cache of blocks, counters
  look       the check whether the table still exists, if no rule was changed

Each round has its own network namespace. The figures are processor time, including the
kernel's for sets, transactions and timeouts.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from shared import figures, hostfacts, partfile  # noqa: E402
from shared.partfile import Wrong  # noqa: E402


def one_round(options):
    command = ["unshare", "--net", options.programs / "nftblocks", str(options.count)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if result.returncode:
        raise Wrong(f"nftblocks: status {result.returncode}: {result.stderr[-1000:]}")
    found = json.loads(result.stdout)
    tenths = found.pop("many by tenths")
    return found | {"many, first tenth": tenths[0], "many, last tenth": tenths[-1],
                    "tenths": tenths}


ROWS = ("alone", "renewed", "alone at the end", "many, first tenth", "many, last tenth", "wave",
        "look")


def print_rounds(rounds, goals):
    print(f"\n{'us an address, of ' + str(rounds[0]['count']):<36}median (lowest .. highest)")
    for row in ROWS:
        print(f"{row:<36}{figures.spread([each[row] / 1000 for each in rounds], digits=2)}")
    middle = lambda row: sorted(each[row] for each in rounds)[len(rounds) // 2]
    goals.at_most("one address of many", middle("many, last tenth") / 1000, 4, "us", 2)
    goals.at_most("one address of a wave", middle("wave") / 1000, 4, "us", 2)
    goals.at_most("one address alone, unbatched", middle("alone") / 1000, 8, "us", 2)
    ratios = sorted(each["many, last tenth"] / each["many, first tenth"] for each in rounds)
    goals.at_most("the last tenth against the first", ratios[len(ratios) // 2], 1.5, "times", 2)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, default=Path("/build/bench/programs"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plots", type=Path, help="has no plots")
    parser.add_argument("--check", action="store_true", help="fail where a goal is missed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=100000)
    return parser.parse_args()


def main():
    options = parse()
    if os.geteuid() != 0:
        sys.exit("measure: this wants root, for a network namespace")
    facts = hostfacts.facts()
    goals = partfile.Goals()
    try:
        rounds = [one_round(options) for _ in range(options.rounds)]
    except Wrong as problem:
        sys.exit(f"measure: {problem}")
    print_rounds(rounds, goals)
    print("\n" + hostfacts.describe(facts))
    partfile.write_json(options.json, "nftables", facts, goals, rounds=rounds)
    return 0 if goals.reached() or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
