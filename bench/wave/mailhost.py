#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""One mail host under one wave: courier, DNSBL, rsyslogd and firewall, all real.

Runs as root in its own namespaces, which `run` creates. Prints "ready" when the mail host
is up, then reads one line: the monotonic time at which the wave begins. Measurements go to
the directory RESULTS (results.py reads it), logs and configurations to WORK.

Without RULES the host has no protection but the DNSBL, the firewall's rule and its empty
list. RULES are rsyslog's, such as the module's action.
"""

import argparse
import contextlib
import ipaddress
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from lib.courier import Courier  # noqa: E402
from lib.dnsbl import Dnsbl  # noqa: E402
from lib.firewall import RecentList  # noqa: E402
from lib.netns import Network  # noqa: E402
from lib.rsyslog import Rsyslog  # noqa: E402
from lib.wait import Timeout, wait_for  # noqa: E402

import results  # noqa: E402
import sender  # noqa: E402

SENDER = "10.9.0.1"
FIRST_BOT = "10.9.1.1"
USER = "customer"
DELIVERY_DEADLINE = 20


class MailHost:
    """All parts of the mail host, within the context manager."""

    def __init__(self, options):
        self.options = options
        self._parts = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as parts:
            self.network = parts.enter_context(Network())
            self.list = parts.enter_context(RecentList(4))
            parts.enter_context(RecentList(6))
            parts.enter_context(self.dnsbl())
            self.rsyslog = parts.enter_context(Rsyslog(self.options.work, self.rules() + "\n"))
            self.courier = parts.enter_context(self.mail_server())
            self.protect(parts)
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_):
        self._parts.close()

    def rules(self):
        return self.options.rules

    def dnsbl(self):
        return Dnsbl(self.options.work, listed(self.options.addresses))

    def mail_server(self, **settings):
        return Courier(self.options.work, tarpit=self.options.tarpit,
                       maxdaemons=self.options.slots, users={USER: "secret"}, delivery=True,
                       **settings)

    def protect(self, parts):
        """Starts other protections before the wave. Nothing here: the rules do it."""

    def before(self, start):
        """Called once the start of the wave is known."""

    def found(self):
        """Facts about the host after the wave, besides the tables."""
        return {"blocked": sorted(self.blocked()), "counters": self.counters(),
                "delivered": wait_for_delivery(self, self.options),
                "list_room": results.list_room()}

    def blocked(self):
        return self.list.addresses()

    def delivered(self):
        """Numbers of the ordinary sender's mails in the Maildir."""
        marks = (re.search(rf"^{sender.MARK}: (\d+)", mail, re.M)
                 for mail in self.courier.mails(USER))
        return {int(mark.group(1)) for mark in marks if mark}

    def counters(self):
        """The module's own counters, which it logs at HUP; empty without it."""
        if "omsmtpblock" not in self.rules():
            return {}
        return self.rsyslog.counters()


def listed(addresses):
    """The prefixes that cover the bots' addresses."""
    first = ipaddress.ip_address(FIRST_BOT)
    return [str(network) for network in
            ipaddress.summarize_address_range(first, first + (addresses - 1))]


class Programs:
    """The programs of a run, each writing its table to RESULTS."""

    def __init__(self, directory):
        self.directory = directory
        self._running = {}

    def start(self, name, *, place=HERE, **options):
        words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
        with open(self.directory / f"{name}.csv", "wb") as table:
            self._running[name] = subprocess.Popen(
                [sys.executable, str(place / f"{name}.py"), *words], stdout=table)

    def finish(self):
        """Waits for all. Returns each one's CPU seconds, by name."""
        return {name: self._finish(name, program) for name, program in self._running.items()}

    @staticmethod
    def _finish(name, program):
        _, status, usage = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
        if program.returncode:
            raise RuntimeError(f"{name} ended with status {program.returncode}")
        return round(usage.ru_utime + usage.ru_stime, 2)


def run_wave(host, options, start):
    """The wave and its observers; returns the programs' CPU seconds."""
    programs, end = Programs(options.results), options.duration + options.settle
    recipient = f"{USER}@{Courier.DOMAIN}"
    common = {"start": start, "server": host.network.MX4, "recipient": recipient,
              "duration": options.duration}
    programs.start("slots", start=start, duration=end, pid=host.courier.daemons()[0].pid)
    with host.network.world.entered():
        programs.start("sender", source=SENDER, interval=options.interval,
                       patience=options.patience, **common)
        # The bots disconnect after the last sample of the slots.
        programs.start("bots", first=FIRST_BOT, addresses=options.addresses, rate=options.rate,
                       end=end + 1, **common)
    return programs.finish()


def wait_for_delivery(host, options):
    """Waits until every accepted mail is in the Maildir, at most until the deadline."""
    accepted = {mail.number for mail in results.mails(options.results) if mail.accepted}
    with contextlib.suppress(Timeout):
        wait_for(lambda: accepted <= host.delivered(), DELIVERY_DEADLINE, "the last delivery")
    return sorted(host.delivered())


def measure(host):
    """The run, from "ready" to its result files."""
    options = host.options
    with host:
        print("ready", flush=True)
        start = float(sys.stdin.readline())
        host.before(start)
        cpu = run_wave(host, options, start)
        wave = {name: getattr(options, name) for name in results.PARAMETERS}
        results.write(options.results, {"wave": wave, "cpu": cpu, **host.found()})


def add_arguments(parser):
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    results.add_parameters(parser)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", default="", help="rsyslog's rules that protect the host")
    add_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    measure(MailHost(arguments()))
