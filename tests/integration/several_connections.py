# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Several connections from one address: which are terminated, and which are not.

A line with port= names one smtpd, a line without it all smtpds of that address. An smtpd of
another address is never meant, nor one in another network namespace.
"""
# backends: both

import socket
import subprocess

from lib import rsyslog
from lib.courier import NO_LOGIN
from lib.netns import Namespace, Network, run
from lib.rsyslog import action
from lib.scenario import NOBODY, SENDERS, listed, mail_host, ordinary, reject_line
from lib.wait import wait_for


def one_of_three(host, source):
    """The reject of one connection terminates that one."""
    others = [host.open(source)[1].pid for _ in range(2)]
    _, child = host.rejects(source)
    host.ends(child)
    host.blocks(source, deadline=2)
    host.spares(pids=others)


def old_line(host, source, tagged):
    """As courier before 1.0.12 would have logged it. The line comes without credentials:
    the module searches for the smtpds, also if the tag gives a hint."""
    children = [host.open(source)[1] for _ in range(3)]
    others = host.open(ordinary(9)), host.open(listed(99))
    rsyslog.log(reject_line(source).replace(",port=4711", ""),
                tag=f"courieresmtpd[{children[0].pid}]" if tagged else "courieresmtpd")
    host.ends(*children)
    host.blocks(source, deadline=2)
    host.spares(ordinary(9), listed(99), pids=[child.pid for _, child in others])
    for other in others:
        host.serves(*other)


class OtherHost:
    """A second mail host: courier's submission port in a network of its own.

    A session uses it like a Network; its client binds a given port.
    """

    def __init__(self, host, source, port):
        self.host, self.source, self.port = host, source, port
        self.namespace = Namespace.create()

    def __enter__(self):
        with self.namespace.entered():
            for address in (Network.MX4, self.source):
                run("ip", "addr", "add", f"{address}/32", "dev", "lo")
            self.host.dnsbl.serve()
            run("esmtpd-msa", "start", stdin=subprocess.DEVNULL)
            wait_for(lambda: ":587 " in run("ss", "-Hltn"), 5, "the other host's port")
        return self

    def __exit__(self, *_):
        self.namespace.close()

    def socket(self, source):
        with self.namespace.entered():
            client = socket.socket(socket.AF_INET)
        client.bind((source, self.port))
        return client

    @staticmethod
    def mx_for(_):
        return Network.MX4


def other_network(points, host):
    source = listed(5)
    here, child = host.open(source)
    with OtherHost(host, source, here.source_port) as other:
        there = host.session(source, 587, network=other)
        there.greet()
        foreign = next(process for process in host.courier.children(source, here.source_port)
                       if process.local_port == 587)
        points.equal(here.recipient(NOBODY).code, 511, "a client is rejected here")
        host.ends(child)
        host.spares(pids=[foreign.pid], seconds=1)
        host.serves(there, foreign)


def scenario(points):
    # Where courier offers a login such lines need the client's MAIL.
    with mail_host(points, port_variables={25: NO_LOGIN}) as host:
        for number, (sender, imuxsock) in enumerate(SENDERS.items(), 1):
            host.restart(action(early="off", pressure=0), imuxsock=imuxsock)
            with host.part(sender):
                one_of_three(host, listed(number))
        for number, tagged in ((3, False), (4, True)):
            with host.part(f"a line without port={', a PID in its tag' if tagged else ''}"):
                old_line(host, listed(number), tagged)
        host.parts(other_network)
