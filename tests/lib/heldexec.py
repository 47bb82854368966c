# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Processes stuck in execve(2), as a local user can create them.

A process in the middle of execve(2) holds its exec_update_lock. A reader of its
/proc/PID/environ, stat or ns/net, or (on newer kernels) of its links exe and fd/N, waits
until the execve(2) ends, and so does pidfd_getfd(2). The attacker decides when: under that
lock the kernel closes a close-on-exec descriptor on a FUSE file system, and the answer to
FLUSH does not come.

A local user mounts it in a user namespace of its own. The lab, a chroot, may not create one,
so here root mounts it. No process is held longer than HOLD_MAX.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

from lib import processes
from lib.attack import copy_of_python
from lib.wait import PATIENCE, wait_for

HOLD_MAX = 30 * PATIENCE

# linux/fuse.h
LOOKUP, FORGET, GETATTR, OPEN, FLUSH, INIT, INTERRUPT, DESTROY, BATCH_FORGET = \
    1, 2, 3, 14, 25, 26, 36, 38, 42
UNANSWERED = (FORGET, INTERRUPT, DESTROY, BATCH_FORGET)
REQUEST = struct.Struct("<IIQQIII")  # length, opcode, unique, node, uid, gid, pid
REPLY = struct.Struct("<IiQ")
ROOT, FILE = 1, 2
DEVICE = "/dev/fuse"
DEVICE_NUMBER = os.makedev(10, 229)

# sys/mount.h
MNT_DETACH = 2

LIBC = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """There is no FUSE here; the text is the reason."""


def _attributes(node):
    mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o644
    return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def _answer(opcode, node):
    """(error, data) for a request with an immediate answer."""
    if opcode == INIT:
        return 0, struct.pack("<4I2H2I2HI28x", 7, 31, 65536, 0, 12, 10, 65536, 1, 1, 0, 0)
    if opcode == LOOKUP:
        return 0, struct.pack("<4Q2I", FILE, 0, 3600, 3600, 0, 0) + _attributes(FILE)
    if opcode == GETATTR:
        return 0, struct.pack("<Q2I", 3600, 0, 0) + _attributes(node)
    if opcode == OPEN:
        return 0, struct.pack("<Q2I", 1, 0, 0)
    return -38, b""  # ENOSYS


class SlowFile(threading.Thread):
    """A file whose last close by a process waits until release(PID). A context manager."""

    def __init__(self):
        super().__init__(daemon=True)
        self._flushes = {}  # PID to (the request, when it came)
        self._ended = False
        self._directory = tempfile.mkdtemp(prefix="slow-")
        self.path = os.path.join(self._directory, "file")

    def __enter__(self):
        try:
            if not os.path.exists(DEVICE):
                os.mknod(DEVICE, stat.S_IFCHR | 0o666, DEVICE_NUMBER)
            self._device = os.open(DEVICE, os.O_RDWR)
            self._mount()
        except OSError as problem:
            raise Unavailable(f"no FUSE: {problem}") from problem
        self.start()
        return self

    def _mount(self):
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if LIBC.mount(b"slow", self._directory.encode(), b"fuse", 0, options.encode()):
            number = ctypes.get_errno()
            os.close(self._device)
            raise OSError(number, os.strerror(number), "mount")

    def __exit__(self, *_):
        self._ended = True
        self.join()
        os.close(self._device)  # the kernel answers the rest: ECONNABORTED
        LIBC.umount2(self._directory.encode(), MNT_DETACH)

    def run(self):
        poll = select.poll()
        poll.register(self._device, select.POLLIN)
        while not self._ended:
            if poll.poll(50):
                self._take_request()
            for pid, (_, came) in list(self._flushes.items()):
                if time.monotonic() > came + HOLD_MAX:
                    self.release(pid)

    def _take_request(self):
        try:
            request = os.read(self._device, 1 << 18)
        except OSError:  # it was withdrawn
            return
        _, opcode, unique, node, _, _, pid = REQUEST.unpack_from(request)
        if opcode == FLUSH:
            self._flushes[pid] = unique, time.monotonic()
        elif opcode not in UNANSWERED:
            self._reply(unique, *_answer(opcode, node))

    def _reply(self, unique, error, data=b""):
        with contextlib.suppress(OSError):
            os.write(self._device, REPLY.pack(REPLY.size + len(data), error, unique) + data)

    def holds(self, pid):
        return pid in self._flushes

    def release(self, pid):
        unique, _ = self._flushes.pop(pid, (None, None))
        if unique is not None:
            self._reply(unique, 0)

    def release_all(self):
        for pid in list(self._flushes):
            self.release(pid)

    @contextlib.contextmanager
    def released_after(self, seconds):
        """Nothing in this block waits for a held process longer than that."""
        timer = threading.Timer(seconds * PATIENCE, self.release_all)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


