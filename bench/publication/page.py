# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""doc/performance.rst: everything that was measured, goals reached and missed."""

from publication import parts, waves
from publication.text import heading, image, literal, number, paragraph, rst_table

# In the page's order: the part, its section's title, what makes the section.
SECTIONS = (
    ("peers", "The same wave on other protections", waves.section),
    ("latency", "Latency", parts.latency),
    ("burst", "Burst", parts.burst),
    ("cost", "Cost", parts.cost),
    ("nftables", "A block with nftables", parts.nftables),
    ("scale", "Scale", parts.scale),
)
PARTS = tuple(part for part, _, _ in SECTIONS)

# Which part has a plot, and what is to be seen.
PLOTS = {"peers": "slots in use over the time of the wave",
         "latency": "median time to the SIGTERM by the number of children alive",
         "burst": "time a line by action"}

HEAD = """***********
Performance
***********

.. Made by bench/publish of the JSON files in doc/performance: not to be edited by hand.

What bench/run measures, on the machine that stands above each section. Ratios and
differences hold elsewhere; absolute times are that machine's. The files that this page
is made of, with every round, are in the directory performance.
"""


def command(data):
    return data.get("command") or f"sudo bench/run {data['part']}"


def machine(data):
    if data["part"] == "peers":
        return waves.machine(data)
    return "; ".join(f"{name} {value}" for name, value in data["machine"].items())


def verdict(goal):
    return "reached" if goal["reached"] else "MISSED"


def goals_table(goals):
    return rst_table(["goal", "at most", "measured", "", "verdict"], [
        [goal["what"], number(goal["limit"]), number(goal["value"]), goal["unit"], verdict(goal)]
        for goal in goals])


def section(data, title, make):
    part = data["part"]
    pieces = [heading(title), literal(command(data)), paragraph(machine(data))]
    if part in PLOTS:
        pieces.append(image(f"performance/{part}.svg", PLOTS[part]))
    pieces += make(data)
    if data.get("goals"):
        pieces += ["Goals:\n", goals_table(data["goals"])]
    return "\n".join(pieces)


def summary(found):
    """How many goals there are, and each that was missed."""
    goals = [(part, goal) for part in PARTS if part in found
             for goal in found[part].get("goals", [])]
    missed = [f"- {part}: {goal['what']}: {number(goal['value'])} {goal['unit']}, "
              f"at most {number(goal['limit'])} was the goal\n"
              for part, goal in goals if not goal["reached"]]
    text = f"{len(goals) - len(missed)} of {len(goals)} goals were reached."
    return f"{text} Missed:\n\n{''.join(missed)}" if missed else text + "\n"


def page(found):
    """`found` has the parts' files by name. Parts that were not run have no section."""
    return "\n".join([HEAD, summary(found)] + [
        section(found[part], title, make) for part, title, make in SECTIONS if part in found])
