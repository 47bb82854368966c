#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A slow DNSBL: forwards queries at once, and the DNSBL's answers after a delay.

It replaces tc's netem, which delays packets in the kernel: kernels without sch_netem are
common in virtual machines, and the figures should be the same everywhere. The effect on
courier is the same: a late answer.

Listens on 127.0.0.1 port 53; the real server is on --server. Names outside --zone are
answered without delay. It is one process without threads, so that it is easy to exclude
from the counts of forks and CPU time.
"""

import argparse
import collections
import itertools
import select
import socket
import time

MOST = 65535
HEADER = 12


class Relay:
    """Queries get new IDs: two clients may choose the same one."""

    def __init__(self, options):
        self._delay = options.delay
        self._zone = b"".join(bytes([len(label)]) + label.encode()
                              for label in options.zone.split(".")) + b"\0"
        self._numbers = itertools.count(1)
        self._asked = {}
        self._waiting = collections.deque()
        self._clients = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._clients.bind(("127.0.0.1", 53))
        self._server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._server.connect(("127.0.0.1", options.server))

    def run(self):
        while True:
            pause = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            ready, _, _ = select.select([self._clients, self._server], [], [], pause)
            if self._clients in ready:
                self._ask()
            if self._server in ready:
                self._take_answer()
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                self._clients.sendto(*self._waiting.popleft()[1:])

    def _ask(self):
        query, client = self._clients.recvfrom(MOST)
        number = (next(self._numbers) % MOST).to_bytes(2, "big")
        self._asked[number] = (client, query[:2])
        self._server.send(number + query[2:])

    def _take_answer(self):
        answer = self._server.recv(MOST)
        client, number = self._asked.pop(answer[:2], (None, None))
        if client is None:
            return
        answer = number + answer[2:]
        if self._zone in answer[HEADER:]:
            self._waiting.append((time.monotonic() + self._delay, answer, client))
        else:
            self._clients.sendto(answer, client)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zone", required=True, help="whose answers are slow")
    parser.add_argument("--delay", type=float, required=True, help="seconds")
    parser.add_argument("--server", type=int, required=True, help="port of the real server")
    return parser.parse_args()


if __name__ == "__main__":
    Relay(arguments()).run()
