#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A customer from a listed address logs in, and gets a 5xx for other reasons.

The mail is too large, as announced and as sent; a mail filter (courier's perlfilter)
rejects it. The smtpd's BLOCK is in /proc all the while. On 25, with STARTTLS, on 465;
with credentials and without.
"""
# limit: 90

import contextlib
import itertools
import subprocess

from lib import processes, tap
from lib.attack import Counted, harmless, restart, tuned_host
from lib.rsyslog import CREDENTIALS, action
from lib.scenario import MAILBOX, PASSWORD, USER, block, listed, workdir
from lib.wait import wait_for

WAYS = (("25", {"port": 25}), ("STARTTLS", {"port": 25, "starttls": True}),
        ("465", {"port": 465, "tls": True}))
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
def mail_filter():
    """courierfilter with perlfilter, as an admin turns it on."""
    script = workdir() / "filter.pl"
    script.write_text(FILTER)
    with open("/etc/courier/filters/perlfilter", "w", encoding="ascii") as file:
        file.write(f"{script}\n")
    # Without this, mail of authenticated users is not filtered.
    with open("/etc/courier/filters/perlfilter-mode", "w", encoding="ascii") as file:
        file.write("all\n")
    quiet = {"stdin": subprocess.DEVNULL, "check": True, "timeout": 20}
    subprocess.run(["filterctl", "start", "perlfilter"], **quiet)
    subprocess.run(["courierfilter", "start"], **quiet)
    try:
        wait_for(lambda: processes.named("perlfilter"), 5, "perlfilter")
        yield
    finally:
        processes.end([process.pid for process in processes.named("courierfilter", "perlfilter")])


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


def customer(points, host, label, how, source):
    for name, act in (("announced as too large", too_large_as_announced), ("too large", too_large),
                      ("filtered", unwanted)):
        session, child = host.open(source, **how)
        with session, harmless(points, host, f"{label}, {name}", sources=[source], pids=[child.pid],
                               **WANT[name]):
            points.equal(session.login(USER, PASSWORD).code, 235,
                         f"{label}, {name}: the client logs in")
            code = act(session)
            points.ok(500 <= code <= 599, f"{label}, {name}: the client gets a 5xx", code)


# courieresmtpd itself answers an announced size. It logs that with severity
# info, which is not a reject.
WANT = {"announced as too large": {},
        "too large": {"triggers": 1, "not_listed": 1},
        "filtered": {"triggers": 1, "not_listed": 1}}


def scenario(points):
    numbers = itertools.count(1)
    with tuned_host(imuxsock=CREDENTIALS, ports=(25, 465), delivery=True,
                    files={"/etc/courier/sizelimit": f"{SIZE}\n"}) as host, mail_filter():
        for sender, imuxsock in (("credentials", CREDENTIALS), ("no credentials", "")):
            restart(host, action("mail.*"), imuxsock=imuxsock)
            for name, how in WAYS:
                with tap.part(points, f"{name}, {sender}"):
                    customer(points, host, f"{name}, {sender}", how, listed(next(numbers)))
            with Counted(points, host, f"the control, {sender}", triggers=1, blocks=1, ended=1):
                block(points, host, listed(next(numbers)), f"the control, {sender}")


if __name__ == "__main__":
    tap.main(scenario)
