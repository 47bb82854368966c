# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The distribution's rsyslogd, with the scenario's own configuration."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from lib import instrument, processes
from lib.wait import PATIENCE, wait_for

# imuxsock's parameters for the sender's credentials from the kernel.
CREDENTIALS = 'SysSock.UsePIDFromSystem="on" SysSock.Annotate="on" SysSock.ParseTrusted="on"'

SEVERAL_WORKERS = ('main_queue(queue.workerThreads="4" queue.workerThreadMinimumMessages="1"'
                   ' queue.dequeueBatchSize="1")\n')

# By default rsyslogd drops internal messages, its modules' included, beyond 500 in five
# seconds (8.2302, runtime/rsconf.c). A scenario that polls counters by HUP exceeds that.
NO_LIMIT = 'internalmsg.ratelimit.interval="1" internalmsg.ratelimit.burst="1000000"'

# The format of both log files: "err courieresmtpd[42]: error,relay=...".
LINE = "%syslogseverity-text% %syslogtag%%msg%\\n"


def module_path():
    """The module under test, which check.sh or the caller names."""
    return Path(os.environ.get("OMSMTPBLOCK_MODULE_DIR", ""), "omsmtpblock.so")


def need_module(program):
    """Exits without the module: where it is named, or in the tree after `make`."""
    os.environ.setdefault("OMSMTPBLOCK_MODULE_DIR", str(Path(__file__).parents[2] / ".libs"))
    if not module_path().exists():
        sys.exit(f"{program}: OMSMTPBLOCK_MODULE_DIR must name the directory with omsmtpblock.so")


def action(selector="mail.err", **parameters):
    """The action under test. Parameters are written with _ for the dot.

    It has the backend of this run of the scenario, unless it names one, and blocks single
    addresses of IPv6 with both.
    """
    backend = os.environ.get("SCENARIO_BACKEND", "recent")
    if backend != "recent":
        parameters = {"backend": backend} | parameters
    if parameters.get("backend") == "nftables":
        parameters = {"ipv6Prefix": 128} | parameters
    words = "".join(f' {name.replace("_", ".")}={_value(value)}'
                    for name, value in parameters.items())
    return f'{selector} action(type="omsmtpblock" name="block"{words})\n'


