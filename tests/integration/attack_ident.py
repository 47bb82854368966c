# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A client's ident server writes into courier's log lines.

couriertcpd queries it unless -noidentlookup is given, and logs the answer raw behind the
address. An unlisted client makes itself and others look listed there. A listed client's
lines must be understood all the same.
"""
# One backend: the module refuses these lines and processes before it looks at a list.

from lib.attack import Identd
from lib.rsyslog import action
from lib.scenario import NOBODY, SENDERS, listed, mail_host, ordinary

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


def forged(points, host, source, answer, victim):
    """The attacker is rejected (550, 513) and sends nonsense (502)."""
    text = answer.format(victim=victim.source, port=victim.source_port)
    with Identd(host.network, source, text) as identd:
        session, child = host.open(source)
        with host.harmless(sources=[source, victim.source], pids=[child.pid], triggers=2,
                           not_listed=2):
            codes = (session.recipient(NOBODY).code,
                     session.command("RCPT TO:<a@elsewhere.example>").code,
                     session.command("AUTH PLAIN nonsense").code >= 500,
                     session.command("GET / HTTP/1.1").code)
            points.equal(codes, (550, 513, True, 502), "the attacker is rejected")
    points.equal(identd.asked, 1, "courier queried the attacker's ident server")


def scenario(points):
    plain = {"TCPDOPTS": "-stderrlogger=/usr/sbin/courierlogger"}
    with mail_host(points, variables=plain) as host:
        for number, (sender, imuxsock) in enumerate(SENDERS.items()):
            host.restart(action("mail.*"), imuxsock=imuxsock)
            victim, its_smtpd = host.open(VICTIM)
            for index, answer in enumerate(ANSWERS, 1):
                with host.part(f"{sender}, ident {index}"):
                    forged(points, host, ordinary(10 * number + index), answer, victim)
            source = listed(10 + number)
            with host.part(f"{sender}, a listed client"), \
                    Identd(host.network, source, ANSWERS[0].format(victim=VICTIM, port=1)), \
                    host.counted(triggers=1, blocks=1, ended=1):
                host.serves(victim, its_smtpd)
                host.block(source)
