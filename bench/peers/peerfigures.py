# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The figures of the runs, as rows for people and for programs."""

import csv
import dataclasses
import statistics

import peers
from results import Run

# Times in the kernel's list have the resolution of a jiffy.
JIFFY = 0.004

# A run is doubtful if a connection was tried this many seconds late.
LATE = 1.0


def _rows(path):
    with open(path, encoding="ascii") as table:
        return list(csv.DictReader(table))


@dataclasses.dataclass
class Figures:
    """One run's figures, in the order of the table. Times are seconds; None: there is none.

    For a repeated run they are the medians; its `rounds` has all.
    """

    run: str
    label: str
    peak: int
    mean: float
    seconds_at_limit: float
    at_end: int
    held_by_blocked: int
    mails: int
    accepted: int
    median_wait: float
    worst_wait: float
    forks: int
    queries: int
    cpu: float
    cpu_protection: float
    minutes: float
    connections: int
    served: int
    addresses: int
    blocked: int
    first_block: float
    last_block: float
    line_to_block_median: float
    line_to_block_worst: float
    saw_reply: int
    addresses_saw_reply: int
    lateness: float
    load_cpu: float

    # The ordinary mails' forks, queries and CPU time, where known.
    mails_forks: float = 0.0
    mails_queries: float = 0.0
    mails_cpu: float = 0.0

    # No field: a list of Figures.
    rounds = ()

    def as_json(self):
        """All figures, as objects of JSON. Of the rounds only those that differ from the median."""
        every = dataclasses.asdict(self)
        return every | {
            "wave_forks_per_minute": middle(lambda f: f.wave_forks, self),
            "wave_queries_per_minute": middle(lambda f: f.wave_queries, self),
            "wave_cpu": middle(lambda f: f.wave_cpu, self),
            "rounds": [dict(dataclasses.asdict(each).items() - every.items())
                       for each in self.rounds]}

    def leave_mails_out(self, calm):
        """Each accepted mail takes as much as one did without a wave."""
        share = self.accepted / calm.accepted
        self.mails_forks, self.mails_queries, self.mails_cpu = (
            share * calm.forks, share * calm.queries, share * calm.cpu)

    @property
    def wave_forks(self):
        """Per minute of the wave. Includes the mails' part if that is unknown."""
        return (self.forks - self.mails_forks) / self.minutes

    @property
    def wave_queries(self):
        return (self.queries - self.mails_queries) / self.minutes

    @property
    def wave_cpu(self):
        """A small difference of two sums: the tables have the sum, of everything."""
        return self.cpu - self.mails_cpu


FIELDS = [field.name for field in dataclasses.fields(Figures)]


def from_json(objects):
    """The Figures of which as_json() made these objects."""
    figures = Figures(**{name: objects[name] for name in FIELDS})
    figures.rounds = [Figures(**{name: (objects | each)[name] for name in FIELDS})
                      for each in objects.get("rounds", ())]
    return figures


def over_rounds(every):
    """Combines each run's rounds, lists of Figures, into one Figures."""
    every = list(every)
    calm = next((rounds for rounds in every if rounds[0].run == peers.CALM), None)
    for rounds in every if calm else []:
        for of_run, of_calm in zip(rounds, calm):
            of_run.leave_mails_out(of_calm)
    return [_together(rounds) for rounds in every]


def _together(rounds):
    together = Figures(**{name: _typical([getattr(each, name) for each in rounds])
                          for name in FIELDS})
    together.rounds = rounds
    return together


def _typical(values):
    if isinstance(values[0], str):
        return values[0]
    return None if None in values else statistics.median(values)


def values(of, figures):
    """Round by round."""
    return [of(each) for each in figures.rounds or (figures,)]


def middle(of, figures):
    return _typical(values(of, figures))


# Programs whose CPU time is the mail server's; the others log and protect.
MAIL_SERVER = ("courier", "submit", "authdaemon", "rbldnsd", "orphans", "perl", "makedat")


def is_mail_server(program):
    return program.startswith(MAIL_SERVER)


def figures(name, directory):
    """The figures in a run's directory; and the Run itself, for its curve."""
    run, named = Run(name, directory), peers.RUNS[name]
    peer, wave = peers.PEERS[named.peer], run.wave
    refused = [visit for visit in run.visits if visit.code and visit.code >= 500]
    return run, Figures(
        run=name, label=peer.label, peak=run.peak, mean=mean_slots(run),
        seconds_at_limit=run.seconds_at_limit, at_end=run.at_end,
        held_by_blocked=run.found["held"], mails=len(run.mails),
        accepted=run.accepted, median_wait=run.median_wait, worst_wait=run.worst_wait,
        forks=run.looks[-1].forks, queries=run.found["queries"], minutes=wave["duration"] / 60,
        cpu=sum(run.found["cpu_host"].values()),
        cpu_protection=sum(seconds for program, seconds in run.found["cpu_host"].items()
                           if not is_mail_server(program)),
        connections=len(run.visits), served=len(run.greeted), addresses=wave["addresses"],
        blocked=len(run.blocked), **blocks(directory, peer),
        saw_reply=len(refused), addresses_saw_reply=len({visit.address for visit in refused}),
        lateness=run.lateness, load_cpu=run.load_cpu)


