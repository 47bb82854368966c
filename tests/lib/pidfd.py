# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Makes the pidfd system calls for a rsyslogd under a valgrind that cannot.

The other end is tests/instrument/pidfd.c. These calls have the broker's capabilities, not
rsyslogd's: scenarios about capabilities do not run under valgrind.
"""

import ctypes
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "instrument" / "pidfd.c"

PIDFD_SEND_SIGNAL, PIDFD_OPEN, PIDFD_GETFD = 424, 434, 438

_libc = ctypes.CDLL(None, use_errno=True)


def _call(number, first, second, descriptors):
    """Makes the system call; a descriptor it uses has come with the request."""
    if number != PIDFD_OPEN:
        first = descriptors[0]
    words = (ctypes.c_long(word) for word in (number, first, second, 0, 0))
    return _libc.syscall(*words), ctypes.get_errno()


class Broker(threading.Thread):
    """Answers until the scenario ends."""

    def __init__(self, directory):
        super().__init__(daemon=True)
        self.path = f"{directory}/pidfd"
        Path(self.path).unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self._socket.listen(64)

    def run(self):
        while True:
            client, _ = self._socket.accept()
            with client:
                self._serve(client)

    @staticmethod
    def _serve(client):
        text, descriptors, _, _ = socket.recv_fds(client, 64, 1)
        if not text:
            return
        number, first, second = struct.unpack("=qqq", text)
        result, error = _call(number, first, second, descriptors)
        opened = [result] if number != PIDFD_SEND_SIGNAL and result >= 0 else []
        socket.send_fds(client, [struct.pack("=qq", result, error)], opened)
        for descriptor in (*descriptors, *opened):
            os.close(descriptor)


def start(directory):
    """Starts a broker; returns what rsyslogd's environment needs for it."""
    library = Path(directory) / "pidfd.so"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-g", "-o", library, SOURCE],
                   check=True)
    broker = Broker(directory)
    broker.start()
    return [f"LD_PRELOAD={library}", f"OMSMTPBLOCK_PIDFD={broker.path}"]
