# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""One thread of another process, suspended while the others run."""

import contextlib
import ctypes
import os
import threading
from pathlib import Path

from lib.wait import wait_for

# linux/ptrace.h and wait.h
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long


def _ptrace(request, thread):
    if LIBC.ptrace(request, thread, None, None) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {thread}")


def of(pid):
    """All threads of the process."""
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


def named(pid, name):
    """Those of that name."""
    found = []
    for thread in of(pid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{thread}/comm").read_text().strip() == name:
                found.append(thread)
    return found


def single(pid, name):
    """The one thread of that name. A new thread has its creator's name for a moment."""
    def only():
        found = named(pid, name)
        return found[0] if len(found) == 1 else None
    return wait_for(only, 5, f"one thread {name} of {pid}")


def scheduled(thread):
    """Its nanoseconds on a processor, and those ready to run without one; 0 if it is gone."""
    try:
        return [int(word) for word in Path(f"/proc/{thread}/schedstat").read_text().split()[:2]]
    except OSError:
        return 0, 0


def processor_time(pid):
    """Each thread's nanoseconds, by name."""
    times = {}
    for thread in of(pid):
        name = Path(f"/proc/{pid}/task/{thread}/comm").read_text().strip()
        times[name] = times.get(name, 0) + scheduled(thread)[0]
    return times


def state(thread):
    """Its state letter in /proc; none if it is gone."""
    try:
        return Path(f"/proc/{thread}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@contextlib.contextmanager
def collected(thread):
    """Collects a suspended thread that ends in this block, or its process would not be seen
    to end."""
    waiter = threading.Thread(target=os.waitpid, args=(thread, WALL), daemon=True)
    waiter.start()
    yield
    waiter.join(10)


@contextlib.contextmanager
def suspended(thread):
    """Suspends the thread in this block, while it sleeps and has no lock."""
    wait_for(lambda: state(thread) == "S", 5, f"thread {thread} to sleep")
    _ptrace(PTRACE_SEIZE, thread)
    try:
        _ptrace(PTRACE_INTERRUPT, thread)
        os.waitpid(thread, WALL)
        yield
    finally:
        # Its process may have ended meanwhile.
        with contextlib.suppress(ProcessLookupError):
            _ptrace(PTRACE_DETACH, thread)