def mean_slots(run):
    """While new connections came."""
    return statistics.mean(look.slots for look in run.looks
                           if look.seconds <= run.wave["duration"])


def blocks(directory, peer):
    """When addresses got on the list, since the wave began and since courier's line."""
    blocked = {row["address"]: float(row["seconds"]) for row in _rows(directory / "blocks.csv")}
    lines = {row["address"]: float(row["seconds"]) for row in _rows(directory / "log.csv")
             if row["kind"] == peer.line}
    waits = [max(0.0, when - lines[address]) for address, when in blocked.items()
             if address in lines]
    return {"first_block": min(blocked.values(), default=None),
            "last_block": max(blocked.values(), default=None),
            "line_to_block_median": statistics.median(waits) if waits else None,
            "line_to_block_worst": max(waits, default=None)}


def seconds(value):
    """A wait, as a short text."""
    if value is None:
        return "-"
    if value < 10:
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
    return f"{value:.0f} s"


def since_line(value):
    return "-" if value is None else f"<{JIFFY * 1000:.0f} ms" if value < JIFFY else seconds(value)


def between(texts):
    """The lowest and the highest, if they differ as shown."""
    lowest, highest = texts
    if lowest == highest:
        return ""
    unit = highest[highest.rfind(" "):] if " " in highest else ""
    return f"{lowest.removesuffix(unit)}..{highest}"


class Cell:
    """One figure of a run as text: its median, and the spread of its rounds."""

    def __init__(self, of, form="{:.0f}".format, out_of=None):
        self._of, self._form, self._out_of = of, form, out_of

    def __call__(self, figures):
        text = self._form(middle(self._of, figures))
        return f"{text}/{self._out_of(figures):.0f}" if self._out_of else text

    def spread(self, figures):
        found = values(self._of, figures)
        return "" if None in found else between([self._form(end(found)) for end in (min, max)])


def few(value):
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


# Heading and cell: the effect on the host, and the cost.
FATE = (
    ("peak of\nslots", Cell(lambda f: f.peak)),
    ("\nmean", Cell(lambda f: f.mean, few)),
    ("at the\nlimit", Cell(lambda f: f.seconds_at_limit, "{:.0f} s".format)),
    ("slots at\nthe end", Cell(lambda f: f.at_end)),
    ("held by\nblocked", Cell(lambda f: f.held_by_blocked)),
    ("mails\naccepted", Cell(lambda f: f.accepted, out_of=lambda f: f.mails)),
    ("median\nwait", Cell(lambda f: f.median_wait, seconds)),
    ("worst\nwait", Cell(lambda f: f.worst_wait, seconds)),
    ("addresses\nsaw 5xx", Cell(lambda f: f.addresses_saw_reply, out_of=lambda f: f.addresses)))
COST = (
    ("forks\na min", Cell(lambda f: f.wave_forks)),
    ("DNS\na min", Cell(lambda f: f.wave_queries)),
    ("CPU of\nall", Cell(lambda f: f.cpu, "{:.2f} s".format)),
    ("loggers',\nguards'", Cell(lambda f: f.cpu_protection, "{:.2f} s".format)),
    ("first\nblock", Cell(lambda f: f.first_block, seconds)),
    ("last\nblock", Cell(lambda f: f.last_block, seconds)),
    ("line to\nblock", Cell(lambda f: f.line_to_block_median, since_line)),
    ("\nworst", Cell(lambda f: f.line_to_block_worst, since_line)),
    ("served and\nsaw 5xx", Cell(lambda f: f.saw_reply, out_of=lambda f: f.served)))

# The columns in which a rival is compared. Less is better in each.
RATIOS = (
    ("peak of\nslots", lambda f: f.peak),
    ("\nmean", lambda f: f.mean),
    ("slots at\nthe end", lambda f: f.at_end),
    ("mails\nlost", lambda f: f.mails - f.accepted),
    ("median\nwait", lambda f: f.median_wait),
    ("worst\nwait", lambda f: f.worst_wait),
    ("\nforks", lambda f: f.wave_forks),
    ("DNS\nqueries", lambda f: f.wave_queries),
    ("CPU of\nall", lambda f: f.cpu),
    ("loggers',\nguards'", lambda f: f.cpu_protection),
    ("line to\nblock", lambda f: f.line_to_block_median and
     max(f.line_to_block_median, JIFFY)))

