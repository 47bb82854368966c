# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The distribution's journald, started by hand, and an rsyslogd that reads its journal."""

import os
import socket
import subprocess
from pathlib import Path

from lib import processes
from lib.netns import run
from lib.rsyslog import Rsyslog
from lib.wait import wait_for

JOURNALD = "/lib/systemd/systemd-journald"
SOCKETS = Path("/run/systemd/journal")
SYSLOG, NATIVE = SOCKETS / "dev-log", SOCKETS / "socket"

# Nothing is stored on disk, forwarded or dropped.
CONFIG = """[Journal]
Storage=volatile
ForwardToSyslog=no
ReadKMsg=no
Audit=no
RateLimitIntervalSec=0
"""


class Journal:
    """One journald on its sockets. Use as a context manager. /run is private to the scenario."""

    def __init__(self, workdir):
        self.errors = Path(workdir) / "journald"
        self.pid = None
        self._process = None

    def __enter__(self):
        for directory in (SOCKETS, "/run/log/journal", "/run/systemd/journald.conf.d"):
            os.makedirs(directory, exist_ok=True)
        # It does not start if it cannot read its own control group.
        run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        Path("/run/systemd/journald.conf.d/scenario.conf").write_text(CONFIG, encoding="utf-8")
        with open(self.errors, "wb") as errors:
            self._process = subprocess.Popen([JOURNALD], stdin=subprocess.DEVNULL, stdout=errors,
                                             stderr=errors)
        self.pid = self._process.pid
        wait_for(self._takes_messages, 10, "journald to take messages")
        return self

    def _takes_messages(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            return probe.connect_ex(str(SYSLOG)) == 0 and Path(NATIVE).exists()

    def __exit__(self, *_):
        processes.end([self.pid])
        self._process.wait()

    @staticmethod
    def sync():
        """Returns when all earlier messages are in the journal."""
        run("journalctl", "--sync")


def native(**fields):
    """One message in journald's own protocol, from this process, with any fields."""
    text = "".join(f"{name}={value}\n" for name, value in fields.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(NATIVE))
        sender.send(text.encode())


class JournalRsyslog(Rsyslog):
    """An rsyslogd with imjournal in place of imuxsock; /dev/log is journald's."""

    def write_config(self):
        super().write_config()
        text = self.config.read_text(encoding="utf-8")
        unix = next(line for line in text.splitlines() if 'load="imuxsock"' in line)
        self.config.write_text(text.replace(unix, (
            f'module(load="imjournal" StateFile="{self.workdir / "position"}"'
            ' Ratelimit.Interval="0")')), encoding="utf-8")
        return self.config

    def _takes_messages(self):
        Path("/dev/log").unlink(missing_ok=True)
        os.symlink(SYSLOG, "/dev/log")
        return super()._takes_messages()
