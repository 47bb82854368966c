# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What every scenario starts with: a complete mail host, and its clients."""

import contextlib
import dataclasses
import ipaddress
import os
import tempfile
from pathlib import Path

from lib import processes
from lib.courier import Courier
from lib.ctl import ctl
from lib.dnsbl import Dnsbl
from lib.firewall import NftList, RecentList, drops, kernel_list
from lib.journal import Journal, JournalRsyslog
from lib.netns import Network
from lib.rsyslog import CREDENTIALS, Rsyslog, action
from lib.smtp import Session
from lib.tap import Tap
from lib.wait import Timeout, stays, wait_for

# A mailbox that exists, and one that does not.
USER, PASSWORD = "erin", "correct horse"
MAILBOX, NOBODY = "erin@mx.lab", "nosuch@mx.lab"

# The addresses that the DNSBL lists, and so the clients below.
LISTED = ("10.9.1.0/24", "fd00:9::1:0/112")

# The ways to a session, as options of MailHost.open().
WAYS = {"25": {}, "STARTTLS on 25": {"starttls": True}, "465": {"port": 465, "tls": True},
        "587": {"port": 587}, "STARTTLS on 587": {"port": 587, "starttls": True}}
PORTS = (25, 465, 587)

# With and without the sender's credentials from the kernel.
SENDERS = {"credentials": CREDENTIALS, "no credentials": ""}

# How long "nothing happens" is checked: terminate.delay is 200 ms, and a search
# takes about 20 ms.
QUIET = 0.5


def listed(number, family=4):
    """A client that the DNSBL lists."""
    return f"10.9.1.{number}" if family == 4 else f"fd00:9::1:{number:x}"


def ordinary(number, family=4):
    """A client that it does not list."""
    return f"10.9.2.{number}" if family == 4 else f"fd00:9::2:{number:x}"


def reject_line(source, port=4711, reply=None):
    """A listed client's reject line, as courier writes it."""
    address = source if ":" in source else f"::ffff:{source}"
    reply = reply or f"511 Listed in lab DNSBL, {source}"
    return f"error,relay={address},port={port},from=<a@b.example>,to=<x@mx.lab>: {reply}"


def workdir():
    """Where the scenario's logs are kept; shown when it fails."""
    return Path(os.environ.get("SCENARIO_DIR") or tempfile.mkdtemp(prefix="scenario-"))


@contextlib.contextmanager
def network_and_lists(ports=(25,)):
    """The network, and both families' lists with their rules: (network, list4, list6)."""
    with Network() as network, kernel_list(4, ports=ports) as list4, \
            kernel_list(6, ports=ports) as list6:
        yield network, list4, list6


@contextlib.contextmanager
def lone_rsyslogd(points, rules, name, **options):
    """An rsyslogd without a mail host, for lines that need no session."""
    with Rsyslog(workdir(), rules, name=name, **options) as daemon:
        points.shown = [lambda: daemon.own()[-10:]]
        yield daemon


@contextlib.contextmanager
def mail_host(points, rules=None, *, imuxsock=CREDENTIALS, settings="", users=None, journal=False,
              **courier):
    """A mail host with the action under test (or other rules) on its log. With `journal`,
    /dev/log is journald's, and rsyslogd reads the journal."""
    directory = workdir()
    rules = action() if rules is None else rules
    daemon = JournalRsyslog if journal else Rsyslog
    with network_and_lists(courier.get("ports", (25,))) as (network, list4, list6), \
            Dnsbl(directory, LISTED) as dnsbl, \
            Journal(directory) if journal else contextlib.nullcontext() as journald, \
            daemon(directory, rules, imuxsock=imuxsock, settings=settings) as rsyslog, \
            Courier(directory, users={USER: PASSWORD} if users is None else users,
                    **courier) as real:
        host = MailHost(points, network, list4, list6, dnsbl, rsyslog, real, journald)
        points.shown = [lambda: host.rsyslog.own()[-10:]]
        yield host


