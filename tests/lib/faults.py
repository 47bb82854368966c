# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Failing system calls in one thread of rsyslogd, and what must hold nevertheless.

A trial is one reject of one listed session with a fresh rsyslogd, on one of three paths
through the module, while strace makes a call of one thread fail.
"""

import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import time

from lib import processes, threads
from lib.rsyslog import CREDENTIALS, action, log
from lib.scenario import NOBODY, listed, ordinary
from lib.smtp import Closed
from lib.wait import Timeout, wait_for

# Temporary errors: the module decides when the call works again.
TRANSIENT = ("EINTR", "ENOMEM", "EMFILE", "ENFILE", "EIO")
ERRORS = ("EINTR", "ENOMEM", "EMFILE", "EACCES", "EIO")

# The selector, imuxsock's parameters, and whether the session is pinned by then.
PATHS = {"new": ("mail.err", CREDENTIALS, False),
         "pinned": ("mail.info", CREDENTIALS, True),
         "searched": ("mail.err", "", False)}
THREADS = {"worker": "rs:main Q:Reg", "background": "smtpblock", "looker": "smtpblock-look"}

# Seconds in which a session is blocked and terminated although a call failed once: the
# delay of 200 ms, a second for the lookup, and the machine's own.
LATER = 3
# Within these times a rsyslogd without faults has looked at couriertcpd, and pins a session.
SETTLES, PINS = 5, 1
# The counters are read no earlier: by then the reject has come and the delay is over.
SETTLED = 0.6
# How long a call keeps failing.
FAILING = 0.5
# Looks that fail are given up after five seconds.
GIVEN_UP = 10
# A list of the module's own that could not be written is tried again after five seconds
# (src/blocks.c, CALM_MS). Until then the trigger is only counted as "waited".
COUNTED = 8
# A thread whose waiting call fails this often in that time is busy-looping.
SPINS, WAITING = 500, ("poll", "epoll_wait")
# rsyslogd stops within this time after TERM, whatever has failed.
ENDED = 3
# A line is in its file within this time, or the worker hangs.
WRITTEN = 2

# close(2) always closes, which strace cannot imitate; the C library aborts after a failed
# futex(2); memory is tested by the failing allocations.
LEFT_OUT = {"close", "futex", "mmap", "munmap", "mprotect", "mremap", "madvise", "brk",
            "restart_syscall", "exit", "sched_yield"}

# Up to this many calls of one name on one object are tried: the first read of a process
# differs from the second.
OF_A_KIND = 3

# A trial that hit a call of other code is repeated this often.
RETRIES = 4

# The outcome of a trigger: exactly one of these.
OUTCOMES = ("blocks", "renewals", "would_block", "allowed", "not_listed", "dnsbl_errors",
            "below_threshold", "repeated")


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a thread in a trial: its object, and its number among those of that name."""

    name: str
    what: str
    number: int


@dataclasses.dataclass(frozen=True)
class Fault:
    """A call that fails; `every`: all later ones too."""

    path: str
    thread: str
    call: Call
    error: str
    every: bool = False

    def __str__(self):
        often = "every" if self.every else "once"
        return (f"{self.path} session, {self.thread}: {self.call.name}({self.call.what}) "
                f"{self.error} {often}, call {self.call.number}")

    @property
    def when(self):
        if not self.every:
            return str(self.call.number)
        # A call that is always interrupted may be repeated without end.
        return f"{self.call.number}..{self.call.number + 7}" if self.error == "EINTR" \
            else f"{self.call.number}+"


class Strace:
    """strace on one thread of rsyslogd. Use as a context manager."""

    def __init__(self, host, thread, *words):
        self.host, self.thread, self.words = host, thread, words
        self.output = host.rsyslog.workdir / "strace"
        self._process = None

    def __enter__(self):
        tid = the_thread(self.host.rsyslog, self.thread)
        self.output.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            ["strace", "-q", "-p", str(tid), "-o", self.output, *self.words],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: processes.status(tid)["TracerPid"] == str(self._process.pid), 5,
                 "strace to trace")
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def lines(self):
        return self.output.read_text(errors="replace").splitlines()


def the_thread(rsyslog, thread):
    """Its ID."""
    return threads.single(rsyslog.pid, THREADS[thread])


