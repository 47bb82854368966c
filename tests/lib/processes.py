# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Processes as /proc shows them to the scenario's own PID namespace."""

import dataclasses
import os
import pwd
import re
import signal
from pathlib import Path

from lib.wait import Timeout, wait_for


@dataclasses.dataclass(frozen=True)
class Process:
    """One process at one moment; `environment` is empty if it cannot be read."""

    pid: int
    parent: int
    name: str
    state: str
    environment: dict

    @property
    def address(self):
        """The client a courier process serves, without ::ffff:, or None."""
        address = self.environment.get("TCPREMOTEIP")
        return address.removeprefix("::ffff:") if address else None

    @property
    def port(self):
        port = self.environment.get("TCPREMOTEPORT")
        return int(port) if port else None

    @property
    def local_port(self):
        port = self.environment.get("TCPLOCALPORT")
        return int(port) if port else None


def _environment(pid):
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
    except OSError:
        return {}
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)


# Processes held in execve(2) (lib/heldexec.py): reading anything but their status
# would hang.
HELD = set()


def status(pid):
    """/proc/PID/status, by name."""
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))


def _look_at_held(pid):
    try:
        found = status(pid)
    except OSError:
        return None
    return Process(pid, int(found["PPid"]), found["Name"], found["State"][0], {})


def pending_signals(pid):
    """Its pending signals, as bits; 0: none."""
    found = status(pid)
    return int(found["SigPnd"], 16) | int(found["ShdPnd"], 16)


def children(pid):
    """The PIDs of its main thread's children."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def look(pid):
    """The process, or None if it is gone. A zombie's name is its comm."""
    if pid in HELD:
        return _look_at_held(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    comm, rest = stat[stat.index("(") + 1:].rsplit(")", 1)
    state, parent = rest.split()[:2]
    try:
        comm = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        pass
    return Process(pid, int(parent), comm, state, _environment(pid))


def as_user(user):
    """The command that starts another one as that user."""
    entry = pwd.getpwnam(user)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def pinned_by(pid):
    """The PIDs to which it has a pidfd; -1 for one that has exited."""
    found = set()
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            words = entry.read_text(encoding="ascii").split()
        except OSError:
            continue
        if "Pid:" in words:
            found.add(int(words[words.index("Pid:") + 1]))
    return found


def every():
    """All processes of the scenario."""
    found = (look(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return [process for process in found if process]


def named(*names):
    return [process for process in every() if process.name in names]


def zombies():
    return [process for process in every() if process.state == "Z"]


def alive(pid):
    process = look(pid)
    return process is not None and process.state not in "ZX"


def gone(pid):
    """It is gone: not even a zombie is left."""
    return look(pid) is None


def end(pids, deadline=5):
    """TERM, and KILL for processes that still exist after the deadline."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        try:
            wait_for(lambda: not any(alive(pid) for pid in pids), deadline, f"end of {pids}",
                     exact=True)
            return
        except Timeout:
            pass


def memory(pid):
    """RSS, PSS and private memory, in kB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {name: int(re.search(rf"^{name}: +(\d+) kB", text, re.M).group(1))
            for name in ("Rss", "Pss", "Anonymous")}


# The capabilities of capability.h that the module may need; others appear by number.
CAPABILITIES = {1: "dac_override", 2: "dac_read_search", 5: "kill", 12: "net_admin",
                19: "sys_ptrace"}


def capabilities(pid):
    """The names of its effective capabilities."""
    effective = int(status(pid)["CapEff"], 16)
    return {CAPABILITIES.get(bit, str(bit)) for bit in range(64) if effective >> bit & 1}


def writable_code(pid):
    """Its mappings that are both writable and executable."""
    return [line for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
            if line.split()[1].startswith("rwx")]
