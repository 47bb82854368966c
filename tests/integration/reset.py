#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""terminate.reset: after an smtpd's exit the kernel keeps nothing of its connection.

A blocked peer's packets are dropped, so without it the connection stays in FIN-WAIT-1.
The sender reads the reply first. Other connections and the port itself are not touched.
"""
# backends: both

from lib import processes, tap
from lib.firewall import connects
from lib.netns import run
from lib.rsyslog import action
from lib.scenario import NOBODY, Neighbour, listed, mail_host, ordinary
from lib.wait import stays


PORTS = (25, 465, 587)


def state_of(session, port):
    """This connection's state in the server's kernel; "" for none."""
    lines = run("ss", "-Htna", f"sport = :{port} and dport = :{session.source_port}").split("\n")
    return next((line.split()[0] for line in lines if f":{session.source_port}" in line), "")


def restart(host, prefix=(), **parameters):
    host.rsyslog.stop()
    host.rsyslog.own_log.unlink(missing_ok=True)
    host.rsyslog.rules = action(["mail.err", "mail.info"]["trigger" in parameters], ports=PORTS,
                                **parameters)
    host.rsyslog.start(prefix=prefix)


def ended(points, host, source, label, **how):
    """A listed client whose smtpd is gone; the client keeps its end open."""
    session, child = host.open(source, **how)
    points.equal(session.recipient(NOBODY).code, 511, f"{label}: the client reads its 511")
    points.until(lambda: processes.gone(child.pid), 4, f"{label}: the smtpd is gone",
                 host.rsyslog.own)
    return session


def is_reset(points, host, label, source, port=25, **how):
    with ended(points, host, source, label, port=port, **how) as session:
        points.until(session.is_reset, 3, f"{label}: the client has a RST", host.rsyslog.own)
        points.equal(state_of(session, port), "",
                     f"{label}: the kernel keeps nothing of the connection")


def at_connect(points, host):
    """The 554 comes first, and the RST leaves time to read it."""
    restart(host, trigger="connect")
    label = "trigger=connect"
    session = host.session(listed(30))
    points.until(session.is_reset, 3, f"{label}: the client has a RST", host.rsyslog.own)
    session.ended(5)
    points.equal([reply.code for reply in session.replies], [220, 554],
                 f"{label}: after its 220 and its 554")


def left_alone(points, host):
    restart(host, terminate_reset="off")
    label = 'terminate.reset="off"'
    with ended(points, host, listed(10), label) as session:
        points.until(lambda: state_of(session, 25) == "FIN-WAIT-1", 3,
                     f"{label}: the connection is in FIN-WAIT-1",
                     lambda: state_of(session, 25))
        points.ok(stays(lambda: state_of(session, 25) == "FIN-WAIT-1" and not session.is_reset(),
                        1), f"{label}: and stays there")


def without_the_right(points, host):
    label = "root without CAP_NET_ADMIN"
    restart(host, prefix=("setpriv", "--bounding-set=-net_admin"))
    with ended(points, host, listed(20), label), ended(points, host, listed(21), label):
        points.until(lambda: host.rsyslog.logged("terminate.reset: .*CAP_NET_ADMIN"), 5,
                     f"{label}: the missing capability is logged", host.rsyslog.own)
        points.ok(stays(lambda: len(host.rsyslog.logged("terminate.reset")) == 1, 0.5),
                  f"{label}: once")


def scenario(points):
    with mail_host(action(ports=PORTS), ports=PORTS, delivery=True) as host:
        neighbour = Neighbour(host)
        with tap.part(points, "plain"):
            is_reset(points, host, "plain", listed(1))
            is_reset(points, host, "IPv6", listed(2, 6))
        with tap.part(points, "TLS"):
            is_reset(points, host, "465", listed(3), 465, tls=True)
            is_reset(points, host, "STARTTLS", listed(4), 25, starttls=True)
        with tap.part(points, "others"):
            points.ok(connects(host.network, ordinary(7)), "the port is open to others")
            neighbour.sends_his_mail(points, "others")
        with tap.part(points, "connect"):
            at_connect(points, host)
        with tap.part(points, "off"):
            left_alone(points, host)
        with tap.part(points, "rights"):
            without_the_right(points, host)


if __name__ == "__main__":
    tap.main(scenario)
