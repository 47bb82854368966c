# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A scripted SMTP client that keeps all replies and their times."""

import base64
import dataclasses
import socket
import ssl
import struct
import time


# netinet/tcp.h: the state of a connection that ended by a reset.
TCP_CLOSE = 7


@dataclasses.dataclass(frozen=True)
class Reply:
    """One reply, all its lines; `at` is the monotonic time of its last line."""

    code: int
    text: str
    at: float


class Closed(Exception):
    """The server ended the connection; `how` is "end" or "reset"."""

    def __init__(self, how):
        super().__init__(how)
        self.how = how


def _tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Session:
    """One connection from a chosen address. The caller must close it.

    `tls` uses TLS from the first byte (port 465); `source_port` is the client's port, by
    default any. All replies are kept in `replies`; ended() finds replies that the server
    sends unasked.
    """

    def __init__(self, network, source, port=25, *, tls=False, source_port=None, timeout=60):
        self.source = source
        self.replies = []
        self.ending = None
        self.ended_at = None
        self._buffer = b""
        own = {} if source_port is None else {"port": source_port}
        self._socket = network.socket(source, **own)
        self._socket.settimeout(timeout)
        self._socket.connect((network.mx_for(source), port))
        self.source_port = self._socket.getsockname()[1]
        if tls:
            self._start_tls()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def cut(self):
        """Ends it with a RST, whatever is in progress."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _start_tls(self):
        self._socket = _tls_context().wrap_socket(self._socket)

    def _receive(self):
        """More bytes from the server, or Closed."""
        try:
            got = self._socket.recv(4096)
        except (ConnectionResetError, ssl.SSLEOFError) as problem:
            got = None if isinstance(problem, ConnectionResetError) else b""
        if got:
            self._buffer += got
            return
        self.ended_at = time.monotonic()
        self.ending = "reset" if got is None else "end"
        raise Closed(self.ending)

    def _line(self):
        while b"\n" not in self._buffer:
            self._receive()
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode("latin-1").rstrip("\r")

    def reply(self):
        """The server's next reply. Closed when the connection ends before."""
        lines = [self._line()]
        while lines[-1][3:4] == "-":
            lines.append(self._line())
        reply = Reply(int(lines[-1][:3]), "\n".join(line[4:] for line in lines), time.monotonic())
        self.replies.append(reply)
        return reply

    def send(self, text):
        """Sends without waiting for the reply."""
        try:
            self._socket.sendall(text.encode() + b"\r\n")
        except (BrokenPipeError, ConnectionResetError) as problem:
            self.ending = "reset"
            self.ended_at = time.monotonic()
            raise Closed("reset") from problem

    def command(self, text):
        self.send(text)
        return self.reply()

    def greet(self, name="client.example"):
        """Waits for the 220, sends EHLO."""
        self.reply()
        return self.command(f"EHLO {name}")

    def starttls(self):
        reply = self.command("STARTTLS")
        self._start_tls()
        self.command("EHLO client.example")
        return reply

    def login(self, user, password):
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.command(f"AUTH PLAIN {token}")

    def recipient(self, to, sender="a@b.example"):
        """Sends MAIL and RCPT; returns the reply to RCPT."""
        self.command(f"MAIL FROM:<{sender}>")
        return self.command(f"RCPT TO:<{to}>")

    def try_recipient(self, to="nosuch@mx.lab"):
        """Sends MAIL and RCPT without waiting for the replies."""
        self.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{to}>")

    def data(self, text):
        """Sends the mail itself; returns the reply to its end."""
        self.command("DATA")
        return self.command(f"{text}\r\n.")

    def saw(self, code):
        return any(reply.code == code for reply in self.replies)

    def ended(self, deadline=10):
        """How the server ends the connection: "end", "reset", or None if it does not.

        Replies that come before the end are kept.
        """
        self._socket.settimeout(deadline)
        try:
            while True:
                self.reply()
        except Closed as closed:
            return closed.how
        except (socket.timeout, TimeoutError):
            return None

    def is_reset(self):
        """A RST has come, after the server's end of the connection or before it."""
        return self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE

    def lives(self):
        """The connection still answers."""
        try:
            return self.command("NOOP").code == 250
        except (Closed, OSError):
            return False
