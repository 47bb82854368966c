#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Only the right process is ever signalled.

An smtpd exits by itself while its signal is pending, and another process gets its PID. A
courier in another network namespace serves a client with the same address and port: that
is another host's session.
"""

import os
import signal
import socket
import subprocess

from lib import processes, tap
from lib.netns import Namespace, Network, run
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host
from lib.smtp import Session
from lib.wait import stays, wait_for


def take_pid(pid):
    """A process of this test with that PID, or None if another process was faster."""
    with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as last:
        last.write(str(pid - 1))
    process = subprocess.Popen(["sleep", "30"])
    if process.pid == pid:
        return process
    process.kill()
    process.wait()
    return None


def reused_pid(points, host):
    session, child = host.open(listed(1))
    points.equal(session.recipient(NOBODY).code, 511, "a client is rejected")
    wait_for(lambda: host.is_blocked(listed(1)), 2, "the block")
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: processes.gone(child.pid), 1, "the smtpd's early end")
    stranger = wait_for(lambda: take_pid(child.pid), 1, "the same PID again")
    points.ok(stays(lambda: stranger.poll() is None, 2.5),
              "a stranger with the smtpd's PID is not signalled")
    session.close()
    stranger.kill()
    stranger.wait()


class OtherHost:
    """A second mail host: courier's submission port in a network of its own.

    A session uses it like a Network; its client binds a given port.
    """

    def __init__(self, host, port):
        self.host = host
        self.port = port
        self.namespace = Namespace.create()

    def __enter__(self):
        with self.namespace.entered():
            for address in (Network.MX4, listed(2)):
                run("ip", "addr", "add", f"{address}/32", "dev", "lo")
            self.host.dnsbl.serve()
            run("esmtpd-msa", "start", stdin=subprocess.DEVNULL)
            wait_for(lambda: ":587 " in run("ss", "-Hltn"), 5, "the other host's port")
        return self

    def __exit__(self, *_):
        self.namespace.close()

    def socket(self, source):
        with self.namespace.entered():
            client = socket.socket(socket.AF_INET)
        client.bind((source, self.port))
        return client

    @staticmethod
    def mx_for(_):
        return Network.MX4


def other_network(points, host):
    """The lines come without credentials: the module searches for the smtpds."""
    host.rsyslog.stop()
    host.rsyslog.imuxsock = ""
    host.rsyslog.start()
    here, child = host.open(listed(2))
    with OtherHost(host, here.source_port) as other, here, Session(other, listed(2), 587) as there:
        there.greet()
        foreign = next(process for process in host.courier.children(listed(2), here.source_port)
                       if process.local_port == 587)
        points.equal(here.recipient(NOBODY).code, 511, "a client is rejected here")
        points.until(lambda: processes.gone(child.pid), 4, "its smtpd is gone")
        points.ok(stays(lambda: processes.alive(foreign.pid), 1.0),
                  "the same address and port in another network namespace: that smtpd lives")
        points.ok(there.lives(), "and answers")


def scenario(points):
    with mail_host(action(terminate_delay=1500, terminate_killAfter=500)) as host:
        for check in (reused_pid, other_network):
            with tap.part(points, check.__name__):
                check(points, host)


if __name__ == "__main__":
    tap.main(scenario)
