# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The tables of each part, from the data of its file: printed by bench/measure, published by
bench/publish."""

import re
import textwrap
from statistics import median

from shared.figures import differences, spread

# Cells that begin like a figure are right-aligned.
FIGURE = re.compile(r"[-+<]?[0-9]|none$|$")

SPREAD = "a figure is the median of the rounds, with the lowest and the highest"

# The measured times of a line, by name in the file.
REACHED = {"begun": "From the log line to a no-op action",
           "listed": "From the log line to the list",
           "signalled": "From the log line to the SIGTERM received"}
NFTABLES_ROWS = ("alone", "renewed", "alone at the end", "many, first tenth", "many, last tenth",
                 "wave", "look")


def number(value):
    """Only significant digits, and no exponent."""
    if value is None:
        return "none"
    size = abs(value)
    return f"{value:.0f}" if size >= 100 or value == int(value) else \
        f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def paragraph(text):
    """Breaks lines at blanks only."""
    return textwrap.fill(" ".join(text.split()), 88, break_long_words=False,
                         break_on_hyphens=False) + "\n"


def rst_table(head, rows):
    """A simple table, without empty columns. A heading may have lines."""
    kept = [at for at, column in enumerate(zip(*rows)) if any(column)]
    above = [head[at].split("\n") for at in kept]
    # A single dash would start a list.
    rows = [["none" if row[at] == "-" else row[at] for at in kept] for row in rows]
    top = [[cell[at] if at < len(cell) else "" for cell in above]
           for at in range(max(map(len, above)))]
    widths = [max(map(len, column)) for column in zip(*top, *rows)]
    sides = [">" if all(map(FIGURE.match, column)) else "<" for column in zip(*rows)]

    def line(cells, sides):
        return "  ".join(f"{cell:{side}{width}}" for cell, side, width in
                         zip(cells, sides, widths)).rstrip()
    # Lines of a heading with different indentation would form a quotation.
    rule = "  ".join("=" * width for width in widths)
    return "\n".join([
        rule, *(line(cells, sides if len(top) == 1 else "<" * len(widths)) for cells in top),
        rule, *(line(cells, sides) for cells in rows), rule]) + "\n"


# --- latency ---

def children_of(data):
    """The numbers of smtpds that were measured, as in the file."""
    return sorted({n for rounds in data["variants"].values() for n in rounds}, key=int)


def times(data, name, children, what, figure="p50"):
    return [one[what][figure] for one in data["variants"].get(name, {}).get(children, [])
            if one[what]]


def over_floor(data, name, children, what):
    """Round by round."""
    return differences(times(data, name, children, what),
                       times(data, data["floors"][name], children, what))


def latency_row(data, name, children, what):
    others = [number(median(times(data, name, children, what, figure)))
              for figure in ("min", "p90", "p99")]
    over = over_floor(data, name, children, what)
    return [name, "0" if children == "1" else children, others[0],
            spread(times(data, name, children, what)), *others[1:],
            spread(over, "+") if over else ""]


def latency_section(data):
    rounds = {children: max(len(each.get(children, [])) for each in data["variants"].values())
              for children in children_of(data)}
    yield paragraph(
        f"{data['samples']} samples of each in a round, in us; {SPREAD}. Rounds: "
        + ", ".join(f"{count} with {'0' if children == '1' else children} children"
                    for children, count in rounds.items())
        + (". No processor slept" if data["awake"] else "")
        + ". The floors are measured beside: the same rsyslogd with an action whose first "
        "statement notes the time, or sends the signal. With terminate.delay=\"0\", as here, the "
        "signal goes before the list.")
    for what, title in REACHED.items():
        rows = [latency_row(data, name, children, what) for children in rounds
                for name in data["variants"] if times(data, name, children, what)]
        if rows:
            yield title + ":\n"
            yield rst_table(["action", "children", "min", "p50", "p90", "p99",
                             "p50 over its floor"], rows)


# --- burst ---

def burst_rounds(data, name, source, what):
    return [one[what] for one in data["variants"].get(name, {}).get(source, [])]


def burst_row(data, name, source):
    us = median(burst_rounds(data, name, source, "us"))
    row = [name, number(us * data["lines"] / 1000), number(1e6 / us)]
    for what in ("us", "cpu us"):
        mine, floor = (burst_rounds(data, each, source, what)
                       for each in (name, data["floors"][name]))
        row += [spread(mine, digits=2), spread(differences(mine, floor), "+", 2) if floor else ""]
    return row


def burst_section(data):
    some = next(iter(data["variants"].values()))
    yield paragraph(
        f"{data['lines']} lines of distinct addresses, {len(next(iter(some.values())))} "
        f"rounds; {SPREAD}. CPU is that of rsyslogd's threads, the input's left out. What "
        "is beyond is measured within a round: beyond the no-op action with our template, "
        "for ours and for the list's two calls; beyond the no-op action, for the others. "
        "Those two system calls are all that the kernel's list takes of a block on recent: "
        "no action is faster.")
    for source in some:
        yield f"Over {source}:\n"
        yield rst_table(["action", "ms", "lines/s", "us a line", "beyond", "us of CPU", "beyond"],
                        [burst_row(data, name, source) for name in data["variants"]])


# --- cost, nftables, scale ---

def instructions_row(name, one):
    return [name, number(one["instructions"]), ", ".join(
        f"{function.lstrip('_')} {count:.0f}" for function, count in one["most in"][:3])]


def calls_row(name, one):
    both = (one["worker"], one["background"])
    return [name, *(f"{count:.2f}" for count in (*both, sum(both))),
            ", ".join(f"{call} {count:g}" for call, count in one["worker by name"].items())]


def growth_row(name, pair):
    return [name, *(f"{one['worker']:.2f}" for one in pair),
            *(number(one["instructions"]) for one in pair)]


def memory_row(name, one):
    return [name, *(f"{one[when]['Rss']} ({one[when]['Anonymous']})"
                    for when in ("idle", "messages", "blocks"))]


# By name in the file: caption, heading, function that makes a row.
COST = {
    "instructions": ("Instructions a message, the C library's included; and the functions with "
                     "most", ["message", "instructions", "most in"], instructions_row),
    "calls": ("System calls a message",
              ["message", "worker", "background", "both", "the worker's"], calls_row),
    "growth": ("Both, of the worker, with few children alive and with four times as many",
               ["message", "calls,\nfew", "calls,\nmany", "instructions,\nfew",
                "instructions,\nmany"], growth_row),
    "memory": ("Memory of rsyslogd in kB, resident and (its own alone)",
               ["module", "idle", "after messages", "with blocks"], memory_row),
}


def cost_section(data):
    for part, (title, head, row) in COST.items():
        if part in data:
            yield f"{title}:\n"
            yield rst_table(head, [row(name, one) for name, one in data[part].items()])


def nftables_section(data):
    rounds = data["rounds"]
    yield paragraph(f"us of processor time an address, the kernel's included, of "
                    f"{rounds[0]['count']}; {len(rounds)} rounds; {SPREAD}.")
    yield rst_table(["what", "us an address"], [
        [row, spread([each[row] / 1000 for each in rounds], digits=2)] for row in NFTABLES_ROWS])


def scale_section(data):
    for title, name, columns in (
            ("The threshold's memory", "threshold",
             {"addresses": "addresses", "first ns": "ns, first", "again ns": "ns, again",
              "kB": "kB", "forgotten": "forgotten"}),
            ("The allow list", "allow",
             {"entries": "entries", "ns": "ns a lookup", "read ms": "ms to read"})):
        yield f"{title}:\n"
        yield rst_table([*columns.values()],
                        [[number(row[key]) for key in columns] for row in data[name]])
    replay = data.get("replay")
    if replay:
        yield (f"smtpblockctl replay of {replay['lines']} lines: {replay['seconds']:.2f} s, "
               f"{replay['peak kB']} kB at the peak.\n")


# In the page's order: title, and function that makes the section.
SECTIONS = {
    "latency": ("Latency", latency_section),
    "burst": ("Burst", burst_section),
    "cost": ("Cost", cost_section),
    "nftables": ("A block with nftables", nftables_section),
    "scale": ("Scale", scale_section),
}
