# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Without capabilities: the module logs once how to grant them, and does no harm.

The mail log is complete; smtpds live, the neighbour's too.
"""

import itertools
import shutil

from lib.scenario import listed, mail_host, ordinary

CLIENTS = 5
DROP = "$PrivDropToUser nobody\n$PrivDropToGroup nogroup\n"
numbers = itertools.count(1)


def rejected_clients(host):
    """Several rejects, none of which can be acted on."""
    neighbour = host.open(ordinary(1))
    clients = [host.rejects(listed(next(numbers))) for _ in range(CLIENTS)]
    for session, _ in clients:
        host.writes(f"relay=::ffff:{session.source},", " 511 ")
    host.spares(pids=[child.pid for _, child in clients])
    host.serves(*neighbour)
    return [session.source for session, _ in clients]


def without_kill_and_ptrace(points, host):
    host.restart(prefix=("setpriv", "--bounding-set=-kill,-sys_ptrace"))
    rejected_clients(host)
    host.logs_once(r"omsmtpblock.*CAP_SYS_PTRACE")


def without_kill(points, host):
    host.restart(prefix=("setpriv", "--bounding-set=-kill"))
    host.blocks(*rejected_clients(host))
    host.logs_once(r"omsmtpblock.*signal.*CAP_KILL")


def another_user(points, host):
    for path in (host.rsyslog.workdir, *host.rsyslog.workdir.iterdir()):
        shutil.chown(path, "nobody", "nogroup")
    host.restart(settings=DROP)
    rejected_clients(host)
    host.logs_once(r"omsmtpblock.*CAP_SYS_PTRACE")


def scenario(points):
    with mail_host(points) as host:
        host.parts(without_kill_and_ptrace, without_kill, another_user)
