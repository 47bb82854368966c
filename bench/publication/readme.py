# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""README's section Measured: the figures that tell the story, as plain text."""

import statistics

import peers
import report
from publication import page, parts, waves
from publication.text import number, paragraph, plain_table

TITLE = "Measured\n--------\n"

# How many children are told of: as many as courier has slots, and very many.
CHILDREN = ("300", "10000")
WIDTH = 80

# Headings of bench/peers/report.py that say how a host fares, and at what price.
FATE = ("peak of\nslots", "at the\nlimit", "mails\naccepted", "median\nwait", "addresses\nsaw 5xx")
COST = ("forks\na min", "DNS\na min")

HEAD = ("`sudo bench/run` measures all that follows and much more, and `bench/publish` writes it "
        "here; doc/performance.rst has the rest: the machine, rounds and their spread, goals "
        "reached and missed.")


def chosen(columns, headings):
    return [column for column in columns if column[0] in headings]


def wave(data):
    columns = chosen(report.FATE, FATE) + chosen(report.COST, COST)
    found = waves.figures_of(data)
    calm = next((one for one in found if one.run == peers.CALM), None)
    base = waves.of_condition(found, waves.CONDITION)
    if not base:
        return
    yield paragraph(f"The same wave on other protections, {data['base']['duration']:.0f} s of it "
                    f"({page.command(data)}); the curves are in doc/performance/peers.svg:", WIDTH)
    yield plain_table(["\nprotection", *(heading for heading, _ in columns)],
                      [[one.label, *(show(one) for _, show in columns)] for one in base])
    if calm:
        yield paragraph("Forks and DNS queries are the wave's, without those of the ordinary "
                        "mails.", WIDTH)


def micros(values):
    return number(statistics.median(values)) if values else ""


def latency_row(data, name, children):
    cells = [parts.latency_rounds(data, name, n, what) for what in ("listed", "signalled")
             for n in children]
    floor = data["floors"][name]
    above = [parts.over(parts.latency_rounds(data, name, n, "signalled"),
                        parts.latency_rounds(data, floor, n, "signalled")) for n in children[:1]]
    return [name, *(micros(values) for values in cells),
            f"{statistics.median(above[0]):+.0f}" if above[0] else ""]


def latency(data):
    tried = parts.children_of(data)
    children = [n for n in CHILDREN if n in tried] or tried[-1:]
    yield paragraph(f"From courier's log line to the list and to the child's SIGTERM, median in "
                    f"us, with {' and '.join(children)} children alive ({page.command(data)}):",
                    WIDTH)
    head = ["\naction", *(f"{what}\n{n}" for what in ("list", "SIGTERM") for n in children),
            f"over the floor\n{children[0]}"]
    yield plain_table(head, [
        latency_row(data, name, children) for name in data["variants"]
        if any(parts.latency_rounds(data, name, n, "signalled") for n in children)])
    yield paragraph("With terminate.delay=\"0\", as here, the signal goes before the list. The "
                    "floor, kill(pid), is an rsyslog action that does nothing else; of a child "
                    "that was just started, where ours is about one.", WIDTH)


def burst(data):
    source, floors = next(iter(next(iter(data["variants"].values())))), data["floors"]
    shown = [name for name in data["variants"]
             if name.startswith(("ours", "the list")) and floors[name]]
    yield paragraph(f"{data['lines']} lines as fast as rsyslogd takes them, us a line over "
                    f"{source} ({page.command(data)}), beside an action that does nothing:", WIDTH)
    rows = []
    for name in shown:
        mine, floor = (parts.burst_rounds(data, each, source, "us")
                       for each in (name, floors[name]))
        rows.append([name, f"{statistics.median(mine):.2f}", f"{statistics.median(floor):.2f}",
                     f"{statistics.median(parts.over(mine, floor)):+.2f}"])
    yield plain_table(["", "us a line", "no-op", "beyond"], rows)
    if any(name.startswith("the list") for name in shown):
        yield paragraph("The list's two calls are what the kernel takes of a block on recent: no "
                        "action is faster.", WIDTH)


def section(found):
    pieces = [paragraph(HEAD, WIDTH)]
    for part, make in (("peers", wave), ("latency", latency), ("burst", burst)):
        if part in found:
            pieces += make(found[part])
    return "\n".join(pieces)


def with_section(text, found):
    """README with its section made anew: from its title to the next one's."""
    title = text.find("\n" + TITLE) + 1
    following = text.find("\n\n\n", title)
    if not title or following < 0:
        raise ValueError('README has no section "Measured" that two blank lines end')
    return f"{text[:title]}{TITLE}\n{section(found).rstrip()}{text[following:]}"
