# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A run's results: the only module that knows its files and its parameters.

A directory has slots.csv, sender.csv and bots.csv, each written by the program of that
name, and run.json from mailhost.py.
"""

import argparse
import csv
import dataclasses
import json
import statistics
from pathlib import Path

RUN = "run.json"

# Parameters of a wave: type, default, minimum, maximum, meaning.
PARAMETERS = {
    "addresses": (int, 100, 1, 60000, "listed addresses"),
    "rate": (float, 20.0, 0.1, 1000, "connections a second, all addresses together"),
    "duration": (float, 60.0, 1, 3600, "seconds with new connections"),
    "settle": (float, 10.0, 1, 3600, "seconds to watch after them"),
    "slots": (int, 300, 1, 10000, "courier's MAXDAEMONS"),
    "tarpit": (int, 1, 0, 1, "courier's TARPIT"),
    "interval": (float, 0.5, 0.01, 60, "seconds from one ordinary mail to the next"),
    "patience": (float, 10.0, 0.1, 600, "seconds until the ordinary sender gives up a mail"),
}


def add_parameters(parser):
    for name, (kind, default, least, most, meaning) in PARAMETERS.items():
        parser.add_argument(f"--{name}", type=_bounded(kind, least, most), default=default,
                            help=f"{meaning} ({least:g} to {most:g}, default {default:g})")


def _bounded(kind, least, most):
    def convert(text):
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text}: must be from {least:g} to {most:g}")
        return value
    convert.__name__ = kind.__name__
    return convert


@dataclasses.dataclass(frozen=True)
class Look:
    """One sample of the slots."""

    seconds: float
    slots: int
    connections: int
    forks: int


@dataclasses.dataclass(frozen=True)
class Mail:
    """One mail of the ordinary sender."""

    number: int
    due: float
    wait: float
    accepted: bool


@dataclasses.dataclass(frozen=True)
class Visit:
    """One connection of a bot; times of events that did not happen are None."""

    address: str
    late: float
    greeted: float
    code: int
    ending: str
    silent: bool = False


def _rows(directory, name):
    """Whole rows only: a program may be writing the last one."""
    path = Path(directory) / name
    text = path.read_text() if path.exists() else ""
    return list(csv.DictReader(text[:text.rfind("\n") + 1].splitlines()))


def looks(directory):
    return [Look(float(row["seconds"]), int(row["slots"]), int(row["connections"]),
                 int(row["forks"]))
            for row in _rows(directory, "slots.csv")]


def mails(directory):
    return sorted((Mail(int(row["number"]), float(row["due"]), float(row["wait"]),
                        row["outcome"] == "accepted") for row in _rows(directory, "sender.csv")),
                  key=lambda mail: mail.number)


def visits(directory):
    return [Visit(row["address"], float(row["started"]) - float(row["due"]),
                  float(row["greeted"]) if row["greeted"] else None,
                  int(row["code"]) if row["code"] else None, row["ending"],
                  row["silent"] == "True")
            for row in _rows(directory, "bots.csv")]


def list_room():
    """How many addresses a list of this kernel has room for; known once there is a list."""
    return int(Path("/sys/module/xt_recent/parameters/ip_list_tot").read_text())


def write(directory, found):
    (Path(directory) / RUN).write_text(json.dumps(found, indent=1) + "\n")


class Run:
    """One host's run, and its figures."""

    def __init__(self, name, directory):
        self.found = found = json.loads((Path(directory) / RUN).read_text())
        self.name = name
        self.wave = found["wave"]
        self.cpu = found["cpu"]
        self.blocked = found["blocked"]
        self.list_room = found["list_room"]
        self.counters = found["counters"]
        self.delivered = found["delivered"]
        self.looks = looks(directory)
        self.mails = mails(directory)
        self.visits = visits(directory)

    @property
    def peak(self):
        return max(look.slots for look in self.looks)

    @property
    def at_end(self):
        return self.looks[-1].slots

    @property
    def seconds_at_limit(self):
        """Each sample counts for the time until the next."""
        return sum(after.seconds - look.seconds for look, after in zip(self.looks, self.looks[1:])
                   if look.slots >= self.wave["slots"])

    @property
    def accepted(self):
        return sum(mail.accepted for mail in self.mails)

    @property
    def median_wait(self):
        """Over all mails: one that was given up has waited that long."""
        return statistics.median(mail.wait for mail in self.mails)

    @property
    def worst_wait(self):
        return max(mail.wait for mail in self.mails)

    @property
    def all_delivered(self):
        return len(self.delivered) == self.accepted == len(self.mails)

    @property
    def addresses(self):
        """The bots' addresses, all of them listed."""
        return {visit.address for visit in self.visits}

    @property
    def greeted(self):
        """The bots' connections that courier served."""
        return [visit for visit in self.visits if visit.greeted is not None]

    def seen(self, code):
        return sum(visit.code == code for visit in self.visits)

    @property
    def lateness(self):
        """The longest delay of the load against its plan."""
        return max(visit.late for visit in self.visits)

    @property
    def load_cpu(self):
        return self.cpu["bots"] + self.cpu["sender"] + self.cpu["slots"]
