# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The network of a scenario: the mail host "mx" and the clients' "world".

The scenario's own namespace is mx: daemons need no wrapper. A veth pair connects world,
which has every address in 10.9.0.0/16 and fd00:9::/64, so a client can connect from any
of them.
"""

import contextlib
import ctypes
import os
import socket
import subprocess

from lib.wait import wait_for

CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def run(*command, **options):
    """A command that must succeed; returns its standard output."""
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, check=False, **options)
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {result.returncode}: "
                           f"{result.stderr.strip()}")
    return result.stdout


def _check(result):
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Namespace:
    """A network namespace, kept by a descriptor. Threads enter it one by one."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    @classmethod
    def current(cls):
        return cls(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    @classmethod
    def create(cls):
        """A new namespace with its loopback up; the caller stays in its own."""
        here = cls.current()
        _check(_libc.unshare(CLONE_NEWNET))
        try:
            created = cls.current()
            run("ip", "link", "set", "lo", "up")
        finally:
            here.enter()
            here.close()
        return created

    def enter(self):
        _check(_libc.setns(self.descriptor, CLONE_NEWNET))

    @contextlib.contextmanager
    def entered(self):
        """In this block the calling thread, and any process it starts, is in the namespace."""
        here = Namespace.current()
        self.enter()
        try:
            yield self
        finally:
            here.enter()
            here.close()

    def run(self, *command, **options):
        with self.entered():
            return run(*command, **options)

    def sysctl(self, name, value):
        with self.entered(), open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
            file.write(str(value))

    def path(self):
        """Its path, for programs that need one."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def close(self):
        os.close(self.descriptor)


class Network:
    """mx and world. Use as a context manager."""

    MX4, MX6 = "10.8.0.1", "fd00:8::1"
    WORLD4, WORLD6 = "10.8.0.2", "fd00:8::2"
    SOURCES4, SOURCES6 = "10.9.0.0/16", "fd00:9::/64"

    def __init__(self):
        self.mx = Namespace.current()
        self.world = Namespace.create()

    def __enter__(self):
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "mx0", "type", "veth", "peer", "name", "world0",
            "netns", self.world.path())
        self._address(self.mx, "mx0", self.MX4, self.MX6)
        self._address(self.world, "world0", self.WORLD4, self.WORLD6)
        for namespace, device in ((self.mx, "mx0"), (self.world, "world0")):
            wait_for(lambda: " state UP " in namespace.run("ip", "link", "show", device), 5,
                     f"{device} to carry packets")
        run("ip", "route", "add", self.SOURCES4, "via", self.WORLD4)
        run("ip", "-6", "route", "add", self.SOURCES6, "via", self.WORLD6)
        self.world.run("ip", "route", "add", "local", self.SOURCES4, "dev", "lo")
        self.world.run("ip", "-6", "route", "add", "local", self.SOURCES6, "dev", "lo")
        self.world.sysctl("ipv6/ip_nonlocal_bind", 1)
        return self

    def __exit__(self, *_):
        run("ip", "link", "del", "mx0")
        self.world.close()
        self.mx.close()

    @staticmethod
    def _address(namespace, device, ipv4, ipv6):
        namespace.run("ip", "addr", "add", f"{ipv4}/24", "dev", device)
        namespace.run("ip", "-6", "addr", "add", f"{ipv6}/64", "dev", device, "nodad")
        namespace.run("ip", "link", "set", device, "up")

    def mx_for(self, source):
        """The mail host's address in the client's family."""
        return self.MX6 if ":" in source else self.MX4

    def socket(self, source, kind=socket.SOCK_STREAM, *, port=0):
        """A socket in world, bound to a client's address; port 0 is any."""
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with self.world.entered():
            client = socket.socket(family, kind)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((source, port))
        return client


class OwnHost:
    """A client on the mail host itself; a session uses it like a Network."""

    def __init__(self, address):
        self.address = address

    def socket(self, source):
        client = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
        client.bind((source, 0))
        return client

    def mx_for(self, _):
        return self.address