# The parent of the held processes: it forks one for each order and releases one on another
# order. They inherit that TERM is ignored.
_PARENT = r"""
import json, os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
gates = {}
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if isinstance(order, int):
        os.close(gates.pop(order))
        continue
    behind, before = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(behind, 0)  # all the others are close-on-exec
        os.execve(order["words"][0], order["words"], order["environment"])
    os.close(behind)
    gates[pid] = before
    print(pid, flush=True)
"""

# A process before and during its execve(2). Its comm is the old one until execve(2) has
# returned. With the word "shared" another process, which only waits, shares its memory and
# keeps it: a descriptor of /proc/PID/environ that was opened before is readable as if there
# had been no execve(2).
_CHILD = r"""
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
path, program, memory = sys.argv[1:]
libc.prctl(15, os.path.basename(program).encode())  # PR_SET_NAME
os.read(0, 1)
if memory == "shared":
    stack = ctypes.create_string_buffer(1 << 16)
    top = ctypes.c_void_p(ctypes.addressof(stack) + (1 << 16) & ~15)
    libc.clone(libc.pause, top, 0x100 | signal.SIGCHLD, None)  # CLONE_VM
os.open(path, os.O_RDONLY)  # close-on-exec, as all that Python opens
os.execve(program, [program], os.environ)
"""


class Held:
    """One process of a Holder. It does not exec before go(), and is held after that."""

    def __init__(self, pid, slow_file, go):
        self.pid = pid
        self._file = slow_file
        self._go = go

    def go(self):
        self._go()
        wait_for(lambda: self._file.holds(self.pid), 5, f"process {self.pid} to be held")

    def unharmed(self):
        """It is still held, and no signal is pending."""
        return self._file.holds(self.pid) and not processes.pending_signals(self.pid)

    def end(self):
        for pid in (*processes.children(self.pid), self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # If it exits before its execve(2), that closes the file too.
        wait_for(self._has_ended, 5, f"the end of process {self.pid}")
        processes.HELD.discard(self.pid)

    def _has_ended(self):
        self._file.release(self.pid)
        return processes.gone(self.pid)


class Holder:
    """A process of that user, and the held processes below it. A context manager.

    `program` names its executable, which is a copy of the interpreter.
    """

    def __init__(self, user, slow_file, program="python3"):
        self._file = slow_file
        self._held = []
        self._process = subprocess.Popen(
            [*processes.as_user(user), copy_of_python(program), "-I", "-c", _PARENT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin"})
        self.pid = self._process.pid
        self._process.stdout.readline()

    def _order(self, order):
        print(json.dumps(order), file=self._process.stdin, flush=True)

    def start(self, program="courieresmtpd", *, before="python3", environment=None, shared=False):
        """A process that will be held in its execve(2) of a program of that name.

        `before` names the program it runs until then; `shared`: that program's memory
        outlives the execve(2).
        """
        words = [str(copy_of_python(before)), "-I", "-c", _CHILD, self._file.path,
                 str(copy_of_python(program)), "shared" if shared else "own"]
        self._order({"words": words, "environment": environment or {}})
        pid = int(self._process.stdout.readline())
        processes.HELD.add(pid)
        held = Held(pid, self._file, lambda: self._order(pid))
        self._held.append(held)
        return held

    def hold(self, program="courieresmtpd", **options):
        held = self.start(program, **options)
        held.go()
        return held

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for held in self._held:
            held.end()
        self._process.stdin.close()
        self._process.wait(5)
        self._process.stdout.close()


def waits(path):
    """Returns whether a reader of that file or link waits. Another process tries for 1 s."""
    try:
        subprocess.run([sys.executable, "-I", "-c", "import os, sys\n"
                        "path = sys.argv[1]\n"
                        "os.readlink(path) if os.path.islink(path) else open(path, 'rb').read()",
                        path], timeout=1 * PATIENCE, check=True)
    except subprocess.TimeoutExpired:
        return True
    return False