def _value(value):
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Rsyslog:
    """One rsyslogd. Use as a context manager, or start() and stop().

    `rules` are appended to the configuration; the module is loaded if they use it. Unless
    `quiet`, the mail log is in `mail_log`; rsyslogd's own messages are in `own_log`.
    """

    def __init__(self, workdir, rules="", *, imuxsock=CREDENTIALS, settings="", name="rsyslog",
                 environment=None, socket_path="/dev/log", quiet=False):
        self.workdir = Path(workdir) / name
        self.socket = Path(socket_path)
        self.quiet = quiet
        self.rules = rules
        self.imuxsock = imuxsock
        self.settings = settings
        self.environment = environment
        self.module = ""  # parameters of module()
        self.config = self.workdir / "rsyslog.conf"
        self.mail_log = self.workdir / "mail.log"
        self.own_log = self.workdir / "own.log"
        self.pid = None
        self._pidfile = self.workdir / "pid"
        self._process = None
        self._woken = 0
        self._begins = {}   # where in its logs the messages since its start begin

    def write_config(self):
        """The configuration; everything before `rules` is for the tests."""
        self.workdir.mkdir(exist_ok=True)
        load = mail = own = ""
        if "omsmtpblock" in self.rules:
            load = f'module(load="{module_path()}" {self.module})\n'
        if not self.quiet:
            mail = f'mail.* action(type="omfile" file="{self.mail_log}" template="line")\n'
        if str(self.socket) != "/dev/log":  # where rsyslogd itself logs
            own = 'processInternalMessages="on" '
        self.config.write_text(
            f'global(workDirectory="{self.workdir}" {own}{NO_LIMIT})\n'
            f'module(load="imuxsock" SysSock.Name="{self.socket}" SysSock.RateLimit.Interval="0"'
            f' {self.imuxsock})\n'
            f'{self.settings}'
            f'{load}'
            f'template(name="line" type="string" string="{LINE}")\n'
            f'{mail}'
            f'syslog.* action(type="omfile" file="{self.own_log}" template="line")\n'
            f'{self.rules}')
        return self.config

    def validate(self):
        """rsyslogd -N1: its exit status and output."""
        self.write_config()
        return validate(self.config)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.pid and processes.alive(self.pid):
            self.stop()

    def start(self, *, forking=False, prefix=()):
        """Starts it and waits until it takes messages.

        `prefix` is a command that starts rsyslogd with other capabilities.
        """
        self.write_config()
        self._pidfile.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)
        self._begins = {path: path.stat().st_size for path in self._logs() if path.exists()}
        command = [*prefix, *instrument.words(), "rsyslogd", *([] if forking else ["-n"]),
                   "-f", self.config, "-i", self._pidfile]
        with open(self.workdir / "stderr", "ab") as errors:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors,
                                             stderr=errors, env=self.environment)
        wait_for(self._takes_messages, 10, "rsyslogd to take messages")
        self.pid = int(self._pidfile.read_text())
        if forking:
            self._process.wait(60)
        return self

    def _takes_messages(self):
        if self._process.poll():
            raise RuntimeError(f"rsyslogd has ended with status {self._process.returncode}")
        if not self._pidfile.exists() or not self._pidfile.read_text().strip():
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def hup(self):
        os.kill(self.pid, signal.SIGHUP)

    def stop(self, deadline=30, *, exact=False):
        """Stops it as an init system would; returns how long it took, in seconds."""
        began = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        wait_for(self._has_ended, deadline, "the end of rsyslogd", exact=exact)
        return time.monotonic() - began

    def _has_ended(self):
        """It has exited, and is collected if it is our child: we leave no zombie."""
        return self._process.poll() is not None and not processes.alive(self.pid)

    def ends(self, deadline=30):
        """Waits for its end."""
        wait_for(self._has_ended, deadline, "the end of rsyslogd")

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        wait_for(self._has_ended, 5, "the end of rsyslogd")

    def mail(self):
        """The mail log's lines."""
        return _lines(self.mail_log)

    def _wake(self):
        """Makes its main thread read the queue of internal messages, at most twice a second.

        A module's thread queues a message and wakes the main thread by SIGTTOU (rsyslog
        8.2302, tools/iminternal.c, iminternalAddMsg()). mainloop() of tools/rsyslogd.c does
        not block SIGTTOU between its last read of the queue and pselect(2). A signal in
        that gap is lost, and the message waits for the next signal or for the janitor, up
        to ten minutes. The handler of SIGTTOU does nothing, and is installed first thing.
        """
        ready = self.pid and self._pidfile.exists() and processes.alive(self.pid) \
            and self._pidfile.read_text().strip() == str(self.pid)
        if ready and time.monotonic() > self._woken + 0.5:
            self._woken = time.monotonic()
            os.kill(self.pid, signal.SIGTTOU)

    def own(self):
        """All messages of rsyslogd and its modules since its start, including messages about the
        configuration."""
        self._wake()
        return [line for path in self._logs() for line in _lines(path, self._begins.get(path, 0))]

    def _logs(self):
        return self.own_log, self.workdir / "stderr"

    def logged(self, pattern):
        """Its own lines that match; the module's lines have its name in them."""
        return [line for line in self.own() if re.search(pattern, line)]

    def counters(self, name="spammer", deadline=3, *, exact=False):
        """All counters of the action with that IPv4 list, except those that are 0. Sends a HUP."""
        def summaries():
            return self.logged(rf"omsmtpblock: action with list {re.escape(name)} and ")
        before = len(summaries())
        self.hup()
        line = wait_for(lambda: summaries()[before:], deadline, "the counters after a HUP",
                        exact=exact)[-1]
        pairs = re.findall(r"([\w.]+)=(\d+)", line.split(": ", 2)[-1])
        return {key: int(value) for key, value in pairs}


def _lines(path, begin=0):
    try:
        with open(path, "rb") as file:
            file.seek(begin)
            return file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []


def validate(config):
    command = [*instrument.words(few_messages=True), "rsyslogd", "-N1", "-f", str(config)]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False, timeout=60 * PATIENCE)
    return result.returncode, result.stdout


def log(text, priority="mail.err", tag="courieresmtpd", stamp=None):
    """One message to /dev/log as syslog(3) writes it, from this process."""
    facility, severity = priority.split(".")
    number = {"mail": 2, "user": 1, "daemon": 3}[facility] * 8 \
        + {"alert": 1, "err": 3, "warning": 4, "info": 6, "debug": 7}[severity]
    stamp = stamp or time.strftime("%b %d %H:%M:%S")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("/dev/log")
        sender.send(f"<{number}>{stamp} {tag}: {text}".encode("utf-8", "surrogateescape"))
