# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A customer from a listed address who logged in is never blocked for a 5xx.

The smtpd's BLOCK is in /proc all the while. The connection lives, and mail to the right
recipient is delivered. The same client without login is blocked.
"""
# backends: both
# limit: 120

import contextlib
import itertools
import subprocess

from lib import processes
from lib.rsyslog import action
from lib.scenario import (MAILBOX, NOBODY, PASSWORD, PORTS, SENDERS, USER, WAYS, listed, mail_host,
                          workdir)
from lib.wait import wait_for

SIZE = 20000

# Rejects a mail with a certain word in it; everything else passes.
FILTER = r"""
use IO::File;
my $filedesc = shift @ARGV;
my $socket = new IO::File "+<&$filedesc";
my ($data, $answer) = (scalar <$socket>, "200 Ok\n");
chomp $data;
while (defined(my $line = <$socket>)) { chomp $line; last unless $line; }
my $file = new IO::File "< $data";
while (defined(my $line = <$file>)) { $answer = "550 Not wanted here.\n" if $line =~ /unwanted/; }
print $socket $answer;
$socket->close;
"""


@contextlib.contextmanager
def mail_filter(script):
    """courierfilter with perlfilter, as an admin turns it on."""
    script.write_text(FILTER)
    quiet = {"stdin": subprocess.DEVNULL, "check": True, "timeout": 20}
    subprocess.run(["filterctl", "start", "perlfilter"], **quiet)
    subprocess.run(["courierfilter", "start"], **quiet)
    try:
        wait_for(lambda: processes.named("perlfilter"), 5, "perlfilter")
        yield
    finally:
        processes.end([process.pid for process in processes.named("courierfilter", "perlfilter")])


def mistyped(session):
    return session.recipient(NOBODY).code


def too_large_as_announced(session):
    return session.command(f"MAIL FROM:<a@b.example> SIZE={10 * SIZE}").code


def sends(session, text):
    if session.recipient(MAILBOX).code != 250:
        raise RuntimeError("the recipient was not accepted")
    return session.data(text).code


def too_large(session):
    return sends(session, "Subject: large\r\n\r\n" + "large enough\r\n" * (2 * SIZE // 14))


def unwanted(session):
    return sends(session, "Subject: filter\r\n\r\nunwanted")


# courieresmtpd itself answers an announced size. It logs that with severity info, which is
# not a reject.
ACTS = {mistyped: 1, too_large_as_announced: 0, too_large: 1, unwanted: 1}


def customer(points, host, source, how):
    session, child = host.open(source, **how)
    points.equal(session.login(USER, PASSWORD).code, 235, "the login works")
    points.ok("BLOCK" in child.environment, "the smtpd's BLOCK is there to mislead")
    for act, rejects in ACTS.items():
        counters = {"triggers": 1, "not_listed": 1} if rejects else {}
        with host.harmless(act.__name__, sources=[source], pids=[child.pid], **counters):
            code = act(session)
            points.ok(500 <= code <= 599, "the client gets a 5xx", code)
        session.command("RSET")
    mark = f"mail of {source}"
    points.equal(sends(session, f"Subject: {mark}\r\n\r\n"), 250, "the session goes on")
    points.until(lambda: any(mark in mail for mail in host.courier.mails(USER)), 10,
                 "its mail is delivered")


def scenario(points):
    numbers, script = itertools.count(1), workdir() / "filter.pl"
    # Without perlfilter-mode, mail of authenticated users is not filtered.
    files = {"/etc/courier/sizelimit": f"{SIZE}\n",
             "/etc/courier/filters/perlfilter": f"{script}\n",
             "/etc/courier/filters/perlfilter-mode": "all\n"}
    with mail_host(points, ports=PORTS, delivery=True, files=files) as host, mail_filter(script):
        for sender, imuxsock in SENDERS.items():
            host.restart(action("mail.*"), imuxsock=imuxsock)
            for way, how in WAYS.items():
                if way != "587":    # it is as 25
                    with host.part(f"{way}, {sender}"):
                        customer(points, host, listed(next(numbers)), how)
            with host.part(f"without login, {sender}"), host.counted(triggers=1, blocks=1, ended=1):
                host.block(listed(next(numbers)))