class Injection(Strace):
    """A fault during the block; afterwards `hit` has the objects of the failed calls."""

    def __init__(self, host, fault):
        name = fault.call.name
        super().__init__(host, fault.thread, "-y", "-e", f"trace={name}",
                         "-e", f"inject={name}:error={fault.error}:when={fault.when}")

    @property
    def hit(self):
        return [what_of(line) for line in self.lines() if "(INJECTED)" in line]


def what_of(line):
    """A call's object: the path it names, or its descriptor's; PIDs are N."""
    text = line.partition(" = ")[0]
    found = re.search(r'"(/[^"]*)"', text) or re.search(r"<(?:anon_inode:)?\[?([^]>:]+)", text)
    return re.sub(r"\d+", "N", found.group(1))[:40] if found else ""


def calls_of_ours(lines, most=OF_A_KIND):
    """The first calls of each kind that have the module on their stack, in strace -k's
    output."""
    found, seen, current = {}, {}, None
    for line in lines:
        match = re.match(r"(\w+)\(", line)
        if match:
            seen[match[1]] = seen.get(match[1], 0) + 1
            current = Call(match[1], what_of(line), seen[match[1]])
        elif current and "omsmtpblock.so" in line:
            if current.name not in LEFT_OUT:
                found.setdefault((current.name, current.what), []).append(current)
            current = None
    return [call for kind in found.values() for call in kind[:most]]


def my_share():
    """(number, shares): which trials this mail host makes, see tests/faults/run."""
    return map(int, os.environ.get("FAULTS_SHARE", "0 1").split())


def outcomes(counted):
    """How many triggers have an outcome."""
    return sum(number for name, number in counted.items()
               if name in OUTCOMES or name.startswith("refused."))


def read_counters(rsyslog):
    """The counters that are not 0, by a HUP; None if there is no answer for a second."""
    try:
        return rsyslog.counters(deadline=1, exact=True)
    except Timeout:
        return None


class Bystanders:
    """Processes that no fault may touch: an unlisted session, a listed one that is idle,
    courier itself, and a process of the user nobody. Use as a context manager."""

    def __init__(self, host):
        self.host = host
        self._stranger = subprocess.Popen(["sleep", "86400"])
        self.pids = {"unlisted": host.open(ordinary(250))[1].pid,
                     "idle": host.open(listed(250))[1].pid,
                     "couriertcpd": host.courier.daemons()[0].pid,
                     "stranger": self._stranger.pid}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stranger.kill()
        self._stranger.wait()

    def harmed(self, *blocked):
        """Reports harm to any but those that may be blocked."""
        others = self.host.blocked() - set(blocked)
        return [f"{name} was terminated" for name, pid in self.pids.items()
                if not processes.alive(pid)] + [f"{other} was blocked" for other in others]


