# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The stock rsyslogd with the bench's own configuration."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

from lib.rsyslog import CREDENTIALS  # noqa: F401 pylint: disable=unused-import
from lib.wait import wait_for
from shared.partfile import Wrong

# Limits that no bench reaches.
UNBOUNDED = 'maxBlocks="100000000" '


def accepts(program, config, directory):
    """Whether rsyslogd -N1 accepts it, for parameters that this build may not have."""
    path = directory / "probe.conf"
    path.write_text(config)
    return subprocess.run([program, "-N1", "-f", path], capture_output=True,
                          check=False).returncode == 0

# As in tests/lib/rsyslog.py.
NO_LIMIT = 'internalmsg.ratelimit.interval="1" internalmsg.ratelimit.burst="1000000"'


class Rsyslogd:
    """One rsyslogd in its own directory, from start() to stop()."""

    def __init__(self, directory, rules, *, imuxsock="", environment=None, wrapper=()):
        self.directory = directory
        self.socket = directory / "log"
        self.own_log = directory / "own.log"
        self.config = directory / "rsyslog.conf"
        self.pidfile = directory / "pid"
        directory.mkdir(mode=0o755)
        self.config.write_text(
            f'global(workDirectory="{directory}" processInternalMessages="on" {NO_LIMIT})\n'
            f'module(load="imuxsock" SysSock.Name="{self.socket}" '
            f'SysSock.RateLimit.Interval="0" {imuxsock})\n'
            f'syslog.* action(type="omfile" file="{self.own_log}")\n{rules}')
        self.process = subprocess.Popen(
            [*wrapper, "rsyslogd", "-n", "-f", self.config, "-i", self.pidfile],
            env={"PATH": os.environ["PATH"], **(environment or {})}, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid

    def takes_messages(self):
        if self.process.poll() is not None:
            raise Wrong(f"rsyslogd has ended with status {self.process.returncode}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            return self.pidfile.exists() and probe.connect_ex(str(self.socket)) == 0

    def wait_ready(self):
        wait_for(self.takes_messages, 20, "rsyslogd")

    def memory(self):
        """RSS, PSS and private memory, in kB."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii")
        return {name: int(re.search(rf"^{name}: +(\d+) kB", text, re.M).group(1))
                for name in ("Rss", "Pss", "Anonymous")}

    def cpu(self):
        """Each thread's processor time, in ns, by name."""
        times = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            name = (task / "comm").read_text(encoding="utf-8").strip()
            ran = int((task / "schedstat").read_text(encoding="ascii").split()[0])
            times[name] = times.get(name, 0) + ran
        return times

    def logged(self):
        return self.own_log.read_text(errors="replace") if self.own_log.exists() else ""

    def wake(self):
        """Makes it read modules' messages: see _wake() of
        tests/lib/rsyslog.py."""
        self.process.send_signal(signal.SIGTTOU)

    def counters(self):
        """The module's counters, which it logs at HUP."""
        before = self.logged().count("action with list")
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.logged().count("action with list") > before or self.wake(), 60,
                 "the counters")
        line = self.logged().rpartition("action with list")[2]
        return {name: int(value) for name, value in re.findall(r"([\w.]+)=(\d+)", line)}

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
