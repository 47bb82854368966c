# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What attack scenarios share: forgers, exact counters, and mail hosts set up for them."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading

from lib import processes
from lib.courier import Courier
from lib.dnsbl import Dnsbl
from lib.rsyslog import Rsyslog, action
from lib.scenario import (LISTED, PASSWORD, USER, MailHost, network_and_lists, workdir)
from lib.wait import Timeout, stays, wait_for

# How long "nothing happens" is checked: terminate.delay is 200 ms, and a search
# takes about 20 ms.
QUIET = 0.5


class TunedCourier(Courier):
    """A courier with esmtpd variables that Courier has no parameter for."""

    def __init__(self, *words, variables=None, files=None, **options):
        super().__init__(*words, **options)
        self.settings |= variables or {}
        self.files = files or {}

    def _configure(self):
        super()._configure()
        for path, text in self.files.items():
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)


@contextlib.contextmanager
def tuned_host(rules=None, *, imuxsock, settings="", answer="127.0.0.2", delivery=False,
               users=None, **courier):
    """scenario.mail_host() with a TunedCourier."""
    directory = workdir()
    users = {USER: PASSWORD} if users is None else users
    with network_and_lists(courier.get("ports", (25,))) as (network, list4, list6), \
            Dnsbl(directory, LISTED, answer=answer) as dnsbl, \
            Rsyslog(directory, rules or action(), imuxsock=imuxsock,
                    settings=settings) as rsyslog, \
            TunedCourier(directory, users=users, delivery=delivery, **courier) as real:
        yield MailHost(network, list4, list6, dnsbl, rsyslog, real)


def restart(host, rules=None, *, imuxsock=None, settings=None):
    """Restarts rsyslogd with other rules; counters start at 0, the lists are empty."""
    if processes.alive(host.rsyslog.pid):
        host.rsyslog.stop()
    for recent in (host.list4, host.list6):
        recent.flush()
    host.rsyslog.rules = rules or action()
    if imuxsock is not None:
        host.rsyslog.imuxsock = imuxsock
    if settings is not None:
        host.rsyslog.settings = settings
    host.rsyslog.start()


def reject_line(source, port=4711, reply=None):
    """A listed client's reject line, as courier writes it."""
    address = source if ":" in source else f"::ffff:{source}"
    reply = reply or f"511 Listed in lab DNSBL, {source}"
    return f"error,relay={address},port={port},from=<a@b.example>,to=<x@mx.lab>: {reply}"


# Counters.

def counters(rsyslog, name="spammer"):
    return rsyslog.counters(name)


def _growth(before, after):
    keys = before.keys() | after.keys()
    return {key: after.get(key, 0) - before.get(key, 0) for key in keys
            if after.get(key, 0) != before.get(key, 0)}


class Counted:
    """A block of code that must add exactly `want` to the counters.

    `lines`, `rejects` and `resets` are compared only if `want` names them: courier itself
    logs, too, and a connection is reset some time after its smtpd has exited.
    """

    def __init__(self, points, host, label, name="spammer", **want):
        self.points, self.rsyslog, self.label, self.name = points, host.rsyslog, label, name
        self.want = {key.replace("__", "."): value for key, value in want.items()}

    def __enter__(self):
        self.before = counters(self.rsyslog, self.name)
        return self

    def growth(self):
        after = _growth(self.before, counters(self.rsyslog, self.name))
        return {key: value for key, value in after.items()
                if key in self.want or key not in ("lines", "rejects", "resets")}

    def reached(self, deadline=5):
        """Waits until the counters match, or until the deadline."""
        with contextlib.suppress(Timeout):
            wait_for(lambda: self.growth() == self.want, deadline, self.label)

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        self.reached()
        self.points.equal(self.growth(), self.want, f"{self.label}: counted exactly")


@contextlib.contextmanager
def harmless(points, host, label, *, sources=(), pids=(), name="spammer", **want):
    """The attack in this block blocks nobody, signals nobody, and is counted exactly.

    `sources` must not be on a list; `pids`, including the forgers', must live.
    """
    with Counted(points, host, label, name, **want) as counted:
        yield counted
        counted.reached()
        points.ok(stays(lambda: all(map(processes.alive, pids))
                        and not any(map(host.is_blocked, sources)), QUIET),
                  f"{label}: nobody blocked, nobody signalled",
                  host.list4.addresses() | host.list6.addresses(),
                  [pid for pid in pids if not processes.alive(pid)], host.rsyslog.own()[-10:])


# Forgers.

_FORGER = r"""
import json, socket, sys, time
NUMBERS = {"alert": 1, "crit": 2, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect("/dev/log")
print("ready", flush=True)
for order in sys.stdin:
    text, severity, tag = json.loads(order)
    stamp = time.strftime("%b %d %H:%M:%S")
    line = f"<{16 + NUMBERS[severity]}>{stamp} {tag}: {text}"
    sender.send(line.encode("utf-8", "surrogateescape"))
    print("sent", flush=True)
"""


class Forger:
    """A process of that user that logs the lines it is given, and lives until close().

    `program` names the executable (a copy of the interpreter), `environment` is its
    environment in /proc.
    """

    def __init__(self, user="nobody", *, program=None, environment=None):
        python = sys.executable if program is None else copy_of_python(program)
        entry = pwd.getpwnam(user)
        basics = {"PYTHONHOME": sys.prefix, "PATH": "/usr/bin:/bin"}
        self._process = subprocess.Popen(
            ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
             python, "-I", "-c", _FORGER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=basics | (environment or {}))
        self.pid = self._process.pid
        self._answer("ready")

    def _answer(self, want):
        got = self._process.stdout.readline().strip()
        if got != want:
            raise RuntimeError(f"the forger answered {got!r}, not {want!r}")

    def log(self, text, severity="err", tag="courieresmtpd"):
        print(json.dumps([text, severity, tag]), file=self._process.stdin, flush=True)
        self._answer("sent")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def copy_of_python(name):
    """The interpreter as a program of that name, for processes that are judged by name."""
    # Two directories down: files above are shown as logs when a scenario fails.
    directory = workdir() / "programs" / "bin"
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = directory / name
    if not path.exists():
        shutil.copyfile(os.path.realpath(sys.executable), path)
        path.chmod(0o755)
    return path


@contextlib.contextmanager
def rsyslogd_held(host):
    """rsyslogd is stopped in this block: it reads the lines logged meanwhile afterwards."""
    os.kill(host.rsyslog.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(host.rsyslog.pid, signal.SIGCONT)


def log_and_leave(host, text, user="nobody", *, program=None, **options):
    """A process of that user logs a line and exits before rsyslogd reads it."""
    with rsyslogd_held(host), Forger(user, program=program) as forger:
        forger.log(text, **options)


class Identd(threading.Thread):
    """The ident server of a client in world, with any answer."""

    def __init__(self, network, source, user):
        super().__init__(daemon=True)
        self.user = user
        with network.world.entered():
            family = socket.AF_INET6 if ":" in source else socket.AF_INET
            self._socket = socket.create_server((source, 113), family=family)
        self.asked = 0

    def run(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(5)
                ports = client.recv(100).decode("latin-1").strip()
                client.sendall(f"{ports} : USERID : UNIX : {self.user}\r\n".encode("latin-1"))
                self.asked += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
