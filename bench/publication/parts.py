# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What each part of the bench measured, as sections of reStructuredText: from the
part's JSON file alone."""

import statistics

from lib import figures
from publication.text import number, paragraph, rst_table

SPREAD = "a figure is the median of the rounds, with the lowest and the highest"


def median(values):
    return statistics.median(values) if values else None


def spread(values, sign="", digits=1):
    return figures.spread(values, sign, digits) if values else ""


def over(mine, floor):
    """Round by round."""
    return figures.differences(mine, floor) if floor else []


# --- latency ---------------------------------------------------------------

# What is measured of a line, by its name in the file.
REACHED = (("begun", "From the log line to a no-op action"),
           ("listed", "From the log line to the list"),
           ("signalled", "From the log line to the SIGTERM received"))


def shown(children):
    return "0" if children == "1" else children


def children_of(data):
    """Numbers of children that were tried, as the file has them."""
    return sorted({n for rounds in data["variants"].values() for n in rounds}, key=int)


def latency_rounds(data, name, children, what, figure="p50"):
    return [one[what][figure] for one in data["variants"].get(name, {}).get(children, [])
            if one[what]]


def latency_row(data, name, children, what):
    p50 = latency_rounds(data, name, children, what)
    floor = latency_rounds(data, data["floors"][name], children, what)
    others = [number(median(latency_rounds(data, name, children, what, figure)))
              for figure in ("min", "p90", "p99")]
    return [name, shown(children), others[0], spread(p50), *others[1:],
            spread(over(p50, floor), "+")]


def latency(data):
    rounds = {children: max(len(each.get(children, [])) for each in data["variants"].values())
              for children in children_of(data)}
    yield paragraph(
           f"{data['samples']} samples of each in a round, in us; {SPREAD}. Rounds: "
           + ", ".join(f"{count} with {shown(children)} children"
                       for children, count in rounds.items())
           + (". No processor slept" if data["awake"] else "")
           + ". The floors are measured beside: the same rsyslogd with an action whose first "
           "statement notes the time, or sends the signal.")
    for what, title in REACHED:
        rows = [latency_row(data, name, children, what) for children in children_of(data)
                for name in data["variants"] if latency_rounds(data, name, children, what)]
        if rows:
            yield title + ":\n"
            yield rst_table(["action", "children", "min", "p50", "p90", "p99",
                             "p50 over its floor"], rows)


# --- burst -----------------------------------------------------------------

def burst_rounds(data, name, source, what):
    return [one[what] for one in data["variants"].get(name, {}).get(source, [])]


def burst_row(data, name, source):
    us = burst_rounds(data, name, source, "us")
    row = [name, number(median(us) * data["lines"] / 1000), number(1e6 / median(us))]
    for what in ("us", "cpu us"):
        mine, floor = (burst_rounds(data, each, source, what)
                       for each in (name, data["floors"][name]))
        row += [spread(mine, digits=2), spread(over(mine, floor), "+", 2)]
    return row


def burst(data):
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


# --- cost ------------------------------------------------------------------

def by_name(counted):
    return ", ".join(f"{name} {count:g}" for name, count in counted.items())


def cost(data):
    if "instructions" in data:
        yield "Instructions a message, the C library's included; and the functions with most:\n"
        yield rst_table(["message", "instructions", "most in"], [
            [name, number(one["instructions"]),
             ", ".join(f"{function.lstrip('_')} {count:.0f}"
                       for function, count in one["most in"][:3])]
            for name, one in data["instructions"].items()])
    if "calls" in data:
        yield "System calls a message:\n"
        yield rst_table(["message", "worker", "caretaker", "both", "the worker's"], [
            [name, f"{one['worker']:.2f}", f"{one['caretaker']:.2f}",
             f"{one['worker'] + one['caretaker']:.2f}",
             by_name(one["worker by name"])] for name, one in data["calls"].items()])
    if "growth" in data:
        yield "Both, of the worker, with few children alive and with four times as many:\n"
        yield rst_table(["message", "calls,\nfew", "calls,\nmany", "instructions,\nfew",
                         "instructions,\nmany"], [
            [name, *(f"{one['worker']:.2f}" for one in pair),
             *(number(one["instructions"]) for one in pair)]
            for name, pair in data["growth"].items()])
    if "memory" in data:
        yield from memory(data["memory"])


def memory(found):
    yield "Memory of rsyslogd in kB, resident and (its own alone):\n"
    moments = {"idle": "idle", "messages": "after messages", "blocks": "with blocks"}
    yield rst_table(["module", *moments.values()], [
        [name, *(f"{one[when]['Rss']} ({one[when]['Anonymous']})" for when in moments)]
        for name, one in found.items()])


# --- scale, nftables -------------------------------------------------------

def scale(data):
    yield "The threshold's memory:\n"
    yield rst_table(["addresses", "ns, first", "ns, again", "kB", "forgotten"], [
        [number(row[key]) for key in ("addresses", "first ns", "again ns", "kB", "forgotten")]
        for row in data["threshold"]])
    yield "The allow list:\n"
    yield rst_table(["entries", "ns a lookup", "ms to read"], [
        [number(row[key]) for key in ("entries", "ns", "read ms")] for row in data["allow"]])
    replay = data.get("replay")
    if replay:
        yield (f"smtpblockctl replay of {replay['lines']} lines: {replay['seconds']:.2f} s, "
               f"{replay['peak kB']} kB at the peak.\n")


NFTABLES_ROWS = ("alone", "renewed", "alone at the end", "many, first tenth", "many, last tenth",
                 "wave", "look")


def nftables(data):
    rounds = data["rounds"]
    yield paragraph(f"us of processor time an address, the kernel's included, of "
                    f"{rounds[0]['count']}; {len(rounds)} rounds; {SPREAD}.")
    yield rst_table(["what", "us an address"], [
        [row, spread([each[row] / 1000 for each in rounds], digits=2)] for row in NFTABLES_ROWS])
