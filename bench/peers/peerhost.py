#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""One mail host with one protection under one wave: mailhost.py with more measurements.

Started like mailhost.py, with --run in place of --rules. Besides that program's files,
RESULTS gets blocks.csv, the times at which addresses got on the list, and log.csv, the
times of courier's lines about listed addresses; run.json also has forks, DNS queries and
CPU time.
"""

import argparse
import csv
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "wave")]

import mailhost  # noqa: E402
import peers  # noqa: E402
from lib import processes  # noqa: E402
from lib.dnsbl import Dnsbl  # noqa: E402
from lib.netns import run  # noqa: E402
from lib.wait import wait_for  # noqa: E402

# The lines of interest with the time at which rsyslogd got them.
STAMPED = """
template(name="stamped" type="string" string="%timegenerated:::date-rfc3339%%msg%\\n")
if $msg contains "relay=" or $msg contains "started,ip=" or $msg contains "dropped blocked" then
    action(type="omfile" file="{path}" template="stamped")
"""
TICKS = os.sysconf("SC_CLK_TCK")
NFT_TABLE = ("inet", "omsmtpblock")


class SlowDnsbl(Dnsbl):
    """A DNSBL that answers late, but only for its zone."""

    SERVER = 5353

    def __init__(self, workdir, listed_prefixes, seconds):
        super().__init__(workdir, listed_prefixes)
        self._seconds = seconds
        self.relay = None

    def serve(self, port=53):
        super().serve(self.SERVER)
        self.relay = subprocess.Popen(
            [sys.executable, HERE / "slowdns.py", "--zone", self.ZONE,
             "--delay", str(self._seconds), "--server", str(self.SERVER)])
        self._servers.append(self.relay)


class PeerHost(mailhost.MailHost):
    """A mail host with a protection, under a condition."""

    def __init__(self, options, peer, condition):
        super().__init__(options)
        self.peer, self.condition = peer, condition
        self.log = options.work / "stamped.log"
        self.start = None
        self._ours = {os.getpid()}
        self._watchers = self._cpu = self._queries = None

    def rules(self):
        return STAMPED.format(path=self.log) \
            + self.peer.rules.replace("{backend}", self.condition.backend)

    def dnsbl(self):
        if not self.condition.dnsbl_delay:
            return super().dnsbl()
        return SlowDnsbl(self.options.work, mailhost.listed(self.options.addresses),
                         self.condition.dnsbl_delay)

    def mail_server(self, **settings):
        return super().mail_server(drop=self.peer.drop, **settings)

    def protect(self, parts):
        run("iptables", "-w", "-N", "COUNTED")
        run("iptables", "-w", "-A", "COUNTED", "-m", "recent", "--name", "clock", "--rcheck")
        run("iptables", "-w", "-I", "INPUT", "-p", "udp", "--dport", "53")
        if self.peer.command:
            program = self._start_program()
            parts.callback(self._end_program, program)

    def _start_program(self):
        peers.MAIL_ERR.touch()
        for ours, theirs in self.peer.mounts:
            run("mount", "--bind", ours, theirs)
        with open(self.options.work / "peer.log", "wb") as log:
            program = subprocess.Popen(
                self.peer.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
                env=os.environ | {"OMSMTPBLOCK_PEERS": str(peers.CONF)})
        wait_for(self._program_answers, 15, f"{self.peer.label} to be at work")
        return program

    def _program_answers(self):
        return subprocess.run(self.peer.answers, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0

    @staticmethod
    def _end_program(program):
        os.killpg(program.pid, signal.SIGTERM)
        program.wait(20)

    def before(self, start):
        self.start = start
        self._watchers = mailhost.Programs(self.options.results)
        self._watchers.start("blocks", place=HERE, backend=self.condition.backend, start=start,
                             duration=self.options.duration + self.options.settle)
        if self.condition.dnsbl_delay:
            self._ours |= {process.pid for process in processes.every()
                           if "slowdns.py" in command_line(process.pid)}
        self._cpu, self._queries = cpu_times(self._ours), dns_queries()

    def found(self):
        self._watchers.finish()
        more = {"run": self.options.run, "queries": dns_queries() - self._queries,
                "cpu_host": difference(cpu_times(self._ours), self._cpu)}
        everything = super().found() | more
        blocked = set(everything["blocked"])
        everything["held"] = sum(slot.address in blocked for slot in self.courier.slots())
        self._write_log()
        return everything

    def blocked(self):
        if self.condition.backend == "recent" or not self.peer.line:
            return super().blocked()
        return nft_elements(self.list.name)

    def _write_log(self):
        """address, seconds, kind: each address' first line of each kind."""
        ahead = time.time() - time.monotonic() + self.start
        kinds = {kind: re.compile(pattern) for kind, pattern in peers.LINES.items()}
        first = {}
        for line in self.log.read_text(errors="replace").splitlines():
            for kind, pattern in kinds.items():
                if match := pattern.search(line):
                    address = match.group(1).removeprefix("::ffff:")
                    first.setdefault((address, kind), line.split(" ", 1)[0])
        with open(self.options.results / "log.csv", "w", encoding="ascii") as table:
            rows = csv.writer(table)
            rows.writerow(("address", "kind", "seconds"))
            for (address, kind), stamp in first.items():
                when = datetime.datetime.fromisoformat(stamp).timestamp() - ahead
                rows.writerow((address, kind, f"{when:.4f}"))


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def cpu_times(without):
    """CPU seconds by name of program, each with the child processes that it has collected.

    An orphan's time is added to process 1, which collects it.
    """
    times = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in without:
            try:
                name, seconds = cpu_time(entry)
            except OSError:
                continue
            times[name] = times.get(name, 0.0) + seconds
    return times


def cpu_time(entry):
    """A process' name, and its CPU seconds with those of its collected children.

    stat has whole ticks, and most of courier's processes take less; schedstat has
    nanoseconds.
    """
    stat = Path(f"/proc/{entry}/stat").read_text()
    name = stat[stat.index("(") + 1:stat.rindex(")")] if entry != "1" else "orphans"
    user, system, *children = (int(word) / TICKS
                               for word in stat[stat.rindex(")") + 2:].split()[11:15])
    exact = sum(int(path.read_text().split()[0]) / 1e9
                for path in Path(f"/proc/{entry}/task").glob("*/schedstat"))
    return name, max(user + system, exact) + sum(children)


def difference(after, before):
    return {name: round(after.get(name, 0.0) - before.get(name, 0.0), 2)
            for name in after.keys() | before.keys()}


def dns_queries():
    """UDP packets to port 53 so far, by the rule that counts them."""
    for line in run("iptables", "-w", "-nvxL", "INPUT").splitlines():
        if "udp dpt:53" in line:
            return int(line.split()[0])
    raise RuntimeError("the rule that counts DNS queries is gone")


def nft_elements(name):
    """The addresses in a set of the module's table."""
    listing = json.loads(run("nft", "-j", "list", "set", *NFT_TABLE, name))
    sets = [entry["set"] for entry in listing["nftables"] if "set" in entry]
    return {element["elem"]["val"] if isinstance(element, dict) else element
            for found in sets for element in found.get("elem", [])}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", choices=peers.RUNS, required=True)
    mailhost.add_arguments(parser)
    return parser.parse_args()


def main():
    options = arguments()
    named = peers.RUNS[options.run]
    mailhost.measure(PeerHost(options, peers.PEERS[named.peer],
                              peers.CONDITIONS[named.condition]))


if __name__ == "__main__":
    main()
