# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""/proc is mounted with hidepid, which hides processes of other users.

With CAP_SYS_PTRACE nothing is hidden from the module, and all works. Without it the log says once
what is missing; no line is lost, and nobody is signalled.
"""
# limit: 40

import shutil

from lib.rsyslog import action
from lib.scenario import Neighbour, listed, mail_host, ordinary

DROP = "$PrivDropToUser nobody\n$PrivDropToGroup nogroup\n"
LACKING = ("setpriv", "--bounding-set=-sys_ptrace")


def hidden(value, *command):
    """Gives rsyslogd a /proc of its own."""
    return ("unshare", "--mount", "sh", "-c",
            f"mount -t proc -o hidepid={value} proc /proc && exec \"$@\"", "sh", *command)


def all_works(points, host, first):
    neighbour = Neighbour(host)
    host.block(listed(first))
    host.block(listed(first, 6))
    neighbour.sends_its_mail()
    points.equal(host.rsyslog.logged(r"^(warning|err) .*omsmtpblock: (?!warning)"), [],
                 "no complaints")


def nothing_works(points, host, first):
    neighbour = host.open(ordinary(1))
    clients = [host.rejects(listed(number)) for number in range(first, first + 3)]
    for session, _ in clients:
        host.writes(f"relay=::ffff:{session.source},", " 511 ")
    host.spares(*(session.source for session, _ in clients),
                pids=[child.pid for _, child in clients])
    host.serves(*neighbour)
    host.logs_once(r"omsmtpblock.*CAP_SYS_PTRACE")
    points.equal(host.rsyslog.counters().get("triggers"), 3, "each is counted")


def scenario(points):
    with mail_host(points, delivery=True) as host:
        for value in (1, 2):
            with host.part(f"hidepid={value}"):
                host.restart(action("mail.info"), prefix=hidden(value))
                all_works(points, host, 10 * value)
            with host.part(f"hidepid={value} without CAP_SYS_PTRACE"):
                host.restart(prefix=hidden(value, *LACKING))
                nothing_works(points, host, 10 * value + 1)
        for path in (host.rsyslog.workdir, *host.rsyslog.workdir.iterdir()):
            shutil.chown(path, "nobody", "nogroup")
        with host.part("hidepid=2, another user"):
            host.restart(settings=DROP, prefix=hidden(2))
            nothing_works(points, host, 31)
        with host.part("hidepid=2, another user with capabilities"):
            host.restart(settings=DROP, module='keepCapabilities="on"', prefix=hidden(2))
            all_works(points, host, 40)
