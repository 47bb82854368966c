# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The rules that match the kernel's lists, and the packets they drop, for each backend."""

import errno
import json
import os
import re
import select
import socket
from pathlib import Path

from lib.netns import run
from lib.wait import MUST_COME, wait_for


class RecentList:
    """One family's list, and the rules that create it and drop packets by it."""

    def __init__(self, family, name=None, ports=(25,), seconds=600, *, mask=None):
        self.family = family
        self.name = name or {4: "spammer", 6: "spammer6"}[family]
        self.ports = ports
        self.match = ["-m", "recent", "--name", self.name, *(["--mask", mask] if mask else []),
                      "--update", "--seconds", seconds, "-j", "DROP"]
        self._program = {4: "iptables", 6: "ip6tables"}[family]
        self.path = Path("/proc/net/xt_recent") / self.name

    def _iptables(self, *words):
        return run(self._program, "-w", *words)

    def __enter__(self):
        self.install()
        return self

    def __exit__(self, *_):
        if self.path.exists():
            self.remove()

    def install(self):
        """Types the rules as an admin does. Afterwards the list exists."""
        for port in self.ports:
            self._iptables("-A", "INPUT", "-p", "tcp", "--dport", port, *self.match)

    def remove(self):
        """As at the start of a firewall reload: the list disappears with its rules."""
        for port in self.ports:
            self._iptables("-D", "INPUT", "-p", "tcp", "--dport", port, *self.match)
        wait_for(lambda: not self.path.exists(), 2, f"the end of {self.path}")

    def addresses(self):
        """The list's addresses; empty if there is no list."""
        try:
            lines = self.path.read_text().splitlines()
        except OSError as problem:
            if problem.errno in (errno.ENOENT, errno.EIO):
                return set()
            raise
        return {_plain(re.match(r"src=(\S+)", line).group(1)) for line in lines}

    def add(self, address):
        self.path.write_text(f"+{address}\n")

    def flush(self):
        if self.path.exists():
            self.path.write_text("/\n")

    def dropped_packets(self):
        """By the counters of its rules."""
        lines = self._iptables("-nvxL").splitlines()
        return sum(int(line.split()[0]) for line in lines if f" name: {self.name} " in line)


class NftList:
    """One family's set, which the module creates, and the rule that drops packets by it."""

    TABLE = "inet omsmtpblock"

    def __init__(self, family, name=None, ports=(25,)):
        self.family = family
        self.name = name or {4: "spammer", 6: "spammer6"}[family]
        self.ports = ports

    def __enter__(self):
        """The module creates the table, which has other sets too; it ends with the namespace."""
        return self

    def __exit__(self, *_):
        pass

    def install(self):
        """The module does."""

    def remove(self):
        """As at the start of a firewall reload."""
        run("nft", "flush", "ruleset")

    def _parts(self, kind, name, part):
        """These parts of a set or chain of the table, as nft's JSON."""
        try:
            text = run("nft", "-j", "list", kind, *self.TABLE.split(), name)
        except RuntimeError as problem:
            if "No such file" in str(problem):
                return []
            raise
        return [item[part] for item in json.loads(text)["nftables"] if part in item]

    def entries(self):
        """The set's addresses, each with the seconds it has left."""
        return {entry["elem"]["val"]: entry["elem"]["expires"]
                for found in self._parts("set", self.name, "set")
                for entry in found.get("elem", [])}

    def left(self, address):
        return self.entries().get(address, 0)

    def addresses(self):
        return set(self.entries())

    def add(self, address):
        run("nft", "add", "element", *self.TABLE.split(), self.name, "{", address, "}")

    def flush(self):
        if self.rules():
            run("nft", "flush", "set", *self.TABLE.split(), self.name)

    def rules(self):
        """The rules that drop packets by this set."""
        return [rule for rule in self._parts("chain", "input", "rule")
                if re.fullmatch(rf"omsmtpblock {re.escape(self.name)} [0-9a-f]{{8}}",
                                rule.get("comment", ""))]

    def dropped_packets(self):
        """The drop rule's own counter."""
        return sum(part["counter"]["packets"] for rule in self.rules() for part in rule["expr"]
                   if "counter" in part)


def backend():
    """The backend of this run of the scenario."""
    return os.environ.get("SCENARIO_BACKEND", "recent")


def kernel_list(family, name=None, *, ports=(25,), mask=None):
    """A list of that backend. The module's own nftables rule has the mask."""
    if backend() == "nftables":
        return NftList(family, name, ports)
    return RecentList(family, name, ports, mask=mask)


def _plain(address):
    """The kernel writes IPv6 addresses in full; tests write them short."""
    if ":" not in address:
        return address
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))


def connects(network, source, port=25, deadline=MUST_COME):
    """A connection attempt from `source` gets through."""
    with network.socket(source) as client:
        client.setblocking(False)
        client.connect_ex((network.mx_for(source), port))
        _, writable, _ = select.select([], [client], [], deadline)
        return bool(writable) and client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def drops(recent, network, source, port=25, deadline=2):
    """The packet is dropped: the rule counts the attempt, and no answer comes."""
    before = recent.dropped_packets()
    with network.socket(source) as client:
        client.setblocking(False)
        client.connect_ex((network.mx_for(source), port))
        wait_for(lambda: recent.dropped_packets() > before or _answered(client), deadline,
                 f"a drop or an answer for {source}")
        return not _answered(client)


def _answered(client):
    return bool(select.select([], [client], [], 0)[1])