class Trial:
    """One reject at a fresh rsyslogd: run() it, then see its `problems`."""

    def __init__(self, host, bystanders, path, source):
        self.host, self.bystanders, self.path, self.source = host, bystanders, path, source
        self.problems = []
        self.counted = {}
        self.answered = False   # the HUP that asks for them
        self.done = False       # blocked and terminated

    def fresh(self, prefix=()):
        """Starts an rsyslogd that has seen nothing yet, with empty lists."""
        if processes.alive(self.host.rsyslog.pid):
            end_rsyslogd(self.host.rsyslog)
        self.host.rsyslog.mail_log.unlink(missing_ok=True)
        selector, imuxsock, _ = PATHS[self.path]
        self.host.restart(action(selector), prefix=prefix, imuxsock=imuxsock)
        self._pins(self.host.courier.daemons()[0].pid, SETTLES)

    def _pins(self, pid, seconds):
        """Waits until rsyslogd pins that process and its threads have nothing to do."""
        rsyslog = self.host.rsyslog

        def rests():
            return all(threads.state(the_thread(rsyslog, thread)) == "S"
                       for thread in ("background", "looker"))
        with contextlib.suppress(Timeout):
            wait_for(lambda: pid in processes.pinned_by(rsyslog.pid) and rests(), seconds,
                     f"the pin of {pid}", exact=True)

    def run(self, armed, *, early=True, every=False, failing=FAILING, later=LATER):
        """`armed` is a context manager. It is entered before the session is opened or, unless
        `early`, right before its reject. It is left when the reject is decided or, if
        every call fails, after `failing` seconds."""
        with contextlib.ExitStack() as during:
            if early:
                during.enter_context(armed)
            session, child = self.host.open(self.source)
            with session:
                if PATHS[self.path][2]:
                    self._pins(child.pid, PINS)
                if not early:
                    during.enter_context(armed)
                with contextlib.suppress(Closed):
                    session.recipient(NOBODY)
                self._waits(child, failing if every else later)
                during.close()
                if every and not self.done:
                    self._waits(child, later)
        self._counts()
        self._look()

    def _waits(self, child, seconds):
        """Waits for block and termination, or for a refusal, which is final."""
        def decided():
            self.done = self.host.is_blocked(self.source) and processes.gone(child.pid)
            return self.done or (time.monotonic() > counted_from and self._is_refused())
        counted_from = time.monotonic() + SETTLED
        with contextlib.suppress(Timeout):
            wait_for(decided, seconds, "block and end", exact=True)

    def _is_refused(self):
        time.sleep(0.25)
        return self._adds_up() and any(name.startswith("refused.") for name in self.counted)

    def _adds_up(self):
        """Every trigger has exactly one outcome."""
        counted = read_counters(self.host.rsyslog)
        self.answered = counted is not None
        self.counted = counted or {}
        return 0 < self.counted.get("triggers", 0) == outcomes(self.counted)

    def _counts(self):
        with contextlib.suppress(Timeout):
            wait_for(self._adds_up, COUNTED, "the counters", exact=True, longest=0.25)
            return
        if not self.answered:
            self.problems.append("no answer to a HUP")
        elif not self.counted.get("lines"):
            self.problems.append("the line did not reach the module, and nothing reports that")
        else:
            self.problems.append("the counters do not add up")

    def _look(self):
        self.problems += self.bystanders.harmed(self.source)
        log(f"marker {self.source}", "mail.info", "faults")
        for line, name in ((f"marker {self.source}", "another's line"),
                           (f"relay=::ffff:{self.source}", "the reject's line")):
            try:
                wait_for(lambda line=line: any(line in text for text in self.host.rsyslog.mail()),
                         WRITTEN, name, exact=True)
            except Timeout:
                self.problems.append(f"{name} is not in the file")

    def must_be_done(self):
        if not self.done:
            self.problems.append("not blocked" if not self.host.is_blocked(self.source)
                                 else "the session was not terminated")

    def finish(self):
        """rsyslogd is still alive, and stops."""
        if not processes.alive(self.host.rsyslog.pid):
            self.problems.append("rsyslogd has died")
        elif not end_rsyslogd(self.host.rsyslog):
            self.problems.append(f"rsyslogd did not stop in {ENDED} s")

    def notes(self):
        return ("done; " if self.done else "not done; ") + \
            " ".join(f"{name}={number}" for name, number in self.counted.items())


def end_rsyslogd(rsyslog):
    """Sends TERM; if rsyslogd hangs, KILL. Returns whether TERM was enough."""
    try:
        rsyslog.stop(ENDED, exact=True)
    except Timeout:
        rsyslog.kill()
        return False
    return True


class Calls:
    """All trials with failing calls on one mail host."""

    def __init__(self, host, bystanders):
        self.host, self.bystanders = host, bystanders
        self._sources = 0

    def trial(self, path):
        self._sources = self._sources % 200 + 1
        return Trial(self.host, self.bystanders, path, listed(self._sources))

    def learn(self, path, thread):
        """The calls that the module makes in that thread for one reject."""
        trial = self.trial(path)
        trial.fresh()
        tracing = Strace(self.host, thread, "-k", "-y")
        trial.run(tracing, early=thread != "worker", later=10)
        trial.must_be_done()
        if trial.problems:
            raise RuntimeError(f"{path}, {thread}: without a fault: {trial.problems}; "
                               f"{trial.notes()}")
        return calls_of_ours(tracing.lines())

    def try_fault(self, fault, failing=FAILING):
        """The trial, and what was hit in it. The worker also makes a varying number of calls for
        other actions: if one of those was hit, the trial is repeated."""
        for _ in range(RETRIES):
            trial, hit = self._try_once(fault, failing)
            if fault.thread != "worker" or set(hit) <= {fault.call.what}:
                break
        return trial, hit

    def _try_once(self, fault, failing):
        trial = self.trial(fault.path)
        trial.fresh()
        injection = Injection(self.host, fault)
        trial.run(injection, early=fault.thread != "worker", every=fault.every, failing=failing)
        if fault.error in TRANSIENT and not fault.every:
            trial.must_be_done()
        trial.finish()
        hit = injection.hit
        if fault.call.name in WAITING and len(hit) > SPINS:
            trial.problems.append(f"it was tried {len(hit)} times in {failing} s")
        return trial, hit
