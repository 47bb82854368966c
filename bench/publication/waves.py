# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The same wave on other protections, as a section of reStructuredText: peers.json
told with the columns of bench/peers/report.py."""

import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(BENCH / "peers"), str(BENCH / "wave")]

import peers  # noqa: E402
import report  # noqa: E402
from publication.text import paragraph, rst_table  # noqa: E402

CONDITION = "base"


def figures_of(data):
    """All runs, as bench/peers/compare had them when it wrote them down."""
    return [report.from_told(run) for run in data["runs"]]


def of_condition(found, condition):
    return [one for one in found if peers.RUNS[one.run].condition == condition]


def with_spread(text, spread):
    return f"{text} ({spread})" if spread else text


def table(columns, found):
    """Headings stand above in two lines there; here one that is empty would be lost."""
    head = ["protection", *(heading.strip("\n") for heading, _ in columns)]
    return rst_table(head, [[one.label, *(with_spread(show(one), show.spread(one))
                                          for _, show in columns)] for one in found])


def ratios(found, ours):
    return rst_table(
        ["protection", *(heading.strip("\n") for heading, _ in report.RATIOS)],
        [[one.label, *(with_spread(*report.ratio_over_rounds(of, one, ours))
                       for _, of in report.RATIOS)] for one in found])


def section(data):
    found = figures_of(data)
    calm = next((one for one in found if one.run == peers.CALM), None)
    rounds = data.get("rounds", 1)
    yield paragraph(report.about_mails(calm) + (
        f"A figure is the median of {rounds} rounds, with the lowest and the highest where "
        "they differ." if rounds > 1 else ""))
    for name, condition in peers.CONDITIONS.items():
        of_it = [one for one in of_condition(found, name) if one is not calm]
        if not of_it:
            continue
        yield f"**{condition.title[0].upper()}{condition.title[1:]}**\n"
        yield table(report.FATE, of_it)
        yield "What that costs, and when the addresses were blocked:\n"
        yield table(report.COST, of_it)
        ours = report.ours_of(of_it)
        if ours and len(of_it) > 1:
            yield f"Times as much as {ours.label}; less than 1: it does better:\n"
            yield ratios(of_it, ours)
    for word in data["doubts"] + data["failures"]:
        yield paragraph(f"To be doubted: {word}.")


def machine(data):
    place = data["machine"]
    return (f"cpu {place['model']}; processors {place['cpus']}; kernel {place['kernel']}; "
            + "; ".join(f"{name} {version}" for name, version in place["versions"].items()
                        if version)
            + f"; load before {place['load']:.2f}; load after {place['load after']:.2f}")
