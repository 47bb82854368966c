# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Processes and servers of attackers."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

from lib.processes import as_user
from lib.rsyslog import log
from lib.scenario import reject_line, workdir

def smtpd_environment(ip, port):
    """The environment of a listed client's courieresmtpd; it offers a login."""
    return {"TCPREMOTEIP": f"::ffff:{ip}", "TCPREMOTEPORT": str(port),
            "TCPLOCALIP": "::ffff:10.8.0.1", "TCPLOCALPORT": "25", "ESMTPAUTH": "PLAIN",
            "BLOCK": "Listed", "BLOCK_IP": "127.0.0.2", "BLOCK_ZONE": "bl.lab"}


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
        basics = {"PYTHONHOME": sys.prefix, "PATH": "/usr/bin:/bin"}
        self._process = subprocess.Popen(
            [*as_user(user), python, "-I", "-c", _FORGER], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=basics | (environment or {}))
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
def suspended(pid):
    """The process, such as rsyslogd, is stopped in this block. It handles afterwards what
    came meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def log_and_leave(host, text, user="nobody", *, program=None, **options):
    """A process of that user logs a line and exits before rsyslogd reads it."""
    with suspended(host.rsyslog.pid), Forger(user, program=program) as forger:
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


class Chatter(threading.Thread):
    """Rejects of addresses without a session, as fast as rsyslogd takes them, until the end of
    the block or of rsyslogd; at most that many, of so many addresses in turn."""

    def __init__(self, most=1_000_000, addresses=25_000):
        super().__init__(daemon=True)
        self.sent, self.most, self.addresses = 0, most, addresses
        self._over = threading.Event()

    def run(self):
        with contextlib.suppress(OSError):
            while self.sent < self.most and not self._over.is_set():
                number = self.sent % self.addresses
                log(reject_line(f"10.9.{128 + number // 250}.{number % 250 + 1}"))
                self.sent += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join()
