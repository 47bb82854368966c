# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The figures of a round, whether the round is valid, and the goals."""

import csv
import dataclasses
import json
import statistics

import results
from peerfigures import is_mail_server
from shared.figures import percentile
from shared.tables import paragraph, rst_table

# A round is void if courier and the DNSBL took this share of all processors while connections
# came.
TAKEN = 0.85

# The addresses that are no bots': the customers', and the ordinary sender's.
NO_BOTS = ("10.9.200.", "10.9.0.")

# The kinds of customers behind a NAT begin with it.
NAT = "NAT"


def _rows(path):
    with open(path, encoding="utf-8") as table:
        return list(csv.DictReader(table))


@dataclasses.dataclass
class Round:
    """One round of a run. Times are in seconds, CPU time too.

    peak, at_limit   of port 25's slots; other_peak of those of 465 and 587
    held             slots that listed hosts have at the end, on all ports;
    held_blocked     those of them whose address is blocked
    connections, served   of the listed hosts: tried, and greeted
    senders          listed hosts that were greeted, and said something or were disconnected;
    senders_saw      those of them that saw a 4xx or 5xx
    customers, nat   with an address of their own, and behind a NAT; lost are those who were
                     not served, and why, by kind
    spent            CPU time on the mail host, of mail_server by courier and the DNSBL
    """

    peak: int
    at_limit: float
    other_peak: int
    held: int
    held_blocked: int
    mails: int
    accepted: int
    wait_p50: float
    wait_p99: float
    wait_worst: float
    connections: int
    served: int
    senders: int
    senders_saw: int
    blocked: int
    customers: int
    nat: int
    lost: dict
    spent: float
    mail_server: float
    load: float
    idle: float
    stolen: float
    processors: int
    late: float
    duration: float
    seconds: float
    counters: dict

    # The share of the processors that programs other than the bench's took.
    others: float = 0.0

    # The most slots of port 25 that were taken in each second.
    curve: list = dataclasses.field(default_factory=list)

    @property
    def customers_served(self):
        return self.customers - sum(not kind.startswith(NAT) for kind in self.lost)

    @property
    def nat_served(self):
        return self.nat - sum(kind.startswith(NAT) for kind in self.lost)

    @property
    def cpu_per_connection(self):
        return self.spent / max(1, self.served)

    def void(self, late, others):
        """Why the round says nothing about the protection; empty if it is valid. `late` is
        how late a connection may have been tried, in seconds, and `others` the share of the
        processors that other programs may have taken."""
        found, taken = [], self.mail_server / (self.processors * self.duration)
        if self.late > late:
            found.append(f"a connection was tried {self.late:.1f} s late")
        if taken > TAKEN:
            found.append(f"courier and the DNSBL took {taken:.0%} of the processors")
        if self.others > others:
            found.append(f"other programs took {self.others:.0%} of the processors")
        return found


def set_others(batch):
    """For rounds that ran at the same time."""
    own = sum((one.spent + one.load) / (one.processors * one.seconds) for one in batch)
    for one in batch:
        one.others = round(max(0.0, 1 - one.idle - own), 2)


def read(_, directory):
    """A Round, from the files of target.py."""
    found = json.loads((directory / results.RUN).read_text())
    wave, machine = found["wave"], found["machine"]
    return Round(
        **slots(_rows(directory / "watch.csv"), wave["slots"]),
        **held(_rows(directory / "held.csv"), set(found["blocked"])),
        **mails(results.mails(directory)), **visits(results.visits(directory)),
        blocked=len(found["blocked"]), counters=found["counters"],
        **customers(_rows(directory / "customers.csv")),
        spent=sum(machine["spent"].values()),
        mail_server=sum(spent for program, spent in machine["spent"].items()
                        if is_mail_server(program)),
        load=sum(found["load"].values()), idle=machine["idle"], stolen=machine["stolen"],
        processors=machine["processors"], duration=wave["duration"],
        seconds=wave["duration"] + wave["settle"])


def slots(rows, limit):
    times = [float(row.pop("seconds")) for row in rows]
    at_25 = [int(row["25"]) for row in rows]
    curve = [0] * (int(times[-1]) + 1)
    for time, taken in zip(times, at_25):
        curve[max(0, int(time))] = max(curve[max(0, int(time))], taken)
    return {"peak": max(at_25), "curve": curve, "other_peak": max(int(row[port]) for row in rows
                                                  for port in row if port != "25"),
            "at_limit": round(sum(after - time for time, after, taken in
                                  zip(times, times[1:], at_25) if taken >= limit), 2)}


def held(rows, blocked):
    """A process before its exec has no address yet: it counts."""
    bots = [row["address"] for row in rows if not row["address"].startswith(NO_BOTS)]
    return {"held": len(bots), "held_blocked": sum(address in blocked for address in bots)}


def mails(found):
    """A mail that was not accepted has waited as long as any."""
    waits = sorted(mail.wait for mail in found)
    return {"mails": len(found), "accepted": sum(mail.accepted for mail in found),
            "wait_p50": statistics.median(waits), "wait_p99": percentile(waits, 99),
            "wait_worst": waits[-1]}


