# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What every scenario starts with: a complete mail host, and its clients."""

import contextlib
import dataclasses
import os
import tempfile
from pathlib import Path

from lib import processes
from lib.courier import Courier
from lib.dnsbl import Dnsbl
from lib.firewall import NftList, RecentList, drops, kernel_list
from lib.netns import Network
from lib.rsyslog import CREDENTIALS, Rsyslog, action
from lib.smtp import Session

# A mailbox that exists, and one that does not.
USER, PASSWORD = "erin", "correct horse"
MAILBOX, NOBODY = "erin@mx.lab", "nosuch@mx.lab"

# The addresses that the DNSBL lists, and so the clients below.
LISTED = ("10.9.1.0/24", "fd00:9::1:0/112")


def listed(number, family=4):
    """A client that the DNSBL lists."""
    return f"10.9.1.{number}" if family == 4 else f"fd00:9::1:{number:x}"


def ordinary(number, family=4):
    """A client that it does not list."""
    return f"10.9.2.{number}" if family == 4 else f"fd00:9::2:{number:x}"


def workdir():
    """Where the scenario's logs are kept; shown when it fails."""
    return Path(os.environ.get("SCENARIO_DIR") or tempfile.mkdtemp(prefix="scenario-"))


@contextlib.contextmanager
def network_and_lists(ports=(25,)):
    """The network, and both families' lists with their rules: (network, list4, list6)."""
    with Network() as network, kernel_list(4, ports=ports) as list4, \
            kernel_list(6, ports=ports) as list6:
        yield network, list4, list6


@dataclasses.dataclass
class MailHost:
    """All parts of a running mail host."""

    network: Network
    list4: RecentList | NftList
    list6: RecentList | NftList
    dnsbl: Dnsbl
    rsyslog: Rsyslog
    courier: Courier

    def list_for(self, source):
        return self.list6 if ":" in source else self.list4

    def session(self, source, port=25, **options):
        return Session(self.network, source, port, **options)

    def open(self, source, port=25, *, starttls=False, **options):
        """A session after EHLO, and the smtpd that serves it."""
        session = self.session(source, port, **options)
        session.greet()
        if starttls:
            session.starttls()
        return session, self.courier.child_of(session)

    def is_blocked(self, source):
        return source in self.list_for(source).addresses()


@contextlib.contextmanager
def mail_host(rules=None, *, imuxsock=CREDENTIALS, settings="", answer="127.0.0.2",
              delivery=False, **courier):
    """A mail host with the action under test (or other rules) on its log."""
    directory = workdir()
    ports = courier.get("ports", (25,))
    rules = action() if rules is None else rules
    with network_and_lists(ports) as (network, list4, list6), \
            Dnsbl(directory, LISTED, answer=answer) as dnsbl, \
            Rsyslog(directory, rules, imuxsock=imuxsock, settings=settings) as rsyslog, \
            Courier(directory, users={USER: PASSWORD}, delivery=delivery, **courier) as real:
        yield MailHost(network, list4, list6, dnsbl, rsyslog, real)


class Neighbour:
    """An ordinary sender whose connection is open while others are blocked."""

    def __init__(self, host, source=ordinary(200)):
        self.host = host
        self.source = source
        self.session, self.child = host.open(source)

    def sends_his_mail(self, tap, label):
        """The neighbour is unharmed: the same smtpd takes its mail, and it is delivered."""
        mark = f"mail of {self.source} port {self.session.source_port}"
        with self.session:
            tap.equal(self.session.recipient(MAILBOX).code, 250,
                      f"{label}: the neighbour's recipient is accepted")
            tap.equal(self.session.data(f"Subject: {mark}\r\n\r\n{mark}").code, 250,
                      f"{label}: the neighbour's mail is accepted")
            tap.ok(processes.alive(self.child.pid), f"{label}: the neighbour's smtpd is the same")
        tap.until(lambda: any(mark in mail for mail in self.host.courier.mails(USER)), 10,
                  f"{label}: the neighbour's mail is in the Maildir")


def block(tap, host, source, label, *, port=25, starttls=False, tls=False):
    """A listed client is rejected and must be blocked: five or six points.

    The client keeps its end of the connection open throughout.
    """
    session, child = host.open(source, port, starttls=starttls, tls=tls)
    with session:
        reply = session.recipient(NOBODY)
        tap.equal(reply.code, 511, f"{label}: the client sees its 511")
        tap.until(lambda: host.is_blocked(source), 3, f"{label}: the address is on the list",
                  host.rsyslog.own)
        tap.until(lambda: processes.gone(child.pid), 4, f"{label}: the smtpd is gone",
                  lambda: processes.look(child.pid), host.rsyslog.own)
        tap.until(lambda: not host.courier.serving(source), 4,
                  f"{label}: submit{' and couriertls are' if starttls or tls else ' is'} gone too",
                  lambda: host.courier.serving(source))
        tap.until(lambda: not host.courier.slots_of(source), 2, f"{label}: the slot is free",
                  host.courier.slots)
        tap.ok(drops(host.list_for(source), host.network, source, port),
               f"{label}: the next packet is dropped")
    tap.until(lambda: not processes.zombies(), 2, f"{label}: no zombie is left",
              processes.zombies)