@dataclasses.dataclass
class MailHost:
    """All parts of a running mail host. Methods whose names are verbs in the third person
    make points: they wait for what must happen, or check that nothing does."""

    points: Tap
    network: Network
    list4: RecentList | NftList
    list6: RecentList | NftList
    dnsbl: Dnsbl
    rsyslog: Rsyslog
    courier: Courier
    journald: Journal | None = None
    sessions: list = dataclasses.field(default_factory=list)

    @contextlib.contextmanager
    def part(self, name):
        """Like Tap.part(); the part's sessions are closed at its end."""
        before = len(self.sessions)
        with self.points.part(name):
            yield
        for session in self.sessions[before:]:
            session.close()
        del self.sessions[before:]

    def parts(self, *checks):
        """Each of these functions is a part: check(points, host)."""
        for check in checks:
            with self.part(check.__name__.replace("_", " ")):
                check(self.points, self)

    def restart(self, rules=None, *, prefix=(), forking=False, **changes):
        """Restarts rsyslogd with the default action or with other rules: the counters are 0, the
        lists empty. `changes` are imuxsock, settings, module."""
        if processes.alive(self.rsyslog.pid):
            self.rsyslog.stop()
        self.list4.flush()
        self.list6.flush()
        self.rsyslog.rules = action() if rules is None else rules
        for name, value in changes.items():
            setattr(self.rsyslog, name, value)
        self.rsyslog.start(prefix=prefix, forking=forking)

    def ctl(self, *words, **options):
        return ctl(*words, config=self.rsyslog.config, **options)

    def list_for(self, source):
        return self.list6 if ":" in source else self.list4

    def is_blocked(self, source):
        """The address is on the list, or its /64."""
        both = {source, str(ipaddress.ip_network(f"{source}/64", False)[0])} \
            if ":" in source else {source}
        return bool(both & self.list_for(source).addresses())

    def blocked(self):
        return self.list4.addresses() | self.list6.addresses()

    def session(self, source, port=25, **options):
        session = Session(options.pop("network", self.network), source, port, **options)
        self.sessions.append(session)
        return session

    def open(self, source, port=25, *, starttls=False, **options):
        """A session after EHLO, and the smtpd that serves it."""
        session = self.session(source, port, **options)
        session.greet()
        if starttls:
            session.starttls()
        return session, self.courier.child_of(session)

    def greeted(self, source, port=25, **options):
        """A session before EHLO, without a submit yet, and the smtpd that serves it."""
        session = self.session(source, port, **options)
        session.reply()
        return session, self.courier.child_of(session)

    def pin(self, source):
        """A session, and its smtpd, which rsyslogd has pinned."""
        session, child = self.open(source)
        wait_for(lambda: child.pid in processes.pinned_by(self.rsyslog.pid), 5,
                 f"the pin of {child.pid}")
        return session, child

    # Points.

    def rejects(self, source, code=511, *, to=NOBODY, **how):
        """A client gets that reply to its RCPT. Returns the session, and its smtpd."""
        session, child = self.open(source, **how)
        self.points.equal(session.recipient(to).code, code, f"{source} gets its {code}")
        return session, child

    def logs_in(self, session):
        """As a customer, who begins a mail."""
        self.points.equal(session.login(USER, PASSWORD).code, 235, "the login works")
        self.points.equal(session.command("MAIL FROM:<a@b.example>").code, 250, "a mail has begun")

    def blocks(self, *sources, deadline=3):
        self.points.until(lambda: all(map(self.is_blocked, sources)), deadline,
                          f"on the list: {shown(sources)}")

    def ends(self, *children, deadline=4):
        pids = [child.pid for child in children]
        self.points.until(
            lambda: all(map(processes.gone, pids)), deadline,
            f"gone: the smtpd of {shown(sorted({str(child.address) for child in children}))}",
            lambda: [processes.look(pid) for pid in pids])

    def spares(self, *sources, pids=(), seconds=QUIET):
        """Nothing happens to them."""
        self.points.ok(
            stays(lambda: all(map(processes.alive, pids))
                  and not any(map(self.is_blocked, sources)), seconds),
            "nobody blocked, nobody signalled", self.blocked(),
            [pid for pid in pids if not processes.alive(pid)])

    def serves(self, session, child):
        """The session answers, by the same smtpd."""
        self.points.ok(session.lives() and processes.alive(child.pid),
                       f"the session of {session.source} goes on")

    def logs_once(self, pattern):
        """A message that matches comes, once."""
        self.points.until(lambda: self.rsyslog.logged(pattern), 5, f"logged: {pattern}")
        self.points.equal(len(self.rsyslog.logged(pattern)), 1, f"logged once: {pattern}")

    def writes(self, *words):
        """The mail log gets a line with all these words."""
        self.points.until(lambda: any(all(word in line for word in words)
                                      for line in self.rsyslog.mail()), 5,
                          f"the mail log has: {' '.join(words)}")

    def drops(self, source, port=25):
        self.points.ok(drops(self.list_for(source), self.network, source, port),
                       f"the next packet of {source} is dropped")

    def block(self, source, *, port=25, starttls=False, tls=False):
        """A listed client is rejected and must be blocked. It keeps its end of the connection
        open throughout."""
        _, child = self.rejects(source, port=port, starttls=starttls, tls=tls)
        self.blocks(source)
        self.ends(child)
        self.frees_slot(source)
        self.drops(source, port)
        self.points.until(lambda: not processes.zombies(), 2, "no zombie is left",
                          processes.zombies)

    def frees_slot(self, source, deadline=4):
        """No process serves the client: no submit, no couriertls."""
        self.points.until(lambda: not self.courier.serving(source), deadline,
                          f"no process serves {source}", lambda: self.courier.serving(source))
        self.points.until(lambda: not self.courier.slots_of(source), deadline,
                          f"the slot of {source} is free", self.courier.slots)

    def growth(self, before, name="spammer"):
        """By how much the counters have grown."""
        after = self.rsyslog.counters(name)
        grown = {key: after.get(key, 0) - before.get(key, 0) for key in before | after}
        return {key: value for key, value in grown.items() if value}

    @contextlib.contextmanager
    def counted(self, label="", *, name="spammer", **want):
        """A block of code that must add exactly `want` to the counters of the action with that
        list. Yields a function that waits for them.

        `lines`, `rejects`, `resets` and `unblocked` are compared only if `want` names them:
        courier itself logs, too, a connection is reset some time after its smtpd has exited, and a
        scenario that empties a list unblocks its addresses.
        """
        want = {key.replace("__", "."): value for key, value in want.items()}
        before = self.rsyslog.counters(name)

        def growth():
            return {key: value for key, value in self.growth(before, name).items()
                    if key in want or key not in ("lines", "rejects", "resets", "unblocked")}

        def reached(deadline=5):
            with contextlib.suppress(Timeout):
                wait_for(lambda: growth() == want, deadline, label)

        with self.points.label(label):
            yield reached
            reached()
            self.points.equal(growth(), want, "counted exactly")

    @contextlib.contextmanager
    def harmless(self, label="", *, sources=(), pids=(), name="spammer", **want):
        """The attack in this block blocks nobody, signals nobody, and is counted exactly.

        `sources` must not be on a list; `pids`, including the forgers', must live.
        """
        with self.counted(label, name=name, **want) as reached:
            yield
            reached()
            self.spares(*sources, pids=pids)


class Neighbour:
    """An ordinary sender whose connection is open while others are blocked."""

    def __init__(self, host, source=ordinary(200)):
        self.host = host
        self.session, self.child = host.open(source)

    def sends_its_mail(self):
        """It is unharmed: the same smtpd takes its mail, and it is delivered."""
        points, session = self.host.points, self.session
        mark = f"mail of {session.source} port {session.source_port}"
        with points.label("the neighbour"):
            points.equal(session.recipient(MAILBOX).code, 250, "its recipient is accepted")
            points.equal(session.data(f"Subject: {mark}\r\n\r\n{mark}").code, 250,
                         "its mail is accepted")
            self.host.serves(session, self.child)
            points.until(lambda: any(mark in mail for mail in self.host.courier.mails(USER)), 10,
                         "its mail is in the Maildir")
        session.close()


def shown(words):
    """A few of them, as text."""
    return " ".join(words[:3]) + (f" and {len(words) - 3} others" if len(words) > 3 else "")
