#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""One mail host with one protection in one wave; started in its namespaces by rounds.

Prints "ready", reads the monotonic time of second 0, and writes to RESULTS the tables of
watch.py, bots.py, sender.py and customers.py, and run.json.
"""

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers"), str(HERE.parent / "wave")]

import load  # noqa: E402
import mailhost  # noqa: E402
import peerhost  # noqa: E402
import results  # noqa: E402
import waves  # noqa: E402
from lib.courier import NO_LOGIN, Courier  # noqa: E402

# An address of each customer, also behind a NAT; all of them are listed.
CUSTOMERS = "10.9.200.1"
PORTS = (25, 465, 587)
RECIPIENT = f"{mailhost.USER}@{Courier.DOMAIN}"


class Target(peerhost.PeerHost):
    """The mail host; the wave is its condition."""

    def __init__(self, options):
        self.wave = waves.Wave(**options.wave)
        super().__init__(options, waves.PROTECTIONS[options.protection], self.wave)
        self._cpu = self._times = None

    def rules(self):
        return self.peer.rules.replace("{backend}", self.wave.backend)

    def dnsbl(self):
        prefixes = mailhost.listed(self.wave.addresses) + ["10.9.200.0/24"]
        return mailhost.Dnsbl(self.options.work, prefixes)

    def mail_server(self, **_):
        return Courier(
            self.options.work, PORTS, tarpit=True, maxdaemons=self.wave.slots,
            drop=self.peer.drop, users={mailhost.USER: "secret"}, delivery=True,
            variables={"MAXPERIP": self.wave.perip},
            port_variables={} if self.wave.login else {25: NO_LOGIN})

    def tcpds(self):
        """PORT=PID of each listener, as watch.py wants it."""
        found = {int(Path("/run/courier", name).read_text()): port for port, name in
                 ((25, "esmtpd.pid"), (465, "esmtpd-ssl.pid"), (587, "esmtpd-msa.pid"))}
        pids = {daemon.pid: daemon for daemon in self.courier.daemons()}
        assert found.keys() == pids.keys(), (found, list(pids))
        return ",".join(f"{port}={pid}" for pid, port in found.items())

    def before(self, start):
        self._cpu, self._times = peerhost.cpu_times(self._ours), load.Times()

    def during(self):
        """Where the processors' time went: before deliveries and counters are awaited."""
        idle, stolen = self._times.idle_and_stolen()
        spent = peerhost.difference(peerhost.cpu_times(self._ours), self._cpu)
        return {"idle": idle, "stolen": stolen, "processors": os.cpu_count(), "spent": spent}

    def found(self):
        return {"blocked": sorted(self.blocked()), "counters": self.counters(),
                "delivered": mailhost.wait_for_delivery(self, self.options)}


def run_wave(host, start):
    """The wave and its observers; returns the programs' CPU seconds."""
    options, wave = host.options, host.wave
    programs, end = mailhost.Programs(options.results), wave.duration + wave.settle
    common = {"start": start, "server": host.network.MX4, "recipient": RECIPIENT}
    programs.start("watch", place=HERE, start=start, duration=end, tcpds=host.tcpds(),
                   held=options.results / "held.csv")
    with host.network.world.entered():
        programs.start("sender", source=mailhost.SENDER, duration=wave.duration, **common)
        programs.start("customers", place=HERE, first=CUSTOMERS, login=int(wave.login),
                       pause=options.pause, spread=wave.duration / 3, end=end, **common)
        # The bots disconnect after the last sample of the slots.
        programs.start("bots", first=mailhost.FIRST_BOT, addresses=wave.addresses,
                       rate=wave.rate, burst=wave.burst, silent=wave.silent, end=end + 2,
                       duration=wave.duration, **common)
    return programs.finish()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wave", type=json.loads, required=True, help="the fields, as JSON")
    parser.add_argument("--protection", choices=waves.PROTECTIONS, required=True)
    parser.add_argument("--pause", type=float, required=True, help="the customers'")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    return parser.parse_args()


def main():
    """The namespaces take the mail host with them: nothing is taken down."""
    host = Target(arguments())
    host.__enter__()
    print("ready", flush=True)
    start = float(sys.stdin.readline())
    host.before(start)
    load_cpu = run_wave(host, start)
    machine = host.during()
    results.write(host.options.results, {"wave": dataclasses.asdict(host.wave), "load": load_cpu,
                                         "machine": machine, **host.found()})
    os._exit(0)


if __name__ == "__main__":
    main()
