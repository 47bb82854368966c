# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""An SMTP client for many connections at a time, from a chosen address."""

import asyncio
import contextlib
import socket
import time


class Closed(Exception):
    """The server ended the connection; `how` is "closed" or "reset"."""

    def __init__(self, how):
        super().__init__(how)
        self.how = how


class Clock:
    """Seconds since the wave began. All programs of one run get the same start."""

    def __init__(self, start):
        self.start = start

    def now(self):
        return time.monotonic() - self.start

    async def sleep_until(self, seconds):
        await asyncio.sleep(max(0.0, seconds - self.now()))


class Client:
    """One connection. The caller closes it."""

    def __init__(self, source):
        self._socket = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
        self._socket.setblocking(False)
        self._socket.bind((source, 0))
        self._buffer = b""

    def close(self):
        self._socket.close()

    async def connect(self, server, port=25):
        with _endings():
            await asyncio.get_running_loop().sock_connect(self._socket, (server, port))

    async def _line(self):
        while b"\n" not in self._buffer:
            with _endings():
                got = await asyncio.get_running_loop().sock_recv(self._socket, 4096)
            if not got:
                raise Closed("closed")
            self._buffer += got
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    async def reply(self):
        """The code of the server's next reply."""
        while (line := await self._line())[3:4] == b"-":
            pass
        return int(line[:3])

    async def command(self, text):
        with _endings():
            await asyncio.get_running_loop().sock_sendall(self._socket, text.encode() + b"\r\n")
        return await self.reply()


@contextlib.contextmanager
def _endings():
    try:
        yield
    except (ConnectionResetError, BrokenPipeError) as problem:
        raise Closed("reset") from problem