LABEL = 24


def quotient(value):
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def ratio(theirs, ours):
    """How many times as much as ours; as a text if ours is 0."""
    if theirs is None or ours is None:
        return "-"
    if not ours:
        return "0 : 0" if not theirs else f"{theirs:g} : 0"
    return quotient(theirs / ours)


def ratio_over_rounds(of, figures, ours):
    """The same, round by round: its median, and the spread of the rounds."""
    pairs = list(zip(values(of, figures), values(of, ours)))
    if any(theirs is None or not mine for theirs, mine in pairs):
        return ratio(middle(of, figures), middle(of, ours)), ""
    found = [theirs / mine for theirs, mine in pairs]
    return quotient(statistics.median(found)), between(
        [quotient(end(found)) for end in (min, max)])


def _lines(columns, rows):
    """Headings of two lines over rows of (label, texts), each column as wide as needed."""
    heads = [("", [heading.split("\n")[line] for heading, _ in columns]) for line in (0, 1)]
    widths = [max(map(len, texts)) for texts in zip(*(texts for _, texts in heads + rows))]
    return "".join(
        (f"{label:<{LABEL}}" + "".join(f"{text:>{width + 2}}" for text, width in
                                      zip(texts, widths))).rstrip() + "\n"
        for label, texts in heads + rows)


def _two_rows(label, cells):
    """Figures, and below them the spreads, if there are any."""
    texts, spreads = zip(*cells)
    return [(label, texts)] + ([("", spreads)] if any(spreads) else [])


def table(columns, found):
    return _lines(columns, [row for f in found for row in _two_rows(
        f.label, [(show(f), show.spread(f)) for _, show in columns])])


def ratios(found, ours):
    return _lines(RATIOS, [row for f in found for row in _two_rows(
        f.label, [ratio_over_rounds(of, f, ours) for _, of in RATIOS])])


def ours_of(found):
    """The run with which the others of a condition are compared: connect if it ran, else
    dnsbl."""
    by_peer = {peers.RUNS[f.run].peer: f for f in found}
    return by_peer.get("connect") or by_peer.get("dnsbl")


def each_round(found):
    return [each for f in found for each in f.rounds or (f,)]


def failures(found):
    """Runs in which the protection was not tested at all, or not observed."""
    for f in each_round(found):
        if peers.PEERS[peers.RUNS[f.run].peer].line and not f.blocked:
            yield f"{f.run}: no address came on the list"
        elif f.blocked and f.line_to_block_median is None:
            yield f"{f.run}: it is not known when the addresses came on the list"


def doubts(found):
    """Runs whose figures reflect the machine rather than the protection."""
    worst = {f.run: max(values(lambda each: each.lateness, f)) for f in found}
    return [f"{run}: the load came up to {late:.1f} s late: the machine had too much else to do"
            for run, late in worst.items() if late > LATE]


def about_mails(calm):
    """The ordinary mails' part, from the run without a wave, that the table leaves out."""
    if not calm:
        return "Forks, DNS queries and CPU time are those of the ordinary mails too.\n"
    return ("Forks and DNS queries are the wave's: left out is what each ordinary mail took in "
            "the run without\na wave: "
            f"{calm.forks / calm.accepted:.1f} forks, {calm.queries / calm.accepted:.1f} queries. "
            "CPU time is that of everything on the host, the ordinary\nmails' included "
            f"({calm.cpu / calm.accepted * 1000:.0f} ms each, without a wave); beside it what of "
            "that is rsyslogd's and the\nprotection's own processes'.\n")


def about_rounds(found):
    rounds = max(len(f.rounds) for f in found)
    return (f"A figure is the median of {rounds} rounds; below it the lowest and the highest, "
            "where they differ.\n" if rounds > 1 else "")


def text(found):
    """All tables: for each condition the figures, then the ratios to ours."""
    calm = next((f for f in found if f.run == peers.CALM), None)
    parts = [about_mails(calm) + about_rounds(found)]
    for name, condition in peers.CONDITIONS.items():
        of_it = [f for f in found if peers.RUNS[f.run].condition == name and f is not calm]
        if not of_it:
            continue
        parts.append(f"{condition.title}\n\n{table(FATE, of_it)}\n{table(COST, of_it)}")
        ours = ours_of(of_it)
        if ours and len(of_it) > 1:
            parts.append(f"Times as much as {ours.label} (less than 1: it does better):\n\n"
                         f"{ratios(of_it, ours)}")
    return "\n".join(parts)