def visits(found):
    """A silent connection that nobody has ended is owed no reply."""
    greeted = [visit for visit in found if visit.greeted is not None]
    owed = [visit for visit in greeted if not visit.silent or visit.ending != "held"]
    return {"connections": len(found), "served": len(greeted),
            "senders": len({visit.address for visit in owed}),
            "senders_saw": len({visit.address for visit in owed
                                if visit.code and visit.code >= 400}),
            "late": max(visit.late for visit in found)}


def customers(rows):
    nat = sum(row["kind"].startswith(NAT) for row in rows)
    return {"customers": len(rows) - nat, "nat": nat,
            "lost": {row["kind"]: row["outcome"] for row in rows if row["outcome"] != "served"}}


# --- goals -------------------------------------------------------------------

def goals(run, rounds, quick, customers_measured):
    """(what, value, at most, unit) for the module's default: the worst of all rounds."""
    def worst(of):
        return max(map(of, rounds))
    yield "peak", worst(lambda r: r.peak), run.wave.peak, "slots"
    yield "at the limit", worst(lambda r: r.at_limit), 0, "s"
    yield "held by listed hosts at the end", worst(lambda r: r.held), 0, "slots"
    yield "listed senders served without a reply", worst(lambda r: r.senders - r.senders_saw), 0, \
        "senders"
    yield "ordinary mails not accepted", worst(lambda r: r.mails - r.accepted), 0, "mails"
    if not quick:
        yield "wait of the ordinary mails, p99", worst(lambda r: r.wait_p99), 0.5, "s"
    if not customers_measured:
        yield "customers not served", worst(
            lambda r: r.customers - r.customers_served), 0, "customers"
    yield "customers behind a NAT not served", worst(
        lambda r: r.nat - r.nat_served), 0, "customers"


# --- tables ------------------------------------------------------------------

def _seconds(value):
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


COLUMNS = (
    ("peak of\nslots", lambda r: r.peak, str, None),
    ("at the\nlimit", lambda r: r.at_limit, "{:.0f} s".format, None),
    ("held at\nthe end", lambda r: r.held, str, None),
    ("mails\naccepted", lambda r: r.accepted, str, lambda r: r.mails),
    ("wait,\np99", lambda r: r.wait_p99, _seconds, None),
    ("\nworst", lambda r: r.wait_worst, _seconds, None),
    ("senders\nsaw a reply", lambda r: r.senders_saw, str, lambda r: r.senders),
    ("customers\nserved", lambda r: r.customers_served, str, lambda r: r.customers),
    ("behind\na NAT", lambda r: r.nat_served, str, lambda r: r.nat),
    ("CPU a\nconnection", lambda r: r.cpu_per_connection * 1000, "{:.1f} ms".format, None))


