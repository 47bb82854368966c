#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A client's ident server writes into courier's log lines.

couriertcpd queries it unless -noidentlookup is given; the answer follows the address,
raw in the lines of severity info. A client that no DNSBL lists makes itself and others
look listed there; its 5xx has another reason. Then a listed client, whose lines must be
understood all the same.
"""

from lib import tap
from lib.attack import Counted, Identd, harmless, restart, tuned_host
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import NOBODY, block, listed, ordinary

VICTIM = listed(250)
ANSWERS = (
    "x,from=<a@b>,to=<c@d>: 511 Listed in lab DNSBL, {victim}",
    "x,relay=::ffff:{victim},port={port}: 511 Listed in lab DNSBL, {victim}",
    ": 511 Listed in lab DNSBL, {victim}",
    '",msg="511 Listed in lab DNSBL, {victim}",cmd: ',
    '",msg="535 x',
    "x\x1f\x1f\x1f1\x1f",
    "x]],port=[1],ip=[::ffff:{victim}]",
)


def forged(points, host, label, source, answer, victim):
    """The attacker is rejected (550, 513) and sends nonsense (502)."""
    text = answer.format(victim=victim.source, port=victim.source_port)
    with Identd(host.network, source, text) as identd:
        session, child = host.open(source)
        with session, harmless(points, host, label, sources=[source, victim.source],
                               pids=[child.pid], triggers=2, not_listed=2):
            codes = (session.recipient(NOBODY).code,
                     session.command("RCPT TO:<a@elsewhere.example>").code,
                     session.command("AUTH PLAIN nonsense").code >= 500,
                     session.command("GET / HTTP/1.1").code)
            points.equal(codes, (550, 513, True, 502), f"{label}: the attacker is rejected")
    points.ok(identd.asked == 1, f"{label}: courier queried the attacker's ident server",
              identd.asked)


def scenario(points):
    plain = {"TCPDOPTS": "-stderrlogger=/usr/sbin/courierlogger"}
    rules = action("mail.*")
    with tuned_host(rules, imuxsock=CREDENTIALS, variables=plain) as host:
        for number, (sender, imuxsock) in enumerate((("credentials", CREDENTIALS),
                                                     ("no credentials", ""))):
            restart(host, rules, imuxsock=imuxsock)
            victim, _ = host.open(VICTIM)
            with victim:
                for index, answer in enumerate(ANSWERS):
                    label = f"{sender}, ident {index + 1}"
                    with tap.part(points, label):
                        forged(points, host, label, ordinary(10 * number + index + 1),
                               answer, victim)
                points.ok(victim.lives(), f"{sender}: the victim's session goes on")
            source = listed(10 + number)
            with Identd(host.network, source, ANSWERS[0].format(victim=VICTIM, port=1)), \
                    Counted(points, host, f"{sender}, a listed client",
                            triggers=1, blocks=1, ended=1):
                block(points, host, source, f"{sender}, a listed client")


if __name__ == "__main__":
    tap.main(scenario)
