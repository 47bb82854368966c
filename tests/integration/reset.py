# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""terminate.reset: after an smtpd's exit the kernel keeps nothing of its connection.

A blocked peer's packets are dropped, so without it the connection stays in FIN-WAIT-1.
The sender reads the reply first. Other connections and the port itself are not touched.
"""
# backends: both

from lib.firewall import connects
from lib.netns import run
from lib.rsyslog import action
from lib.scenario import PORTS, WAYS, Neighbour, listed, mail_host, ordinary
from lib.wait import stays


def state_of(session, port=25):
    """This connection's state in the server's kernel; "" for none."""
    lines = run("ss", "-Htna", f"sport = :{port} and dport = :{session.source_port}").split("\n")
    return next((line.split()[0] for line in lines if f":{session.source_port}" in line), "")


def ended(host, source, **how):
    """A listed client whose smtpd is gone; the client keeps its end open."""
    session, child = host.rejects(source, **how)
    host.ends(child)
    return session


def resets(host, source, port=25, **how):
    session = ended(host, source, port=port, **how)
    host.points.until(session.is_reset, 3, "the client has a RST")
    host.points.equal(state_of(session, port), "", "the kernel keeps nothing of the connection")


def each_way(points, host):
    neighbour = Neighbour(host)
    resets(host, listed(9, 6))
    for number, way in enumerate(("25", "465", "STARTTLS on 25"), 1):
        with points.label(way):
            resets(host, listed(number), **WAYS[way])
    points.ok(connects(host.network, ordinary(7)), "the port is open to others")
    neighbour.sends_its_mail()


def at_connect(points, host):
    """The 554 comes first, and the RST leaves time to read it."""
    host.restart(action("mail.info", ports=PORTS, trigger="connect"))
    session = host.session(listed(30))
    points.until(session.is_reset, 3, "the client has a RST")
    session.ended(5)
    points.equal([reply.code for reply in session.replies], [220, 554], "after its 220 and its 554")


def left_alone(points, host):
    host.restart(action(ports=PORTS, terminate_reset="off"))
    session = ended(host, listed(10))
    points.until(lambda: state_of(session) == "FIN-WAIT-1", 3, "in FIN-WAIT-1",
                 lambda: state_of(session))
    points.ok(stays(lambda: state_of(session) == "FIN-WAIT-1" and not session.is_reset(), 1),
              "and stays there")


def without_the_capability(points, host):
    host.restart(action(ports=PORTS), prefix=("setpriv", "--bounding-set=-net_admin"))
    for number in (20, 21):
        ended(host, listed(number))
    points.until(lambda: host.rsyslog.logged("terminate.reset: .*CAP_NET_ADMIN"), 5,
                 "the missing capability is logged")
    points.ok(stays(lambda: len(host.rsyslog.logged("terminate.reset")) == 1, 0.5), "once")


def scenario(points):
    with mail_host(points, action(ports=PORTS), ports=PORTS, delivery=True) as host:
        host.parts(each_way, at_connect, left_alone, without_the_capability)
