#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""TARPIT=1, courier's default: the reject comes 8 s late and is acted on all the same.

(Every other scenario runs without the tarpit.) Several clients wait at a time.
"""

# limit: 60

from lib import processes, tap
from lib.scenario import NOBODY, listed, mail_host, ordinary


def scenario(points):
    with mail_host(tarpit=True) as host:
        clients = [(source, *host.open(source)) for source in map(listed, range(1, 5))]
        neighbour, his_child = host.open(ordinary(1))
        for _, session, _ in clients:
            session.command("MAIL FROM:<a@b.example>")
            session.send(f"RCPT TO:<{NOBODY}>")
        for source, session, child in clients:
            reply = session.reply()
            points.equal(reply.code, 511, f"{source} sees its 511 after the tarpit")
            points.until(lambda: host.is_blocked(source), 3, f"{source} is on the list",
                         host.rsyslog.own)
            points.until(lambda: processes.gone(child.pid), 4, f"the smtpd of {source} is gone")
            session.close()
        points.ok(neighbour.lives() and processes.alive(his_child.pid),
                  "the neighbour's smtpd lives")
        neighbour.close()


if __name__ == "__main__":
    tap.main(scenario)
