# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A real DNSBL for the mail host: rbldnsd with zones that a scenario writes.

It answers on 127.0.0.1, port 53, which a private /etc/resolv.conf names. The zone bl.lab
is the DNSBL; the zone lab has the mail host; other queries are refused.
"""

import ipaddress
import random
import signal
import socket
import struct
import subprocess
from pathlib import Path

from lib.netns import Network, run
from lib.wait import wait_for

A, TXT = 1, 16


class Dnsbl:
    """Use as a context manager. `listed` holds addresses and prefixes."""

    ZONE = "bl.lab"

    def __init__(self, workdir, listed=(), text="Listed in lab DNSBL, $", answer="127.0.0.2"):
        self.workdir = Path(workdir) / "dnsbl"
        self.listed = set(listed)
        self.text = text
        self.answer = answer
        self._writes = 0
        self._servers = []

    def serve(self, port=53):
        """One more server on the loopback of the calling thread's network namespace."""
        with open(self.workdir / "rbldnsd.log", "ab") as log:
            self._servers.append(subprocess.Popen(
                ["rbldnsd", "-n", "-u", "rbldns", "-w", self.workdir, "-b", f"127.0.0.1/{port}",
                 "-c", "0", f"{self.ZONE}:ip4trie:listed4", f"{self.ZONE}:ip6trie:listed6",
                 "lab:generic:lab"], stdout=log, stderr=log))

    def __enter__(self):
        self.workdir.mkdir(mode=0o755, exist_ok=True)
        self._write_zones()
        self._point_resolver_here()
        self.serve()
        wait_for(lambda: ask("mx.lab", A), 10, "the DNSBL's first answer")
        return self

    def __exit__(self, *_):
        for server in self._servers:
            server.terminate()
            server.wait(60)
        run("umount", "/etc/resolv.conf")

    def _write_zones(self):
        """Every write makes the files longer: rbldnsd compares size and whole seconds."""
        self._writes += 1
        head = f"#{'.' * self._writes}\n:{self.answer}:{self.text}\n"
        ipv4 = sorted(entry for entry in self.listed if ":" not in entry)
        ipv6 = sorted(entry for entry in self.listed if ":" in entry)
        (self.workdir / "listed4").write_text(head + "".join(f"{entry}\n" for entry in ipv4))
        (self.workdir / "listed6").write_text(head + "".join(f"{entry}\n" for entry in ipv6))
        (self.workdir / "lab").write_text(f"mx A {Network.MX4}\nmx MX 10 mx.lab\n")

    def _point_resolver_here(self):
        resolver = self.workdir / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.1\n")
        run("mount", "--bind", resolver, "/etc/resolv.conf")

    def add(self, entry):
        """An address or a prefix. Returns once it is listed."""
        self.listed.add(entry)
        self._write_zones()
        for server in self._servers:
            server.send_signal(signal.SIGHUP)
        name = self.name_of(str(ipaddress.ip_network(entry)[-1]))
        wait_for(lambda: ask(name, A), 10, f"the DNSBL to list {entry}")

    def name_of(self, address):
        """The name to query the DNSBL for an address."""
        if ":" in address:
            nibbles = socket.inet_pton(socket.AF_INET6, address).hex()
            return ".".join(reversed(nibbles)) + "." + self.ZONE
        return ".".join(reversed(address.split("."))) + "." + self.ZONE


def ask(name, kind, timeout=1.0):
    """One query to the mail host's resolver: the raw records' data, [] for none."""
    number = random.randrange(65536)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" \
        + struct.pack(">2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        try:
            client.connect(("127.0.0.1", 53))
            client.send(query)
            answer = client.recv(4096)
        except OSError:
            return []
    return _records(answer, len(query))


def _records(answer, offset):
    found = []
    for _ in range(struct.unpack(">H", answer[6:8])[0]):
        while answer[offset] and answer[offset] < 0xc0:
            offset += answer[offset] + 1
        offset += 2 if answer[offset] >= 0xc0 else 1
        length = struct.unpack(">H", answer[offset + 8:offset + 10])[0]
        found.append(answer[offset + 10:offset + 10 + length])
        offset += 10 + length
    return found
