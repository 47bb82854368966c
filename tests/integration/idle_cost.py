# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What watching 300 ordinary sessions costs: at most 0.2 % of a core.

Measured is the time on a processor of the background thread and of the looker thread, in four
intervals: on a busy machine caches are cold and the kernel's locks contended, so the least counts.
The bound of the test is twice the goal, for slow machines; the figures are printed.
"""
# limit: 90
# serial: processor time is measured

import time

from lib import threads
from lib.scenario import mail_host, ordinary
from lib.wait import wait_for

SESSIONS, SECONDS, INTERVALS = 300, 2, 4
BOUND = 0.4     # %


def used(pid):
    """Nanoseconds of the module's threads."""
    times = threads.processor_time(pid)
    return sum(spent for name, spent in times.items() if name.startswith("smtpblock"))


def share_of(pid):
    """In percent of a core."""
    before, began = used(pid), time.monotonic()
    time.sleep(SECONDS)
    return (used(pid) - before) / 1e7 / (time.monotonic() - began)


def scenario(points):
    with mail_host(points, imuxsock="", tarpit=True, maxdaemons=SESSIONS + 20) as host:
        for number in range(SESSIONS):
            client = host.network.socket(ordinary(number % 250))
            client.connect((host.network.MX4, 25))
            host.sessions.append(client)
        wait_for(lambda: len(host.courier.children()) == SESSIONS, 60, "all sessions")
        time.sleep(2)
        shares = [share_of(host.rsyslog.pid) for _ in range(INTERVALS)]
        print(f"# watching {SESSIONS} sessions, % of a core:", *(f"{s:.3f}" for s in shares))
        points.ok(min(shares) <= BOUND,
                  f"watching {SESSIONS} sessions takes at most {BOUND} % of a core", shares)
        for client in host.sessions:
            client.close()
        host.sessions.clear()
