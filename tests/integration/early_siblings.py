# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The other sessions of a blocked address end too, 10 s later.

One client has several sessions, in several states, when one of them is refused. All end, also a
STARTTLS session, but one on a port that is not among `ports`.
"""
# limit: 60

from lib import processes
from lib.scenario import NOBODY, listed, mail_host


def scenario(points):
    with mail_host(points, imuxsock="", tarpit=True, ports=(25, 587)) as host:
        source = listed(1)
        silent = host.session(source)
        silent.reply()
        greeted, _ = host.open(source)
        encrypted, _ = host.open(source, starttls=True)
        elsewhere, his = host.open(source, 587)
        bot, child = host.open(source)
        bot.command("MAIL FROM:<a@b.example>")
        bot.send(f"RCPT TO:<{NOBODY}>")
        points.until(lambda: processes.gone(child.pid), 5, "the refused session ends")
        points.until(lambda: host.is_blocked(source), 5, "the address is blocked")
        points.until(lambda: not [p for p in host.courier.slots_of(source) if p.pid != his.pid],
                     20, "all other slots are free", lambda: host.courier.slots_of(source))
        points.ok(processes.alive(his.pid), "the session on a port that is not closed does not")
        points.equal(host.rsyslog.counters().get("early.sibling"), 3, "each is counted")
        host.logs_once("defaults after 0.1.0")
        for session in (silent, greeted, encrypted, elsewhere, bot):
            session.close()