def cell(column, rounds):
    """The median round's figure, and the lowest and the highest if they differ."""
    _, of, form, out_of = column
    ordered = sorted(rounds, key=of)
    middle = ordered[len(ordered) // 2]
    text = form(of(middle)) + (f"/{out_of(middle)}" if out_of else "")
    low, high = form(of(ordered[0])), form(of(ordered[-1]))
    return text if low == high else f"{text} ({low}..{high})"


def table(rows):
    """Rows of (label, rounds) as text, with headings of two lines."""
    heads = [["", *(column[0].split("\n")[line] for column in COLUMNS)] for line in (0, 1)]
    texts = [[label, *(cell(column, rounds) for column in COLUMNS)] for label, rounds in rows]
    widths = [max(map(len, column)) for column in zip(*heads, *texts)]
    return "".join((texts[0].ljust(widths[0]) + "".join(
        text.rjust(width + 2) for text, width in zip(texts[1:], widths[1:]))).rstrip() + "\n"
        for texts in heads + texts)


# --- README ------------------------------------------------------------------

# The worst of the rounds of a run.
WORST = (
    ("slots taken at the peak", lambda rs: str(max(r.peak for r in rs))),
    ("time with all slots taken", lambda rs: f"{max(r.at_limit for r in rs):.0f} s"),
    ("slots held by listed hosts 15 s later", lambda rs: str(max(r.held for r in rs))),
    ("mails of an ordinary sender accepted",
     lambda rs: f"{min(r.accepted for r in rs)}/{rs[0].mails}"),
    ("their wait, p99", lambda rs: _seconds(max(r.wait_p99 for r in rs))),
    ("listed customers who log in, served",
     lambda rs: f"{min(r.customers_served for r in rs)}/{rs[0].customers}"),
    ("listed hosts served that saw a 4xx or 5xx",
     lambda rs: f"{min(r.senders_saw / max(1, r.senders) for r in rs):.0%}"))

# README's first table is about this wave; the columns of the second one, and their headings.
FIRST, FIRST_COLUMNS = "login-20", ("nothing", "default", "connect")
SECOND = ("peak", "limit", "held", "mails", "p99", "customers")


def _rounds(data, name):
    return [Round(**one) for run in data["runs"] if run["name"] == name for one in run["rounds"]]


# The marks of README's curve, and the slots that a line of it stands for.
MARKS, STEP = {"nothing": "#", "default": "="}, 50


def readme_curve(data):
    """The lines of README's curve: the slots taken in each second of the first table's wave."""
    drawn = {}
    for name, mark in MARKS.items():
        rounds = _rounds(data, FIRST if name == "default" else f"{FIRST}-{name}")
        middle = sorted(rounds, key=lambda r: r.peak)[len(rounds) // 2]
        drawn |= {(second, (taken + STEP // 2) // STEP): mark
                  for second, taken in enumerate(middle.curve)}
    width, height = (max(place) for place in zip(*drawn))
    for row in range(height, -1, -1):
        line = "".join(drawn.get((second, row), " ") for second in range(width + 1))
        yield f"{row * STEP:>7} |{line}".rstrip()
    yield f"{'':7} +{'----+' * (width // 5)}"
    yield f"{'':8}" + "".join(f"{second:<10}" for second in range(0, width + 1, 10)).rstrip() + " s"


def readme_rows(data):
    """The lines of README's tables, blanks aside: [title, cell, ...]."""
    runs = [_rounds(data, FIRST if name == "default" else f"{FIRST}-{name}")
            for name in FIRST_COLUMNS]
    for title, show in WORST:
        yield [title, *(show(rounds) for rounds in runs)]
    for run in data["runs"]:
        if run["protection"] == "default" and (rounds := _rounds(data, run["name"])):
            offer = "login" if run["login"] else "no login"
            yield [f"{offer}: {run['title']}",
                   *(show(rounds) for _, show in WORST[:len(SECOND)])]


# --- doc/performance.rst -----------------------------------------------------

def in_lines(data):
    """The text of the file. A line for each run: with its rounds it is a file of a thousand
    figures."""
    head = json.dumps({name: value for name, value in data.items() if name != "runs"}, indent=1)
    runs = ",\n".join(json.dumps(run) for run in data["runs"])
    return f"{head.removesuffix('}').rstrip()},\n \"runs\": [\n{runs}\n ]\n}}\n"


def merged(old, new):
    """The file of all runs, if `new` has only some of them (bench/run waves -- --only)."""
    again = {run["name"]: run for run in new["runs"]}
    kept = [run["name"] for run in old["runs"] if run["name"] not in again]
    if not kept:
        return new
    runs = [again.pop(run["name"], run) for run in old["runs"]] + list(again.values())
    goals = [goal for goal in old["goals"] if goal["what"].split(":")[0].split()[0] in kept]
    earlier = [one | {"runs": [name for name in one["runs"] if name in kept]}
               for one in old.get("earlier", [])]
    older = sum((one["runs"] for one in earlier), [])
    earlier.append({"command": old["command"], "commit": old["commit"],
                    "runs": [name for name in kept if name not in older]})
    return new | {"runs": runs, "goals": goals + new["goals"],
                  "earlier": [one for one in earlier if one["runs"]]}


ABOUT = (
    "\"Login\" or \"no login\" is what port 25 offers; ports 465 and 587 offer one. TARPIT is on. "
    "The customers are at listed addresses, log in during the wave, say EHLO 0.3 s after the "
    "greeting, and pause 3 s between commands: on 25, plain and with STARTTLS, on 465 and 587; "
    "some with a wrong password first, some with a mistyped recipient. A customer behind a NAT "
    "shares its address with a bot that is refused while the customer is logged in; afterwards it "
    "comes again, on 465 and 587. The senders that saw a reply are those of the listed hosts that "
    "were served and that said something or were disconnected; a reply is a 4xx or 5xx.")


def section(data):
    """Pieces of the page, from the file of rounds."""
    yield paragraph(f"{data['rounds']} rounds of each; a figure is that of the median round, with "
                    f"the lowest and the highest where they differ. {ABOUT}")
    yield rst_table(["port 25; the wave", "protection", "list",
                     *(column[0].strip("\n") for column in COLUMNS)], list(_page_rows(data)))
    for one in data.get("earlier", []):
        yield paragraph(f"Measured earlier, at commit {one['commit']} ({one['command']}), "
                        f"and not again at {data['commit']}: {', '.join(one['runs'])}.")
    for run in data["runs"]:
        yield from _void_rounds(run)


def _page_rows(data):
    for run in data["runs"]:
        rounds = [Round(**one) for one in run["rounds"]]
        if rounds:
            offer = "login" if run["login"] else "no login"
            yield [f"{offer}; {run['title']}", run["label"], run["backend"],
                   *(cell(column, rounds) for column in COLUMNS)]


def _void_rounds(run):
    """The rate that this machine could not keep, and the rounds that were repeated."""
    for rate, _, reasons in run["given up"]:
        yield paragraph(f"{run['name']}: not measured at {rate:g}/s: "
                        f"{', '.join(sum(reasons, []))}.")
    if run["void"]:
        yield paragraph(f"{run['name']}: void rounds that were repeated: {len(run['void'])}: "
                        f"{', '.join(sum(run['void'], []))}.")
