# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""allowFile: read at the start and at HUP, all of it or nothing.

An address that the host gets while rsyslogd runs counts as its own from then on.
"""

from lib.netns import OwnHost, run
from lib.rsyslog import action
from lib.scenario import NOBODY, listed, mail_host, workdir

FIRST = f"""# addresses that are never blocked
{listed(1)}        # one of them
\t10.9.1.64/26

fd00:9::1:40/122
"""
SECOND = f"{listed(2)}\n"
BROKEN = f"{listed(3)}\n# and a slip of the pen\n10.0.0.1/8\n"
COMPLAINT = 'line 3: "10.0.0.1/8": did you mean 10.0.0.0/8?'


def spared(host, source, **how):
    """A client that was just rejected is neither blocked nor signalled."""
    session, child = host.open(source, **how)
    with host.harmless(f"{source} is spared", sources=[source], pids=[child.pid], allowed=1):
        host.points.equal(session.recipient(NOBODY).code, 511, "rejected")


def blocked(host, source):
    with host.counted(f"{source} is not", triggers=1, blocks=1, ended=1):
        _, child = host.rejects(source)
        host.blocks(source)
        host.ends(child)


def reread(host, text):
    """The counters are logged after the file was read."""
    allowed().write_text(text)
    host.rsyslog.counters()


def allowed():
    return workdir() / "allowed"


def first_reading(points, host):
    for source in (listed(1), listed(64), listed(127), listed(0x40, 6), listed(0x7f, 6)):
        spared(host, source)
    for source in (listed(128), listed(0x80, 6)):
        blocked(host, source)


def reading_at_hup(points, host):
    allowed().write_text(SECOND)
    # Without the counters: they need a HUP.
    _, child = host.rejects(listed(65))
    host.spares(listed(65), pids=[child.pid])
    reread(host, SECOND)
    spared(host, listed(2))
    blocked(host, listed(66))


def broken_at_hup(points, host):
    reread(host, BROKEN)
    complaints = [line for line in host.rsyslog.own() if COMPLAINT in line]
    points.ok(complaints and f"{allowed()}, {COMPLAINT}" in complaints[0]
              and "the previous list stays in use" in complaints[0],
              "file, line and correction are logged")
    spared(host, listed(2))
    blocked(host, listed(3))
    status, text = host.rsyslog.validate()
    points.ok(status == 1 and f"{allowed()}, {COMPLAINT}" in text,
              "rsyslogd -N1 prints the same and ends with 1", status, text)


def vanished_at_hup(points, host):
    allowed().unlink()
    host.rsyslog.counters()
    points.ok(host.rsyslog.logged(f"allowFile: {allowed()}: No such file"), "it is logged")
    spared(host, listed(2))


def own_address_later(points, host):
    """The client's address becomes one of the host's own."""
    source = "10.9.3.9"
    run("ip", "addr", "add", f"{source}/32", "dev", "lo")
    spared(host, source, network=OwnHost(source))
    run("ip", "addr", "del", f"{source}/32", "dev", "lo")
    blocked(host, source)


def scenario(points):
    allowed().write_text(FIRST)
    with mail_host(points, action(allowFile=allowed())) as host:
        host.dnsbl.add("10.9.3.0/24")
        host.parts(first_reading, reading_at_hup, broken_at_hup, vanished_at_hup, own_address_later)
